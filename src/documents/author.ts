/** Makes this node's own transactions: patches of its users, which must not fail when they are made, and records for other nodes. */
import { TrubaError } from "../base/errors.ts";
import type { Json } from "../patch/json.ts";
import { decodePatch, operationJson } from "../patch/patch.ts";
import type { Patch } from "../patch/patch.ts";
import { upsertPatch } from "../patch/upsert.ts";
import type { ChangeRecorder } from "./change-recorder.ts";
import type { Entry } from "./entry.ts";
import type { Fold } from "./fold.ts";
import type { HybridClock } from "./hybrid-clock.ts";
import { Batch } from "./ledger.ts";
import type { Ledger } from "./ledger.ts";
import type { OrderMetadata } from "./order-metadata.ts";
import { decodePayload, payloadText, recordText, refuseMetadata } from "./payload.ts";
import { rejectionOf } from "./rejection.ts";
import type { IssueOptions } from "./replica-answers.ts";
import type { Rejection } from "./vocabulary.ts";

/** From so many characters on a payload is read back, to be sure that other nodes can: shorter ones are within all limits. */
const surelyReadable = 400;

export class Author {
  readonly #clock: HybridClock;
  readonly #ledger: Ledger;
  readonly #fold: Fold;

  constructor(clock: HybridClock, ledger: Ledger, fold: Fold) {
    this.#clock = clock;
    this.#ledger = ledger;
    this.#fold = fold;
  }

  /** Throws BADPATCH, TOOLARGE. */
  decode(
    operations: readonly Json[],
    options: IssueOptions,
  ): { readonly patch: Patch; readonly operations: readonly Json[] } {
    refuseMetadata(operations);
    const patch = decodePatch(operations);
    if (options.lenient !== true) return { patch, operations };
    const upsert = upsertPatch(this.#fold.tree, patch);
    return { patch: upsert, operations: upsert.map(operationJson) };
  }

  /** `undefined`: the patch is empty. A rejection: nothing was made. */
  issue(
    given: readonly Json[],
    options: IssueOptions,
    change: ChangeRecorder,
  ): Entry | Rejection | undefined {
    const { self } = this.#ledger;
    if (self.held.size > 0)
      throw new TrubaError(
        "SOURCECONFLICT",
        `transactions that source ${JSON.stringify(self.source)} made before are still on their way from peers; try again`,
      );
    const { patch, operations } = this.decode(given, options);
    if (patch.length === 0) return undefined;
    const metadata = this.#metadata({});
    const payload = payloadText(operations, metadata);
    if (payload.length >= surelyReadable) {
      const { malformed } = decodePayload(payload);
      if (malformed !== undefined)
        throw new TrubaError("TOOLARGE", `the patch cannot be sent: ${malformed}`);
    }
    const arrivedMs = options.arrivedMs ?? NaN;
    const entry = this.#ledger.make({ payload, patch, metadata, arrivedMs });
    const failure = this.#fold.insertStrictly(entry, change);
    if (failure !== undefined) return rejectionOf(failure);
    const batch = new Batch();
    this.#ledger.takeOwn(batch, entry, metadata);
    this.#ledger.conclude(batch);
    return entry;
  }

  /** An own record, to be folded with the batch. */
  record(batch: Batch, parts: Omit<OrderMetadata, "stamp">, arrivedMs: number): void {
    const metadata = this.#metadata(parts);
    const payload = recordText(metadata);
    const entry = this.#ledger.make({ payload, patch: undefined, metadata, arrivedMs });
    this.#ledger.takeOwn(batch, entry, metadata);
    batch.fresh.push(entry);
    this.#ledger.conclude(batch);
  }

  /** The records that a batch asks of this node: adoptions of what plain peers gave it, and how much it holds of whom others want to evict. */
  answer(batch: Batch, arrivedMs: number): void {
    const { evictions, self } = this.#ledger;
    if (evictions.cutOf(self.source) !== undefined || self.held.size > 0) return;
    if (evictions.size > 0) {
      for (const source of evictions.unanswered(self.source)) {
        const frozen = { source, count: this.#ledger.countOf(source) };
        this.record(batch, { frozen }, arrivedMs);
      }
    }
    if (evictions.size === 0 && batch.plain.size === 0) return;
    const adopted = this.#ledger.toAdopt(batch, this.#fold.unadopted());
    if (adopted.length > 0) this.record(batch, { adopted }, arrivedMs);
  }

  #metadata(parts: Omit<OrderMetadata, "stamp">): OrderMetadata {
    const seen = this.#ledger.unsaid();
    const stamp = this.#clock.next();
    return seen.length === 0 ? { stamp, ...parts } : { stamp, seen, ...parts };
  }
}

/** Of what {@link Author.issue} answers. */
export function isRejection(made: Entry | Rejection): made is Rejection {
  return "kind" in made;
}
