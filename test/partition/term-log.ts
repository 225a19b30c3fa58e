/**
 * A log whose leadership the test decides: one copy's view of a replicated log, with terms, entries of other leaders, and entries that are lost. It keeps the
 * contract of SharedLog; what a real group would make of votes and messages is said by the test instead.
 */
import { must } from "../../src/base/assert.ts";
import { TrubaError } from "../../src/base/errors.ts";
import type { Entry, LogStatus, Position, SharedLog } from "../../src/log/shared-log.ts";

interface Waiter {
  readonly position: Position;
  resolve(position: Position): void;
  reject(error: Error): void;
}

export class TermLog implements SharedLog {
  readonly #entries: { readonly term: number; readonly batch: Buffer }[] = [];
  #term = 1;
  #leading = false;
  #leader: string | undefined;
  #committed = 0;
  #read = 0;
  #waiters: Waiter[] = [];
  #listener: () => void = () => {};

  /** Wins an election: an empty entry of the new term, which is not committed yet. */
  win(): void {
    this.#term++;
    this.#leading = true;
    this.#leader = "1";
    this.#entries.push({ term: this.#term, batch: Buffer.alloc(0) });
    this.#listener();
  }

  /** Another copy leads, or nobody is known to. What was appended stays, for the time being. */
  lose(leader?: number): void {
    this.#term++;
    this.#leading = false;
    this.#leader = leader === undefined ? undefined : String(leader);
    this.#listener();
  }

  /** An entry of the leader that this copy follows takes its place behind `position`: what stood there and later is lost. */
  receive(position: Position, batch: Buffer): void {
    this.#entries.splice(position, Infinity, { term: this.#term, batch });
    const lost = this.#waiters.filter((waiter) => waiter.position > position);
    this.#waiters = this.#waiters.filter((waiter) => waiter.position <= position);
    for (const waiter of lost)
      waiter.reject(new TrubaError("NOTLEADER", "another entry stands there"));
    this.#listener();
  }

  /** Everything up to `position`, or to the end, is on a majority. */
  commit(position = this.#entries.length): void {
    this.#committed = position;
    const known = this.#waiters.filter((waiter) => waiter.position <= position);
    this.#waiters = this.#waiters.filter((waiter) => waiter.position > position);
    for (const waiter of known) waiter.resolve(waiter.position);
    this.#listener();
  }

  /** Nobody has told for too long what became of what was appended. */
  giveUp(): void {
    for (const waiter of this.#waiters.splice(0))
      waiter.reject(new TrubaError("UNKNOWNOUTCOME", "leadership was lost"));
  }

  append(batch: Uint8Array): Promise<Position> {
    if (!this.#leading) return Promise.reject(new TrubaError("NOTLEADER", "does not lead"));
    this.#entries.push({ term: this.#term, batch: Buffer.from(batch) });
    const position = this.#entries.length;
    return new Promise((resolve, reject) => {
      this.#waiters.push({ position, resolve, reject });
    });
  }

  readFrom(position: Position): void {
    this.#read = position;
  }

  committed(): readonly Entry[] {
    if (this.#read >= this.#committed) return [];
    const { batch } = must(this.#entries[this.#read]);
    return [{ position: ++this.#read, batch }];
  }

  async barrier(): Promise<Position> {
    if (!this.#leading) throw new TrubaError("NOTLEADER", "does not lead");
    return this.#entries.length;
  }

  trim(): void {}

  async resetTo(): Promise<void> {}

  status(): LogStatus {
    return {
      role: this.leadingTerm > 0 ? "leader" : "follower",
      leader: this.#leader,
      term: this.#term,
      first: 1,
      last: this.#entries.length,
      committed: this.#committed,
      token: new Uint8Array(0),
    };
  }

  get leadingTerm(): number {
    const own = this.#entries.findIndex(({ term }) => term === this.#term);
    return this.#leading && own >= 0 && own < this.#read ? this.#term : 0;
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }
}
