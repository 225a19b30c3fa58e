/** What a copy starts from, what it may forget, and how it goes on from a checkpoint of another one. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { decodeToken } from "../../src/log/log-token.ts";
import type { RaftLog } from "../../src/log/raft-log.ts";
import { changeKinds } from "../../src/raft/membership-change.ts";
import type { ReplicaId } from "../../src/raft/vocabulary.ts";
import { loseAll } from "../../simulator/crash-chooser.ts";
import { batch, codeOf } from "../contract/shared-log.ts";
import { LogCluster, configurationOf } from "./log-cluster.ts";
import { LogDisk } from "./log-disk.ts";

const three = { configuration: configurationOf([1, 2, 3]) };

/** As a checkpoint of what was read does: says what it must carry, and trims. */
function checkpoint(log: RaftLog): { position: number; token: Uint8Array } {
  const { committed, token } = log.status();
  log.trim(committed);
  return { position: committed, token };
}

async function write(cluster: LogCluster, leader: ReplicaId, from: number, count: number) {
  for (let i = from; i < from + count; i++) void cluster.log(leader).append(batch(i));
  await cluster.settle();
  for (const replica of cluster.disks.keys()) await cluster.read(replica);
}

suite("RaftLog: a copy that was away", () => {
  test("gets a checkpoint when its entries are gone, and goes on behind it", async () => {
    const cluster = await LogCluster.open(three);
    const leader = await cluster.elect();
    const away = leader === 3 ? 2 : 3;
    await write(cluster, leader, 0, 3);
    cluster.isolate(away);
    await write(cluster, leader, 3, 5);
    const { position } = checkpoint(cluster.log(leader));
    await cluster.settle();
    await write(cluster, leader, 8, 2);
    assert.equal(cluster.log(leader).status().first, position + 1);
    cluster.heal();
    await cluster.tick(30);
    assert.deepEqual(cluster.installed, [{ replica: away, position }]);
    await cluster.read(away);
    assert.deepEqual(
      cluster.history.get(away),
      [0, 1, 2, 8, 9].map((i) => `batch ${i}`),
    );
    const { first, committed } = cluster.log(away).status();
    assert.equal(first, position + 1);
    assert.equal(committed, cluster.log(leader).status().committed);
    assert.equal(cluster.disk(away).wal.group(1).reset?.index, position);
    await write(cluster, leader, 10, 1);
    assert.equal(cluster.history.get(away)?.at(-1), "batch 10");
  });

  test("P1: the checkpoint counts as held only when the reset of the log is durable", async () => {
    const cluster = await LogCluster.open(three);
    const leader = await cluster.elect();
    const away = leader === 3 ? 2 : 3;
    cluster.isolate(away);
    await write(cluster, leader, 0, 5);
    const { position, token } = checkpoint(cluster.log(leader));
    await cluster.settle();
    const log = cluster.log(away);
    const group = cluster.log(leader).group;
    const progress = (): number => group.status().progress.get(away)?.match ?? 0;
    const before = progress();
    const announced = new Promise<void>((resolve) => {
      log.onSnapshot((message) => {
        assert.ok(log.installing(message, { position, token }));
        resolve();
      });
    });
    cluster.heal();
    await cluster.tick(30);
    await announced;
    assert.equal(progress(), before);
    assert.deepEqual(log.committed(1_000), []);
    const reset = log.resetTo(position, token);
    assert.equal(cluster.disk(away).wal.group(1).reset?.index, 0);
    await cluster.settle();
    await reset;
    assert.ok(progress() >= position);
  });

  test("a crash between the checkpoint and the reset of the log: the next start resets it", async () => {
    const cluster = await LogCluster.open(three);
    const leader = await cluster.elect();
    const away = leader === 3 ? 2 : 3;
    cluster.isolate(away);
    await write(cluster, leader, 0, 5);
    const from = { ...checkpoint(cluster.log(leader)), installed: true };
    await cluster.stop(away);
    cluster.heal();
    await cluster.start(away, from);
    assert.equal(cluster.log(away).status().first, from.position + 1);
    await cluster.tick(30);
    await write(cluster, leader, 5, 1);
    assert.deepEqual(cluster.installed, []);
    assert.deepEqual(cluster.history.get(away), ["batch 5"]);
    assert.equal(cluster.disk(away).wal.group(1).reset?.index, from.position);
    await cluster.stop(away);
    await cluster.start(away, from);
    assert.equal(cluster.log(away).status().last, cluster.log(leader).status().last);
  });

  test("the same when its own log is longer, but another one", async () => {
    const cluster = await LogCluster.open(three);
    const old = await cluster.elect();
    const others = [1, 2, 3].filter((replica) => replica !== old);
    cluster.isolate(old);
    for (let i = 0; i < 20; i++) void codeOf(cluster.log(old).append(batch(100 + i)));
    await cluster.settle();
    const leader = await cluster.elect(others);
    await write(cluster, leader, 0, 3);
    const from = { ...checkpoint(cluster.log(leader)), installed: true };
    assert.ok(cluster.log(old).status().last > from.position);
    await cluster.stop(old);
    cluster.heal();
    await cluster.start(old, from);
    await cluster.tick(10);
    await write(cluster, leader, 3, 1);
    assert.deepEqual(cluster.history.get(old)?.at(-1), "batch 3");
    assert.equal(cluster.log(old).status().last, cluster.log(leader).status().last);
  });

  test("P7: an own checkpoint that the log contradicts is refused", async () => {
    const disk = new LogDisk();
    await disk.open();
    await disk.read(1);
    const { committed, token } = disk.log(1).status();
    await disk.reopen();
    await disk.close();
    await disk.openOnly();
    disk.log(1).readFrom(committed, token);
    assert.throws(() => disk.log(1).readFrom(committed + 1, token), { code: "DATADAMAGED" });
    await disk.close();
  });
});

suite("RaftLog: membership", () => {
  test("a change resolves when it is applied, and a checkpoint's token carries it", async () => {
    const cluster = await LogCluster.open({
      configuration: configurationOf([1]),
      replicas: [1, 2],
    });
    assert.equal(await cluster.elect([1]), 1);
    const { group } = cluster.log(1);
    const before = decodeToken(cluster.log(1).status().token);
    const added = group.propose({
      transition: "auto",
      changes: [{ kind: changeKinds.addLearner, replica: 2 }],
    });
    await cluster.settle();
    await cluster.read(1);
    assert.deepEqual((await added).learners, [2]);
    await cluster.tick(3);
    await write(cluster, 1, 0, 2);
    assert.deepEqual(cluster.history.get(2), ["batch 0", "batch 1"]);
    const after = decodeToken(cluster.log(1).status().token);
    assert.deepEqual(before.configuration, configurationOf([1]));
    assert.deepEqual(after.configuration, configurationOf([1], { learners: [2] }));
    const from = checkpoint(cluster.log(1));
    await cluster.settle();
    await cluster.disk(1).close();
    await cluster.stop(1);
    await cluster.start(1, from);
    assert.deepEqual(cluster.log(1).group.status().configuration, after.configuration);
    await cluster.elect([1]);
    await write(cluster, 1, 2, 1);
    assert.equal(cluster.history.get(2)?.at(-1), "batch 2");
  });

  test("a second change while one is under way, and one that makes no sense, are refused", async () => {
    const cluster = await LogCluster.open(three);
    const { group } = cluster.log(await cluster.elect());
    const change = (replica: ReplicaId) =>
      group.propose({
        transition: "auto",
        changes: [{ kind: changeKinds.addLearner, replica }],
      });
    const first = change(4);
    assert.equal(await codeOf(change(5)), "BADCHANGE");
    await cluster.settle();
    for (const replica of [1, 2, 3]) await cluster.read(replica);
    assert.deepEqual((await first).learners, [4]);
    const leaves = group.propose({ transition: "auto", changes: [] });
    assert.equal(await codeOf(leaves), "BADCHANGE");
    const other = cluster.log(group.replica === 1 ? 2 : 1).group;
    const refused = other.propose({ transition: "auto", changes: [] });
    assert.equal(await codeOf(refused), "NOTLEADER");
  });

  test("a copy that is removed is told, and leads no more", async () => {
    const cluster = await LogCluster.open(three);
    const leader = await cluster.elect();
    let told = 0;
    cluster.log(leader).onRemoved(() => told++);
    const removed = cluster.log(leader).group.propose({
      transition: "auto",
      changes: [{ kind: changeKinds.remove, replica: leader }],
    });
    await cluster.settle();
    for (const replica of [1, 2, 3]) await cluster.read(replica);
    assert.ok(!(await removed).voters.includes(leader));
    assert.equal(told, 1);
    await cluster.settle();
    assert.equal(cluster.log(leader).status().role, "follower");
    const rest = [1, 2, 3].filter((replica) => replica !== leader);
    assert.notEqual(await cluster.elect(rest), leader);
  });

  test("leadership is handed over", async () => {
    const cluster = await LogCluster.open(three);
    const leader = await cluster.elect();
    const heir = leader === 2 ? 3 : 2;
    cluster.log(leader).group.transferLeadership(heir);
    await cluster.settle();
    await cluster.read(heir);
    assert.equal(cluster.log(heir).status().role, "leader");
  });

  test("P2: an only voter that its own log has joined to others does not lead alone", async () => {
    const cluster = await LogCluster.open({
      configuration: configurationOf([1]),
      replicas: [1, 2],
    });
    await cluster.elect([1]);
    const joined = cluster.log(1).group.propose({
      transition: "auto",
      changes: [{ kind: changeKinds.addVoter, replica: 2 }],
    });
    await cluster.settle();
    await cluster.read(1);
    await joined;
    await cluster.tick(3);
    await cluster.disk(1).close();
    await cluster.stop(1);
    const disk = cluster.disk(1);
    await disk.openOnly();
    const { last } = disk.log(1).status();
    let read = 0;
    for (const { position } of disk.log(1).committed(1_000_000)) read = position;
    assert.ok(read <= last);
    disk.logs.start();
    disk.logs.flush();
    await disk.settle();
    assert.deepEqual(disk.log(1).group.status().configuration.voters, [1, 2]);
    assert.equal(disk.log(1).group.status().soft.leader, 0);
    await disk.close();
  });
});

suite("RaftLog: a witness", () => {
  const configuration = configurationOf([1, 2, 3], { witnesses: [3] });

  test("nothing is trimmed that a full copy lacks, on any copy", async () => {
    const cluster = await LogCluster.open({ configuration });
    const leader = await cluster.elect([1, 2]);
    const away = leader === 1 ? 2 : 1;
    await write(cluster, leader, 0, 3);
    await cluster.tick(3);
    const held = cluster.log(away).status().last;
    cluster.isolate(away);
    await write(cluster, leader, 3, 5);
    for (const replica of [leader, 3]) checkpoint(cluster.log(replica));
    await cluster.tick(3);
    for (const replica of [leader, 3]) {
      const { first } = cluster.log(replica).status();
      assert.ok(first <= held + 1, `copy ${replica} begins at ${first}; ${held} is held by all`);
    }
    cluster.heal();
    await cluster.tick(10);
    for (const replica of [leader, 3]) {
      const { first, last } = cluster.log(replica).status();
      assert.equal(first, last + 1, `copy ${replica}`);
    }
    await cluster.read(away);
    assert.deepEqual(cluster.installed, []);
    assert.equal(cluster.history.get(away)?.length, 8);
  });

  test("keeps its configuration beside the reset of its log when it trims", async () => {
    const cluster = await LogCluster.open({ configuration });
    const leader = await cluster.elect([1, 2]);
    const added = cluster.log(leader).group.propose({
      transition: "auto",
      changes: [{ kind: changeKinds.addLearner, replica: 4 }],
    });
    await cluster.settle();
    for (const replica of [1, 2, 3]) await cluster.read(replica);
    await added;
    await cluster.add(4);
    await cluster.tick(5);
    await write(cluster, leader, 0, 4);
    const witness = cluster.log(3);
    await cluster.tick(3);
    const { committed } = witness.status();
    witness.trim(committed - 2);
    await cluster.tick(5);
    assert.equal(cluster.disk(3).wal.group(1).reset?.index, committed - 2);
    assert.equal(witness.status().last, cluster.log(leader).status().last);
    await cluster.stop(3);
    cluster.disk(3).files.crash(loseAll);
    cluster.disk(3).files.restart();
    await cluster.start(3, { position: committed - 2 });
    const { configuration: found } = cluster.log(3).group.status();
    assert.deepEqual(found, configurationOf([1, 2, 3], { witnesses: [3], learners: [4] }));
    await cluster.tick(3);
    await write(cluster, leader, 4, 1);
    assert.equal(cluster.log(3).status().last, cluster.log(leader).status().last);
  });

  test("that is new takes the beginning of the log at once", async () => {
    const cluster = await LogCluster.open({
      configuration: configurationOf([1, 2]),
      replicas: [1, 2],
    });
    const leader = await cluster.elect();
    await write(cluster, leader, 0, 5);
    await cluster.tick(2);
    checkpoint(cluster.log(leader));
    await cluster.settle();
    await cluster.add(3);
    const added = cluster.log(leader).group.propose({
      transition: "auto",
      changes: [{ kind: changeKinds.addWitness, replica: 3 }],
    });
    await cluster.settle();
    for (const replica of [1, 2]) await cluster.read(replica);
    await cluster.tick(20);
    await added;
    assert.equal(cluster.log(3).status().last, cluster.log(leader).status().last);
    assert.deepEqual(cluster.installed, []);
    cluster.isolate(leader);
    const other = leader === 1 ? 2 : 1;
    assert.equal(await cluster.elect([other, 3]), other);
  });
});

suite("RaftLog: who a copy is", () => {
  const bootstrap = { replica: 4, configuration: configurationOf([4]) };

  test("stands in its log from the first flush on", async () => {
    const disk = new LogDisk({ bootstrap });
    await disk.open();
    void disk.log(1).append(batch(0));
    await disk.settle();
    assert.equal(disk.wal.group(1).hardState?.votedFor, 4);
    await disk.close();
    const later = disk.reopened();
    await later.open();
    assert.equal(later.log(1).group.replica, 4);
    assert.deepEqual((await later.read(1)).length, 3);
    await later.close();
  });

  test("a log of another copy is refused", async () => {
    const disk = new LogDisk({ bootstrap });
    await disk.open();
    await disk.close();
    const wrong = disk.reopened({ bootstrap: { ...bootstrap, replica: 5 } });
    await assert.rejects(wrong.openOnly(), { code: "BADCONFIG" });
    await wrong.crash();
  });

  test("a copy that was removed leaves its vote behind, and another one may come", async () => {
    const disk = new LogDisk({ bootstrap });
    await disk.open();
    const { term } = disk.log(1).status();
    disk.logs.remove(1);
    await disk.settle();
    await disk.close();
    assert.equal(await codeOf(disk.log(1).append(batch(0))), "STOPPED");
    const later = disk.reopened({ bootstrap: { replica: 9, configuration: configurationOf([9]) } });
    await later.open();
    assert.deepEqual(later.wal.group(1).removed, { term, votedFor: 4 });
    assert.equal(later.log(1).group.replica, 9);
    assert.equal((await later.read(1))[0]?.position, 1);
    assert.equal(later.log(1).status().role, "leader");
    await later.close();
  });
});
