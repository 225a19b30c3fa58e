/** A document as its users see it: read, patched, followed. */
import { TrubaError } from "../base/errors.ts";
import { parseJson } from "../patch/json-text.ts";
import type {
  Accepted,
  Conflict,
  DocumentStatus,
  DocumentView,
  HistoryPage,
  HistoryQuery,
  VectorClock,
} from "../protocol/documents.ts";
import type { CallLimits } from "./caller.ts";
import { whenFinal } from "./document-finality.ts";
import { type DocumentSubscribeOptions, DocumentSubscription } from "./document-subscription.ts";
import type { DocumentParts } from "./document-values.ts";

/** One operation of a JSON Patch (RFC 6902). `path` and `from` are JSON Pointers: `/list/0`, `/list/-` behind the last, `~1` for a slash and `~0` for a tilde. */
export interface PatchOperation {
  readonly op: "add" | "remove" | "replace" | "move" | "copy" | "test";
  readonly path: string;
  /** Of `move` and `copy`. */
  readonly from?: string;
  /** Of `add`, `replace` and `test`: what JSON can say. */
  readonly value?: unknown;
}

/** Where in time to look. */
export interface DocumentGetOptions {
  /** Behind so many transactions of the order, or as of a time: a Date, or text as `2026-01-31T12:00:00Z`. Default: as it is now. */
  readonly at?: number | Date | string;
}

/** How a change is to be made. */
export interface DocumentChangeOptions {
  /** `durable` (default): it is on disk, and its verdict may still change when patches of other nodes come before it. `final`: nothing can come before it any more. */
  readonly until?: "durable" | "final";
  /** Only if the document has this hash (else HASHCONFLICT); `*` = if it exists, `none` = if it does not. */
  readonly ifHash?: string;
  /** Says what would happen, with the document as `text`; nothing is made. */
  readonly dryRun?: boolean;
}

/** A document as it was at one moment. */
export interface DocumentState<Out> {
  readonly value: Out;
  /** SHA-256 of its canonical JSON (RFC 8785), for `ifHash`. Nodes that hold the same have the same. */
  readonly hash: string;
  readonly vclock: VectorClock;
  /** Transactions in the order; those of them that are final; those that are rejected. */
  readonly transactions: number;
  readonly final: number;
  readonly rejected: number;
}

/** How long one request waits for members to agree: shorter than a connection may be silent. */
const evictWaitMs = 2_000;

/**
 * A JSON document that several nodes write, each by itself, and that becomes the same on all of them: `db.document(name)`. Its changes are JSON Patches (RFC 6902); those of one node and
 * another come into one order, in which each is done, or rejected where it fails.
 *
 * A change is made once or not at all, but it has no request id: when its answer is lost, it is not sent again, and the call rejects with UNKNOWNOUTCOME.
 */
export class SharedDocument<In, Out> {
  readonly name: string;
  readonly #parts: DocumentParts<In, Out>;

  constructor(parts: DocumentParts<In, Out>) {
    this.name = parts.name;
    this.#parts = parts;
  }

  /**
   * The document as it is, or as it was. Rejects with NODOCUMENT if there is none (there always is `default`), with BADVALUE if it does not fit the schema, with HISTORYTRIMMED when its history
   * does not go back so far.
   *
   * ```ts
   * const { value, hash } = await db.document("default").get();
   * ```
   */
  async get(options: DocumentGetOptions & CallLimits = {}): Promise<DocumentState<Out>> {
    const { at } = options;
    const request = { document: this.name, ...(at === undefined ? {} : { at: momentText(at) }) };
    return this.#stateOf(await this.#parts.caller.document("doc.get", request, options));
  }

  /**
   * Applies a JSON Patch, all of it or nothing; as operations, or as text. Resolves when it is durable, or with `until: "final"` when its verdict, which may then be that it was rejected, can
   * change no more. A document that does not exist begins as `{}`. Rejects with PATCHFAILED when an operation fails now: its cause names `operation`, `path` and `reason`, and nothing was made.
   *
   * ```ts
   * await db.document("default").patch([{ op: "add", path: "/a", value: 1 }]);
   * ```
   */
  async patch(
    operations: readonly PatchOperation[] | string,
    options: DocumentChangeOptions & CallLimits = {},
  ): Promise<Accepted> {
    const patch = typeof operations === "string" ? operations : JSON.stringify(operations);
    const request = { document: this.name, patch, ...conditions(options) };
    const { caller } = this.#parts;
    return this.#until(await caller.document("doc.patch", request, options), options);
  }

  /** Makes the document this value, in one transaction. Otherwise as {@link patch}. */
  async put(value: In, options: DocumentChangeOptions & CallLimits = {}): Promise<Accepted> {
    const text = await this.#parts.values.textOf(value);
    const request = { document: this.name, value: text, ...conditions(options) };
    const { caller } = this.#parts;
    return this.#until(await caller.document("doc.put", request, options), options);
  }

  /** Transactions in their order, some at a time: `next` of a page is `from` of the next one. Rejects with NODOCUMENT. */
  history(query: HistoryQuery & CallLimits = {}): Promise<HistoryPage> {
    const { signal, ...rest } = query;
    return this.#parts.caller.document("doc.history", { document: this.name, ...rest }, { signal });
  }

  /** What was overwritten, shifted or refused among the last transactions (`count`, default 1,000) whose authors did not know of each other. Rejects with NODOCUMENT. */
  async conflicts(
    options: { readonly count?: number } & CallLimits = {},
  ): Promise<readonly Conflict[]> {
    const { count, signal } = options;
    const request = { document: this.name, ...(count === undefined ? {} : { count }) };
    const limits = { signal };
    return (await this.#parts.caller.document("doc.conflicts", request, limits)).conflicts;
  }

  /** How the document stands on the node that is asked, and its members as that node knows them. Rejects with NODOCUMENT. */
  status(options: CallLimits = {}): Promise<DocumentStatus> {
    return this.#parts.caller.document("doc.status", { document: this.name }, options);
  }

  /**
   * A member that is gone for good holds back finality no longer. Resolves, when the other members have agreed, with the number of its transactions that stay; further ones are refused
   * everywhere. Whoever stops waiting has asked for it all the same. Rejects with NOMEMBER.
   */
  async evict(source: string, options: CallLimits = {}): Promise<number> {
    const request = { document: this.name, source, waitMs: evictWaitMs };
    for (;;) {
      const { cut } = await this.#parts.caller.document("doc.evict", request, options);
      if (cut !== null) return cut;
    }
  }

  /**
   * The document as it changes: first as it is, then each change, from this node or another. Goes on over lost connections and restarts of the node; what was missed comes as one update
   * with `kind: "snapshot"`, and so it does when the loop is too slow for what comes.
   *
   * ```ts
   * for await (const { value, verdicts } of db.document("default").subscribe()) render(value);
   * ```
   */
  subscribe(options: DocumentSubscribeOptions = {}): DocumentSubscription<Out> {
    return new DocumentSubscription(this.#parts, options);
  }

  async #stateOf(view: DocumentView): Promise<DocumentState<Out>> {
    const { text, hash, vclock, transactions, final, rejected } = view;
    const value = await this.#parts.values.check(parseJson(text, "the document"));
    return { value, hash, vclock, transactions, final, rejected };
  }

  async #until(
    accepted: Accepted,
    { until = "durable", signal }: DocumentChangeOptions & CallLimits,
  ): Promise<Accepted> {
    const { source, id, final } = accepted;
    if (until === "durable" || final || source === undefined || id === undefined) return accepted;
    const { caller, name } = this.#parts;
    const verdict = await whenFinal(this.#parts, { source, id }, signal);
    const { view } = await caller.document("doc.status", { document: name }, { signal });
    return { source, id, verdict, final: true, vclock: view.vclock, hash: view.hash };
  }
}

function conditions({ ifHash, dryRun }: DocumentChangeOptions): {
  readonly ifHash?: string;
  readonly dryRun?: boolean;
} {
  return {
    ...(ifHash === undefined ? {} : { ifHash }),
    ...(dryRun === undefined ? {} : { dryRun }),
  };
}

function momentText(at: number | Date | string): string {
  if (typeof at === "string") return at;
  if (typeof at === "number") return String(at);
  if (!Number.isNaN(at.getTime())) return at.toISOString();
  throw new TrubaError("BADVALUE", "at is a Date that is no date");
}
