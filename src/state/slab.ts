/**
 * The memory that rows live in: outside the JavaScript heap, so that a million rows cost the garbage collector nothing and
 * a row costs its bytes rather than an object, a string and a map entry.
 *
 * Blocks of up to 8 KiB are carved from 64 KiB chunks, each chunk for one size class; a larger block is a chunk of its own. A chunk
 * that holds no block any more is given back. Addresses count 8-byte words and fit in 32 bits (32 GiB per slab); 0 is none.
 *
 *     address = chunk number × 8192 + offset in the chunk / 8
 */
import { assert, must } from "../base/assert.ts";

const chunkBytes = 65_536;
const wordsPerChunk = chunkBytes / 8;
const smallMaxBytes = 8_192;
const chunksMaxCount = 0x1_0000_0000 / wordsPerChunk;

/** Size classes: steps of 8 bytes up to 256, then sixteen steps for each doubling: at most 6 % is lost to rounding. */
const classBytes: readonly number[] = makeClasses();
const classOfWords = makeClassTable();
const largeClass = 255;

function makeClasses(): number[] {
  const sizes: number[] = [];
  for (let size = 24; size <= 256; size += 8) sizes.push(size);
  for (let base = 256; base < smallMaxBytes; base *= 2) {
    for (let step = 1; step <= 16; step++) sizes.push(base + (base / 16) * step);
  }
  return sizes;
}

function makeClassTable(): Uint8Array {
  const table = new Uint8Array(smallMaxBytes / 8 + 1);
  let next = 0;
  for (let words = 0; words < table.length; words++) {
    while (must(classBytes[next]) < words * 8) next++;
    table[words] = next;
  }
  return table;
}

/** Blocks of bytes by address. Not cleared when allocated. */
export class Slab {
  /** Memory of each chunk; what is free holds an empty buffer. Chunk 0 is never used, so that no block has address 0. */
  readonly #chunks: Buffer[] = [Buffer.alloc(0)];
  readonly #words: Int32Array[] = [new Int32Array(0)];
  /** Per chunk: size class, live blocks, head of its free blocks (byte offset, -1 = none), first never used byte, place in the list below (-1 = not in it). */
  readonly #class: number[] = [largeClass];
  readonly #live: number[] = [0];
  readonly #free: number[] = [-1];
  readonly #fresh: number[] = [0];
  readonly #place: number[] = [-1];
  /** Per size class: chunks with room. */
  readonly #roomy: number[][] = classBytes.map(() => []);
  readonly #emptyNumbers: number[] = [];
  #chunkMemoryBytes = 0;

  /** Memory taken from the system, in bytes. */
  get memoryBytes(): number {
    return this.#chunkMemoryBytes;
  }

  /** The memory a block lies in; valid until the block is freed. */
  buffer(address: number): Buffer {
    return this.#chunks[address >>> 13] as Buffer;
  }

  /** The same memory as 32-bit words. */
  words(address: number): Int32Array {
    return this.#words[address >>> 13] as Int32Array;
  }

  /** Where in {@link buffer} the block begins, in bytes. */
  offset(address: number): number {
    return (address & (wordsPerChunk - 1)) << 3;
  }

  /** A block of at least `bytes` bytes, on a multiple of 8. */
  allocate(bytes: number): number {
    if (bytes > smallMaxBytes) return this.#allocateLarge(bytes);
    const sizeClass = must(classOfWords[(bytes + 7) >>> 3]);
    const roomy = must(this.#roomy[sizeClass]);
    const chunk = roomy.length > 0 ? must(roomy[roomy.length - 1]) : this.#addChunk(sizeClass);
    const size = must(classBytes[sizeClass]);
    this.#live[chunk] = must(this.#live[chunk]) + 1;
    let offset = must(this.#free[chunk]);
    if (offset >= 0) {
      this.#free[chunk] = must(must(this.#words[chunk])[offset >> 2]);
    } else {
      offset = must(this.#fresh[chunk]);
      this.#fresh[chunk] = offset + size;
    }
    if (must(this.#free[chunk]) < 0 && must(this.#fresh[chunk]) + size > chunkBytes)
      this.#leaveRoomy(chunk, roomy);
    return chunk * wordsPerChunk + (offset >>> 3);
  }

  /** Gives a block back. Its address must not be used again. */
  free(address: number): void {
    const chunk = address >>> 13;
    const sizeClass = must(this.#class[chunk]);
    const live = must(this.#live[chunk]) - 1;
    assert(live >= 0, "a block is freed twice");
    this.#live[chunk] = live;
    if (sizeClass === largeClass) {
      this.#release(chunk);
      return;
    }
    const roomy = must(this.#roomy[sizeClass]);
    if (live === 0 && roomy.length > 1) {
      if (must(this.#place[chunk]) >= 0) this.#leaveRoomy(chunk, roomy);
      this.#release(chunk);
      return;
    }
    const offset = this.offset(address);
    must(this.#words[chunk])[offset >> 2] = must(this.#free[chunk]);
    this.#free[chunk] = offset;
    if (must(this.#place[chunk]) < 0) {
      this.#place[chunk] = roomy.length;
      roomy.push(chunk);
    }
  }

  #allocateLarge(bytes: number): number {
    const chunk = this.#takeNumber(largeClass, Math.ceil(bytes / 64) * 64);
    this.#live[chunk] = 1;
    return chunk * wordsPerChunk;
  }

  #addChunk(sizeClass: number): number {
    const chunk = this.#takeNumber(sizeClass, chunkBytes);
    const roomy = must(this.#roomy[sizeClass]);
    this.#place[chunk] = roomy.length;
    roomy.push(chunk);
    return chunk;
  }

  #takeNumber(sizeClass: number, bytes: number): number {
    const chunk = this.#emptyNumbers.pop() ?? this.#chunks.length;
    assert(chunk < chunksMaxCount, "a slab holds more than 32 GiB");
    const buffer = Buffer.allocUnsafeSlow(bytes);
    this.#chunks[chunk] = buffer;
    this.#words[chunk] = new Int32Array(buffer.buffer, 0, bytes >>> 2);
    this.#class[chunk] = sizeClass;
    this.#live[chunk] = 0;
    this.#free[chunk] = -1;
    this.#fresh[chunk] = 0;
    this.#place[chunk] = -1;
    this.#chunkMemoryBytes += bytes;
    return chunk;
  }

  #leaveRoomy(chunk: number, roomy: number[]): void {
    const place = must(this.#place[chunk]);
    const last = must(roomy.pop());
    if (last !== chunk) {
      roomy[place] = last;
      this.#place[last] = place;
    }
    this.#place[chunk] = -1;
  }

  #release(chunk: number): void {
    this.#chunkMemoryBytes -= must(this.#chunks[chunk]).length;
    this.#chunks[chunk] = must(this.#chunks[0]);
    this.#words[chunk] = must(this.#words[0]);
    this.#emptyNumbers.push(chunk);
  }
}
