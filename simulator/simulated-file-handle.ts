/** An open file of the simulated disk. It also watches that its owner keeps the contract of `FileHandle`. */
import { assert } from "../src/base/assert.ts";
import type { FileHandle } from "../src/base/file-system.ts";
import { DiskError } from "./disk-error.ts";
import type { DiskFile } from "./disk-file.ts";
import type { Operation } from "./disk-faults.ts";

/** What a handle asks of the disk that opened it. */
export interface DiskAccess {
  /** Throws when the process that opened the handle is dead. */
  mustBeAlive(): void;
  /** Runs one operation under the disk's faults and power. */
  run<T>(operation: Operation, effect: () => T): T;
  /** Lets the time of an operation pass at once. */
  elapse(operation: Operation): void;
  /** Runs `finish` when the time of an operation has passed; rejects if the process died meanwhile. */
  later<T>(operation: Operation, finish: () => T): Promise<T>;
  write(file: DiskFile, bytes: Uint8Array, position: number): void;
  /** The sequence of the last write to the disk. */
  lastSequence(): number;
  closed(handle: SimulatedFileHandle): void;
}

export class SimulatedFileHandle implements FileHandle {
  readonly file: DiskFile;
  readonly #disk: DiskAccess;
  readonly #writable: boolean;
  #open = true;
  #reads = 0;
  /** A write or sync is under way. */
  #changing = false;

  constructor(file: DiskFile, writable: boolean, disk: DiskAccess) {
    this.file = file;
    this.#writable = writable;
    this.#disk = disk;
  }

  sizeSync(): number {
    this.#mustBeUsable();
    return this.file.size;
  }

  readSync(target: Uint8Array, position: number): number {
    this.#mustBeFree("read");
    const operation = this.#operation("read", target.length, position);
    this.#disk.elapse(operation);
    return this.#disk.run(operation, () => this.file.read(target, position));
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    this.#mustBeFree("read");
    const operation = this.#operation("read", target.length, position);
    this.#reads++;
    try {
      return await this.#disk.later(operation, () =>
        this.#disk.run(operation, () => this.file.read(target, position)),
      );
    } finally {
      this.#reads--;
    }
  }

  writeSync(bytes: Uint8Array, position: number): void {
    this.#mustBeFree("change");
    const operation = this.#operation("write", bytes.length, position);
    this.#mustBeWritable("write");
    this.#disk.elapse(operation);
    this.#disk.run(operation, () => this.#disk.write(this.file, bytes, position));
  }

  /** What is written is seen, and may be torn by a power loss, from the call on. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    this.#mustBeFree("change");
    const operation = this.#operation("write", bytes.length, position);
    this.#mustBeWritable("write");
    const handedOver = new Uint8Array(bytes);
    const failure = failureOf(() =>
      this.#disk.run(operation, () => this.#disk.write(this.file, bytes, position)),
    );
    await this.#change(operation, () => {
      assert(
        Buffer.compare(bytes, handedOver) === 0,
        `the buffer of a write to "${this.file.path}" was changed while the file system owned it`,
      );
      if (failure !== undefined) throw failure.error;
    });
  }

  syncDataSync(): void {
    this.#mustBeFree("change");
    const operation = this.#operation("sync");
    this.#disk.elapse(operation);
    this.#sync(operation, this.#disk.lastSequence());
  }

  async syncData(): Promise<void> {
    this.#mustBeFree("change");
    const operation = this.#operation("sync");
    const sequence = this.#disk.lastSequence();
    await this.#change(operation, () => this.#sync(operation, sequence));
  }

  /** Also of a dead process, so that what cleans up after it need not care. */
  closeSync(): void {
    if (!this.#open) return;
    assert(
      !this.#changing && this.#reads === 0,
      `file "${this.file.path}" is closed during a call`,
    );
    this.#open = false;
    this.#disk.closed(this);
  }

  #sync(operation: Operation, sequence: number): void {
    try {
      this.#disk.run(operation, () => this.file.sync(sequence));
    } catch (error) {
      if (error instanceof DiskError) this.file.failSync(sequence);
      throw error;
    }
  }

  async #change(operation: Operation, finish: () => void): Promise<void> {
    this.#changing = true;
    try {
      await this.#disk.later(operation, finish);
    } finally {
      this.#changing = false;
    }
  }

  #operation(kind: "read" | "write" | "sync", length = 0, position = 0): Operation {
    return { kind, path: this.file.path, position, length };
  }

  #mustBeUsable(): void {
    this.#disk.mustBeAlive();
    assert(this.#open, `file "${this.file.path}" is used after it was closed`);
  }

  #mustBeFree(call: "read" | "change"): void {
    this.#mustBeUsable();
    assert(!this.#changing, `two calls on the handle of "${this.file.path}" overlap`);
    assert(call === "read" || this.#reads === 0, `a change of "${this.file.path}" overlaps a read`);
  }

  #mustBeWritable(syscall: string): void {
    if (!this.#writable) throw new DiskError("EBADF", syscall, this.file.path);
  }
}

function failureOf(run: () => void): { readonly error: unknown } | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return { error };
  }
}
