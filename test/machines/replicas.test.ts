/**
 * Replicas of one log: one that never restarts, one that restarts again and again from checkpoints on a simulated disk, and the model.
 * They must agree on every outcome, every digest and every deadline.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import type { Outcome } from "../../src/machines/outcome.ts";
import type { CheckpointStore } from "../../src/state/checkpoint-store.ts";
import { type Draws, forSeedsAsync } from "../state/draws.ts";
import { RestlessClock } from "../state/restless-clock.ts";
import { type World, newWorld, openStore } from "../state/run-rows.ts";
import { Model } from "./model.ts";
import {
  type Batch,
  type Request,
  type SimpleRequest,
  Replica,
  due,
  get,
  group,
  outcomesText,
  remove,
  set,
  versionSeven,
} from "./replica.ts";

const start = 1_700_000_000_000;

/** Requests as clients send them: new ones, repeats, ids out of every range. */
class Clients {
  readonly draws: Draws;
  #sent: Request[] = [];
  #ids = 0;

  constructor(draws: Draws) {
    this.draws = draws;
  }

  next(timestamp: number, number: number): Request {
    const { draws } = this;
    if (this.#sent.length > 0 && draws.oneIn(3)) {
      // Mostly a repeat of what was sent lately.
      const from = draws.oneIn(3) ? 0 : Math.max(0, this.#sent.length - 20);
      const sent = must(this.#sent[from + draws.below(this.#sent.length - from)]);
      return draws.oneIn(10) ? { ...this.#body(number), id: must(sent.id) } : sent;
    }
    const body = this.#body(number);
    if (draws.oneIn(3)) return body;
    const request = { ...body, id: this.#newId(timestamp) };
    this.#sent.push(request);
    return request;
  }

  #newId(timestamp: number): string {
    const { draws } = this;
    this.#ids++;
    if (draws.oneIn(4)) return `request ${this.#ids}`.padEnd(draws.pick([0, 36, 64]), "-");
    const ahead = draws.pick([
      0, 0, 0, -5, -500, -61_000, -599_950, -700_000, 59_999, 60_000, 60_001,
    ]);
    return versionSeven(timestamp + ahead - draws.below(300), this.#ids);
  }

  #body(number: number): Request {
    const { draws } = this;
    if (!draws.oneIn(4)) return this.#simple(number);
    return group(...Array.from({ length: draws.below(6) }, () => this.#simple(number)));
  }

  #simple(number: number): SimpleRequest {
    const { draws } = this;
    const key = draws.pick(["a", "b", "c", "d", "tagged key of more bytes", "e", "f"]);
    const version = draws.oneIn(3) ? 0 : Math.max(0, number - draws.below(6));
    if (draws.oneIn(5)) return get(key);
    if (draws.oneIn(4)) return draws.oneIn(3) ? remove(key, version) : remove(key);
    const condition = draws.pick(["none", "none", "none", "nx", "xx", "version"] as const);
    const expiryMs = draws.oneIn(3) ? draws.pick([1, 10, 1_000, 100_000]) : 0;
    const value = "v".repeat(draws.oneIn(20) ? draws.below(3_000) : draws.below(30));
    return set(key, value, { condition, version: condition === "version" ? version : 0, expiryMs });
  }
}

/** Outcomes but for the texts of refused request ids, which the model does not know. */
function withoutTexts(outcomes: readonly Outcome[]): string {
  return outcomesText(outcomes.map((one) => (one.kind === "error" ? { ...one, text: "" } : one)));
}

/** A replica with a disk; it restarts from its last durable checkpoint and applies the log again from there. */
class Restarting {
  replica: Replica;
  readonly #draws: Draws;
  readonly #maxBytes: number;
  readonly #world: World = newWorld();
  #store: CheckpointStore | undefined;
  #restarts = 0;

  constructor(draws: Draws, maxBytes: number) {
    this.#draws = draws;
    this.#maxBytes = maxBytes;
    this.replica = this.#newReplica();
  }

  /** Writes a checkpoint of now, while `meanwhile` goes on; it may fail. */
  async checkpoint(meanwhile: () => void): Promise<void> {
    const { state, stack, moment } = this.replica;
    this.#store ??= (await openStore(this.#world)).store;
    const { position, number, timestamp } = moment;
    const manifest = {
      position,
      number,
      timestamp,
      horizon: stack.once.horizon,
      digest: state.digest,
    };
    const clock = new RestlessClock(1);
    clock.onTurn = meanwhile;
    const frozen = state.freeze();
    meanwhile();
    await frozen.sort(clock);
    meanwhile();
    const durable = !this.#draws.oneIn(4);
    if (durable) await this.#world.clock.drive(this.#store.addDelta(frozen, manifest));
    meanwhile();
    await state.thaw(frozen, durable, clock);
    if (durable) await this.#world.clock.drive(this.#store.maybeMerge(state.liveBytes));
  }

  /** Starts anew; `log` holds all batches from position 1 on and what they led to. */
  async restart(log: readonly { batch: Batch; text: string }[]): Promise<void> {
    await this.#store?.close();
    const { store } = await openStore(this.#world);
    this.#store = store;
    this.replica = this.#newReplica();
    const { state, stack, moment } = this.replica;
    const manifest = store.state;
    if (manifest !== undefined) {
      await this.#world.clock.drive(store.load(state.load));
      moment.position = Number(manifest["position"]);
      moment.number = Number(manifest["number"]);
      moment.timestamp = Number(manifest["timestamp"]);
      stack.once.restoreHorizon(Number(manifest["horizon"]));
      assert.equal(state.digest, manifest["digest"], "digest after loading");
      stack.loaded();
    }
    for (const { batch, text } of log.slice(moment.position))
      assert.equal(outcomesText(this.replica.apply(batch)), text, "outcomes applied again");
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }

  #newReplica(): Replica {
    const indexSeed = this.#draws.seed + 1_000 * ++this.#restarts;
    return new Replica({ indexSeed, onceMaxBytes: this.#maxBytes });
  }
}

async function life(draws: Draws): Promise<void> {
  const maxBytes = draws.pick([300, 2_000, 20_000, 1_000_000]);
  const steady = new Replica({ indexSeed: draws.seed, onceMaxBytes: maxBytes });
  const restarting = new Restarting(draws, maxBytes);
  const model = new Model(maxBytes);
  const clients = new Clients(draws);
  const log: { batch: Batch; text: string }[] = [];
  let timestamp = start;

  const step = (): void => {
    timestamp += draws.pick([0, 1, 40, 40, 1_000, 30_000, 300_000]) * (draws.oneIn(3) ? 1 : 0);
    const late = draws.oneIn(10) ? draws.below(100) : 0;
    const requests = Array.from({ length: 1 + draws.below(6) }, (_, i) =>
      clients.next(timestamp, steady.moment.number + i),
    );
    if (steady.stack.nextDue() <= timestamp && draws.oneIn(2)) requests.push(due);
    const batch = { timestamp: timestamp - late, requests };
    const outcomes = steady.apply(batch);
    const text = outcomesText(outcomes);
    log.push({ batch, text });
    assert.equal(withoutTexts(outcomes), withoutTexts(model.apply(batch)), "outcomes of the model");
    assert.equal(outcomesText(restarting.replica.apply(batch)), text, "outcomes");
    compare();
  };

  const compare = (): void => {
    const { replica } = restarting;
    assert.equal(replica.state.digest, steady.state.digest, "digest");
    assert.deepEqual(replica.moment, steady.moment);
    assert.equal(replica.stack.once.horizon, steady.stack.once.horizon, "horizon");
    assert.equal(replica.stack.nextDue(), steady.stack.nextDue(), "first deadline");
    assert.equal(steady.moment.number, model.number, "number");
    assert.equal(steady.stack.once.horizon, model.horizon, "horizon of the model");
    assert.equal(steady.stack.once.count, model.once.length, "remembered");
    assert.equal(steady.stack.records.count, model.records.size, "records");
  };

  for (let i = 0; i < 100; i++) {
    if (draws.oneIn(12)) {
      await restarting.checkpoint(() => {
        if (draws.oneIn(2)) step();
      });
    } else if (draws.oneIn(15)) await restarting.restart(log);
    else step();
  }
  await restarting.restart(log);
  compare();
  for (const key of model.records.keys()) {
    const expected = model.read(key);
    assert.deepEqual(steady.read(key), expected, key);
    assert.deepEqual(restarting.replica.read(key), expected, key);
  }
  const scanned = [...model.records.keys()].filter((key) => model.read(key) !== undefined).sort();
  assert.deepEqual(steady.scan(2), scanned);
  await restarting.close();
}

suite("replicas of one log (P3, P5)", () => {
  test("a replica that restarts at any point agrees for ever with one that does not, and both with the model", async () => {
    await forSeedsAsync(1, 40, life);
  });
});
