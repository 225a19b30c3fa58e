/** Checks of options that are counts. */
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";

/** A whole number from 1 to the credit that a subscription may have. Throws TrubaError BADVALUE, in whose text `name` stands. */
export function atLeastOne(value: number, name: string): number {
  if (Number.isInteger(value) && value >= 1 && value <= limits.creditMaxCount) return value;
  throw new TrubaError(
    "BADVALUE",
    `${name} is ${value}; it must be a whole number from 1 to ${limits.creditMaxCount}`,
  );
}
