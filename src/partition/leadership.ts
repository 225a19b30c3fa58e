/**
 * What a partition has only while it leads: log time, and the operations that the leader proposes by itself (a digest when it is time, `due` when the first
 * deadline has come). Made anew for each term that it leads; what it still waits for when it ends is forgotten.
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { Moment } from "../machines/machine.ts";
import { type OperationWriter, operationCodes } from "../machines/operation.ts";
import type { MachineStack } from "../machines/stack.ts";
import type { OutcomeSink } from "./answer.ts";
import type { DigestCheck } from "./digest-check.ts";
import { LogClock } from "./log-clock.ts";

/** The partition, as its leadership sees it. */
export interface Led {
  /** Operations may be proposed now: the node does not refuse them. */
  readonly admitsOwn: boolean;
  open(): OperationWriter;
  enqueue(sink: OutcomeSink, tag: number): void;
}

export class Leadership implements OutcomeSink {
  readonly term: number;
  readonly #clock: Clock;
  readonly #moment: Moment;
  readonly #stack: MachineStack;
  readonly #digest: DigestCheck;
  readonly #led: Led;
  readonly #logClock: LogClock;
  #timer: Timer | undefined;
  /** Log time that the timer waits for. */
  #dueAt = Infinity;
  /** An operation of ours is not applied yet. */
  #proposing = false;
  #ended = false;

  /** Everything up to the first entry of `term` is applied: log time goes on from the larger of its last timestamp and the wall clock. */
  constructor(parts: {
    term: number;
    clock: Clock;
    moment: Moment;
    stack: MachineStack;
    digest: DigestCheck;
    led: Led;
  }) {
    this.term = parts.term;
    this.#clock = parts.clock;
    this.#moment = parts.moment;
    this.#stack = parts.stack;
    this.#digest = parts.digest;
    this.#led = parts.led;
    this.#logClock = new LogClock(parts.clock, parts.moment.timestamp);
  }

  /** Timestamp of a batch that is sealed now. */
  timestamp(): number {
    return Math.max(this.#moment.timestamp, this.#logClock.now());
  }

  /** Called whenever everything is applied. */
  propose(): void {
    if (this.#isBarred()) return;
    if (this.#digest.isDue(this.#moment.number)) {
      this.#proposing = true;
      this.#digest.encode(this.#led.open());
      this.#led.enqueue(this, 0);
      return;
    }
    const due = this.#stack.nextDue();
    if (due === this.#dueAt) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#dueAt = due;
    if (due === Infinity) return;
    const wait = Math.min(Math.max(0, due - this.#logClock.now()), 2 ** 30);
    this.#timer = this.#clock.after(wait, () => this.#proposeDue());
  }

  /** Proposes nothing any more. */
  end(): void {
    this.#ended = true;
    this.#timer?.cancel();
  }

  /** An operation of ours was applied, or was not done, or nobody knows: if it is still needed it is proposed again. */
  settle(): void {
    this.#proposing = false;
    this.#dueAt = Infinity;
  }

  #isBarred(): boolean {
    return this.#ended || this.#proposing || !this.#led.admitsOwn;
  }

  #proposeDue(): void {
    this.#dueAt = Infinity;
    if (this.#isBarred()) return;
    if (this.#stack.nextDue() > this.#logClock.now()) {
      this.propose();
      return;
    }
    this.#proposing = true;
    const writer = this.#led.open();
    writer.begin(operationCodes.due, undefined);
    writer.end();
    this.#led.enqueue(this, 0);
  }
}
