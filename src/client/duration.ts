/** Durations as people write them: `"30s"`, or a number of milliseconds. */
import { TrubaError } from "../base/errors.ts";

/** Milliseconds, or a number with its unit: `"250ms"`, `"30s"`, `"1.5m"`, `"12h"`, `"7d"`. */
export type Duration =
  | number
  | `${number}ms`
  | `${number}s`
  | `${number}m`
  | `${number}h`
  | `${number}d`;

const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * A duration in whole milliseconds. Throws TrubaError BADVALUE, in whose text `name` stands, if it is none, negative or beyond 2^53 - 1.
 */
export function durationMs(duration: Duration, name: string): number {
  const ms = Math.round(typeof duration === "number" ? duration : parse(duration));
  if (Number.isSafeInteger(ms) && ms >= 0) return ms;
  throw new TrubaError(
    "BADVALUE",
    `${name} is ${JSON.stringify(duration)}; a duration is a number of milliseconds, or one with its unit: "250ms", "30s", "5m", "1h", "7d"`,
  );
}

/** The same, but what is not named stays so. */
export function optionalMs(duration: Duration | undefined, name: string): number | undefined {
  return duration === undefined ? undefined : durationMs(duration, name);
}

function parse(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  if (parts === null) return Number.NaN;
  return Number(parts[1]) * (units[parts[2] ?? ""] ?? Number.NaN);
}
