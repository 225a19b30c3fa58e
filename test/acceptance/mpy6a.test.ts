/**
 * mpy6a, «труба», one of the sources of Truba: its acceptance checks and what its documents promise, through the public library. What its code got wrong is tested here where
 * the library can show it; `elsewhere.ts` says where the rest is.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, open, session, TrubaError, VirtualClock } from "../../src/index.ts";
import { errorTable } from "../../src/base/errors.ts";
import { kindDefaults } from "../../src/machines/sessions/kinds.ts";
import { TestNode } from "../client/test-node.ts";
import { request, TestServer } from "../server/test-server.ts";
import { LossyProxy } from "./lossy-proxy.ts";
import { Place, textOf } from "./place.ts";

const theme = session("theme", { delay: "5s", spread: 0, maxBytes: 100 });
const sessions = [theme];

/** The code, and the number that it has in mpy6a. */
async function refusalOf(refused: Promise<unknown>): Promise<[string, number | undefined]> {
  try {
    await refused;
  } catch (error) {
    if (error instanceof TrubaError) return [error.code, errorTable[error.code].mpy6a];
    throw error;
  }
  return ["done", 200];
}

/** Id and epoch in an answer. */
function handleIn(answer: string): { id: string; epoch: string } {
  const [id = ""] = /\{\S+\}\w{16}/.exec(answer) ?? [];
  const [, epoch = ""] = /epoch\r\n:(\d+)/.exec(answer) ?? [];
  return { id, epoch };
}

suite("mpy6a: acceptance, through the library", () => {
  test("New → Append → Append → Delete leaves nothing, not after a restart either", async () => {
    using place = new Place();
    {
      await using db = await open(place.data, { sessions });
      const owned = await db.sessions(theme).new("first");
      await owned.append("second");
      await owned.append("third");
      await owned.delete();
      const [code] = await refusalOf(db.sessions(theme).get(owned.id));
      assert.equal(code, "NOSESSION");
    }
    await using db = await open(place.data, { sessions });
    assert.deepEqual(await db.sessions(theme).list(), []);
  });

  test("New → Append → Store(2): the handler gets the records in order, not before 2 s", async () => {
    const clock = new VirtualClock();
    await using db = await open({ memory: true, clock, sessions });
    const owned = await db.sessions(theme).new("first");
    await owned.append("second");
    const { dueAtMs } = await owned.store("2s");
    assert.ok(dueAtMs >= clock.wallMs() + 2_000);
    const seen: [number, string[]][] = [];
    const handling = db.sessions(theme).handle({}, ({ records }) => {
      seen.push([clock.wallMs(), records.map(textOf)]);
      return { delete: true };
    });
    await clock.advance(dueAtMs - clock.wallMs() - 1);
    assert.deepEqual(seen, []);
    await clock.advance(1);
    assert.deepEqual(seen, [[dueAtMs, ["first", "second"]]]);
    await handling.stop();
    assert.deepEqual(await db.sessions(theme).list(), []);
  });

  test("kill client: its session is stored, and handed out with all it had", async () => {
    const kinds = [{ ...kindDefaults, name: "theme", number: 1 }];
    const server = await TestServer.start({ kinds });
    const client = server.connect();
    const opened = await server.exchange(client, request("SESSION.NEW", "theme", "DATA", "first"));
    const { id, epoch } = handleIn(opened);
    client.send(request("SESSION.APPEND", id, epoch, "second"));
    client.hangUp();
    await server.clock.settle();
    const other = server.connect();
    assert.match(await server.exchange(other, request("SESSION.GET", id)), /stored/);
    const taken = await server.exchange(other, request("SESSION.TAKE", "theme"));
    assert.match(taken, /first[\s\S]*second/);
    await server.stop();
  });

  test("kill leader mid-session: the session reappears, with every acknowledged record", async () => {
    using place = new Place();
    await using db = await open(place.data, { sessions });
    const owned = await db.sessions(theme).new("first");
    await owned.append("second");
    await using after = await open(place.killed(), { sessions });
    const seen = await new Promise<string[]>((resolve) => {
      after.sessions(theme).handle({}, ({ records }) => {
        resolve(records.map(textOf));
        return { delete: true };
      });
    });
    assert.deepEqual(seen, ["first", "second"]);
  });

  test("the order of two sessions due in the same second is the order in which they were stored, across a restart", async () => {
    using place = new Place();
    const ids: string[] = [];
    {
      await using db = await open(place.data, { sessions });
      const opened = [];
      for (let i = 0; i < 20; i++)
        opened.push(await db.sessions(theme).new(String(i), { tag: "one" }));
      // Stored from the last to the first.
      for (const one of opened.toReversed()) {
        await one.store(0);
        ids.push(one.id);
      }
    }
    await using db = await open(place.data, { sessions });
    const seen: string[] = [];
    const handling = db.sessions(theme).handle({ concurrency: 1 }, ({ id }) => {
      seen.push(id);
      return { delete: true };
    });
    while (seen.length < ids.length) await sleep(2);
    await handling.stop();
    assert.deepEqual(seen, ids);
  });

  test("repeat limit → 2001: the session is dead, not gone", async () => {
    const clock = new VirtualClock();
    const limited = session("limited", { delay: 0, spread: 0, repeats: 2 });
    await using db = await open({ memory: true, clock, sessions: [limited] });
    const owned = await db.sessions(limited).new("first");
    await owned.store(0);
    const deliveries: number[] = [];
    const handling = db.sessions(limited).handle({}, ({ repeats }) => {
      deliveries.push(repeats);
      return { store: 0 };
    });
    await clock.advance(10_000);
    await handling.stop();
    assert.deepEqual(deliveries, [1, 2]);
    const [dead] = await db.sessions(limited).list({ state: "dead" });
    assert.equal(dead?.session, owned.id);
    assert.equal((await db.sessions(limited).revive(owned.id)).status, "stored");
  });

  test("repeat limit → 2001: who had it is told so, by that code", async () => {
    const kinds = [{ ...kindDefaults, name: "theme", number: 1, maxRepeats: 1 }];
    const server = await TestServer.start({ kinds });
    const client = server.connect();
    const opened = await server.exchange(client, request("SESSION.NEW", "theme"));
    const { id, epoch } = handleIn(opened);
    await server.exchange(client, request("SESSION.STORE", id, epoch, "AFTER", "0"));
    const taken = handleIn(await server.exchange(client, request("SESSION.TAKE", "theme")));
    assert.equal(taken.id, id);
    const last = request("SESSION.STORE", id, taken.epoch, "AFTER", "0");
    assert.match(await server.exchange(client, last), /dead/);
    const late = await server.exchange(client, request("SESSION.APPEND", id, taken.epoch, "x"));
    assert.match(late, /^-REPEATLIMIT /);
    assert.equal(errorTable.REPEATLIMIT.mpy6a, 2001);
    await server.stop();
  });

  test("too long → 2000: refused, nothing changed, and the exchange goes on (repeat.md: Refuse)", async () => {
    await using db = await open({ memory: true, sessions });
    const owned = await db.sessions(theme).new("x".repeat(60));
    const long = await refusalOf(owned.append("y".repeat(60)));
    assert.deepEqual(long, ["SESSIONTOOLONG", 2000]);
    await owned.append("z".repeat(40));
    assert.deepEqual((await db.sessions(theme).get(owned.id)).records.map(textOf), [
      "x".repeat(60),
      "z".repeat(40),
    ]);
    await owned.delete();
    assert.deepEqual(await refusalOf(db.sessions(theme).new("x".repeat(101))), [
      "SESSIONTOOLONG",
      2000,
    ]);
    assert.deepEqual(await db.sessions(theme).list(), []);
  });

  test("invalid request → 4000; an unknown theme is refused: no session is without a handler", async () => {
    await using db = await open({ memory: true, sessions });
    assert.deepEqual(await refusalOf(db.sessions(theme).get("session 7")), ["BADSESSION", 4000]);
    const [code] = await refusalOf(db.sessions("other").new("x"));
    assert.equal(code, "NOKIND");
  });
});

suite("mpy6a: promises of its documents", () => {
  test("operator.md: the operator never leaves while its session is alive: an error in the client's code stores it", async () => {
    await using db = await open({ memory: true, sessions });
    const failing = (async () => {
      await using owned = await db.sessions(theme).new("user added");
      await owned.append("id of A");
      throw new Error("service B does not answer");
    })();
    await assert.rejects(failing, /service B/);
    const [stored] = await db.sessions(theme).list();
    assert.equal(stored?.state, "stored");
    assert.equal(stored?.recordsCount, 2);
  });

  test("flow.md: a graceful stop stores what is alive, and it goes on after the next start", async () => {
    using place = new Place();
    {
      await using db = await open(place.data, { sessions });
      await db.sessions(theme).new("left alone");
    }
    await using db = await open(place.data, { sessions });
    const [stored] = await db.sessions(theme).list();
    assert.equal(stored?.state, "stored");
    assert.ok((stored?.dueAtMs ?? Infinity) <= Date.now());
  });

  test("repeat_process.md: the pool bounds how many are pulled, and sessions of one second go before those of the next", async () => {
    const clock = new VirtualClock();
    await using db = await open({ memory: true, clock, sessions });
    const due = new Map<string, number>();
    for (let i = 0; i < 30; i++) {
      const owned = await db.sessions(theme).new(undefined, { tag: "one" });
      due.set(owned.id, (await owned.store(1_000 * (1 + ((i * 7) % 3)))).dueAtMs);
    }
    let inHand = 0;
    let most = 0;
    const order: number[] = [];
    const handling = db.sessions(theme).handle({ concurrency: 3 }, async ({ id }) => {
      most = Math.max(most, ++inHand);
      order.push(due.get(id) ?? 0);
      assert.ok((due.get(id) ?? Infinity) <= clock.wallMs(), "not before its time");
      await new Promise((resolve) => setImmediate(resolve));
      inHand--;
      return { delete: true };
    });
    await clock.advance(10_000);
    await handling.stop();
    assert.equal(order.length, 30);
    assert.equal(most, 3);
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    );
  });

  test("repeat.md: the handler is asked again after each operation until it deletes or stores", async () => {
    const clock = new VirtualClock();
    await using db = await open({ memory: true, clock, sessions });
    await (await db.sessions(theme).new("0")).store(0);
    const seen: string[] = [];
    const handling = db.sessions(theme).handle({}, ({ records }) => {
      seen.push(records.map(textOf).join(""));
      if (records.length < 3) return { append: String(records.length) };
      if (textOf(records[0] ?? Buffer.alloc(0)) === "0" && seen.length < 4) return { replace: "r" };
      return { delete: true };
    });
    await clock.advance(2_000);
    await handling.stop();
    assert.deepEqual(seen.slice(0, 3), ["0", "01", "012"]);
    assert.deepEqual(await db.sessions(theme).list({ state: "active" }), []);
  });
});

suite("mpy6a: defects that are not ours", () => {
  test("its ids begin at zero when a log is opened again (`readLastEventID`); ours go on, and no id comes twice", async () => {
    using place = new Place();
    const ids: string[] = [];
    for (let start = 0; start < 3; start++) {
      await using db = await open(place.data, { sessions });
      for (let i = 0; i < 3; i++) {
        const owned = await db.sessions(theme).new("x", { tag: "one" });
        ids.push(owned.id);
        await owned.delete();
      }
    }
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(ids, [...ids].sort());
  });

  test("its encoders may put batches into the second queue out of order; ours keeps the order of calls", async () => {
    using place = new Place();
    const big = session("big", { maxBytes: 1_000_000 });
    const numbers = Array.from({ length: 500 }, (_, i) => String(i));
    let id = "";
    {
      await using db = await open(place.data, { sessions: [big] });
      const owned = await db.sessions(big).new(undefined, { detached: true });
      id = owned.id;
      await Promise.all(numbers.map((number) => owned.append(number)));
    }
    await using db = await open(place.data, { sessions: [big] });
    assert.deepEqual((await db.sessions(big).get(id)).records.map(textOf), numbers);
  });

  test("a lost answer makes a second session there: no idempotency key; ours is opened once, written once, and is still the caller's", async (t) => {
    const node = await TestNode.start({ sessions });
    t.after(() => node.stop());
    await using proxy = await LossyProxy.before(node.address);
    await using db = await connect(proxy.address);
    proxy.loseAnswerTo("SESSION.NEW");
    const owned = await db.sessions(theme).new("once", { detached: true });
    proxy.loseAnswerTo("SESSION.APPEND");
    await owned.append("again");
    assert.equal(proxy.lost, 2, "both answers were lost");
    const all = await db.sessions(theme).list();
    assert.deepEqual(
      all.map(({ session: id }) => id),
      [owned.id],
    );
    assert.deepEqual((await db.sessions(theme).get(owned.id)).records.map(textOf), [
      "once",
      "again",
    ]);
    await owned.delete();
  });
});
