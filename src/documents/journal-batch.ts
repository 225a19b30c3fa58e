/**
 * The bytes of one batch of the documents' journal: the body of one entry in the node's write-ahead log, which has checksum and length.
 * All numbers are little-endian.
 *
 *     offset  bytes
 *     0       1      version, 1
 *     1       3      0
 *     4       4      records
 *     8       8      wall clock when the batch was begun, ms since 1970: when its transactions came to this node
 *     16      …      the records, one behind the other
 *
 *     record: kind u8, then by kind
 *     1 transaction  document, flags u8 (bit 0: its source counts from 0), source, id u64 (from 1), payload length u32, payload in UTF-8
 *     2 ceiling      milliseconds u64, counter u32: no clock up to here was promised before this batch was durable; all after a start is above it
 *     3 node         source: the name under which this node writes from now on, where a document has no other
 *     4 author       document, source: the name under which this node writes this document from now on
 *     5 known        count u16, that many sources: all Truba nodes that this one knows, in place of those said before
 *
 *     document: length u8, name in ASCII        source: length u16, name in UTF-8
 */
import { assert } from "../base/assert.ts";
import { readU64, writeU64 } from "../base/bytes.ts";
import { TrubaError } from "../base/errors.ts";
import type { Source, Stamp } from "./vocabulary.ts";

const version = 1;
export const batchHeaderBytes = 16;
const kinds = { transaction: 1, ceiling: 2, node: 3, author: 4, known: 5 } as const;
const countsFromZero = 1;

/** A transaction as this node keeps it. */
export interface KeptTransaction {
  readonly source: Source;
  /** From 1. */
  readonly id: number;
  readonly payload: string;
  /** Its author counts from 0: on the wire it has one less. */
  readonly zeroBased: boolean;
  /** When it came to this node, wall clock, ms. */
  readonly arrivedMs: number;
}

export type JournalRecord =
  | {
      readonly kind: "transaction";
      readonly document: string;
      readonly transaction: KeptTransaction;
    }
  | { readonly kind: "ceiling"; readonly clock: Stamp }
  | { readonly kind: "node"; readonly source: Source }
  | { readonly kind: "author"; readonly document: string; readonly source: Source }
  | { readonly kind: "known"; readonly sources: readonly Source[] };

/** One batch being gathered. */
export class JournalBatch {
  #bytes = Buffer.allocUnsafe(16_384);
  #length = batchHeaderBytes;
  #records = 0;

  get records(): number {
    return this.#records;
  }

  get length(): number {
    return this.#length;
  }

  /** What a transaction takes, at most. */
  static bytesOf(payload: string, source: Source): number {
    return 160 + source.length * 3 + payload.length * 3;
  }

  /** What these take, at most. */
  static bytesOfKnown(sources: readonly Source[]): number {
    return 8 + sources.reduce((bytes, source) => bytes + 2 + source.length * 3, 0);
  }

  transaction(
    document: string,
    { source, id, payload, zeroBased }: Omit<KeptTransaction, "arrivedMs">,
  ): void {
    this.#begin(kinds.transaction, JournalBatch.bytesOf(payload, source));
    this.#document(document);
    this.#length = this.#bytes.writeUInt8(zeroBased ? countsFromZero : 0, this.#length);
    this.#source(source);
    writeU64(this.#bytes, id, this.#length);
    const bytes = this.#bytes.write(payload, this.#length + 12, "utf8");
    this.#bytes.writeUInt32LE(bytes, this.#length + 8);
    this.#length += 12 + bytes;
  }

  ceiling({ ms, counter }: Stamp): void {
    this.#begin(kinds.ceiling, 16);
    writeU64(this.#bytes, ms, this.#length);
    this.#length = this.#bytes.writeUInt32LE(counter, this.#length + 8);
  }

  node(source: Source): void {
    this.#begin(kinds.node, 8 + source.length * 3);
    this.#source(source);
  }

  author(document: string, source: Source): void {
    this.#begin(kinds.author, 160 + source.length * 3);
    this.#document(document);
    this.#source(source);
  }

  known(sources: readonly Source[]): void {
    this.#begin(kinds.known, JournalBatch.bytesOfKnown(sources));
    this.#length = this.#bytes.writeUInt16LE(sources.length, this.#length);
    for (const source of sources) this.#source(source);
  }

  /** The batch; valid until {@link clear}. */
  seal(wallMs: number): Buffer {
    this.#bytes.writeUInt32LE(version, 0);
    this.#bytes.writeUInt32LE(this.#records, 4);
    writeU64(this.#bytes, wallMs, 8);
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = batchHeaderBytes;
    this.#records = 0;
    if (this.#bytes.length > 4_194_304) this.#bytes = Buffer.allocUnsafe(16_384);
  }

  #begin(kind: number, room: number): void {
    const wanted = this.#length + room;
    if (wanted > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(wanted, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#length = this.#bytes.writeUInt8(kind, this.#length);
    this.#records++;
  }

  #document(name: string): void {
    assert(name.length < 256, "a document's name fits into its field");
    this.#length = this.#bytes.writeUInt8(name.length, this.#length);
    this.#length += this.#bytes.write(name, this.#length, "latin1");
  }

  #source(source: Source): void {
    const bytes = this.#bytes.write(source, this.#length + 2, "utf8");
    this.#length = this.#bytes.writeUInt16LE(bytes, this.#length) + bytes;
  }
}

/** The records of a batch. `where` names the batch in errors. Throws TrubaError DATAVERSION, or DATADAMAGED when it is not a batch although its checksum is right. */
export function decodeBatch(body: Buffer, where: string): JournalRecord[] {
  const reader = new BatchReader(body, where);
  return reader.records();
}

class BatchReader {
  readonly #body: Buffer;
  readonly #where: string;
  #at = batchHeaderBytes;
  #arrivedMs = 0;

  constructor(body: Buffer, where: string) {
    this.#body = body;
    this.#where = where;
  }

  records(): JournalRecord[] {
    if (this.#body.length < batchHeaderBytes) throw this.#damaged();
    const found = this.#body.readUInt32LE(0);
    if (found !== version) {
      throw new TrubaError(
        "DATAVERSION",
        `${this.#where} has version ${found}; this version of Truba reads ${version}`,
      );
    }
    const count = this.#body.readUInt32LE(4);
    this.#arrivedMs = readU64(this.#body, 8);
    const records: JournalRecord[] = [];
    for (let n = 0; n < count; n++) records.push(this.#record());
    if (this.#at !== this.#body.length) throw this.#damaged();
    return records;
  }

  #record(): JournalRecord {
    const kind = this.#body.readUInt8(this.#take(1));
    switch (kind) {
      case kinds.transaction: {
        const document = this.#document();
        const flags = this.#body.readUInt8(this.#take(1));
        const source = this.#source();
        const id = readU64(this.#body, this.#take(8));
        const payload = this.#text(this.#body.readUInt32LE(this.#take(4)));
        const zeroBased = (flags & countsFromZero) !== 0;
        const arrivedMs = this.#arrivedMs;
        return {
          kind: "transaction",
          document,
          transaction: { source, id, payload, zeroBased, arrivedMs },
        };
      }
      case kinds.ceiling: {
        const ms = readU64(this.#body, this.#take(8));
        return { kind: "ceiling", clock: { ms, counter: this.#body.readUInt32LE(this.#take(4)) } };
      }
      case kinds.node:
        return { kind: "node", source: this.#source() };
      case kinds.author:
        return { kind: "author", document: this.#document(), source: this.#source() };
      case kinds.known: {
        const count = this.#body.readUInt16LE(this.#take(2));
        return { kind: "known", sources: Array.from({ length: count }, () => this.#source()) };
      }
      default:
        throw this.#damaged();
    }
  }

  #document(): string {
    return this.#text(this.#body.readUInt8(this.#take(1)));
  }

  #source(): Source {
    return this.#text(this.#body.readUInt16LE(this.#take(2)));
  }

  #text(bytes: number): string {
    const at = this.#take(bytes);
    return this.#body.toString("utf8", at, at + bytes);
  }

  /** Where the next `bytes` stand. */
  #take(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    if (this.#at > this.#body.length) throw this.#damaged();
    return at;
  }

  #damaged(): TrubaError {
    return new TrubaError("DATADAMAGED", `${this.#where} cannot be read at byte ${this.#at}`);
  }
}
