/** Why an operation cannot be done, in words. Worked out only when it fails, and bounded: a failure is kept with its transaction. */
import { limits } from "../base/limits.ts";
import { isArray } from "./canonical.ts";
import { copyOf, isContainer, member } from "./container.ts";
import type { FailureReason } from "./failure.ts";
import type { Json } from "./json.ts";
import { arrayIndex, pointerText } from "./pointer.ts";
import { isLighter } from "./weight.ts";

export interface Problem {
  readonly path: readonly string[];
  readonly reason: FailureReason;
  readonly text: string;
  readonly expected?: Json;
  readonly actual?: Json;
}

/** Values of a failed test that are heavier are left out of what is said of it. */
const shownMaxWeight = 1_024;

/** Characters of a pointer or a name that a text shows. */
const quotedMaxLength = 128;

/** Nothing can be put at the path, or nothing is there that must be. */
export function noPlace(root: Json, path: readonly string[]): Problem {
  if (path.length === 0)
    return { path, reason: "missing", text: "the whole document cannot be removed" };
  let value = root;
  for (let at = 0; at < path.length; at++) {
    const token = path[at] as string;
    const place = at === 0 ? "the document" : quoted(path.slice(0, at));
    const next = isContainer(value)
      ? isArray(value)
        ? value[arrayIndex(token)]
        : member(value, token)
      : undefined;
    if (next === undefined) return nothingAt(path, value, token, place);
    value = next;
  }
  return { path, reason: "missing", text: `${quoted(path)} does not exist` };
}

function nothingAt(path: readonly string[], value: Json, token: string, place: string): Problem {
  const shown = quoted(path);
  if (!isContainer(value))
    return {
      path,
      reason: "not-container",
      text: `${shown} does not exist: ${place} is ${kindOf(value)}`,
    };
  if (!isArray(value))
    return {
      path,
      reason: "missing",
      text: `${shown} does not exist: ${place} has no member ${clipped(token)}`,
    };
  if (token === "-")
    return {
      path,
      reason: "bad-index",
      text: `${shown} does not exist: "-" is behind the last element of ${place}`,
    };
  if (arrayIndex(token) < 0)
    return {
      path,
      reason: "bad-index",
      text: `${shown} does not exist: ${place} is an array, and ${clipped(token)} is no index (RFC 6901 §4)`,
    };
  return {
    path,
    reason: "out-of-range",
    text: `${shown} is out of range: ${place} has ${value.length} elements`,
  };
}

/** A test found something else, or nothing. */
export function mismatch(
  root: Json,
  path: readonly string[],
  wanted: Json,
  found: Json | undefined,
): Problem {
  const expected = isLighter(wanted, shownMaxWeight) ? { expected: copyOf(wanted) } : {};
  if (found === undefined) return { ...noPlace(root, path), ...expected };
  return {
    path,
    reason: "test-failed",
    text: `${quoted(path)} is not what the test wants`,
    ...expected,
    ...(isLighter(found, shownMaxWeight) ? { actual: copyOf(found) } : {}),
  };
}

export function intoItself(from: readonly string[], path: readonly string[]): Problem {
  return {
    path,
    reason: "into-itself",
    text: `${quoted(from)} cannot be moved into itself (RFC 6902 §4.4)`,
  };
}

export function tooLarge(path: readonly string[], weight: number, maxWeight: number): Problem {
  return {
    path,
    reason: "too-large",
    text: `with ${quoted(path)} the document would be about ${weight} bytes; the limit is ${maxWeight} (documentMaxBytes)`,
  };
}

export function tooMuchWork(path: readonly string[], maxWeight: number): Problem {
  return {
    path,
    reason: "too-large",
    text: `at ${quoted(path)} the patch has copied and moved more than ${maxWeight} bytes of the document (documentMaxBytes)`,
  };
}

export function tooDeep(path: readonly string[]): Problem {
  return {
    path,
    reason: "too-deep",
    text: `with ${quoted(path)} the document would nest deeper than ${limits.documentDepthMaxCount} levels (documentDepthMaxCount)`,
  };
}

function quoted(path: readonly string[]): string {
  return clipped(pointerText(path));
}

function clipped(text: string): string {
  return JSON.stringify(
    text.length > quotedMaxLength ? `${text.slice(0, quotedMaxLength)}…` : text,
  );
}

function kindOf(value: Json): string {
  if (value === null) return "null";
  return typeof value === "string" ? "a string" : `a ${typeof value}`;
}
