/**
 * A copy so far behind that its leader's log no longer reaches back gets the leader's checkpoint in the place of its state (DESIGN §7), whole or not at all: also when
 * the power goes at any operation of the disk on the way.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { limits } from "../../src/base/limits.ts";
import { readManifestState } from "../../src/partition/manifest-state.ts";
import { CheckpointStore } from "../../src/state/checkpoint-store.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { Cluster, dataDirectory, summaryOf } from "./cluster-world.ts";
import type { Asked, Host } from "./cluster-world.ts";
import { codeOf, set } from "./node-world.ts";

interface Story {
  readonly cluster: Cluster;
  /** Far behind, and cut off. */
  readonly behind: Host;
  /** What it has. */
  readonly old: string;
}

/** One host misses what the others write, checkpoint, and trim from their logs. `leading`: it led when it was cut off, and has operations in hand. */
async function farBehind(leading: boolean): Promise<Story & { readonly inHand: readonly Asked[] }> {
  const cluster = await Cluster.open();
  for (let i = 0; i < 10; i++) await cluster.ask(set(i, 50));
  await cluster.run(200);
  const leader = await cluster.leader();
  const behind = leading ? leader : must(cluster.followers(leader)[0]);
  await cluster.clock.drive(behind.node.checkpoint());
  behind.cutOff = true;
  const inHand = leading ? [behind.ask(set(70)), behind.ask(set(71))] : [];
  await cluster.run(10);
  for (let i = 10; i < 40; i++) await cluster.ask(set(i % 15, 60 + i));
  await cluster.run(100);
  for (const host of cluster.hosts)
    if (host !== behind) await cluster.clock.drive(host.node.checkpoint());
  await cluster.ask(set(50));
  return { cluster, behind, old: summaryOf(behind.partition()), inHand };
}

async function expectEqual({ cluster }: Story): Promise<void> {
  await cluster.ask(set(60));
  await cluster.run(1_500);
  const wanted = summaryOf((await cluster.leader()).partition());
  for (const host of cluster.hosts) assert.equal(summaryOf(host.partition()), wanted);
}

suite("a checkpoint of a peer takes the place of a state", () => {
  test("P1, P5: the copy goes on from there, and so it does after a restart", async () => {
    const story = await farBehind(false);
    const { cluster, behind } = story;
    const before = behind.partition();
    behind.cutOff = false;
    await cluster.run(2_000);
    assert.deepEqual(behind.installed, [true]);
    assert.notEqual(behind.partition(), before);
    await expectEqual(story);
    await behind.die();
    await behind.start();
    await expectEqual(story);
    assert.ok(await cluster.clock.drive(behind.node.checkpoint()));
    await behind.die();
    await behind.start();
    await expectEqual(story);
    await cluster.stop();
  });

  test("P7: a checkpoint that has rotted on the leader's disk is not sent: it is written anew, from memory", async () => {
    const story = await farBehind(false);
    const { cluster, behind } = story;
    const { files } = await cluster.leader();
    files.flipBit(must(files.paths().find((path) => path.endsWith(".run"))), 100, 1);
    behind.cutOff = false;
    await cluster.run(2_000);
    assert.deepEqual(behind.installed, [true]);
    await expectEqual(story);
    for (const host of cluster.hosts) {
      assert.ok(await cluster.clock.drive(host.node.checkpoint()));
      await host.die();
      await host.start();
    }
    await expectEqual(story);
    await cluster.stop();
  });

  test("P7: a run that has rotted under a node that runs does not stop its merges for ever: it is written anew, from memory", async () => {
    const cluster = await Cluster.open({ hosts: 1 });
    const [host] = cluster.hosts;
    const { files } = must(host);
    const runs = (): string[] => files.paths().filter((path) => path.endsWith(".run"));
    for (let i = 0; i <= limits.deltasMaxCount + 3; i++) {
      for (let key = 0; key < 10; key++) await cluster.ask(set(key, i));
      assert.ok(await cluster.clock.drive(must(host).node.checkpoint()));
      if (i === 0) files.flipBit(must(runs()[0]), 100, 1);
    }
    assert.ok(runs().length <= limits.deltasMaxCount, `${runs().length} runs`);
    const { digest } = must(host).partition().state;
    await must(host).die();
    await must(host).start();
    assert.equal(must(host).partition().state.digest, digest);
    await cluster.stop();
  });

  test("P7: what waits on the copy is answered once, and with the truth", async () => {
    const story = await farBehind(true);
    const { cluster, behind, inHand } = story;
    for (const { answers } of inHand) assert.deepEqual(answers, []);
    behind.cutOff = false;
    await cluster.run(2_000);
    assert.deepEqual(behind.installed, [true]);
    for (const { answers } of inHand) {
      assert.equal(answers.length, 1);
      assert.ok(["UNKNOWNOUTCOME", "NOTLEADER"].includes(codeOf({ outcome: answers[0] })));
    }
    assert.deepEqual(behind.node.load, { bytes: 0, operations: 0 });
    await expectEqual(story);
    await cluster.stop();
  });

  test("P7: the copy numbers its batches on from before, so that an old one of its own that turns up answers nobody else", async () => {
    const story = await farBehind(true);
    const { cluster, behind } = story;
    const { sequence } = behind.partition();
    assert.ok(sequence > 0, "it has written batches");
    behind.cutOff = false;
    await cluster.run(2_000);
    assert.deepEqual(behind.installed, [true]);
    (await cluster.leader()).node.groups[0]?.transferLeadership(behind.number + 1);
    await cluster.run(1_000);
    assert.equal(await cluster.leader(), behind);
    const asked = behind.ask(set(90));
    await cluster.run(100);
    assert.equal(codeOf({ outcome: asked.answers[0] }), "record");
    assert.ok(behind.partition().sequence > sequence);
    await cluster.stop();
  });

  test("the copy that has it may lead, and knows of no number twice", async () => {
    const story = await farBehind(false);
    const { cluster, behind } = story;
    behind.cutOff = false;
    await cluster.run(2_000);
    (await cluster.leader()).node.groups[0]?.transferLeadership(behind.number + 1);
    await cluster.run(1_000);
    assert.equal(await cluster.leader(), behind);
    const asked = behind.ask(set(90));
    await cluster.run(100);
    assert.equal(codeOf({ outcome: asked.answers[0] }), "record");
    await expectEqual(story);
    await cluster.stop();
  });

  test("a message that has become old changes nothing, and checkpoints go on", async () => {
    const story = await farBehind(false);
    const { cluster, behind } = story;
    const message = await messageOf(story);
    behind.cutOff = false;
    await cluster.run(2_000);
    const { receiver, received } = await fetched(story);
    const before = behind.partition();
    assert.equal(
      await cluster.clock.drive(behind.node.installCheckpoint(0, received, message)),
      false,
    );
    await cluster.clock.drive(receiver.abandon());
    assert.equal(behind.partition(), before);
    assert.ok(await cluster.clock.drive(behind.node.checkpoint()));
    await expectEqual(story);
    await cluster.stop();
  });
});

/** The message that announces the checkpoint, as it would have arrived. */
async function messageOf({ cluster, behind }: Story) {
  let found: Parameters<Host["node"]["installCheckpoint"]>[2] | undefined;
  const carry = cluster.carry.bind(cluster);
  cluster.carry = (from, group, messages) => {
    found ??= messages.find(({ snapshot }) => snapshot !== undefined);
    carry(from, group, messages);
  };
  behind.cutOff = false;
  await cluster.run(500);
  return must(found, "no checkpoint was announced");
}

async function fetched({ cluster, behind }: Story) {
  const leader = await cluster.leader();
  const receiver = behind.node.receiveCheckpoint(0);
  const received = await cluster.clock.drive(
    (async () => {
      const exported = await leader.node.exportCheckpoint(0);
      await receiver.begin(exported.manifest);
      for (const { name, bytes } of exported.files)
        await receiver.write(name, await exported.read(name, 0, bytes));
      exported.release();
      return receiver.finish();
    })(),
  );
  return { receiver, received };
}

/** What the manifest on the disk says of where its checkpoint came from. */
async function installedOn({ cluster, behind }: Story): Promise<number | undefined> {
  const { store } = await cluster.clock.drive(
    CheckpointStore.open({
      files: behind.files,
      clock: cluster.clock,
      logger: silentLogger,
      directory: `${dataDirectory}/partitions/0000`,
      partition: 0,
    }),
  );
  const installed = store.state && readManifestState(store.state, 0).installed;
  await store.close();
  return installed;
}

suite("P1, P7: the power goes while a checkpoint is installed", () => {
  for (const from of ["fetch", "install"] as const) {
    test(`at any operation of the disk from the ${from} on: the old state is there or the new one, and the copy goes on`, async () => {
      const seen = new Set<string>();
      for (let operations = 0; ; operations++) {
        const story = await farBehind(operations % 2 === 1);
        const { cluster, behind, old } = story;
        let newest = "";
        const arm = (): void => behind.files.failAfter(operations);
        if (from === "fetch") arm();
        else behind.beforeInstall = arm;
        behind.cutOff = false;
        await cluster.run(1_000);
        behind.beforeInstall = () => {};
        if (behind.files.alive) {
          behind.files.failAfter(Infinity);
          // It came to its end first.
          await expectEqual(story);
          await cluster.stop();
          break;
        }
        newest = summaryOf((await cluster.leader()).partition());
        behind.cutOff = true;
        await behind.loseStart(operations);
        const installed = await installedOn(story);
        await behind.start();
        assert.deepEqual(behind.node.retired, [], `after ${operations} operations`);
        const found = summaryOf(behind.partition());
        seen.add(`installed ${installed}`);
        const position = Number(found.split(" ")[0]);
        assert.ok(
          found === old || position > Number(old.split(" ")[0]),
          `after ${operations} operations: ${found}; was ${old}, the leader has ${newest}`,
        );
        behind.cutOff = false;
        await expectEqual(story);
        await cluster.stop();
      }
      assert.ok(seen.has("installed 0") && seen.has("installed 1"), [...seen].join(", "));
    });
  }
});
