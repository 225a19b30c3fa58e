/**
 * automerge, in its own terms: one change per edit, sent as the change itself (`getLastLocalChange`; `saveIncremental` took three times as long). Strings are
 * `ImmutableString`s, for a plain one is a text that several edit at once, which the others are not asked for.
 */
import * as automerge from "@automerge/automerge";
import type { Json } from "../../src/patch/json.ts";
import { type Client, type Library, type Update, binary } from "./library.ts";

interface Content extends Record<string, unknown> {
  members: Record<string, unknown>;
  items: unknown[];
  records: Record<string, Record<string, unknown>>;
}

const empty = automerge.save(automerge.from<Content>({ members: {}, items: [], records: {} }));

class AutomergeClient implements Client {
  doc: automerge.Doc<Content>;
  readonly #listener: ((update: Update) => void) | undefined;

  constructor(state: Uint8Array, listener?: (update: Update) => void) {
    this.doc = automerge.load<Content>(state);
    this.#listener = listener;
  }

  setMember(name: string, value: Json): void {
    this.#change((content) => (content.members[name] = native(value)));
  }

  insert(index: number, value: Json): void {
    this.#change((content) => content.items.splice(index, 0, native(value)));
  }

  setField(record: number, field: string, value: Json): void {
    this.#change((content) => {
      const found = content.records[String(record)];
      if (found !== undefined) found[field] = native(value);
    });
  }

  receiveAll(updates: readonly Update[]): void {
    [this.doc] = automerge.applyChanges(this.doc, updates.map(binary));
  }

  receive(update: Update): void {
    [this.doc] = automerge.applyChanges(this.doc, [binary(update)]);
  }

  encode(): Update {
    return automerge.save(this.doc);
  }

  missing(other: Client): readonly Update[] {
    if (!(other instanceof AutomergeClient)) throw new TypeError("the other is of another library");
    return automerge.getChanges(this.doc, other.doc);
  }

  members(): Json {
    return plain(this.doc.members);
  }

  items(): Json {
    return plain(this.doc.items);
  }

  fields(): Json {
    return plain(this.doc.records);
  }

  #change(edit: (content: Content) => void): void {
    this.doc = automerge.change(this.doc, (content) => {
      edit(content);
    });
    const update = this.#listener && automerge.getLastLocalChange(this.doc);
    if (update !== undefined) this.#listener?.(update);
  }
}

export const automergeLibrary: Library = {
  name: "automerge",
  healEdits: 5_000,
  create: (listener) => new AutomergeClient(empty, listener),
  load: (state) => new AutomergeClient(binary(state)),
  records: (count, fields) => {
    const record = Object.fromEntries(fields.map((field) => [field, 0]));
    const records = Array.from({ length: count }, (_, at) => [String(at), { ...record }]);
    return automerge.save(
      automerge.from<Content>({ members: {}, items: [], records: Object.fromEntries(records) }),
    );
  },
};

function native(value: Json): unknown {
  if (typeof value === "string") return new automerge.ImmutableString(value);
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(native);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, native(one)]));
}

function plain(value: unknown): Json {
  return JSON.parse(
    JSON.stringify(value, (_name, one: unknown) =>
      automerge.isImmutableString(one) ? one.toString() : one,
    ),
  ) as Json;
}
