/**
 * How members of documents stand: what they have said of their clocks and of what they hold, and whether all hold the same. Equal vector clocks do not prove equal documents, so hashes are
 * compared wherever the clocks are equal; a difference is a bug or bad memory, and raises an alarm (P6).
 */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { DocumentCounters } from "./document-counters.ts";
import type { Document } from "./document.ts";
import type { Version } from "./document-progress.ts";
import { defaultDocument } from "./document-name.ts";
import type { DocumentSlot } from "./document-slot.ts";
import type { ClockOf, Head, PeerClocks } from "./exchange.ts";
import type { Replica } from "./replica.ts";
import { compareStamps } from "./stamp.ts";
import type { Agreement, DocumentStatus, MemberStatus, Source, VectorClock } from "./vocabulary.ts";

/** A hash is not made again before so many times what it took have passed: of a large document that changes all the time it would take all the time. */
const hashRest = 20;

interface Said {
  readonly vclock: VectorClock;
  readonly hash: string | null;
}

interface Standing {
  readonly clocks: Map<Source, ClockOf>;
  readonly said: Map<Source, Said>;
  readonly heardMs: Map<Source, number>;
  readonly diverged: Set<Source>;
  hashNotBeforeMs: number;
}

export class DocumentStanding {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #documents = new Map<string, Standing>();
  readonly #counters: DocumentCounters;

  constructor(clock: Clock, logger: Logger, counters: DocumentCounters) {
    this.#clock = clock;
    this.#logger = logger;
    this.#counters = counters;
  }

  heard(name: string, clocks: PeerClocks): void {
    const standing = this.#of(name);
    const nowMs = this.#clock.wallMs();
    for (const [source, said] of clocks) {
      const known = standing.clocks.get(source);
      if (known !== undefined && compareStamps(known.clock, said.clock) >= 0) continue;
      standing.clocks.set(source, said);
      standing.heardMs.set(source, nowMs);
    }
  }

  /** Tells a replica what was heard while the document was not in memory. */
  remind(replica: Replica): void {
    const standing = this.#documents.get(replica.name);
    if (standing === undefined) return;
    for (const [source, { clock, count }] of standing.clocks)
      if (source !== replica.source) replica.heard(source, clock, count);
    for (const [source, { vclock }] of standing.said) replica.memberHas(source, vclock);
  }

  said(slot: DocumentSlot, source: Source, vclock: VectorClock, hash: string | null): void {
    const standing = this.#of(slot.name);
    standing.said.set(source, { vclock, hash });
    standing.heardMs.set(source, this.#clock.wallMs());
    this.#compare(slot, standing);
  }

  head(slot: DocumentSlot): Head {
    const standing = this.#of(slot.name);
    const { document } = slot;
    const compared = (): string | undefined => {
      this.#compare(slot, standing);
      return this.#hashOf(slot, standing);
    };
    const clocks = new Map(standing.clocks);
    const own = document?.promised;
    if (own !== undefined)
      clocks.set(slot.source, { clock: own, count: slot.countOf(slot.source) });
    return {
      vclock: slot.vclock,
      get hash() {
        return compared();
      },
      frontier: document?.replica.frontier ?? null,
      clocks,
      tentative: document?.tentative ?? slot.tail.length > 0,
    };
  }

  status(slot: DocumentSlot, document: Document, version: Version): DocumentStatus {
    const standing = this.#of(slot.name);
    const { replica } = document;
    const { vclock, transactions, final, rejected } = version;
    const hash = version.hash ?? "";
    const { redone, redoneLongest, forged, evicted, malformed } = replica.counts;
    return {
      name: slot.name,
      source: slot.source,
      view: { name: slot.name, hash, vclock, transactions, final, rejected },
      agreement: this.#agreement(slot, standing),
      frontier: replica.frontier,
      members: replica.members().map((member): MemberStatus => {
        const said = standing.said.get(member.source);
        const isSelf = member.kind === "self";
        return {
          source: member.source,
          kind: member.kind,
          vclock: isSelf ? vclock : (said?.vclock ?? member.vclock),
          hash: isSelf ? hash : (said?.hash ?? null),
          clock: isSelf ? (document.promised ?? null) : member.clock,
          heardMs: isSelf ? this.#clock.wallMs() : (standing.heardMs.get(member.source) ?? null),
          ...(member.cut === undefined ? {} : { cut: member.cut }),
        };
      }),
      lenient: slot.name === defaultDocument,
      stateBytes: replica.weight,
      historyBytes: slot.store.bytes,
      redone,
      redoneLongest,
      refused: { forged, evicted, malformed },
    };
  }

  #of(name: string): Standing {
    let standing = this.#documents.get(name);
    if (standing === undefined) {
      standing = {
        clocks: new Map(),
        said: new Map(),
        heardMs: new Map(),
        diverged: new Set(),
        hashNotBeforeMs: 0,
      };
      this.#documents.set(name, standing);
    }
    return standing;
  }

  #agreement(slot: DocumentSlot, standing: Standing): Agreement {
    const ours = slot.vclock;
    let agreement: Agreement = "converged";
    for (const [source, { vclock }] of standing.said) {
      // The last word of one that is gone stays old for ever.
      if (slot.cutOf(source) !== undefined) continue;
      if (standing.diverged.has(source)) return "DIVERGED";
      if (!isSame(vclock, ours)) agreement = "catching up";
    }
    return agreement;
  }

  /** Of what is durable; `undefined`: it would cost too much now, or something is on its way. */
  #hashOf(slot: DocumentSlot, standing: Standing): string | undefined {
    const { document, store, tail } = slot;
    if (document === undefined) {
      const hash = tail.length === 0 ? store.head?.hash : undefined;
      return hash ?? undefined;
    }
    if (!document.idle) return undefined;
    const startedMs = this.#clock.monotonicMs();
    if (startedMs < standing.hashNotBeforeMs) return undefined;
    const hash = document.replica.hash();
    const nowMs = this.#clock.monotonicMs();
    standing.hashNotBeforeMs = nowMs + hashRest * Math.floor(nowMs - startedMs);
    return hash;
  }

  #compare(slot: DocumentSlot, standing: Standing): void {
    const ours = slot.vclock;
    for (const [source, said] of standing.said) {
      if (said.hash === null || slot.cutOf(source) !== undefined) continue;
      if (!isSame(said.vclock, ours)) continue;
      const hash = this.#hashOf(slot, standing);
      if (hash === undefined) return;
      if (hash === said.hash) {
        if (standing.diverged.delete(source))
          this.#logger.warn({ document: slot.name, source }, "the document is equal again");
      } else if (!standing.diverged.has(source)) {
        standing.diverged.add(source);
        this.#counters.divergences++;
        this.#logger.error(
          { document: slot.name, source, ours: hash, theirs: said.hash, vclock: said.vclock },
          "the document has DIVERGED: equal transactions give another document there",
        );
      }
    }
  }
}

function isSame(a: VectorClock, b: VectorClock): boolean {
  return isWithin(a, b) && isWithin(b, a);
}

function isWithin(a: VectorClock, b: VectorClock): boolean {
  return Object.entries(a).every(
    ([source, count]) => count <= (Object.hasOwn(b, source) ? (b[source] ?? 0) : 0),
  );
}
