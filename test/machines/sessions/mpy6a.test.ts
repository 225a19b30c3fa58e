/**
 * The acceptance checks of mpy6a, from which sessions come, that its state machine can show, and the defects of its code that could be ours as well.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../../src/base/assert.ts";
import { type ErrorCode, errorTable } from "../../../src/base/errors.ts";
import { kindsOperation } from "../../../src/machines/sessions/session-operation.ts";
import { Draws } from "../../state/draws.ts";
import { SessionDisk } from "./session-disk.ts";
import {
  SessionReplica,
  alice,
  bob,
  bytes,
  disconnected,
  due,
  kind,
  restarted,
  start,
} from "./session-replica.ts";

function newReplica(settings: Parameters<typeof kind>[1] = {}): SessionReplica {
  return new SessionReplica({ kinds: [kind("theme", settings)] });
}

function mpy6aCode(code: ErrorCode): number | undefined {
  const entry = errorTable[code];
  return entry.mpy6a;
}

suite("mpy6a: acceptance", () => {
  test("New → Append → Append → Delete leaves nothing", () => {
    const replica = newReplica();
    const { digest, rows, liveBytes } = replica.state;
    const handle = replica.call("session.new", { kind: "theme" });
    replica.call("session.append", { ...handle, data: bytes("first") });
    replica.call("session.append", { ...handle, data: bytes("second") });
    replica.call("session.delete", handle);
    assert.deepEqual(
      [replica.state.digest, replica.state.rows, replica.state.liveBytes],
      [digest, rows, liveBytes],
    );
    assert.deepEqual(replica.list(), []);
    replica.pass(10_000_000);
    replica.apply(due);
    assert.deepEqual(replica.take(["theme"]), []);
  });

  test("New → Append → Store(2): the handler gets the records in order, not before 2 s", () => {
    const replica = newReplica();
    replica.pass(1);
    const handle = replica.call("session.new", { kind: "theme" });
    for (const text of ["one", "two", "three"])
      replica.call("session.append", { ...handle, data: bytes(text) });
    const stored = replica.moment.timestamp;
    replica.call("session.store", { ...handle, afterMs: 2_000 });
    for (; replica.moment.timestamp < stored + 2_000; replica.pass(1))
      assert.deepEqual(replica.take(["theme"]), []);
    replica.pass(999);
    const taken = must(replica.take(["theme"])[0]);
    assert.deepEqual(
      taken.records.map((record) => Buffer.from(record).toString()),
      ["one", "two", "three"],
    );
  });

  test("the client is killed: its session is stored and reappears with all it had", () => {
    const replica = newReplica();
    const handle = replica.call("session.new", { kind: "theme", data: bytes("a") }, alice);
    replica.call("session.append", { ...handle, data: bytes("b") });
    replica.apply(disconnected(alice));
    assert.equal(replica.get(handle.session).state, "stored");
    const taken = must(replica.take(["theme"], 1, bob)[0]);
    assert.deepEqual([taken.session, taken.records], [handle.session, [bytes("a"), bytes("b")]]);
  });

  test("the node is killed in the middle of a session: it reappears when the node starts again", () => {
    const replica = newReplica();
    const handle = replica.call("session.new", { kind: "theme", data: bytes("a") }, alice);
    replica.apply(restarted(alice.node, alice.run + 1));
    assert.equal(must(replica.take(["theme"], 1, bob)[0]).session, handle.session);
  });

  test("two sessions due in the same second come in the order in which they were stored", () => {
    const replica = newReplica();
    const first = replica.call("session.new", { kind: "theme" });
    const second = replica.call("session.new", { kind: "theme" });
    replica.call("session.store", { ...second, afterMs: 2_000 });
    replica.pass(300);
    replica.call("session.store", { ...first, afterMs: 1_700 });
    replica.pass(1_700);
    assert.deepEqual(
      replica.take(["theme"]).map(({ session }) => session),
      [second.session, first.session],
    );
  });

  test("the repeat limit is reached: 2001", () => {
    const replica = newReplica({ maxRepeats: 1 });
    const session = replica.dead("theme");
    replica.refused("REPEATLIMIT", "session.append", { session, epoch: 1, data: bytes("a") });
    assert.equal(mpy6aCode("REPEATLIMIT"), 2_001);
  });

  test("a session grows too long: 2000, and the exchange goes on", () => {
    const replica = newReplica({ maxBytes: 3 });
    const handle = replica.call("session.new", { kind: "theme", data: bytes("abc") });
    replica.refused("SESSIONTOOLONG", "session.append", { ...handle, data: bytes("d") });
    assert.equal(mpy6aCode("SESSIONTOOLONG"), 2_000);
    assert.deepEqual(replica.call("session.delete", handle), { deleted: true });
  });

  test("an invalid request: 4000", () => {
    assert.throws(() => newReplica().call("session.touch", { session: "?", epoch: 1 }), {
      code: "BADSESSION",
    });
    assert.equal(mpy6aCode("BADSESSION"), 4_000);
  });

  test("the log applied on a copy gives the same state to the byte", () => {
    const copies = [newReplica({ spreadMs: 3_000 }), newReplica({ spreadMs: 3_000 })];
    for (const replica of copies) liveALittle(replica);
    assert.deepEqual(rowsOf(must(copies[0])), rowsOf(must(copies[1])));
    assert.equal(must(copies[0]).state.digest, must(copies[1]).state.digest);
  });
});

/** Sessions in every state. */
function liveALittle(replica: SessionReplica): void {
  const { moment } = replica;
  for (let i = 0; i < 40; i++) {
    replica.pass(137);
    moment.seed = i * 7_919;
    const handle = replica.call("session.new", { kind: "theme", data: bytes(`${i}`) });
    if (i % 4 === 1) replica.call("session.store", handle);
    if (i % 4 === 2) replica.call("session.store", { ...handle, afterMs: 0 });
    if (i % 5 === 3)
      for (const taken of replica.take(["theme"], 2)) replica.call("session.store", taken);
    if (i % 11 === 7) replica.apply(disconnected(alice));
  }
}

/** Every row of every table, in the order of the keys. */
function rowsOf({ state }: SessionReplica): string[] {
  const rows: string[] = [];
  for (let id = 1; id <= 255; id++) {
    const table = state.table(id);
    table?.each((address) => {
      const row = table.slab
        .buffer(address)
        .toString("hex", table.keyStart(address), table.bodyEnd(address));
      rows.push(`${id} ${row}`);
    });
  }
  return rows.sort();
}

/** When a session comes back that is stored in a batch of this seed. */
function dueOf(seed: number): number {
  const replica = newReplica({ spreadMs: 1_000_000_000 });
  const handle = replica.call("session.new", { kind: "theme" });
  replica.moment.seed = seed;
  return replica.call("session.store", handle).dueAtMs;
}

suite("mpy6a: defects that are not ours", () => {
  test("its log carries the delay and draws the jitter at each replay; ours has one absolute time for ever", () => {
    const times = [1, 2].map((indexSeed) => {
      const replica = new SessionReplica({
        indexSeed,
        kinds: [kind("theme", { spreadMs: 60_000 })],
      });
      replica.moment.seed = 42;
      const handles = [1, 2, 3, 4, 5].map(() => replica.call("session.new", { kind: "theme" }));
      return handles.map((handle) => replica.call("session.store", handle).dueAtMs);
    });
    assert.deepEqual(times[0], times[1]);
    assert.ok(new Set(times[0]).size > 1, "they are spread");
  });

  test("its jitter is that of the process; ours is that of the batch", () => {
    assert.equal(dueOf(1), dueOf(1));
    assert.notEqual(dueOf(1), dueOf(2));
  });

  test("its snapshot writes sessions in the order of a map, which differs on each node; our digest and orders do not depend on it", async () => {
    const disk = new SessionDisk(new Draws(1));
    const steady = new SessionReplica({ indexSeed: 99 });
    for (const replica of [steady, disk.replica]) {
      replica.apply(kindsOperation([kind("theme", { spreadMs: 3_000 })]));
      liveALittle(replica);
    }
    await disk.checkpoint(() => {}, true);
    await disk.restart((_, position) => assert.ok(position > 0, "it begins from the checkpoint"));
    const { replica } = disk;
    assert.equal(replica.state.digest, steady.state.digest);
    for (const each of [steady, replica]) each.pass(100_000);
    assert.deepEqual(replica.list(), steady.list());
    assert.deepEqual(replica.take(["theme"], 7), steady.take(["theme"], 7));
    assert.deepEqual(replica.apply(disconnected(alice)), steady.apply(disconnected(alice)));
    assert.deepEqual(replica.take(["theme"], 100), steady.take(["theme"], 100));
    assert.equal(replica.state.digest, steady.state.digest);
    await disk.close();
  });

  test("it takes a repeat time of 0 for a session that is done with; ours may be stored for 0, time and again", () => {
    const replica = newReplica({ maxRepeats: 0, delayMs: 0 });
    replica.moment.timestamp = 0;
    const { session, epoch } = replica.call("session.new", { kind: "theme", data: bytes("a") });
    replica.call("session.store", { session, epoch, afterMs: 0 });
    assert.deepEqual([replica.get(session).state, replica.get(session).dueAtMs], ["stored", 0]);
    const taken = must(replica.take(["theme"])[0]);
    assert.equal(replica.call("session.store", taken).dueAtMs, 0);
    assert.deepEqual(must(replica.take(["theme"])[0]).records, [bytes("a")]);
  });

  test("its search for the next repeat never gets beyond the first; ours brings every second its sessions", () => {
    const replica = newReplica();
    const sessions = [1, 2, 3, 4, 5].map((seconds) => replica.stored(seconds * 1_000, "theme"));
    const taken: string[] = [];
    for (let second = 1; second <= 5; second++) {
      assert.equal(replica.stack.sessions.nextStored(["theme"]), start + second * 1_000);
      replica.pass(1_000);
      taken.push(...replica.take(["theme"]).map(({ session }) => session));
    }
    assert.deepEqual(taken, sessions);
  });

  test("it has no answer for an operator that hangs; ours counts the silence of whoever has the session", () => {
    const replica = newReplica({ silenceMs: 30_000, delayMs: 5_000 });
    const { session } = replica.call("session.new", { kind: "theme", detached: true });
    replica.pass(30_000);
    replica.apply(due);
    replica.pass(5_000);
    assert.equal(must(replica.take(["theme"])[0]).session, session);
  });

  test("a retry after a lost answer makes a second session there; with a request id it does not", () => {
    const replica = newReplica();
    const open = replica.operation("session.new", { kind: "theme" });
    const first = replica.apply(open, "request-1");
    assert.deepEqual(replica.apply(open, "request-1"), first);
    assert.equal(replica.list().length, 1);
  });
});
