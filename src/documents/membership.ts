/**
 * Who writes a document, and up to which stamp nothing of them can come any more: the frontier.
 *
 * A member's clock counts only together with the transactions that it had issued by then: "I issue nothing at or before C beyond my first N" says something once its first N are here. Plain peers are no
 * members: what they write is adopted by members, under members' stamps.
 *
 * Invariant (I6): the frontier only grows.
 */
import { compareStamps, firstStamp, laterStamp, stampBefore } from "./stamp.ts";
import type { Source, Stamp, VectorClock } from "./vocabulary.ts";

/** What is known of a member. */
interface Member {
  /** It issues nothing at or before. */
  clock: Stamp | null;
  /** The latest clock that was heard, and how many of its transactions must be here for it to count. */
  heard: { readonly clock: Stamp; readonly count: number } | null;
  /** What it holds, by its own words. */
  vclock: VectorClock | null;
}

export class Membership {
  readonly #members = new Map<Source, Member>();
  /** Named by others; kept apart, as what a base must remember. */
  readonly joined = new Set<Source>();
  #expected = 0;
  #frontier: Stamp = firstStamp;

  /** So many configured peers are not known yet. */
  set expected(peers: number) {
    this.#expected = peers;
  }

  get expected(): number {
    return this.#expected;
  }

  get frontier(): Stamp {
    return this.#frontier;
  }

  /** As it was before a restart. */
  raise(frontier: Stamp): void {
    this.#frontier = laterStamp(this.#frontier, frontier);
  }

  has(source: Source): boolean {
    return this.#members.has(source);
  }

  sources(): Iterable<Source> {
    return this.#members.keys();
  }

  clockOf(source: Source): Stamp | null {
    return this.#members.get(source)?.clock ?? null;
  }

  vclockOf(source: Source): VectorClock | null {
    return this.#members.get(source)?.vclock ?? null;
  }

  add(source: Source): void {
    if (!this.#members.has(source))
      this.#members.set(source, { clock: null, heard: null, vclock: null });
  }

  remove(source: Source): void {
    this.#members.delete(source);
  }

  /** It said so; `count` of its transactions are here. */
  heard(
    source: Source,
    said: { readonly clock: Stamp; readonly count: number },
    count: number,
  ): void {
    const member = this.#members.get(source);
    if (member === undefined) return;
    if (member.heard === null || compareStamps(said.clock, member.heard.clock) > 0)
      member.heard = said;
    this.#weigh(member, count);
  }

  /** Its transactions up to this stamp, `count` of them, are here: it issues nothing at or before. */
  took(source: Source, stamp: Stamp | undefined, count: number): void {
    const member = this.#members.get(source);
    if (member === undefined) return;
    if (stamp !== undefined) member.clock = laterStamp(member.clock ?? firstStamp, stamp);
    this.#weigh(member, count);
  }

  holds(source: Source, vclock: VectorClock): void {
    const member = this.#members.get(source);
    if (member !== undefined) member.vclock = vclock;
  }

  /** The least clock of all; `null`: one was never heard. */
  least(): Stamp | null {
    let least: Stamp | null = null;
    for (const { clock } of this.#members.values()) {
      if (clock === null) return null;
      if (least === null || compareStamps(clock, least) < 0) least = clock;
    }
    return least;
  }

  /** Moves the frontier as far as it goes, and not to `bound`. */
  advance(bound: Stamp | undefined): Stamp {
    const least = this.#expected > 0 ? null : this.least();
    if (least === null) return this.#frontier;
    if (bound === undefined || compareStamps(least, bound) < 0) this.raise(least);
    else this.raise(stampBefore(bound));
    return this.#frontier;
  }

  /** Goes on from what another replica of the same document had heard. */
  inherit(previous: Membership): void {
    this.raise(previous.#frontier);
    this.#expected = previous.#expected;
    for (const source of previous.joined) this.joined.add(source);
    for (const [source, { heard, vclock }] of previous.#members) {
      // Not the clock itself, which counts with transactions that are not here yet, or never will be.
      const member: Member = { clock: null, heard, vclock };
      this.#members.set(source, member);
      this.#weigh(member, 0);
    }
  }

  #weigh(member: Member, count: number): void {
    if (member.heard === null || member.heard.count > count) return;
    member.clock = laterStamp(member.clock ?? firstStamp, member.heard.clock);
  }
}
