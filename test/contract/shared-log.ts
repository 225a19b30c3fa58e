/** What every `SharedLog` promises (DESIGN §4). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import type { Entry, Position, SharedLog } from "../../src/log/shared-log.ts";

export interface LogUnderTest {
  readonly log: SharedLog;
  /** Lets the log confirm all that was appended. */
  settle(): Promise<void>;
  /** From now on the engine can confirm nothing any more. */
  fail(error: Error): void;
  /** Other copies would bring back what a reset has forgotten. */
  readonly hasOthers?: boolean;
  close(): Promise<void>;
}

const oneMegabyte = 1_048_576;

export function sharedLogContract(name: string, make: () => Promise<LogUnderTest>): void {
  const check = (title: string, run: (under: LogUnderTest) => Promise<void>): void => {
    test(title, async () => {
      const under = await make();
      try {
        await run(under);
      } finally {
        await under.close();
      }
    });
  };

  suite(`the contract of SharedLog: ${name}`, () => {
    check("an append resolves with its position, in the order of the calls", async (under) => {
      const { log, settle } = bound(under);
      const first = log.status().last + 1;
      const resolved: Position[] = [];
      for (let i = 0; i < 5; i++) void log.append(batch(i)).then((at) => resolved.push(at));
      await settle();
      assert.deepEqual(
        resolved,
        Array.from({ length: 5 }, (_, i) => first + i),
      );
    });

    check("positions count from 1 without gap, and each entry is read once", async (under) => {
      const { log, settle } = bound(under);
      for (let i = 0; i < 20; i++) {
        void log.append(batch(i));
        if (i % 3 === 0) await settle();
      }
      await settle();
      const entries = drain(log, oneMegabyte);
      assert.deepEqual(
        entries.map(({ position }) => position),
        Array.from({ length: log.status().committed }, (_, i) => i + 1),
      );
      assert.deepEqual(
        textsOf(entries),
        Array.from({ length: 20 }, (_, i) => `batch ${i}`),
      );
      assert.deepEqual(log.committed(oneMegabyte), []);
    });

    check("nothing is given before it is confirmed", async (under) => {
      const { log, settle } = bound(under);
      await settle();
      drain(log, oneMegabyte);
      let confirmed = false;
      void log.append(batch(1)).then(() => {
        confirmed = true;
      });
      assert.deepEqual(log.committed(oneMegabyte), []);
      assert.equal(confirmed, false);
      await settle();
      assert.equal(confirmed, true);
      assert.deepEqual(textsOf(log.committed(oneMegabyte)), ["batch 1"]);
    });

    check("at least one entry is given, however large, and not many more bytes", async (under) => {
      const { log, settle } = bound(under);
      for (let i = 0; i < 9; i++) void log.append(Buffer.alloc(1_000, i));
      await settle();
      log.readFrom(log.status().committed - 9);
      for (let i = 0; i < 9; i++) {
        const entries = log.committed(1);
        assert.equal(entries.length, 1);
        assert.equal(must(entries[0]).batch.length, 1_000);
      }
      log.readFrom(log.status().committed - 9);
      const several = log.committed(2_500);
      assert.ok(several.length >= 2 && several.length <= 3, `${several.length} entries`);
    });

    check("readFrom goes back and forth", async (under) => {
      const { log, settle } = bound(under);
      const random = new SeededRandom(11);
      for (let i = 0; i < 30; i++) void log.append(batch(i));
      await settle();
      const { committed } = log.status();
      const all = drain(log, oneMegabyte);
      for (let round = 0; round < 40; round++) {
        const from = randomBelow(random, committed + 1);
        log.readFrom(from);
        const some = log.committed(1 + randomBelow(random, 100));
        assert.equal(some.length === 0, from === log.status().committed);
        for (const [i, { position, batch: read }] of some.entries()) {
          assert.equal(position, from + i + 1, `round ${round} from ${from}`);
          const expected = all[position - 1]?.batch ?? batch(100 + position - committed - 1);
          assert.ok(read.equals(expected), `round ${round} from ${from}: entry ${position}`);
        }
        void log.append(batch(100 + round));
        if (round % 7 === 0) await settle();
      }
      await settle();
      log.readFrom(committed);
      assert.deepEqual(
        textsOf(drain(log, 50)),
        Array.from({ length: 40 }, (_, round) => `batch ${100 + round}`),
      );
    });

    check("what was trimmed reads as DATADAMAGED, never as a gap", async (under) => {
      const { log, settle } = bound(under);
      for (let i = 0; i < 10; i++) void log.append(batch(i));
      await settle();
      const all = drain(log, oneMegabyte);
      const upTo = all.length - 4;
      log.trim(upTo);
      log.trim(upTo - 2);
      await settle();
      assert.equal(log.status().first, upTo + 1);
      log.readFrom(upTo);
      assert.deepEqual(drain(log, oneMegabyte), all.slice(upTo));
      for (const from of [0, upTo - 1]) {
        log.readFrom(from);
        assert.throws(() => log.committed(oneMegabyte), { code: "DATADAMAGED" });
      }
      log.readFrom(all.length);
      log.trim(all.length);
      await settle();
      assert.equal(log.status().first, all.length + 1);
      assert.equal(log.status().last, all.length);
      const next = log.append(batch(77));
      await settle();
      assert.equal(await next, all.length + 1);
      assert.deepEqual(textsOf(drain(log, oneMegabyte)), ["batch 77"]);
    });

    check("a trim above what was read is a bug of the caller", async (under) => {
      const { log, settle } = bound(under);
      void log.append(batch(0));
      await settle();
      assert.throws(() => log.trim(log.status().committed), { name: "AssertionError" });
    });

    check("a barrier is at or above all that was acknowledged before it", async (under) => {
      const { log, settle } = bound(under);
      let acknowledged = 0;
      for (let i = 0; i < 5; i++) {
        void log.append(batch(i)).then((position) => {
          acknowledged = position;
        });
        if (i % 2 === 0) await settle();
        const before = acknowledged;
        const barrier = log.barrier();
        await settle();
        assert.ok((await barrier) >= before);
      }
    });

    check("resetTo forgets all, rejects what waits, and goes on behind it", async (under) => {
      if (under.hasOthers === true) return;
      const { log, settle } = bound(under);
      for (let i = 0; i < 3; i++) void log.append(batch(i));
      await settle();
      drain(log, oneMegabyte);
      const waiting = codeOf(log.append(batch(9)));
      const reset = log.resetTo(1_000, log.status().token);
      await settle();
      await reset;
      assert.equal(await waiting, "UNKNOWNOUTCOME");
      const own = log.status().last - 1_000;
      const next = log.append(batch(10));
      await settle();
      assert.equal(await next, 1_001 + own);
      const entries = drain(log, oneMegabyte);
      assert.equal(entries[0]?.position, 1_001);
      assert.deepEqual(textsOf(entries), ["batch 10"]);
      const { first, last, committed } = log.status();
      assert.deepEqual(
        { first, last, committed },
        { first: 1_001, last: await next, committed: last },
      );
      log.readFrom(10);
      assert.throws(() => log.committed(oneMegabyte), { code: "DATADAMAGED" });
    });

    check("status tells the range that can be read, and what is confirmed of it", async (under) => {
      const { log, settle } = bound(under);
      await settle();
      drain(log, oneMegabyte);
      const before = log.status();
      assert.equal(before.role, "leader");
      assert.equal(log.leadingTerm, before.term);
      assert.equal(before.committed, before.last);
      void log.append(batch(0));
      assert.equal(log.status().last, before.last + 1);
      assert.equal(log.status().committed, before.last);
      await settle();
      assert.equal(log.status().committed, before.last + 1);
      assert.equal(log.status().first, 1);
    });

    check("the listener is told when there is something to read", async (under) => {
      const { log, settle } = bound(under);
      await settle();
      drain(log, oneMegabyte);
      let read = 0;
      log.onChange(() => {
        read += log.committed(oneMegabyte).length;
      });
      for (let i = 0; i < 4; i++) {
        void log.append(batch(i));
        await settle();
        assert.equal(read, i + 1);
      }
    });

    check(
      "P7: a failure leaves what waits unknown and refuses the rest, at once",
      async (under) => {
        const { log, settle } = bound(under);
        const confirmed = log.append(batch(0));
        await settle();
        await confirmed;
        const waiting = codeOf(log.append(batch(1)));
        let told = false;
        log.onChange(() => {
          told = true;
        });
        under.fail(new Error("the disk is gone"));
        under.fail(new Error("and again"));
        assert.equal(await waiting, "UNKNOWNOUTCOME");
        assert.equal(await codeOf(log.append(batch(2))), "STOPPED");
        assert.equal(await codeOf(log.resetTo(5, Buffer.alloc(0))), "STOPPED");
        assert.equal(await codeOf(log.barrier()), "STOPPED");
        assert.equal(log.status().role, "stopped");
        assert.equal(log.leadingTerm, 0);
        assert.ok(told);
        await settle();
        assert.deepEqual(textsOf(drain(log, oneMegabyte)), ["batch 0"]);
        log.trim(log.status().committed);
      },
    );

    check("an own entry of the engine reads as an empty batch", async (under) => {
      const { log, settle } = bound(under);
      void log.append(batch(0));
      await settle();
      for (const entry of drain(log, oneMegabyte)) {
        if (entry.batch.toString() !== "batch 0") assert.equal(entry.batch.length, 0);
      }
    });
  });
}

function bound(under: LogUnderTest): { log: SharedLog; settle: () => Promise<void> } {
  return { log: under.log, settle: () => under.settle() };
}

export function batch(number: number): Buffer {
  return Buffer.from(`batch ${number}`);
}

/** All that is confirmed. */
export function drain(log: SharedLog, maxBytes: number): Entry[] {
  const entries: Entry[] = [];
  for (;;) {
    const some = log.committed(maxBytes);
    if (some.length === 0) return entries;
    entries.push(...some);
  }
}

/** The batches, without the engine's own. */
export function textsOf(entries: readonly Entry[]): string[] {
  return entries.map((entry) => entry.batch.toString()).filter((text) => text !== "");
}

/** The code that the promise is rejected with; "resolved" if it is not. */
export function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "resolved",
    (error: unknown) =>
      error instanceof Error && "code" in error ? String(error.code) : String(error),
  );
}
