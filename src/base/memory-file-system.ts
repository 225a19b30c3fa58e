/** Files that live and die with the process: for the tests of those who use Truba, and wherever nothing needs to last. Nothing is ever slow, full or damaged. */
import { assert } from "./assert.ts";
import { TrubaError } from "./errors.ts";
import type { FileHandle, FileSystem } from "./file-system.ts";
import { PagedBytes } from "./paged-bytes.ts";

const freeBytes = 2 ** 40;

export class MemoryFileSystem implements FileSystem {
  readonly #files = new Map<string, PagedBytes>();
  readonly #directories = new Set<string>(["/", "."]);
  /** Directory → the lock that is held on it. */
  readonly #locks = new Map<string, symbol>();

  openSync(path: string, mode: "read" | "write" | "create"): FileHandle {
    const known = this.#files.get(path);
    if (mode === "create") {
      if (known !== undefined || this.#directories.has(path)) throw systemError("EEXIST", path);
      if (!this.#directories.has(parentOf(path))) throw systemError("ENOENT", path);
      const bytes = new PagedBytes();
      this.#files.set(path, bytes);
      return new MemoryFileHandle(bytes, path, true);
    }
    if (known === undefined)
      throw systemError(this.#directories.has(path) ? "EISDIR" : "ENOENT", path);
    return new MemoryFileHandle(known, path, mode === "write");
  }

  listSync(directory: string): string[] {
    if (this.#files.has(directory)) throw systemError("ENOTDIR", directory);
    this.#mustBeDirectory(directory);
    const names: string[] = [];
    for (const path of [...this.#files.keys(), ...this.#directories])
      if (path !== directory && parentOf(path) === directory)
        names.push(path.slice(path.lastIndexOf("/") + 1));
    return names.sort();
  }

  existsSync(path: string): boolean {
    return this.#files.has(path) || this.#directories.has(path);
  }

  makeDirectorySync(path: string): void {
    if (this.#files.has(path)) throw systemError("EEXIST", path);
    const made: string[] = [];
    for (let each = path; !this.#directories.has(each); each = parentOf(each)) {
      if (this.#files.has(each)) throw systemError("ENOTDIR", each);
      made.push(each);
    }
    for (const each of made) this.#directories.add(each);
  }

  renameSync(from: string, to: string): void {
    const bytes = this.#files.get(from);
    if (bytes === undefined || !this.#directories.has(parentOf(to)))
      throw systemError("ENOENT", from);
    this.#files.delete(from);
    this.#files.set(to, bytes);
  }

  async rename(from: string, to: string): Promise<void> {
    this.renameSync(from, to);
  }

  unlinkSync(path: string): void {
    if (!this.#files.delete(path)) throw systemError("ENOENT", path);
  }

  async unlink(path: string): Promise<void> {
    this.unlinkSync(path);
  }

  syncDirectorySync(path: string): void {
    this.#mustBeDirectory(path);
  }

  async syncDirectory(path: string): Promise<void> {
    this.syncDirectorySync(path);
  }

  freeBytesSync(path: string): number {
    if (!this.existsSync(path)) throw systemError("ENOENT", path);
    return freeBytes;
  }

  async lock(directory: string): Promise<{ release(): void }> {
    this.#mustBeDirectory(directory);
    if (this.#locks.has(directory))
      throw new TrubaError("DATALOCKED", `the directory ${directory} is in use`);
    const lock = Symbol(directory);
    this.#locks.set(directory, lock);
    return {
      release: () => {
        if (this.#locks.get(directory) === lock) this.#locks.delete(directory);
      },
    };
  }

  #mustBeDirectory(path: string): void {
    if (!this.#directories.has(path)) throw systemError("ENOENT", path);
  }
}

class MemoryFileHandle implements FileHandle {
  readonly #bytes: PagedBytes;
  readonly #path: string;
  readonly #writable: boolean;
  #open = true;

  constructor(bytes: PagedBytes, path: string, writable: boolean) {
    this.#bytes = bytes;
    this.#path = path;
    this.#writable = writable;
  }

  sizeSync(): number {
    return this.#mustBeOpen().size;
  }

  readSync(target: Uint8Array, position: number): number {
    return this.#mustBeOpen().read(target, position);
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    return this.readSync(target, position);
  }

  writeSync(bytes: Uint8Array, position: number): void {
    const target = this.#mustBeOpen();
    if (!this.#writable) throw systemError("EBADF", this.#path);
    target.write(bytes, position);
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    this.writeSync(bytes, position);
  }

  syncDataSync(): void {
    this.#mustBeOpen();
  }

  async syncData(): Promise<void> {
    this.#mustBeOpen();
  }

  closeSync(): void {
    this.#open = false;
  }

  #mustBeOpen(): PagedBytes {
    assert(this.#open, `the file ${this.#path} is used after it was closed`);
    return this.#bytes;
  }
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  if (slash < 0) return ".";
  return slash === 0 ? "/" : path.slice(0, slash);
}

/** As the operating system's: what reads `code` sees no difference. */
function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
