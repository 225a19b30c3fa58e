/** What has come from peers and waits for the turn, in which all of it is one merge, and who brought it. */
import { limits } from "../base/limits.ts";
import type { ReceivedSummary, Sender, WireTransaction } from "./exchange.ts";
import type { Received } from "./replica-answers.ts";
import type { Source } from "./vocabulary.ts";

/** What Truba adds to a patch takes less. */
const metadataMaxBytes = 65_536;
/** The longest payload that is taken from a peer. */
export const payloadMaxBytes = limits.documentPatchMaxBytes + metadataMaxBytes;

const loneSurrogate = /\p{Surrogate}/u;
const loneSurrogates = /\p{Surrogate}/gu;

interface Caller {
  readonly from: Sender;
  readonly transactions: readonly WireTransaction[];
  /** Larger than any may be. */
  readonly malformed: number;
  readonly resolve: (summary: ReceivedSummary) => void;
  readonly reject: (error: Error) => void;
}

interface Answered {
  readonly caller: Caller;
  readonly summary: ReceivedSummary;
  /** Of the journal entry that has it; Infinity: its batch is not sealed. */
  index: number;
}

/** Callers that are merged at once: all of one kind. */
export class ArrivalBatch {
  readonly kind: Sender["kind"];
  readonly callers: readonly Caller[];
  readonly transactions: readonly WireTransaction[];
  readonly #answer: (answered: Answered) => void;

  constructor(callers: readonly Caller[], answer: (answered: Answered) => void) {
    this.callers = callers;
    this.kind = callers[0]?.from.kind ?? "truba";
    this.transactions =
      callers.length === 1
        ? (callers[0]?.transactions ?? [])
        : callers.flatMap(({ transactions }) => transactions);
    this.#answer = answer;
  }

  /** Each caller is told its part when all is durable. */
  received(received: Received, isZeroBased: (source: Source) => boolean): void {
    const { missing } = received;
    const wireId = (source: Source, id: number): number => (isZeroBased(source) ? id - 1 : id);
    if (this.callers.length === 1) {
      const [caller] = this.callers;
      if (caller === undefined) return;
      const { duplicates, forged, evicted } = received;
      const summary = {
        accepted: received.accepted.length,
        duplicates,
        missing,
        forged,
        evicted,
        malformed: caller.malformed + received.malformed,
      };
      this.#answer({ caller, summary, index: Infinity });
      return;
    }
    const accepted = new Set(
      received.accepted.map(({ source, id }) => keyOf(source, wireId(source, id))),
    );
    for (const caller of this.callers) this.#part(caller, accepted, received);
  }

  /** Who was the first to bring a transaction is told that it was new. */
  #part(caller: Caller, accepted: Set<string>, received: Received): void {
    const known = new Set(caller.transactions.map(({ source, id }) => keyOf(source, id)));
    let count = 0;
    for (const key of known) if (accepted.delete(key)) count++;
    const forged = received.forged.filter(({ source, id }) => known.has(keyOf(source, id)));
    const summary = {
      accepted: count,
      duplicates: Math.max(0, caller.transactions.length - count - forged.length),
      missing: received.missing,
      forged,
      evicted: 0,
      malformed: caller.malformed,
    };
    this.#answer({ caller, summary, index: Infinity });
  }
}

export class ArrivalQueue {
  #waiting: Caller[] = [];
  #answered: Answered[] = [];
  readonly #answer = (answered: Answered): void => {
    this.#answered.push(answered);
  };

  /** Callers that have no answer. */
  get length(): number {
    return this.#waiting.length + this.#answered.length;
  }

  add(transactions: readonly WireTransaction[], from: Sender): Promise<ReceivedSummary> {
    let malformed = 0;
    const arriving: WireTransaction[] = [];
    for (const { source, id, payload } of transactions) {
      if (payload.length > payloadMaxBytes || loneSurrogate.test(source)) malformed++;
      // Half a surrogate pair cannot be kept in UTF-8, nor sent on: it becomes U+FFFD for everyone who gets it.
      else if (!loneSurrogate.test(payload)) arriving.push({ source, id, payload });
      else arriving.push({ source, id, payload: payload.replaceAll(loneSurrogates, "\ufffd") });
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ from, transactions: arriving, malformed, resolve, reject });
    });
  }

  /** What waits, in batches of one kind, in order. */
  take(): readonly ArrivalBatch[] {
    if (this.#waiting.length === 0) return [];
    const batches: ArrivalBatch[] = [];
    let callers: Caller[] = [];
    for (const caller of this.#waiting) {
      if (callers.length > 0 && callers[0]?.from.kind !== caller.from.kind) {
        batches.push(new ArrivalBatch(callers, this.#answer));
        callers = [];
      }
      callers.push(caller);
    }
    batches.push(new ArrivalBatch(callers, this.#answer));
    this.#waiting = [];
    return batches;
  }

  /** They wait again, before all others. */
  putBack(batches: readonly ArrivalBatch[]): void {
    this.#waiting.unshift(...batches.flatMap(({ callers }) => callers));
  }

  /** What was merged since the last time stands in the journal up to this entry. */
  sealed(index: number): void {
    for (const answered of this.#answered) if (answered.index === Infinity) answered.index = index;
  }

  confirm(durable: number): void {
    while (this.#answered.length > 0) {
      const [first] = this.#answered;
      if (first === undefined || first.index > durable) return;
      this.#answered.shift();
      first.caller.resolve(first.summary);
    }
  }

  fail(error: Error): void {
    const callers = [...this.#answered.map(({ caller }) => caller), ...this.#waiting];
    this.#answered = [];
    this.#waiting = [];
    for (const { reject } of callers) reject(error);
  }
}

function keyOf(source: Source, id: number): string {
  return `${id} ${source}`;
}
