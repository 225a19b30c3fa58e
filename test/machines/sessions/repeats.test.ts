/** Repeat limits and the dead (DESIGN §8; P4: a session ends in `delete`, or among the dead). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../../src/base/assert.ts";
import { limits } from "../../../src/base/limits.ts";
import { kindsOperation } from "../../../src/machines/sessions/session-operation.ts";
import { SessionReplica, bob, bytes, kind } from "./session-replica.ts";

function newReplica(maxRepeats: number): SessionReplica {
  return new SessionReplica({ kinds: [kind("mail", { maxRepeats })] });
}

/** Takes the session and puts it off again. */
function repeat(replica: SessionReplica, session: string): string {
  const { epoch } = must(replica.take(["mail"]).find((each) => each.session === session));
  return replica.call("session.store", { session, epoch, afterMs: 0 }).status;
}

suite("repeats of sessions (P4)", () => {
  test("a session is delivered as often as its kind says, then it is dead", () => {
    const replica = newReplica(3);
    const session = replica.stored(0);
    assert.deepEqual(
      [1, 2, 3].map(() => repeat(replica, session)),
      ["stored", "stored", "dead"],
    );
    const { state, repeats, dueAtMs } = replica.get(session);
    assert.deepEqual([state, repeats, dueAtMs], ["dead", 3, 0]);
    replica.pass(1_000_000);
    assert.deepEqual(replica.take(["mail"]), []);
    assert.equal(replica.stack.sessions.nextStored(["mail"]), Infinity);
  });

  test("what its first owner puts off is no repeat: with a limit of one it is delivered once", () => {
    const replica = newReplica(1);
    const session = replica.stored(0);
    assert.equal(repeat(replica, session), "dead");
  });

  test("a limit of 0 is none", () => {
    const replica = newReplica(0);
    const session = replica.stored(0);
    for (let i = 0; i < 50; i++) assert.equal(repeat(replica, session), "stored");
    assert.equal(replica.get(session).repeats, 50);
  });

  test("the limit is that of the kind as it is when the session is put off", () => {
    const replica = newReplica(0);
    const session = replica.stored(0);
    for (let i = 0; i < 5; i++) repeat(replica, session);
    replica.apply(kindsOperation([kind("mail", { maxRepeats: 2 })]));
    const taken = replica.take(["mail"]);
    assert.equal(taken.length, 1, "what is stored is delivered all the same");
    assert.equal(replica.call("session.store", { ...must(taken[0]), afterMs: 0 }).status, "dead");
  });

  test("the dead are listed, counted and shown with all they have", () => {
    const replica = newReplica(1);
    const handle = replica.call("session.new", { kind: "mail", data: bytes("a") });
    replica.call("session.append", { ...handle, data: bytes("b") });
    replica.call("session.store", { ...handle, afterMs: 0 });
    repeat(replica, handle.session);
    const alive = replica.stored(60_000);
    assert.deepEqual(replica.list({ state: "dead" }), [handle.session]);
    assert.deepEqual(replica.list({ state: "stored" }), [alive]);
    assert.deepEqual(replica.stack.sessions.totals, { active: 0, stored: 1, dead: 1 });
    assert.deepEqual(replica.get(handle.session).texts, ["a", "b"]);
  });

  test("a revived one is due at once, with no repeats, behind what was due before", () => {
    const replica = newReplica(2);
    const session = replica.stored(0);
    repeat(replica, session);
    repeat(replica, session);
    const before = replica.stored(0);
    const response = replica.call("session.revive", { session });
    assert.deepEqual(response, { status: "stored", dueAtMs: replica.moment.timestamp });
    assert.deepEqual(replica.list({ state: "dead" }), []);
    const taken = replica.take(["mail"], 10, bob);
    assert.deepEqual(
      taken.map((each) => [each.session, each.repeats]),
      [
        [before, 1],
        [session, 1],
      ],
    );
    replica.refused("NOTDEAD", "session.revive", { session });
  });

  test("the dead stay when their kind is closed, and can be revived and taken", () => {
    const replica = newReplica(1);
    const session = replica.dead();
    replica.apply(kindsOperation([]));
    replica.call("session.revive", { session });
    assert.equal(must(replica.take(["mail"])[0]).session, session);
  });
});

suite("session.list (DESIGN §8)", () => {
  test("by number behind another, of a state, of a kind, so many", () => {
    const replica = new SessionReplica({
      kinds: [kind("mail", { maxRepeats: 1 }), kind("bill", { number: 2 })],
    });
    const dead = replica.dead();
    const stored = replica.stored(60_000, "bill");
    const active = replica.call("session.new", { kind: "bill" }).session;
    const last = replica.stored(60_000);
    const all = [dead, stored, active, last];
    assert.deepEqual(replica.list(), all);
    assert.deepEqual(replica.list({ count: 3 }), all.slice(0, 3));
    assert.deepEqual(replica.list({ after: stored }), all.slice(2));
    assert.deepEqual(replica.list({ after: last }), []);
    assert.deepEqual(replica.list({ after: "{other}0000000000000000" }), all);
    assert.deepEqual(replica.list({ state: "active" }), [active]);
    assert.deepEqual(replica.list({ state: "dead" }), [dead]);
    assert.deepEqual(replica.list({ state: "dead", after: dead }), []);
    assert.deepEqual(replica.list({ state: "stored" }), [stored, last]);
    assert.deepEqual(replica.list({ kind: "bill" }), [stored, active]);
    assert.deepEqual(replica.list({ kind: "bill", state: "stored" }), [stored]);
  });

  test("a hundred unless more are asked for, pages without a gap while sessions come and go", () => {
    const replica = newReplica(0);
    const handles = Array.from({ length: 3_000 }, () =>
      replica.call("session.new", { kind: "mail" }),
    );
    assert.equal(replica.list().length, 100);
    const left = handles.filter((_, i) => i % 3 === 0);
    for (const [i, handle] of handles.entries())
      if (i % 3 !== 0) replica.call("session.delete", handle);
    const found: string[] = [];
    for (;;) {
      const after = found.at(-1);
      const page = replica.list(after === undefined ? { count: 300 } : { count: 300, after });
      if (page.length === 0) break;
      found.push(...page);
    }
    assert.deepEqual(
      found,
      left.map(({ session }) => session),
    );
  });

  test("what cannot be asked for is BADVALUE, a malformed id BADSESSION", () => {
    const replica = newReplica(0);
    for (const count of [0, -1, 1.5, limits.listMaxCount + 1, Number.NaN])
      assert.throws(() => replica.list({ count }), { code: "BADVALUE" }, `${count}`);
    assert.throws(() => replica.list({ state: "gone" as "dead" }), { code: "BADVALUE" });
    assert.throws(() => replica.list({ after: "7" }), { code: "BADSESSION" });
    assert.throws(() => replica.get("7"), { code: "BADSESSION" });
  });
});
