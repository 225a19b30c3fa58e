/**
 * Truba's replica: one transaction per edit, sent as the text that goes over a link. Disk and network are left out, as for the others. The document begins with a
 * first transaction that all have, as automerge's does with a first change.
 */
import { must } from "../../src/base/assert.ts";
import { limits } from "../../src/base/limits.ts";
import { SystemClock } from "../../src/base/system-clock.ts";
import { HybridClock } from "../../src/documents/hybrid-clock.ts";
import { decodeMessage, transactionText } from "../../src/documents/links/wire.ts";
import { Replica } from "../../src/documents/replica.ts";
import type { WireTransaction } from "../../src/documents/exchange.ts";
import type { StoredTransaction } from "../../src/documents/ledger.ts";
import type { Json, JsonObject } from "../../src/patch/json.ts";
import type { Client, Library, Update } from "./library.ts";

const origin = "origin";

export class TrubaClient implements Client {
  readonly replica: Replica;
  /** All transactions, in the order in which they were taken. */
  readonly log: StoredTransaction[] = [];
  readonly #listener: ((update: Update) => void) | undefined;

  constructor(
    start: Iterable<StoredTransaction>,
    source: string,
    listener?: (update: Update) => void,
  ) {
    this.#listener = listener;
    this.replica = new Replica({
      name: "default",
      source,
      lenient: false,
      clock: new HybridClock(new SystemClock()),
    });
    for (const transaction of start) this.log.push(transaction);
    this.replica.restore(this.log);
    this.replica.restored();
  }

  setMember(name: string, value: Json): void {
    this.edit({ op: "add", path: `/members/${name}`, value });
  }

  insert(index: number, value: Json): void {
    this.edit({ op: "add", path: `/items/${index}`, value });
  }

  setField(record: number, field: string, value: Json): void {
    this.edit({ op: "replace", path: `/records/${record}/${field}`, value });
  }

  edit(operation: JsonObject): void {
    const issued = this.replica.issue([operation]);
    if (issued.kind === "rejected") throw new Error(issued.text);
    for (const transaction of issued.transactions) {
      this.log.push(transaction);
      this.#listener?.(textOf(transaction));
    }
  }

  receiveAll(updates: readonly Update[]): void {
    this.#take(updates.flatMap(decoded));
  }

  receive(update: Update): void {
    this.#take(decoded(update));
  }

  encode(): Update {
    return `[${this.log.map(textOf).join(",")}]`;
  }

  missing(other: Client): readonly Update[] {
    if (!(other instanceof TrubaClient)) throw new TypeError("the other is of another library");
    const { vclock } = this.replica;
    return batches(other.log.filter(({ source, id }) => id > (vclock[source] ?? 0)));
  }

  members(): Json {
    return this.#part("members");
  }

  items(): Json {
    return this.#part("items");
  }

  fields(): Json {
    return this.#part("records");
  }

  #take(transactions: readonly WireTransaction[]): void {
    const received = this.replica.receive(transactions, "truba");
    for (const transaction of received.accepted) this.log.push(transaction);
    for (const transaction of received.issued) this.log.push(transaction);
  }

  #part(name: string): Json {
    return must((this.replica.value as JsonObject)[name]);
  }
}

function textOf({ source, id, payload }: StoredTransaction): string {
  return transactionText({ source, id, payload });
}

/** As a link sends them when it catches up. */
export function batches(transactions: readonly StoredTransaction[]): string[] {
  const texts: string[] = [];
  let parts: string[] = [];
  let length = 0;
  for (const transaction of transactions) {
    const text = textOf(transaction);
    if (length + text.length > limits.documentBatchMaxBytes && parts.length > 0) {
      texts.push(`[${parts.join(",")}]`);
      parts = [];
      length = 0;
    }
    parts.push(text);
    length += text.length;
  }
  if (parts.length > 0) texts.push(`[${parts.join(",")}]`);
  return texts;
}

function decoded(update: Update): WireTransaction[] {
  if (typeof update !== "string") throw new TypeError("an update of text was expected");
  const message = decodeMessage(update.startsWith("[") ? update : `[${update}]`);
  if (message.kind !== "transactions") throw new Error(`these are no transactions: ${update}`);
  return message.transactions.map(({ transaction }) => transaction);
}

/** A document of this content, as one transaction that all clients begin with. */
export function firstTransaction(content: Json): StoredTransaction {
  const replica = new Replica({
    name: "default",
    source: origin,
    lenient: false,
    clock: new HybridClock(new SystemClock()),
  });
  replica.restored();
  const issued = replica.issue([{ op: "add", path: "", value: content }]);
  if (issued.kind === "rejected") throw new Error(issued.text);
  return must(issued.transactions[0]);
}

const empty = firstTransaction({ members: {}, items: [], records: {} });
let clients = 0;

export const truba: Library = {
  name: "truba",
  healEdits: 20_000,
  create: (listener) => new TrubaClient([empty], `client-${++clients}`, listener),
  load: (state) => new TrubaClient(decoded(state), `client-${++clients}`),
  records: (count, fields) => {
    const record = Object.fromEntries(fields.map((field) => [field, 0]));
    const records = Object.fromEntries(Array.from({ length: count }, (_, at) => [at, record]));
    const first = firstTransaction({ members: {}, items: [], records });
    return `[${textOf(first)}]`;
  },
};
