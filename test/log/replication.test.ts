/** The log of three copies: what confirms an entry, and what becomes of those that wait when the leader changes. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { messageTypes, roles } from "../../src/raft/vocabulary.ts";
import type { ReplicaId } from "../../src/raft/vocabulary.ts";
import { batch, codeOf } from "../contract/shared-log.ts";
import { LogCluster, configurationOf } from "./log-cluster.ts";

const three = { configuration: configurationOf([1, 2, 3]) };

/** Copies with slow disks, which use the thread pool. */
async function withSlowDisks(): Promise<LogCluster> {
  const cluster = await LogCluster.open({ ...three, syncMs: 20 });
  const leader = await cluster.elect();
  for (let i = 0; i < 8; i++) {
    void cluster.log(leader).append(batch(100 + i));
    await cluster.settle();
  }
  for (const replica of [1, 2, 3]) {
    await cluster.read(replica);
    assert.equal(cluster.disk(replica).wal.statistics.mode, "pool");
  }
  return cluster;
}

function holdDisks(cluster: LogCluster, replicas: readonly ReplicaId[], syncMs = 2_000): void {
  for (const replica of replicas) cluster.disk(replica).syncMs = syncMs;
}

suite("RaftLog of three voters: what confirms an entry", () => {
  test("every copy reads the same, in order", async () => {
    const cluster = await LogCluster.open(three);
    const leader = await cluster.elect();
    const positions = [0, 1, 2, 3].map((i) => cluster.log(leader).append(batch(i)));
    await cluster.settle();
    const [first = 0] = await Promise.all(positions);
    assert.deepEqual(await Promise.all(positions), [first, first + 1, first + 2, first + 3]);
    for (const replica of [1, 2, 3]) {
      assert.deepEqual(
        await cluster.read(replica),
        [0, 1, 2, 3].map((i) => `batch ${i}`),
      );
    }
  });

  test("P1: not before the leader's own sync, although all others have it on disk", async () => {
    const cluster = await withSlowDisks();
    const leader = await cluster.elect();
    const others = [1, 2, 3].filter((replica) => replica !== leader);
    holdDisks(cluster, [leader]);
    let confirmed = false;
    const position = cluster
      .log(leader)
      .append(batch(1))
      .then((at) => {
        confirmed = true;
        return at;
      });
    await cluster.run(200);
    const { last } = cluster.log(leader).status();
    for (const other of others) assert.equal(cluster.disk(other).wal.group(1).lastIndex, last);
    assert.equal(cluster.disk(leader).wal.group(1).lastIndex, last - 1);
    assert.equal(confirmed, false);
    assert.deepEqual(cluster.log(leader).committed(1_000), []);
    await cluster.settle();
    assert.equal(await position, last);
    assert.deepEqual(await cluster.read(leader), ["batch 1"]);
  });

  test("P1: not before a majority has synced", async () => {
    const cluster = await withSlowDisks();
    const leader = await cluster.elect();
    const others = [1, 2, 3].filter((replica) => replica !== leader);
    holdDisks(cluster, others);
    let confirmed = false;
    void cluster
      .log(leader)
      .append(batch(1))
      .then(() => {
        confirmed = true;
      });
    await cluster.run(300);
    const { last } = cluster.log(leader).status();
    assert.equal(cluster.disk(leader).wal.group(1).lastIndex, last);
    assert.equal(confirmed, false);
    assert.deepEqual(cluster.log(leader).committed(1_000), []);
    await cluster.settle();
    assert.ok(confirmed);
  });

  test("heartbeats and reads do not wait for a slow disk", async () => {
    const cluster = await withSlowDisks();
    const leader = await cluster.elect();
    holdDisks(cluster, [1, 2, 3], 60_000);
    void cluster.log(leader).append(batch(1));
    await cluster.run(10);
    for (const replica of [1, 2, 3]) assert.ok(cluster.disk(replica).logs.busy);
    const committed = cluster.log(leader).status().committed;
    const barrier = cluster.log(leader).barrier();
    await cluster.run(10);
    assert.equal(await barrier, committed);
    for (let tick = 0; tick < 50; tick++) {
      for (const replica of [1, 2, 3]) cluster.disk(replica).logs.tick();
      await cluster.run(10);
    }
    assert.equal(cluster.log(leader).status().role, "leader");
    for (const replica of [1, 2, 3]) assert.ok(cluster.disk(replica).logs.busy);
  });

  test("one send for each group and turn", async () => {
    const cluster = await LogCluster.open(three);
    const leader = await cluster.elect();
    await cluster.settle();
    cluster.sent.length = 0;
    for (let i = 0; i < 5; i++) void cluster.log(leader).append(batch(i));
    const { logs } = cluster.disk(leader);
    logs.flush();
    const appends = cluster.sent.flat().filter(({ type }) => type === messageTypes.append);
    assert.equal(cluster.sent.length, 1, "one list of messages before the sync");
    assert.equal(appends.length, 10);
    await cluster.settle();
    assert.equal((await cluster.read(leader)).length, 5);
  });

  test("the hard state is not written again with every batch", async () => {
    const cluster = await LogCluster.open(three);
    const leader = await cluster.elect();
    const states = [1, 2, 3].map((replica) => cluster.disk(replica).wal.group(1).hardState);
    for (let i = 0; i < 5; i++) {
      void cluster.log(leader).append(batch(i));
      await cluster.settle();
    }
    for (const [i, replica] of [1, 2, 3].entries())
      assert.equal(cluster.disk(replica).wal.group(1).hardState, states[i]);
  });
});

suite("RaftLog of three voters: the leader changes", () => {
  test("NOTLEADER for an entry that another one has replaced, for sure", async () => {
    const cluster = await LogCluster.open(three);
    const old = await cluster.elect();
    const others = [1, 2, 3].filter((replica) => replica !== old);
    cluster.isolate(old);
    const lost = [0, 1, 2].map((i) => codeOf(cluster.log(old).append(batch(i))));
    await cluster.settle();
    const leader = await cluster.elect(others);
    void cluster.log(leader).append(batch(9));
    await cluster.settle();
    cluster.heal();
    await cluster.tick(5);
    assert.deepEqual(await Promise.all(lost), ["NOTLEADER", "NOTLEADER", "NOTLEADER"]);
    for (const replica of [1, 2, 3]) {
      await cluster.read(replica);
      assert.deepEqual(cluster.history.get(replica), ["batch 9"], `copy ${replica}`);
    }
  });

  test("an entry that the next leader has taken over resolves, and is read", async () => {
    const cluster = await LogCluster.open(three);
    const old = await cluster.elect();
    const [heir = 0, third = 0] = [1, 2, 3].filter((replica) => replica !== old);
    cluster.cut.add(`${heir}>${old}`);
    cluster.cut.add(`${old}>${third}`);
    cluster.cut.add(`${third}>${old}`);
    const position = cluster.log(old).append(batch(1));
    await cluster.settle();
    assert.equal(cluster.log(heir).status().last, cluster.log(old).status().last);
    cluster.cut.add(`${old}>${heir}`);
    assert.equal(await cluster.elect([heir, third]), heir);
    cluster.heal();
    await cluster.tick(5);
    const at = await position;
    assert.equal(cluster.log(old).status().role, "follower");
    assert.ok(cluster.log(old).status().committed >= at);
    for (const replica of [1, 2, 3]) {
      await cluster.read(replica);
      assert.deepEqual(cluster.history.get(replica), ["batch 1"], `copy ${replica}`);
    }
  });

  test("P7: UNKNOWNOUTCOME after 60 ticks without a leader who would know", async () => {
    const cluster = await LogCluster.open(three);
    const leader = await cluster.elect();
    cluster.isolate(leader);
    const code = codeOf(cluster.log(leader).append(batch(1)));
    let decided = false;
    void code.then(() => {
      decided = true;
    });
    await cluster.tick(59, [leader]);
    assert.equal(decided, false);
    assert.equal(cluster.log(leader).status().role, "follower");
    await cluster.tick(25, [leader]);
    assert.ok(decided);
    assert.equal(await code, "UNKNOWNOUTCOME");
  });

  test("a copy that does not lead takes neither batches nor reads, and says who does", async () => {
    const cluster = await LogCluster.open(three);
    const leader = await cluster.elect();
    const other = leader === 1 ? 2 : 1;
    assert.equal(await codeOf(cluster.log(other).append(batch(0))), "NOTLEADER");
    assert.equal(await codeOf(cluster.log(other).barrier()), "NOTLEADER");
    assert.equal(cluster.log(other).status().leader, String(leader));
  });

  test("P2: a leader that was cut off answers no read", async () => {
    const cluster = await LogCluster.open(three);
    const leader = await cluster.elect();
    cluster.isolate(leader);
    const code = codeOf(cluster.log(leader).barrier());
    let decided = false;
    void code.then(() => {
      decided = true;
    });
    await cluster.tick(5, [leader]);
    assert.equal(decided, false);
    await cluster.tick(30, [leader]);
    assert.equal(await code, "NOTLEADER");
  });

  test("P2: no read before an entry of the leader's own term is committed", async () => {
    const cluster = await LogCluster.open(three);
    const old = await cluster.elect();
    const others = [1, 2, 3].filter((replica) => replica !== old);
    cluster.isolate(old);
    // Votes pass, appends do not.
    let next: ReplicaId = 0;
    for (let i = 0; i < 200 && next === 0; i++) {
      for (const other of others) {
        cluster.disk(other).logs.tick();
        await cluster.run(1);
      }
      next = others.find((other) => cluster.log(other).group.raft.role === roles.leader) ?? 0;
    }
    cluster.isolate(next);
    assert.equal(cluster.log(next).status().role, "follower", "not before its own entry is read");
    let answered = false;
    const barrier = cluster.log(next).barrier();
    void barrier.then(
      () => {
        answered = true;
      },
      () => {},
    );
    await cluster.run(20);
    assert.equal(answered, false);
    cluster.heal();
    await cluster.tick(3, others);
    assert.ok((await barrier) >= cluster.log(next).status().last);
  });

  test("all who ask in one turn share one round", async () => {
    const cluster = await LogCluster.open(three);
    const leader = await cluster.elect();
    cluster.sent.length = 0;
    const barriers = Array.from({ length: 20 }, () => cluster.log(leader).barrier());
    await cluster.settle();
    assert.equal(new Set(await Promise.all(barriers)).size, 1);
    const rounds = cluster.sent.flat().filter(({ type }) => type === messageTypes.heartbeat);
    assert.equal(rounds.length, 2);
  });

  test("OVERLOADED when more than the limit waits to be confirmed", async () => {
    const cluster = await LogCluster.open(three);
    const leader = await cluster.elect();
    cluster.isolate(leader);
    const large = Buffer.alloc(30_000);
    const codes: Promise<string>[] = [];
    for (let i = 0; i <= 67_108_864 / large.length; i++)
      codes.push(codeOf(cluster.log(leader).append(large)));
    assert.equal(await codes.at(-1), "OVERLOADED");
    cluster.disk(leader).logs.fail(new Error("the end of the test"));
    assert.equal(await codes[0], "UNKNOWNOUTCOME");
  });
});
