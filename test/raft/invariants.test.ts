/** The invariants of Raft find what breaks them, each by its name, and nothing in what is right. Copies here are plain records that a test writes by hand. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { InvariantError, RaftInvariants } from "../../src/raft/invariants.ts";
import { WrittenCopy, three } from "./written-copy.ts";

interface World {
  readonly invariants: RaftInvariants;
  readonly copies: readonly [WrittenCopy, WrittenCopy, WrittenCopy];
  readonly look: () => void;
}

/** Copy 1 leads term 2; entries 1 to 4 are everywhere, 3 of them committed. */
function settled(): World {
  const invariants = new RaftInvariants();
  const copies = [new WrittenCopy(1), new WrittenCopy(2), new WrittenCopy(3)] as const;
  const look = (): void => invariants.observe(copies);
  look();
  const [first, second, third] = copies;
  first.lead(1).hold(1, 1);
  second.follow(1, 1).hold(1, 1);
  third.follow(1, 1);
  look();
  first.commit(2);
  look();
  first.lead(2).hold(1, 1, 2, 2);
  second.follow(2, 1).hold(1, 1, 2, 2);
  third.follow(2, 1).hold(1, 1, 2, 2);
  look();
  first.commit(3);
  look();
  second.commit(3);
  look();
  return { invariants, copies, look };
}

function assertFinds(look: () => void, name: RegExp): void {
  assert.throws(look, (error) => error instanceof InvariantError && name.test(error.message));
}

suite("the invariants of Raft, on what is right (thesis figure 3.2)", () => {
  test("elections, replication, commitment and looking again find nothing", () => {
    const { look } = settled();
    for (let i = 0; i < 3; i++) look();
  });

  test("a follower's tail that was not committed may be replaced", () => {
    const { copies, look } = settled();
    const [, second, third] = copies;
    copies[0].hold(1, 1, 2, 2, 2, 2);
    look();
    third.lead(3).hold(1, 1, 2, 2, 3);
    look();
    second.follow(3, 3).hold(1, 1, 2, 2, 3);
    look();
    third.commit(5);
    look();
    copies[0].follow(3, 3).hold(1, 1, 2, 2, 3).commit(5);
    look();
  });

  test("a log may be trimmed, and a snapshot may replace it before its state is there", () => {
    const { copies, look } = settled();
    const [first, , third] = copies;
    first.baseIndex = 3;
    first.baseTerm = 2;
    first.terms = [2];
    look();
    third.baseIndex = 3;
    third.baseTerm = 2;
    third.hold();
    third.committed = 3;
    look();
    third.hold(2);
    look();
    third.applied = 3;
    look();
  });

  test("a leader of an old term, elected late, need not hold what a newer one has committed", () => {
    const { copies, look } = settled();
    const [, second, third] = copies;
    second.lead(4).hold(1, 1, 2, 2, 4);
    third.follow(4, 2).hold(1, 1, 2, 2, 4);
    look();
    second.commit(5);
    look();
    copies[0].lead(3);
    look();
  });

  test("a copy may come back without what it had not synced", () => {
    const { copies, invariants, look } = settled();
    const third = copies[2];
    third.terms = [1, 1, 2, 2, 2];
    look();
    invariants.copyRestarted(3);
    third.hold(1, 1, 2, 2).follow(2, 0);
    third.term = 2;
    look();
  });

  test("a copy that is down counts with what its disk held when it was seen last", () => {
    const { copies, invariants } = settled();
    const [first, second] = copies;
    invariants.observe([first, second]);
    first.commit(4);
    second.hold(1, 1, 2, 2);
    invariants.observe([first]);
  });

  test("a joint configuration is entered and left", () => {
    const { copies, look } = settled();
    const [first] = copies;
    first.commit(4);
    first.configuration = { ...three, voters: [1, 4, 5], outgoing: [1, 2, 3] };
    first.configurationIndex = 4;
    look();
    first.terms.push(2);
    look();
    first.configuration = { ...three, voters: [1, 4, 5] };
    first.configurationIndex = 5;
    look();
  });
});

interface Planted {
  readonly finds: string;
  readonly title: string;
  readonly plant: (world: World) => void;
}

const planted: readonly Planted[] = [
  {
    finds: "Election Safety",
    title: "two leaders of one term",
    plant: ({ copies }) => copies[1].lead(2),
  },
  {
    finds: "Election Safety",
    title: "two leaders of one term, one after the other",
    plant: ({ copies, look }) => {
      copies[0].follow(3, 2);
      copies[1].lead(3).hold(1, 1, 2, 2, 3);
      look();
      copies[1].follow(4, 0);
      look();
      copies[2].lead(3);
    },
  },
  {
    finds: "Election Safety",
    title: "a follower of somebody who does not lead",
    plant: ({ copies }) => copies[2].follow(2, 2),
  },
  {
    finds: "One Vote Per Term",
    title: "a second vote in a term",
    plant: ({ copies, look }) => {
      copies[2].follow(3, 0).vote = 2;
      look();
      copies[2].vote = 1;
    },
  },
  {
    finds: "Monotonic State",
    title: "a term that goes back",
    plant: ({ copies }) => copies[1].follow(1, 1).hold(1, 1, 1),
  },
  {
    finds: "Monotonic State",
    title: "a commit index that goes back",
    plant: ({ copies }) => copies[1].commit(2),
  },
  {
    finds: "State Ordering",
    title: "applied before it is committed",
    plant: ({ copies }) => {
      copies[1].applied = 4;
    },
  },
  {
    finds: "State Ordering",
    title: "trimmed before it is applied",
    plant: ({ copies }) => {
      const third = copies[2];
      third.baseIndex = 3;
      third.baseTerm = 2;
      third.terms = [2];
      third.committed = 3;
    },
  },
  {
    finds: "State Ordering",
    title: "an entry of a term to come",
    plant: ({ copies }) => copies[1].hold(1, 1, 2, 2, 3),
  },
  {
    finds: "Leader Append-Only",
    title: "a leader that drops an entry",
    plant: ({ copies }) => copies[0].hold(1, 1, 2),
  },
  {
    finds: "Log Matching",
    title: "an entry behind another one than elsewhere",
    plant: ({ copies }) => copies[2].hold(1, 2, 2, 2, 2),
  },
  {
    finds: "Log Matching",
    title: "a gap filled with entries of the next term",
    plant: ({ copies, look }) => {
      copies[1].lead(3).hold(1, 1, 2, 2, 3);
      look();
      copies[2].follow(3, 2).hold(1, 1, 2, 3, 3);
    },
  },
  {
    finds: "Log Matching",
    title: "terms that go down along a log",
    plant: ({ copies }) => copies[2].follow(5, 0).hold(1, 1, 2, 2, 5, 4),
  },
  {
    finds: "Leader Completeness",
    title: "a leader whose log is too short",
    plant: ({ copies }) => copies[2].hold(1, 1).lead(3),
  },
  {
    finds: "Leader Completeness",
    title: "a leader with another entry where one was committed",
    plant: ({ copies, look }) => {
      copies[1].lead(3).hold(1, 1, 2, 2, 3);
      look();
      copies[0].follow(3, 2).hold(1, 1, 2, 2, 3);
      look();
      copies[1].commit(5);
      look();
      copies[2].lead(4).hold(1, 1, 2, 2, 2);
    },
  },
  {
    finds: "Committed On Quorum",
    title: "a leader that counts itself before its own sync",
    plant: ({ copies, look }) => {
      const [first, second] = copies;
      first.terms = [1, 1, 2, 2, 2];
      second.hold(1, 1, 2, 2, 2);
      look();
      first.commit(5);
    },
  },
  {
    finds: "Committed On Quorum",
    title: "a majority of the new voters, none of those that go",
    plant: ({ copies, look }) => {
      const [first] = copies;
      first.configuration = { ...three, voters: [1], outgoing: [1, 2, 3] };
      first.configurationIndex = 3;
      first.hold(1, 1, 2, 2, 2);
      look();
      first.commit(5);
    },
  },
  {
    finds: "Commit Of Own Term",
    title: "an entry of an earlier term, committed by counting (figure 3.7)",
    plant: ({ copies, look }) => {
      copies[0].lead(3).hold(1, 1, 2, 2, 3);
      look();
      copies[0].commit(4);
    },
  },
  {
    finds: "State Machine Safety",
    title: "another entry committed at the same index",
    plant: ({ copies, look }) => {
      copies[0].commit(4);
      look();
      copies[2].follow(3, 0).hold(1, 1, 2, 3).commit(4);
    },
  },
  {
    finds: "State Machine Safety",
    title: "a snapshot of what was never committed",
    plant: ({ copies }) => {
      const third = copies[2];
      third.baseIndex = 9;
      third.baseTerm = 2;
      third.hold().commit(9);
    },
  },
  {
    finds: "Persistent State",
    title: "an entry that was on disk and is gone",
    plant: ({ copies, invariants }) => {
      invariants.copyRestarted(2);
      copies[1].hold(1, 1, 2).commit(2);
    },
  },
  {
    finds: "Persistent State",
    title: "a leader that has forgotten its term",
    plant: ({ copies, look, invariants }) => {
      copies[0].lead(5);
      look();
      invariants.copyRestarted(1);
      copies[0].follow(2, 0);
    },
  },
  {
    finds: "Configuration Safety",
    title: "two configurations after one entry",
    plant: ({ copies, look }) => {
      copies[0].configuration = { ...three, learners: [4] };
      copies[0].configurationIndex = 3;
      look();
      copies[1].configuration = { ...three, learners: [5] };
      copies[1].configurationIndex = 3;
    },
  },
  {
    finds: "One Change At A Time",
    title: "two voters replaced in one step",
    plant: ({ copies }) => {
      copies[0].configuration = { ...three, voters: [1, 4, 5] };
      copies[0].configurationIndex = 3;
    },
  },
  {
    finds: "One Change At A Time",
    title: "a joint configuration that is left for a third one",
    plant: ({ copies, look }) => {
      copies[0].configuration = { ...three, voters: [1, 4, 5], outgoing: [1, 2, 3] };
      copies[0].configurationIndex = 2;
      look();
      copies[0].configuration = { ...three, voters: [1, 4, 6] };
      copies[0].configurationIndex = 3;
    },
  },
];

suite("the invariants of Raft, on what is wrong", () => {
  for (const { finds, title, plant } of planted) {
    test(`${finds}: ${title}`, () => {
      const world = settled();
      plant(world);
      assertFinds(world.look, new RegExp(`^${finds} `));
    });
  }
});

/** Copy 1 leads term 1 after these have voted for it; what the look at that says. */
function elected(votes: readonly number[], configuration = three): () => void {
  const invariants = new RaftInvariants({ seesVotes: true });
  const copies = [1, 2, 3, 4].map((id) => new WrittenCopy(id));
  for (const copy of copies) copy.configuration = configuration;
  invariants.observe(copies);
  for (const copy of copies) {
    copy.term = 1;
    if (votes.includes(copy.id)) copy.vote = 1;
  }
  invariants.observe(copies);
  copies[0]?.lead(1);
  return () => invariants.observe(copies);
}

suite("the invariants of Raft, where every vote is seen", () => {
  test("Elected By Majority (thesis 3.4): half of the votes are none", () => {
    assertFinds(elected([1]), /^Elected By Majority/);
    elected([1, 3])();
  });

  test("Elected By Majority (thesis 4.3): a joint configuration needs both majorities", () => {
    const joint = { ...three, voters: [1, 3, 4], outgoing: [1, 2, 3] };
    assertFinds(elected([1, 4], joint), /^Elected By Majority/);
    assertFinds(elected([1, 2], joint), /^Elected By Majority/);
    elected([1, 3], joint)();
  });
});
