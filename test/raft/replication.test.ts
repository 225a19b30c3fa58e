/** Replication, commitment, reads and snapshots, by sections of Ongaro's thesis. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { Cores, messageOf, messageTypes, roles } from "./cores.ts";

suite("raft: replication", () => {
  test("thesis 3.5: what a leader takes is applied by all, in its order", () => {
    const cores = new Cores();
    cores.elect(1);
    for (const text of ["a", "b", "c"]) cores.propose(1, text);
    cores.settle();
    for (const id of cores.ids) assert.deepEqual(cores.texts(id), ["a", "b", "c"]);
  });

  test("P1: the leader counts itself only when its own disk has the entry", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.slow.add(1);
    cores.isolate(3);
    cores.propose(1, "a");
    cores.settle();
    // Copy 2 has it, copy 1 has it in memory only: that is no majority.
    assert.equal(cores.raft(1).committed, 1);
    cores.sync(1);
    cores.settle();
    assert.equal(cores.raft(1).committed, 2);
  });

  test("thesis 10.2.1: the leader may commit before its own disk is ready, and applies only after", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.slow.add(1);
    cores.propose(1, "a");
    cores.settle();
    assert.equal(cores.raft(1).committed, 2);
    assert.deepEqual(cores.texts(2), ["a"]);
    assert.deepEqual(cores.texts(1), []);
    cores.sync(1);
    cores.settle();
    assert.deepEqual(cores.texts(1), ["a"]);
  });

  test("P1: a follower answers an append only when its disk has the entries", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.slow.add(2).add(3);
    cores.propose(1, "a");
    cores.settle();
    assert.equal(cores.raft(1).committed, 1);
    cores.sync(2);
    cores.settle();
    assert.equal(cores.raft(1).committed, 2);
  });

  test("thesis 3.6.2: entries of earlier terms are committed only along with one of the own term", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.isolate(1);
    cores.propose(1, "old");
    cores.settle();
    cores.heal();
    cores.lost.add(messageTypes.append);
    // Copy 1 starts and wins again; its old entry reaches copy 2 without the entry of the new term.
    cores.start(1);
    cores.settle();
    cores.elect(1);
    assert.deepEqual(cores.leaders, [1]);
    assert.equal(cores.raft(1).lastIndex, 3);
    cores.raft(1).step(
      messageOf({
        type: messageTypes.appendResponse,
        from: 2,
        to: 1,
        term: cores.raft(1).term,
        index: 2,
      }),
    );
    assert.equal(cores.raft(1).committed, 1);
    cores.raft(1).step(
      messageOf({
        type: messageTypes.appendResponse,
        from: 2,
        to: 1,
        term: cores.raft(1).term,
        index: 3,
      }),
    );
    assert.equal(cores.raft(1).committed, 3);
  });

  test("thesis 3.5: a follower whose log went another way is brought to the leader's", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.propose(1, "kept");
    cores.settle();
    cores.isolate(1);
    for (let i = 0; i < 20; i++) cores.propose(1, `lost ${i}`);
    cores.settle();
    cores.elect(2);
    for (let i = 0; i < 5; i++) cores.propose(2, `new ${i}`);
    cores.settle();
    cores.heal();
    cores.tick(undefined, 5);
    assert.equal(cores.raft(1).role, roles.follower);
    assert.deepEqual(cores.texts(1), ["kept", "new 0", "new 1", "new 2", "new 3", "new 4"]);
    assert.deepEqual(cores.texts(1), cores.texts(3));
  });

  test("thesis 3.5: the logs are found to agree with a round for each term, not for each entry", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.isolate(3);
    for (let i = 0; i < 300; i++) cores.propose(1, `${i}`);
    cores.settle();
    cores.heal();
    const sent: number[] = [];
    cores.raft(1).tick();
    for (let round = 0; round < 12; round++) {
      for (const id of cores.ids) cores.turn(id);
      sent.push(
        cores.wire.filter(({ to, type }) => to === 3 && type === messageTypes.append).length,
      );
      cores.deliver();
    }
    assert.equal(cores.raft(3).lastIndex, cores.raft(1).lastIndex);
    assert.ok(sent.reduce((sum, count) => sum + count, 0) < 8, sent.join(" "));
  });

  test("an acknowledgement of a write that was replaced meanwhile confirms nothing (ABA)", () => {
    const cores = new Cores();
    const raft = cores.raft(3);
    const append = (from: number, term: number, data: string): void =>
      raft.step(
        messageOf({
          type: messageTypes.append,
          from,
          to: 3,
          term,
          entries: [{ index: 1, term, kind: 0, data: Buffer.from(data) }],
        }),
      );
    append(1, 1, "a");
    const first = must(raft.ready().ack);
    append(2, 2, "b");
    raft.ready();
    append(1, 3, "c");
    const third = must(raft.ready().ack);
    raft.appendDone(first);
    assert.equal(raft.durable, 0);
    raft.appendDone(third);
    assert.equal(raft.durable, 1);
  });

  test("thesis 10.2.1: appends go ahead of their answers, as far as the window allows in messages", () => {
    const cores = new Cores({ maxInflightMessages: 4, maxMessageBytes: 1 });
    cores.elect(1);
    cores.lost.add(messageTypes.appendResponse);
    for (let i = 0; i < 10; i++) cores.propose(1, `${i}`);
    for (const id of cores.ids) cores.turn(id);
    const appends = cores.wire.filter(({ to, type }) => to === 2 && type === messageTypes.append);
    assert.equal(appends.length, 4);
    cores.heal();
    cores.tick(undefined, 4);
    assert.equal(cores.texts(3).length, 10);
  });

  test("P8: what is proposed and not applied is bounded in bytes; one larger than the bound is taken alone", () => {
    const cores = new Cores({ maxUncommittedBytes: 100 });
    cores.elect(1);
    cores.isolate(1);
    assert.equal(cores.propose(1, "x".repeat(200)), undefined);
    assert.equal(cores.propose(1, "y"), "too much uncommitted");
    cores.heal();
    cores.tick(undefined, 5);
    assert.equal(cores.propose(1, "y"), undefined);
  });

  test("a window that was lost whole does not stop a follower for ever", () => {
    const cores = new Cores({ maxInflightMessages: 3 });
    cores.elect(1);
    cores.isolate(3);
    for (let i = 0; i < 9; i++) {
      cores.propose(1, `${i}`);
      cores.settle();
    }
    cores.heal();
    cores.tick(undefined, 6);
    assert.equal(cores.raft(3).committed, cores.raft(1).committed);
  });

  test("entries that left memory are fetched: for a follower that is behind, and to be applied", () => {
    const cores = new Cores({ cacheBytes: 0, maxMessageBytes: 200, maxApplyingBytes: 300 });
    cores.elect(1);
    cores.isolate(3);
    for (let i = 0; i < 50; i++) {
      cores.propose(1, `entry ${i}`);
      cores.settle();
    }
    cores.heal();
    cores.tick(undefined, 6);
    assert.equal(cores.texts(3).length, 50);
    // A new start has nothing in memory: all it applies is fetched, in parts.
    cores.start(3);
    cores.tick(undefined, 6);
    assert.equal(cores.texts(3).length, 50);
  });

  test("thesis 5.1: a follower whose entries are gone gets the checkpoint, and goes on behind it", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.isolate(3);
    for (let i = 0; i < 10; i++) cores.propose(1, `${i}`);
    cores.settle();
    const leader = cores.raft(1);
    leader.snapshotAvailable({
      index: 8,
      term: 1,
      configuration: leader.configuration,
      configurationIndex: 8,
    });
    leader.compact(8);
    cores.heal();
    cores.tick(undefined, 6);
    assert.equal(cores.raft(3).baseIndex, 8);
    assert.equal(cores.raft(3).committed, leader.committed);
    assert.deepEqual(cores.texts(3), ["7", "8", "9"]);
    assert.equal(leader.status().progress.get(3)?.state, "replicate");
  });

  test("thesis 5.1: a checkpoint of a later term than its leader's brings that term, and nobody as its leader", () => {
    const cores = new Cores();
    cores.elect(1);
    const follower = cores.raft(3);
    const { term, configuration } = follower;
    const snapshot = { index: 20, term: term + 2, configuration, configurationIndex: 20 };
    follower.step(messageOf({ type: messageTypes.snapshot, from: 1, to: 3, term, snapshot }));
    assert.deepEqual(
      [follower.lastIndex, follower.lastTerm, follower.term, follower.leader, follower.vote],
      [20, term + 2, term + 2, 0, 0],
    );
  });

  test("thesis 5.1: a leader whose checkpoint was lost on the way sends it again", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.isolate(3);
    for (let i = 0; i < 10; i++) cores.propose(1, `${i}`);
    cores.settle();
    const leader = cores.raft(1);
    const { configuration } = leader;
    leader.snapshotAvailable({ index: 8, term: 1, configuration, configurationIndex: 8 });
    leader.compact(8);
    cores.heal();
    cores.lost.add(messageTypes.snapshot);
    cores.tick(undefined, 6);
    assert.equal(leader.status().progress.get(3)?.state, "snapshot");
    cores.heal();
    leader.reportSnapshot(3, false);
    cores.tick(undefined, 6);
    assert.equal(cores.raft(3).committed, leader.committed);
  });
});

suite("raft: reads (thesis 6.4)", () => {
  test("a read is answered when a majority has confirmed the leader after it was asked", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.propose(1, "a");
    cores.settle();
    cores.lost.add(messageTypes.heartbeatResponse);
    cores.raft(1).readIndex(7);
    cores.settle();
    assert.deepEqual(cores.reads.get(1), []);
    cores.heal();
    cores.tick([1]);
    assert.deepEqual(cores.reads.get(1), [{ token: 7, index: 2 }]);
  });

  test("learners confirm no read, however many they are", () => {
    const cores = new Cores({ learners: [4, 5, 6] });
    cores.elect(1);
    cores.isolate(2);
    cores.isolate(3);
    cores.raft(1).readIndex(7);
    cores.tick([1], 3);
    assert.deepEqual(cores.reads.get(1), []);
    cores.heal();
    cores.tick([1]);
    assert.deepEqual(cores.reads.get(1), [{ token: 7, index: 1 }]);
  });

  test("a late answer to an earlier round confirms no later read", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.raft(1).readIndex(1);
    cores.turn(1);
    const [first] = cores.wire.splice(0);
    cores.raft(1).readIndex(2);
    cores.turn(1);
    cores.wire.splice(0);
    const late = messageOf({
      type: messageTypes.heartbeatResponse,
      from: 2,
      to: 1,
      term: 1,
      context: must(first).context,
    });
    cores.raft(1).step(late);
    cores.turn(1);
    assert.deepEqual(cores.reads.get(1), [{ token: 1, index: 1 }]);
    // The same one again, late and doubled.
    cores.raft(1).step(late);
    cores.turn(1);
    assert.deepEqual(cores.reads.get(1), [{ token: 1, index: 1 }]);
  });

  test("a new leader answers no read before an entry of its own term is committed", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.propose(1, "a");
    cores.settle();
    cores.lost.add(messageTypes.append);
    cores.elect(2);
    cores.raft(2).readIndex(1);
    cores.settle();
    assert.deepEqual(cores.reads.get(2), []);
    cores.heal();
    cores.tick([2], 3);
    assert.deepEqual(cores.reads.get(2), [{ token: 1, index: 3 }]);
  });

  test("a leader that was deposed answers no read", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.isolate(1);
    cores.elect(2);
    cores.propose(2, "new");
    cores.raft(1).readIndex(1);
    cores.settle();
    cores.heal();
    cores.tick(undefined, 5);
    assert.deepEqual(cores.reads.get(1), []);
  });

  test("a follower's read goes through the leader", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.propose(1, "a");
    cores.settle();
    assert.equal(cores.raft(3).readIndex(5), undefined);
    cores.settle();
    assert.deepEqual(cores.reads.get(3), [{ token: 5, index: 2 }]);
  });
});
