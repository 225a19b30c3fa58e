/**
 * Signed whole numbers of 64 bits, as numbers where those are exact and as bigints beyond. Every value has one form only, so `===` and the keys of a Map tell equal
 * ones alike: 5 is never 5n here.
 */
import type { Int64 } from "./requests.ts";

export const int64Min = -(2n ** 63n);
export const int64Max = 2n ** 63n - 1n;

/** The form of a value: a number where it is one of ±(2^53 - 1), else a bigint. */
export function canonicalInt64(value: Int64): Int64 {
  if (typeof value === "number") return value === 0 ? 0 : value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Decimal digits, perhaps with a minus sign; `undefined` if it is something else, or does not go into 64 bits. */
export function parseInt64(text: string): Int64 | undefined {
  // Zeros before it are no harm, but a number of a megabyte is.
  if (!/^-?\d{1,64}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value >= int64Min && value <= int64Max ? canonicalInt64(value) : undefined;
}
