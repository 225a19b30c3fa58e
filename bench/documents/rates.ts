/** What only Truba is asked: how fast it takes what comes in order, also into a large document, and how many bytes a catch-up costs. */
import { deflateRawSync } from "node:zlib";
import { must } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { SystemClock } from "../../src/base/system-clock.ts";
import { HybridClock } from "../../src/documents/hybrid-clock.ts";
import { Replica } from "../../src/documents/replica.ts";
import type { WireTransaction } from "../../src/documents/exchange.ts";
import type { StoredTransaction } from "../../src/documents/ledger.ts";
import type { Json, JsonObject } from "../../src/patch/json.ts";
import { spread } from "../measure.ts";
import { batches } from "./truba.ts";

export interface Rates {
  readonly issuesPerSecond: number;
  readonly appendsPerSecond: number;
  readonly batchedPerSecond: number;
  readonly largeBytes: number;
  readonly largeMembers: number;
  readonly largePerSecond: number;
  /** Of one transaction, in the batches of a catch-up. */
  readonly catchUpBytes: number;
  readonly catchUpPlainBytes: number;
  /** In a batch of the greatest size. */
  readonly batchTransactions: number;
}

const edits = 60_000;
const recordCount = 480;
const batchCount = 500;
const largeMembers = 23_000;
const membersPerPatch = 1_000;
/** Of each figure the median. */
const runs = 5;

export function rates(): Rates {
  const records = Object.fromEntries(
    Array.from({ length: recordCount }, (_, at) => [at, { name: "n", price: 0, count: 0 }]),
  );
  const own = edited(records, edits, new SystemClock());
  const large = Object.fromEntries(
    Array.from({ length: largeMembers }, (_, at) => [`member-${at}`, largeMember(at)]),
  );
  const largeEdits = edited(large, edits, new SystemClock());
  const slow = edited(records, 20_000, new Strolling());
  const texts = batches(slow.made);
  const bytes = (of: (text: string) => number): number =>
    texts.reduce((sum, text) => sum + of(text), 0) / slow.made.length;
  return {
    issuesPerSecond: median(() => edited(records, edits, new SystemClock()).perSecond),
    appendsPerSecond: median(() => taken(own, 1)),
    batchedPerSecond: median(() => taken(own, batchCount)),
    largeBytes: JSON.stringify(large).length,
    largeMembers,
    largePerSecond: median(() => taken(largeEdits, batchCount)),
    catchUpBytes: bytes((text) => deflateRawSync(text).length),
    catchUpPlainBytes: bytes((text) => Buffer.byteLength(text)),
    batchTransactions: Math.round(slow.made.length / texts.length),
  };
}

/** A document and what was done to it. */
interface Story {
  /** What made the document, of no more than a patch may have each. */
  readonly first: readonly StoredTransaction[];
  readonly made: readonly StoredTransaction[];
  readonly perSecond: number;
}

/** So many members, or items, of a document get another price, one after the other. */
function edited(content: JsonObject, count: number, clock: Clock): Story {
  const author = newReplica("author", clock);
  const names = Object.keys(content);
  const first = issue(author, [{ op: "add", path: "", value: {} }]);
  for (let at = 0; at < names.length; at += membersPerPatch) {
    const some = names.slice(at, at + membersPerPatch);
    const adds = some.map((name) => ({ op: "add", path: `/${name}`, value: must(content[name]) }));
    first.push(...issue(author, adds));
  }
  const random = new SeededRandom(1);
  const operations = Array.from({ length: count }, () => ({
    op: "replace",
    path: `/${must(names[randomBelow(random, names.length)])}/price`,
    value: random.u32() % 10_000,
  }));
  const made: StoredTransaction[] = [];
  const start = performance.now();
  for (const operation of operations) made.push(...issue(author, [operation]));
  const perSecond = (count / (performance.now() - start)) * 1_000;
  return { first, made, perSecond };
}

/** How fast another replica takes it, so many at a time. */
function taken({ first, made }: Story, atOnce: number): number {
  const reader = newReplica("reader", new SystemClock());
  reader.receive(first.map(wire), "truba");
  const batchesOf: WireTransaction[][] = [];
  for (let at = 0; at < made.length; at += atOnce)
    batchesOf.push(made.slice(at, at + atOnce).map(wire));
  const start = performance.now();
  for (const batch of batchesOf) reader.receive(batch, "truba");
  const ms = performance.now() - start;
  if (reader.transactions !== made.length + first.length || reader.rejected > 0)
    throw new Error(`${reader.transactions} transactions were taken, ${reader.rejected} rejected`);
  return (made.length / ms) * 1_000;
}

function wire({ source, id, payload }: StoredTransaction): WireTransaction {
  return { source, id, payload };
}

function issue(replica: Replica, operations: readonly JsonObject[]): StoredTransaction[] {
  const issued = replica.issue(operations);
  if (issued.kind === "rejected") throw new Error(issued.text);
  return [...issued.transactions];
}

function newReplica(source: string, clock: Clock): Replica {
  const hybrid = new HybridClock(clock);
  const replica = new Replica({ name: "bench", source, lenient: false, clock: hybrid });
  replica.restored();
  return replica;
}

function largeMember(at: number): Json {
  return { name: `thing number ${at}`, price: at, note: "x".repeat(150), stock: [at, 2 * at] };
}

function median(run: () => number): number {
  return spread(Array.from({ length: runs }, run)).median;
}

/** People work: some milliseconds between two transactions. */
class Strolling extends SystemClock {
  readonly #random = new SeededRandom(3);
  #nowMs = Date.UTC(2026, 0, 1);

  override wallMs(): number {
    this.#nowMs += 1 + randomBelow(this.#random, 400);
    return this.#nowMs;
  }
}
