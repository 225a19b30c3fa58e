/** What documents do when something is wrong or short: full disks, stopping nodes, lost journals, damaged heads, little memory. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { Environment } from "../../src/base/environment.ts";
import { TrubaError } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { MemoryFileSystem } from "../../src/base/memory-file-system.ts";
import { NodeNetwork } from "../../src/base/node-network.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { directoryOf } from "../../src/documents/document-name.ts";
import { documentsGroup } from "../../src/documents/journal.ts";
import { Node } from "../../src/node/node.ts";
import type { Replication } from "../../src/node/replication.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { openWorld, until } from "./documents-world.ts";

const add = (path: string, value: unknown): string => JSON.stringify([{ op: "add", path, value }]);

function code(wanted: string): (error: unknown) => boolean {
  return (error) => error instanceof TrubaError && error.code === wanted;
}

suite("documents when the node refuses", () => {
  test("a full disk refuses patches with DISKFULL; reads go on, and patches when there is space", async () => {
    const node = await openWorld().open();
    await node.documents.patch("notes", add("/a", 1));
    node.setDiskFull(true);
    await assert.rejects(node.documents.patch("notes", add("/b", 1)), code("DISKFULL"));
    const from = { source: "b", kind: "truba" } as const;
    await assert.rejects(node.documents.receive("notes", [], from), code("DISKFULL"));
    assert.equal((await node.documents.read("notes")).text, '{"a":1}');
    node.setDiskFull(false);
    await node.documents.patch("notes", add("/b", 1));
    await node.stop();
  });

  test("a node that drains answers what it has, and takes nothing new", async () => {
    const node = await openWorld().open();
    await node.documents.patch("notes", add("/a", 1));
    const inHand = Array.from({ length: 20 }, (_, n) =>
      node.documents.patch("notes", add(`/k${n}`, n)),
    );
    await Promise.resolve();
    const drained = node.drain();
    await assert.rejects(node.documents.patch("notes", add("/late", 1)), code("SHUTTINGDOWN"));
    await drained;
    assert.equal((await Promise.all(inHand)).length, 20);
    await node.stop();
    await assert.rejects(node.documents.read("notes"), code("STOPPED"));
  });

  test("a node that stops without draining says of what it has in hand that nobody knows, and the next start tells", async () => {
    const world = openWorld();
    const node = await world.open();
    await node.documents.patch("notes", add("/a", 1));
    const inHand = node.documents.patch("notes", add("/b", 1));
    const answer = inHand.then(
      () => "durable",
      (error: unknown) => (error instanceof TrubaError ? error.code : "?"),
    );
    await Promise.resolve();
    await node.stop();
    const told = await answer;
    assert(["durable", "UNKNOWNOUTCOME"].includes(told), told);
    const again = await world.open();
    const { text } = await again.documents.read("notes");
    if (told === "durable") assert.equal(text, '{"a":1,"b":1}');
    await again.stop();
  });

  test("a checkpoint under way does not keep a node from stopping", async () => {
    const node = await openWorld().open();
    for (let n = 0; n < 5; n++) await node.documents.patch(`d${n}`, add("/a", n));
    const round = node.checkpoint();
    await node.stop();
    await round;
  });
});

/** Changes a byte of what stands in the log: an acknowledged transaction. */
function damageJournal(files: MemoryFileSystem, text: string): void {
  const path = "data/wal";
  const [segment] = files.listSync(path).filter((name) => name.endsWith(".wal"));
  assert(segment !== undefined, files.listSync(path).join());
  const handle = files.openSync(`${path}/${segment}`, "write");
  const bytes = Buffer.alloc(handle.sizeSync());
  handle.readSync(bytes, 0);
  const at = bytes.indexOf(text);
  assert(at > 0);
  handle.writeSync(Buffer.from("X"), at + 1);
  handle.closeSync();
}

suite("a lost journal (P7)", () => {
  test("alone the node refuses to start on it; among others it goes on from its files under a new name", async () => {
    const files = new MemoryFileSystem();
    const world = openWorld(files);
    const first = await world.open();
    await first.documents.patch("notes", add("/a", 1));
    await first.checkpoint();
    await until(() => first.wal.group(documentsGroup).firstIndex > 1, "the journal is trimmed");
    for (let n = 0; n < 5; n++) await first.documents.patch("notes", add(`/k${n}`, n));
    await first.stop();
    damageJournal(files, '"/k0"');
    await assert.rejects(world.open(), code("DATADAMAGED"));
    const replication: Replication = { sender: { send: () => {} }, copy: () => undefined };
    const second = await world.open({ replication });
    const { source } = second.documents;
    assert.match(source, /^a~[0-9a-f]{8}$/);
    assert.equal((await second.documents.read("notes")).text, '{"a":1}');
    const made = await second.documents.patch("notes", add("/b", 2));
    assert.deepEqual({ source: made.source, id: made.id }, { source, id: 1 });
    assert.equal((await second.documents.patch("new", add("/n", 1))).source, source);
    await second.stop();
    const third = await world.open({ replication });
    assert.equal(third.documents.source, source, "the name is kept");
    assert.equal((await third.documents.read("notes")).text, '{"a":1,"b":2}');
    assert.equal((await third.documents.patch("notes", add("/c", 3))).id, 2);
    const again = await third.documents.patch("new", add("/n", 2));
    assert.deepEqual({ source: again.source, id: again.id }, { source, id: 2 });
    await third.stop();
  });
});

suite("a lost journal of documents without files (P7)", () => {
  test("begins anew under a new name, with nothing", async () => {
    const files = new MemoryFileSystem();
    const world = openWorld(files);
    const first = await world.open();
    for (let n = 0; n < 5; n++) await first.documents.patch("notes", add(`/k${n}`, n));
    await first.stop();
    damageJournal(files, '"/k2"');
    const replication: Replication = { sender: { send: () => {} }, copy: () => undefined };
    const second = await world.open({ replication });
    await assert.rejects(second.documents.read("notes"), code("NODOCUMENT"));
    const made = await second.documents.patch("notes", add("/b", 2));
    assert.match(made.source ?? "", /^a~/);
    await second.stop();
    const third = await world.open({ replication });
    assert.equal((await third.documents.read("notes")).text, '{"b":2}');
    await third.stop();
  });
});

/** A document with three checkpoints, whose newest has a damaged head, or the two that are kept. */
async function damagedWorld(alsoOlder: boolean): Promise<ReturnType<typeof openWorld>> {
  const files = new MemoryFileSystem();
  const world = openWorld(files);
  const node = await world.open();
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 10; n++) await node.documents.patch("notes", add(`/k${n}`, round));
    await node.checkpoint();
  }
  await node.documents.patch("notes", add("/last", 1));
  await node.stop();
  const directory = `data/documents/${directoryOf("notes")}`;
  const checkpoints = files.listSync(directory).filter((name) => name.startsWith("checkpoint-"));
  assert.equal(checkpoints.length, 2, checkpoints.join());
  for (const name of alsoOlder ? checkpoints : checkpoints.slice(-1)) {
    const handle = files.openSync(`${directory}/${name}`, "write");
    handle.writeSync(Buffer.from("X"), 40);
    handle.closeSync();
  }
  return world;
}

suite("damaged heads of checkpoints (P7)", () => {
  test("the checkpoint before it and history make up for the newest one", async () => {
    const world = await damagedWorld(false);
    const node = await world.open();
    const view = await node.documents.read("notes");
    assert.equal(view.transactions, 31);
    assert.equal(JSON.parse(view.text).k9, 2);
    assert.equal((await node.documents.patch("notes", add("/more", 1))).id, 32);
    assert(await node.checkpoint());
    const page = await node.documents.history("notes", { count: 1_000 });
    assert.equal(page.transactions.length, 32);
    await node.stop();
    const again = await world.open();
    assert.equal((await again.documents.read("notes")).transactions, 32);
    await again.stop();
  });

  test("where both are damaged the document is refused, what the journal has of it is rescued, and the log does not grow", async () => {
    const world = await damagedWorld(true);
    const node = await world.open();
    await assert.rejects(node.documents.read("notes"), code("DOCUMENTDAMAGED"));
    await assert.rejects(
      node.documents.patch("notes", add("/x", 1)),
      /checkpoint-3 is damaged at offset/,
    );
    for (let n = 0; n < 5; n++) await node.documents.patch("other", add("/a", n));
    assert(await node.checkpoint());
    await until(() => {
      const { firstIndex, lastIndex } = node.wal.group(documentsGroup);
      return lastIndex - firstIndex < 3;
    }, "the journal is trimmed");
    const directory = `data/documents/${directoryOf("notes")}`;
    assert(world.files.listSync(directory).includes("rescued-1"));
    const handle = world.files.openSync(`${directory}/rescued-1`, "read");
    const bytes = Buffer.alloc(handle.sizeSync());
    handle.readSync(bytes, 0);
    handle.closeSync();
    assert(bytes.includes('"/last"'));
    await node.stop();
  });

  test("what was rescued is not forgotten: the document is refused, also when its files can be read again", async () => {
    const world = openWorld();
    const node = await world.open();
    await node.documents.patch("notes", add("/a", 1));
    await node.documents.patch("other", add("/a", 1));
    assert(await node.checkpoint());
    await node.stop();
    const path = `data/documents/${directoryOf("notes")}/rescued-1`;
    world.files.openSync(path, "create").closeSync();
    const again = await world.open();
    await assert.rejects(again.documents.read("notes"), {
      code: "DOCUMENTDAMAGED",
      message: /rescued-1; move the directory away/,
    });
    assert.equal((await again.documents.read("other")).text, '{"a":1}');
    await again.stop();
  });
});

suite("documents and memory (P8)", () => {
  test("a document that nobody uses leaves memory, and comes back as it was", async () => {
    const clock = new SimulatedClock();
    const environment: Environment = {
      clock,
      random: new SeededRandom(1),
      files: new MemoryFileSystem(),
      network: new NodeNetwork(),
      logger: silentLogger,
    };
    const node = await clock.drive(
      Node.open(environment, { dataDirectory: "data", name: "a", partitions: 1 }),
    );
    const { documents } = node;
    for (let n = 0; n < 50; n++) await clock.drive(documents.patch(`d${n}`, add("/n", n)));
    await clock.drive(documents.patch("d7", add("/m", 7)));
    const head = documents.head("d7");
    await clock.advanceSettled(limits.documentIdleMs * 2);
    const { files } = environment;
    assert.equal(
      files.listSync("data/documents").length,
      50,
      "each has put what it had into files",
    );
    assert.deepEqual({ ...documents.head("d7")?.vclock }, { ...head?.vclock });
    const view = await clock.drive(documents.read("d7"));
    assert.equal(view.text, '{"m":7,"n":7}');
    assert.equal((await clock.drive(documents.patch("d7", add("/o", 1)))).id, 3);
    await clock.drive(node.stop());
  });

  test("names that are only looked at or watched do not add up to documents", async () => {
    const node = await openWorld().open();
    for (let n = 0; n < 20; n++)
      await assert.rejects(node.documents.read(`none-${n}`), code("NODOCUMENT"));
    assert.deepEqual(node.documents.list(), ["default"]);
    await node.stop();
  });
});
