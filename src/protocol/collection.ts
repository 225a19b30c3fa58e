/** Collects a request that arrives in pieces: a buffer of its own that doubles as bytes arrive, so that each is copied a bounded number of times and memory follows what has arrived. */

const nothing = Buffer.alloc(0);

/** The first size. */
const minBytes = 256;

export class Collection {
  /** What was collected, up to `length`; behind that it has no meaning. */
  buffer: Buffer = nothing;
  length = 0;
  /** Bytes copied since the start: a measure for tests, linear in the bytes added. */
  workBytes = 0;

  /** Memory held. */
  get heldBytes(): number {
    return this.buffer.length;
  }

  add(source: Buffer, start: number, end: number): void {
    const needed = this.length + end - start;
    if (needed > this.buffer.length) {
      // Not from Node's pool: a small buffer there would hold the whole pool.
      const larger = Buffer.allocUnsafeSlow(Math.max(minBytes, needed, this.length * 2));
      this.buffer.copy(larger, 0, 0, this.length);
      this.workBytes += this.length;
      this.buffer = larger;
    }
    source.copy(this.buffer, this.length, start, end);
    this.workBytes += end - start;
    this.length = needed;
  }

  /** Lets go of the buffer, which may be kept by whoever has it. */
  clear(): void {
    this.buffer = nothing;
    this.length = 0;
  }
}
