import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { AssertionError, must } from "../../src/base/assert.ts";
import { World } from "./table-world.ts";

const a = Buffer.from("a");
const b = Buffer.from("b");
const one = Buffer.from("one");
const two = Buffer.from("two");

/** A world, its first table and its model. */
function newWorld(): { world: World; rows: World["tables"][number]; check: () => void } {
  const world = new World(1);
  return { world, rows: must(world.tables[0]), check: () => world.check([a, b]) };
}

suite("table (DESIGN §7)", () => {
  test("a row put and removed between two checkpoints leaves nothing to write and no memory", () => {
    const { world, rows, check } = newWorld();
    rows.put(a, one);
    rows.put(a, two);
    rows.remove(a, false);
    assert.equal(rows.table.changedCount, 0);
    assert.equal(world.slab.blocks.size, 0);
    check();
  });

  test("the same in one group", () => {
    const { world, rows, check } = newWorld();
    world.begin();
    rows.put(a, one);
    rows.remove(a, true);
    rows.put(a, two);
    rows.remove(a, true);
    world.commit();
    assert.equal(rows.table.changedCount, 0);
    check();
  });

  test("several changes of one key in a group are one change, or none when it is rolled back", () => {
    for (const commit of [true, false]) {
      const { world, rows, check } = newWorld();
      rows.put(a, one);
      world.freeze();
      world.thaw(true, 10, () => {});
      world.begin();
      rows.put(a, two);
      rows.remove(a, false);
      rows.put(a, two);
      rows.put(a, one);
      rows.remove(a, false);
      if (commit) world.commit();
      else world.rollback();
      assert.equal(rows.table.changedCount, commit ? 1 : 0);
      check();
    }
  });

  test("a row that a checkpoint knows is not listed as changed by a group that was rolled back", () => {
    const { world, rows, check } = newWorld();
    rows.put(a, one);
    world.freeze();
    world.thaw(true, 10, () => {});
    world.begin();
    rows.put(a, two);
    world.rollback();
    assert.equal(rows.table.changedCount, 0);
    check();
  });

  test("P1: a change stays to be written when its checkpoint failed and a group over it was rolled back meanwhile", () => {
    const { world, rows, check } = newWorld();
    rows.put(a, one);
    rows.put(b, one);
    world.freeze();
    let groups = 0;
    world.thaw(false, 1, () => {
      world.begin();
      rows.put(a, two);
      rows.remove(b, false);
      world.rollback();
      groups++;
    });
    assert.ok(groups > 1);
    assert.equal(rows.table.changedCount, 2);
    check();
  });

  test("a frozen row that a group replaces is there again after the rollback, and its block lives on", () => {
    const { world, rows, check } = newWorld();
    rows.put(a, one);
    world.freeze();
    world.begin();
    rows.remove(a, true);
    rows.put(a, two);
    world.rollback();
    assert.equal(rows.table.changedCount, 0);
    world.thaw(true, 1, () => {});
    check();
    assert.equal(rows.table.find(a, 0, 1) > 0, true);
  });

  test("a deletion leaves memory once a checkpoint has written it", () => {
    const { world, rows, check } = newWorld();
    rows.put(a, one);
    world.freeze();
    world.thaw(true, 1, () => {});
    rows.remove(a, false);
    assert.equal(rows.table.changedCount, 1);
    assert.equal(world.slab.blocks.size, 1);
    world.freeze();
    world.thaw(true, 1, () => {});
    assert.equal(world.slab.blocks.size, 0);
    check();
  });

  test("the digest tells where the key ends and in which table a row is", () => {
    const digests = new Set<number>();
    for (const table of [0, 1]) {
      for (const cut of [0, 1, 2, 3]) {
        const world = new World(1);
        must(world.tables[table]).put(
          Buffer.from("abc".slice(0, cut)),
          Buffer.from("abc".slice(cut)),
        );
        digests.add(world.sum.value);
      }
    }
    assert.equal(digests.size, 8);
  });

  test("the digest does not depend on the index seed nor on the order of changes (P5)", () => {
    const keys = Array.from({ length: 50 }, (_, i) => Buffer.from(`key ${i}`));
    const forth = new World(1);
    for (const key of keys) must(forth.tables[0]).put(key, one);
    const back = new World(99);
    for (const key of keys.toReversed()) {
      must(back.tables[0]).put(key, two);
      must(back.tables[0]).remove(key, false);
      must(back.tables[0]).put(key, one);
    }
    assert.equal(forth.sum.value, back.sum.value);
    assert.notEqual(forth.sum.value, 0);
  });

  test("a key is at most 255 bytes", () => {
    const { rows } = newWorld();
    rows.put(Buffer.alloc(255, 1), one);
    assert.throws(() => rows.put(Buffer.alloc(256, 1), one), AssertionError);
  });

  test("groups do not nest, and end only if begun", () => {
    const { world } = newWorld();
    assert.throws(() => world.undo.commit(), AssertionError);
    assert.throws(() => world.undo.rollback(), AssertionError);
    world.undo.begin();
    assert.throws(() => world.undo.begin(), AssertionError);
  });
});
