/**
 * Those who wait for tasks or sessions: a pop that waits for one answer, and a subscription that goes on. Both may stand in the lines of several partitions at once, as
 * whoever takes sessions does; what is asked for in one line is not asked for in another.
 *
 * What arrives for somebody who is gone is given back at once.
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { TrubaError } from "../base/errors.ts";
import type { Operation } from "../machines/operation.ts";
import { type Outcome, errorOutcome } from "../machines/outcome.ts";
import type { Partition } from "../partition/partition.ts";
import type { Source, Taker } from "../partition/takers.ts";

/** Where somebody waits, and what is done in his name. */
export interface WaitingParts {
  readonly partitions: readonly Partition[];
  readonly source: Source;
  /** The pop or take of so many. */
  operation(count: number): Operation;
  /** Gives back what an outcome handed out; nobody wants it any more. */
  giveBack(outcome: Outcome): void;
}

/** How many an outcome handed out. */
export function itemsCount(outcome: Outcome): number {
  if (outcome.kind === "tasks") return outcome.tasks.length;
  return outcome.kind === "sessions" ? outcome.sessions.length : 0;
}

function parkIn(parts: WaitingParts, taker: Taker): void {
  for (const partition of parts.partitions) partition.park(parts.source, taker);
}

function leaveFrom(parts: WaitingParts, taker: Taker): void {
  for (const partition of parts.partitions) partition.leave(parts.source, taker);
}

/** Waits for the first it can have, up to `count`, until `waitMs` have passed: then the answer is none. */
export class WaitingTake implements Taker {
  readonly #parts: WaitingParts;
  readonly #count: number;
  readonly #answer: (outcome: Outcome) => void;
  readonly #none: Outcome;
  #timer: Timer | undefined;
  #asked = false;
  /** The time to wait is over: what is asked for still counts. */
  #late = false;
  #over = false;

  /** Throws TrubaError NOTLEADER or STOPPED. `answer` is told once, unless it is given up before. */
  constructor(
    parts: WaitingParts,
    wait: {
      clock: Clock;
      count: number;
      waitMs: number;
      none: Outcome;
      answer: (outcome: Outcome) => void;
    },
  ) {
    this.#parts = parts;
    this.#count = wait.count;
    this.#answer = wait.answer;
    this.#none = wait.none;
    this.#timer = wait.clock.after(wait.waitMs, () => {
      this.#late = true;
      if (!this.#asked) this.#finish(this.#none);
    });
    try {
      parkIn(parts, this);
    } catch (error) {
      this.giveUp();
      throw error;
    }
  }

  /** Nobody waits for the answer any more. */
  giveUp(): void {
    this.#over = true;
    this.#leave();
  }

  wanted(): number {
    return this.#asked || this.#late || this.#over ? 0 : this.#count;
  }

  operation(count: number): Operation {
    return this.#parts.operation(count);
  }

  asked(): void {
    this.#asked = true;
  }

  settled(_count: number, outcome: Outcome): boolean {
    this.#asked = false;
    if (this.#over) {
      this.#parts.giveBack(outcome);
      return false;
    }
    // Somebody else was faster.
    if (outcome.kind !== "error" && itemsCount(outcome) === 0 && !this.#late) return true;
    this.#finish(outcome);
    return false;
  }

  refused(error: TrubaError): void {
    // What was asked for is settled by itself.
    if (!this.#over && !this.#asked)
      this.#finish(errorOutcome(error.code, error.message, error.retryAfterMs));
  }

  #finish(outcome: Outcome): void {
    this.#over = true;
    this.#leave();
    this.#answer(outcome);
  }

  #leave(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    leaveFrom(this.#parts, this);
  }
}

/** Takes what comes, as far as there is credit. */
export class CreditTaker implements Taker {
  readonly #parts: WaitingParts;
  readonly #items: (outcome: Outcome) => void;
  readonly #ended: (error: { code: TrubaError["code"]; text: string }) => void;
  #credit: number;
  #pending = 0;
  #over = false;

  /** Throws TrubaError NOTLEADER or STOPPED. `ended` is told once, unless it is closed before. */
  constructor(
    parts: WaitingParts,
    wait: {
      credit: number;
      items: (outcome: Outcome) => void;
      ended: (error: { code: TrubaError["code"]; text: string }) => void;
    },
  ) {
    this.#parts = parts;
    this.#credit = wait.credit;
    this.#items = wait.items;
    this.#ended = wait.ended;
    try {
      parkIn(parts, this);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  credit(count: number): void {
    if (this.#over) return;
    this.#credit += count;
    for (const partition of this.#parts.partitions) partition.note(this.#parts.source);
  }

  close(): void {
    this.#over = true;
    leaveFrom(this.#parts, this);
  }

  wanted(): number {
    return this.#over ? 0 : this.#credit - this.#pending;
  }

  operation(count: number): Operation {
    return this.#parts.operation(count);
  }

  asked(count: number): void {
    this.#pending += count;
  }

  settled(count: number, outcome: Outcome): boolean {
    this.#pending -= count;
    if (this.#over) {
      this.#parts.giveBack(outcome);
      return false;
    }
    if (outcome.kind === "error") {
      this.#end(outcome);
      return false;
    }
    this.#credit -= itemsCount(outcome);
    if (itemsCount(outcome) > 0) this.#items(outcome);
    return !this.#over;
  }

  refused(error: TrubaError): void {
    this.#end({ code: error.code, text: error.message });
  }

  #end(error: { code: TrubaError["code"]; text: string }): void {
    if (this.#over) return;
    this.close();
    this.#ended(error);
  }
}
