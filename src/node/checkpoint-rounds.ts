/**
 * When checkpoints are written: whenever the log holds enough segments, every partition in turn, so that the segments before it can be recycled.
 */
import { must } from "../base/assert.ts";
import { type Clock, nextTurn } from "../base/clock.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/logger.ts";
import type { Wal } from "../wal/wal.ts";
import type { Copies } from "./copies.ts";

/** After a failed round: how long the next waits. */
const retryAfterMs = 1_000;

/** Whatever else keeps the log from being trimmed. */
export interface CheckpointedGuest {
  /** Resolves with whether all is durable. */
  checkpoint(): Promise<boolean>;
}

export class CheckpointRounds {
  readonly #copies: Copies;
  readonly #wal: Wal;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #wake: () => void;
  readonly #guest: () => CheckpointedGuest | undefined;
  #running: Promise<boolean> | undefined;
  #notBeforeMs = 0;
  #stopped = false;

  constructor(parts: {
    copies: Copies;
    wal: Wal;
    clock: Clock;
    logger: Logger;
    wake: () => void;
    /** `undefined` until it has been opened. */
    guest: () => CheckpointedGuest | undefined;
  }) {
    this.#copies = parts.copies;
    this.#wal = parts.wal;
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#wake = parts.wake;
    this.#guest = parts.guest;
    this.completedMs = parts.clock.wallMs();
  }

  /** Rounds that ended with every partition durable, and when the last of them did (wall clock, ms); until then the start. */
  completed = 0;
  completedMs: number;
  /** Whether the last round ended with every partition durable. */
  durable = true;

  /** Starts a round if the log holds `checkpointSegmentsCount` segments and none is under way. */
  maybeRun(): void {
    if (
      this.#wal.liveSegments < limits.checkpointSegmentsCount ||
      this.#running !== undefined ||
      this.#stopped
    )
      return;
    if (this.#clock.monotonicMs() < this.#notBeforeMs) return;
    void this.run();
  }

  /** Checkpoints every partition; resolves with whether all are durable. Joins a round under way. */
  run(): Promise<boolean> {
    this.#running ??= this.#round().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Lets the checkpoint in progress end, and no other begin. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #round(): Promise<boolean> {
    const started = this.#clock.monotonicMs();
    let durable = true;
    for (const witness of this.#copies.witnesses.values()) witness.trim();
    // By number: another object may take the place of one meanwhile.
    for (let id = 0; id < this.#copies.partitions.length; id++) {
      if (this.#stopped) return false;
      const partition = must(this.#copies.partitions[id]);
      if (!(await partition.checkpointer.run())) durable = false;
      this.#wake();
      await nextTurn(this.#clock);
    }
    if (this.#stopped) return false;
    if ((await this.#guest()?.checkpoint()) === false) durable = false;
    this.durable = durable;
    if (durable) {
      this.completed++;
      this.completedMs = this.#clock.wallMs();
    } else this.#notBeforeMs = this.#clock.monotonicMs() + retryAfterMs;
    this.#logger.debug(
      { durable, ms: Math.round(this.#clock.monotonicMs() - started) },
      "checkpoint round",
    );
    return durable;
  }
}
