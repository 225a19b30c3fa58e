/**
 * Files, as everything below the surfaces sees them. The real one is `NodeFileSystem`; the simulator's disk keeps apart what
 * was written from what was synced, and loses, tears and damages as disks do.
 *
 * Durability: bytes written to a file last a power loss only after a sync of that file; a created, renamed or removed name
 * only after `syncDirectorySync` of its directory. What was not synced may be there afterwards in whole, in part, or not at all,
 * each 512-byte sector by itself.
 *
 * Errors of the operating system are thrown as they are (`code` = ENOENT, ENOSPC, EIO, …); who calls decides what they mean.
 */
export interface FileSystem {
  /** Opens a file. `read`: must exist. `write`: must exist, reads too. `create`: must not exist, reads and writes. */
  openSync(path: string, mode: "read" | "write" | "create"): FileHandle;
  /** Names in a directory, sorted. */
  listSync(directory: string): string[];
  existsSync(path: string): boolean;
  /** Makes a directory and its parents; nothing happens if it is there. */
  makeDirectorySync(path: string): void;
  /** Replaces `to` in one step if it exists. */
  renameSync(from: string, to: string): void;
  /** As `renameSync`, off the event loop: where the journal is busy a rename waits for it. */
  rename(from: string, to: string): Promise<void>;
  unlinkSync(path: string): void;
  /** As `unlinkSync`, off the event loop: to free a large file takes milliseconds. */
  unlink(path: string): Promise<void>;
  syncDirectorySync(path: string): void;
  syncDirectory(path: string): Promise<void>;
  /** Bytes that a process without privileges can still write on the disk that holds `path`. */
  freeBytesSync(path: string): number;
  /**
   * Makes this process the only one that may use the directory, until released or until the process ends however it ends.
   * Throws TrubaError DATALOCKED when another process holds it.
   */
  lock(directory: string): Promise<{ release(): void }>;
}

/**
 * An open file. All positions and lengths are bytes. No two calls on one handle may overlap in time, except reads with reads.
 * A buffer handed over belongs to the file system until the call returns or its promise settles.
 */
export interface FileHandle {
  sizeSync(): number;
  /** Fills `target` from `position` on; returns how many bytes there were: fewer than `target.length` only at the end of the file. */
  readSync(target: Uint8Array, position: number): number;
  read(target: Uint8Array, position: number): Promise<number>;
  /** Writes all of `bytes`, or throws. */
  writeSync(bytes: Uint8Array, position: number): void;
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Makes written bytes durable, with the metadata needed to read them (fdatasync). After it failed once the handle is useless. */
  syncDataSync(): void;
  syncData(): Promise<void>;
  closeSync(): void;
}
