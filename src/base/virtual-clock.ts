/**
 * A clock that stands still until it is told to go on: for tests of programs that use Truba. Delays, leases, expiries and repeats of hours pass in no time, and nothing is due
 * by accident.
 *
 *     const clock = new VirtualClock();
 *     await using db = await open({ memory: true, clock });
 *     ...
 *     await clock.advance(3_600_000);
 */
import { assert } from "./assert.ts";
import type { Clock, Timer } from "./clock.ts";

interface Waiting {
  readonly at: number;
  readonly order: number;
  readonly task: () => void;
}

/** Turns of the event loop without anything new after which everything is taken to have come to rest. */
const quietTurns = 3;

/** A clock for tests, which moves by {@link VirtualClock.advance} only. */
export class VirtualClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  #order = 0;
  #soon = 0;
  readonly #timers = new Set<Waiting>();

  /** `startMs`: what it shows at first, milliseconds since 1970. */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#startMs = startMs;
  }

  /** What it shows: milliseconds since 1970. */
  wallMs(): number {
    return Math.floor(this.#startMs + this.#elapsedMs);
  }

  /** Milliseconds by which it was advanced so far. */
  monotonicMs(): number {
    return this.#elapsedMs;
  }

  /** Runs `task` once when it has been advanced so far. */
  after(delayMs: number, task: () => void): Timer {
    const waiting = { at: this.#elapsedMs + Math.max(0, delayMs), order: this.#order++, task };
    this.#timers.add(waiting);
    return { cancel: () => this.#timers.delete(waiting) };
  }

  /** Runs `task` one turn of the event loop later, whatever the time. */
  soon(task: () => void): void {
    this.#soon++;
    setImmediate(() => {
      this.#soon--;
      task();
    });
  }

  /** Lets so many milliseconds pass: everything that falls due meanwhile happens, each thing at its time, and what it sets going comes to rest. */
  async advance(ms: number): Promise<void> {
    assert(ms >= 0, "time does not go back");
    const end = this.#elapsedMs + ms;
    await this.#rest();
    for (let next = this.#first(end); next !== undefined; next = this.#first(end)) {
      this.#elapsedMs = Math.max(this.#elapsedMs, next.at);
      this.#timers.delete(next);
      next.task();
      await this.#rest();
    }
    this.#elapsedMs = end;
    await this.#rest();
  }

  #first(end: number): Waiting | undefined {
    let first: Waiting | undefined;
    for (const each of this.#timers) {
      if (each.at > end) continue;
      if (
        first === undefined ||
        each.at < first.at ||
        (each.at === first.at && each.order < first.order)
      )
        first = each;
    }
    return first;
  }

  async #rest(): Promise<void> {
    for (let quiet = 0; quiet < quietTurns; quiet = this.#soon === 0 ? quiet + 1 : 0)
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
  }
}
