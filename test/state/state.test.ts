import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { AssertionError, must } from "../../src/base/assert.ts";
import { State } from "../../src/state/state.ts";
import type { Table } from "../../src/state/table.ts";
import { CheckedSlab } from "./checked-slab.ts";
import { type Draws, forSeedsAsync } from "./draws.ts";
import { RestlessClock } from "./restless-clock.ts";
import { type World, newWorld, openStore } from "./run-rows.ts";

function put(table: Table, name: string, text: string): void {
  const key = Buffer.from(name);
  const body = Buffer.from(text);
  const address = table.prepare(key, 0, key.length, body.length);
  body.copy(table.slab.buffer(address), table.bodyStart(address));
  table.put(address);
}

function remove(table: Table, name: string): void {
  const key = Buffer.from(name);
  table.remove(key, 0, key.length);
}

/** All rows as sorted text. */
function textOf(tables: readonly Table[]): string {
  const rows: string[] = [];
  for (const table of tables) {
    table.each((address) => {
      const buffer = table.slab.buffer(address);
      const start = table.keyStart(address);
      const key = buffer.toString("latin1", start, start + table.keyBytes(address));
      const body = buffer.toString("latin1", table.bodyStart(address), table.bodyEnd(address));
      rows.push(`${table.id}/${key}=${body}`);
    });
  }
  return rows.sort().join("\n");
}

/** A state of two tables. */
function newState(seed: number): { state: State; slab: CheckedSlab; tables: readonly Table[] } {
  const slab = new CheckedSlab();
  const state = new State(seed, slab);
  return { state, slab, tables: [state.addTable(3), state.addTable(1)] };
}

/** Loads what is on the disk into a new state. */
async function loaded(world: World, seed: number): Promise<ReturnType<typeof newState>> {
  const fresh = newState(seed);
  const { store } = await openStore(world);
  await world.clock.drive(store.load(fresh.state.load));
  await store.close();
  return fresh;
}

async function randomLife(draws: Draws): Promise<void> {
  const world = newWorld();
  const { state, slab, tables } = newState(draws.seed);
  let { store } = await openStore(world);
  const change = (): void => {
    for (let i = 0; i < 20; i++) {
      const name = `key ${draws.below(2_500)}`;
      if (draws.oneIn(3)) remove(draws.pick(tables), name);
      else put(draws.pick(tables), name, `${draws.below(1_000_000)}`);
    }
  };
  const fail = { next: false };
  for (let round = 0; round < 4; round++) {
    const grow = draws.below(2_500);
    for (let i = 0; i < grow; i++) put(draws.pick(tables), `key ${i}`, `${draws.below(1_000_000)}`);
    change();
    const digest = state.digest;
    const text = textOf(tables);
    const frozen = state.freeze();
    assert.equal(state.changedRows, 0);
    assert.throws(() => state.freeze(), AssertionError);
    const clock = new RestlessClock(1);
    // Groups that roll back, too, between the slices.
    clock.onTurn = () => {
      const inGroup = draws.oneIn(2);
      if (inGroup) state.undo.begin();
      change();
      if (inGroup) state.undo.rollback();
    };
    await frozen.sort(clock);
    fail.next = draws.oneIn(3);
    if (!fail.next) {
      await world.clock.drive(store.addDelta(frozen, { digest }));
      await world.clock.drive(store.maybeMerge(state.liveBytes));
    }
    await state.thaw(frozen, !fail.next, clock);
    if (fail.next) continue;
    const copy = await loaded(world, draws.seed + 1);
    assert.equal(copy.state.digest, digest, "digest after loading");
    assert.equal(textOf(copy.tables), text, "rows after loading");
    assert.equal(copy.state.changedRows, 0);
    await store.close();
    ({ store } = await openStore(world));
  }
  assert.equal(state.rows, textOf(tables).split("\n").length);
  assert.ok(slab.blocks.size <= state.rows + state.changedRows, "blocks beyond rows and deletions");
  await store.close();
}

suite("state (DESIGN §7)", () => {
  test("what a checkpoint wrote loads to the rows and digest of the moment of the freeze, whatever changed meanwhile", async () => {
    await forSeedsAsync(1, 3, randomLife);
  });

  test("live bytes are keys, bodies and ten bytes for each row of all tables", () => {
    const { state, tables } = newState(1);
    put(must(tables[0]), "abc", "12345");
    put(must(tables[1]), "", "");
    put(must(tables[1]), "gone", "gone");
    remove(must(tables[1]), "gone");
    assert.equal(state.liveBytes, 8 + 20);
    assert.equal(state.rows, 2);
    assert.equal(state.changedRows, 2);
  });

  test("memory is given back when rows go and a checkpoint has been written", async () => {
    const { state, slab, tables } = newState(1);
    for (let i = 0; i < 20_000; i++) put(must(tables[0]), `key ${i}`, "a body of some bytes");
    const full = state.memoryBytes;
    assert.ok(full < 20_000 * 110, `${full} bytes for 20,000 rows of 48`);
    for (let i = 0; i < 20_000; i++) remove(must(tables[0]), `key ${i}`);
    const frozen = state.freeze();
    await state.thaw(frozen, true, new RestlessClock(1));
    assert.equal(slab.blocks.size, 0);
    assert.ok(state.memoryBytes <= 4 * 65_536, `${state.memoryBytes} bytes are left`);
    assert.equal(state.digest, 0);
    assert.equal(state.liveBytes, 0);
  });

  test("the end of a checkpoint of many rows goes in slices (P8)", async () => {
    const { state, tables } = newState(1);
    for (let i = 0; i < 20_000; i++) put(must(tables[0]), `key ${i}`, "body");
    const frozen = state.freeze();
    const clock = new RestlessClock(1);
    await state.thaw(frozen, false, clock);
    assert.ok(clock.turns >= 9, `${clock.turns} turns`);
    assert.equal(state.changedRows, 20_000);
  });

  test("a checkpoint with rows of an unknown table is one of a later version: DATAVERSION", () => {
    const { state } = newState(1);
    assert.throws(() => state.load(77, Buffer.from("key"), 0, 3, 3, 0, false), {
      code: "DATAVERSION",
      message: /table 77/,
    });
  });

  test("a table id is 1 to 255 and used once", () => {
    const state = new State(1);
    state.addTable(255);
    for (const id of [0, 256, 255]) assert.throws(() => state.addTable(id), AssertionError);
    assert.equal(state.table(255)?.id, 255);
    assert.equal(state.table(7), undefined);
  });

  test("a freeze is ended before the next, and no thaw comes without one", async () => {
    const { state } = newState(1);
    const frozen = state.freeze();
    await state.thaw(frozen, true, new RestlessClock(1));
    await assert.rejects(state.thaw(frozen, true, new RestlessClock(1)), AssertionError);
  });
});
