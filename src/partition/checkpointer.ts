/**
 * Checkpoints of one partition: loading at start, writing what changed, trimming the log below it, merging runs. One at a time.
 */
import type { Clock } from "../base/clock.ts";
import { TrubaError, errorText } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { decodeToken } from "../log/log-token.ts";
import type { SharedLog } from "../log/shared-log.ts";
import type { Moment } from "../machines/machine.ts";
import type { MachineStack } from "../machines/stack.ts";
import type { CheckpointStore } from "../state/checkpoint-store.ts";
import type { State } from "../state/state.ts";
import type { DigestCheck } from "./digest-check.ts";
import { type ManifestState, readManifestState } from "./manifest-state.ts";

export interface CheckpointerParts {
  readonly partition: number;
  readonly state: State;
  readonly stack: MachineStack;
  readonly moment: Moment;
  readonly digest: DigestCheck;
  readonly log: SharedLog;
  readonly store: CheckpointStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Checkpointer {
  readonly #parts: CheckpointerParts;
  #position = 0;
  #running: Promise<boolean> | undefined;
  #stopped = false;
  /** A manifest of an early version says nothing of who takes part, so no peer could start from it. */
  #hasToken = true;
  /** A run on disk was found damaged: the next checkpoint is written whole, from memory. */
  #isDamaged = false;

  constructor(parts: CheckpointerParts) {
    this.#parts = parts;
  }

  /** Position that the last durable checkpoint holds. */
  get position(): number {
    return this.#position;
  }

  /** Disk space of the partition's runs. */
  get runBytes(): number {
    return this.#parts.store.runBytes;
  }

  /** Loads the newest checkpoint, if there is one, and returns what the log wants to know of it. Throws TrubaError DATADAMAGED. */
  async load(): Promise<{ token: Uint8Array; installed: boolean } | undefined> {
    const { store, state, stack, moment, digest, partition } = this.#parts;
    if (store.state === undefined) return undefined;
    const loaded = readManifestState(store.state, partition);
    await store.load(state.load);
    if (state.digest !== loaded.digest) {
      throw new TrubaError(
        "DATADAMAGED",
        `the checkpoint of partition ${partition} loads to digest ${state.digest}; it was written with digest ${loaded.digest}`,
      );
    }
    moment.position = loaded.position;
    moment.number = loaded.number;
    moment.timestamp = loaded.timestamp;
    digest.noted = { number: loaded.notedNumber, digest: loaded.notedDigest };
    stack.once.restoreHorizon(loaded.horizon);
    stack.loaded();
    this.#position = loaded.position;
    this.#hasToken = loaded.token !== "";
    if (!this.#hasToken) return undefined;
    return { token: Buffer.from(loaded.token, "hex"), installed: loaded.installed === 1 };
  }

  /**
   * Writes what changed since the last checkpoint and trims the log. Returns whether a checkpoint of the present position is durable; a disk that refuses
   * is told in the log and costs nothing but the attempt.
   */
  run(): Promise<boolean> {
    if (this.#stopped) return Promise.resolve(false);
    this.#running ??= this.#write().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Makes one that a peer can start from, unless there is one already. Throws TrubaError STOPPED when that cannot be done now. */
  async makeFirst(): Promise<void> {
    if (this.#position > 0 && this.#hasToken) return;
    if ((await this.run()) && this.#position > 0) return;
    throw new TrubaError("STOPPED", `partition ${this.#parts.partition} has no checkpoint to send`);
  }

  /** Sees to it that what is on disk can be sent to a peer: what has rotted there is written anew from memory. Throws TrubaError STOPPED when that cannot be done now. */
  async check(): Promise<void> {
    try {
      await this.#parts.store.check();
      return;
    } catch (error) {
      this.#noteDamage(error);
      if (!this.#isDamaged) throw error;
    }
    await this.settled();
    // One that was under way may have begun before.
    if (this.#isDamaged) await this.run();
    if (this.#isDamaged)
      throw new TrubaError(
        "STOPPED",
        `partition ${this.#parts.partition} has no whole checkpoint to send`,
      );
  }

  /** Begins no checkpoint, until {@link resume}. */
  stop(): void {
    this.#stopped = true;
  }

  resume(): void {
    this.#stopped = false;
  }

  /** Waits for a checkpoint in progress. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #write(): Promise<boolean> {
    const { state, store, clock, log, logger, partition } = this.#parts;
    const { position } = this.#parts.moment;
    if (position === this.#position && this.#hasToken && !this.#isDamaged) {
      // What other copies still needed of the log may be needed no more.
      log.trim(this.#position);
      return true;
    }
    const started = clock.monotonicMs();
    const whole = this.#isDamaged;
    if (whole) await state.touchAll(clock);
    const manifest = this.#manifestState();
    const frozen = state.freeze();
    let durable = false;
    try {
      await frozen.sort(clock);
      if (whole) await store.addBase(frozen, manifest);
      else await store.addDelta(frozen, manifest);
      durable = true;
    } catch (error) {
      logger.error(
        { partition, error: errorText(error) },
        "checkpoint failed; the log is kept and it will be tried again",
      );
    }
    await state.thaw(frozen, durable, clock);
    if (!durable) return false;
    if (whole) this.#isDamaged = false;
    this.#position = manifest.position;
    this.#hasToken = true;
    log.trim(manifest.position);
    logger.debug(
      { partition, position: manifest.position, ms: Math.round(clock.monotonicMs() - started) },
      "checkpoint",
    );
    try {
      await store.maybeMerge(state.liveBytes);
    } catch (error) {
      this.#noteDamage(error);
      logger.error(
        { partition, error: errorText(error) },
        "merge of checkpoint runs failed; it will be tried again",
      );
    }
    return true;
  }

  #noteDamage(error: unknown): void {
    if (!(error instanceof TrubaError) || error.code !== "DATADAMAGED") return;
    const { logger, partition } = this.#parts;
    this.#isDamaged = true;
    logger.error(
      { partition, error: errorText(error) },
      "a checkpoint on disk is damaged; the next one is written whole, from memory",
    );
  }

  #manifestState(): ManifestState {
    const { state, stack, moment, digest, log } = this.#parts;
    const { token, term } = log.status();
    return {
      position: moment.position,
      term: token.length > 0 ? decodeToken(token).term : term,
      number: moment.number,
      timestamp: moment.timestamp,
      horizon: stack.once.horizon,
      digest: state.digest,
      notedNumber: digest.noted.number,
      notedDigest: digest.noted.digest,
      installed: 0,
      token: Buffer.from(token).toString("hex"),
    };
  }
}
