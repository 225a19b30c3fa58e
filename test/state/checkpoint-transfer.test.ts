/** A checkpoint on its way from one store to another: whole or refused, and adopted in one step, wherever the power goes. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { TrubaError } from "../../src/base/errors.ts";
import { checkCheckpoints } from "../../src/state/checkpoint-check.ts";
import { encodeManifest } from "../../src/state/manifest.ts";
import { keepAll } from "../../simulator/crash-chooser.ts";
import {
  addRows,
  applied,
  cloneWorld,
  directory,
  filesOf,
  openStore,
  partition,
  restartedOn,
  rows,
  textOf,
} from "./run-rows.ts";
import {
  adoptedText,
  bulk,
  copyWith,
  first,
  found,
  readAll,
  receive,
  second,
  sentOf,
  take,
} from "./transfer-world.ts";
import type { Sent } from "./transfer-world.ts";

suite("P1, P5: a checkpoint goes from one copy to another", () => {
  test("rows and state are the sender's, under run ids that the receiver never had, and its own are gone", async () => {
    const sent = await sentOf(bulk("w"), second, bulk("x"));
    const { world, store } = await copyWith(bulk("y"), bulk("z"));
    const before = store.runs.map(({ id }) => id);
    await world.clock.drive(take(store, sent));
    assert.equal(await found({ world, store }), adoptedText(3, bulk("w"), second, bulk("x")));
    assert.ok(store.runs.every(({ id }) => !before.includes(id)));
    const named = store.runs.map(({ id }) => `${String(id).padStart(8, "0")}.run`);
    assert.deepEqual(filesOf(world), [...named, "manifest"]);
    const report = await world.clock.drive(
      checkCheckpoints({ files: world.disk, directory, partition }),
    );
    assert.deepEqual([report.damage, report.leftovers], [[], []]);
    await addRows(world, store, second, { position: 4 });
    assert.equal(await world.clock.drive(store.maybeMerge(0)), true);
    await store.close();
    const live = [bulk("w"), second, bulk("x"), second].reduce(applied, rows({}));
    assert.equal(await restartedOn(world), `{"position":4} ${textOf(live)}`);
  });

  test("into a store that has none yet, and with fields of the receiver's own", async () => {
    const sent = await sentOf(first);
    const { world, store } = await copyWith();
    const received = await world.clock.drive(receive(store, sent));
    assert.deepEqual(received.state, { installed: 0, position: 1 });
    await world.clock.drive(store.adopt(received, { installed: 1, token: "abcd" }));
    await store.close();
    const state = `{"installed":1,"position":1,"token":"abcd"}`;
    assert.equal(await restartedOn(world), `${state} ${textOf(first)}`);
    assert.throws(() => store.adopt(received), /closed/);
  });

  test("a checkpoint without rows, and one that was adopted itself", async () => {
    const one = await copyWith(rows({}));
    const two = await copyWith(first);
    const three = await copyWith();
    const empty = await one.world.clock.drive(one.store.exportFiles().then((e) => readAll(e)));
    await two.world.clock.drive(take(two.store, empty));
    assert.equal(await found(two), adoptedText(1));
    await addRows(two.world, two.store, first, { position: 8 });
    const onward = await two.world.clock.drive(two.store.exportFiles().then((e) => readAll(e)));
    await three.world.clock.drive(take(three.store, onward));
    assert.equal(await found(three), adoptedText(8, first));
    assert.throws(() => three.store.adopt({ state: {}, runs: [] }), /by the store that received/);
  });

  test("a merge that is under way is ended, wherever it is, and what it wrote is gone", async () => {
    const sent = await sentOf(first);
    let ended = 0;
    for (let n = 0; ; n++) {
      const { world, store } = await copyWith(bulk("x"), bulk("y"), bulk("z"));
      const received = await world.clock.drive(receive(store, sent));
      let left = n;
      let adopted: Promise<void> | undefined;
      world.disk.onOperation = () => {
        if (left-- === 0) queueMicrotask(() => (adopted = store.adopt(received)));
      };
      const merged = await world.clock.drive(store.maybeMerge(0));
      if (adopted === undefined) break;
      await world.clock.drive(adopted);
      if (!merged) ended += 1;
      assert.equal(await found({ world, store }), adoptedText(1, first));
      assert.equal(filesOf(world).length, 2, filesOf(world).join());
      await store.close();
    }
    assert.ok(ended > 0, `${ended} merges were ended`);
  });
});

suite("P1: what is given out stays", () => {
  test("while merges, deltas and an adoption replace it, and goes with the last release", async () => {
    const { world, store } = await copyWith(bulk("x"), bulk("y"), second);
    const one = await world.clock.drive(store.exportFiles());
    const whole = await world.clock.drive(readAll(one));
    const two = await world.clock.drive(store.exportFiles());
    assert.equal(await world.clock.drive(store.maybeMerge(0)), true);
    await addRows(world, store, first, { position: 9 });
    await world.clock.drive(take(store, await sentOf(first)));
    await world.clock.drive(store.removeLeftovers());
    assert.deepEqual(await world.clock.drive(readAll(two, 70_000)), whole);
    one.release();
    one.release();
    await world.clock.settle();
    assert.deepEqual(await world.clock.drive(readAll(two)), whole);
    const name = must(two.files[0]).name;
    await assert.rejects(one.read(name, 0, 10), { code: "STOPPED" });
    await assert.rejects(two.read("manifest", 0, 10), { code: "NOTFOUND" });
    const late = two.read(name, 10, 30);
    two.release();
    assert.equal((await world.clock.drive(late)).length, 30);
    await world.clock.settle();
    assert.equal(filesOf(world).length, 2, filesOf(world).join());
    const { store: other } = await openStore(cloneWorld(world));
    assert.deepEqual(other.runs, store.runs);
    const copy = await copyWith();
    await copy.world.clock.drive(take(copy.store, whole));
    assert.equal(await found(copy), adoptedText(3, bulk("x"), bulk("y"), second));
  });

  test("a release removes nothing that a manifest of unknown fate may name", async () => {
    const { world, store } = await copyWith(first);
    const exported = await world.clock.drive(store.exportFiles());
    world.disk.onOperation = ({ kind, path }) => {
      if (kind !== "rename" || !path.endsWith("/manifest")) return;
      world.disk.fail({ on: "syncDirectory", code: "EIO" });
    };
    await assert.rejects(addRows(world, store, second, { position: 2 }), { code: "EIO" });
    exported.release();
    await world.clock.settle();
    world.disk.crash(keepAll);
    world.disk.restart();
    assert.equal(await restartedOn(world), `{"position":2} ${textOf(applied(first, second))}`);
  });

  test("a crash forgets what was given out; the next start removes it", async () => {
    const { world, store } = await copyWith(bulk("x"), bulk("y"), second);
    await world.clock.drive(store.exportFiles());
    await world.clock.drive(store.maybeMerge(0));
    assert.equal(filesOf(world).length, 5);
    world.disk.crash(keepAll);
    world.disk.restart();
    const next = await openStore(world);
    await world.clock.drive(next.store.removeLeftovers());
    assert.deepEqual(filesOf(world), ["00000004.run", "manifest"]);
  });

  test("a close ends it, and leaves no file open", async () => {
    const { world, store } = await copyWith(bulk("x"));
    const exported = await world.clock.drive(store.exportFiles());
    const name = must(exported.files[0]).name;
    const reading = exported.read(name, 0, 1_000);
    await world.clock.drive(store.close());
    assert.equal((await reading).length, 1_000);
    await assert.rejects(exported.read(name, 0, 1), { code: "STOPPED" });
  });
});

async function refused(sent: Sent, what: string): Promise<void> {
  const copy = await copyWith(second);
  const before = await found(copy);
  const error: unknown = await copy.world.clock
    .drive(receive(copy.store, sent))
    .catch((thrown: unknown) => thrown);
  assert.ok(error instanceof TrubaError, `${what}: ${JSON.stringify(error)}`);
  assert.ok(error.code === "DATADAMAGED" || error.code === "DATAVERSION", what);
  await copy.world.clock.settle();
  assert.equal(await found(copy), before);
  assert.deepEqual(filesOf(copy.world), ["00000001.run", "manifest"], what);
  await copy.store.close();
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = must(copy[at]) ^ (1 << (at % 8));
  return copy;
}

suite("P7: what does not arrive whole is refused", () => {
  test("every byte of a small checkpoint with a bit turned over", async () => {
    const sent = await sentOf(rows({ "1/a": "body of a", "2/b": "body of b" }));
    for (let at = 0; at < sent.manifest.length; at++)
      await refused({ ...sent, manifest: flipped(sent.manifest, at) }, `manifest, byte ${at}`);
    const file = must(sent.files[0]);
    for (let at = 0; at < file.content.length; at++) {
      const content = flipped(file.content, at);
      await refused({ ...sent, files: [{ ...file, content }] }, `run, byte ${at}`);
    }
  });

  test("pieces that are missing, too many, of another file, out of order, or of another partition", async () => {
    const sent = await sentOf(first, second, bulk("x"));
    const [one, two] = [must(sent.files[0]), must(sent.files[1])];
    const rest = sent.files.slice(1);
    const cut = { ...one, content: one.content.subarray(0, -1) };
    const long = { ...one, content: Buffer.concat([one.content, Buffer.alloc(1)]) };
    await refused({ ...sent, files: [] }, "nothing");
    await refused({ ...sent, files: [cut, ...rest] }, "cut");
    await refused({ ...sent, files: rest }, "one missing");
    await refused({ ...sent, files: [long, ...rest] }, "too long");
    await refused({ ...sent, files: [{ ...one, name: "00000099.run" }] }, "unknown");
    await refused({ ...sent, files: [{ ...one, name: "../manifest" }] }, "elsewhere");
    await refused({ ...sent, files: [{ ...one, name: two.name }, ...rest] }, "mixed up");
    const none = { partition, nextRun: 1, runs: [], state: null };
    await refused({ manifest: encodeManifest(none), files: [] }, "no checkpoint");
    const other = { partition: 8, nextRun: 1, runs: [], state: {} };
    await refused({ manifest: encodeManifest(other), files: [] }, "another partition's");
    await refused({ manifest: Buffer.alloc(2_000_000), files: [] }, "a huge manifest");
    await refused({ manifest: Buffer.alloc(0), files: [] }, "no manifest");
  });

  test("abandoned in the middle, or by a close: nothing is left", async () => {
    const sent = await sentOf(bulk("x"));
    const { name, content } = must(sent.files[0]);
    const { world, store } = await copyWith(second);
    const receiver = store.receive();
    await world.clock.drive(receiver.begin(sent.manifest));
    const writing = receiver.write(name, content.subarray(0, 9_000));
    await world.clock.drive(Promise.all([receiver.abandon(), writing]));
    assert.equal(filesOf(world).length, 2);
    await assert.rejects(receiver.finish(), { code: "STOPPED" });
    const whole = await world.clock.drive(receive(store, sent));
    await world.clock.drive(store.close());
    assert.equal(filesOf(world).length, 2);
    assert.throws(() => store.adopt(whole), /closed/);
    assert.equal(
      await restartedOn(world),
      `{"installed":0,"position":1} ${textOf(applied(rows({}), second))}`,
    );
  });
});
