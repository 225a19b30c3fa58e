/** Sessions of the library and their handlers, in process, over RESP and over HTTP. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { z } from "zod";
import { TrubaError } from "../../src/base/errors.ts";
import { session } from "../../src/client/definitions.ts";
import { until, ways, type World, world } from "./ways.ts";

const step = z.object({ step: z.string() });
const kindOf = (name: string, repeats = 20) =>
  session(name, { record: step, delay: 0, spread: 0, silence: "1s", repeats });
const plain = kindOf("plain");
const abandoned = kindOf("abandoned");
const handled = kindOf("handled");
const failing = kindOf("failing", 3);
const slow = kindOf("slow");
const timed = kindOf("timed");
const silent = kindOf("silent");
const raw = session("raw", { delay: 0, spread: 0 });
const kinds = [plain, abandoned, handled, failing, slow, timed, silent, raw];
const quick = { first: "1ms", max: "5ms" } as const;

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof TrubaError && error.code === code;
}

suite("the client: sessions", { concurrency: true }, () => {
  for (const way of ways) {
    suite(`sessions, ${way}`, { concurrency: true }, () => {
      let here: World;
      before(async () => {
        here = await world(way, { sessions: kinds });
      });
      after(() => here[Symbol.asyncDispose]());

      test("records gather, are replaced, and go with the session", async () => {
        const sessions = here.db.sessions(plain);
        const own = await sessions.new({ step: "a" }, { tag: "t1" });
        assert.match(own.id, /^\{t1\}[0-9a-f]{16}$/);
        await own.append({ step: "b" });
        assert.deepEqual(own.records, [{ step: "a" }, { step: "b" }]);
        const seen = await sessions.get(own.id);
        assert.deepEqual([seen.state, seen.records], ["active", own.records]);
        await own.replace({ step: "c" });
        await own.touch();
        assert.deepEqual((await sessions.get(own.id)).records, [{ step: "c" }]);
        assert.deepEqual(
          (await sessions.list({ state: "active" })).map((one) => one.session),
          [own.id],
        );
        await own.delete();
        assert.equal(own.settled, true);
        await assert.rejects(sessions.get(own.id), hasCode("NOSESSION"));
        await assert.rejects(own.append({ step: "d" }), /was deleted before/);
      });

      test("records without a schema are bytes", async () => {
        const own = await here.db.sessions("raw").new("text");
        await own.append(Uint8Array.of(0, 255));
        assert.deepEqual(
          (await here.db.sessions(raw).get(own.id)).records.map((one) => [...one]),
          [
            [116, 101, 120, 116],
            [0, 255],
          ],
        );
        await own.delete();
      });

      test("what is not right has its code: unknown kind, bad record, bad id", async () => {
        await assert.rejects(here.db.sessions("nobody").new(), hasCode("NOKIND"));
        await assert.rejects(
          here.db.sessions(plain).new({ step: 1 as unknown as string }),
          (error) => hasCode("BADVALUE")(error) && /step: /.test((error as Error).message),
        );
        await assert.rejects(here.db.sessions(plain).get("nonsense"), hasCode("BADSESSION"));
        const names = (await here.db.sessions(plain).kinds()).map((one) => one.kind);
        assert.deepEqual(names.toSorted(), kinds.map((one) => one.kind).toSorted());
      });

      test("P4 a session that leaves its scope unsettled is handled at once", async () => {
        const sessions = here.db.sessions(abandoned);
        let id = "";
        {
          await using own = await sessions.new({ step: "a" });
          id = own.id;
        }
        const got = new Promise<unknown[]>((resolve) => {
          const handling = sessions.handle({}, async (one) => {
            await one.delete();
            resolve([one.id, one.repeats, one.records]);
            setTimeout(() => void handling.stop(), 1);
            return undefined;
          });
        });
        assert.deepEqual(await got, [id, 1, [{ step: "a" }]]);
      });

      test("a handler is asked until it deletes or stores, with the records so far", async () => {
        const sessions = here.db.sessions(handled);
        const asked: string[][] = [];
        await using handling = sessions.handle({ concurrency: 2 }, (one) => {
          const steps = one.records.map((record) => record.step);
          asked.push(steps);
          if (asked.length === 5) return { delete: true };
          if (steps.length === 1) return { append: { step: "b" } };
          return one.repeats === 1 ? { store: 0 } : { replace: { step: "c" } };
        });
        const own = await sessions.new({ step: "a" });
        await own.store(0);
        await until(async () => (await sessions.list()).length === 0, "it is deleted");
        assert.deepEqual(asked, [["a"], ["a", "b"], ["a", "b"], ["c"], ["c", "b"]]);
        await handling.stop();
      });

      test("throwing, and answering nothing, puts a session off, until it is dead; revive gives it back", async () => {
        const sessions = here.db.sessions(failing);
        const errors: string[] = [];
        let heal = false;
        const repeats: number[] = [];
        await using handling = sessions.handle(
          { backoff: quick, onError: (error) => void errors.push((error as Error).message) },
          (one) => {
            repeats.push(one.repeats);
            if (heal) return { delete: true };
            if (one.repeats === 1) throw new Error("thrown");
            return undefined;
          },
        );
        const own = await sessions.new({ step: "a" });
        await own.store(0);
        await until(
          async () => (await sessions.list({ state: "dead" })).length === 1,
          "it is dead",
        );
        assert.deepEqual(repeats, [1, 2, 3]);
        assert.equal(errors[0], "thrown");
        assert.match(errors[1] ?? "", /returned without deleting or storing it/);
        heal = true;
        await sessions.revive(own.id);
        await until(async () => (await sessions.list()).length === 0, "it is done");
        await handling.stop();
      });

      test("a handler that runs longer than the silence keeps its session", async () => {
        const sessions = here.db.sessions(slow);
        const repeats: number[] = [];
        await using handling = sessions.handle({}, async (one, { signal }) => {
          repeats.push(one.repeats);
          await new Promise((resolve) => setTimeout(resolve, 2_200));
          assert.equal(signal.aborted, false);
          return { delete: true };
        });
        const own = await sessions.new({ step: "a" });
        await own.store(0);
        await until(async () => (await sessions.list()).length === 0, "it is done");
        assert.deepEqual(repeats, [1]);
        await handling.stop();
      });

      test("a handler over its time has its signal aborted; the session is stored and the late handler is fenced", async () => {
        const sessions = here.db.sessions(timed);
        const reasons: unknown[] = [];
        const late: unknown[] = [];
        await using handling = sessions.handle(
          { timeout: "40ms", backoff: quick },
          async (one, { signal }) => {
            if (one.repeats > 1) return { delete: true };
            await new Promise<void>((resolve) => {
              signal.addEventListener("abort", () => resolve());
            });
            reasons.push(signal.reason);
            await one.append({ step: "late" }).catch((error: unknown) => void late.push(error));
            return { delete: true };
          },
        );
        const own = await sessions.new({ step: "a" });
        await own.store(0);
        await until(
          async () => (await sessions.list()).length === 0,
          "the second try has succeeded",
        );
        assert.match(String(reasons[0]), /TimeoutError/);
        assert.ok(hasCode("FENCED")(late[0]));
        await handling.stop();
      });

      test("the owner of a session that was silent too long is fenced, and its signal says so", async () => {
        const sessions = here.db.sessions(silent);
        const own = await sessions.new({ step: "a" });
        await until(async () => (await sessions.get(own.id)).state === "stored", "it is stored");
        await assert.rejects(own.append({ step: "b" }), hasCode("FENCED"));
        assert.equal(own.signal.aborted, true);
        assert.ok(hasCode("FENCED")(own.signal.reason));
        await using handling = sessions.handle({}, () => ({ delete: true }));
        await until(async () => (await sessions.list()).length === 0, "it is done");
        await handling.stop();
      });

      test("handling a kind that the node does not know ends, with the reason", async () => {
        const handling = here.db.sessions("nobody").handle({}, () => ({ delete: true }));
        await assert.rejects(handling.finished(), hasCode("NOKIND"));
      });
    });
  }
});
