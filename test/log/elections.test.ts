/** What copies of a group remember and tell of votes when their logs are on disks (Ongaro's thesis, 3.8; docs/raft.md). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { changeKinds } from "../../src/raft/membership-change.ts";
import { messageTypes } from "../../src/raft/vocabulary.ts";
import type { ReplicaId } from "../../src/raft/vocabulary.ts";
import { loseAll } from "../../simulator/crash-chooser.ts";
import { batch, codeOf } from "../contract/shared-log.ts";
import { messageOf } from "../raft/cores.ts";
import { LogCluster, configurationOf } from "./log-cluster.ts";

/** The power of a copy fails: what its disk has not synced is lost. */
async function losePower(cluster: LogCluster, replica: ReplicaId): Promise<void> {
  const { files } = cluster.disk(replica);
  await cluster.stop(replica);
  files.crash(loseAll);
  files.restart();
}

/** Copy 3 is asked for its vote in term 7; whether it gives it. */
async function askForVote(cluster: LogCluster, from: ReplicaId): Promise<boolean> {
  cluster.sent.length = 0;
  cluster.log(3).group.step(messageOf({ type: messageTypes.vote, from, to: 3, term: 7 }));
  await cluster.settle();
  const answers = cluster.sent.flat().filter(({ type }) => type === messageTypes.voteResponse);
  assert.deepEqual(
    answers.map(({ to }) => to),
    [from],
  );
  return answers.every(({ reject }) => !reject);
}

suite("RaftLog: elections", () => {
  test("thesis 3.8: a copy that has started again remembers whom it gave its vote, and gives it to nobody else in that term", async () => {
    const cluster = await LogCluster.open({ configuration: configurationOf([1, 2, 3]) });
    assert.equal(await askForVote(cluster, 1), true);
    await losePower(cluster, 3);
    await cluster.start(3);
    assert.equal(await askForVote(cluster, 2), false);
    assert.equal(await askForVote(cluster, 1), true);
    await cluster.close();
  });

  test("who refuses a vote says what is committed: the last voter learns that it needs the other no more, and leads", async () => {
    const cluster = await LogCluster.open({ configuration: configurationOf([1, 2]) });
    assert.equal(await cluster.elect(), 1);
    const demoted = cluster.log(1).group.propose({
      transition: "auto",
      changes: [{ kind: changeKinds.addLearner, replica: 2 }],
    });
    await cluster.settle();
    for (const replica of [1, 2]) await cluster.read(replica);
    assert.deepEqual((await demoted).voters, [1]);
    await cluster.tick(2);
    await cluster.read(2);
    // The next entry reaches 2; 1 loses it with its power, and has not written down that the change is committed.
    const unknown = codeOf(cluster.log(1).append(batch(1)));
    cluster.disk(1).files.failAfter(0);
    await cluster.settle();
    assert.equal(await unknown, "UNKNOWNOUTCOME");
    await losePower(cluster, 1);
    await cluster.start(1);
    assert.deepEqual(cluster.log(1).group.status().configuration.voters, [1, 2]);
    assert.ok(cluster.log(2).status().last > cluster.log(1).status().last);
    assert.equal(await cluster.elect(), 1);
    await cluster.close();
  });
});
