/** P7 among several nodes: a damaged copy is retired, once and for good, and another one under a new id takes its place; copies no longer wanted go. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { encodeToken } from "../../src/log/log-token.ts";
import { changeKinds } from "../../src/raft/membership-change.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { Wal } from "../../src/wal/wal.ts";
import { Cluster, dataDirectory, summaryOf } from "./cluster-world.ts";
import type { Host } from "./cluster-world.ts";
import { set } from "./node-world.ts";

function pathsOf(host: Host, pattern: RegExp): string[] {
  return host.files.paths().filter((path) => pattern.test(path));
}

/** Three nodes with records in checkpoints and in the logs behind them. */
async function clusterAtWork(): Promise<Cluster> {
  const cluster = await Cluster.open({ partitions: 2 });
  for (let i = 0; i < 20; i++) await cluster.ask(set(i, 300), i % 2);
  await cluster.run(300);
  for (const host of cluster.hosts) await cluster.clock.drive(host.node.checkpoint());
  for (let i = 20; i < 30; i++) await cluster.ask(set(i, 300), i % 2);
  await cluster.run(300);
  return cluster;
}

function replicaOn(host: Host, id: number): number | undefined {
  return host.node.groups[id]?.replica;
}

async function expectEqual(cluster: Cluster, id: number, hosts: readonly Host[]): Promise<void> {
  await cluster.run(1_000);
  const wanted = summaryOf((await cluster.leader(id)).partition(id));
  for (const host of hosts)
    assert.equal(summaryOf(host.partition(id)), wanted, `host ${host.number}, partition ${id}`);
}

/** Damages the disk of a follower of both partitions, and starts it again. */
async function damageFollower(cluster: Cluster, damage: (host: Host) => void): Promise<Host> {
  const leaders = [await cluster.leader(0), await cluster.leader(1)];
  const host = must(cluster.hosts.findLast((each) => !leaders.includes(each)));
  await host.stop();
  damage(host);
  await host.start();
  return host;
}

/** A bit of the first record of an entry. */
function flipInLog(host: Host): void {
  const path = must(pathsOf(host, /[0-9a-f]{16}\.wal$/)[0]);
  const bytes = Buffer.from(host.files.contents(path));
  const at = bytes.indexOf(Buffer.alloc(100, 21));
  assert.ok(at > 0, "the log holds the value of key 20");
  host.files.flipBit(path, at, 3);
}

/** Puts a new copy in the place of a retired one, as the membership of a cluster does. */
async function replace(cluster: Cluster, host: Host, id: number, replica: number): Promise<void> {
  const retired = must(host.plans[id]).bootstrap.replica;
  const plan = cluster.planFor(host, replica);
  host.plans[id] = plan;
  await cluster.clock.drive(host.node.addCopy(id, plan));
  await propose(cluster, id, [{ kind: changeKinds.addLearner, replica }]);
  await propose(cluster, id, [
    { kind: changeKinds.addVoter, replica },
    { kind: changeKinds.remove, replica: retired },
  ]);
}

suite("P7: a damaged copy is retired", () => {
  const damages: readonly (readonly [string, (host: Host) => void, readonly number[]])[] = [
    [
      "a bit of a run has flipped",
      (host) => {
        const path = must(pathsOf(host, /0001\/.*\.run$/)[0]);
        host.files.flipBit(path, host.files.contents(path).length >> 1, 3);
      },
      [1],
    ],
    [
      "a bit of a manifest has flipped",
      (host) => host.files.flipBit(must(pathsOf(host, /0001\/manifest$/)[0]), 20, 3),
      [1],
    ],
    ["a run is lost", (host) => host.files.loseFile(must(pathsOf(host, /0001\/.*\.run$/)[0])), [1]],
    [
      "the checkpoints of a partition are lost",
      (host) => {
        for (const path of pathsOf(host, /0001\//)) host.files.loseFile(path);
      },
      [1],
    ],
    ["a bit of an acknowledged record has flipped", flipInLog, [0]],
  ];
  for (const [name, damage, partitions] of damages) {
    test(`${name}: it says so, the node goes on with its other copies, another copy takes its place`, async () => {
      const cluster = await clusterAtWork();
      const host = await damageFollower(cluster, damage);
      const { retired } = host.node;
      assert.deepEqual(
        retired.map(({ partition, replica }) => [partition, replica]),
        partitions.map((partition) => [partition, host.number + 1]),
      );
      for (const { reason } of retired) assert.ok(reason.length > 20, reason);
      for (const id of partitions) {
        assert.equal(host.node.groups[id], undefined);
        assert.equal(host.partition(id).admit()?.code, "NOTLEADER");
        assert.deepEqual(pathsOf(host, new RegExp(`000${id}/(manifest|.*run)$`)), []);
      }
      for (let id = 0; id < 2; id++) await cluster.ask(set(40), id);
      for (let id = 0; id < 2; id++) {
        const whole = partitions.includes(id) ? cluster.followers(host) : cluster.hosts;
        await expectEqual(cluster, id, whole);
      }
      for (const id of partitions) {
        await replace(cluster, host, id, 11);
        await cluster.ask(set(41), id);
        await expectEqual(cluster, id, cluster.hosts);
      }
      await host.stop();
      await host.start();
      assert.deepEqual(host.node.retired, []);
      for (let id = 0; id < 2; id++) await expectEqual(cluster, id, cluster.hosts);
      await cluster.stop();
    });
  }

  test("it stays retired however often the node starts, until another one is wanted", async () => {
    const cluster = await clusterAtWork();
    const host = await damageFollower(cluster, flipInLog);
    for (let i = 0; i < 3; i++) {
      await host.stop();
      await host.start();
      assert.deepEqual(
        host.node.retired.map(({ partition, replica }) => [partition, replica]),
        [[0, host.number + 1]],
      );
      assert.equal(host.node.groups[0], undefined);
    }
    host.plans[0] = cluster.planFor(host, 12);
    await host.stop();
    await host.start();
    assert.deepEqual(host.node.retired, []);
    assert.equal(host.node.groups[0]?.replica, 12);
    await cluster.stop();
  });

  test("one whose name is what was damaged is not taken for the copy before it, and does not begin anew under its id", async () => {
    const cluster = await clusterAtWork();
    const host = await damageFollower(cluster, flipInLog);
    await replace(cluster, host, 0, 11);
    await cluster.ask(set(41), 0);
    await cluster.run(500);
    await host.stop();
    const { configuration } = must(host.plans[0]).bootstrap;
    const name = encodeToken({ replica: 11, term: 0, configuration, configurationIndex: 0 });
    let flipped = 0;
    for (const path of pathsOf(host, /[0-9a-f]{16}\.wal$/)) {
      const bytes = Buffer.from(host.files.contents(path));
      for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1)) {
        host.files.flipBit(path, at + 16, 1);
        flipped++;
      }
    }
    assert.ok(flipped > 0, "the log holds the name of the copy");
    await host.start();
    assert.ok(
      host.node.retired.some(({ partition, replica }) => partition === 0 && replica === 11),
      JSON.stringify(host.node.retired),
    );
    assert.equal(host.node.groups[0], undefined);
    await cluster.stop();
  });

  test("one that nobody wanted when it was found damaged does not stand in the way of the next one", async () => {
    const cluster = await clusterAtWork();
    const host = await damageFollower(cluster, (each) => {
      flipInLog(each);
      each.plans[0] = undefined;
    });
    assert.deepEqual(host.node.retired, []);
    host.plans[0] = cluster.planFor(host, 12);
    for (let i = 0; i < 2; i++) {
      await host.stop();
      await host.start();
      assert.deepEqual(host.node.retired, []);
      assert.equal(host.node.groups[0]?.replica, 12);
    }
    await cluster.stop();
  });

  test("whenever the power goes while it is retired, the next start ends it", async () => {
    let points = 0;
    for (let operations = 0; ; operations++) {
      const cluster = await clusterAtWork();
      const leaders = [await cluster.leader(0), await cluster.leader(1)];
      const host = must(cluster.hosts.findLast((each) => !leaders.includes(each)));
      await host.stop();
      flipInLog(host);
      host.files.failAfter(operations);
      const came = await host.start().then(
        () => host.files.alive,
        () => false,
      );
      host.files.failAfter(Infinity);
      if (!came) {
        points++;
        await host.loseStart(operations);
        await host.start();
      }
      assert.deepEqual(
        host.node.retired.map(({ partition, replica }) => [partition, replica]),
        [[0, host.number + 1]],
        `after ${operations} operations`,
      );
      await expectEqual(cluster, 1, cluster.hosts);
      await replace(cluster, host, 0, 11);
      await expectEqual(cluster, 0, cluster.hosts);
      await cluster.stop();
      if (came) break;
    }
    assert.ok(points > 8, `${points} points`);
  });
});

suite("copies come and go", () => {
  test("a copy that is wanted no more goes at the next start, with its state", async () => {
    const cluster = await clusterAtWork();
    const host = must(cluster.hosts[2]);
    await host.stop();
    host.plans[1] = undefined;
    await host.start();
    assert.equal(host.node.groups[1], undefined);
    assert.deepEqual(pathsOf(host, /0001\/(manifest|.*run)$/), []);
    assert.deepEqual(host.node.retired, []);
    await cluster.ask(set(50), 1);
    await cluster.stop();
  });

  test("a copy under another id begins anew and gets everything from its leader", async () => {
    const cluster = await clusterAtWork();
    const host = must(cluster.hosts[2]);
    await host.stop();
    await replaceAtStart(cluster, host, 1, 21);
    await expectEqual(cluster, 1, cluster.hosts);
    assert.equal(host.partition(1).stack.records.count, 15);
    await cluster.stop();
  });

  test("a copy goes while the node runs, and another one comes", async () => {
    const cluster = await clusterAtWork();
    const host = cluster.followers(await cluster.leader(1)).find((each) => each.isUp);
    assert.ok(host !== undefined);
    await cluster.clock.drive(host.node.removeCopy(1));
    assert.equal(replicaOn(host, 1), undefined);
    assert.equal(host.partition(1).state.rows, 0);
    assert.deepEqual(pathsOf(host, /0001\/(manifest|.*run)$/), []);
    await assert.rejects(host.node.removeCopy(1), { code: "BADCHANGE" });
    await replace(cluster, host, 1, 31);
    await assert.rejects(host.node.addCopy(1, cluster.planFor(host, 32)), { code: "BADCHANGE" });
    await expectEqual(cluster, 1, cluster.hosts);
    await host.die();
    await host.start();
    assert.equal(replicaOn(host, 1), 31);
    await expectEqual(cluster, 1, cluster.hosts);
    assert.equal(host.fatal, undefined);
    await cluster.stop();
  });
});

suite("a copy that comes with a checkpoint of a peer", () => {
  test("starts from it, under its own id, and gets the rest from the log; whenever the power goes meanwhile", async () => {
    for (let operations = 0; ; operations++) {
      const cluster = await clusterAtWork();
      const leader = await cluster.leader(1);
      const host = must(cluster.followers(leader)[0]);
      const replica = must(host.plans[1]).bootstrap.replica;
      await cluster.clock.drive(host.node.removeCopy(1));
      const plan = cluster.planFor(host, 41);
      host.plans[1] = plan;
      await propose(cluster, 1, [{ kind: changeKinds.addLearner, replica: 41 }]);
      const received = await cluster.clock.drive(
        (async () => {
          const receiver = host.node.receiveCheckpoint(1);
          const exported = await leader.node.exportCheckpoint(1);
          await receiver.begin(exported.manifest);
          for (const { name, bytes } of exported.files)
            await receiver.write(name, await exported.read(name, 0, bytes));
          exported.release();
          return receiver.finish();
        })(),
      );
      const position = Number(received.state["position"]);
      host.files.failAfter(operations);
      void host.node.addCopy(1, plan, received).catch(() => {});
      await cluster.run(20);
      const came = host.files.alive && host.node.groups[1] !== undefined;
      host.files.failAfter(Infinity);
      if (came) assert.ok(host.partition(1).position >= position);
      else {
        await host.loseStart(operations);
        await host.start();
      }
      assert.deepEqual(host.node.retired, []);
      assert.equal(replicaOn(host, 1), 41);
      await propose(cluster, 1, [
        { kind: changeKinds.addVoter, replica: 41 },
        { kind: changeKinds.remove, replica },
      ]);
      await cluster.ask(set(60), 1);
      await expectEqual(cluster, 1, cluster.hosts);
      await host.die();
      await host.start();
      await expectEqual(cluster, 1, cluster.hosts);
      await cluster.stop();
      if (came) break;
      assert.ok(operations < 100, "the copy never comes");
    }
  });
});

suite("P7: a copy that left never comes back under its old id", () => {
  for (const [name, marked] of [
    ["removed while the node ran", true],
    ["also when the log does not say who it was", false],
  ] as const) {
    test(name, async () => {
      const cluster = await clusterAtWork();
      const host = must(cluster.hosts[1]);
      if (marked) await cluster.clock.drive(host.node.removeCopy(1));
      const { nodeId } = host.node.identity;
      await host.stop();
      if (!marked) await removeInLog(cluster, host, nodeId);
      for (let i = 0; i < 2; i++) {
        await host.start();
        assert.equal(replicaOn(host, 1), undefined);
        assert.deepEqual(
          host.node.retired.map(({ partition, replica }) => [partition, replica]),
          [[1, 2]],
        );
        await host.stop();
      }
      host.plans[1] = cluster.planFor(host, 51);
      await host.start();
      assert.equal(replicaOn(host, 1), 51);
      assert.deepEqual(host.node.retired, []);
      await cluster.stop();
    });
  }
});

/** As a crash leaves it between the record of the removal and the mark behind it. */
async function removeInLog(cluster: Cluster, host: Host, nodeId: number): Promise<void> {
  const { clock } = cluster;
  const wal = await clock.drive(
    Wal.open({
      files: host.files,
      clock,
      logger: silentLogger,
      directory: `${dataDirectory}/wal`,
      segmentBytes: 65_536,
      nodeId,
      lowWaterBytes: 0,
      onFailure: (error) => {
        throw error;
      },
      onSpace: () => {},
    }),
  );
  wal.stageRemoved(1, 1, 0);
  await clock.drive(wal.close());
}

async function propose(
  cluster: Cluster,
  id: number,
  changes: { kind: 1 | 2 | 4; replica: number }[],
): Promise<void> {
  const group = must((await cluster.leader(id)).node.groups[id]);
  await cluster.clock.drive(group.propose({ transition: "implicit", changes }));
  await cluster.run(1_000);
}

async function replaceAtStart(
  cluster: Cluster,
  host: Host,
  id: number,
  replica: number,
): Promise<void> {
  const retired = must(host.plans[id]).bootstrap.replica;
  host.plans[id] = cluster.planFor(host, replica);
  await host.start();
  await propose(cluster, id, [
    { kind: changeKinds.addVoter, replica },
    { kind: changeKinds.remove, replica: retired },
  ]);
}
