/**
 * Errors of the world as programs meet them. Which there are: `error-table.ts`.
 *
 * On the wire: `-CODE text; retry after N ms` (RESP), `Error: text` (line protocol), RFC 9457 with `code` (HTTP).
 */
import { type ErrorKind, errorKinds } from "./error-table.ts";

/** A code of the table: what programs branch on. */
export type ErrorCode = keyof typeof errorKinds;

export const errorTable: Readonly<Record<ErrorCode, ErrorKind>> = errorKinds;

/** All codes in the order of the table. */
export const errorCodes = Object.keys(errorKinds) as readonly ErrorCode[];

/** An error of the world, with a code of the table. */
export class TrubaError extends Error {
  override readonly name = "TrubaError";
  readonly code: ErrorCode;
  /** When to come back, in milliseconds from now, if the server knows. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: ErrorCode,
    text: string,
    options: { retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(text, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** Whether the same request may succeed later without being changed, by its code. */
  get retryable(): boolean {
    return errorKinds[this.code].retryable;
  }
}

/** The code of an operating system error (`ENOENT`, `ENOSPC`, …), if it is one. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** The message of whatever was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
