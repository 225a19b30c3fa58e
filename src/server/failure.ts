/** Why a request is refused before it becomes an operation. */
import type { ErrorCode } from "../base/errors.ts";

/**
 * `code` is of the error table; `wire` the first word of a RESP error where Redis' clients expect Redis' own word (ERR, WRONGTYPE, NOPROTO, …).
 */
export interface Failure {
  readonly code: ErrorCode;
  readonly text: string;
  readonly wire?: string;
}

export function failure(code: ErrorCode, text: string): Failure {
  return { code, text };
}

export const syntaxError: Failure = { code: "ERR", text: "syntax error" };
