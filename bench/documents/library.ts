/** What the document benchmarks ask of a library: a map and a list that several clients change at once, and what they send each other. */
import type { Json } from "../../src/patch/json.ts";

/** As it goes over the wire. */
export type Update = Uint8Array | string;

export interface Client {
  /** Each makes one update, which is told to the listener before it returns. */
  setMember(name: string, value: Json): void;
  insert(index: number, value: Json): void;
  /** A field of a record that {@link Library.records} made. */
  setField(record: number, field: string, value: Json): void;
  /** Takes updates of others as the library does it best when it has many. */
  receiveAll(updates: readonly Update[]): void;
  receive(update: Update): void;
  /** All that a client needs to go on, history included. */
  encode(): Update;
  /** What the other has and this one has not, as the library makes it best: for {@link receiveAll}. */
  missing(other: Client): readonly Update[];
  members(): Json;
  items(): Json;
  fields(): Json;
}

export interface Library {
  readonly name: LibraryName;
  /** Edits per side of the healed partition: fewer for one that would take a minute. */
  readonly healEdits: number;
  create(listener?: (update: Update) => void): Client;
  load(state: Update): Client;
  /** The state of a document with so many records of the fields, all 0: for `load`. */
  records(count: number, fields: readonly string[]): Update;
}

export const libraryNames = ["truba", "yjs", "automerge", "loro"] as const;
export type LibraryName = (typeof libraryNames)[number];

/** Bytes on the wire. */
export function bytesOf(update: Update): number {
  return typeof update === "string" ? Buffer.byteLength(update) : update.length;
}

/** An update of a library that sends bytes. */
export function binary(update: Update): Uint8Array {
  if (typeof update === "string") throw new TypeError("an update of bytes was expected");
  return update;
}
