/**
 * A disk in memory, as seen by one process, that keeps apart what was written from what was synced and loses, tears and damages it as
 * disks do. It is the file system of the process and the remote control of the test:
 *
 *     failAfter / onOperation      let the power go at a chosen write, sync or change of names
 *     crash / kill, then restart   end the process with or without power loss, start the next one
 *     clone                        the disk as it is now, to crash it in many ways
 *     fail, capacityBytes          errors of the operating system
 *     flipBit, overwrite, truncateFile, loseFile        damage to what is at rest
 *
 * After a death the old process's calls fail until `restart`. What of it still runs afterwards would write to the disk of the
 * next one: let it end first, or go on with a clone.
 */
import { posix } from "node:path";
import { assert } from "../src/base/assert.ts";
import type { Clock } from "../src/base/clock.ts";
import { TrubaError } from "../src/base/errors.ts";
import type { FileHandle, FileSystem } from "../src/base/file-system.ts";
import type { Random } from "../src/base/random.ts";
import { losePower, visitSectors } from "./crash-chooser.ts";
import type { CrashChooser, SectorWrite } from "./crash-chooser.ts";
import { DiskError, PowerLossError } from "./disk-error.ts";
import type { DiskFile } from "./disk-file.ts";
import { DiskFaults } from "./disk-faults.ts";
import type { Fault, Operation, OperationKind } from "./disk-faults.ts";
import { NameTree } from "./name-tree.ts";
import { SimulatedFileHandle } from "./simulated-file-handle.ts";
import type { DiskAccess } from "./simulated-file-handle.ts";
import type { SimulatedClock } from "./simulated-clock.ts";

/** The clock of the process on the disk, whose calls that block take time. */
export interface DiskClock extends Clock {
  elapse(ms: number): void;
}

export interface SimulatedFileSystemOptions<Time extends DiskClock = SimulatedClock> {
  readonly clock: Time;
  /** Size of the disk. The sum of the sizes of its files counts, holes included. Default 2^40. */
  readonly capacityBytes?: number;
  /** How long an operation takes, in milliseconds. A synchronous one moves the clock by it. Default 0. */
  readonly latencyMs?: (operation: Operation) => number;
  /** Directories that are there, durably, from the start. */
  readonly directories?: readonly string[];
}

/** What changes the disk or its durability; `failAfter` counts these. */
const counted: ReadonlySet<OperationKind> = new Set<OperationKind>([
  "create",
  "makeDirectory",
  "rename",
  "unlink",
  "syncDirectory",
  "write",
  "sync",
]);

export class SimulatedFileSystem implements FileSystem {
  /** May be changed at any time, to fill the disk or to make room. */
  capacityBytes: number;
  /**
   * Called before each operation that changes the disk. A `PowerLossError` that it throws ends the process there, without the
   * operation; any other error is the outcome of the call.
   */
  onOperation: ((operation: Operation) => void) | undefined;
  readonly #options: SimulatedFileSystemOptions<DiskClock>;
  readonly #clock: DiskClock;
  readonly #faults = new DiskFaults();
  readonly #handles = new Set<SimulatedFileHandle>();
  readonly #locks = new Map<string, symbol>();
  #tree: NameTree;
  #sequence: number;
  /** `powerless`: the power went at an operation, and neither `crash` nor `kill` has said what that means. */
  #state: "alive" | "powerless" | "ended" = "alive";
  /** Rises with each death, so that calls under way know that they are over. */
  #life = 0;
  #operations = 0;
  #allowed = Infinity;

  constructor(
    options: SimulatedFileSystemOptions<DiskClock>,
    disk: { tree: NameTree; sequence: number } = { tree: new NameTree(), sequence: 0 },
  ) {
    this.#options = options;
    this.#clock = options.clock;
    this.#tree = disk.tree;
    this.#sequence = disk.sequence;
    this.capacityBytes = options.capacityBytes ?? 2 ** 40;
    const directories = options.directories ?? [];
    for (const path of directories) this.#tree.makeDirectory(path);
    if (directories.length > 0) this.#tree.syncAll();
  }

  openSync(path: string, mode: "read" | "write" | "create"): FileHandle {
    const operation: Operation = { kind: mode === "create" ? "create" : "open", path };
    const file = this.#run(operation, () => {
      if (mode !== "create") return this.#tree.file(path, "open");
      // A name needs room as well, and EEXIST is told first.
      if (this.#tree.find(path) === undefined && this.#room() === 0) {
        throw new DiskError("ENOSPC", "open", path);
      }
      return this.#tree.createFile(posix.resolve("/", path));
    });
    const handle = new SimulatedFileHandle(file, mode !== "read", this.#access());
    this.#handles.add(handle);
    return handle;
  }

  listSync(directory: string): string[] {
    return this.#run({ kind: "list", path: directory }, () =>
      [...this.#tree.directory(directory, "scandir").entries.keys()].sort(),
    );
  }

  existsSync(path: string): boolean {
    this.#mustBeAlive("exists");
    return this.#tree.find(path) !== undefined;
  }

  makeDirectorySync(path: string): void {
    this.#run({ kind: "makeDirectory", path }, () => this.#tree.makeDirectory(path));
  }

  renameSync(from: string, to: string): void {
    this.#run({ kind: "rename", path: to }, () =>
      this.#tree.rename(posix.resolve("/", from), posix.resolve("/", to)),
    );
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#later({ kind: "rename", path: to }, () => this.renameSync(from, to));
  }

  unlinkSync(path: string): void {
    const operation: Operation = { kind: "unlink", path };
    this.#elapse(operation);
    this.#run(operation, () => this.#tree.unlink(path));
  }

  async unlink(path: string): Promise<void> {
    const operation: Operation = { kind: "unlink", path };
    await this.#later(operation, () => this.#run(operation, () => this.#tree.unlink(path)));
  }

  syncDirectorySync(path: string): void {
    const operation: Operation = { kind: "syncDirectory", path };
    this.#elapse(operation);
    this.#run(operation, () => this.#tree.syncDirectory(path));
  }

  async syncDirectory(path: string): Promise<void> {
    const operation: Operation = { kind: "syncDirectory", path };
    await this.#later(operation, () => this.#run(operation, () => this.#tree.syncDirectory(path)));
  }

  freeBytesSync(path: string): number {
    this.#mustBeAlive("statfs");
    if (this.#tree.find(path) === undefined) throw new DiskError("ENOENT", "statfs", path);
    return this.#room();
  }

  async lock(directory: string): Promise<{ release(): void }> {
    const path = posix.resolve("/", directory);
    return this.#later({ kind: "open", path }, () => {
      this.#tree.directory(path, "realpath");
      if (this.#locks.has(path)) {
        const text = `data directory "${directory}" is in use by another process`;
        throw new TrubaError("DATALOCKED", text);
      }
      const holder = Symbol("holder of a lock");
      this.#locks.set(path, holder);
      return {
        release: () => {
          if (this.#locks.get(path) === holder) this.#locks.delete(path);
        },
      };
    });
  }

  // The remote control.

  /** Operations so far that changed the disk or its durability. */
  get operations(): number {
    return this.#operations;
  }

  /** Whether the process on this disk lives; not after `failAfter` fired, `crash` or `kill`, until `restart`. */
  get alive(): boolean {
    return this.#state === "alive";
  }

  /**
   * The next `operations` operations succeed; during the one after the power goes. If that is a write or a change of names, it is done and
   * not synced, for `crash` to decide upon; if it is a sync, it makes nothing durable. Its call and every later one throws
   * `PowerLossError`.
   */
  failAfter(operations: number): void {
    this.#allowed = operations;
  }

  /** Power loss: of what was not synced only what the chooser keeps is left, open files and locks are gone. */
  crash(choose: Random | CrashChooser): void {
    this.#die();
    losePower(this.#tree, choose);
  }

  /** The process ends, the machine goes on: all that was written is there, and still not durable. */
  kill(): void {
    this.#die();
  }

  /** The next process begins, with nothing open and nothing locked. */
  restart(): void {
    assert(this.#state === "ended", "restart comes after crash or kill");
    this.#state = "alive";
    this.#allowed = Infinity;
  }

  /**
   * This disk as it is, unsynced writes included, before a living process without open files, locks, faults and hooks. Cheap:
   * the contents are shared until one side writes.
   */
  clone(): SimulatedFileSystem {
    const disk = { tree: this.#tree.clone(), sequence: this.#sequence };
    const options = { ...this.#options, capacityBytes: this.capacityBytes, directories: [] };
    return new SimulatedFileSystem(options, disk);
  }

  /** The sectors that a power loss would choose among now, in the order in which a chooser is asked. */
  unsyncedSectors(): SectorWrite[] {
    const sectors: SectorWrite[] = [];
    visitSectors(this.#tree.files(), (_file, _write, sector) => sectors.push(sector));
    return sectors;
  }

  /** The changes of names that a power loss would choose among now, in the order in which a chooser is asked. */
  unsyncedNames(): { readonly kind: string; readonly path: string }[] {
    return this.#tree.changes.map(({ kind, path }) => ({ kind, path }));
  }

  /** Makes calls fail. A failed sync makes its writes clean and not durable, as on Linux. */
  fail(fault: Fault): void {
    this.#faults.plant(fault);
  }

  /** Takes back all that `fail` planted. */
  clearFaults(): void {
    this.#faults.clear();
  }

  /** All bytes of a file as a process sees them; also of a dead one's disk. */
  contents(path: string): Uint8Array {
    const file = this.#tree.file(path, "open");
    const bytes = new Uint8Array(file.size);
    file.read(bytes, 0);
    return bytes;
  }

  /** Paths of all files, sorted; also of a dead process's disk. */
  paths(): string[] {
    const found: string[] = [];
    const walk = (path: string): void => {
      for (const [name, node] of this.#tree.directory(path, "scandir").entries) {
        if (node.kind === "file") found.push(posix.join(path, name));
        else walk(posix.join(path, name));
      }
    };
    walk("/");
    return found.sort();
  }

  /** Turns one bit over. `bit` is 0 (lowest) to 7. */
  flipBit(path: string, byteOffset: number, bit: number): void {
    const byte = new Uint8Array(1);
    const count = this.#tree.file(path, "open").read(byte, byteOffset);
    assert(count === 1, `the bit to flip is behind the end of "${path}"`);
    byte[0] = (byte[0] ?? 0) ^ (1 << bit);
    this.overwrite(path, byteOffset, byte);
  }

  /** Puts other bytes, durably, where some were, as a fault of the medium does. */
  overwrite(path: string, byteOffset: number, bytes: Uint8Array): void {
    this.#tree.file(path, "open").damage((content) => content.write(bytes, byteOffset));
  }

  /** Cuts a file, durably. */
  truncateFile(path: string, sizeBytes: number): void {
    this.#tree.file(path, "open").damage((content) => content.truncate(sizeBytes));
  }

  /** A file that is there no more, without anybody having removed it. */
  loseFile(path: string): void {
    this.#tree.file(path, "open");
    this.#tree.loseName(path);
  }

  /** Pages of 4 KiB that the disk takes in memory, shared ones counted each time. */
  get storedPages(): number {
    return this.#tree.files().reduce((sum, file) => sum + file.storedPages, 0);
  }

  #access(): DiskAccess {
    const life = this.#life;
    return {
      mustBeAlive: () => {
        if (life !== this.#life) throw new PowerLossError("a file that it had opened is used");
        this.#mustBeAlive("a file is used");
      },
      run: <T>(operation: Operation, effect: () => T) => this.#run(operation, effect),
      elapse: (operation: Operation) => this.#elapse(operation),
      later: <T>(operation: Operation, finish: () => T) => this.#later(operation, finish),
      write: (file: DiskFile, bytes: Uint8Array, position: number) =>
        this.#write(file, bytes, position),
      lastSequence: () => this.#sequence,
      closed: (handle: SimulatedFileHandle) => void this.#handles.delete(handle),
    };
  }

  #run<T>(operation: Operation, effect: () => T): T {
    const { kind, path } = operation;
    this.#mustBeAlive(`${kind} '${path}'`);
    const code = this.#faults.take(operation);
    if (code !== undefined) throw new DiskError(code, kind, path);
    if (!counted.has(kind)) return effect();
    this.#count(operation);
    if (this.#allowed-- > 0) return effect();
    this.#state = "powerless";
    if (kind !== "sync" && kind !== "syncDirectory") effect();
    throw new PowerLossError(`${kind} '${path}'`);
  }

  #count(operation: Operation): void {
    this.#operations++;
    try {
      this.onOperation?.(operation);
    } catch (error) {
      if (error instanceof PowerLossError) this.#state = "powerless";
      throw error;
    }
  }

  /** Writes what fits on the disk, then throws ENOSPC if that was not all. */
  #write(file: DiskFile, bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    const room = end <= file.size ? Infinity : this.#room();
    const length = Math.max(0, Math.min(bytes.length, file.size + room - position));
    file.write(bytes.subarray(0, length), position, ++this.#sequence);
    if (length < bytes.length) throw new DiskError("ENOSPC", "write", file.path);
  }

  #room(): number {
    const files = new Set(this.#tree.visibleFiles());
    for (const { file } of this.#handles) files.add(file);
    let sum = 0;
    for (const file of files) sum += file.size;
    return Math.max(0, this.capacityBytes - sum);
  }

  #elapse(operation: Operation): void {
    this.#mustBeAlive(operation.kind);
    const latency = this.#options.latencyMs?.(operation) ?? 0;
    if (latency > 0) this.#clock.elapse(latency);
  }

  #later<T>(operation: Operation, finish: () => T): Promise<T> {
    this.#mustBeAlive(operation.kind);
    const life = this.#life;
    const latency = this.#options.latencyMs?.(operation) ?? 0;
    return new Promise((resolve, reject) => {
      const done = (): void => {
        try {
          if (life !== this.#life) throw new PowerLossError(operation.kind);
          this.#mustBeAlive(operation.kind);
          resolve(finish());
        } catch (error) {
          reject(error);
        }
      };
      if (latency > 0) this.#clock.after(latency, done);
      else this.#clock.soon(done);
    });
  }

  #mustBeAlive(call: string): void {
    if (this.#state !== "alive") throw new PowerLossError(call);
  }

  #die(): void {
    this.#state = "ended";
    this.#life++;
    this.#handles.clear();
    this.#locks.clear();
  }
}
