import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TrubaError } from "../../src/base/errors.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { randomBelow } from "../../src/base/random.ts";
import { checksum } from "../../src/base/checksum.ts";
import {
  addRows,
  cloneWorld,
  directory,
  filesOf,
  newWorld,
  openStore,
  restartedOn,
  rows,
} from "./run-rows.ts";
import type { World } from "./run-rows.ts";

const basePath = `${directory}/00000001.run`;
const deltaPath = `${directory}/00000002.run`;
const manifestPath = `${directory}/manifest`;

async function smallWorld(): Promise<World> {
  const world = newWorld();
  const { store } = await openStore(world);
  await addRows(world, store, rows({ "1/a": "one", "1/b": "two", "2/a": "three" }), {
    position: 1,
  });
  await addRows(world, store, rows({ "1/a": undefined, "1/c": "four" }), { position: 2 });
  await store.close();
  return world;
}

/** 30 blocks and a row larger than two reads. */
async function largeWorld(): Promise<World> {
  const world = newWorld();
  const { store } = await openStore(world);
  const content = new Map([["1/large", "L".repeat(1_100_000)]]);
  for (let i = 0; i < 2_000; i++) content.set(`1/${i}`, String(i).repeat(300));
  await addRows(world, store, content, { position: 1 });
  await store.close();
  return world;
}

/** Starting on this disk must end in an error of this code that names the file; nothing may have been removed. */
async function refused(world: World, path: string, code = "DATADAMAGED"): Promise<string> {
  const before = filesOf(world);
  const error = await restartedOn(world).then(
    () => assert.fail(`${path} is damaged and was not refused`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof TrubaError, String(error));
  assert.equal(error.code, code);
  assert.ok(error.message.startsWith(path), `${error.message} does not name ${path}`);
  assert.deepEqual(filesOf(world), before);
  return error.message;
}

function threeBlocks(letter: string): ReadonlyMap<string, string> {
  return new Map([0, 1, 2].map((i) => [`1/${i}`, letter.repeat(60_000)]));
}

suite("P7: what is damaged on disk is refused and named", () => {
  for (const path of [basePath, deltaPath, manifestPath]) {
    test(`every single bit of a small ${path.slice(directory.length + 1)}`, async () => {
      const world = await smallWorld();
      const whole = await restartedOn(world);
      const bytes = world.disk.contents(path).length;
      for (let offset = 0; offset < bytes; offset++) {
        for (let bit = 0; bit < 8; bit++) {
          world.disk.flipBit(path, offset, bit);
          await refused(world, path);
          world.disk.flipBit(path, offset, bit);
        }
      }
      assert.equal(await restartedOn(world), whole);
    });
  }

  test("single bits all over a run of many blocks, with the block's place", async () => {
    const world = await largeWorld();
    const seed = 20_260_101;
    const random = new SeededRandom(seed);
    const bytes = world.disk.contents(basePath).length;
    for (let i = 0; i < 60; i++) {
      const offset = randomBelow(random, bytes);
      const bit = randomBelow(random, 8);
      world.disk.flipBit(basePath, offset, bit);
      const text = await refused(world, basePath);
      assert.match(text, /block \d+ at offset \d+|offset \d+/, `seed ${seed}, offset ${offset}`);
      world.disk.flipBit(basePath, offset, bit);
    }
  });

  test("a run that is missing, and a manifest that is missing beside runs", async () => {
    for (const path of [basePath, deltaPath, manifestPath]) {
      const world = await smallWorld();
      world.disk.loseFile(path);
      assert.match(await refused(world, path), /missing/);
    }
  });

  test("a file cut at any length", async () => {
    const world = await smallWorld();
    for (const path of [basePath, deltaPath, manifestPath]) {
      const bytes = world.disk.contents(path).length;
      for (let length = 0; length < bytes; length++) {
        const cut = cloneWorld(world);
        cut.disk.truncateFile(path, length);
        await refused(cut, path);
      }
    }
  });

  test("bytes too many", async () => {
    for (const path of [basePath, deltaPath, manifestPath]) {
      const world = await smallWorld();
      const bytes = world.disk.contents(path).length;
      world.disk.overwrite(path, bytes, Buffer.from("\n"));
      await refused(world, path);
    }
  });

  test("a whole run in the place of another, and another partition's files", async () => {
    const world = await smallWorld();
    const swapped = world.disk.contents(basePath);
    world.disk.truncateFile(deltaPath, 0);
    world.disk.overwrite(deltaPath, 0, swapped);
    await refused(world, deltaPath);

    const other = await smallWorld();
    const line = Buffer.from(other.disk.contents(manifestPath)).toString().split("\n")[0] ?? "";
    replaceManifest(other, line.replace('"partition":7', '"partition":8'));
    await refused(other, manifestPath);
  });

  test("two whole blocks that changed places, and a block that is there twice", async () => {
    const world = newWorld();
    const { store } = await openStore(world);
    const content = new Map<string, string>();
    for (let i = 0; i < 4; i++) content.set(`1/${i}`, String(i).repeat(60_000));
    await addRows(world, store, content);
    await store.close();
    const bytes = world.disk.contents(basePath);
    const blockBytes = (bytes.length - 32 - 48) / 4;
    const block = (place: number): Uint8Array =>
      bytes.slice(32 + place * blockBytes, 32 + (place + 1) * blockBytes);
    const moved = cloneWorld(world);
    moved.disk.overwrite(basePath, 32, block(1));
    moved.disk.overwrite(basePath, 32 + blockBytes, block(0));
    assert.match(await refused(moved, basePath), /block 0 at offset 32/);
    const twice = cloneWorld(world);
    twice.disk.overwrite(basePath, 32 + blockBytes, block(0));
    await refused(twice, basePath);
  });

  test("a block of an earlier file that is whole and in its place", async () => {
    const [world, earlier] = [newWorld(), newWorld()];
    for (const [one, body] of [
      [world, "n"],
      [earlier, "o"],
    ] as const) {
      const { store } = await openStore(one);
      await addRows(one, store, threeBlocks(body));
      await store.close();
    }
    const stale = earlier.disk.contents(basePath);
    const blockBytes = (stale.length - 32 - 48) / 3;
    const start = 32 + blockBytes;
    world.disk.overwrite(basePath, start, stale.slice(start, start + blockBytes));
    await refused(world, basePath);
  });

  test("a sector that cannot be read", async () => {
    const world = await largeWorld();
    for (const start of [0, 700_000, 1_400_000]) {
      const bad = cloneWorld(world);
      const range = { start, end: start + 512 };
      bad.disk.fail({ on: "read", code: "EIO", path: basePath, range, times: Infinity });
      await refused(bad, basePath);
    }
    const bad = cloneWorld(world);
    bad.disk.fail({ on: "read", code: "EIO", path: manifestPath, times: Infinity });
    await refused(bad, manifestPath);
  });

  test("a format of a later version is told apart from damage", async () => {
    const world = await smallWorld();
    const header = Buffer.from(world.disk.contents(basePath).slice(0, 32));
    header.writeUInt32LE(2, 8);
    header.writeUInt32LE(checksum(header.subarray(0, 28)), 28);
    world.disk.overwrite(basePath, 0, header);
    await refused(world, basePath, "DATAVERSION");

    const other = await smallWorld();
    const line = Buffer.from(other.disk.contents(manifestPath)).toString().split("\n")[0] ?? "";
    replaceManifest(other, line.replace('"format":1', '"format":2'));
    await refused(other, manifestPath, "DATAVERSION");
  });

  test("a manifest whose checksum holds and whose content makes no sense", async () => {
    const world = await smallWorld();
    const line = Buffer.from(world.disk.contents(manifestPath)).toString().split("\n")[0] ?? "";
    const changes = [
      [/^.*$/, "17"],
      [/^.*$/, "{"],
      [/"id":2/, '"id":1'],
      [/"id":2/, '"id":3'],
      [/"id":2/, '"id":-1'],
      [/"kind":"delta"/, '"kind":"base"'],
      [/"rows":3/, '"rows":4'],
      [/"rows":3/, '"rows":"3"'],
      [/"bytes":\d+/, '"bytes":79'],
      [/"runs":\[.*\]/, '"runs":{}'],
      [/"runs":\[.*\]/, '"runs":[null]'],
      [/"nextRun":3/, '"nextRun":2'],
      [/"state":.*\}/, '"state":[]}'],
    ] as const;
    for (const [from, to] of changes) {
      const odd = cloneWorld(world);
      const changed = line.replace(from, to);
      assert.notEqual(changed, line);
      replaceManifest(odd, changed);
      const error = await restartedOn(odd).then(
        () => assert.fail(`${changed} was not refused`),
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof TrubaError && error.code === "DATADAMAGED", String(error));
    }
  });
});

function replaceManifest({ disk }: World, line: string): void {
  const sum = checksum(Buffer.from(line)).toString(16).padStart(8, "0");
  disk.truncateFile(manifestPath, 0);
  disk.overwrite(manifestPath, 0, Buffer.from(`${line}\n${sum}\n`));
}
