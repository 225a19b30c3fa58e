/** Elections, by sections of Ongaro's thesis. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { changeKinds, encodeChange } from "../../src/raft/membership-change.ts";
import { Cores, messageOf, messageTypes, roles } from "./cores.ts";

suite("raft: elections", () => {
  test("thesis 3.4: a copy that hears of no leader for an election timeout campaigns, and one of three wins", () => {
    const cores = new Cores();
    cores.tick(undefined, 25);
    assert.equal(cores.leaders.length, 1);
    const [leader = 0] = cores.leaders;
    for (const id of cores.ids) assert.equal(cores.raft(id).leader, leader);
  });

  test("thesis 3.4: heartbeats keep a leader", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.tick(undefined, 200);
    assert.deepEqual(cores.leaders, [1]);
    assert.equal(cores.raft(1).term, 1);
  });

  test("thesis 3.4: a copy votes once in a term", () => {
    const cores = new Cores();
    const raft = cores.raft(3);
    raft.step(messageOf({ type: messageTypes.vote, from: 1, to: 3, term: 5 }));
    raft.step(messageOf({ type: messageTypes.vote, from: 2, to: 3, term: 5 }));
    const [first, second] = raft.ready().afterAppend;
    assert.deepEqual([first?.to, first?.reject], [1, false]);
    assert.deepEqual([second?.to, second?.reject], [2, true]);
  });

  test("thesis 3.6.1: nobody votes for a log that holds less than its own", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.isolate(3);
    cores.propose(1, "a");
    cores.settle();
    cores.heal();
    cores.elect(3);
    assert.deepEqual(cores.leaders, []);
    cores.elect(2);
    assert.deepEqual(cores.leaders, [2]);
    assert.deepEqual(cores.texts(2), ["a"]);
  });

  test("thesis 3.8: a vote leaves only when it is durable, the own one too", () => {
    const cores = new Cores();
    cores.slow.add(1).add(2).add(3);
    cores.raft(1).campaign();
    cores.settle();
    assert.equal(cores.raft(1).role, roles.candidate);
    // Its own vote is not enough, and the others' answers wait for their disks.
    cores.sync(1);
    cores.settle();
    assert.equal(cores.raft(1).role, roles.candidate);
    cores.sync(2);
    cores.settle();
    assert.equal(cores.raft(1).role, roles.leader);
  });

  test("thesis 3.8: nobody leads before its own vote is durable, also when the others' votes are enough", () => {
    const cores = new Cores();
    cores.slow.add(1);
    cores.raft(1).campaign();
    cores.settle();
    assert.equal(cores.raft(1).role, roles.candidate);
    cores.sync(1);
    cores.settle();
    assert.equal(cores.raft(1).role, roles.leader);
  });

  test("thesis 3.8: a copy that crashed before its vote was durable may vote again, one that crashed after may not", () => {
    const cores = new Cores();
    cores.slow.add(3);
    const ask = (from: number): void =>
      cores.raft(3).step(messageOf({ type: messageTypes.vote, from, to: 3, term: 7 }));
    ask(1);
    cores.turn(3);
    cores.start(3);
    assert.equal(cores.raft(3).vote, 0);
    ask(2);
    cores.turn(3);
    cores.sync(3);
    cores.start(3);
    assert.equal(cores.raft(3).vote, 2);
    assert.equal(cores.raft(3).term, 7);
  });

  test("thesis 9.6: with PreVote a copy that was cut off does not raise the term when it comes back", () => {
    const cores = new Cores({ preVote: true, checkQuorum: true });
    cores.elect(1);
    cores.isolate(3);
    cores.tick([1, 2, 3], 100);
    assert.equal(cores.raft(3).term, 1);
    cores.heal();
    cores.tick(undefined, 30);
    assert.deepEqual(cores.leaders, [1]);
    assert.equal(cores.raft(1).term, 1);
  });

  test("thesis 6.2: with CheckQuorum a leader that hears from no majority steps down", () => {
    const cores = new Cores({ checkQuorum: true });
    cores.elect(1);
    cores.isolate(1);
    cores.tick([1], 21);
    assert.equal(cores.raft(1).role, roles.follower);
  });

  test("thesis 4.2.3: a copy that hears from its leader grants no vote and keeps its term", () => {
    const cores = new Cores({ checkQuorum: true });
    cores.elect(1);
    cores.tick(undefined, 3);
    cores
      .raft(2)
      .step(messageOf({ type: messageTypes.vote, from: 3, to: 2, term: 9, index: 99, logTerm: 9 }));
    cores.settle();
    assert.equal(cores.raft(2).term, 1);
  });

  test("thesis 3.10: leadership is handed over at once, in spite of the lease", () => {
    const cores = new Cores({ preVote: true, checkQuorum: true });
    cores.elect(1);
    cores.propose(1, "a");
    cores.raft(1).transferLeader(3);
    cores.settle();
    assert.deepEqual(cores.leaders, [3]);
    assert.deepEqual(cores.texts(3), ["a"]);
  });

  test("thesis 3.10: while it is handed over nothing is taken; after an election timeout without success it goes on", () => {
    const cores = new Cores();
    cores.elect(1);
    cores.isolate(3);
    cores.raft(1).transferLeader(3);
    cores.settle();
    assert.equal(cores.propose(1, "a"), "transferring");
    cores.tick([1, 2], 11);
    assert.equal(cores.propose(1, "a"), undefined);
    cores.settle();
    assert.deepEqual(cores.texts(2), ["a"]);
  });

  test("two partial links of five copies do not make elections without end (PreVote and CheckQuorum together)", () => {
    // 4 hears only 2; 5 hears only 3: the links that are left are 4-2 and 5-3.
    const cores = new Cores({ voters: [1, 2, 3, 4, 5], preVote: true, checkQuorum: true });
    cores.elect(4);
    const links = new Set(["4-2", "2-4", "5-3", "3-5", "2-1", "1-2", "2-3", "3-2", "1-3", "3-1"]);
    for (const from of cores.ids)
      for (const to of cores.ids)
        if (from !== to && !links.has(`${from}-${to}`)) cores.cut.add(`${from}>${to}`);
    cores.tick(undefined, 100);
    const { term } = cores.raft(2);
    const [leader = 0] = cores.leaders;
    assert.ok([1, 2, 3].includes(leader), `leader ${leader}`);
    cores.tick(undefined, 300);
    assert.deepEqual(cores.leaders, [leader]);
    assert.equal(cores.raft(2).term, term);
  });

  test("priority: when the leader is lost the first of the order campaigns before the others", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const cores = new Cores({ voters: [1, 2, 3], seed, preVote: true, checkQuorum: true });
      cores.elect(3);
      cores.isolate(3);
      assert.ok(cores.raft(1).electionTimeoutTicks <= 12, `seed ${seed}`);
    }
    const late = new Cores({ priority: 4 });
    assert.ok(late.raft(1).electionTimeoutTicks >= 18);
    assert.ok(late.raft(1).electionTimeoutTicks < 20);
  });

  test("who refuses a vote says what is committed: the last voter learns that it needs the other no more", () => {
    const cores = new Cores({ voters: [1, 2], preVote: true, checkQuorum: true });
    cores.elect(1);
    const demotion = {
      transition: "auto",
      changes: [{ kind: changeKinds.addLearner, replica: 2 }],
    } as const;
    cores.raft(1).propose([{ kind: 1, data: encodeChange(demotion) }]);
    // Applied by both; then 1 sends another entry and loses power before any of what it learned is on its disk.
    cores.settle();
    const disk = cores.disk(1);
    disk.hard = { ...disk.hard, commit: 0 };
    cores.slow.add(1);
    cores.propose(1, "longer");
    cores.settle();
    cores.start(1);
    cores.slow.delete(1);
    assert.deepEqual(cores.raft(1).configuration.voters, [1, 2]);
    assert.equal(cores.raft(2).isVoter, false);
    cores.tick(undefined, 30);
    assert.deepEqual(cores.leaders, [1]);
  });

  test("who asks for a vote says what is committed: the one with the longer log learns that it is a voter, and leads", () => {
    const cores = new Cores({ voters: [1], learners: [2], preVote: true, checkQuorum: true });
    cores.elect(1);
    const promotion = {
      transition: "auto",
      changes: [{ kind: changeKinds.addVoter, replica: 2 }],
    } as const;
    cores.propose(1, "before");
    cores.settle();
    cores.raft(1).propose([{ kind: 1, data: encodeChange(promotion) }]);
    // Until 1 has applied it alone; 2 has the entry and does not know that it is committed.
    for (let i = 0; i < 20 && cores.raft(1).configuration.voters.length < 2; i++) {
      cores.turn(1);
      cores.turn(2);
      cores.wire.splice(0).forEach((message) => {
        if (message.commit < cores.raft(1).lastIndex) cores.raft(message.to).step(message);
      });
    }
    assert.deepEqual(cores.raft(1).configuration.voters, [1, 2]);
    assert.equal(cores.raft(2).isVoter, false);
    // 2 gets one more entry, which 1 loses with its power.
    cores.sync(1);
    cores.slow.add(1);
    const { term, lastIndex: index } = cores.raft(2);
    cores.raft(2).step(
      messageOf({
        type: messageTypes.append,
        from: 1,
        to: 2,
        term,
        index,
        logTerm: term,
        commit: index - 1,
        entries: [{ index: index + 1, term, kind: 0, data: Buffer.from("longer") }],
      }),
    );
    cores.wire.splice(0);
    cores.turn(2);
    cores.wire.splice(0);
    cores.start(1);
    cores.slow.delete(1);
    cores.tick(undefined, 40);
    assert.deepEqual(cores.leaders, [2]);
    assert.deepEqual(cores.texts(1), ["before", "longer"]);
  });

  test("a learner votes when it is asked: the candidate may know of its promotion before it does", () => {
    const cores = new Cores({ voters: [1], learners: [2] });
    cores.raft(2).step(messageOf({ type: messageTypes.vote, from: 1, to: 2, term: 3 }));
    const [answer] = cores.raft(2).ready().afterAppend;
    assert.equal(answer?.reject, false);
    cores.raft(2).campaign();
    assert.equal(cores.raft(2).role, roles.follower);
  });
});
