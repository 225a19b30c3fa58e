/**
 * Checkpoints of one partition: loading at start, writing what changed, trimming the log below it, merging runs. One at a time.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { TrubaError, errorText } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { SharedLog } from "../log/shared-log.ts";
import type { Moment } from "../machines/machine.ts";
import type { MachineStack } from "../machines/stack.ts";
import type { CheckpointStore } from "../state/checkpoint-store.ts";
import type { State } from "../state/state.ts";
import type { DigestCheck } from "./digest-check.ts";

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

/** What stands in the manifest beside the runs. All are whole numbers. */
const stateFields = [
  "position",
  "term",
  "number",
  "timestamp",
  "horizon",
  "digest",
  "notedNumber",
  "notedDigest",
] as const;
type ManifestState = Record<(typeof stateFields)[number], number>;

export class Checkpointer {
  readonly #parts: CheckpointerParts;
  #position = 0;
  #running: Promise<boolean> | undefined;

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

  /** Loads the newest checkpoint, if there is one. Throws TrubaError DATADAMAGED. */
  async load(): Promise<void> {
    const { store, state, stack, moment, digest, partition } = this.#parts;
    if (store.state === undefined) return;
    const loaded = readState(store.state, partition);
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
  }

  /**
   * Writes what changed since the last checkpoint and trims the log. Returns whether a checkpoint of the present position is durable; a disk that refuses
   * is told in the log and costs nothing but the attempt.
   */
  run(): Promise<boolean> {
    this.#running ??= this.#write().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Waits for a checkpoint in progress. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #write(): Promise<boolean> {
    const { state, store, clock, log, logger, partition } = this.#parts;
    const manifest = this.#manifestState();
    if (manifest.position === this.#position) return true;
    const started = clock.monotonicMs();
    const frozen = state.freeze();
    let durable = false;
    try {
      await frozen.sort(clock);
      await store.addDelta(frozen, manifest);
      durable = true;
    } catch (error) {
      logger.error(
        { partition, error: errorText(error) },
        "checkpoint failed; the log is kept and it will be tried again",
      );
    }
    await state.thaw(frozen, durable, clock);
    if (!durable) return false;
    this.#position = manifest.position;
    log.trim(manifest.position);
    logger.debug(
      { partition, position: manifest.position, ms: Math.round(clock.monotonicMs() - started) },
      "checkpoint",
    );
    try {
      await store.maybeMerge(state.liveBytes);
    } catch (error) {
      logger.error(
        { partition, error: errorText(error) },
        "merge of checkpoint runs failed; it will be tried again",
      );
    }
    return true;
  }

  #manifestState(): ManifestState {
    const { state, stack, moment, digest, log } = this.#parts;
    return {
      position: moment.position,
      term: log.status().term,
      number: moment.number,
      timestamp: moment.timestamp,
      horizon: stack.once.horizon,
      digest: state.digest,
      notedNumber: digest.noted.number,
      notedDigest: digest.noted.digest,
    };
  }
}

function readState(state: object, partition: number): ManifestState {
  const found = new Map<string, unknown>(Object.entries(state));
  const read = (field: string): number => {
    const value = found.get(field);
    if (typeof value === "number" && Number.isSafeInteger(value)) return value;
    throw new TrubaError(
      "DATADAMAGED",
      `the manifest of partition ${partition} has ${field} = ${JSON.stringify(value)}, not a whole number`,
    );
  };
  const entries = stateFields.map((field) => [field, read(field)] as const);
  assert(entries.length === stateFields.length, "a field of the manifest is missing");
  return Object.fromEntries(entries) as ManifestState;
}
