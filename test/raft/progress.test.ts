/** What the leader knows of a member: the states, the window, late and doubled answers. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { Inflights } from "../../src/raft/inflights.ts";
import { Progress } from "../../src/raft/progress.ts";

function newProgress(next = 1, messages = 3, bytes = Infinity): Progress {
  return new Progress({ next, maxInflightMessages: messages, maxInflightBytes: bytes });
}

/** In state replicate, with match. */
function replicating(match: number, messages = 3): Progress {
  const progress = newProgress(1, messages);
  progress.maybeUpdate(match);
  progress.becomeReplicate();
  return progress;
}

suite("the window of appends in flight (thesis 10.2.1)", () => {
  test("holds what a plain list of messages holds", () => {
    const commands = fc.array(
      fc.oneof(
        {
          weight: 3,
          arbitrary: fc.record({
            kind: fc.constant("add" as const),
            step: fc.nat(3),
            bytes: fc.nat(20),
          }),
        },
        {
          weight: 2,
          arbitrary: fc.record({
            kind: fc.constant("free" as const),
            messages: fc.nat(6),
            less: fc.nat(1),
          }),
        },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant("reset" as const) }) },
      ),
      { maxLength: 200 },
    );
    const limits = fc.tuple(
      fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constant(Infinity)),
      fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constant(Infinity)),
    );
    fc.assert(
      fc.property(limits, commands, ([maxMessages, maxBytes], steps) => {
        const inflights = new Inflights(maxMessages, maxBytes);
        let list: { index: number; bytes: number }[] = [];
        let last = 0;
        for (const step of steps) {
          if (step.kind === "add") {
            if (inflights.full) {
              assert.throws(() => inflights.add(last, 1), /full window/);
              continue;
            }
            last += step.step;
            inflights.add(last, step.bytes);
            list.push({ index: last, bytes: step.bytes });
          } else if (step.kind === "free") {
            // Up to one of the oldest messages, or just below it.
            const freed = (list[step.messages] ?? { index: last }).index - step.less;
            inflights.freeLE(freed);
            list = list.filter(({ index }) => index > freed);
          } else {
            inflights.reset();
            list = [];
          }
          const bytes = list.reduce((sum, one) => sum + one.bytes, 0);
          assert.equal(inflights.count, list.length);
          assert.equal(inflights.bytes, bytes);
          assert.equal(inflights.full, list.length >= maxMessages || bytes >= maxBytes);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("grows while it wraps around", () => {
    const inflights = new Inflights(Infinity, Infinity);
    let last = 0;
    for (let freed = 1; freed <= 200; freed++) {
      // Two in, one out: the oldest stands at another place each time the ring is full.
      inflights.add(++last, last);
      inflights.add(++last, last);
      inflights.freeLE(freed);
      assert.equal(inflights.count, last - freed);
      assert.equal(inflights.bytes, (last * (last + 1) - freed * (freed + 1)) / 2);
    }
    for (let freed = 201; freed <= last; freed++) {
      inflights.freeLE(freed);
      assert.equal(inflights.count, last - freed);
    }
    assert.equal(inflights.bytes, 0);
  });

  test("P8: the limit in bytes is exceeded by one message at most", () => {
    const inflights = new Inflights(100, 10);
    inflights.add(1, 9);
    assert.equal(inflights.full, false);
    inflights.add(2, 1_000);
    assert.equal(inflights.full, true);
    inflights.freeLE(1);
    assert.equal(inflights.full, true);
    inflights.freeLE(2);
    assert.equal(inflights.full, false);
  });

  test("messages out of order are a bug of ours", () => {
    const inflights = new Inflights(10, 10);
    inflights.add(5, 1);
    assert.throws(() => inflights.add(4, 1), /order/);
  });
});

suite("progress of a member (thesis 3.5, 10.2.1)", () => {
  test("a probe sends one append and waits; what it answers moves match and next", () => {
    const progress = newProgress(6);
    assert.equal(progress.describe(), "StateProbe match=0 next=6");
    progress.sentEntries(0, 0);
    assert.equal(progress.isPaused, false);
    progress.sentEntries(2, 20);
    assert.equal(progress.next, 6);
    assert.equal(progress.describe(), "StateProbe match=0 next=6 paused");
    assert.equal(progress.maybeUpdate(7), true);
    assert.equal(progress.describe(), "StateProbe match=7 next=8");
    assert.equal(progress.maybeUpdate(7), false);
    assert.equal(progress.maybeUpdate(3), false);
    assert.equal(progress.match, 7);
  });

  test("replication runs ahead until the window is full, an answer frees it", () => {
    const progress = replicating(11);
    for (const count of [1, 2, 1]) progress.sentEntries(count, 10);
    assert.equal(progress.describe(), "StateReplicate match=11 next=16 paused inflight=3[full]");
    assert.equal(progress.maybeUpdate(14), true);
    progress.inflights.freeLE(14);
    assert.equal(progress.describe(), "StateReplicate match=14 next=16 inflight=1");
    progress.sentEntries(0, 0);
    assert.equal(progress.isPaused, false);
  });

  test("an empty append to a full window is a probe: it pauses again until the next answer", () => {
    const progress = replicating(1, 1);
    progress.sentEntries(1, 10);
    assert.equal(progress.isPaused, true);
    // A heartbeat was answered: one more may go out, in case all of the window was lost.
    progress.awaitsAnswer = false;
    progress.sentEntries(0, 0);
    assert.equal(progress.describe(), "StateReplicate match=1 next=3 paused inflight=1[full]");
  });

  test("a refusal while replicating goes back to what is sure; an old one is ignored", () => {
    const progress = replicating(10);
    progress.sentEntries(4, 10);
    progress.sentCommit = 13;
    assert.equal(progress.maybeDecrTo(10, 5), false);
    assert.equal(progress.next, 15);
    assert.equal(progress.maybeDecrTo(14, 12), true);
    assert.equal(progress.next, 11);
    assert.equal(progress.sentCommit, 10);
  });

  test("a refusal of a probe follows the hint; one of another append is ignored", () => {
    const progress = newProgress(21);
    progress.sentEntries(1, 10);
    assert.equal(progress.maybeDecrTo(19, 3), false);
    assert.equal(progress.isPaused, true);
    assert.equal(progress.maybeDecrTo(20, 3), true);
    assert.equal(progress.describe(), "StateProbe match=0 next=4");
    // A hint above what was asked moves nothing forward.
    assert.equal(progress.maybeDecrTo(3, 100), true);
    assert.equal(progress.next, 3);
    assert.equal(progress.maybeDecrTo(2, 0), true);
    assert.equal(progress.next, 1);
  });

  test("no refusal moves next to what the member holds", () => {
    const progress = newProgress(1);
    progress.maybeUpdate(5);
    assert.equal(progress.maybeDecrTo(5, 0), true);
    assert.equal(progress.next, 6);
  });

  test("a snapshot pauses all; behind it the probe begins after the snapshot", () => {
    const progress = replicating(4);
    progress.sentEntries(1, 10);
    progress.becomeSnapshot(12);
    assert.equal(progress.describe(), "StateSnapshot match=4 next=13 paused pendingSnap=12");
    assert.equal(progress.inflights.count, 0);
    assert.throws(() => progress.sentEntries(1, 1), /snapshot/);
    progress.becomeProbe();
    assert.equal(progress.describe(), "StateProbe match=4 next=13");

    progress.becomeSnapshot(12);
    progress.maybeUpdate(20);
    progress.becomeProbe();
    assert.equal(progress.describe(), "StateProbe match=20 next=21");
  });

  test("to probe is to go back to what is sure, and to send the commit index again", () => {
    const progress = replicating(4);
    progress.sentEntries(5, 10);
    progress.sentCommit = 8;
    progress.becomeProbe();
    assert.equal(progress.describe(), "StateProbe match=4 next=5");
    assert.equal(progress.sentCommit, 4);
  });

  test("a commit index is worth sending when the member can use more of it", () => {
    const progress = replicating(4);
    assert.equal(progress.canBumpCommit(3), true);
    progress.sentCommit = 4;
    // The member was sent entries up to 4 only.
    assert.equal(progress.canBumpCommit(9), false);
    progress.sentEntries(1, 10);
    assert.equal(progress.canBumpCommit(4), false);
    assert.equal(progress.canBumpCommit(9), true);
    progress.sentCommit = 9;
    assert.equal(progress.canBumpCommit(10), false);
  });

  test("a new term forgets what was heard (thesis 3.5)", () => {
    const progress = replicating(4);
    progress.sentEntries(1, 10);
    progress.sentCommit = 4;
    progress.fetching = true;
    progress.isLearner = true;
    progress.reset(0, 21);
    assert.equal(progress.describe(), "StateProbe match=0 next=21 learner inactive");
    assert.equal(progress.sentCommit, 0);
    assert.equal(progress.fetching, false);
    assert.throws(() => progress.reset(5, 5), /not sent again/);
  });

  test("whatever happens, match is below next, never falls, and a pause is in place when the window is full", () => {
    const index = fc.nat(30);
    const steps = fc.array(
      fc.oneof(
        fc.tuple(fc.constant("probe" as const), index, index),
        fc.tuple(fc.constant("replicate" as const), index, index),
        fc.tuple(fc.constant("snapshot" as const), index, index),
        fc.tuple(fc.constant("update" as const), index, index),
        fc.tuple(fc.constant("refused" as const), index, index),
        fc.tuple(fc.constant("send" as const), fc.nat(3), index),
      ),
      { maxLength: 100 },
    );
    fc.assert(
      fc.property(steps, (list) => {
        const progress = newProgress(5, 4, 40);
        for (const [kind, a, b] of list) {
          const match = progress.match;
          if (kind === "probe") progress.becomeProbe();
          else if (kind === "replicate") progress.becomeReplicate();
          else if (kind === "snapshot") progress.becomeSnapshot(a + 1);
          else if (kind === "refused") {
            if (progress.maybeDecrTo(a, b) && progress.state === "replicate")
              progress.becomeProbe();
          } else if (kind === "update") {
            if (progress.maybeUpdate(a)) progress.inflights.freeLE(a);
          } else if (!progress.isPaused) {
            if (progress.canBumpCommit(b)) progress.sentCommit = Math.min(b, progress.next - 1);
            progress.sentEntries(a, 15);
          }
          assert.ok(progress.match >= match, "match never falls");
          assert.ok(progress.next > progress.match, "match < next");
          if (kind === "probe") {
            assert.ok(progress.sentCommit < progress.next, "the commit index is sent again too");
          }
          assert.equal(progress.pendingSnapshot > 0, progress.state === "snapshot");
          if (progress.state !== "replicate") assert.equal(progress.inflights.count, 0);
          else if (kind === "send" && progress.inflights.full) assert.ok(progress.isPaused);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
