/** loro, in its own terms: one container of each kind; an update is what was added since the last export. */
import { LoroDoc, LoroMap, type Value, type VersionVector } from "loro-crdt";
import type { Json } from "../../src/patch/json.ts";
import { type Client, type Library, type Update, binary } from "./library.ts";

class LoroClient implements Client {
  readonly doc = new LoroDoc();
  readonly #members = this.doc.getMap("members");
  readonly #items = this.doc.getList("items");
  readonly #listener: ((update: Update) => void) | undefined;
  #told: VersionVector | undefined;

  constructor(listener?: (update: Update) => void) {
    this.#listener = listener;
  }

  setMember(name: string, value: Json): void {
    this.#members.set(name, value as Value);
    this.#tell();
  }

  insert(index: number, value: Json): void {
    this.#items.insert(index, value as Value);
    this.#tell();
  }

  setField(record: number, field: string, value: Json): void {
    const found = this.doc.getMap("records").get(String(record));
    if (found instanceof LoroMap) found.set(field, value as Value);
    this.#tell();
  }

  receiveAll(updates: readonly Update[]): void {
    this.doc.importBatch(updates.map(binary));
  }

  receive(update: Update): void {
    this.doc.import(binary(update));
  }

  encode(): Update {
    return this.doc.export({ mode: "snapshot" });
  }

  missing(other: Client): readonly Update[] {
    if (!(other instanceof LoroClient)) throw new TypeError("the other is of another library");
    return [other.doc.export({ mode: "update", from: this.doc.version() })];
  }

  members(): Json {
    return this.#members.toJSON() as Json;
  }

  items(): Json {
    return this.#items.toJSON() as Json;
  }

  fields(): Json {
    return this.doc.getMap("records").toJSON() as Json;
  }

  #tell(): void {
    if (this.#listener === undefined) {
      this.doc.commit();
      return;
    }
    const from = this.#told;
    this.#listener(
      this.doc.export(from === undefined ? { mode: "update" } : { mode: "update", from }),
    );
    this.#told = this.doc.version();
  }
}

export const loro: Library = {
  name: "loro",
  healEdits: 20_000,
  create: (listener) => new LoroClient(listener),
  load: (state) => {
    const client = new LoroClient();
    client.receive(state);
    return client;
  },
  records: (count, fields) => {
    const client = new LoroClient();
    const records = client.doc.getMap("records");
    for (let record = 0; record < count; record++) {
      const made = records.setContainer(String(record), new LoroMap());
      for (const field of fields) made.set(field, 0);
    }
    return client.encode();
  },
};
