/**
 * One file of the simulated disk: what is durable, what the process sees (the page cache), and between the two the writes that no sync
 * has covered yet, in order. A power loss chooses among their sectors.
 */
import { isZero, PagedBytes } from "../src/base/paged-bytes.ts";

export const sectorBytes = 512;

/** A write that was not synced. */
export interface PendingWrite {
  /** Rises over the whole disk. */
  readonly sequence: number;
  readonly position: number;
  readonly length: number;
  /** `undefined` if all of it is zeros. */
  readonly bytes: Uint8Array | undefined;
}

export class DiskFile {
  readonly kind = "file";
  /** The last name that it was given; for messages and choosers. */
  path: string;
  #durable: PagedBytes;
  #current: PagedBytes;
  #pending: PendingWrite[];

  constructor(
    path: string,
    durable = new PagedBytes(),
    current = new PagedBytes(),
    pending: PendingWrite[] = [],
  ) {
    this.path = path;
    this.#durable = durable;
    this.#current = current;
    this.#pending = pending;
  }

  get size(): number {
    return this.#current.size;
  }

  get pending(): readonly PendingWrite[] {
    return this.#pending;
  }

  get storedPages(): number {
    return this.#durable.storedPages + this.#current.storedPages;
  }

  clone(): DiskFile {
    return new DiskFile(this.path, this.#durable.clone(), this.#current.clone(), [
      ...this.#pending,
    ]);
  }

  read(target: Uint8Array, position: number): number {
    return this.#current.read(target, position);
  }

  /** Copies the bytes: `slice` of a Buffer would not. */
  write(bytes: Uint8Array, position: number, sequence: number): void {
    const { length } = bytes;
    if (length === 0) return;
    const copy = isZero(bytes) ? undefined : new Uint8Array(bytes);
    const write: PendingWrite = { sequence, position, length, bytes: copy };
    apply(this.#current, write);
    this.#pending.push(write);
  }

  /** Makes the writes up to `sequence` durable. */
  sync(sequence: number): void {
    for (const write of this.#takePending(sequence)) apply(this.#durable, write);
  }

  /**
   * A sync that failed, as on Linux: the pages count as clean afterwards. The process goes on seeing what it wrote, no later sync makes it
   * durable unless it is written again, and a power loss takes it.
   */
  failSync(sequence: number): void {
    this.#takePending(sequence);
  }

  /** Changes what is durable and what is seen alike, as a fault of the medium does. */
  damage(change: (bytes: PagedBytes) => void): void {
    change(this.#durable);
    change(this.#current);
  }

  /** Puts the first `keptBytes` of one sector of a write onto what is durable: part of a power loss. */
  keepSector(write: PendingWrite, sector: { offset: number; keptBytes: number }): void {
    const { offset, keptBytes } = sector;
    const position = write.position + offset;
    if (write.bytes === undefined) this.#durable.writeZeros(keptBytes, position);
    else this.#durable.write(write.bytes.subarray(offset, offset + keptBytes), position);
  }

  /** Ends a power loss: what is durable is all that is left, at its full length if the file system had recorded that already. */
  loseRest(keepLength: boolean): void {
    if (keepLength) {
      for (const { position, length } of this.#pending) this.#durable.extend(position + length);
    }
    this.#pending = [];
    this.#current = this.#durable.clone();
  }

  #takePending(sequence: number): PendingWrite[] {
    let count = 0;
    for (const write of this.#pending) {
      if (write.sequence > sequence) break;
      count++;
    }
    return this.#pending.splice(0, count);
  }
}

function apply(target: PagedBytes, write: PendingWrite): void {
  if (write.bytes === undefined) target.writeZeros(write.length, write.position);
  else target.write(write.bytes, write.position);
}
