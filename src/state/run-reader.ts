/**
 * Reads one run file from front to back, a verified block at a time. Nothing of a block is seen before its checksums hold; whether
 * the file is whole shows only at its end, so who reads must be ready to throw away what came before.
 *
 * Two buffers: the rows of one are looked at while the other is filled. A block that straddles two reads has its first part
 * copied into the room that each buffer keeps free in front.
 */
import { assert } from "../base/assert.ts";
import { checksum, checksumNext } from "../base/checksum.ts";
import { systemErrorCode } from "../base/errors.ts";
import type { FileHandle, FileSystem } from "../base/file-system.ts";
import { limits } from "../base/limits.ts";
import {
  blockHeaderBytes,
  checkRunHeader,
  damaged,
  deletedBody,
  readBlockHeader,
  readRunFooter,
  runFileName,
  runFooterBytes,
  runHeaderBytes,
  runRowHeaderBytes,
} from "./run-format.ts";
import type { RowSink, RunFooter, RunInfo } from "./run-format.ts";
import type { TimeSlice } from "./time-slice.ts";

/** Room in front of what is read: the first part of a block of usual size. */
const frontBytes = limits.runBlockBytes + blockHeaderBytes;
/** Rows between two looks at the clock. */
const rowsPerLook = 64;

interface Ahead {
  readonly buffer: Buffer;
  readonly bytes: number;
  readonly read: Promise<number>;
}

export class RunReader {
  readonly info: RunInfo;
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #footer: RunFooter;

  /** The row that {@link nextRow} moved to; valid until {@link nextBlock}. */
  table = 0;
  orderHash = 0;
  /** Table and order hash as one number: the order of rows but for keys of one hash. */
  order = -1;
  buffer: Buffer;
  keyStart = 0;
  keyBytes = 0;
  bodyStart = 0;
  bodyBytes = 0;
  deleted = false;

  /** [#next, #end) of `buffer`: read, not yet given out as a block. */
  #next: number;
  #end: number;
  #spare: Buffer;
  #ahead: Ahead | undefined;
  /** Where in the file the next read begins. */
  #readPosition = runHeaderBytes;
  /** Where in the file the blocks end and the footer begins. */
  readonly #blocksEnd: number;
  /** Where in the file the next block begins. */
  #blockPosition = runHeaderBytes;

  #rowAt = 0;
  #rowsEnd = 0;
  #rowsLeft = 0;
  #blocks = 0;
  #rows = 0;
  #blocksChecksum = checksum(new Uint8Array(0));

  /**
   * Opens the run and checks its length and both its ends. Throws TrubaError DATADAMAGED when it is missing or not the one
   * that the manifest names, DATAVERSION when a later version wrote it.
   */
  constructor(files: FileSystem, directory: string, partition: number, info: RunInfo) {
    this.info = info;
    this.path = `${directory}/${runFileName(info.id)}`;
    this.#blocksEnd = info.bytes - runFooterBytes;
    this.#handle = openRun(files, this.path);
    try {
      this.#footer = checkEnds(this.#handle, this.path, partition, info);
    } catch (error) {
      this.#handle.closeSync();
      throw error;
    }
    const bufferBytes = frontBytes + Math.min(limits.runReadBytes, info.bytes);
    this.buffer = Buffer.allocUnsafe(bufferBytes);
    this.#spare = Buffer.allocUnsafe(bufferBytes);
    this.#next = frontBytes;
    this.#end = frontBytes;
  }

  /** Verifies the next block and stands before its first row. `false` at the end of the run, when all of it held. Throws DATADAMAGED. */
  async nextBlock(): Promise<boolean> {
    assert(this.#rowsLeft === 0, "all rows of a block are read before the next block");
    const left = this.#blocksEnd - this.#blockPosition;
    if (left === 0) {
      this.#checkWhole();
      return false;
    }
    if (left < blockHeaderBytes) throw this.#damage("there is no room for a block");
    if (this.#end - this.#next < blockHeaderBytes) await this.#fill(blockHeaderBytes);
    const header = readBlockHeader(this.buffer, this.#next);
    if (header === undefined) throw this.#damage("the header is damaged");
    if (header.number !== this.#blocks)
      throw this.#damage(`the header is that of block ${header.number}`);
    const bytes = blockHeaderBytes + header.bytes;
    if (bytes > left) throw this.#damage(`${bytes} bytes where ${left} are left`);
    if (this.#end - this.#next < bytes) await this.#fill(bytes);
    this.#rowAt = this.#next + blockHeaderBytes;
    this.#rowsEnd = this.#next + bytes;
    this.#rowsLeft = header.rows;
    if (checksum(this.buffer.subarray(this.#rowAt, this.#rowsEnd)) !== header.checksum) {
      throw this.#damage("the checksum of the rows does not hold");
    }
    this.#blocksChecksum = checksumNext(
      this.#blocksChecksum,
      this.buffer.subarray(this.#next + 16, this.#next + 20),
    );
    this.#next = this.#rowsEnd;
    this.#blockPosition += bytes;
    this.#blocks++;
    this.#rows += header.rows;
    return true;
  }

  /** Moves to the next row of the block; `false` at its end. Throws DATADAMAGED when the rows make no sense. */
  nextRow(): boolean {
    if (this.#rowsLeft === 0) {
      if (this.#rowAt !== this.#rowsEnd)
        throw this.#damageBefore("bytes are left behind the last row");
      return false;
    }
    const at = this.#rowAt;
    const buffer = this.buffer;
    if (this.#rowsEnd - at < runRowHeaderBytes) throw this.#damageBefore("a row is cut off");
    const body = buffer.readUInt32LE(at);
    const hash = buffer.readUInt32LE(at + 4);
    const table = buffer[at + 8] as number;
    const keyBytes = buffer[at + 9] as number;
    this.deleted = body === deletedBody;
    this.bodyBytes = this.deleted ? 0 : body;
    this.table = table;
    this.orderHash = hash;
    this.keyBytes = keyBytes;
    this.keyStart = at + runRowHeaderBytes;
    this.bodyStart = this.keyStart + keyBytes;
    this.#rowAt = this.bodyStart + this.bodyBytes;
    if (this.#rowAt > this.#rowsEnd) throw this.#damageBefore("a row is cut off");
    const order = table * 0x1_0000_0000 + hash;
    if (order < this.order) throw this.#damageBefore("rows are out of order");
    this.order = order;
    this.#rowsLeft--;
    return true;
  }

  /** Gives rows of the block to the sink until none is left (`true`) or the slice is over (`false`). */
  deliver(sink: RowSink, slice: TimeSlice): boolean {
    for (let looked = 1; this.nextRow(); looked++) {
      sink(
        this.table,
        this.buffer,
        this.keyStart,
        this.keyBytes,
        this.bodyStart,
        this.bodyBytes,
        this.deleted,
      );
      if (looked % rowsPerLook === 0 && slice.isOver()) return false;
    }
    return true;
  }

  /** Resolves when nothing of the file is in use any more. */
  async close(): Promise<void> {
    try {
      await this.#ahead?.read;
    } catch {
      // What was read ahead is no longer wanted.
    }
    this.#ahead = undefined;
    this.#handle.closeSync();
  }

  /** Reads on until `bytes` bytes from `#next` on are in the buffer. */
  async #fill(bytes: number): Promise<void> {
    while (this.#end - this.#next < bytes) {
      this.#readAhead();
      const ahead = this.#ahead;
      assert(ahead !== undefined, "the file has as many bytes as its blocks need");
      this.#ahead = undefined;
      const position = this.#readPosition - ahead.bytes;
      const got = await this.#read(ahead, position);
      if (got < ahead.bytes)
        throw damaged(this.path, `the run file ends at offset ${position + got}`);
      this.#append(ahead.buffer, ahead.bytes);
      this.#readAhead();
    }
  }

  async #read(ahead: Ahead, position: number): Promise<number> {
    try {
      return await ahead.read;
    } catch (error) {
      if (systemErrorCode(error) !== "EIO") throw error;
      throw damaged(this.path, `offset ${position}: the run file cannot be read`, error);
    }
  }

  /** Makes one run of bytes of what is left in the buffer and what stands behind the front of `read`. */
  #append(read: Buffer, bytes: number): void {
    const tail = this.#end - this.#next;
    if (tail <= frontBytes) {
      this.buffer.copy(read, frontBytes - tail, this.#next, this.#end);
      if (this.buffer.length === read.length) this.#spare = this.buffer;
      else this.#spare = Buffer.allocUnsafe(read.length);
      this.buffer = read;
      this.#next = frontBytes - tail;
      this.#end = frontBytes + bytes;
      return;
    }
    // Within a row larger than a block.
    const joined = Buffer.allocUnsafe(tail + bytes);
    this.buffer.copy(joined, 0, this.#next, this.#end);
    read.copy(joined, tail, frontBytes, frontBytes + bytes);
    this.#spare = read;
    this.buffer = joined;
    this.#next = 0;
    this.#end = tail + bytes;
  }

  /** Starts the next read into the spare buffer, unless one is under way or all was read. */
  #readAhead(): void {
    const bytes = Math.min(limits.runReadBytes, this.#blocksEnd - this.#readPosition);
    if (this.#ahead !== undefined || bytes === 0) return;
    const buffer = this.#spare;
    const read = this.#handle.read(
      buffer.subarray(frontBytes, frontBytes + bytes),
      this.#readPosition,
    );
    // Who waits for it sees the error; until then nobody does, and that must not end the process.
    read.catch(() => {});
    this.#readPosition += bytes;
    this.#ahead = { buffer, bytes, read };
  }

  #checkWhole(): void {
    const footer = this.#footer;
    const whole =
      footer.blocks === this.#blocks &&
      footer.rows === this.#rows &&
      footer.blocksChecksum === this.#blocksChecksum;
    if (!whole) throw damaged(this.path, "the blocks are not those which the footer counts");
  }

  #damage(what: string): Error {
    return damaged(this.path, `block ${this.#blocks} at offset ${this.#blockPosition}: ${what}`);
  }

  #damageBefore(what: string): Error {
    return damaged(
      this.path,
      `block ${this.#blocks - 1} before offset ${this.#blockPosition}: ${what}`,
    );
  }
}

/** Checks a run's length and both its ends: that it is there and the one which the manifest names. Throws as {@link RunReader} does. */
export function checkRun(
  files: FileSystem,
  directory: string,
  partition: number,
  info: RunInfo,
): void {
  const path = `${directory}/${runFileName(info.id)}`;
  const handle = openRun(files, path);
  try {
    checkEnds(handle, path, partition, info);
  } finally {
    handle.closeSync();
  }
}

function openRun(files: FileSystem, path: string): FileHandle {
  try {
    return files.openSync(path, "read");
  } catch (error) {
    if (systemErrorCode(error) !== "ENOENT") throw error;
    throw damaged(path, "the run file is missing, and the manifest names it", error);
  }
}

function checkEnds(handle: FileHandle, path: string, partition: number, info: RunInfo): RunFooter {
  const size = handle.sizeSync();
  if (size !== info.bytes) {
    throw damaged(path, `the run file has ${size} bytes; the manifest names ${info.bytes}`);
  }
  const header = readPiece(handle, path, { position: 0, bytes: runHeaderBytes });
  checkRunHeader(header, path, { id: info.id, partition });
  const footer = readPiece(handle, path, {
    position: info.bytes - runFooterBytes,
    bytes: runFooterBytes,
  });
  return readRunFooter(footer, path, info);
}

function readPiece(
  handle: FileHandle,
  path: string,
  piece: { position: number; bytes: number },
): Buffer {
  const target = Buffer.alloc(piece.bytes);
  try {
    if (handle.readSync(target, piece.position) === piece.bytes) return target;
  } catch (error) {
    if (systemErrorCode(error) !== "EIO") throw error;
    throw damaged(path, `offset ${piece.position}: the run file cannot be read`, error);
  }
  throw damaged(path, `the run file ends before offset ${piece.position + piece.bytes}`);
}
