/** Order of a queue of type fifo: one priority. */
import type { Int64 } from "../../protocol/requests.ts";
import { Fifo, type Standing } from "./fifo.ts";
import type { Order } from "./order.ts";

export class SingleOrder implements Order {
  readonly #fifo = new Fifo(0);
  readonly #rows: Standing;

  constructor(rows: Standing) {
    this.#rows = rows;
  }

  add(_priority: Int64, number: number): void {
    this.#fifo.add(number);
  }

  leave(_priority: Int64): void {
    this.#fifo.leave(this.#rows);
  }

  first(): number {
    return this.#fifo.first(this.#rows);
  }

  dropFirst(): void {
    this.#fifo.dropFirst();
  }

  each(visit: (fifo: Fifo) => boolean): void {
    if (this.#fifo.standing > 0) visit(this.#fifo);
  }

  load(_priority: Int64, number: number): void {
    this.#fifo.load(number);
  }

  sort(): void {
    this.#fifo.sort();
  }
}
