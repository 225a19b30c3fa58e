/** The past of a document: history page by page, the document as it was, folding anew what came too late. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { SystemClock } from "../../src/base/system-clock.ts";
import { HybridClock } from "../../src/documents/hybrid-clock.ts";
import { Replica } from "../../src/documents/replica.ts";
import type { WireTransaction } from "../../src/documents/exchange.ts";
import type { Json } from "../../src/patch/json.ts";
import { Follower, openWorld, until } from "./documents-world.ts";

const add = (path: string, value: unknown): string => JSON.stringify([{ op: "add", path, value }]);

/** A node elsewhere that writes by itself. */
class Elsewhere {
  readonly replica: Replica;
  readonly sent: WireTransaction[] = [];

  constructor(source: string, name: string) {
    this.replica = new Replica({
      name,
      source,
      lenient: false,
      clock: new HybridClock(new SystemClock()),
    });
    this.replica.restored();
  }

  write(path: string, value: number | string): void {
    this.issue([{ op: "add", path, value }]);
  }

  issue(operations: readonly Json[]): void {
    const issued = this.replica.issue(operations);
    assert(issued.kind === "issued");
    for (const { source, id, payload } of issued.transactions)
      this.sent.push({ source, id, payload });
  }
}

/** What is written from now on has a later stamp. */
function nextMillisecond(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 3);
  });
}

suite("history of a document", () => {
  test("comes in pages, from either end, by source and by verdict, from files and memory alike", async () => {
    const node = await openWorld().open();
    const { documents } = node;
    const other = new Elsewhere("b", "notes");
    for (let n = 0; n < 30; n++) {
      await documents.patch("notes", add(`/k${n}`, n));
      if (n === 14) await node.checkpoint();
      if (n % 10 !== 0) continue;
      // What this test wants there was written over here meanwhile.
      other.issue([{ op: "add", path: "/c", value: n }]);
      await documents.receive("notes", other.sent.splice(0), { source: "b", kind: "truba" });
      await documents.patch("notes", add("/c", "mine"));
      await nextMillisecond();
      other.issue([{ op: "test", path: "/c", value: n }]);
    }
    await documents.receive("notes", other.sent, { source: "b", kind: "truba" });
    const all = await documents.history("notes", { count: 1_000 });
    assert.equal(all.total, all.transactions.length);
    const pages: number[] = [];
    let next: number | undefined = 1;
    while (next !== undefined) {
      const page = await documents.history("notes", { from: next, count: 7 });
      pages.push(...page.transactions.map(({ position }) => position));
      next = page.next;
    }
    assert.deepEqual(
      pages,
      Array.from({ length: all.total }, (_, n) => n + 1),
    );
    const last = await documents.history("notes", { from: -3 });
    assert.deepEqual(
      last.transactions.map(({ position }) => position),
      [all.total - 2, all.total - 1, all.total],
    );
    const own = await documents.history("notes", { source: "a", count: 1_000 });
    assert.equal(own.transactions.length, 33);
    const rejected = await documents.history("notes", { verdict: "rejected", count: 1_000 });
    assert.equal(rejected.transactions.length, 3);
    assert.equal((await documents.read("notes")).rejected, 3);
    const conflicts = await documents.conflicts("notes");
    assert(conflicts.some(({ kind, loser }) => kind === "rejected" && loser.source === "b"));
    for (const { operations } of all.transactions)
      assert(!JSON.stringify(operations).includes('"~"'), "Truba's own member is hidden");
    await node.stop();
  });

  test("time travel gives what folding up to there gives, by place and by time, far back and near", async () => {
    const node = await openWorld().open();
    const { documents } = node;
    const reference = new Replica({
      name: "notes",
      source: "reference",
      lenient: false,
      clock: new HybridClock(new SystemClock()),
    });
    reference.restored();
    const texts = ["{}"];
    for (let n = 0; n < 120; n++) {
      await documents.patch("notes", add(`/k${n % 11}`, n));
      reference.receive(await documents.after("notes", "a", n, 1), "truba");
      texts.push(reference.text());
      if (n % 50 === 49) await node.checkpoint();
    }
    for (const position of [0, 1, 49, 50, 51, 99, 100, 101, 119, 120]) {
      const view = await documents.read("notes", { position });
      assert.equal(view.text, texts[position], `at ${position}`);
      assert.equal(view.transactions, position);
      assert.equal(view.vclock["a"] ?? 0, position);
    }
    const { transactions } = await documents.history("notes", { count: 1_000 });
    for (const at of [10, 60, 110]) {
      const timeMs = transactions[at]?.stamp?.ms ?? 0;
      const places = transactions.filter(({ stamp }) => (stamp?.ms ?? Infinity) <= timeMs).length;
      const view = await documents.read("notes", { timeMs });
      assert.equal(view.text, texts[places], `at ${timeMs}`);
    }
    assert.equal((await documents.read("notes", { timeMs: 0 })).text, "{}");
    assert.equal((await documents.read("notes", { timeMs: Date.now() + 1_000 })).text, texts[120]);
    await node.stop();
  });
});

suite("what comes from before all that can be undone", () => {
  test("makes the document be folded anew from history; watchers and pages agree afterwards (P6)", async () => {
    const world = openWorld();
    const node = await world.open();
    const { documents } = node;
    const late = new Elsewhere("b", "notes");
    for (let n = 0; n < 10; n++) late.write(`/late${n}`, n);
    await nextMillisecond();
    for (let n = 0; n < 20; n++) await documents.patch("notes", add(`/k${n}`, n));
    const follower = new Follower();
    documents.watch("notes", follower);
    // Alone, all is final: nobody was known who could still write before it.
    assert.equal((await documents.read("notes")).final, 20);
    await node.checkpoint();
    await documents.patch("notes", add("/k20", 20));
    const summary = await documents.receive("notes", late.sent, { source: "b", kind: "truba" });
    assert.equal(summary.accepted, 10);
    const reference = new Replica({
      name: "notes",
      source: "reference",
      lenient: false,
      clock: new HybridClock(new SystemClock()),
    });
    reference.restored();
    reference.receive(
      [...late.sent, ...(await documents.after("notes", "a", 0, 1_000_000))],
      "truba",
    );
    reference.receive(await documents.after("notes", "a", 20, 1_000_000), "truba");
    const view = await documents.read("notes");
    assert.equal(view.text, reference.text());
    await until(() => follower.text === view.text, "the watcher is told");
    const check = async (of: typeof documents): Promise<void> => {
      const { transactions } = await of.history("notes", { count: 1_000 });
      assert.deepEqual(
        transactions.map(({ source, id }) => `${source} ${id}`),
        reference.placed(1, 1_000).map(({ source, id }) => `${source} ${id}`),
      );
      for (const position of [5, 10, 15, 31])
        assert.equal((await of.read("notes", { position })).text, reference.at({ position })?.text);
    };
    await check(documents);
    assert(await node.checkpoint());
    await check(documents);
    await node.stop();
    const again = await world.open();
    assert.equal((await again.documents.read("notes")).text, view.text);
    await check(again.documents);
    await again.stop();
  });

  test("patches that come meanwhile wait for it", async () => {
    const node = await openWorld().open();
    const { documents } = node;
    const late = new Elsewhere("b", "notes");
    late.write("/late", 1);
    await nextMillisecond();
    for (let n = 0; n < 20; n++) await documents.patch("notes", add(`/k${n}`, n));
    await node.checkpoint();
    const all = await Promise.all([
      documents.receive("notes", late.sent, { source: "b", kind: "truba" }),
      ...Array.from({ length: 10 }, async (_, n) => {
        for (let turn = 0; turn < n; turn++)
          await new Promise((resolve) => {
            setImmediate(resolve);
          });
        return documents.patch("notes", add(`/m${n}`, n));
      }),
    ]);
    assert.equal(all.length, 11);
    assert.equal((await documents.read("notes")).transactions, 31);
    await node.stop();
  });

  test("nodes that are met meanwhile are members afterwards (D10)", async () => {
    const node = await openWorld().open();
    const { documents } = node;
    const late = new Elsewhere("b", "notes");
    late.write("/late", 1);
    await nextMillisecond();
    for (let n = 0; n < 200; n++) await documents.patch("notes", add(`/k${n}`, n));
    await node.checkpoint();
    const state = { received: false };
    const receiving = documents
      .receive("notes", late.sent, { source: "b", kind: "truba" })
      .finally(() => (state.received = true));
    const met: string[] = [];
    while (!state.received) {
      met.push(`n${met.length}`);
      documents.knows(met.slice(-1));
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    await receiving;
    const { members } = await documents.status("notes");
    const sources = new Set(members.map(({ source }) => source));
    for (const source of met) assert.ok(sources.has(source), `${source} of ${met.length}`);
    await node.stop();
  });
});
