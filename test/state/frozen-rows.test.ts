import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { orderHash } from "../../src/state/run-format.ts";
import { RestlessClock } from "./restless-clock.ts";
import { World, assertSame, bodiesOf, writeRun } from "./table-world.ts";

/**
 * Different keys of one order hash. FNV-1a goes on from its last state, so keys that collide still do with the same word behind them: two
 * words that collide behind one key do so behind all, and double the set.
 */
function keysOfOneOrderHash(count: number): Buffer[] {
  let keys = [Buffer.alloc(0)];
  while (keys.length < count) {
    const [one, other] = collidingWords(must(keys[0]));
    keys = keys.flatMap((key) => [Buffer.concat([key, one]), Buffer.concat([key, other])]);
  }
  return keys.slice(0, count);
}

/** Two words that behind `start` have one order hash, found by trying. */
function collidingWords(start: Buffer): readonly [Buffer, Buffer] {
  const seen = new Map<number, number>();
  const key = Buffer.concat([start, Buffer.alloc(4)]);
  for (let word = 0; ; word++) {
    key.writeUInt32LE(Math.imul(word, 0x9e37_79b1) >>> 0, start.length);
    const hash = orderHash(key, 0, key.length);
    const other = seen.get(hash);
    if (other === undefined) seen.set(hash, word);
    else {
      const found = Buffer.from(key.subarray(start.length));
      key.writeUInt32LE(Math.imul(other, 0x9e37_79b1) >>> 0, start.length);
      return [found, key.subarray(start.length)];
    }
  }
}

suite("frozen rows (docs/checkpoint-format.md, run)", () => {
  test("ten thousand keys of one order hash are sorted by key, and not in quadratic time", async () => {
    const keys = keysOfOneOrderHash(10_000);
    assert.equal(new Set(keys.map((key) => orderHash(key, 0, key.length))).size, 1);
    const world = new World(1);
    for (const key of keys) must(world.tables[0]).put(key, Buffer.from("body"));
    const started = process.cpuUsage().user;
    const run = await writeRun(world.freeze().rows, new RestlessClock(0.01));
    const spentMs = (process.cpuUsage().user - started) / 1_000;
    assert.equal(run.length, keys.length);
    // Insertion sort takes 25 million comparisons of keys here, seconds.
    assert.ok(spentMs < 1_500, `sorting took ${spentMs} ms`);
  });

  test("tables come in the order of their ids, deletions among their rows", async () => {
    const world = new World(1);
    const [low, high] = [must(world.tables[0]), must(world.tables[1])];
    const keys = Array.from({ length: 300 }, (_, i) => Buffer.from(`key ${i}`));
    for (const key of keys) {
      high.put(key, Buffer.from("high"));
      low.put(key, Buffer.from("low"));
    }
    world.freeze();
    world.thaw(true, 1_024, () => {});
    for (const key of keys.slice(0, 100)) high.remove(key, false);
    low.put(must(keys[200]), Buffer.from("new"));
    const run = await writeRun(world.freeze().rows, new RestlessClock(0.01));
    assert.deepEqual(
      run.map(({ table }) => table),
      [1, ...Array.from({ length: 100 }, () => 200)],
    );
    assert.equal(run.filter(({ body }) => body === undefined).length, 100);
  });

  test("P8: sorting looks at the clock and rests when its slice is over, and the rows stay as they were frozen", async () => {
    const world = new World(1);
    const table = must(world.tables[0]);
    const keys = Array.from({ length: 5_000 }, (_, i) => Buffer.from(`key number ${i}`));
    for (const key of keys) table.put(key, Buffer.from(`body of ${key.toString()}`));
    const { rows, bodies } = world.freeze();
    const clock = new RestlessClock(0.5);
    let next = 0;
    clock.onTurn = () => {
      // Replaces, removes and adds while it sorts.
      for (let i = 0; i < 100; i++, next++) {
        const key = must(keys[(next * 7) % keys.length]);
        if (next % 3 === 0) table.remove(key, false);
        else table.put(key, Buffer.from(`changed ${next}`));
      }
      table.put(Buffer.from(`new ${next}`), Buffer.from("new"));
    };
    const run = await writeRun(rows, clock);
    assert.ok(clock.turns >= 10, `${clock.turns} turns of the event loop`);
    // 2 ms of a clock that goes 0.5 ms with each look, and the looks at the ends of a slice.
    assert.ok(clock.mostLooks <= 6, `${clock.mostLooks} looks in one slice`);
    assertSame(bodiesOf([run], 1), must(bodies[0]), "what was frozen");
    world.thaw(true, 100, clock.onTurn);
    world.check([...keys, ...Array.from({ length: next }, (_, i) => Buffer.from(`new ${i + 1}`))]);
  });

  test("nothing changed: no row", async () => {
    const world = new World(1);
    const { rows } = world.freeze();
    assert.deepEqual(await writeRun(rows, new RestlessClock(1)), []);
    assert.equal(rows.next(), false);
  });
});
