import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { AssertionError } from "../../src/base/assert.ts";
import { checksum } from "../../src/base/checksum.ts";
import { limits } from "../../src/base/limits.ts";
import { orderHash, runFileName, runIdOf } from "../../src/state/run-format.ts";
import { RunWriter } from "../../src/state/run-writer.ts";
import { addRows, directory, loadRows, newWorld, openStore, rows, textOf } from "./run-rows.ts";
import type { Rows } from "./run-rows.ts";

async function writtenAndRead(content: Rows): Promise<Rows> {
  const world = newWorld();
  const { store } = await openStore(world);
  await addRows(world, store, content);
  const loaded = await loadRows(world, store);
  await store.close();
  return loaded;
}

function hashOf(text: string): number {
  return orderHash(Buffer.from(`..${text}..`), 2, text.length);
}

suite("run file", () => {
  test("the order hash is FNV-1a, 32 bit, of the key alone", () => {
    // Test vectors of Fowler, Noll and Vo.
    assert.equal(hashOf(""), 0x811c9dc5);
    assert.equal(hashOf("a"), 0xe40c292c);
    assert.equal(hashOf("foobar"), 0xbf9cf968);
  });

  test("its name is its id in eight digits or more, and nothing else is taken for one", () => {
    assert.equal(runFileName(12), "00000012.run");
    assert.equal(runIdOf("00000012.run"), 12);
    assert.equal(runIdOf(runFileName(123_456_789)), 123_456_789);
    for (const name of [
      "manifest",
      "12.run",
      "000000012.run",
      "00000012.run.old",
      "0000001x.run",
    ]) {
      assert.equal(runIdOf(name), undefined, name);
    }
  });

  test("its bytes are those that docs/checkpoint-format.md draws", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    await addRows(world, store, rows({ "3/a": "BODY" }));
    const bytes = Buffer.from(world.disk.contents(`${directory}/00000001.run`));
    const row = Buffer.concat([
      word(4),
      word(0xe40c292c),
      Buffer.from([3, 1]),
      Buffer.from("aBODY"),
    ]);
    const header = Buffer.concat([
      Buffer.from("TRUBARUN"),
      word(1),
      word(7),
      word(1),
      word(0),
      word(0),
    ]);
    const block = Buffer.concat([
      Buffer.from("TBLK"),
      word(row.length),
      word(1),
      word(0),
      word(checksum(row)),
    ]);
    const footer = Buffer.concat([
      Buffer.from("FOOT"),
      word(1),
      word(1),
      word(0),
      word(bytes.length),
      word(0),
      word(1),
      word(0),
      word(checksum(word(checksum(row)))),
      word(0),
      word(0),
    ]);
    const drawn = [header, block, row, footer].map((part) =>
      part === row ? part : Buffer.concat([part, word(checksum(part))]),
    );
    assert.deepEqual(bytes, Buffer.concat(drawn));
    assert.equal(store.runs[0]?.checksum, checksum(footer));
    await store.close();
  });

  test("what was written is read again: any table, key of 0 to 255 bytes, body or deletion", async () => {
    const name = fc
      .tuple(fc.integer({ min: 0, max: 255 }), fc.string({ unit: "binary-ascii", maxLength: 255 }))
      .map(([table, key]) => `${table}/${key}`);
    const body = fc.string({ unit: "binary-ascii", maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, body), { maxLength: 40 }), async (pairs) => {
        const content = new Map(pairs);
        assert.equal(textOf(await writtenAndRead(content)), textOf(content));
      }),
      { numRuns: 100 },
    );
  });

  test("rows of every size around a block and a read come back whole", async () => {
    const sizes = [0, 1, limits.runBlockBytes, limits.runReadBytes, 2 * limits.runReadBytes];
    const content = new Map<string, string>();
    for (const size of sizes) {
      for (const more of [-30, -11, -10, 0, 1, 25]) {
        if (size + more >= 0) content.set(`1/${size}+${more}`, "x".repeat(size + more));
      }
    }
    for (let i = 0; i < 5_000; i++) content.set(`2/${i}`, `body ${i}`.repeat(i % 20));
    assert.equal(textOf(await writtenAndRead(content)), textOf(content));
  });

  test("rows out of order or twice are a bug of ours and refused", () => {
    const { disk } = newWorld();
    disk.makeDirectorySync(directory);
    let id = 0;
    const add = (...places: readonly (readonly [number, number, string])[]): void => {
      const writer = new RunWriter(disk, directory, { id: ++id, partition: 7 });
      try {
        for (const [table, hash, key] of places) {
          writer.add(table, hash, Buffer.from(key), 0, key.length, key.length, 0, false);
        }
      } finally {
        writer.abandon();
      }
    };
    add([1, 5, "b"], [1, 5, "c"], [1, 6, "a"], [2, 0, "a"]);
    assert.throws(() => add([2, 0, "a"], [1, 9, "b"]), AssertionError);
    assert.throws(() => add([1, 6, "a"], [1, 5, "b"]), AssertionError);
    assert.throws(() => add([1, 5, "b"], [1, 5, "a"]), AssertionError);
    assert.throws(() => add([1, 5, "b"], [1, 5, "b"]), AssertionError);
    assert.throws(() => add([1, 5, "x".repeat(256)]), AssertionError);
    assert.throws(() => add([256, 5, "x"]), AssertionError);
  });
});

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
