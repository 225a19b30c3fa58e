/** The segments in use, oldest first; the last one is written. */
import { must } from "../base/assert.ts";
import type { FileSystem } from "../base/file-system.ts";
import type { Segment } from "./segment.ts";

export class SegmentList {
  readonly #files: FileSystem;
  readonly #segments: Segment[] = [];
  readonly #byId = new Map<number, Segment>();

  constructor(files: FileSystem) {
    this.#files = files;
  }

  get count(): number {
    return this.#segments.length;
  }

  get bytes(): number {
    return this.#segments.reduce((sum, { length }) => sum + length, 0);
  }

  add(segment: Omit<Segment, "reader">): void {
    const opened = { ...segment, reader: this.#files.openSync(segment.path, "read") };
    this.#segments.push(opened);
    this.#byId.set(segment.id, opened);
  }

  byId(id: number): Segment {
    return must(this.#byId.get(id));
  }

  /** Closes and gives the oldest segments, as far as none from `needed` on is among them and the log can begin with the next one. */
  release(needed: number): readonly Segment[] {
    const first = this.#segments.findLastIndex(({ id, canBegin }) => id <= needed && canBegin);
    if (first <= 0) return [];
    const released = this.#segments.splice(0, first);
    for (const segment of released) {
      this.#byId.delete(segment.id);
      segment.reader.closeSync();
    }
    return released;
  }

  close(): void {
    for (const { reader } of this.#segments) reader.closeSync();
  }
}
