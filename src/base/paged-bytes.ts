/**
 * The bytes of one file in memory, kept in pages of which those full of zeros are not stored: a zero-filled log segment costs nothing.
 * A clone shares the pages until one of the two writes to them, so a copy of a whole disk costs one map entry per stored page.
 */
import { assert } from "./assert.ts";

const pageBytes = 4_096;
const zeroPage = new Uint8Array(pageBytes);

interface Page {
  readonly bytes: Uint8Array;
  /** Who may write to it in place; everyone else copies it first. */
  readonly owner: symbol;
}

export class PagedBytes {
  readonly #pages: Map<number, Page>;
  #owner = Symbol("owner of pages");
  #size: number;

  constructor(pages = new Map<number, Page>(), size = 0) {
    this.#pages = pages;
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  /** Pages that take memory here, shared ones included. */
  get storedPages(): number {
    return this.#pages.size;
  }

  clone(): PagedBytes {
    // From now on neither owns what both hold.
    this.#owner = Symbol("owner of pages");
    return new PagedBytes(new Map(this.#pages), this.#size);
  }

  /** Copies what there is from `position` on into `target`; returns how many bytes there were. */
  read(target: Uint8Array, position: number): number {
    const count = Math.max(0, Math.min(target.length, this.#size - position));
    for (let done = 0; done < count;) {
      const { index, offset, length } = pageAt(position + done, count - done);
      const page = this.#pages.get(index);
      if (page === undefined) target.fill(0, done, done + length);
      else target.set(page.bytes.subarray(offset, offset + length), done);
      done += length;
    }
    return count;
  }

  write(bytes: Uint8Array, position: number): void {
    this.extend(position + bytes.length);
    for (let done = 0; done < bytes.length;) {
      const { index, offset, length } = pageAt(position + done, bytes.length - done);
      this.#put(index, offset, bytes.subarray(done, done + length));
      done += length;
    }
  }

  writeZeros(length: number, position: number): void {
    this.extend(position + length);
    this.#clear(position, position + length);
  }

  /** Makes it at least `size` bytes long. */
  extend(size: number): void {
    assert(Number.isSafeInteger(size), "a file has a whole number of bytes");
    this.#size = Math.max(this.#size, size);
  }

  /** Cuts it to `size` bytes if it is longer. What is written behind the cut later stands among zeros. */
  truncate(size: number): void {
    if (size >= this.#size) return;
    this.#clear(size, this.#size);
    this.#size = size;
  }

  #put(index: number, offset: number, piece: Uint8Array): void {
    const page = this.#pages.get(index);
    if (page === undefined && isZero(piece)) return;
    if (page !== undefined && piece.length === pageBytes && isZero(piece)) {
      this.#pages.delete(index);
      return;
    }
    this.#ownPage(index, page).set(piece, offset);
  }

  #ownPage(index: number, page: Page | undefined): Uint8Array {
    if (page !== undefined && page.owner === this.#owner) return page.bytes;
    const bytes = page === undefined ? new Uint8Array(pageBytes) : page.bytes.slice();
    this.#pages.set(index, { bytes, owner: this.#owner });
    return bytes;
  }

  #clear(start: number, end: number): void {
    if (this.#pages.size === 0 || start >= end) return;
    const first = Math.floor(start / pageBytes);
    const last = Math.floor((end - 1) / pageBytes);
    // Few pages in a long range: look at the pages, not at the range.
    if (last - first > this.#pages.size) {
      for (const index of this.#pages.keys()) this.#clearPage(index, start, end);
    } else {
      for (let index = first; index <= last; index++) this.#clearPage(index, start, end);
    }
  }

  /** Clears what of the page lies in the range. */
  #clearPage(index: number, start: number, end: number): void {
    const page = this.#pages.get(index);
    const from = Math.max(0, start - index * pageBytes);
    const to = Math.min(pageBytes, end - index * pageBytes);
    if (page === undefined || from >= to) return;
    if (to - from === pageBytes) this.#pages.delete(index);
    else this.#ownPage(index, page).fill(0, from, to);
  }
}

/** Whether all bytes are zero. */
export function isZero(bytes: Uint8Array): boolean {
  for (let done = 0; done < bytes.length; done += pageBytes) {
    const length = Math.min(pageBytes, bytes.length - done);
    const piece = bytes.subarray(done, done + length);
    if (
      Buffer.compare(piece, length === pageBytes ? zeroPage : zeroPage.subarray(0, length)) !== 0
    ) {
      return false;
    }
  }
  return true;
}

function pageAt(
  position: number,
  available: number,
): { index: number; offset: number; length: number } {
  const index = Math.floor(position / pageBytes);
  const offset = position - index * pageBytes;
  return { index, offset, length: Math.min(available, pageBytes - offset) };
}
