/** What one copy of a scenario has on its disk: hard state, snapshots and log, in memory. It loses nothing; what is not yet written waits in the append queue. */
import { assert, must } from "../../src/base/assert.ts";
import type { RaftStart } from "../../src/raft/raft.ts";
import type { Entry, HardState, Index, SnapshotMeta, Term } from "../../src/raft/vocabulary.ts";

export class ScenarioStorage {
  hard: HardState;
  /** The entry before the first one. */
  #base: Index;
  #baseTerm: Term;
  #entries: Entry[] = [];
  /** Every state that this copy has been in, newest last. The newest is what it sends to others. */
  readonly #history: SnapshotMeta[];

  /** `bootstrap` with index 0: a copy that knows nothing. */
  constructor(bootstrap: SnapshotMeta) {
    this.#history = [bootstrap];
    this.#base = bootstrap.index;
    this.#baseTerm = bootstrap.term;
    this.hard = { term: 0, vote: 0, commit: bootstrap.index };
  }

  get base(): Index {
    return this.#base;
  }

  get last(): Index {
    return this.#base + this.#entries.length;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** What a core starts from that has nothing but this. */
  get start(): RaftStart {
    const runs = [{ first: this.#base, term: this.#baseTerm }];
    for (const { index, term } of this.#entries) {
      if (term !== must(runs.at(-1)).term) runs.push({ first: index, term });
    }
    const { index, configuration, configurationIndex } = this.snapshot;
    return {
      configuration,
      configurationIndex,
      hardState: this.hard,
      base: this.#base,
      runs,
      last: this.last,
      applied: index,
    };
  }

  /** The newest applied state. */
  get snapshot(): SnapshotMeta {
    return must(this.#history.at(-1));
  }

  /** Entries behind those stored; stored ones at or above the first one's index are gone. */
  append(entries: readonly Entry[]): void {
    const [first] = entries;
    if (first === undefined) return;
    assert(first.index > this.#base, "a compacted entry is written again");
    assert(first.index <= this.last + 1, "a log is written with a gap");
    this.#entries.length = first.index - this.#base - 1;
    this.#entries.push(...entries);
  }

  /** A state from another copy replaces the log. */
  install(snapshot: SnapshotMeta): void {
    assert(snapshot.index > this.snapshot.index, "an older snapshot replaces a newer state");
    this.#base = snapshot.index;
    this.#baseTerm = snapshot.term;
    this.#entries = [];
    this.#history.push(snapshot);
  }

  /** The state after one more entry; with the configuration and its place when the entry is about it. */
  apply(entry: Entry, changed?: Pick<SnapshotMeta, "configuration" | "configurationIndex">): void {
    const { snapshot } = this;
    assert(entry.index === snapshot.index + 1, "an entry is applied out of order");
    const { configuration, configurationIndex } = changed ?? snapshot;
    const { index, term } = entry;
    this.#history.push({ index, term, configuration, configurationIndex });
  }

  /** Entries up to `index` are gone. Returns whether there was anything to do. */
  compact(index: Index): boolean {
    if (index <= this.#base) return false;
    assert(index <= this.last, "a log is compacted above its end");
    const gone = this.#entries.splice(0, index - this.#base);
    this.#base = index;
    this.#baseTerm = must(gone.at(-1)).term;
    return true;
  }

  /** From `from` to below `to`, as many as `maxBytes` of data allow, one at least. */
  read(from: Index, to: Index, maxBytes: number): readonly Entry[] {
    assert(from > this.#base, "compacted entries are asked for");
    assert(to <= this.last + 1, "entries are asked for that are not stored");
    const found: Entry[] = [];
    let bytes = 0;
    for (const entry of this.#entries.slice(from - this.#base - 1, to - this.#base - 1)) {
      bytes += entry.data.length;
      if (found.length > 0 && bytes > maxBytes) break;
      found.push(entry);
    }
    return found;
  }
}
