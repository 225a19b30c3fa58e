/**
 * Writes one run file: rows are encoded into blocks in memory, whole blocks leave in large asynchronous writes.
 * A file that failed once is never written again: who writes abandons it and starts another under a new id.
 */
import { assert } from "../base/assert.ts";
import { checksum, checksumNext } from "../base/checksum.ts";
import type { FileHandle, FileSystem } from "../base/file-system.ts";
import { limits } from "../base/limits.ts";
import {
  blockHeaderBytes,
  deletedBody,
  keyMaxBytes,
  runFileName,
  runFooterBytes,
  runHeaderBytes,
  runRowHeaderBytes,
  tableMaxNumber,
  writeBlockHeader,
  writeRunFooter,
  writeRunHeader,
} from "./run-format.ts";
import type { RowSource, RunIdentity, RunInfo } from "./run-format.ts";
import type { TimeSlice } from "./time-slice.ts";

/** Up to this many bytes a loop is faster than the call that copies. */
const copyByLoopMaxBytes = 48;
/** Rows between two looks at the clock. */
const rowsPerLook = 16;

export class RunWriter {
  readonly path: string;
  readonly #identity: RunIdentity;
  readonly #handle: FileHandle;
  /** [0, #sealed): whole, not yet written. [#sealed, #end): the block being filled, its header still empty. */
  #buffer: Buffer = Buffer.allocUnsafe(limits.runWriteBytes + 2 * limits.runBlockBytes);
  #sealed = runHeaderBytes;
  #end = runHeaderBytes + blockHeaderBytes;
  #blockRows = 0;
  #blocks = 0;
  #rows = 0;
  #blocksChecksum = checksum(new Uint8Array(0));
  readonly #fourBytes = Buffer.alloc(4);
  #written = 0;
  #unsynced = 0;
  #lastOrder = -1;
  #lastKey: Buffer = Buffer.alloc(keyMaxBytes);
  #lastKeyBytes = 0;

  /** Creates the file; throws the operating system's error. */
  constructor(files: FileSystem, directory: string, identity: RunIdentity) {
    this.path = `${directory}/${runFileName(identity.id)}`;
    this.#identity = identity;
    this.#handle = files.openSync(this.path, "create");
    writeRunHeader(this.#buffer, identity);
  }

  /** So much is waiting that {@link flush} should be called before the next row. */
  isFull(): boolean {
    return this.#sealed >= limits.runWriteBytes;
  }

  hasRows(): boolean {
    return this.#rows + this.#blockRows > 0;
  }

  /** Encodes one row, which must stand behind the one before it. Copies it; does no input or output. */
  add(
    table: number,
    orderHash: number,
    source: Buffer,
    keyStart: number,
    keyBytes: number,
    bodyStart: number,
    bodyBytes: number,
    deleted: boolean,
  ): void {
    assert(table >= 0 && table <= tableMaxNumber, "a table number is one byte");
    assert(keyBytes <= keyMaxBytes, "a key is at most 255 bytes");
    const body = deleted ? 0 : bodyBytes;
    const rowBytes = runRowHeaderBytes + keyBytes + body;
    if (
      this.#blockRows > 0 &&
      this.#end - this.#sealed - blockHeaderBytes + rowBytes > limits.runBlockBytes
    ) {
      this.#seal();
    }
    this.#makeRoom(rowBytes);
    this.#checkOrder(table * 0x1_0000_0000 + orderHash, source, keyStart, keyBytes);
    const buffer = this.#buffer;
    let at = this.#end;
    buffer.writeUInt32LE(deleted ? deletedBody : body, at);
    buffer.writeUInt32LE(orderHash, at + 4);
    buffer[at + 8] = table;
    buffer[at + 9] = keyBytes;
    at += runRowHeaderBytes;
    if (bodyStart === keyStart + keyBytes) {
      copy(source, keyStart, buffer, at, keyBytes + body);
    } else {
      copy(source, keyStart, buffer, at, keyBytes);
      copy(source, bodyStart, buffer, at + keyBytes, body);
    }
    this.#end += rowBytes;
    this.#blockRows++;
  }

  /** Writes all whole blocks. Throws the operating system's error; then the file is to be abandoned. */
  async flush(): Promise<void> {
    const bytes = this.#sealed;
    if (bytes === 0) return;
    await this.#handle.write(this.#buffer.subarray(0, bytes), this.#written);
    this.#written += bytes;
    this.#unsynced += bytes;
    this.#buffer.copyWithin(0, bytes, this.#end);
    this.#end -= bytes;
    this.#sealed = 0;
    if (this.#unsynced < limits.runSyncEveryBytes) return;
    // Little by little: hundreds of megabytes synced at once would hold up the log's own syncs.
    await this.#handle.syncData();
    this.#unsynced = 0;
  }

  /** Writes what is left, makes the file durable and closes it. Throws as {@link flush} does. */
  async finish(kind: RunInfo["kind"]): Promise<RunInfo> {
    if (this.#blockRows > 0) this.#seal();
    this.#makeRoom(runFooterBytes);
    const bytes = this.#written + this.#sealed + runFooterBytes;
    const id = this.#identity.id;
    const sum = writeRunFooter(this.#buffer, this.#sealed, {
      blocks: this.#blocks,
      rows: this.#rows,
      bytes,
      id,
      blocksChecksum: this.#blocksChecksum,
    });
    this.#sealed += runFooterBytes;
    this.#end = this.#sealed;
    await this.flush();
    await this.#handle.syncData();
    this.#handle.closeSync();
    return { id, kind, rows: this.#rows, bytes, checksum: sum };
  }

  /** Closes the file of an attempt that failed. */
  abandon(): void {
    try {
      this.#handle.closeSync();
    } catch {
      // Nothing depends on what is in it; it is removed, now or at the next start.
    }
  }

  #seal(): void {
    const rowsStart = this.#sealed + blockHeaderBytes;
    const sum = checksum(this.#buffer.subarray(rowsStart, this.#end));
    writeBlockHeader(this.#buffer, this.#sealed, {
      bytes: this.#end - rowsStart,
      rows: this.#blockRows,
      number: this.#blocks,
      checksum: sum,
    });
    this.#fourBytes.writeUInt32LE(sum, 0);
    this.#blocksChecksum = checksumNext(this.#blocksChecksum, this.#fourBytes);
    this.#blocks++;
    this.#rows += this.#blockRows;
    this.#blockRows = 0;
    this.#sealed = this.#end;
    this.#makeRoom(blockHeaderBytes);
    this.#end += blockHeaderBytes;
  }

  /** Only rows larger than a block make the buffer grow. */
  #makeRoom(bytes: number): void {
    const needed = this.#end + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(needed + limits.runBlockBytes);
    this.#buffer.copy(larger, 0, 0, this.#end);
    this.#buffer = larger;
  }

  #checkOrder(order: number, source: Buffer, keyStart: number, keyBytes: number): void {
    assert(order >= this.#lastOrder, "rows of a run come in the order of table and order hash");
    if (order === this.#lastOrder) {
      const compared = source.compare(
        this.#lastKey,
        0,
        this.#lastKeyBytes,
        keyStart,
        keyStart + keyBytes,
      );
      assert(compared > 0, "rows of one order hash come in the order of their keys, each key once");
    }
    this.#lastOrder = order;
    this.#lastKeyBytes = keyBytes;
    copy(source, keyStart, this.#lastKey, 0, keyBytes);
  }
}

interface Encoding {
  /** Stands on its first row. */
  readonly source: RowSource;
  readonly writer: RunWriter;
  readonly slice: TimeSlice;
  readonly dropDeleted: boolean;
}

/** Adds all rows of the source to the run, in slices; `false` if none was left to add. Throws as {@link RunWriter.flush} does. */
export async function encodeRows(encoding: Encoding): Promise<boolean> {
  const { writer, slice } = encoding;
  while (encodeSome(encoding)) {
    if (writer.isFull()) {
      await writer.flush();
      slice.restart();
    } else {
      await slice.rest();
    }
  }
  return writer.hasRows();
}

/** Encodes rows until the source ends (`false`), or the writer is full or the slice over (`true`: the source stands on the next row). */
function encodeSome({ source, writer, slice, dropDeleted }: Encoding): boolean {
  for (let looked = 1; ; looked++) {
    if (!(dropDeleted && source.deleted)) {
      writer.add(
        source.table,
        source.orderHash,
        source.source,
        source.keyStart,
        source.keyBytes,
        source.bodyStart,
        source.bodyBytes,
        source.deleted,
      );
    }
    if (!source.next()) return false;
    if (writer.isFull() || (looked % rowsPerLook === 0 && slice.isOver())) return true;
  }
}

function copy(source: Buffer, start: number, target: Buffer, at: number, bytes: number): void {
  if (bytes > copyByLoopMaxBytes) {
    source.copy(target, at, start, start + bytes);
    return;
  }
  for (let i = 0; i < bytes; i++) target[at + i] = source[start + i] as number;
}
