/** Documents through the client, in each of the three ways to a node. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { z } from "zod";
import { must } from "../../src/base/assert.ts";
import { TrubaError } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import type { SharedDocument } from "../../src/client/document.ts";
import type {
  DocumentSubscription,
  DocumentUpdate,
} from "../../src/client/document-subscription.ts";
import type { Json } from "../../src/base/json.ts";
import { canonicalText } from "../../src/patch/canonical.ts";
import { decodePatch } from "../../src/patch/patch.ts";
import { Tree } from "../../src/patch/tree.ts";
import type { Rejection } from "../../src/protocol/documents.ts";
import { documentWorld, fromPeer } from "./document-ways.ts";
import { until, ways } from "./ways.ts";

async function refusal(work: Promise<unknown>): Promise<TrubaError> {
  const error: unknown = await work.then(
    () => assert.fail("it was not refused"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof TrubaError, String(error));
  return error;
}

async function next<T>(subscription: DocumentSubscription<T>): Promise<DocumentUpdate<T>> {
  const { value, done } = await subscription.next();
  assert.equal(done, false);
  return must(value);
}

for (const way of ways) {
  suite(`documents ${way}`, () => {
    test("a patch as in RFC 6902 changes the document; what is read back is what was written, and what was", async () => {
      await using world = await documentWorld(way);
      const doc = world.db.document("default");
      const made = await doc.patch([{ op: "add", path: "/a", value: 1 }]);
      assert.deepEqual(made.verdict, { kind: "ok" });
      assert.equal(made.id, 1);
      // Times are told apart by milliseconds.
      await new Promise((resolve) => setTimeout(resolve, 3));
      await doc.patch(`[{"op":"replace","path":"/a","value":[true,null,1.5,"é"]}]`);
      const now = await doc.get();
      assert.deepEqual(now.value, { a: [true, null, 1.5, "é"] });
      assert.deepEqual(now.vclock, { [must(made.source)]: 2 });
      assert.equal(now.transactions, 2);
      const before = await doc.get({ at: 1 });
      assert.deepEqual([before.value, before.hash], [{ a: 1 }, made.hash]);
      const [first] = (await doc.history()).transactions;
      const time = new Date(must(first?.stamp).ms);
      assert.deepEqual((await doc.get({ at: time })).value, { a: 1 });
      assert.equal((await refusal(doc.get({ at: "yesterday" }))).code, "BADVALUE");
    });

    test("any JSON comes through exactly: member names of ours, of objects' own, nothing, numbers, other scripts", async () => {
      await using world = await documentWorld(way);
      const doc = world.db.document("any");
      const text =
        '{"":0,"__proto__":{"value":"x"},"payload":[[],{}],"records":-0.5,"text":1e21,"verdict":null,"труба":"\\u0000\\r\\n\\ud83d\\ude00"}';
      await doc.put(JSON.parse(text));
      assert.equal(
        canonicalText((await doc.get()).value),
        text.replace("1e21", "1e+21").replace("\\ud83d\\ude00", "😀"),
      );
      const subscription = doc.subscribe();
      assert.equal(
        canonicalText((await next(subscription)).value),
        canonicalText((await doc.get()).value),
      );
      const value = { value: [{ value: null }], lost: 1, text: "t" };
      await doc.patch([{ op: "add", path: "/value", value }]);
      const { operations, value: followed } = await next(subscription);
      assert.deepEqual(operations, [{ op: "add", path: "/value", value }]);
      assert.deepEqual((followed as { value: unknown }).value, value);
      const { transactions } = await doc.history();
      assert.deepEqual(transactions[1]?.operations, [{ op: "add", path: "/value", value }]);
      await subscription.return();
    });

    test("a patch that fails makes nothing, and says which operation, where and why", async () => {
      await using world = await documentWorld(way);
      const doc = world.db.document("default");
      const failed = await refusal(
        doc.patch([
          { op: "add", path: "/a", value: 1 },
          { op: "remove", path: '/b"/~1' },
        ]),
      );
      assert.equal(failed.code, "PATCHFAILED");
      const { operation, op, path, reason } = failed.cause as Rejection;
      assert.deepEqual([operation, op, path, reason], [1, "remove", '/b"/~1', "missing"]);
      assert.equal((await doc.get()).transactions, 0);
      assert.equal((await refusal(doc.patch("[{}]"))).code, "BADPATCH");
      assert.equal((await refusal(doc.patch("{"))).code, "BADJSON");
    });

    test("conditions and dry runs: only this version, only if there is one, only if there is none", async () => {
      await using world = await documentWorld(way);
      const doc = world.db.document("conditions");
      assert.equal((await refusal(doc.put(1, { ifHash: "*" }))).code, "HASHCONFLICT");
      const { hash = "" } = await doc.put({ n: 1 }, { ifHash: "none" });
      assert.equal((await refusal(doc.put(1, { ifHash: "none" }))).code, "HASHCONFLICT");
      const dry = await doc.patch([{ op: "add", path: "/m", value: 2 }], { dryRun: true });
      assert.deepEqual([dry.id, dry.text], [undefined, '{"m":2,"n":1}']);
      await doc.patch([{ op: "add", path: "/m", value: 2 }], { ifHash: hash });
      const late = doc.patch([{ op: "add", path: "/m", value: 3 }], { ifHash: hash });
      assert.equal((await refusal(late)).code, "HASHCONFLICT");
      assert.deepEqual((await doc.get()).value, { m: 2, n: 1 });
    });

    test("names, and documents that are not there", async () => {
      await using world = await documentWorld(way);
      const { db } = world;
      assert.deepEqual(await db.documents(), ["default"]);
      for (const name of ["b", "a", "c"]) await db.document(name).put(name);
      assert.deepEqual(await db.documents({ after: "a", count: 2 }), ["b", "c"]);
      const absent = db.document("absent");
      for (const asked of [absent.get(), absent.history(), absent.status(), absent.conflicts()])
        assert.equal((await refusal(asked)).code, "NODOCUMENT");
      assert.equal((await refusal(db.document("no name").put(1))).code, "BADDOCUMENTNAME");
    });

    test("with a schema what is read and put fits it, and what is read is what it makes of it", async () => {
      await using world = await documentWorld(way);
      const schema = z.object({ n: z.number().transform((n) => n * 2) });
      const doc = world.db.document("typed", schema);
      await doc.put({ n: 4 });
      assert.deepEqual((await doc.get()).value, { n: 8 });
      const wrong = doc.put({ n: "4" } as unknown as { n: number });
      assert.equal((await refusal(wrong)).code, "BADVALUE");
      const subscription = doc.subscribe();
      assert.deepEqual((await next(subscription)).value, { n: 8 });
      await doc.patch([{ op: "replace", path: "/n", value: "no number" }]);
      assert.match((await refusal(doc.get())).message, /schema of document "typed": n:/);
      assert.equal((await refusal(subscription.next())).code, "BADVALUE");
      assert.equal((await subscription.next()).done, true);
    });

    test("a subscription tells the document first, then each change, which leads from one to the next; leaving the loop ends it", async () => {
      await using world = await documentWorld(way);
      const doc = world.db.document("default");
      await doc.put({ list: [] });
      const seen: string[] = [];
      let tree: Tree | undefined;
      for await (const update of doc.subscribe()) {
        if (update.kind === "snapshot") tree = new Tree(structuredClone(update.value));
        else {
          const options = { upsert: false, maxWeight: Infinity };
          const failure = tree?.apply(decodePatch(update.operations), undefined, options);
          assert.equal(failure, undefined);
        }
        assert.equal(canonicalText(must(tree).value), canonicalText(update.value));
        seen.push(canonicalText(update.value));
        if (seen.length === 4) break;
        await doc.patch([{ op: "add", path: "/list/0", value: seen.length }]);
      }
      assert.deepEqual(seen, ['{"list":[]}', '{"list":[1]}', '{"list":[2,1]}', '{"list":[3,2,1]}']);
      await until(() => world.watching() === 0, "nobody watches");
    });

    test("a subscription ends with its signal and with the database", async () => {
      await using world = await documentWorld(way);
      const doc = world.db.document("default");
      const abort = new AbortController();
      const first = doc.subscribe({ signal: abort.signal });
      await next(first);
      const waiting = first.next();
      abort.abort();
      assert.equal((await waiting).done, true);
      assert.equal((await doc.subscribe({ signal: abort.signal }).next()).done, true);
      const second = doc.subscribe();
      await next(second);
      const last = second.next();
      await world.db.close();
      assert.equal((await last).done, true);
    });

    test("another node's patches come too; when one comes before ours, the verdict that changed is told", async () => {
      await using world = await documentWorld(way);
      const { documents } = world;
      // A second node takes part and has not said what it issues: nothing is final.
      documents.expect(1);
      const doc = world.db.document("default");
      await doc.put({ a: 1 });
      const subscription = doc.subscribe();
      await next(subscription);
      await doc.patch([{ op: "remove", path: "/a" }]);
      assert.equal((await next(subscription)).final, 0);
      await fromPeer(documents, 1, { op: "add", path: "/b", value: 2 });
      const update = await next(subscription);
      assert.deepEqual(update.value, { b: 2 });
      assert.equal(
        update.verdicts.some(({ source }) => source === "peer"),
        true,
      );
      await subscription.return();
      const status = await doc.status();
      assert.deepEqual(
        status.members.map(({ source }) => source).toSorted(),
        [status.source, "peer"].toSorted(),
      );
    });

    test("until final: it resolves when nothing can come before it any more, and not earlier", async () => {
      await using world = await documentWorld(way);
      world.documents.expect(1);
      const doc = world.db.document("default");
      const durable = await doc.patch([{ op: "add", path: "/a", value: 1 }]);
      assert.equal(durable.final, false);
      let resolved = false;
      const operations = [{ op: "add", path: "/b", value: 2 }] as const;
      const final = doc.patch(operations, { until: "final" }).then((accepted) => {
        resolved = true;
        return accepted;
      });
      await until(async () => (await doc.get()).transactions === 2, "it is durable");
      assert.equal(resolved, false);
      world.documents.expect(0);
      const accepted = await final;
      assert.deepEqual([accepted.final, accepted.verdict], [true, { kind: "ok" }]);
      assert.equal((await doc.get()).final, 2);
    });

    test("until final can be given up", async () => {
      await using world = await documentWorld(way);
      world.documents.expect(1);
      const abort = new AbortController();
      const doc = world.db.document("default");
      const waiting = doc.put(1, { until: "final", signal: abort.signal });
      await until(async () => (await doc.get()).transactions === 1, "it is durable");
      abort.abort(new Error("enough"));
      await assert.rejects(waiting, /enough/);
      const other = doc.put(2, { until: "final" });
      await until(async () => (await doc.get()).transactions === 2, "it is durable");
      const closed = refusal(other);
      await world.db.close();
      assert.equal((await closed).code, "CLOSED");
    });

    test("P8 a loop that is slower than what comes keeps little, and is told a snapshot", async () => {
      await using world = await documentWorld(way);
      const doc = world.db.document("default");
      await doc.put({});
      const subscription = doc.subscribe();
      await next(subscription);
      const bytes = 900_000;
      const count = Math.ceil(limits.clientDocumentPendingMaxBytes / bytes) + 2;
      for (let n = 0; n < count; n++)
        await doc.patch([{ op: "add", path: "/n", value: `${n}${"x".repeat(bytes)}` }]);
      // Over HTTP it is mostly the node that gathers: the stream takes no more.
      if (way !== "over HTTP") await until(() => world.watching() === 0, "nothing comes any more");
      await doc.patch([{ op: "add", path: "/n", value: "end" }]);
      const kinds: string[] = [];
      for (let end = false; !end;) {
        const { kind, value } = await next(subscription);
        kinds.push(kind);
        end = canonicalText(value) === '{"n":"end"}';
      }
      assert.ok(kinds.length < count && kinds.includes("snapshot"), kinds.join());
      await subscription.return();
    });

    test("history by page, source and verdict; conflicts", async () => {
      await using world = await documentWorld(way);
      const doc = world.db.document("default");
      for (let i = 0; i < 5; i++) await doc.patch([{ op: "add", path: "/n", value: i }]);
      const page = await doc.history({ from: 2, count: 2 });
      assert.deepEqual(
        [page.transactions.map(({ position }) => position), page.total, page.next],
        [[2, 3], 5, 4],
      );
      const end = await doc.history({ from: -1 });
      assert.deepEqual(end.transactions[0]?.operations, [{ op: "add", path: "/n", value: 4 }]);
      assert.equal("next" in end, false);
      assert.deepEqual((await doc.history({ source: "nobody" })).transactions, []);
      assert.deepEqual((await doc.history({ verdict: "rejected" })).transactions, []);
      await fromPeer(world.documents, 1, { op: "test", path: "/n", value: "never" });
      const { transactions } = await doc.history({ verdict: "rejected" });
      const [rejected] = transactions;
      assert.equal(rejected?.source, "peer");
      assert.equal(must(rejected?.verdict).kind, "rejected");
      assert.equal((must(rejected).verdict as Rejection).expected, "never");
      assert.ok(
        (await doc.conflicts()).some(
          ({ kind, loser }) => kind === "rejected" && loser.source === "peer",
        ),
      );
    });

    test("a member that is gone for good is evicted; nobody else is", async () => {
      await using world = await documentWorld(way);
      const doc: SharedDocument<unknown, Json> = world.db.document("default");
      await doc.put(1);
      assert.equal((await refusal(doc.evict("stranger"))).code, "NOMEMBER");
      world.documents.met("default", "gone");
      await until(
        async () => (await doc.status()).members.some(({ source }) => source === "gone"),
        "it is a member",
      );
      assert.equal(await doc.evict("gone"), 0);
    });
  });
}
