/**
 * Makes segments ahead of need and takes back those that are not needed any more, in the background, and watches the disk's free space.
 *
 * A new segment is written full of zeros under the name `spare-N.tmp`, synced and renamed `spare-N`, so a write into the log never has to
 * ask the file system for space. A segment that comes back is renamed, and the directory synced, before anything of it is changed or the
 * next one is looked at: names disappear from the front, one by one, whenever the power fails.
 */
import { nextTurn } from "../base/clock.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { errorText, systemErrorCode, TrubaError } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/logger.ts";
import { nextSpareNumber } from "./recovery.ts";
import { listLog, pathOf } from "./segment.ts";

export interface SegmentPoolOptions {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly directory: string;
  readonly segmentBytes: number;
  /** Free disk space, beside what the next segment needs, below which `onSpace(true)` is called. */
  readonly lowWaterBytes: number;
  readonly onSpace: (full: boolean) => void;
  readonly onFailure: (error: Error) => void;
}

const sparesMax = 2;
const zeroBytes = 1_048_576;

export class SegmentPool {
  readonly #options: SegmentPoolOptions;
  /** Names of finished spares. */
  readonly #spares: string[] = [];
  /** Segments to take back, oldest first. */
  readonly #returned: { readonly path: string; readonly length: number }[] = [];
  #nextNumber = 1;
  #full = false;
  /** The disk refused to hold a new segment, and no check has been made since. */
  #refused = false;
  #mayTry = true;
  #working: Promise<void> | undefined;
  #waiter: { resolve(): void; reject(error: Error): void } | undefined;
  #patient = true;
  #stopped = false;
  #timer: Timer | undefined;

  constructor(options: SegmentPoolOptions) {
    this.#options = options;
  }

  /** Bytes of spares. */
  get diskBytes(): number {
    return this.#spares.length * this.#options.segmentBytes;
  }

  get spares(): number {
    return this.#spares.length;
  }

  get full(): boolean {
    return this.#full;
  }

  /** Looks through the spares of an earlier run: what is unfinished, of another size or too many is removed. */
  adopt(keep: boolean): void {
    const { files, directory, segmentBytes } = this.#options;
    const names = listLog(files, directory).spares;
    this.#nextNumber = nextSpareNumber(names);
    for (const name of names) {
      const path = pathOf(directory, name);
      const wanted = keep && !name.endsWith(".tmp") && this.#spares.length < sparesMax;
      if (wanted && sizeOf(files, path) === segmentBytes) this.#spares.push(name);
      else files.unlinkSync(path);
    }
  }

  /** Begins to work by itself. */
  start(): void {
    this.#check();
  }

  /** The path of a spare, which is the caller's from now on. */
  take(): string | undefined {
    const name = this.#spares.shift();
    if (name === undefined) return undefined;
    this.#wake();
    return pathOf(this.#options.directory, name);
  }

  /** Resolves when there is a spare; dips into the low-water reserve, and waits as long as the disk is really full. Rejects at `stop`. */
  ready(): Promise<void> {
    if (this.#spares.length > 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      if (this.#stopped || (this.#refused && !this.#patient)) this.#rejectWaiter();
      else this.#wake();
    });
  }

  /** Takes a segment back. It must be older than all that are in use. */
  recycle(path: string, length: number): void {
    this.#returned.push({ path, length });
    this.#wake();
  }

  /** From now on nobody waits for a disk that is full. */
  giveUp(): void {
    this.#patient = false;
    if (this.#refused) this.#rejectWaiter();
  }

  /** Ends the work; what is not done is done after the next start. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#rejectWaiter();
    await this.#working;
  }

  #check(): void {
    if (this.#stopped) return;
    this.#mayTry = true;
    try {
      this.#look();
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#wake();
    this.#timer = this.#options.clock.after(limits.diskCheckEveryMs, () => this.#check());
  }

  /** Compares free space with what is needed and reports a change. */
  #look(): void {
    const full = this.#refused || !this.#enoughSpace();
    if (full === this.#full) return;
    this.#full = full;
    const { logger, directory, onSpace } = this.#options;
    if (full) logger.warn({ directory }, "disk space is low: writes are refused");
    else logger.info({ directory }, "there is disk space again");
    onSpace(full);
  }

  #enoughSpace(): boolean {
    const { files, directory, lowWaterBytes, segmentBytes } = this.#options;
    const needed = this.#spares.length > 0 ? 0 : segmentBytes;
    return files.freeBytesSync(directory) >= lowWaterBytes + needed;
  }

  #wake(): void {
    if (this.#working !== undefined || this.#stopped) return;
    if (this.#returned.length === 0 && this.#spares.length > 0) return;
    this.#working = this.#work();
  }

  async #work(): Promise<void> {
    try {
      // What woke us goes on first.
      await nextTurn(this.#options.clock);
      while (!this.#stopped && this.#mayTry && (await this.#workOnce())) {
        await nextTurn(this.#options.clock);
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#working = undefined;
    }
    // Something may have come between the last look and the end.
    if (this.#mayTry && (this.#returned.length > 0 || this.#waiter !== undefined)) this.#wake();
  }

  /** One segment taken back or made; false when there is nothing to do. */
  async #workOnce(): Promise<boolean> {
    const returned = this.#returned[0];
    if (returned !== undefined) {
      await this.#takeBack(returned.path, returned.length);
      this.#returned.shift();
    } else if (this.#spares.length === 0 && (this.#waiter !== undefined || this.#enoughSpace())) {
      await this.prepare();
    } else {
      this.#look();
      return false;
    }
    this.#refused = false;
    this.#look();
    return true;
  }

  async #takeBack(path: string, length: number): Promise<void> {
    const { files, directory, segmentBytes } = this.#options;
    if (this.#spares.length >= sparesMax || length !== segmentBytes) {
      await files.unlink(path);
      await files.syncDirectory(directory);
      return;
    }
    const name = this.#newName();
    await files.rename(path, pathOf(directory, name));
    await files.syncDirectory(directory);
    this.#offer(name);
  }

  /** Makes one spare now. Throws what the file system throws. */
  async prepare(): Promise<void> {
    const { files, directory, segmentBytes } = this.#options;
    const name = this.#newName();
    const path = pathOf(directory, name);
    const handle = files.openSync(`${path}.tmp`, "create");
    let finished = false;
    try {
      const zeros = Buffer.alloc(Math.min(zeroBytes, segmentBytes));
      for (let at = 0; at < segmentBytes && !this.#stopped; at += zeros.length)
        await handle.write(zeros.subarray(0, Math.min(zeros.length, segmentBytes - at)), at);
      if (!this.#stopped) {
        await handle.syncData();
        finished = true;
      }
    } finally {
      handle.closeSync();
      if (!finished) files.unlinkSync(`${path}.tmp`);
    }
    if (!finished) return;
    files.renameSync(`${path}.tmp`, path);
    this.#offer(name);
  }

  #offer(name: string): void {
    this.#spares.push(name);
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.resolve();
  }

  #failed(error: unknown): void {
    const code = systemErrorCode(error);
    if (code === "ENOSPC" || code === "EDQUOT") {
      this.#refused = true;
      this.#mayTry = false;
      if (!this.#patient) this.#rejectWaiter();
      this.#look();
      return;
    }
    this.#stopped = true;
    this.#timer?.cancel();
    this.#rejectWaiter();
    const { onFailure } = this.#options;
    onFailure(error instanceof Error ? error : new Error(errorText(error)));
  }

  #rejectWaiter(): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.reject(new TrubaError("STOPPED", "the log was closed while it waited for disk space"));
  }

  #newName(): string {
    return `spare-${this.#nextNumber++}`;
  }
}

function sizeOf(files: FileSystem, path: string): number {
  const handle = files.openSync(path, "read");
  try {
    return handle.sizeSync();
  } finally {
    handle.closeSync();
  }
}
