/**
 * What is measured, for every library alike. B1 and B3 are the definitions of github.com/dmonad/crdt-benchmarks (js-lib/b1.js, b3.js) with N = 6000; the healed
 * partition is ours. Each checks that what comes out is right: a library that is wrong is not fast.
 */
import { isDeepStrictEqual } from "node:util";
import { deflateRawSync } from "node:zlib";
import { must } from "../../src/base/assert.ts";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import type { Json } from "../../src/patch/json.ts";
import { spread } from "../measure.ts";
import { type Client, type Library, type Update, bytesOf } from "./library.ts";

const count = 6_000;
/** 20√N. */
const clientCount = Math.floor(Math.sqrt(count)) * 20;
/** Clients of B3 that are timed as they take everything at once. */
const batchRuns = 5;
/** For updates that are taken one by one. */
export const patienceMs = 1_000;
const records = 480;
const fields = ["name", "price", "count", "note"];

/** Milliseconds and bytes; those that a cell does not have are absent. */
export interface Measurement {
  /** What is compared: B1, all edits and their way to the other client; B3, one client takes the updates of all at once; heal, the other side's edits in one batch. */
  readonly timeMs: number;
  /** B1: of it the edits, which are all that the definition times. */
  readonly editMs?: number;
  /** B3: one client takes them one by one, in the order in which they were made, and the other way round; Infinity: given up after {@link patienceMs}. */
  readonly singleMs?: number;
  readonly reverseMs?: number;
  readonly encodeMs: number;
  readonly parseMs: number;
  /** On average, of one edit. */
  readonly updateBytes: number;
  readonly documentBytes: number;
  readonly deflatedBytes: number;
  /** Of a client that has loaded the document. */
  readonly memoryBytes: number;
}

export type CellName = "B1.8" | "B1.10" | "B1.11" | "B3.1" | "B3.2" | "B3.3" | "B3.4" | "heal";

export interface Cell {
  readonly name: CellName;
  readonly title: string;
  run(library: Library): Measurement;
}

export const cells: readonly Cell[] = [
  {
    name: "B1.8",
    title: `append ${count} numbers`,
    run: (library) => insertAll(library, appended),
  },
  {
    name: "B1.10",
    title: `prepend ${count} numbers`,
    run: (library) => insertAll(library, prepended),
  },
  {
    name: "B1.11",
    title: `insert ${count} numbers at random places`,
    run: (library) => insertAll(library, scattered),
  },
  {
    name: "B3.1",
    title: `${clientCount} clients set a number in a map`,
    run: (library) => meet(library, (client, at) => client.setMember("v", at)),
  },
  {
    name: "B3.2",
    title: `${clientCount} clients set an object in a map`,
    run: (library) =>
      meet(library, (client, at) => client.setMember("v", { name: String(at), address: "here" })),
  },
  {
    name: "B3.3",
    title: `${clientCount} clients set a string in a map`,
    run: (library) =>
      meet(library, (client, at) => client.setMember("v", String(at).repeat(clientCount))),
  },
  {
    name: "B3.4",
    title: `${clientCount} clients insert in a list`,
    run: (library) => meet(library, (client, at) => client.insert(0, String(at))),
  },
  { name: "heal", title: "a partition heals, edits of fields on both sides", run: heal },
];

interface Insertion {
  readonly index: number;
  readonly value: number;
}

function appended(random: SeededRandom): Insertion[] {
  return Array.from({ length: count }, (_, index) => ({ index, value: random.u32() >>> 1 }));
}

function prepended(random: SeededRandom): Insertion[] {
  return Array.from({ length: count }, () => ({ index: 0, value: random.u32() >>> 1 }));
}

function scattered(random: SeededRandom): Insertion[] {
  return Array.from({ length: count }, (_, length) => ({
    index: randomBelow(random, length + 1),
    value: random.u32() >>> 1,
  }));
}

function insertAll(library: Library, draw: (random: SeededRandom) => Insertion[]): Measurement {
  const insertions = draw(new SeededRandom(42));
  const expected: number[] = [];
  for (const { index, value } of insertions) expected.splice(index, 0, value);
  const updates: Update[] = [];
  const first = library.create((update) => updates.push(update));
  const second = library.create();
  const editMs = timed(() => {
    for (const { index, value } of insertions) first.insert(index, value);
  });
  const otherMs = timed(() => {
    for (const update of updates) second.receive(update);
  });
  check(library, "items", first.items(), expected);
  check(library, "items", second.items(), expected);
  return {
    timeMs: editMs + otherMs,
    editMs,
    updateBytes: averageBytes(updates, count),
    ...stored(library, first, (client) => client.items()),
  };
}

/** Every client makes one change that no other knows; then some of them are given all. */
function meet(library: Library, change: (client: Client, at: number) => void): Measurement {
  const updates: Update[] = [];
  const clients = Array.from({ length: clientCount }, () =>
    library.create((update) => updates.push(update)),
  );
  for (const [at, client] of clients.entries()) change(client, at);
  const [reference, ...others] = clients;
  must(reference).receiveAll(updates);
  const all = others.slice(0, batchRuns).map((client) => timed(() => client.receiveAll(updates)));
  const singleMs = oneByOne(must(others[batchRuns]), updates);
  const reverseMs = oneByOne(must(others[batchRuns + 1]), updates.toReversed());
  for (const client of others.slice(0, batchRuns))
    check(library, "content", content(client), content(must(reference)));
  return {
    timeMs: spread(all).median,
    singleMs,
    reverseMs,
    updateBytes: averageBytes(updates, clientCount),
    ...stored(library, must(reference), content),
  };
}

function content(client: Client): Json {
  return [client.members(), client.items()];
}

function heal(library: Library): Measurement {
  const start = library.records(records, fields);
  const [left, right] = [library.load(start), library.load(start)];
  const edits = library.healEdits;
  const random = new SeededRandom(7);
  for (let edit = 0; edit < 2 * edits; edit++) {
    const side = edit % 2 === 0 ? left : right;
    const field = must(fields[randomBelow(random, fields.length)]);
    side.setField(randomBelow(random, records), field, random.u32());
  }
  const toLeft = left.missing(right);
  const toRight = right.missing(left);
  const timeMs = timed(() => left.receiveAll(toLeft));
  right.receiveAll(toRight);
  check(library, "fields", left.fields(), right.fields());
  return {
    timeMs,
    updateBytes: averageBytes(toLeft, edits),
    ...stored(library, left, (client) => client.fields()),
  };
}

function stored(library: Library, client: Client, look: (client: Client) => Json) {
  let state: Update = "";
  const encodeMs = timed(() => (state = client.encode()));
  const before = heldBytes();
  let loaded: Client | undefined;
  const parseMs = timed(() => (loaded = library.load(state)));
  const memoryBytes = Math.max(0, heldBytes() - before);
  check(library, "loaded", look(must(loaded)), look(client));
  const deflatedBytes = deflateRawSync(state).length;
  return { encodeMs, parseMs, memoryBytes, documentBytes: bytesOf(state), deflatedBytes };
}

/** What JavaScript holds and what stands outside its heap, the memory of WebAssembly among it. */
function heldBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function oneByOne(client: Client, updates: readonly Update[]): number {
  const start = performance.now();
  for (const update of updates) {
    client.receive(update);
    if (performance.now() - start > patienceMs) return Infinity;
  }
  return performance.now() - start;
}

function averageBytes(updates: readonly Update[], edits: number): number {
  return Math.round(updates.reduce((sum, update) => sum + bytesOf(update), 0) / edits);
}

function timed(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function check(library: Library, what: string, actual: Json, expected: Json): void {
  if (isDeepStrictEqual(actual, expected)) return;
  const [text, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  throw new Error(`${library.name}: ${what} ${text.slice(0, 200)} is not ${wanted.slice(0, 200)}`);
}
