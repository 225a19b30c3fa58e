/** Nodes with copies of one partition: they elect, confirm on a majority, lose leaders, and agree (DESIGN §4, §6, §9). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { limits } from "../../src/base/limits.ts";
import { changeKinds } from "../../src/raft/membership-change.ts";
import { Cluster, summaryOf } from "./cluster-world.ts";
import { codeOf as codeOfOutcome, set } from "./node-world.ts";
import type { Asked, Host } from "./cluster-world.ts";

function codeOf({ answers }: Asked): string {
  assert.ok(answers.length <= 1, `answered ${answers.length} times`);
  return codeOfOutcome({ outcome: answers[0] });
}

function recordsOf(host: Host): number {
  return host.partition().stack.records.count;
}

suite("three nodes, one partition", () => {
  test("P1, P5: what is acknowledged is on all of them, and their states are equal", async () => {
    const cluster = await Cluster.open();
    const leader = await cluster.leader();
    assert.equal(cluster.hosts.filter((host) => host.partition().leads).length, 1);
    const asked = Array.from({ length: 40 }, (_, i) => leader.ask(set(i)));
    await cluster.run(100);
    assert.deepEqual(new Set(asked.map(codeOf)), new Set(["record"]));
    await cluster.run(200);
    const wanted = summaryOf(leader.partition());
    for (const host of cluster.hosts) assert.equal(summaryOf(host.partition()), wanted);
    assert.equal(recordsOf(leader), 40);
    await cluster.stop();
  });

  test("P1: nothing is acknowledged that only the leader has", async () => {
    const cluster = await Cluster.open();
    const leader = await cluster.leader();
    for (const host of cluster.followers(leader)) host.cutOff = true;
    const asked = leader.ask(set(1));
    await cluster.run(300);
    assert.equal(codeOf(asked), "open");
    assert.equal(recordsOf(leader), 0);
    for (const host of cluster.hosts) host.cutOff = false;
    await cluster.run(2_000);
    assert.equal(codeOf(asked), "record");
    await cluster.stop();
  });

  test("a follower refuses with the leader's replica and the time to come back", async () => {
    const cluster = await Cluster.open();
    const leader = await cluster.leader();
    await cluster.run(200);
    for (const follower of cluster.followers(leader)) {
      const [refusal] = follower.ask(set(1)).answers;
      assert.equal(refusal?.kind === "error" && refusal.code, "NOTLEADER");
      assert.match(JSON.stringify(refusal), new RegExp(`replica ${leader.number + 1} does`));
      await assert.rejects(follower.partition().barrier(), { code: "NOTLEADER" });
    }
    await cluster.stop();
  });

  test("P2: a barrier of the leader sees what was acknowledged, one of a leader that was deposed does not answer", async () => {
    const cluster = await Cluster.open();
    const leader = await cluster.leader();
    await cluster.ask(set(1));
    await cluster.clock.drive(leader.partition().barrier());
    assert.equal(recordsOf(leader), 1);
    leader.cutOff = true;
    const barrier = leader.partition().barrier();
    barrier.catch(() => {});
    await cluster.ask(set(2));
    await cluster.run(3_000);
    await assert.rejects(barrier, { code: "NOTLEADER" });
    await cluster.stop();
  });
});

suite("the leader is lost", () => {
  test("P1: another one takes over with all that was acknowledged; the old one comes back and has it too", async () => {
    const cluster = await Cluster.open();
    const first = await cluster.leader();
    for (let i = 0; i < 20; i++) await cluster.ask(set(i));
    await first.die();
    const second = await cluster.leader();
    assert.notEqual(second, first);
    assert.equal(recordsOf(second), 20);
    for (let i = 20; i < 30; i++) await cluster.ask(set(i));
    await first.start();
    await cluster.run(2_000);
    const wanted = summaryOf((await cluster.leader()).partition());
    for (const host of cluster.hosts) assert.equal(summaryOf(host.partition()), wanted);
    assert.equal(recordsOf(first), 30);
    await cluster.stop();
  });

  test("P7: what it had in hand when it was cut off is answered once: not done, or unknown, or done after all", async () => {
    const cluster = await Cluster.open();
    const first = await cluster.leader();
    await cluster.ask(set(0));
    first.cutOff = true;
    const inLog = Array.from({ length: 5 }, (_, i) => first.ask(set(10 + i)));
    await cluster.run(20);
    const second = await cluster.leader();
    assert.notEqual(second, first);
    await cluster.run(1_500);
    // It has noticed that nobody answers.
    assert.equal(first.partition().leads, false);
    assert.equal(codeOf(first.ask(set(20))), "NOTLEADER");
    await cluster.run(4_000);
    assert.deepEqual(new Set(inLog.map(codeOf)), new Set(["UNKNOWNOUTCOME"]));
    await cluster.ask(set(1));
    first.cutOff = false;
    await cluster.run(3_000);
    const wanted = summaryOf((await cluster.leader()).partition());
    for (const host of cluster.hosts) assert.equal(summaryOf(host.partition()), wanted);
    assert.equal(recordsOf(first), 2);
    for (const asked of inLog) assert.equal(asked.answers.length, 1);
    assert.deepEqual(first.node.load, { bytes: 0, operations: 0 });
    await cluster.stop();
  });

  test("P7: what a new leader's entry has replaced was surely not done", async () => {
    const cluster = await Cluster.open();
    const first = await cluster.leader();
    await cluster.ask(set(0));
    first.cutOff = true;
    const lost = first.ask(set(10));
    await cluster.run(20);
    const second = await cluster.leader();
    await cluster.ask(set(1));
    assert.equal(codeOf(lost), "open");
    first.cutOff = false;
    await cluster.run(1_000);
    assert.equal(codeOf(lost), "NOTLEADER");
    assert.equal(recordsOf(second), 2);
    await cluster.stop();
  });

  test("P4: the deadlines of the old leader are kept by the new one", async () => {
    const cluster = await Cluster.open();
    const first = await cluster.leader();
    await cluster.ask(set(1, 10, 5_000));
    await first.die();
    await cluster.run(4_000);
    const second = await cluster.leader();
    assert.equal(recordsOf(second), 1);
    await cluster.run(2_500);
    assert.equal(recordsOf(second), 0);
    await cluster.stop();
  });

  test("the emergency stop does not count the time without a majority", async () => {
    const cluster = await Cluster.open();
    const first = await cluster.leader();
    first.cutOff = true;
    for (let i = 0; i < 3 * limits.confirmFailuresMaxCount; i++) {
      first.ask(set(i));
      await cluster.run(10);
    }
    await cluster.run(5 * limits.confirmSilenceMaxMs);
    assert.equal(first.fatal, undefined);
    first.cutOff = false;
    await cluster.run(3_000);
    await cluster.ask(set(1));
    await cluster.stop();
  });
});

suite("all nodes stop and start", () => {
  for (const checkpoint of [false, true]) {
    test(`P1, P5: equal states again, ${checkpoint ? "from checkpoints" : "from the logs"}`, async () => {
      const cluster = await Cluster.open({ partitions: 2 });
      for (let i = 0; i < 20; i++) await cluster.ask(set(i), i % 2);
      await cluster.run(300);
      if (checkpoint) {
        for (const host of cluster.hosts)
          assert.ok(await cluster.clock.drive(host.node.checkpoint()));
      }
      await cluster.stop();
      for (const host of cluster.hosts) await host.start();
      for (const id of [0, 1]) await cluster.ask(set(50), id);
      await cluster.run(300);
      for (const id of [0, 1]) {
        const wanted = summaryOf((await cluster.leader(id)).partition(id));
        for (const host of cluster.hosts) assert.equal(summaryOf(host.partition(id)), wanted);
        assert.equal(must(cluster.hosts[0]).partition(id).stack.records.count, 11);
      }
      await cluster.stop();
    });
  }
});

function membersOf(host: Host): unknown {
  return must(host.node.groups[0]).status().configuration;
}

suite("two full copies and a witness (DESIGN §9)", () => {
  test("survive one failure, and the witness has no state", async () => {
    const cluster = await Cluster.open({ witness: 2 });
    const witness = must(cluster.hosts[2]);
    for (let i = 0; i < 10; i++) await cluster.ask(set(i));
    const first = await cluster.leader();
    assert.notEqual(first, witness);
    assert.equal(recordsOf(witness), 0);
    assert.equal(codeOf(witness.ask(set(1))), "NOTLEADER");
    await first.die();
    const second = await cluster.leader();
    assert.notEqual(second, witness);
    assert.equal(recordsOf(second), 10);
    await cluster.ask(set(20));
    await cluster.stop();
  });

  test("the witness's log is trimmed once all full copies have checkpoints, and goes on after a restart", async () => {
    const cluster = await Cluster.open({ witness: 2 });
    const witness = must(cluster.hosts[2]);
    for (let i = 0; i < 30; i++) await cluster.ask(set(i));
    await cluster.run(500);
    for (const host of cluster.hosts) await cluster.clock.drive(host.node.checkpoint());
    await cluster.run(500);
    for (const host of cluster.hosts) await cluster.clock.drive(host.node.checkpoint());
    await cluster.run(100);
    assert.ok(witness.node.wal.group(0).firstIndex > 20);
    await witness.die();
    await witness.start();
    await (await cluster.leader()).die();
    await cluster.ask(set(99));
    await cluster.stop();
  });

  test("a witness that was removed still knows it after a restart, although it trims that change and has no checkpoint", async () => {
    const cluster = await Cluster.open({ witness: 2 });
    const witness = must(cluster.hosts[2]);
    const { replica } = must(witness.node.groups[0]);
    for (let i = 0; i < 10; i++) await cluster.ask(set(i));
    const changes = [{ kind: changeKinds.remove, replica }];
    const group = must((await cluster.leader()).node.groups[0]);
    await cluster.clock.drive(group.propose({ transition: "implicit", changes }));
    await cluster.run(500);
    const changed = membersOf(witness);
    for (const round of [1, 2, 3]) {
      for (const host of cluster.hosts) await cluster.clock.drive(host.node.checkpoint());
      await cluster.ask(set(20 + round));
      await cluster.run(500);
    }
    assert.ok(witness.node.wal.group(0).firstIndex > 10, "the change is trimmed");
    await witness.die();
    await witness.start();
    assert.deepEqual(membersOf(witness), changed);
    await cluster.stop();
  });
});

suite("a partition without a copy here", () => {
  test("is empty and refuses with NOTLEADER", async () => {
    const cluster = await Cluster.open({ hosts: 3, partitions: 2 });
    const host = must(cluster.hosts[2]);
    await host.stop();
    host.plans[1] = undefined;
    await host.start();
    await cluster.ask(set(1), 1);
    await cluster.run(200);
    assert.equal(host.node.groups[1], undefined);
    assert.equal(host.partition(1).state.rows, 0);
    assert.equal(codeOf(host.ask(set(1), 1)), "NOTLEADER");
    await assert.rejects(host.partition(1).barrier(), { code: "NOTLEADER" });
    await assert.rejects(host.node.exportCheckpoint(1), { code: "NOTLEADER" });
    assert.ok(await cluster.clock.drive(host.node.checkpoint()));
    await cluster.stop();
  });
});
