/**
 * Reads records in any order, as a document's total order asks for its history: near each other mostly, but from several places in turn, one for each node that wrote while it was cut off.
 * So some pieces are kept, those that were used last.
 */
import { must } from "../base/assert.ts";
import type { FoundRecord, RecordFiles } from "./record-files.ts";

const piecesMaxCount = 16;

export class RecordReader {
  readonly #files: RecordFiles;
  /** The last used is the last. */
  #pieces: (readonly FoundRecord[])[] = [];

  constructor(files: RecordFiles) {
    this.#files = files;
  }

  /** The body of a record that is there. Throws TrubaError DOCUMENTDAMAGED. */
  async read(number: number): Promise<Buffer> {
    for (let at = this.#pieces.length - 1; at >= 0; at--) {
      const piece = must(this.#pieces[at]);
      const record = piece[number - must(piece[0]).number];
      if (record === undefined) continue;
      if (at < this.#pieces.length - 1) {
        this.#pieces.splice(at, 1);
        this.#pieces.push(piece);
      }
      return record.body;
    }
    for await (const piece of this.#files.scan(number)) {
      if (this.#pieces.length >= piecesMaxCount) this.#pieces.shift();
      this.#pieces.push(piece);
      return must(piece[0]).body;
    }
    throw new Error("a record was asked for that is not there");
  }
}
