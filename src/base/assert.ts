/**
 * Asserts are for bugs of ours, coded errors (`errors.ts`) for the world: bad input, a full disk, a lost peer.
 * They stay on in production: a process that has broken its own invariant must not acknowledge anything more.
 */

/** Thrown when an invariant of the program itself is broken. Never caught to go on. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws {@link AssertionError} unless the condition holds. One condition per call. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The value, which the program knows to be there. Throws {@link AssertionError} on `undefined` and `null`. */
export function must<T>(
  value: T | undefined | null,
  message = "a value that must exist is missing",
): T {
  if (value === undefined || value === null) throw new AssertionError(message);
  return value;
}

/** Closes a `switch` over a union: the compiler refuses a case that was forgotten. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
