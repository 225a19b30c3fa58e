/**
 * Members that are gone for good, and up to where their transactions count.
 *
 *     asked ──(all named members have answered)──► cut known ──(all up to the cut are here)──► gone
 *
 * Somebody asks (record `e`) and names the members who must answer. Each answers (record `f`) how many transactions of the member it holds, and takes no more of them until the cut is known. The cut is
 * the greatest answer of those who were named, over all requests that are answered in full: all can fetch up to it, for somebody has it, and above it everybody refuses. A named member that is itself gone need
 * not answer: had it done so, its answer would be here.
 *
 * Invariant: a known cut never gets less, so what was refused under it stays refused or is fetched again, and what was taken up to it stays.
 */
import type { EvictionBase } from "./replica-base.ts";
import type { Source } from "./vocabulary.ts";

interface Eviction {
  readonly asked: (readonly Source[])[];
  readonly frozen: Map<Source, number>;
  cut: number | undefined;
}

export class Evictions {
  readonly #evictions = new Map<Source, Eviction>();

  constructor(bases: readonly EvictionBase[] = []) {
    for (const { source, asked, frozen, cut } of bases)
      this.#evictions.set(source, { asked: [...asked], frozen: new Map(frozen), cut });
  }

  get size(): number {
    return this.#evictions.size;
  }

  sources(): Iterable<Source> {
    return this.#evictions.keys();
  }

  /** Somebody has asked for it. */
  isAsked(source: Source): boolean {
    const eviction = this.#evictions.get(source);
    return eviction !== undefined && (eviction.asked.length > 0 || eviction.cut !== undefined);
  }

  /** `undefined`: not known. */
  cutOf(source: Source): number | undefined {
    return this.#evictions.get(source)?.cut;
  }

  /** A request that names these members, in any order, is there already. */
  isAskedOf(source: Source, members: readonly Source[]): boolean {
    const names = [...members].sort().join("\0");
    return (this.#evictions.get(source)?.asked ?? []).some(
      (asked) => [...asked].sort().join("\0") === names,
    );
  }

  ask(source: Source, members: readonly Source[]): void {
    this.#of(source).asked.push(members);
  }

  /** `member` holds so many of `source`; its first answer counts. */
  freeze(member: Source, source: Source, count: number): void {
    const { frozen } = this.#of(source);
    if (!frozen.has(member)) frozen.set(member, count);
  }

  /** `member` has said how many of `source` it holds. */
  hasAnswered(member: Source, source: Source): boolean {
    return this.#evictions.get(source)?.frozen.has(member) === true;
  }

  /** The cut as another replica of the same document had found it. */
  know(source: Source, cut: number): void {
    const eviction = this.#of(source);
    eviction.cut = Math.max(eviction.cut ?? 0, cut);
  }

  /** How many transactions of `source` the node called `self` may take. */
  bound(source: Source, self: Source): number {
    const eviction = this.#evictions.get(source);
    if (eviction === undefined) return Infinity;
    return eviction.cut ?? eviction.frozen.get(self) ?? Infinity;
  }

  /** Sources of which `self` still has to say how many it holds. */
  unanswered(self: Source): Source[] {
    const sources: Source[] = [];
    for (const [source, { asked, frozen }] of this.#evictions) {
      if (source === self || frozen.has(self)) continue;
      if (asked.some((members) => members.includes(self))) sources.push(source);
    }
    return sources;
  }

  /** Finds what cuts are known now; `count` says how many transactions of a source are here. */
  update(count: (source: Source) => number): void {
    for (let changed = true; changed;) {
      changed = false;
      for (const eviction of this.#evictions.values()) {
        const cut = this.#cut(eviction, count);
        if (cut === undefined || cut <= (eviction.cut ?? -1)) continue;
        eviction.cut = cut;
        changed = true;
      }
    }
  }

  /** Its cut is known and reached. */
  isGone(source: Source, count: number): boolean {
    const cut = this.cutOf(source);
    return cut !== undefined && count >= cut;
  }

  bases(): EvictionBase[] {
    return [...this.#evictions].map(([source, { asked, frozen, cut }]) => ({
      source,
      asked: [...asked],
      frozen: [...frozen],
      ...(cut === undefined ? {} : { cut }),
    }));
  }

  #of(source: Source): Eviction {
    let eviction = this.#evictions.get(source);
    if (eviction === undefined) {
      eviction = { asked: [], frozen: new Map(), cut: undefined };
      this.#evictions.set(source, eviction);
    }
    return eviction;
  }

  #cut({ asked, frozen }: Eviction, count: (source: Source) => number): number | undefined {
    let cut: number | undefined;
    for (const members of asked) {
      if (members.length === 0) continue;
      const answers = members.map(
        (member) => frozen.get(member) ?? (this.isGone(member, count(member)) ? 0 : undefined),
      );
      if (answers.includes(undefined)) continue;
      cut = Math.max(cut ?? 0, ...answers.filter((answer) => answer !== undefined));
    }
    return cut;
  }
}
