/** Why a request is refused before it becomes an operation. */
import { type ErrorCode, TrubaError } from "../base/errors.ts";

/**
 * `code` is of the error table; `wire` the first word of a RESP error where Redis' clients expect Redis' own word (ERR, WRONGTYPE, NOPROTO, …).
 */
export interface Failure {
  readonly code: ErrorCode;
  readonly text: string;
  readonly wire?: string;
  readonly retryAfterMs?: number;
}

export function failure(code: ErrorCode, text: string): Failure {
  return { code, text };
}

export const syntaxError: Failure = { code: "ERR", text: "syntax error" };

/** What was thrown, if it is an error of the world; else it is thrown again. */
export function failureOf(thrown: unknown): Failure {
  if (!(thrown instanceof TrubaError)) throw thrown;
  const { code, message, retryAfterMs } = thrown;
  return retryAfterMs === undefined
    ? { code, text: message }
    : { code, text: message, retryAfterMs };
}
