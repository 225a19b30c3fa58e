/**
 * What a partition has only while it leads: log time, and what is proposed without a client asking: the node's own operations, what is ready for those who wait, a digest
 * when it is time, `due` when the first deadline has come. Made anew for each term that it leads; what it still waits for when it ends is forgotten.
 */
import type { Clock } from "../base/clock.ts";
import type { TrubaError } from "../base/errors.ts";
import type { Moment } from "../machines/machine.ts";
import { operationCodes } from "../machines/operation.ts";
import type { MachineStack } from "../machines/stack.ts";
import type { OutcomeSink } from "./answer.ts";
import type { DigestCheck } from "./digest-check.ts";
import type { Led } from "./led.ts";
import { LogAlarm } from "./log-alarm.ts";
import { LogClock } from "./log-clock.ts";
import type { OwnOperations } from "./own-operations.ts";
import { type Source, type Taker, Takers } from "./takers.ts";

export class Leadership implements OutcomeSink {
  readonly term: number;
  readonly #moment: Moment;
  readonly #stack: MachineStack;
  readonly #digest: DigestCheck;
  readonly #led: Led;
  readonly #own: OwnOperations;
  readonly #logClock: LogClock;
  readonly #takers: Takers;
  readonly #due: LogAlarm;
  readonly #takersDue: LogAlarm;
  /** A digest or `due` of ours is not applied yet. */
  #proposing = false;
  #ended = false;

  /** Everything up to the first entry of `term` is applied: log time goes on from the larger of its last timestamp and the wall clock. */
  constructor(parts: {
    term: number;
    clock: Clock;
    moment: Moment;
    stack: MachineStack;
    digest: DigestCheck;
    own: OwnOperations;
    led: Led;
  }) {
    this.term = parts.term;
    this.#moment = parts.moment;
    this.#stack = parts.stack;
    this.#digest = parts.digest;
    this.#own = parts.own;
    this.#led = parts.led;
    this.#logClock = new LogClock(parts.clock, parts.moment.timestamp);
    this.#takers = new Takers(parts.stack);
    this.#due = new LogAlarm(parts.clock, this.#logClock, () => this.#proposeDue());
    this.#takersDue = new LogAlarm(parts.clock, this.#logClock, () => this.#serveTakers());
  }

  /** Takers that wait here. */
  get takersCount(): number {
    return this.#takers.count;
  }

  /** Timestamp of a batch that is sealed now. */
  timestamp(): number {
    return Math.max(this.#moment.timestamp, this.#logClock.now());
  }

  /** See `Takers.park`. */
  park(source: Source, taker: Taker): void {
    this.#takers.park(source, taker, this.#led, this.timestamp());
    this.#setTakersDue();
  }

  leave(source: Source, taker: Taker): void {
    this.#takers.leave(source, taker);
  }

  note(source: Source): void {
    this.#takers.note(source);
  }

  /** Those who wait are told `error`. */
  refuseTakers(error: TrubaError): void {
    this.#takers.refuseAll(error);
  }

  /** Called whenever everything is applied. */
  propose(): void {
    if (this.#ended || !this.#led.admitsOwn) return;
    this.#own.propose(this.#led);
    if (this.#takers.waits) this.#serveTakers();
    if (this.#proposing) return;
    if (this.#digest.isDue(this.#moment.number)) {
      this.#proposing = true;
      this.#digest.encode(this.#led.open());
      this.#led.enqueue(this, 0);
      return;
    }
    this.#due.set(this.#stack.nextDue());
  }

  /** Proposes nothing any more; those who wait are told `error`. */
  end(error: TrubaError): void {
    this.#ended = true;
    this.#due.clear();
    this.#takersDue.clear();
    this.#takers.refuseAll(error);
  }

  /** An operation of ours was applied, or was not done, or nobody knows: if it is still needed it is proposed again. */
  settle(): void {
    this.#proposing = false;
    this.#due.clear();
  }

  #serveTakers(): void {
    if (this.#ended) return;
    this.#takers.serve(this.#led, this.timestamp());
    this.#setTakersDue();
  }

  /** Not while nothing may be proposed: what is due would ring again at once, and again; {@link propose} comes when it may. */
  #setTakersDue(): void {
    this.#takersDue.set(this.#led.admitsOwn ? this.#takers.nextDue() : Infinity);
  }

  #proposeDue(): void {
    if (this.#ended || this.#proposing || !this.#led.admitsOwn) return;
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
