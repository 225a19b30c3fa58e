/** What writers of documents write, each with a word of its own in it, and what became of it. */
import { must } from "../../src/base/assert.ts";
import { randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import type { Verdict } from "../../src/documents/vocabulary.ts";
import type { JsonObject } from "../../src/patch/json.ts";

export interface DocumentWrite {
  /** The word that stands in it and in nothing else. */
  readonly word: string;
  readonly document: string;
  readonly host: number;
  /** Of the disk that the host had; see `DocumentNodes.disk`. */
  readonly disk: string;
  /** `put`: the operations are made by the node. */
  readonly operations: readonly JsonObject[] | "put";
  /** `unknown`: it may have been done or not. `failed`: an operation could not be done, so there is no transaction. */
  fate: "open" | "acknowledged" | "failed" | "unknown";
  /** Why it is unknown. */
  trouble?: string;
  source?: string;
  id?: number;
  /** Of one that waited for it. */
  finalVerdict?: Verdict;
}

/** `safe`: only what can never fail, wherever it comes to stand. */
export function drawOperations(random: Random, word: string, safe: boolean): JsonObject[] {
  const key = `/k${randomBelow(random, 6)}`;
  const set = { op: "add", path: key, value: word };
  if (safe) return [set];
  const other = `/k${randomBelow(random, 6)}`;
  const mark = { op: "add", path: "/last", value: word };
  return must(
    [
      [set],
      [{ op: "add", path: "/list", value: [word] }],
      [{ op: "add", path: "/list/-", value: word }],
      [{ op: "add", path: "/list/0", value: word }],
      [{ op: "remove", path: "/list/0" }, mark],
      [{ op: "replace", path: key, value: { of: word } }],
      [{ op: "remove", path: key }, mark],
      [{ op: "move", from: key, path: other }, mark],
      [{ op: "copy", from: key, path: "/list/-" }, mark],
      [{ op: "add", path: "/map", value: { word } }],
      [{ op: "add", path: `/map${key}`, value: word }],
      [{ op: "test", path: key, value: "nothing" }, mark],
    ][randomBelow(random, 12)],
  );
}
