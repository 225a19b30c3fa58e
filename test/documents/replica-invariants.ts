/**
 * The invariants of convergent documents, as one executable file. `Watch` is kept for each replica over its life and looks after every step; `sameEverywhere` compares replicas that hold the same.
 *
 * I1  same transactions: same canonical state, same verdict of each, same order
 * I2  Ids of a source go up by one without gaps; what stands under one never changes
 * I3  a transaction of a Truba node stands behind all that its author had seen (and could place)
 * I4  folding is pure, I5 atomic: the document is what a fresh fold of the order gives
 * I6  the frontier only grows; nothing comes to stand at or before it; places and verdicts of what is final stay
 * I8  behind the same final transactions the hash is the same everywhere
 * I9  vclock[s] is the number of transactions of s in the order
 * I10 plain peers never hold back the frontier
 */
import assert from "node:assert/strict";
import { limits } from "../../src/base/limits.ts";
import { decodePayload } from "../../src/documents/payload.ts";
import type { Replica } from "../../src/documents/replica.ts";
import type { PlacedTransaction, Source, Stamp } from "../../src/documents/vocabulary.ts";
import { canonicalText } from "../../src/patch/canonical.ts";
import { Tree } from "../../src/patch/tree.ts";
import { Undo } from "../../src/patch/undo.ts";

/** All transactions that are still in memory. */
export function placedOf(replica: Replica): readonly PlacedTransaction[] {
  return replica.placed(replica.firstPlaced, Infinity);
}

/** The order and the verdicts, to be compared. */
export function orderText(replica: Replica): string[] {
  return placedOf(replica).map(
    ({ source, id, position, stamp, verdict }) =>
      `${position} ${source}:${id} ${stamp === null ? "-" : `${stamp.ms}.${stamp.counter}`} ${
        verdict.kind === "ok" ? "ok" : `${verdict.reason}@${verdict.operation}`
      }`,
  );
}

/** I1 and I8, of replicas that hold the same. */
export function sameEverywhere(replicas: readonly Replica[]): void {
  const [first, ...others] = replicas;
  assert.ok(first !== undefined);
  for (const other of others) {
    assert.deepEqual(other.vclock, first.vclock, "same transactions");
    assert.equal(other.transactions, first.transactions);
    const from = Math.max(first.firstPlaced, other.firstPlaced);
    assert.deepEqual(
      orderText(other).slice(from - other.firstPlaced),
      orderText(first).slice(from - first.firstPlaced),
      "I1: same order, same verdicts",
    );
    assert.equal(other.text(), first.text(), "I1: same document");
    assert.equal(other.hash(), first.hash(), "I1: same hash");
    assert.equal(other.rejected, first.rejected);
  }
  const place = Math.max(...replicas.map(({ settled }) => settled));
  const views = replicas.map((replica) => replica.at({ position: place }));
  for (const view of views) {
    assert.equal(view?.text, views[0]?.text, "I8: same document at the same place");
    assert.deepEqual(view?.vclock, views[0]?.vclock);
    assert.equal(view?.rejected, views[0]?.rejected);
  }
}

export class Watch {
  readonly #finals = new Map<string, string>();
  readonly #payloads = new Map<string, string>();
  #frontier: Stamp = { ms: 0, counter: 0 };
  readonly #known: boolean;
  /** Final since the start of the process; what was said before it still holds, but is not said again before all were heard again. */
  readonly #said = new Set<string>();

  /** `known`: all who write are members of whom the others know. */
  constructor(known: boolean) {
    this.#known = known;
  }

  restarted(): void {
    this.#frontier = { ms: 0, counter: 0 };
    this.#said.clear();
  }

  /** After any step; `thorough` also folds anew. */
  look(replica: Replica, thorough: boolean): void {
    const placed = placedOf(replica);
    this.#order(replica, placed);
    this.#finality(replica, placed);
    if (thorough) {
      this.#context(placed);
      fold(replica, placed);
    }
  }

  #order(replica: Replica, placed: readonly PlacedTransaction[]): void {
    assert.equal(replica.transactions, replica.firstPlaced - 1 + placed.length);
    const total = Object.values(replica.vclock).reduce((sum, count) => sum + count, 0);
    assert.equal(total, replica.transactions, "I9: the vector clock counts what is in the order");
    const ids = new Map<Source, number[]>();
    for (const { source, id } of placed) {
      ids.set(source, [...(ids.get(source) ?? []), id]);
      const payload = replica.transaction(source, id)?.payload;
      assert.ok(payload !== undefined);
      const known = this.#payloads.get(`${source}:${id}`);
      assert.ok(known === undefined || known === payload, `I2: payload of ${source}:${id}`);
      this.#payloads.set(`${source}:${id}`, payload);
    }
    for (const [source, list] of ids) {
      const sorted = [...list].sort((a, b) => a - b);
      assert.equal(sorted.at(-1), replica.vclock[source], "I9");
      assert.equal(new Set(list).size, list.length, "I2: an Id stands once");
      assert.equal((sorted.at(-1) ?? 0) - (sorted[0] ?? 0) + 1, sorted.length, "I2: no gaps");
    }
    for (let at = 1; at < placed.length; at++) {
      const [a, b] = [placed[at - 1], placed[at]];
      assert.ok(a !== undefined && b !== undefined && before(a, b), "the order is the total order");
    }
  }

  #finality(replica: Replica, placed: readonly PlacedTransaction[]): void {
    const frontier = replica.frontier ?? { ms: 0, counter: 0 };
    assert.ok(
      frontier.ms > this.#frontier.ms ||
        (frontier.ms === this.#frontier.ms && frontier.counter >= this.#frontier.counter),
      "I6: the frontier only grows",
    );
    this.#frontier = frontier;
    for (const { source, id, position, verdict, final } of placed) {
      const name = `${source}:${id}`;
      const known = this.#finals.get(name);
      const said = `${position} ${JSON.stringify(verdict)}`;
      if (!this.#known) continue;
      assert.ok(final || !this.#said.has(name), `I6: ${name} stays final`);
      if (known !== undefined) assert.equal(said, known, `I6: place and verdict of ${name} stay`);
      if (!final) continue;
      this.#finals.set(name, said);
      this.#said.add(name);
    }
  }

  #context(placed: readonly PlacedTransaction[]): void {
    const places = new Map(placed.map(({ source, id, position }) => [`${source}:${id}`, position]));
    const stamped = new Set(
      placed
        .filter(({ source, id }) => this.#isStamped(source, id))
        .map(({ source, id }) => `${source}:${id}`),
    );
    for (const { source, id, position, seen } of placed) {
      for (const [other, count] of Object.entries(seen ?? {})) {
        const name = `${other}:${count}`;
        // A plain peer's transaction gets its place from who adopts it, later.
        if (!stamped.has(name)) continue;
        assert.ok(
          (places.get(name) ?? 0) < position,
          `I3: ${source}:${id} stands behind ${name}, which its author had seen`,
        );
      }
    }
  }

  #isStamped(source: Source, id: number): boolean {
    const payload = this.#payloads.get(`${source}:${id}`);
    return payload !== undefined && decodePayload(payload).metadata !== undefined;
  }
}

/** I4 and I5: from what stands before them in memory, the transactions give the document again. */
function fold(replica: Replica, placed: readonly PlacedTransaction[]): void {
  const start = replica.at({ position: replica.settled });
  assert.ok(start !== undefined);
  const tree = new Tree(JSON.parse(start.text));
  let rejected = start.rejected;
  for (const { source, id, position, verdict, kind } of placed) {
    if (position <= replica.settled) continue;
    if (verdict.kind === "rejected") rejected++;
    if (kind === "record") continue;
    const { patch, malformed } = decodePayload(replica.transaction(source, id)?.payload ?? "");
    if (malformed !== undefined) {
      assert.equal(verdict.kind, "rejected");
      continue;
    }
    const failure = tree.apply(patch, new Undo(), {
      upsert: replica.lenient,
      maxWeight: limits.documentMaxBytes,
    });
    assert.equal(failure === undefined, verdict.kind === "ok", `I5: verdict of ${source}:${id}`);
    if (failure !== undefined && verdict.kind === "rejected") {
      assert.deepEqual(
        [verdict.operation, verdict.reason, verdict.path],
        [failure.operation, failure.reason, failure.path],
      );
      assert.deepEqual(verdict.actual, failure.actual);
    }
  }
  assert.equal(
    canonicalText(tree.value),
    replica.text(),
    "I5: the document is what its order gives",
  );
  assert.equal(rejected, replica.rejected);
}

function before(a: PlacedTransaction, b: PlacedTransaction): boolean {
  if (a.stamp === null || b.stamp === null) {
    if (a.stamp !== b.stamp) return b.stamp === null;
  } else {
    if (a.stamp.ms !== b.stamp.ms) return a.stamp.ms < b.stamp.ms;
    if (a.stamp.counter !== b.stamp.counter) return a.stamp.counter < b.stamp.counter;
  }
  return a.source === b.source ? a.id < b.id : a.source < b.source;
}
