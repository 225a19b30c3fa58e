/** What a follower promises: no more than the leader's message covers, and not before its disk has it (Ongaro's thesis, 3.5, 5.1). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { Raft } from "../../src/raft/raft.ts";
import { entryKinds } from "../../src/raft/vocabulary.ts";
import { Cores, messageOf, messageTypes } from "./cores.ts";

/** Copy 3 holds three entries of term 1 on its disk, and none of them is committed. */
function withTail(): Cores {
  const cores = new Cores();
  const entries = [1, 2, 3].map((index) => ({
    index,
    term: 1,
    kind: entryKinds.normal,
    data: Buffer.from("old"),
  }));
  const message = messageOf({ type: messageTypes.append, from: 1, to: 3, term: 1, entries });
  cores.raft(3).step(message);
  cores.turn(3);
  cores.wire.splice(0);
  return cores;
}

/** The leader of term 2 has committed three entries, of which copy 3 has only the first; it asks whether the logs agree up to there, and sends none. */
function hearOfFirst(raft: Raft): void {
  const { append: type } = messageTypes;
  raft.step(messageOf({ type, from: 2, to: 3, term: 2, index: 1, logTerm: 1, commit: 3 }));
}

suite("raft: what a follower promises", () => {
  test("thesis 3.5: the answer to an append is about what the append covers, not about the own entries behind it", () => {
    const cores = withTail();
    hearOfFirst(cores.raft(3));
    cores.turn(3);
    const answers = cores.wire.map(({ to, index, reject }) => ({ to, index, reject }));
    assert.deepEqual(answers, [{ to: 2, index: 1, reject: false }]);
  });

  test("thesis 3.5: an append commits what it covers, not the own entries behind it", () => {
    const cores = withTail();
    hearOfFirst(cores.raft(3));
    cores.turn(3);
    assert.equal(cores.raft(3).lastIndex, 3);
    assert.equal(cores.raft(3).committed, 1);
    assert.deepEqual(cores.texts(3), ["old"]);
  });

  test("P1: a follower answers a checkpoint only when its disk has it", () => {
    const cores = new Cores();
    cores.elect(1);
    const { term, configuration } = cores.raft(3);
    const snapshot = { index: 20, term, configuration, configurationIndex: 0 };
    cores.slow.add(3);
    cores.raft(3).step(messageOf({ type: messageTypes.snapshot, from: 1, to: 3, term, snapshot }));
    cores.turn(3);
    assert.deepEqual(cores.wire, []);
    cores.sync(3);
    assert.deepEqual(
      cores.wire.map(({ type, to, index }) => ({ type, to, index })),
      [{ type: messageTypes.appendResponse, to: 1, index: 20 }],
    );
  });
});
