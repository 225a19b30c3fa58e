/**
 * What is kept beside the rows of sessions: deadlines, the order of the stored, what owners hold, counts. All of it follows from the rows, is changed by their hook only, which
 * also runs when a group is undone, and is built anew after a checkpoint was loaded.
 */
import { must } from "../../base/assert.ts";
import type { SessionState } from "../../protocol/requests.ts";
import { Deadlines } from "../deadlines.ts";
import { Holdings, isDetached } from "../owner.ts";
import { SessionNumbers } from "./session-numbers.ts";
import type { SessionRows } from "./session-row.ts";
import { StoredOrder } from "./stored-order.ts";

export interface SessionTotals {
  readonly active: number;
  readonly stored: number;
  readonly dead: number;
}

const noSessions: SessionTotals = { active: 0, stored: 0, dead: 0 };

export class SessionIndex {
  readonly #rows: SessionRows;
  /** When active ones count as hung. */
  readonly silences: Deadlines;
  readonly holdings = new Holdings();
  readonly numbers: SessionNumbers;
  readonly totals = { active: 0, stored: 0, dead: 0 };
  /** The stored of each kind. */
  readonly #stored = new Map<number, StoredOrder>();
  /** Sessions of each kind that has any. */
  readonly #counts = new Map<number, { active: number; stored: number; dead: number }>();
  /** Active and dead ones are listed without a look at all others. */
  readonly #active = new Set<number>();
  readonly #dead = new Set<number>();
  /** A session was stored, or is stored for another time. */
  onStored: (() => void) | undefined;

  constructor(rows: SessionRows) {
    this.#rows = rows;
    this.silences = new Deadlines((due, number) => {
      const address = rows.find(number);
      return address !== 0 && rows.dueAt(address) === due && rows.state(address) === "active";
    });
    this.numbers = new SessionNumbers((number) => rows.find(number) !== 0);
    rows.onChange = (before, after) => this.#change(before, after);
  }

  loaded(): void {
    const numbers: number[] = [];
    this.#rows.each((address) => {
      numbers.push(this.#rows.number(address));
      this.#enter(address);
    });
    this.numbers.load(numbers);
  }

  /** Stored sessions of a kind; `undefined` if there never were any. */
  storedOf(kind: number): StoredOrder | undefined {
    return this.#stored.get(kind);
  }

  isUsed(kind: number): boolean {
    return this.#counts.has(kind);
  }

  /** Sessions of a kind, by state. */
  totalsOf(kind: number): SessionTotals {
    return this.#counts.get(kind) ?? noSessions;
  }

  /** Calls `visit` with the numbers above `after`, rising, until it returns false: of one state, or of all but, perhaps, a few others. */
  each(state: SessionState | undefined, after: number, visit: (number: number) => boolean): void {
    if (state === undefined || state === "stored") {
      this.numbers.each(after, visit);
      return;
    }
    const numbers = [...(state === "active" ? this.#active : this.#dead)].sort((a, b) => a - b);
    for (const number of numbers) if (number > after && !visit(number)) return;
  }

  #change(before: number, after: number): void {
    const rows = this.#rows;
    if (before === 0) this.numbers.add(rows.number(after));
    if (before !== 0) this.#leave(before);
    if (after !== 0) this.#enter(after, before);
    else this.numbers.remove();
  }

  #leave(address: number): void {
    const rows = this.#rows;
    const state = rows.state(address);
    this.totals[state]--;
    const kind = rows.kind(address);
    const counts = must(this.#counts.get(kind));
    counts[state]--;
    if (counts.active + counts.stored + counts.dead === 0) this.#counts.delete(kind);
    if (state === "stored") return;
    const number = rows.number(address);
    if (state === "dead") {
      this.#dead.delete(number);
      return;
    }
    this.#active.delete(number);
    const owner = rows.owner(address);
    if (!isDetached(owner)) this.holdings.remove(owner, number);
  }

  /** `before`: the row in whose place this one comes. */
  #enter(address: number, before = 0): void {
    const rows = this.#rows;
    const state = rows.state(address);
    const number = rows.number(address);
    const due = rows.dueAt(address);
    this.totals[state]++;
    const kind = rows.kind(address);
    const counts = this.#counts.get(kind);
    if (counts === undefined) this.#counts.set(kind, { ...noSessions, [state]: 1 });
    else counts[state]++;
    if (state === "dead") this.#dead.add(number);
    else if (state === "active") {
      this.#active.add(number);
      const owner = rows.owner(address);
      if (!isDetached(owner)) this.holdings.add(owner, number);
      const known = before !== 0 && rows.state(before) === "active" && rows.dueAt(before) === due;
      if (!known) this.silences.add(due, number);
    } else {
      this.#storedFor(kind).add(due, rows.epoch(address), number);
      this.onStored?.();
    }
  }

  #storedFor(kind: number): StoredOrder {
    const known = this.#stored.get(kind);
    if (known !== undefined) return known;
    const rows = this.#rows;
    const made = new StoredOrder((due, epoch, number) => {
      const address = rows.find(number);
      return (
        address !== 0 &&
        rows.state(address) === "stored" &&
        rows.dueAt(address) === due &&
        rows.epoch(address) === epoch
      );
    });
    this.#stored.set(kind, made);
    return made;
  }
}
