/** Configurations and their changes: the published tables, the invariants, and a model that is only words and ids. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { Members } from "../../src/raft/members.ts";
import {
  changeKinds,
  leaveJoint,
  type MemberChange,
  type Transition,
} from "../../src/raft/membership-change.ts";
import { Progress } from "../../src/raft/progress.ts";
import type { Configuration, ReplicaId } from "../../src/raft/vocabulary.ts";
import { runFile } from "../raft-scenarios/configuration-tables.ts";
import { changesOf } from "../raft-scenarios/changes.ts";
import { publishedFiles } from "../raft-scenarios/published-files.ts";

const empty: Configuration = {
  voters: [],
  outgoing: [],
  learners: [],
  learnersNext: [],
  witnesses: [],
  autoLeave: false,
};

function newProgress(): Progress {
  return new Progress({ next: 1, maxInflightMessages: 10, maxInflightBytes: Infinity });
}

function membersOf(configuration: Partial<Configuration>): Members {
  return Members.fromConfiguration({ ...empty, ...configuration }, newProgress);
}

/** Each word is one change; several words make a joint one. */
function after(members: Members, text: string, transition: Transition = "auto"): Members {
  return members.after({ transition, changes: changesOf(text) });
}

const kinds = Object.values(changeKinds);
const change: fc.Arbitrary<MemberChange> = fc.record({
  kind: fc.constantFrom(...kinds),
  replica: fc.integer({ min: 0, max: 6 }),
});
const commands = fc.array(
  fc.record({
    kind: fc.constantFrom("simple", "joint", "leave"),
    changes: fc.array(change, { maxLength: 5 }),
    autoLeave: fc.boolean(),
  }),
  { maxLength: 12 },
);

/** The members after a change, or before it when it is refused. */
function tried(members: Members, act: () => Members): Members {
  const before = members.toConfiguration();
  const marks = [...members.progress].map(([id, one]) => [id, one.isLearner, one.isWitness]);
  try {
    return act();
  } catch (error) {
    assert.equal((error as { code?: unknown }).code, "BADCHANGE", String(error));
    const marksAfter = [...members.progress].map(([id, one]) => [id, one.isLearner, one.isWitness]);
    assert.deepEqual(marksAfter, marks, "a refused change leaves no mark");
    assert.deepEqual(members.toConfiguration(), before);
    return members;
  }
}

function checkInvariants(members: Members): void {
  const { voters, outgoing, learners, learnersNext, witnesses, ids, progress } = members;
  for (const list of [voters, outgoing, learners, learnersNext, witnesses, ids]) {
    assert.deepEqual(
      list,
      [...new Set(list)].sort((a, b) => a - b),
      "sorted, without repetition",
    );
  }
  assert.deepEqual(
    ids,
    [...new Set([...voters, ...outgoing, ...learners])].sort((a, b) => a - b),
  );
  assert.deepEqual([...progress.keys()], ids, "every member has a progress, in order");
  for (const id of learners) assert.ok(!members.isVoter(id), `learner ${id} is a voter`);
  for (const id of learnersNext) assert.ok(outgoing.includes(id) && !voters.includes(id));
  for (const id of witnesses) assert.ok(members.isVoter(id), `witness ${id} is no voter`);
  for (const [id, one] of progress) {
    assert.equal(one.isLearner, learners.includes(id));
    assert.equal(one.isWitness, witnesses.includes(id));
  }
  assert.equal(members.isJoint, outgoing.length > 0);
  if (!members.isJoint) assert.deepEqual([learnersNext, members.autoLeave], [[], false]);
}

function majorities(voters: readonly ReplicaId[]): ReplicaId[][] {
  const subsets = Array.from({ length: 2 ** voters.length }, (_, bits) =>
    voters.filter((_id, at) => (bits & (1 << at)) !== 0),
  );
  return subsets.filter((subset) => subset.length * 2 > voters.length);
}

/**
 * What each id is after the changes, were all done at once; the last word on an id counts. `undefined` when a copy would change between full and witness: an outgoing
 * voter stays what it is until the joint configuration is left.
 */
function model(before: Configuration, changes: readonly MemberChange[]): Configuration | undefined {
  const kindsOf = new Map<ReplicaId, string>();
  for (const id of before.voters) kindsOf.set(id, "voter");
  for (const id of before.witnesses) kindsOf.set(id, "witness");
  for (const id of before.learners) kindsOf.set(id, "learner");
  const natureOf = (id: ReplicaId): string | undefined => {
    const kind = kindsOf.get(id);
    if (kind !== undefined) return kind === "witness" ? "witness" : "full";
    if (!before.voters.includes(id)) return undefined;
    return before.witnesses.includes(id) ? "witness" : "full";
  };
  for (const { kind, replica } of changes) {
    if (replica === 0 || kind === changeKinds.touch) continue;
    const wanted = kind === changeKinds.addWitness ? "witness" : "full";
    if (kind !== changeKinds.remove && (natureOf(replica) ?? wanted) !== wanted) return undefined;
    if (kind === changeKinds.remove) kindsOf.delete(replica);
    else if (kind === changeKinds.addVoter) kindsOf.set(replica, "voter");
    else if (kind === changeKinds.addWitness) kindsOf.set(replica, "witness");
    else kindsOf.set(replica, "learner");
  }
  const those = (...words: string[]): ReplicaId[] =>
    [...kindsOf.keys()].filter((id) => words.includes(kindsOf.get(id) ?? "")).sort((a, b) => a - b);
  return {
    ...empty,
    voters: those("voter", "witness"),
    learners: those("learner"),
    witnesses: those("witness"),
  };
}

suite("published tables of configuration changes", () => {
  const { names, pathOf, skip } = publishedFiles("confchange");
  test("they are there", { skip }, () => assert.equal(names.length, 9));
  for (const name of names) {
    test(name, () => {
      const { cases, failures } = runFile(pathOf(name));
      assert.deepEqual(failures, []);
      assert.ok(cases > 0);
    });
  }
});

suite("members under random changes (thesis chapter 4)", () => {
  test("invariants hold after every change, and a refused one changes nothing", () => {
    fc.assert(
      fc.property(commands, (list) => {
        let members = membersOf({ voters: [1] });
        for (const { kind, changes, autoLeave } of list) {
          members = tried(members, () => {
            if (kind === "simple") return members.simple(changes);
            return kind === "joint" ? members.enterJoint(autoLeave, changes) : members.leaveJoint();
          });
          checkInvariants(members);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("a joint change, once left, is what the last word on each id says; progress of who stays is kept", () => {
    fc.assert(
      fc.property(commands, fc.array(change, { maxLength: 8 }), (list, changes) => {
        let members = membersOf({ voters: [1] });
        for (const one of list) {
          members = tried(members, () => members.enterJoint(true, one.changes).leaveJoint());
        }
        const before = members.toConfiguration();
        const held = new Map(members.progress);
        const expected = model(before, changes);
        if (expected?.voters.every((id) => expected.witnesses.includes(id)) ?? true) {
          assert.throws(() => members.enterJoint(false, changes), { code: "BADCHANGE" });
          return;
        }
        const joint = members.enterJoint(false, changes);
        assert.deepEqual(joint.outgoing, before.voters);
        assert.deepEqual(joint.voters, expected?.voters);
        const left = joint.leaveJoint();
        assert.deepEqual(left.toConfiguration(), expected);
        for (const id of before.voters.filter((each) => left.ids.includes(each))) {
          assert.equal(left.progress.get(id), held.get(id));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("any majorities before and after a simple change have a voter in common (thesis 4.1)", () => {
    fc.assert(
      fc.property(commands, (list) => {
        let members = membersOf({ voters: [1, 2, 3] });
        for (const { changes } of list) {
          const before = members.voters;
          members = tried(members, () => members.simple(changes));
          for (const one of majorities(before)) {
            for (const other of majorities(members.voters)) {
              assert.ok(one.some((id) => other.includes(id)));
            }
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test("what a checkpoint holds comes back", () => {
    fc.assert(
      fc.property(commands, (list) => {
        let members = membersOf({ voters: [1] });
        for (const { kind, changes, autoLeave } of list) {
          members = tried(members, () =>
            kind === "simple" ? members.simple(changes) : members.enterJoint(autoLeave, changes),
          );
        }
        const back = Members.fromConfiguration(members.toConfiguration(), newProgress);
        checkInvariants(back);
        assert.deepEqual(back.toConfiguration(), members.toConfiguration());
        assert.equal(back.describe(), members.describe());
      }),
    );
  });
});

suite("members", () => {
  test("one change is simple, several are joint, an empty one leaves (thesis 4.3)", () => {
    const one = after(membersOf({ voters: [1] }), "v2");
    assert.equal(one.describe(), "voters=(1 2)");
    const joint = after(one, "v3 l4");
    assert.equal(joint.describe(), "voters=(1 2 3)&&(1 2) learners=(4) autoleave");
    assert.equal(joint.after(leaveJoint).describe(), "voters=(1 2 3) learners=(4)");
    assert.equal(after(one, "v3", "implicit").describe(), "voters=(1 2 3)&&(1 2) autoleave");
    assert.equal(after(one, "v3", "explicit").describe(), "voters=(1 2 3)&&(1 2)");
    assert.equal(after(one, "", "explicit").describe(), "voters=(1 2)&&(1 2)");
  });

  test("a witness votes and is marked, and is never a full copy: it has no state (DESIGN §9)", () => {
    const members = after(membersOf({ voters: [1, 2] }), "w3");
    assert.equal(members.describe(), "voters=(1 2 3) witnesses=(3)");
    assert.equal(members.progress.get(3)?.describe(), "StateProbe match=0 next=1 witness");
    for (const text of ["v3", "l3", "w2"]) {
      assert.throws(() => after(members, text), { code: "BADCHANGE", message: /another/ });
    }
    assert.equal(after(members, "w3").describe(), members.describe());
  });

  test("removal forgets the mark, at once or with the joint configuration", () => {
    const members = membersOf({ voters: [1, 2, 3], witnesses: [3] });
    assert.equal(after(members, "r3").describe(), "voters=(1 2)");
    const joint = after(members, "r3 v4");
    assert.equal(joint.describe(), "voters=(1 2 4)&&(1 2 3) witnesses=(3) autoleave");
    const left = joint.leaveJoint();
    assert.equal(left.describe(), "voters=(1 2 4)");
    assert.equal(after(left, "v3").describe(), "voters=(1 2 3 4)");
  });

  test("P7: voters that are all witnesses are refused, nobody would keep the state", () => {
    const members = membersOf({ voters: [1, 2], witnesses: [2] });
    for (const text of ["r1", "l1", "r1 w3", "v3 w4 r1 r3"]) {
      assert.throws(() => after(members, text), {
        code: "BADCHANGE",
        message: "all voters would be witnesses, and nobody would keep the state",
      });
    }
  });

  test("ids are in the order of their numbers", () => {
    const members = membersOf({ voters: [100, 9, 20], learners: [1_000, 8] });
    assert.equal(members.describe(), "voters=(9 20 100) learners=(8 1000)");
    assert.deepEqual([...members.progress.keys()], [8, 9, 20, 100, 1_000]);
    assert.deepEqual(members.ids, [8, 9, 20, 100, 1_000]);
  });

  test("a check throws what the change would throw and marks nothing", () => {
    const members = membersOf({ voters: [1, 2] });
    members.check({ transition: "auto", changes: changesOf("l2") });
    assert.equal(members.progress.get(2)?.isLearner, false);
    assert.throws(() => members.check(leaveJoint), {
      code: "BADCHANGE",
      message: "can't leave a non-joint config",
    });
  });

  test("commit, votes and the active quorum count voters of both sets, and no learners", () => {
    const members = membersOf({ voters: [1, 2, 3], outgoing: [1, 4], learners: [5] });
    const match = new Map([
      [1, 9],
      [2, 8],
      [3, 1],
      [4, 5],
      [5, 100],
    ]);
    for (const [id, one] of members.progress) one.maybeUpdate(match.get(id) ?? 0);
    assert.equal(members.committedIndex(), 5);
    assert.equal(
      members.voteResult((id) => id !== 3),
      "won",
    );
    assert.equal(
      members.voteResult((id) => id !== 4),
      "lost",
    );
    assert.equal(members.isQuorumActive, true);
    for (const id of [4, 3]) {
      const one = members.progress.get(id);
      assert.ok(one);
      one.recentActive = id === 3;
    }
    assert.equal(members.isQuorumActive, false);
    assert.deepEqual(
      [1, 4, 5, 6].map((id) => members.isVoter(id)),
      [true, true, false, false],
    );
  });

  test("P7: a configuration that no change can make is refused", () => {
    for (const [configuration, text] of [
      [{ voters: [1], learners: [1] }, "1 is a learner and a voter"],
      [{ voters: [1], outgoing: [2], learners: [2] }, "2 is a learner and a voter"],
      [{ voters: [1], learnersNext: [2] }, "2 is to become a learner and is no outgoing voter"],
      [
        { voters: [1, 2], outgoing: [2], learnersNext: [2] },
        "2 is to become a learner and is a voter",
      ],
      [{ outgoing: [2] }, "there are outgoing voters and no others"],
      [{ voters: [1], autoLeave: true }, "there is no joint configuration to leave"],
      [{ voters: [1], witnesses: [2] }, "a witness is no member"],
      [{ voters: [0] }, "0 is no id of a copy"],
      [{ voters: [1.5] }, "1.5 is no id of a copy"],
    ] as const) {
      assert.throws(() => membersOf(configuration), {
        code: "DATADAMAGED",
        message: `the configuration of a group is impossible: ${text}`,
      });
    }
    assert.equal(membersOf({}).describe(), "voters=()");
  });
});
