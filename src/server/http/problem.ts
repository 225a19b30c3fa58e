/** Errors as HTTP has them: RFC 9457, application/problem+json, with the codes and statuses of the error table. */
import { type ErrorCode, TrubaError, errorTable } from "../../base/errors.ts";
import type { Rejection } from "../../documents/vocabulary.ts";
import type { Json } from "../../patch/json.ts";

export const problemMediaType = "application/problem+json";

export interface Problem {
  /** Where the code is explained; this node serves the page. */
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly retryAfterMs?: number;
  /** Of EXECABORT: which request was refused, from 0, and why. */
  readonly index?: number;
  readonly cause?: string;
  /** Of PATCHFAILED: which operation failed, from 0, and why. */
  readonly operation?: number;
  readonly op?: string;
  /** The pointer that failed: the operation's path, or its from. */
  readonly path?: string;
  readonly reason?: string;
  /** Of PATCHFAILED, where a `test` failed: what it wanted, and what it found; absent: nothing was there, or it is too long to be told. */
  readonly expected?: Json;
  readonly actual?: Json;
}

/** Where a problem is told as text its code stands here. */
export const codeHeader = "truba-error";

/** Whether a client names JSON in its `Accept`. */
export function wantsJson(accept: string | undefined): boolean {
  return accept !== undefined && /\bapplication\/(?:problem\+)?json\b/i.test(accept);
}

/** An error that HTTP says more of than its code. */
export class Refusal extends TrubaError {
  /** Instead of the error table's, where HTTP has a status of its own for the case. */
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ErrorCode,
    text: string,
    more: {
      status?: number;
      headers?: Readonly<Record<string, string>>;
      retryAfterMs?: number;
    } = {},
  ) {
    super(code, text, more.retryAfterMs === undefined ? {} : { retryAfterMs: more.retryAfterMs });
    this.status = more.status;
    this.headers = more.headers ?? {};
  }
}

export function problemOf(error: TrubaError): Problem {
  const { code, retryAfterMs } = error;
  const { status, meaning } = errorTable[code];
  return {
    type: `/docs/errors.md#${code.toLowerCase()}`,
    title: titleOf(meaning),
    status: (error instanceof Refusal ? error.status : undefined) ?? status,
    detail: error.message,
    code,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...groupMembers(error),
    ...patchMembers(error),
  };
}

/** The headers that belong to the problem. Retry-After has whole seconds (RFC 9110 §10.2.3). */
export function problemHeaders(error: TrubaError): Readonly<Record<string, string>> {
  const { retryAfterMs } = error;
  const own = error instanceof Refusal ? error.headers : {};
  if (retryAfterMs === undefined) return own;
  return { ...own, "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) };
}

/** What a bug of ours looks like from outside: nothing of it is told. */
export const bugProblem: Problem = {
  type: "about:blank",
  title: "Internal Server Error",
  status: 500,
  detail: "the node met a bug of its own; its log has the details",
  code: "ERR",
};

/** The first sentence. */
export function titleOf(meaning: string): string {
  return /^.*?(?=[.;:](\s|$))/s.exec(meaning)?.[0] ?? meaning;
}

function groupMembers({ code, cause }: TrubaError): Pick<Problem, "index" | "cause"> {
  if (code !== "EXECABORT" || typeof cause !== "object" || cause === null) return {};
  if (!("index" in cause) || !("code" in cause)) return {};
  return { index: Number(cause.index), cause: String(cause.code) };
}

function patchMembers({ code, cause }: TrubaError): Partial<Problem> {
  if (code !== "PATCHFAILED" || typeof cause !== "object" || cause === null) return {};
  if (!("kind" in cause) || cause.kind !== "rejected") return {};
  const { operation, op, path, reason, expected, actual } = cause as Rejection;
  return {
    operation,
    op,
    path,
    reason,
    ...(expected === undefined ? {} : { expected }),
    ...(actual === undefined ? {} : { actual }),
  };
}
