/** Sessions in atomic groups: all or nothing, with records beside them (DESIGN §8). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { recordOperation } from "../../../src/machines/records/record-request.ts";
import { must } from "../../../src/base/assert.ts";
import type { Operation } from "../../../src/machines/operation.ts";
import {
  SessionReplica,
  alice,
  bob,
  bytes,
  disconnected,
  kind,
  setRecord,
} from "./session-replica.ts";

const key = "{t}0d5d3807-5fbf-4228-a657-5a091c4e497f";
const check = (ifVersion: number): Operation => recordOperation("record.check", { key, ifVersion });

/** All that can be seen of the sessions and of what is kept beside them. */
function view(replica: SessionReplica): unknown {
  const { sessions } = replica.stack;
  return {
    digest: replica.state.digest,
    rows: replica.state.rows,
    totals: { ...sessions.totals },
    nextDue: sessions.nextDue(),
    nextStored: sessions.nextStored(["mail", "bill"]),
    all: replica.list().map((session) => replica.get(session)),
    active: replica.list({ state: "active" }),
    stored: replica.list({ state: "stored" }),
    dead: replica.list({ state: "dead" }),
  };
}

/** A replica with one session of each state, and alice's handles of two active ones. */
function newScene() {
  const replica = new SessionReplica({
    kinds: [
      kind("mail", { maxRepeats: 1 }),
      kind("bill", { number: 2, maxRepeats: 0, maxBytes: 10 }),
    ],
  });
  const dead = replica.dead();
  const alsoDead = replica.dead();
  const stored = replica.stored(0, "bill");
  const first = replica.call("session.new", { kind: "mail", data: bytes("a") });
  const second = replica.call("session.new", { kind: "bill", data: bytes("b") });
  replica.call("session.append", { ...second, data: bytes("c") });
  return { replica, dead, alsoDead, stored, first, second };
}

suite("sessions in atomic groups (DESIGN §8)", () => {
  test("a step of one session, the end of another and a record are one entry", () => {
    const { replica, first, second } = newScene();
    const outcome = replica.apply({
      group: [
        replica.operation("session.touch", first),
        replica.operation("session.append", { ...first, data: bytes("b") }),
        replica.operation("session.delete", second),
        setRecord(key, "done"),
        check(replica.moment.number + 5),
      ],
    });
    assert.equal(outcome.kind, "group");
    assert.deepEqual(replica.get(first.session).texts, ["a", "b"]);
    assert.throws(() => replica.get(second.session), { code: "NOSESSION" });
  });

  test("a session opened in a group can be used in it, for its id is known in advance to nobody else", () => {
    const { replica } = newScene();
    const number = replica.moment.number + 2;
    const session = `{t}${number.toString(16).padStart(16, "0")}`;
    const outcome = replica.apply({
      group: [
        replica.operation("session.new", { kind: "mail" }),
        replica.operation("session.append", { session, epoch: number, data: bytes("a") }),
      ],
    });
    assert.equal(outcome.kind, "group");
    assert.deepEqual(replica.get(session).texts, ["a"]);
  });

  const failures: readonly (readonly [
    string,
    (scene: ReturnType<typeof newScene>) => Operation,
  ])[] = [
    ["FENCED", ({ replica, first }) => replica.operation("session.touch", { ...first, epoch: 1 })],
    [
      "REPEATLIMIT",
      ({ replica, alsoDead }) =>
        replica.operation("session.touch", { session: alsoDead, epoch: 1 }),
    ],
    [
      "NOSESSION",
      ({ replica }) =>
        replica.operation("session.touch", { session: "{t}00000000000000ff", epoch: 1 }),
    ],
    ["NOKIND", ({ replica }) => replica.operation("session.new", { kind: "post" })],
    [
      "SESSIONTOOLONG",
      ({ replica }) =>
        replica.operation("session.new", { kind: "bill", data: bytes("12345678901") }),
    ],
    [
      "NOTFOUND",
      () => recordOperation("record.check", { key: key.replace("{t}", "{u}"), ifVersion: 7 }),
    ],
  ];

  for (const [code, failing] of failures) {
    test(`a group that ends in ${code} leaves the digest and everything beside the tables as before`, () => {
      const scene = newScene();
      const { replica, dead, first, second } = scene;
      const before = view(replica);
      const outcome = replica.apply({
        group: [
          replica.operation("session.new", { kind: "mail", data: bytes("x") }),
          replica.operation("session.append", { ...first, data: bytes("x") }),
          replica.operation("session.replace", { ...first, data: bytes("y") }),
          replica.operation("session.store", { ...first, afterMs: 0 }),
          replica.operation("session.take", { kinds: ["bill", "mail"], count: 10 }, bob),
          replica.operation("session.delete", second),
          replica.operation("session.revive", { session: dead }),
          setRecord(key, "half"),
          failing(scene),
        ],
      });
      assert.equal(
        outcome.kind === "aborted" ? `${outcome.index} ${outcome.code}` : "",
        `8 ${code}`,
      );
      assert.deepEqual(view(replica), before);

      // And what comes after is as if it had never been.
      assert.deepEqual(
        replica.take(["bill"], 10, bob).map(({ session }) => session),
        [scene.stored],
      );
      assert.deepEqual(replica.apply(disconnected(alice)), { kind: "count", count: 2 });
      assert.deepEqual(
        replica.take(["mail", "bill"], 10, bob).map(({ session }) => session),
        [first.session, second.session],
      );
    });
  }

  test("a store that was undone keeps no place in the order for the session", () => {
    const { replica, first, second } = newScene();
    const fails = replica.operation("session.new", { kind: "none" });
    const store = replica.operation("session.store", { ...first, afterMs: 1_000 });
    const other = replica.call("session.new", { kind: "mail" });
    assert.equal(replica.apply({ group: [store, fails] }).kind, "aborted");
    replica.call("session.store", { ...other, afterMs: 1_000 });
    replica.call("session.store", { ...second, afterMs: 1_000 });
    replica.apply(store);
    replica.pass(1_000);
    assert.deepEqual(
      replica
        .take(["mail", "bill"])
        .map(({ session }) => session)
        .slice(1),
      [other.session, second.session, first.session],
    );
  });

  test("an owner learns in a group that it was fenced, and nothing of the group is done", () => {
    const { replica, first } = newScene();
    replica.apply(disconnected(alice));
    const taken = must(replica.take(["mail"], 1, bob)[0]);
    const outcome = replica.apply({
      group: [setRecord(key, "late"), replica.operation("session.delete", first)],
    });
    assert.equal(outcome.kind === "aborted" ? outcome.code : "", "FENCED");
    assert.deepEqual(replica.apply({ group: [check(0)] }).kind, "group", "the record was not set");
    replica.call("session.touch", taken);
  });
});
