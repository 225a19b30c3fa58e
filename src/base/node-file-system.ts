/**
 * The file system of the machine, over `node:fs`: one system call per method, no buffering of its own.
 *
 * The lock on a directory is a listening socket whose name is made from the directory's real path, because Node offers no flock. On Linux
 * it is an abstract unix socket, which the kernel frees when the process ends, however it ends. It is seen within one network
 * namespace only: two containers that share a volume and not a network do not see each other's lock.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { connect, createServer } from "node:net";
import type { Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert } from "./assert.ts";
import { systemErrorCode, TrubaError } from "./errors.ts";
import type { FileHandle, FileSystem } from "./file-system.ts";

const openFlags = { read: "r", write: "r+", create: "wx+" } as const;

export class NodeFileSystem implements FileSystem {
  readonly #platform: NodeJS.Platform;

  /** `platform` decides how a directory is locked; tests set it to try the ways of the others. */
  constructor(platform: NodeJS.Platform = process.platform) {
    this.#platform = platform;
  }

  openSync(path: string, mode: "read" | "write" | "create"): FileHandle {
    return new NodeFileHandle(fs.openSync(path, openFlags[mode]), path);
  }

  listSync(directory: string): string[] {
    return fs.readdirSync(directory).sort();
  }

  existsSync(path: string): boolean {
    return fs.existsSync(path);
  }

  makeDirectorySync(path: string): void {
    fs.mkdirSync(path, { recursive: true });
  }

  renameSync(from: string, to: string): void {
    fs.renameSync(from, to);
  }

  rename(from: string, to: string): Promise<void> {
    return fs.promises.rename(from, to);
  }

  unlinkSync(path: string): void {
    fs.unlinkSync(path);
  }

  unlink(path: string): Promise<void> {
    return fs.promises.unlink(path);
  }

  syncDirectorySync(path: string): void {
    // Windows has no sync of a directory; NTFS journals names by itself.
    if (this.#platform === "win32") return;
    const descriptor = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    try {
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
  }

  async syncDirectory(path: string): Promise<void> {
    if (this.#platform === "win32") return;
    const handle = await fs.promises.open(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  freeBytesSync(path: string): number {
    const { bavail, bsize } = fs.statfsSync(path);
    return bavail * bsize;
  }

  async lock(directory: string): Promise<{ release(): void }> {
    const name = lockName(fs.realpathSync(directory), this.#platform);
    const server =
      (await holdName(name)) ?? ((await removeStale(name)) ? await holdName(name) : undefined);
    if (server === undefined) {
      throw new TrubaError(
        "DATALOCKED",
        `data directory "${directory}" is in use by another process`,
      );
    }
    return { release: () => void server.close() };
  }
}

class NodeFileHandle implements FileHandle {
  readonly #descriptor: number;
  readonly #path: string;
  #open = true;

  constructor(descriptor: number, path: string) {
    this.#descriptor = descriptor;
    this.#path = path;
  }

  sizeSync(): number {
    this.#mustBeOpen();
    return fs.fstatSync(this.#descriptor).size;
  }

  readSync(target: Uint8Array, position: number): number {
    this.#mustBeOpen();
    let done = 0;
    while (done < target.length) {
      const count = fs.readSync(
        this.#descriptor,
        target,
        done,
        target.length - done,
        position + done,
      );
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    this.#mustBeOpen();
    let done = 0;
    while (done < target.length) {
      const count = await readSome(this.#descriptor, target, done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  writeSync(bytes: Uint8Array, position: number): void {
    this.#mustBeOpen();
    let done = 0;
    while (done < bytes.length) {
      done += fs.writeSync(this.#descriptor, bytes, done, bytes.length - done, position + done);
    }
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    this.#mustBeOpen();
    let done = 0;
    while (done < bytes.length) {
      done += await writeSome(this.#descriptor, bytes, done, position + done);
    }
  }

  syncDataSync(): void {
    this.#mustBeOpen();
    fs.fdatasyncSync(this.#descriptor);
  }

  syncData(): Promise<void> {
    this.#mustBeOpen();
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#descriptor, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  /** Nothing happens the second time. */
  closeSync(): void {
    if (!this.#open) return;
    this.#open = false;
    fs.closeSync(this.#descriptor);
  }

  /** The system gives the number of a closed file to the next one that is opened: a late write would land there. */
  #mustBeOpen(): void {
    assert(this.#open, `file "${this.#path}" is used after it was closed`);
  }
}

function readSome(
  descriptor: number,
  target: Uint8Array,
  offset: number,
  position: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(descriptor, target, offset, target.length - offset, position, (error, count) =>
      error === null ? resolve(count) : reject(error),
    );
  });
}

function writeSome(
  descriptor: number,
  bytes: Uint8Array,
  offset: number,
  position: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(descriptor, bytes, offset, bytes.length - offset, position, (error, count) =>
      error === null ? resolve(count) : reject(error),
    );
  });
}

function lockName(realPath: string, platform: NodeJS.Platform): string {
  const hash = createHash("sha256").update(realPath).digest("hex");
  if (platform === "linux") return `\0truba-${hash}`;
  if (platform === "win32") return `\\\\.\\pipe\\truba-${hash}`;
  // The path of a unix socket must fit in 103 bytes, and a temporary directory of macOS takes half of them.
  return join(tmpdir(), `truba-${hash.slice(0, 32)}`);
}

/** Listens under the name; `undefined` if another does. */
function holdName(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error) => {
      if (systemErrorCode(error) === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(name, () => {
      server.unref();
      resolve(server);
    });
  });
}

/**
 * Removes a socket file that a killed process left behind, and says whether it did. Two processes that start at once after such a
 * death can both get here; the later one may remove the name that the earlier one has just made. Linux and Windows have no such file.
 */
function removeStale(name: string): Promise<boolean> {
  if (name.startsWith("\0") || name.startsWith("\\\\")) return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    const probe = connect(name, () => {
      probe.destroy();
      resolve(false);
    });
    probe.once("error", (error) => {
      if (systemErrorCode(error) !== "ECONNREFUSED") return reject(error);
      fs.rmSync(name, { force: true });
      resolve(true);
    });
  });
}
