/**
 * Every error that a caller can meet, in one table. Codes are stable: clients branch on them, texts may be reworded.
 * `docs/errors.md` lists the same codes; a test holds the two together.
 *
 * On the wire: `-CODE text; retry after N ms` (RESP), `Error: text` (line protocol), RFC 9457 with `code` (HTTP).
 */

export interface ErrorKind {
  /** HTTP status (RFC 9110). */
  readonly status: number;
  /** Whether the same request may succeed later without being changed. */
  readonly retryable: boolean;
  /** What it means and what to do: the text of docs/errors.md. */
  readonly meaning: string;
}

const table = {
  // Requests
  ERR: {
    status: 400,
    retryable: false,
    meaning: "The command is unknown, incomplete or malformed. Mend the request.",
  },
  BADKEY: {
    status: 400,
    retryable: false,
    meaning: "The key is not a UUID of version 4 (RFC 9562), with or without a {tag} before it.",
  },
  BADVALUE: {
    status: 400,
    retryable: false,
    meaning:
      "An argument is not of the right form or outside its range; the text names it, its value and the limit.",
  },
  TOOLARGE: {
    status: 413,
    retryable: false,
    meaning: "A value, request or atomic group is larger than its limit; nothing of it was done.",
  },
  CROSSSLOT: {
    status: 400,
    retryable: false,
    meaning: "The keys of an atomic group are not on one partition. Give them one {tag}.",
  },
  EXECABORT: {
    status: 409,
    retryable: false,
    meaning:
      "An atomic group was not applied; the text names the first operation that failed and why.",
  },
  NOTSUPPORTED: {
    status: 501,
    retryable: false,
    meaning: "The protocol or option is known and this node does not offer it.",
  },
  // Conditions
  EXISTS: { status: 409, retryable: false, meaning: "The record exists and the request said NX." },
  NOTFOUND: {
    status: 404,
    retryable: false,
    meaning: "The record does not exist and the request needs it.",
  },
  VERSIONCONFLICT: {
    status: 409,
    retryable: false,
    meaning: "The record's version is not the one that IFVERSION named. Read it again.",
  },
  // Request ids (DESIGN: once)
  REQUESTAHEAD: {
    status: 400,
    retryable: false,
    meaning:
      "The time in the request id is more than 60 s ahead of the server. Make ids from server time.",
  },
  REQUESTTOOOLD: {
    status: 409,
    retryable: false,
    meaning:
      "The request id is older than what the server remembers and unknown; it was not run, now. Whether it ran before is not known.",
  },
  REQUESTREUSED: {
    status: 409,
    retryable: false,
    meaning:
      "The request id was used before with another operation. Make a new id for each request.",
  },
  // The node
  OVERLOADED: {
    status: 429,
    retryable: true,
    meaning: "The node has as much in hand as it may; nothing of the request was done.",
  },
  DISKFULL: {
    status: 507,
    retryable: true,
    meaning: "Free disk space is below the low-water mark: writes are refused, reads go on.",
  },
  NOQUORUM: {
    status: 503,
    retryable: true,
    meaning: "A majority of the partition's voters cannot be reached; nothing was acknowledged.",
  },
  BADCHANGE: {
    status: 409,
    retryable: false,
    meaning:
      "The members of a partition cannot be changed so, as they stand now; the text says why. Nothing was changed.",
  },
  NOTLEADER: { status: 421, retryable: true, meaning: "This node does not lead the partition." },
  UNKNOWNOUTCOME: {
    status: 504,
    retryable: true,
    meaning: "The write may or may not have happened. Repeat it with the same request id.",
  },
  SHUTTINGDOWN: {
    status: 503,
    retryable: true,
    meaning: "The node is stopping and takes no new requests.",
  },
  MAXCONNECTIONS: {
    status: 503,
    retryable: true,
    meaning: "The node has as many connections as it may.",
  },
  STOPPED: {
    status: 503,
    retryable: true,
    meaning: "The node has stopped because it can no longer make writes durable.",
  },
  // Data at rest
  DATALOCKED: { status: 500, retryable: true, meaning: "Another process uses the data directory." },
  DATADAMAGED: {
    status: 500,
    retryable: false,
    meaning:
      "Acknowledged data on disk is damaged or missing. The node refuses to start on it; the text names what and where.",
  },
  DATAVERSION: {
    status: 500,
    retryable: false,
    meaning: "The data was written by a version of Truba that this one cannot read.",
  },
  BADCONFIG: {
    status: 500,
    retryable: false,
    meaning: "The configuration has problems; all of them are listed.",
  },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof table;

export const errorTable: Readonly<Record<ErrorCode, ErrorKind>> = table;

/** All codes in the order of the table. */
export const errorCodes = Object.keys(table) as readonly ErrorCode[];

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
