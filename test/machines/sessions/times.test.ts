/** When stored sessions come back: late perhaps, never early (P4), and in the order in which they were stored (DESIGN §8). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { must } from "../../../src/base/assert.ts";
import { limits } from "../../../src/base/limits.ts";
import type { Moment } from "../../../src/machines/machine.ts";
import { dueAfter, kindDelayMs } from "../../../src/machines/sessions/repeat-time.ts";
import { type Draws, forSeeds } from "../../state/draws.ts";
import { SessionReplica, alice, bob, disconnected, due, kind, start } from "./session-replica.ts";

const closed = { closed: false } as const;
const longest = limits.delayMaxMs;

const moments = fc.record({
  timestamp: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  position: fc.constant(1),
  number: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  seed: fc.integer({ min: 0, max: 0xffff_ffff }),
});

suite("repeat times (P4: never early)", () => {
  test("a named delay: not before it is over, less than a second behind, on a whole second; 0 is at once", () => {
    fc.assert(
      fc.property(moments, fc.integer({ min: 0, max: longest }), (moment: Moment, afterMs) => {
        const at = dueAfter(moment, afterMs);
        assert.ok(at >= moment.timestamp + afterMs);
        assert.ok(at < moment.timestamp + afterMs + 1_000);
        if (afterMs === 0) assert.equal(at, moment.timestamp);
        else assert.equal(at % 1_000, 0);
      }),
    );
  });

  test("a kind's delay: not less than it says, not more than its spread on top", () => {
    const settings = fc.record({
      delayMs: fc.integer({ min: 0, max: longest }),
      spreadMs: fc.oneof(fc.integer({ min: 0, max: 10 }), fc.integer({ min: 0, max: longest })),
    });
    const session = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(moments, settings, session, (moment: Moment, { delayMs, spreadMs }, number) => {
        const delay = kindDelayMs(
          { ...kind("mail", { delayMs, spreadMs }), ...closed },
          moment,
          number,
        );
        assert.ok(Number.isSafeInteger(delay), `${delay}`);
        assert.ok(delay >= delayMs, `${delay}`);
        assert.ok(delay <= delayMs + spreadMs, `${delay}`);
      }),
    );
  });

  test("the spread uses its whole range evenly: over operations, over batches, and over the sessions of one operation", () => {
    const mail = { ...kind("mail", { delayMs: 100, spreadMs: 9 }), ...closed };
    const varied: readonly (readonly [string, (i: number) => number])[] = [
      ["number", (i) => kindDelayMs(mail, { timestamp: 0, position: 0, number: i, seed: 7 }, 1)],
      ["seed", (i) => kindDelayMs(mail, { timestamp: 0, position: 0, number: 1, seed: i }, 1)],
      ["session", (i) => kindDelayMs(mail, { timestamp: 0, position: 0, number: 1, seed: 7 }, i)],
    ];
    for (const [what, delay] of varied) {
      const counts = new Map<number, number>();
      for (let i = 0; i < 10_000; i++) counts.set(delay(i), (counts.get(delay(i)) ?? 0) + 1);
      assert.deepEqual(
        [...counts.keys()].sort((a, b) => a - b),
        [100, 101, 102, 103, 104, 105, 106, 107, 108, 109],
      );
      for (const count of counts.values())
        assert.ok(count > 850 && count < 1_150, `${what}: ${count}`);
    }
  });

  test("random lives: nothing is handed out before its time, and all of it once its time has come", () => {
    forSeeds(1, 60, (draws: Draws) => {
      const delayMs = draws.pick([0, 1, 999, 1_000, 5_000]);
      const spreadMs = draws.pick([0, 1, 1_000, 20_000]);
      const silenceMs = draws.pick([1_000, 1_001, 30_000]);
      const replica = new SessionReplica({
        kinds: [kind("mail", { delayMs, spreadMs, silenceMs, maxRepeats: 0 })],
      });
      /** Session → log time before which it must not come, and from which on it must. */
      const expected = new Map<string, { earliest: number; latest: number }>();
      const held: { session: string; epoch: number; until: number }[] = [];
      const { moment } = replica;
      moment.timestamp = start + draws.below(1_000);
      const expect = (session: string, minMs: number, maxMs: number): void => {
        const rounding = maxMs === 0 ? 0 : 999;
        const earliest = moment.timestamp + minMs;
        expected.set(session, { earliest, latest: moment.timestamp + maxMs + rounding });
      };
      for (let i = 0; i < 150; i++) {
        replica.pass(draws.pick([0, 0, 1, 10, 500, 1_000, 3_000]));
        moment.seed = draws.below(2 ** 32);
        const silent = held.filter(({ until }) => until <= moment.timestamp);
        replica.apply(due);
        for (const each of silent) {
          held.splice(held.indexOf(each), 1);
          expect(each.session, delayMs, delayMs + spreadMs);
        }
        if (draws.oneIn(20)) {
          replica.apply(disconnected(alice));
          for (const { session } of held.splice(0)) expect(session, 0, 0);
        }
        const next = held[draws.below(4)];
        if (next !== undefined && draws.oneIn(2)) {
          const { session, epoch } = next;
          held.splice(held.indexOf(next), 1);
          const afterMs = draws.pick([0, 1, 250, 1_000, 1_001, 4_000]);
          if (draws.oneIn(2)) {
            replica.call("session.store", { session, epoch });
            expect(session, delayMs, delayMs + spreadMs);
          } else {
            replica.call("session.store", { session, epoch, afterMs });
            expect(session, afterMs, afterMs);
          }
        } else if (draws.oneIn(3))
          held.push({
            ...replica.call("session.new", { kind: "mail" }),
            until: moment.timestamp + silenceMs,
          });
        for (const { session, epoch } of replica.take(["mail"], 1_000)) {
          const { earliest } = must(expected.get(session), `${session} was not stored`);
          assert.ok(
            moment.timestamp >= earliest,
            `${session} came ${earliest - moment.timestamp} ms early`,
          );
          expected.delete(session);
          held.push({ session, epoch, until: moment.timestamp + silenceMs });
        }
        for (const [session, { latest }] of expected)
          assert.ok(moment.timestamp < latest, `${session} did not come at ${latest}`);
      }
    });
  });
});

suite("the order of stored sessions (DESIGN §8)", () => {
  test("those due in one second come in the order in which they were stored, over all kinds, whenever they were opened", () => {
    forSeeds(1, 30, (draws: Draws) => {
      const replica = new SessionReplica({
        kinds: [kind("mail"), kind("bill", { number: 2 }), kind("post", { number: 3 })],
      });
      const names = ["mail", "bill", "post"];
      const handles = Array.from({ length: 60 }, () =>
        replica.call("session.new", { kind: draws.pick(names) }),
      );
      const stored: { session: string; due: number }[] = [];
      while (handles.length > 0) {
        const [handle] = handles.splice(draws.below(handles.length), 1);
        // Between 1 and 3 s behind the start, by different ways to the same second.
        replica.moment.timestamp = start + draws.below(900);
        const afterMs = 100 + draws.below(2_000);
        const { dueAtMs } = replica.call("session.store", { ...must(handle), afterMs });
        stored.push({ session: must(handle).session, due: dueAtMs });
      }
      const inOrder = stored.toSorted((a, b) => a.due - b.due).map(({ session }) => session);
      replica.moment.timestamp = start + 5_000;
      const taken: string[] = [];
      while (taken.length < 60) {
        const some = replica.take(names, 1 + draws.below(5), bob);
        taken.push(...some.map(({ session }) => session));
      }
      assert.deepEqual(taken, inOrder);
    });
  });

  test("one that is due later never goes before one that is due earlier, also if it was stored before", () => {
    const replica = new SessionReplica({ kinds: [kind("mail")] });
    const late = replica.stored(5_000);
    const early = replica.stored(1_000);
    replica.pass(9_000);
    assert.deepEqual(
      replica.take(["mail"]).map(({ session }) => session),
      [early, late],
    );
  });

  test("the first due time of several kinds is that of the first of them", () => {
    const replica = new SessionReplica({ kinds: [kind("mail"), kind("bill", { number: 2 })] });
    const { sessions } = replica.stack;
    assert.equal(sessions.nextStored(["mail", "bill"]), Infinity);
    replica.stored(5_000, "mail");
    replica.stored(3_000, "bill");
    assert.equal(sessions.nextStored(["mail", "bill"]), start + 3_000);
    assert.equal(sessions.nextStored(["mail"]), start + 5_000);
    replica.pass(3_000);
    replica.take(["bill"]);
    assert.equal(sessions.nextStored(["mail", "bill"]), start + 5_000);
  });
});
