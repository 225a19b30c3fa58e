/** What becomes of active sessions when the connection or the node of their owner is gone (DESIGN §8, owners; P4). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { limits } from "../../../src/base/limits.ts";
import type { Owner } from "../../../src/machines/owner.ts";
import {
  SessionReplica,
  alice,
  bob,
  bytes,
  disconnected,
  kind,
  nobody,
  restarted,
  start,
} from "./session-replica.ts";

function newReplica(): SessionReplica {
  return new SessionReplica({ kinds: [kind("mail")] });
}

function open(replica: SessionReplica, owner: Owner, detached = false): string {
  return replica.call("session.new", { kind: "mail", detached }, owner).session;
}

suite("owners of sessions (DESIGN §8)", () => {
  test("a connection that ended gives back what it opened and what it took: stored, due at once, with all records", () => {
    const replica = newReplica();
    const handle = replica.call("session.new", { kind: "mail", data: bytes("a") });
    replica.call("session.append", { ...handle, data: bytes("b") });
    const taken = replica.stored(0);
    replica.take(["mail"]);
    replica.pass(250);
    replica.apply(disconnected(alice));
    for (const session of [handle.session, taken]) {
      const { state, dueAtMs } = replica.get(session);
      assert.deepEqual([state, dueAtMs], ["stored", start + 250], session);
    }
    assert.deepEqual(replica.get(handle.session).texts, ["a", "b"]);
    assert.deepEqual(
      replica.take(["mail"], 10, bob).map(({ session, repeats }) => [session, repeats]),
      [
        [handle.session, 1],
        [taken, 2],
      ],
    );
  });

  test("what is detached, asked for so or opened by nobody, stays until it is silent", () => {
    const replica = newReplica();
    const sessions = [open(replica, alice, true), open(replica, nobody)];
    replica.apply(disconnected(alice));
    replica.apply(disconnected(nobody));
    replica.apply(restarted(alice.node, 200));
    replica.apply(restarted(nobody.node, 200));
    for (const session of sessions) assert.equal(replica.get(session).state, "active");
  });

  test("what it no longer has does not go back: stored, taken by others, deleted", () => {
    const replica = newReplica();
    const later = replica.stored(60_000);
    const first = replica.stored(0);
    replica.take(["mail"], 1, bob);
    const gone = replica.call("session.new", { kind: "mail" });
    replica.call("session.delete", gone);
    const before = replica.state.digest;
    assert.deepEqual(replica.apply(disconnected(alice)), { kind: "count", count: 0 });
    assert.equal(replica.state.digest, before);
    assert.equal(replica.get(later).dueAtMs, start + 60_000);
    assert.equal(replica.get(first).state, "active");
  });

  test("a node that started again gives back what all its earlier runs held, and nothing of this run or of other nodes", () => {
    const replica = newReplica();
    const earlier = [
      open(replica, alice),
      open(replica, bob),
      open(replica, { node: 1, run: 50, connection: 1 }),
    ];
    const others = [
      open(replica, { node: 1, run: 200, connection: 1 }),
      open(replica, { node: 2, run: 100, connection: 1 }),
    ];
    assert.deepEqual(replica.apply(restarted(1, 200)), { kind: "count", count: 3 });
    for (const session of earlier) assert.equal(replica.get(session).state, "stored");
    for (const session of others) assert.equal(replica.get(session).state, "active");
  });

  test("one operation gives back a bounded number, the oldest first; asked again it goes on until fewer come back", () => {
    const replica = newReplica();
    const sessions: string[] = [];
    for (let i = 0; i < limits.sweepMaxRows + 5; i++) sessions.push(open(replica, alice));
    assert.deepEqual(replica.apply(disconnected(alice)), {
      kind: "count",
      count: limits.sweepMaxRows,
    });
    assert.deepEqual(replica.list({ state: "active" }), sessions.slice(limits.sweepMaxRows));
    assert.deepEqual(replica.apply(disconnected(alice)), { kind: "count", count: 5 });
    assert.deepEqual(replica.apply(disconnected(alice)), { kind: "count", count: 0 });
  });

  test("sessions that one operation gives back come back in the order in which they were opened", () => {
    const replica = newReplica();
    const sessions = Array.from({ length: 20 }, () => open(replica, alice));
    replica.apply(disconnected(alice));
    assert.deepEqual(
      replica.take(["mail"], 20, bob).map(({ session }) => session),
      sessions,
    );
  });

  test("the same connection may hold sessions again", () => {
    const replica = newReplica();
    const session = open(replica, alice);
    replica.apply(disconnected(alice));
    replica.take(["mail"], 1, alice);
    replica.apply(disconnected(alice));
    assert.deepEqual([replica.get(session).state, replica.get(session).repeats], ["stored", 1]);
  });
});

suite("request ids of sessions (P3)", () => {
  const requestId = "order-1";

  function openWithId(
    replica: SessionReplica,
    owner: Owner,
    request = {},
  ): ReturnType<SessionReplica["outcome"]> {
    return replica.apply(
      replica.operation("session.new", { kind: "mail", ...request }, owner),
      requestId,
    );
  }

  test("who repeats the request by another connection gets the first session and opens no second", () => {
    const replica = newReplica();
    const first = openWithId(replica, alice);
    assert.deepEqual(openWithId(replica, bob), first);
    assert.deepEqual(openWithId(replica, nobody), first);
    assert.equal(replica.list().length, 1);
  });

  test("the same in a group", () => {
    const replica = newReplica();
    const group = (owner: Owner) => ({
      group: [
        replica.operation("session.new", { kind: "mail", data: bytes("a") }, owner),
        replica.operation("session.new", { kind: "mail", data: bytes("b") }, owner),
      ],
    });
    const first = replica.apply(group(alice), requestId);
    assert.equal(first.kind, "group");
    assert.deepEqual(replica.apply(group(bob), requestId), first);
    assert.equal(replica.list().length, 2);
  });

  test("another request with the same id is REQUESTREUSED: of another kind, tag, record or life", () => {
    const replica = new SessionReplica({ kinds: [kind("mail"), kind("bill", { number: 2 })] });
    openWithId(replica, alice, { data: bytes("a") });
    const others = [
      {},
      { data: bytes("b") },
      { data: bytes("a"), kind: "bill" },
      { data: bytes("a"), tag: "u" },
    ];
    for (const other of [...others, { data: bytes("a"), detached: true }]) {
      const outcome = openWithId(replica, alice, other);
      assert.equal(
        outcome.kind === "error" ? outcome.code : "",
        "REQUESTREUSED",
        JSON.stringify(other),
      );
    }
    const alike = { group: [replica.operation("session.new", { kind: "mail" }, alice)] };
    const grouped = replica.apply(alike, "group-1");
    assert.equal(grouped.kind, "group");
    const outcome = replica.apply(
      { group: [replica.operation("session.new", { kind: "bill" }, alice)] },
      "group-1",
    );
    assert.equal(outcome.kind === "error" ? outcome.code : "", "REQUESTREUSED");
  });

  test("an append repeated with its id adds one record, also after the session is stored", () => {
    const replica = newReplica();
    const handle = replica.call("session.new", { kind: "mail" });
    const append = (): ReturnType<SessionReplica["outcome"]> =>
      replica.apply(
        replica.operation("session.append", { ...handle, data: bytes("a") }),
        requestId,
      );
    const first = append();
    assert.deepEqual(append(), first);
    replica.call("session.store", { ...handle, afterMs: 0 });
    assert.deepEqual(append(), first);
    assert.deepEqual(replica.get(handle.session).texts, ["a"]);
  });

  test("what is remembered of a session with a tag beyond ASCII is its id to the letter", () => {
    const replica = newReplica();
    const first = openWithId(replica, alice, { tag: "Ёж 🦔" });
    assert.deepEqual(openWithId(replica, alice, { tag: "Ёж 🦔" }), first);
    assert.equal(first.kind === "session" ? first.session : "", "{Ёж 🦔}0000000000000002");
  });
});
