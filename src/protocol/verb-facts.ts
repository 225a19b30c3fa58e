/**
 * How requests are written as words, as data: RESP parses and its clients write by this table, the REPL completes and helps by it, docs/commands.md lists it.
 *
 * A request is `VERB field … [WORD field] … [REQUEST id]`: fields without a word stand first, in this order; the others follow in any order, each behind its word.
 * Durations are written in seconds, with a fraction if need be (`0.5`).
 */
import type { DocumentRequestOf, DocumentVerb } from "./document-requests.ts";
import type { RequestOf, Verb } from "./requests.ts";

export type FieldType =
  /** A queue's name: printable ASCII 33 to 126, 1 to 255 bytes. */
  | "queue"
  /** `{tag}` and 16 hexadecimal digits. */
  | "session"
  /** A kind of sessions, by name. */
  | "kind"
  /** Kinds by name, joined by commas. */
  | "kinds"
  /** A document's name: 1 to 128 of `A-Z a-z 0-9 . _ ~ -`. */
  | "document"
  | "text"
  /** JSON, as text. */
  | "json"
  | "bytes"
  /** A signed whole number of 64 bits. */
  | "int64"
  /** A whole number from 0 to 2^53 - 1. */
  | "count"
  /** Seconds, as milliseconds in the request. */
  | "seconds"
  /** The word alone is `true`. */
  | "flag"
  /** One of `choices`. */
  | "choice"
  /** One or more pairs of task and lease. */
  | "leases";

export interface VerbField<Name extends string = string> {
  readonly name: Name;
  readonly type: FieldType;
  /** In capitals; stands before the value. Without one the field is required and has its place. */
  readonly word?: string;
  /** For `choice`. */
  readonly choices?: readonly string[];
  /** Whether the word `NONE` stands for `null`, which takes a setting away. */
  readonly nullable?: boolean;
  readonly help: string;
}

export interface VerbFacts<V extends Verb | DocumentVerb = Verb | DocumentVerb> {
  readonly group: "queues" | "sessions" | "documents";
  /** `write`: one operation of the log, takes a request id, may stand in a group. `admin`: as write, but not in a group. `take`: hands out, may wait. `read`: changes nothing. `change`: writes a document, which takes no request id and no part in a group. */
  readonly kind: "write" | "admin" | "take" | "read" | "change";
  /** Unless `kind` says it: `read` is for whoever may read, all else for whoever may write. */
  readonly role?: "admin";
  readonly since: string;
  readonly help: string;
  /** The answer, for people. */
  readonly answer: string;
  readonly fields: readonly VerbField<FieldNameOf<V>>[];
}

export type FieldNameOf<V extends Verb | DocumentVerb> = V extends DocumentVerb
  ? NamesOf<DocumentRequestOf<V>>
  : V extends Verb
    ? NamesOf<RequestOf<V>>
    : never;

type NamesOf<Request> = Request extends unknown ? keyof Request & string : never;

/** Version of Truba that brought these verbs. */
export const since = "0.2.0";
