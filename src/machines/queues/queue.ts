/** A queue in memory: what its row says, how many tasks it has in each state, and in which order they are. All of it can be made from the tables again. */
import type { Int64 } from "../../protocol/requests.ts";
import { delayed, dead, leased, waiting } from "./delivery-row.ts";
import { Fifo, type Standing } from "./fifo.ts";
import type { Order } from "./order.ts";
import { PriorityOrder } from "./priority-order.ts";
import type { QueueRow } from "./queue-row.ts";
import type { QueueRules } from "./queue-rules.ts";
import { RangeOrder } from "./range-order.ts";
import { SingleOrder } from "./single-order.ts";

/** Tells by the rows whether a task is in this queue, in this state and, if that matters, of this priority. */
export type StandingOf = (state: number, priorityMatters: boolean) => Standing;

export class Queue {
  readonly number: number;
  readonly nameBytes: Buffer;
  readonly name: string;
  #row: QueueRow;
  /** It has no row any more: its tasks are dropped, slice by slice. */
  gone = false;
  /** By state. */
  readonly counts: number[] = [0, 0, 0, 0];
  /** Payloads of all its tasks. */
  payloadBytes = 0;
  readonly order: Order;
  readonly #waitingRows: Standing;
  readonly #delayed = new Fifo(0);
  readonly #dead = new Fifo(0);
  readonly #delayedRows: Standing;
  readonly #deadRows: Standing;

  constructor(row: QueueRow, standingOf: StandingOf) {
    this.#row = row;
    this.number = row.number;
    this.nameBytes = row.name;
    this.name = row.name.toString("latin1");
    this.#waitingRows = standingOf(waiting, true);
    this.order = orderOf(row.rules, this.#waitingRows);
    this.#delayedRows = standingOf(delayed, false);
    this.#deadRows = standingOf(dead, false);
  }

  get row(): QueueRow {
    return this.#row;
  }

  /** What an alteration made of it; what is structural is as it was. */
  set row(row: QueueRow) {
    this.#row = row;
  }

  get rules(): QueueRules {
    return this.#row.rules;
  }

  get paused(): boolean {
    return this.#row.paused;
  }

  count(state: number): number {
    return this.counts[state] as number;
  }

  /** What its greatest size bounds. */
  get size(): number {
    return this.count(waiting) + this.count(delayed) + this.count(leased);
  }

  get isEmpty(): boolean {
    return this.size === 0 && this.count(dead) === 0;
  }

  /** A task came into a state. `counts` are the caller's. */
  enter(state: number, priority: Int64, number: number): void {
    if (state === waiting) this.order.add(priority, number);
    else if (state === delayed) this.#delayed.add(number);
    else if (state === dead) this.#dead.add(number);
  }

  /** A task left a state. */
  leave(state: number, priority: Int64): void {
    if (state === waiting) this.order.leave(priority);
    else if (state === delayed) this.#delayed.leave(this.#delayedRows);
    else if (state === dead) this.#dead.leave(this.#deadRows);
  }

  /** As {@link enter}, in any order; {@link sort} must follow. */
  load(state: number, priority: Int64, number: number): void {
    if (state === waiting) this.order.load(priority, number);
    else if (state === delayed) this.#delayed.load(number);
    else if (state === dead) this.#dead.load(number);
  }

  sort(): void {
    this.order.sort();
    this.#delayed.sort();
    this.#dead.sort();
  }

  /** Calls `visit` for the tasks that wait, in the order in which they would be handed out, up to the number `upTo`, until it returns false. */
  walkWaiting(upTo: number, visit: (number: number) => boolean): void {
    this.order.each((fifo) => {
      let goesOn = true;
      fifo.walk(this.#waitingRows, 0, (number) => {
        if (number > upTo) return false;
        goesOn = visit(number);
        return goesOn;
      });
      return goesOn;
    });
  }

  /** Calls `visit` for the tasks that are delayed (or dead), by number, above `after`, until it returns false. */
  walk(
    state: typeof delayed | typeof dead,
    after: number,
    visit: (number: number) => boolean,
  ): void {
    if (state === delayed) this.#delayed.walk(this.#delayedRows, after, visit);
    else this.#dead.walk(this.#deadRows, after, visit);
  }
}

function orderOf(rules: QueueRules, rows: Standing): Order {
  const { implementation, priorityMin, priorityMax } = rules;
  if (implementation === "fifo") return new SingleOrder(rows);
  if (implementation === "range" && priorityMin !== null && priorityMax !== null)
    return new RangeOrder(rows, rules.order, { min: priorityMin, max: priorityMax });
  return new PriorityOrder(rows, rules.order);
}
