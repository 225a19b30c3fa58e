/** yjs, in its own terms: shared types of one `Y.Doc`, updates of the second encoding. */
import * as Y from "yjs";
import type { Json } from "../../src/patch/json.ts";
import { type Client, type Library, type Update, binary } from "./library.ts";

class YjsClient implements Client {
  readonly doc = new Y.Doc();
  readonly #members = this.doc.getMap<Json>("members");
  readonly #items = this.doc.getArray<Json>("items");
  readonly #records = this.doc.getMap<Y.Map<Json>>("records");

  constructor(listener?: (update: Update) => void) {
    if (listener === undefined) return;
    this.doc.on("updateV2", (update: Uint8Array, _origin: unknown, _doc: Y.Doc, { local }) => {
      if (local) listener(update);
    });
  }

  setMember(name: string, value: Json): void {
    this.#members.set(name, value);
  }

  insert(index: number, value: Json): void {
    this.#items.insert(index, [value]);
  }

  setField(record: number, field: string, value: Json): void {
    this.#records.get(String(record))?.set(field, value);
  }

  receiveAll(updates: readonly Update[]): void {
    this.doc.transact(() => {
      for (const update of updates) Y.applyUpdateV2(this.doc, binary(update));
    });
  }

  receive(update: Update): void {
    Y.applyUpdateV2(this.doc, binary(update));
  }

  encode(): Update {
    return Y.encodeStateAsUpdateV2(this.doc);
  }

  missing(other: Client): readonly Update[] {
    if (!(other instanceof YjsClient)) throw new TypeError("the other is of another library");
    return [Y.encodeStateAsUpdateV2(other.doc, Y.encodeStateVector(this.doc))];
  }

  members(): Json {
    return this.#members.toJSON();
  }

  items(): Json {
    return this.#items.toJSON();
  }

  fields(): Json {
    return this.#records.toJSON();
  }
}

export const yjs: Library = {
  name: "yjs",
  healEdits: 20_000,
  create: (listener) => new YjsClient(listener),
  load: (state) => {
    const client = new YjsClient();
    client.receive(state);
    return client;
  },
  records: (count, fields) => {
    const doc = new Y.Doc();
    const records = doc.getMap<Y.Map<Json>>("records");
    doc.transact(() => {
      for (let record = 0; record < count; record++)
        records.set(String(record), new Y.Map<Json>(fields.map((field) => [field, 0])));
    });
    return Y.encodeStateAsUpdateV2(doc);
  },
};
