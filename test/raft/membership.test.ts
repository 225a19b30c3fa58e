/** Membership (thesis chapter 4, with configurations that take effect when applied), and witnesses (DESIGN §9). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import {
  type ConfigurationChange,
  changeKinds,
  encodeChange,
  leaveJoint,
} from "../../src/raft/membership-change.ts";
import { unlimited } from "../../src/raft/vocabulary.ts";
import { Cores, type CoresOptions, messageTypes, roles } from "./cores.ts";

function change(
  cores: Cores,
  id: number,
  ...changes: readonly [keyof typeof changeKinds, number][]
): void {
  propose(cores, id, {
    transition: "auto",
    changes: changes.map(([kind, replica]) => ({ kind: changeKinds[kind], replica })),
  });
}

function propose(cores: Cores, id: number, wanted: ConfigurationChange): void {
  assert.equal(cores.raft(id).propose([{ kind: 1, data: encodeChange(wanted) }]), undefined);
}

/** Copy 1 leads in a joint configuration: 1, 4 and 5 come in, 1, 2 and 3 go out. */
function inJoint(options: CoresOptions = {}): Cores {
  const cores = new Cores({ ...options, others: [4, 5] });
  cores.elect(1);
  const wanted: ConfigurationChange = {
    transition: "explicit",
    changes: [
      { kind: changeKinds.addVoter, replica: 4 },
      { kind: changeKinds.addVoter, replica: 5 },
      { kind: changeKinds.remove, replica: 2 },
      { kind: changeKinds.remove, replica: 3 },
    ],
  };
  propose(cores, 1, wanted);
  cores.settle();
  assert.deepEqual(cores.raft(1).configuration.outgoing, [1, 2, 3]);
  return cores;
}

suite("raft: membership", () => {
  test("thesis 4.2.1: a new copy joins as a learner, catches up without a vote, and is promoted", () => {
    const cores = new Cores({ others: [4] });
    cores.elect(1);
    for (let i = 0; i < 5; i++) cores.propose(1, `${i}`);
    cores.settle();
    change(cores, 1, ["addLearner", 4]);
    cores.settle();
    assert.equal(cores.raft(4).committed, cores.raft(1).committed);
    assert.equal(cores.raft(4).isVoter, false);
    change(cores, 1, ["addVoter", 4]);
    cores.settle();
    for (const id of [1, 2, 3, 4])
      assert.deepEqual(cores.raft(id).configuration.voters, [1, 2, 3, 4]);
  });

  test("thesis 4.3: several members are exchanged through a joint configuration, which is left by itself", () => {
    const cores = new Cores({ others: [4, 5] });
    cores.elect(1);
    change(cores, 1, ["addVoter", 4], ["addVoter", 5], ["remove", 2], ["remove", 3]);
    cores.settle();
    cores.tick(undefined, 3);
    assert.deepEqual(cores.raft(1).configuration, {
      voters: [1, 4, 5],
      outgoing: [],
      learners: [],
      learnersNext: [],
      witnesses: [],
      autoLeave: false,
    });
    assert.deepEqual(cores.raft(5).configuration.voters, [1, 4, 5]);
  });

  test("thesis 4.3: in a joint configuration both majorities are needed", () => {
    const cores = inJoint();
    cores.isolate(2);
    cores.isolate(3);
    const { committed } = cores.raft(1);
    cores.propose(1, "needs both");
    cores.settle();
    assert.equal(cores.raft(1).committed, committed);
    cores.heal();
    cores.tick(undefined, 3);
    propose(cores, 1, leaveJoint);
    cores.settle();
    assert.deepEqual(cores.raft(1).configuration.voters, [1, 4, 5]);
  });

  test("thesis 4.3, 6.4: in a joint configuration both majorities must confirm a read", () => {
    for (const unheard of [
      [2, 3],
      [4, 5],
    ]) {
      const cores = inJoint();
      for (const id of unheard) cores.isolate(id);
      cores.raft(1).readIndex(7);
      cores.tick([1], 3);
      assert.deepEqual(cores.reads.get(1), [], `without ${unheard.join(" and ")}`);
      cores.heal();
      cores.tick([1]);
      assert.deepEqual(cores.reads.get(1), [{ token: 7, index: cores.raft(1).committed }]);
    }
  });

  test("thesis 4.3, 6.2: in a joint configuration a leader that hears from one majority only steps down", () => {
    for (const unheard of [
      [2, 3],
      [4, 5],
    ]) {
      const cores = inJoint({ checkQuorum: true });
      for (const id of unheard) cores.isolate(id);
      cores.tick([1], 21);
      assert.equal(cores.raft(1).role, roles.follower, `without ${unheard.join(" and ")}`);
    }
  });

  test("thesis 4.3: a joint configuration is left also when the leader that entered it is lost", () => {
    const cores = new Cores({ others: [4, 5] });
    cores.elect(1);
    change(cores, 1, ["addVoter", 4], ["remove", 3]);
    // Only until the change is applied by 2; then 1 is gone before it leaves.
    for (let i = 0; i < 40 && cores.raft(2).configuration.outgoing.length === 0; i++) {
      for (const id of cores.ids) cores.turn(id);
      cores.deliver();
    }
    cores.isolate(1);
    cores.settle();
    cores.elect(2);
    cores.tick([2, 3, 4], 5);
    assert.deepEqual(cores.raft(2).configuration.voters, [1, 2, 4]);
    assert.deepEqual(cores.raft(2).configuration.outgoing, []);
  });

  test("thesis 4.1: no second change while one is not applied", () => {
    const cores = new Cores({ others: [4, 5] });
    cores.elect(1);
    change(cores, 1, ["addVoter", 4]);
    assert.match(
      cores.raft(1).changeRefusal({
        transition: "auto",
        changes: [{ kind: changeKinds.addVoter, replica: 5 }],
      }) ?? "",
      /pending/,
    );
    change(cores, 1, ["addVoter", 5]);
    cores.settle();
    assert.deepEqual(cores.raft(1).configuration.voters, [1, 2, 3, 4]);
  });

  test("a change that is impossible is refused before it is proposed, and says why", () => {
    const cores = new Cores({ voters: [1] });
    cores.elect(1);
    const refusal = cores
      .raft(1)
      .changeRefusal({ transition: "auto", changes: [{ kind: changeKinds.remove, replica: 1 }] });
    assert.match(refusal ?? "", /removed all voters/);
  });

  test("thesis 4.2.2: a leader that is removed steps down when that is applied, and the others elect", () => {
    const cores = new Cores({ preVote: true, checkQuorum: true });
    cores.elect(1);
    change(cores, 1, ["remove", 1]);
    cores.settle();
    assert.equal(cores.raft(1).role, roles.follower);
    assert.deepEqual(cores.raft(2).configuration.voters, [2, 3]);
    cores.tick(undefined, 40);
    assert.equal(cores.leaders.length, 1);
    assert.notEqual(cores.leaders[0], 1);
  });

  test("a copy with a committed change that it has not applied does not campaign", () => {
    const cores = new Cores({ maxApplyingBytes: 1, others: [4] });
    cores.elect(1);
    const raft = cores.raft(2);
    change(cores, 1, ["addLearner", 4]);
    for (let i = 0; i < 40 && raft.committed < 2; i++) {
      for (const id of [1, 3]) cores.turn(id);
      if (raft.hasReady()) {
        // Copy 2 persists, and never gets to applying.
        const ready = raft.ready();
        cores.wire.push(...ready.messages, ...ready.afterAppend.filter(({ to }) => to !== 2));
        if (ready.ack !== undefined) raft.appendDone(ready.ack);
      }
      cores.deliver();
    }
    assert.ok(raft.committed >= 2);
    raft.campaign();
    assert.equal(raft.role, roles.follower);
  });
});

suite("raft: witnesses (DESIGN §9)", () => {
  const twoAndWitness = { voters: [1, 2, 3], witnesses: [3], preVote: true, checkQuorum: true };

  test("a witness' vote and log count: one full copy and the witness go on without the other", () => {
    const cores = new Cores(twoAndWitness);
    cores.elect(1);
    cores.isolate(2);
    cores.propose(1, "a");
    cores.settle();
    assert.deepEqual(cores.texts(1), ["a"]);
  });

  test("a witness leads only to bring a full copy up to its own last entry, then hands over", () => {
    const cores = new Cores(twoAndWitness);
    cores.elect(1);
    cores.isolate(2);
    for (let i = 0; i < 5; i++) cores.propose(1, `${i}`);
    cores.settle();
    cores.isolate(1);
    cores.heal();
    cores.isolate(1);
    cores.tick([2, 3], 60);
    // Copy 2 could not have won without the entries that only the witness held.
    assert.deepEqual(
      cores.leaders.filter((id) => id !== 1),
      [2],
    );
    assert.deepEqual(cores.texts(2), ["0", "1", "2", "3", "4"]);
  });

  test("a witness that leads takes no proposals and no reads", () => {
    const cores = new Cores(twoAndWitness);
    cores.elect(1);
    cores.isolate(2);
    cores.propose(1, "a");
    cores.settle();
    cores.heal();
    cores.isolate(1);
    cores.lost.add(messageTypes.timeoutNow);
    cores.tick([2, 3], 40);
    assert.deepEqual(
      cores.leaders.filter((id) => id !== 1),
      [3],
    );
    assert.equal(cores.propose(3, "b"), "witness");
    assert.equal(cores.raft(3).readIndex(1), "witness");
    cores.lost.clear();
    cores.tick([2, 3], 40);
    assert.deepEqual(
      cores.leaders.filter((id) => id !== 1),
      [2],
    );
  });

  test("the log is kept above what every full copy holds durably, on the leader and on the witness", () => {
    const cores = new Cores(twoAndWitness);
    cores.elect(1);
    cores.settle();
    cores.isolate(2);
    for (let i = 0; i < 5; i++) cores.propose(1, `${i}`);
    cores.settle();
    cores.tick([1, 3], 2);
    assert.equal(cores.raft(1).trimLimit, 1);
    assert.equal(cores.raft(3).trimLimit, 1);
    cores.heal();
    cores.tick(undefined, 5);
    assert.equal(cores.raft(3).trimLimit, 6);
    assert.equal(new Cores().raft(1).trimLimit, unlimited);
  });

  test("a witness that has started again trims nothing before it has heard from a leader", () => {
    const cores = new Cores(twoAndWitness);
    cores.elect(1);
    cores.isolate(2);
    for (let i = 0; i < 5; i++) cores.propose(1, `${i}`);
    cores.settle();
    cores.tick([1, 3], 2);
    cores.isolate(3);
    cores.start(3);
    cores.settle();
    assert.equal(cores.raft(3).applied, 6);
    cores.compact(3);
    assert.equal(cores.raft(3).baseIndex, 0);
    cores.heal();
    cores.tick(undefined, 5);
    cores.compact(3);
    assert.equal(cores.raft(3).baseIndex, 6);
  });

  test("a witness that is new gets the log's beginning, not a state", () => {
    const cores = new Cores({ voters: [1, 2], others: [3], preVote: true, checkQuorum: true });
    cores.elect(1);
    for (let i = 0; i < 6; i++) cores.propose(1, `${i}`);
    cores.settle();
    const leader = cores.raft(1);
    leader.compact(4);
    change(cores, 1, ["addWitness", 3]);
    cores.tick(undefined, 5);
    assert.equal(cores.raft(3).baseIndex, 4);
    assert.equal(cores.raft(3).committed, leader.committed);
    assert.deepEqual(cores.raft(3).configuration, leader.configuration);
  });
});
