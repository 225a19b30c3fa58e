import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { limits } from "../../../src/base/limits.ts";
import {
  type KindSettings,
  checkKinds,
  isKindName,
  kindDefaults,
} from "../../../src/machines/sessions/kinds.ts";
import { kindsOperation } from "../../../src/machines/sessions/session-operation.ts";
import { SessionReplica, kind } from "./session-replica.ts";

const mail = kind("mail", { number: 1, delayMs: 1_000 });
const bill = kind("bill", { number: 2, spreadMs: 3, maxRepeats: 4, maxBytes: 5, silenceMs: 6_000 });

function shown(replica: SessionReplica): string[] {
  return replica.stack.sessions
    .read("session.kinds", {})
    .kinds.map(({ kind: name, number, closed }) => `${number} ${name}${closed ? " closed" : ""}`);
}

suite("kinds of sessions in the state (DESIGN §8)", () => {
  test("the state holds what the operation says, and shows it", () => {
    const replica = new SessionReplica({ kinds: [bill, mail] });
    const { name: _mail, ...mailSettings } = mail;
    const { name: _bill, ...billSettings } = bill;
    assert.deepEqual(replica.stack.sessions.read("session.kinds", {}).kinds, [
      { kind: "mail", ...mailSettings, closed: false },
      { kind: "bill", ...billSettings, closed: false },
    ]);
  });

  test("they differ from a configuration that has more, fewer or other ones, in any setting", () => {
    const { sessions } = new SessionReplica({ kinds: [mail, bill] }).stack;
    assert.equal(sessions.kindsDiffer([bill, mail]), false);
    assert.equal(sessions.kindsDiffer([mail]), true);
    assert.equal(sessions.kindsDiffer([]), true);
    assert.equal(sessions.kindsDiffer([mail, bill, kind("post", { number: 3 })]), true);
    for (const field of [
      "number",
      "delayMs",
      "spreadMs",
      "maxRepeats",
      "maxBytes",
      "silenceMs",
    ] as const)
      assert.equal(
        sessions.kindsDiffer([{ ...mail, [field]: mail[field] + 7 }, bill]),
        true,
        field,
      );
    assert.equal(sessions.kindsDiffer([{ ...mail, name: "post" }, bill]), true);
    assert.equal(new SessionReplica().stack.sessions.kindsDiffer([]), false);
  });

  test("after the operation they differ no more, and the operation again changes nothing", () => {
    const replica = new SessionReplica({ kinds: [mail, bill] });
    const lives: readonly KindSettings[][] = [
      [{ ...mail, silenceMs: 9_000 }],
      [],
      [bill],
      [
        { ...bill, name: "mail" },
        { ...mail, name: "bill" },
      ],
    ];
    for (const kinds of lives) {
      replica.apply(kindsOperation(kinds));
      assert.equal(replica.stack.sessions.kindsDiffer(kinds), false);
      const { digest } = replica.state;
      replica.apply(kindsOperation(kinds));
      assert.equal(replica.state.digest, digest);
    }
  });

  test("a closed kind keeps its sessions, which are delivered, and comes back as it was", () => {
    const replica = new SessionReplica({ kinds: [mail, bill] });
    const session = replica.stored(0);
    replica.apply(kindsOperation([bill]));
    assert.deepEqual(shown(replica), ["1 mail closed", "2 bill"]);
    replica.refused("KINDCLOSED", "session.new", { kind: "mail" });
    const [taken] = replica.take(["mail"]);
    assert.equal(taken?.session, session);
    replica.call("session.append", { session, epoch: taken?.epoch ?? 0, data: Buffer.from("x") });
    replica.call("session.store", { session, epoch: taken?.epoch ?? 0 });
    replica.apply(kindsOperation([bill, mail]));
    replica.call("session.new", { kind: "mail" });
    assert.deepEqual(shown(replica), ["1 mail", "2 bill"]);
  });

  test("a kind that gets another name keeps its sessions: the number tells which it is", () => {
    const replica = new SessionReplica({ kinds: [mail] });
    const session = replica.stored(0);
    replica.apply(kindsOperation([{ ...mail, name: "letters" }]));
    assert.equal(replica.get(session).kind, "letters");
    replica.refused("NOKIND", "session.take", { kinds: ["mail"] });
    assert.equal(replica.take(["letters"])[0]?.session, session);
  });

  test("a kind that gets another number: its name brings the sessions of both, in one order", () => {
    const replica = new SessionReplica({ kinds: [mail] });
    const first = replica.stored(0);
    const third = replica.stored(1_000);
    replica.apply(kindsOperation([{ ...mail, number: 9 }]));
    assert.deepEqual(shown(replica), ["1 mail closed", "9 mail"]);
    const second = replica.stored(0);
    const fourth = replica.stored(1_000);
    assert.deepEqual(replica.list({ kind: "mail" }), [first, third, second, fourth]);
    replica.pass(1_000);
    assert.deepEqual(
      replica.take(["mail"]).map(({ session }) => session),
      [first, second, third, fourth],
    );
  });

  test("closed kinds without sessions are forgotten when there are too many, those with sessions never", () => {
    const replica = new SessionReplica({ kinds: [mail] });
    const session = replica.stored(60_000);
    for (let i = 0; i < 3; i++) {
      const many = Array.from({ length: limits.kindsMaxCount }, (_, at) =>
        kind(`k${i}-${at}`, { number: 1_000 * (i + 1) + at }),
      );
      replica.apply(kindsOperation(many));
      assert.equal(replica.stack.sessions.kindsDiffer(many), false);
    }
    const { kinds } = replica.stack.sessions.read("session.kinds", {});
    assert.equal(kinds.length, 2 * limits.kindsMaxCount);
    assert.equal(kinds.filter(({ closed }) => closed).length, limits.kindsMaxCount);
    assert.equal(kinds[0]?.kind, "mail");
    assert.equal(replica.get(session).kind, "mail");
  });

  test("a changed setting counts for sessions that are there, from the next operation on", () => {
    const replica = new SessionReplica({ kinds: [mail] });
    const handle = replica.call("session.new", { kind: "mail" });
    const before = replica.get(handle.session).dueAtMs;
    replica.apply(kindsOperation([{ ...mail, silenceMs: 99_000, maxBytes: 1, delayMs: 0 }]));
    assert.equal(replica.get(handle.session).dueAtMs, before);
    replica.refused("SESSIONTOOLONG", "session.append", { ...handle, data: Buffer.from("xy") });
    assert.equal(replica.call("session.touch", handle).dueAtMs, replica.moment.timestamp + 99_000);
    assert.equal(replica.call("session.store", handle).dueAtMs, replica.moment.timestamp);
  });
});

suite("checkKinds", () => {
  test("the defaults can be used", () => {
    assert.deepEqual(checkKinds([{ ...kindDefaults, name: "mail", number: 1 }]), []);
    assert.deepEqual(checkKinds([]), []);
  });

  test("every setting has its range, and the ends belong to it", () => {
    const ranges = [
      ["number", 0, 4_294_967_295],
      ["delayMs", 0, limits.delayMaxMs],
      ["spreadMs", 0, limits.delayMaxMs],
      ["maxRepeats", 0, limits.deliveriesMaxCount],
      ["maxBytes", 0, limits.sessionMaxBytes],
      ["silenceMs", limits.silenceMinMs, limits.delayMaxMs],
    ] as const;
    for (const [field, min, max] of ranges) {
      for (const value of [min, max])
        assert.deepEqual(checkKinds([{ ...mail, [field]: value }]), [], `${field} ${value}`);
      for (const value of [min - 1, max + 1, min + 0.5, Number.NaN])
        assert.deepEqual(checkKinds([{ ...mail, [field]: value }]), [
          {
            kind: "mail",
            field,
            text: `${field} of kind mail is ${value}; it must be a whole number from ${min} to ${max}`,
          },
        ]);
    }
  });

  test("all problems are told together: names, numbers and names given twice, too many", () => {
    const problems = checkKinds([
      mail,
      { ...bill, number: 1 },
      { ...mail, number: 3 },
      kind("a b", { number: 4 }),
    ]);
    assert.deepEqual(
      problems.map((problem) => `${problem.kind} ${problem.field}`),
      ["bill number", "mail name", "a b name"],
    );
    const many = Array.from({ length: limits.kindsMaxCount + 1 }, (_, i) =>
      kind(`k${i}`, { number: i }),
    );
    assert.deepEqual(
      checkKinds(many).map(({ text }) => text),
      ["there are 257 kinds of sessions; the limit is 256"],
    );
  });

  test("names are printable ASCII without blanks and commas, 1 to 64 characters", () => {
    for (const name of ["a", "!", "~", "mail.retry-2", "x".repeat(64)])
      assert.ok(isKindName(name), name);
    for (const name of ["", "a,b", "a b", "x".repeat(65), "Ё", "a\n", "\x7f", 7, undefined])
      assert.equal(isKindName(name), false, String(name));
  });
});
