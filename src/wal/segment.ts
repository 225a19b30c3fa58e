/** Segments as files: their names, and reading one from front to back. */
import { assert } from "../base/assert.ts";
import type { FileHandle, FileSystem } from "../base/file-system.ts";

/** A segment of the log that is in use. */
export interface Segment {
  readonly id: number;
  readonly path: string;
  /** Bytes, as its header says. */
  readonly length: number;
  /** Its first batch is whole, so that the log can begin with it. */
  readonly canBegin: boolean;
  /** For reading entries; writing goes through another handle, so that the two may overlap in time. */
  readonly reader: FileHandle;
}

const segmentName = /^([0-9a-f]{16})\.wal$/;
const spareName = /^spare-([1-9][0-9]{0,8})(\.tmp)?$/;

export function segmentFile(id: number): string {
  return `${id.toString(16).padStart(16, "0")}.wal`;
}

export function pathOf(directory: string, file: string): string {
  return `${directory}/${file}`;
}

/** What stands in a log's directory. */
export interface DirectoryListing {
  /** Ids of the segments, rising. */
  readonly segments: readonly number[];
  /** Names of spare segments, finished and unfinished. */
  readonly spares: readonly string[];
}

/** Looks at names only. A directory that does not exist is an empty one. */
export function listLog(files: FileSystem, directory: string): DirectoryListing {
  const segments: number[] = [];
  const spares: string[] = [];
  const names = files.existsSync(directory) ? files.listSync(directory) : [];
  for (const name of names) {
    const digits = segmentName.exec(name)?.[1];
    if (digits !== undefined) segments.push(Number.parseInt(digits, 16));
    else if (spareName.test(name)) spares.push(name);
  }
  segments.sort((a, b) => a - b);
  return { segments, spares };
}

/** The number of a spare's name; they are handed out rising, so that no two are alike. */
export function spareNumber(name: string): number {
  return Number(spareName.exec(name)?.[1] ?? 0);
}

const windowBytes = 1_048_576;

/** A file read mostly forward, through a window that grows to the largest piece asked for. */
export class FileWindow {
  readonly #handle: FileHandle;
  /** The window ends here at the latest. */
  readonly #limit: number;
  #memory = Buffer.alloc(0);
  #start = 0;
  #filled = 0;

  constructor(handle: FileHandle, limitBytes: number) {
    this.#handle = handle;
    this.#limit = limitBytes;
  }

  /** `bytes` bytes from `position` on, or fewer at the end of the file. Valid until the next call. */
  view(position: number, bytes: number): Buffer {
    assert(position >= 0, "a position must not be negative");
    const end = Math.min(position + bytes, this.#limit);
    if (position >= end) return this.#memory.subarray(0, 0);
    if (position < this.#start || end > this.#start + this.#filled) {
      const wanted = Math.min(Math.max(end - position, windowBytes), this.#limit - position);
      if (this.#memory.length < wanted) this.#memory = Buffer.allocUnsafe(wanted);
      this.#start = position;
      this.#filled = this.#handle.readSync(this.#memory.subarray(0, wanted), position);
    }
    const from = position - this.#start;
    return this.#memory.subarray(from, Math.min(from + end - position, this.#filled));
  }
}
