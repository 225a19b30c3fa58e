import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../../src/base/assert.ts";
import { limits } from "../../../src/base/limits.ts";
import { kindsOperation } from "../../../src/machines/sessions/session-operation.ts";
import { SessionReplica, alice, bob, bytes, due, kind, start } from "./session-replica.ts";

const silenceMs = 30_000;

function newReplica(settings: Parameters<typeof kind>[1] = {}): SessionReplica {
  return new SessionReplica({ kinds: [kind("mail", settings), kind("bill", { number: 2 })] });
}

suite("sessions (DESIGN §8): verbs", () => {
  test("new opens a session in the hands of who asked; id and epoch come from the number of the operation", () => {
    const replica = newReplica();
    const opened = replica.call("session.new", { kind: "mail", data: bytes("one") });
    assert.deepEqual(opened, { session: "{t}0000000000000002", epoch: 2 });
    assert.deepEqual(replica.get(opened.session), {
      session: opened.session,
      kind: "mail",
      state: "active",
      epoch: 2,
      repeats: 0,
      createdAtMs: start,
      dueAtMs: start + silenceMs,
      recordsCount: 1,
      bytes: 3,
      texts: ["one"],
    });
    assert.deepEqual(replica.stack.sessions.totals, { active: 1, stored: 0, dead: 0 });
  });

  test("new without data has no record, with empty data an empty one", () => {
    const replica = newReplica();
    const { session: bare } = replica.call("session.new", { kind: "mail" });
    const { session: empty } = replica.call("session.new", { kind: "mail", data: bytes("") });
    assert.deepEqual(replica.get(bare).texts, []);
    assert.deepEqual(replica.get(empty).texts, [""]);
  });

  test("a tag of the request goes before that of its context", () => {
    const { session } = newReplica().call("session.new", { kind: "mail", tag: "user 7, Ёж" });
    assert.equal(session, "{user 7, Ёж}0000000000000002");
  });

  test("append adds a record behind the others and begins the silence anew", () => {
    const replica = newReplica();
    const handle = replica.call("session.new", { kind: "mail", data: bytes("a") });
    replica.pass(700);
    assert.deepEqual(replica.call("session.append", { ...handle, data: bytes("bc") }), {
      recordsCount: 2,
      bytes: 3,
    });
    replica.call("session.append", { ...handle, data: bytes("") });
    const found = replica.get(handle.session);
    assert.deepEqual(found.texts, ["a", "bc", ""]);
    assert.equal(found.dueAtMs, start + 700 + silenceMs);
    assert.equal(found.epoch, handle.epoch);
  });

  test("replace drops what has gathered and keeps this one", () => {
    const replica = newReplica();
    const handle = replica.call("session.new", { kind: "mail", data: bytes("a") });
    for (const text of ["b", "c", "d"])
      replica.call("session.append", { ...handle, data: bytes(text) });
    replica.pass(700);
    assert.deepEqual(replica.call("session.replace", { ...handle, data: bytes("new") }), {
      recordsCount: 1,
      bytes: 3,
    });
    assert.deepEqual(replica.get(handle.session).texts, ["new"]);
    assert.equal(replica.get(handle.session).dueAtMs, start + 700 + silenceMs);
    replica.call("session.append", { ...handle, data: bytes("more") });
    assert.deepEqual(replica.get(handle.session).texts, ["new", "more"]);
  });

  test("replace of a session without records gives it one", () => {
    const replica = newReplica();
    const handle = replica.call("session.new", { kind: "mail" });
    replica.call("session.replace", { ...handle, data: bytes("new") });
    assert.deepEqual(replica.get(handle.session).texts, ["new"]);
  });

  test("touch begins the silence anew and changes nothing else", () => {
    const replica = newReplica();
    const handle = replica.call("session.new", { kind: "mail", data: bytes("a") });
    const before = replica.get(handle.session);
    replica.pass(700);
    const dueAtMs = start + 700 + silenceMs;
    assert.deepEqual(replica.call("session.touch", handle), { dueAtMs });
    assert.deepEqual(replica.get(handle.session), { ...before, dueAtMs });
  });

  test("delete leaves nothing of the session", () => {
    const replica = newReplica();
    const { digest, rows } = replica.state;
    const handle = replica.call("session.new", { kind: "mail", data: bytes("a") });
    replica.call("session.append", { ...handle, data: bytes("b") });
    assert.deepEqual(replica.call("session.delete", handle), { deleted: true });
    assert.equal(replica.state.digest, digest);
    assert.equal(replica.state.rows, rows);
    assert.deepEqual(replica.stack.sessions.totals, { active: 0, stored: 0, dead: 0 });
    assert.equal(replica.stack.sessions.nextDue(), Infinity);
    assert.deepEqual(replica.list(), []);
  });

  test("store puts it off by what is named, rounded up to a second; 0 is at once", () => {
    const cases = [
      [0, 250, start + 250],
      [1, 250, start + 1_000],
      [750, 250, start + 1_000],
      [751, 250, start + 2_000],
      [2_000, 0, start + 2_000],
    ] as const;
    for (const [afterMs, passedMs, dueAtMs] of cases) {
      const replica = newReplica();
      const handle = replica.call("session.new", { kind: "mail" });
      replica.pass(passedMs);
      const response = replica.call("session.store", { ...handle, afterMs });
      assert.deepEqual(response, { status: "stored", dueAtMs }, `${afterMs} at ${passedMs}`);
      const { state, dueAtMs: shown } = replica.get(handle.session);
      assert.deepEqual([state, shown], ["stored", dueAtMs]);
      assert.equal(replica.stack.sessions.nextStored(["mail"]), dueAtMs);
      assert.equal(replica.stack.sessions.nextDue(), Infinity, "no silence is counted");
    }
  });

  test("store without a time takes the delay of the kind", () => {
    const replica = newReplica({ delayMs: 4_100 });
    const handle = replica.call("session.new", { kind: "mail" });
    assert.equal(replica.call("session.store", handle).dueAtMs, start + 5_000);
  });

  test("take hands out what is due, with its records, to a new owner under a new epoch", () => {
    const replica = newReplica();
    const handle = replica.call("session.new", { kind: "mail", data: bytes("a") });
    replica.call("session.append", { ...handle, data: bytes("b") });
    replica.call("session.store", { ...handle, afterMs: 2_000 });
    replica.pass(1_999);
    assert.deepEqual(replica.take(["mail"]), [], "a millisecond early");
    replica.pass(1);
    const taken = replica.take(["mail"], 10, bob);
    const epoch = replica.moment.number;
    assert.deepEqual(taken, [
      {
        session: handle.session,
        epoch,
        kind: "mail",
        repeats: 1,
        createdAtMs: start,
        records: [bytes("a"), bytes("b")],
      },
    ]);
    const { state, dueAtMs, repeats } = replica.get(handle.session);
    assert.deepEqual([state, dueAtMs, repeats], ["active", start + 2_000 + silenceMs, 1]);
    assert.deepEqual(replica.take(["mail"]), [], "it is in one pair of hands");
  });

  test("take looks at the kinds that it names only", () => {
    const replica = newReplica();
    const mail = replica.stored(0, "mail");
    const bill = replica.stored(0, "bill");
    assert.deepEqual(
      replica.take(["bill"]).map(({ session }) => session),
      [bill],
    );
    assert.deepEqual(
      replica.take(["mail", "bill"]).map(({ session }) => session),
      [mail],
    );
    assert.equal(replica.stack.sessions.nextStored(["mail", "bill"]), Infinity);
  });

  test("take hands out at most what it counts, and no more bytes than the limit but for the first", () => {
    const replica = newReplica({ maxBytes: limits.sessionMaxBytes });
    const mebibyte = Buffer.alloc(limits.valueMaxBytes);
    for (const size of [5, 3, 1, 1]) {
      const handle = replica.call("session.new", { kind: "mail" });
      for (let i = 0; i < size; i++) replica.call("session.append", { ...handle, data: mebibyte });
      replica.call("session.store", { ...handle, afterMs: 0 });
    }
    const sizes = (count: number): number[] =>
      replica.take(["mail"], count).map(({ records }) => records.length);
    assert.deepEqual(sizes(4), [5], "one is handed out however large it is");
    assert.deepEqual(sizes(1), [3]);
    assert.deepEqual(sizes(4), [1, 1]);
    assert.deepEqual(sizes(4), []);
  });

  test("sessions of any size taken together stay below the limit of bytes", () => {
    const replica = newReplica({ maxBytes: limits.sessionMaxBytes });
    const data = Buffer.alloc(limits.valueMaxBytes);
    for (let i = 0; i < 6; i++) {
      const handle = replica.call("session.new", { kind: "mail", data });
      replica.call("session.store", { ...handle, afterMs: 0 });
    }
    assert.equal(replica.take(["mail"]).length, limits.takeMaxBytes / limits.valueMaxBytes);
    assert.equal(replica.take(["mail"]).length, 2);
  });

  test("a due session is announced when it is stored, and when it is revived", () => {
    const replica = newReplica({ maxRepeats: 1 });
    let announced = 0;
    replica.stack.sessions.onReady = () => announced++;
    const session = replica.dead();
    assert.equal(announced, 1);
    replica.call("session.revive", { session });
    assert.equal(announced, 2);
  });

  test("who is silent for as long as the kind says loses the session: it is stored with the kind's delay", () => {
    const replica = newReplica({ silenceMs: 1_500, delayMs: 5_000 });
    const { session, epoch } = replica.call("session.new", { kind: "mail", data: bytes("a") });
    assert.equal(replica.stack.sessions.nextDue(), start + 1_500);
    replica.pass(1_499);
    replica.apply(due);
    assert.equal(replica.get(session).state, "active");
    replica.pass(1);
    replica.apply(due);
    const found = replica.get(session);
    assert.deepEqual([found.state, found.dueAtMs], ["stored", start + 7_000]);
    assert.deepEqual(found.texts, ["a"]);
    assert.notEqual(found.epoch, epoch);
    assert.equal(replica.stack.sessions.nextDue(), Infinity);
  });

  test("one due operation handles a bounded number of silent sessions, the longest silent first", () => {
    const replica = newReplica();
    for (let i = 0; i < limits.dueMaxRows + 3; i++) replica.call("session.new", { kind: "mail" });
    replica.pass(silenceMs);
    replica.apply(due);
    assert.deepEqual(replica.stack.sessions.totals, {
      active: 3,
      stored: limits.dueMaxRows,
      dead: 0,
    });
    assert.equal(must(replica.list({ state: "active" })[0]), "{t}0000000000000402");
    replica.apply(due);
    assert.equal(replica.stack.sessions.totals.active, 0);
  });

  test("an owner who is late and not yet handled keeps the session: it is alive", () => {
    const replica = newReplica();
    const handle = replica.call("session.new", { kind: "mail" });
    replica.pass(silenceMs + 1);
    replica.call("session.touch", handle);
    replica.apply(due);
    assert.equal(replica.get(handle.session).state, "active");
  });
});

suite("sessions (DESIGN §8): what is refused, and changes nothing", () => {
  const held = [
    "session.append",
    "session.replace",
    "session.touch",
    "session.delete",
    "session.store",
  ] as const;

  test("NOSESSION: a session that never was, that is deleted, or whose tag is another's", () => {
    const replica = newReplica();
    const handle = replica.call("session.new", { kind: "mail" });
    const gone = replica.call("session.new", { kind: "mail" });
    replica.call("session.delete", gone);
    const missing = [
      { session: "{t}00000000000000ff", epoch: 1 },
      { session: handle.session.replace("{t}", "{u}"), epoch: handle.epoch },
      { session: handle.session.replace("{t}", "{tt}"), epoch: handle.epoch },
      gone,
    ];
    for (const each of missing) {
      for (const verb of held) {
        const text = replica.refused("NOSESSION", verb, { ...each, data: bytes("x") });
        assert.equal(text, `there is no session ${each.session}`);
      }
      replica.refused("NOSESSION", "session.revive", { session: each.session });
      assert.throws(() => replica.get(each.session), { code: "NOSESSION" });
    }
  });

  test("FENCED: another epoch", () => {
    const replica = newReplica();
    const { session, epoch } = replica.call("session.new", { kind: "mail" });
    for (const verb of held)
      for (const other of [0, epoch - 1, epoch + 1]) {
        const text = replica.refused("FENCED", verb, { session, epoch: other, data: bytes("x") });
        assert.equal(text, `session ${session} has epoch ${epoch}; the request's is ${other}`);
      }
  });

  test("FENCED: a stored session, even with the epoch that it shows", () => {
    const replica = newReplica();
    const session = replica.stored(60_000);
    const { epoch } = replica.get(session);
    for (const verb of held) {
      const text = replica.refused("FENCED", verb, { session, epoch, data: bytes("x") });
      assert.equal(text, `session ${session} was stored; epoch ${epoch} no longer has it`);
    }
  });

  test("REPEATLIMIT: a dead session, whatever the epoch", () => {
    const replica = newReplica({ maxRepeats: 1 });
    const session = replica.dead();
    for (const verb of held)
      for (const epoch of [1, replica.get(session).epoch])
        assert.equal(
          replica.refused("REPEATLIMIT", verb, { session, epoch, data: bytes("x") }),
          `session ${session} is dead after 1 repeats`,
        );
  });

  test("NOTDEAD: only the dead are revived", () => {
    const replica = newReplica();
    const stored = replica.stored(60_000);
    const { session: active } = replica.call("session.new", { kind: "mail" });
    assert.equal(
      replica.refused("NOTDEAD", "session.revive", { session: stored }),
      `session ${stored} is stored, not dead`,
    );
    replica.refused("NOTDEAD", "session.revive", { session: active });
  });

  test("SESSIONTOOLONG: more bytes than the kind allows; the session stays with its owner", () => {
    const replica = newReplica({ maxBytes: 10 });
    replica.refused("SESSIONTOOLONG", "session.new", { kind: "mail", data: bytes("12345678901") });
    const handle = replica.call("session.new", { kind: "mail", data: bytes("123456") });
    const text = replica.refused("SESSIONTOOLONG", "session.append", {
      ...handle,
      data: bytes("12345"),
    });
    assert.equal(text, `session ${handle.session} would be 11 bytes; kind mail allows 10`);
    replica.refused("SESSIONTOOLONG", "session.replace", { ...handle, data: bytes("12345678901") });
    replica.call("session.append", { ...handle, data: bytes("1234") });
    replica.call("session.replace", { ...handle, data: bytes("1234567890") });
    assert.deepEqual(replica.get(handle.session).texts, ["1234567890"]);
  });

  test("SESSIONTOOLONG: more records than there may be; replace makes room", () => {
    const replica = newReplica();
    const handle = replica.call("session.new", { kind: "mail" });
    const data = bytes("");
    for (let i = 0; i < limits.sessionRecordsMaxCount; i++)
      replica.call("session.append", { ...handle, data });
    const text = replica.refused("SESSIONTOOLONG", "session.append", { ...handle, data });
    assert.equal(text, `session ${handle.session} has 4096 records; the limit is 4096`);
    replica.call("session.replace", { ...handle, data: bytes("x") });
    replica.call("session.append", { ...handle, data: bytes("y") });
    assert.deepEqual(replica.get(handle.session).texts, ["x", "y"]);
    replica.call("session.delete", handle);
    assert.equal(replica.state.rows, 2, "the two kinds");
  });

  test("NOKIND: a kind that nobody has configured", () => {
    const replica = newReplica();
    const text = replica.refused("NOKIND", "session.new", { kind: "post" });
    assert.equal(text, "there is no kind of sessions named post");
    replica.refused("NOKIND", "session.take", { kinds: ["mail", "post"] });
    assert.throws(() => replica.list({ kind: "post" }), { code: "NOKIND" });
    assert.throws(() => replica.stack.sessions.mustHaveKind("post"), { code: "NOKIND" });
    assert.equal(replica.stack.sessions.nextStored(["post"]), Infinity);
  });

  test("KINDCLOSED: no new sessions of a kind that has left the configuration", () => {
    const replica = newReplica();
    replica.apply(kindsOperation([kind("bill", { number: 2 })]));
    const text = replica.refused("KINDCLOSED", "session.new", { kind: "mail" });
    assert.equal(text, "kind mail is closed: it has no new sessions");
    replica.call("session.new", { kind: "bill" }, alice);
  });
});
