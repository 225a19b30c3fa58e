/** History files and checkpoints of documents: what is written, what a start finds, what leaves memory and the log. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { MemoryFileSystem } from "../../src/base/memory-file-system.ts";
import { documentsGroup } from "../../src/documents/journal.ts";
import type { Node } from "../../src/node/node.ts";
import { carry, openWorld, until } from "./documents-world.ts";

const add = (path: string, value: unknown): string => JSON.stringify([{ op: "add", path, value }]);

/** Entries of the journal that are still in the log. */
function journalOf(node: Node): number {
  const { firstIndex, lastIndex } = node.wal.group(documentsGroup);
  return lastIndex - firstIndex + 1;
}

suite("checkpoints of documents (DESIGN §10, P1)", () => {
  test("a start reads files, and the journal behind them is short", async () => {
    const world = openWorld();
    const first = await world.open();
    for (let n = 0; n < 30; n++) await first.documents.patch("notes", add(`/k${n % 7}`, n));
    const before = await first.documents.read("notes");
    assert(await first.checkpoint());
    await until(() => journalOf(first) <= 2, "the journal is trimmed");
    await first.documents.patch("notes", add("/last", 1));
    await first.documents.patch("other", add("/x", 1));
    await first.stop();
    const second = await world.open();
    const view = await second.documents.read("notes");
    assert.equal(JSON.parse(view.text).last, 1);
    assert.equal(view.transactions, before.transactions + 1);
    assert.deepEqual(second.documents.list(), ["default", "notes", "other"]);
    assert.equal((await second.documents.patch("notes", add("/more", 1))).id, 32);
    await second.stop();
  });

  test("many checkpoints and restarts later all is there, place by place", async () => {
    const world = openWorld();
    const texts: string[] = [];
    for (let run = 0; run < 6; run++) {
      const node = await world.open();
      for (let n = 0; n < 10; n++) {
        await node.documents.patch("notes", add(`/k${n}`, `${run}-${n}`));
        texts.push((await node.documents.read("notes")).text);
        if (n % 4 === run % 4) await node.checkpoint();
      }
      await node.stop();
    }
    const node = await world.open();
    const page = await node.documents.history("notes", { count: 1_000 });
    assert.equal(page.total, 60);
    assert.deepEqual(
      page.transactions.map(({ id, position }) => [id, position]),
      Array.from({ length: 60 }, (_, n) => [n + 1, n + 1]),
    );
    for (const [n, text] of texts.entries())
      assert.equal(
        (await node.documents.read("notes", { position: n + 1 })).text,
        text,
        `at ${n + 1}`,
      );
    const empty = await node.documents.read("notes", { position: 0 });
    assert.deepEqual(
      { text: empty.text, transactions: empty.transactions },
      { text: "{}", transactions: 0 },
    );
    await node.stop();
  });

  test("links get what they lack from memory and from files alike", async () => {
    const world = openWorld();
    const first = await world.open();
    for (let n = 0; n < 200; n++) await first.documents.patch("notes", add(`/k${n}`, n));
    await first.checkpoint();
    for (let n = 0; n < 5; n++) await first.documents.patch("notes", add(`/l${n}`, n));
    const ids: number[] = [];
    for (;;) {
      const found = await first.documents.after("notes", "a", ids.length, 1_000);
      if (found.length === 0) break;
      ids.push(...found.map(({ id }) => id));
    }
    assert.deepEqual(
      ids,
      Array.from({ length: 205 }, (_, n) => n + 1),
    );
    const inOrder: number[] = [];
    for (let cursor = 0; ;) {
      const found = await first.documents.sequence("notes", cursor, 1_000);
      if (found.transactions.length === 0) break;
      inOrder.push(...found.transactions.map(({ id }) => id));
      cursor = found.cursor;
    }
    assert.deepEqual(inOrder, ids);
    const [last] = await first.documents.after("notes", "a", 204, 10);
    assert.equal(last?.id, 205);
    assert.deepEqual(await first.documents.after("notes", "a", 205, 10), []);
    assert.deepEqual(await first.documents.after("notes", "nobody", 0, 10), []);
    await first.stop();
  });

  test("the log is trimmed under endless writes of documents (P8)", async () => {
    const world = openWorld();
    const node = await world.open();
    const value = "x".repeat(20_000);
    let most = 0;
    for (let n = 0; n < 600; n++) {
      await node.documents.patch(`d${n % 3}`, add("/v", `${n}${value}`));
      most = Math.max(most, node.wal.liveSegments);
    }
    assert(most <= 6, `${most} segments were alive at once`);
    assert(node.checkpoints.completed > 2);
    await node.stop();
    const again = await world.open();
    for (const name of ["d0", "d1", "d2"])
      assert.equal((await again.documents.read(name)).transactions, 200);
    await again.stop();
  });

  test("two nodes that checkpoint while they are apart hold equal history when they have met (P6)", async () => {
    const worlds = [openWorld(undefined, "a"), openWorld(undefined, "b")] as const;
    let [a, b] = [await worlds[0].open(), await worlds[1].open()];
    a.documents.met("notes", "b");
    b.documents.met("notes", "a");
    for (let round = 0; round < 4; round++) {
      for (let n = 0; n < 15; n++) {
        await a.documents.patch("notes", add(`/k${n}`, `a${round}`));
        await b.documents.patch("notes", add(`/k${n}`, `b${round}`));
        if (n === 7) await a.checkpoint();
      }
      await carry(a.documents, b.documents, "notes");
      await carry(b.documents, a.documents, "notes");
      await carry(a.documents, b.documents, "notes");
      await b.checkpoint();
      await a.stop();
      a = await worlds[0].open();
    }
    await carry(a.documents, b.documents, "notes");
    await carry(b.documents, a.documents, "notes");
    const [ofA, ofB] = [await a.documents.read("notes"), await b.documents.read("notes")];
    assert.equal(ofA.hash, ofB.hash);
    const pages = await Promise.all(
      [a, b].map((node) => node.documents.history("notes", { count: 1_000 })),
    );
    const shown = pages.map(({ transactions }) =>
      transactions.map(({ source, id, verdict }) => `${source} ${id} ${verdict.kind}`),
    );
    assert.deepEqual(shown[0], shown[1]);
    for (const position of [1, 17, 40, 77]) {
      const [x, y] = [
        await a.documents.read("notes", { position }),
        await b.documents.read("notes", { position }),
      ];
      assert.equal(x.text, y.text, `at ${position}`);
    }
    await a.stop();
    await b.stop();
  });
});

suite("damaged files of a document (P7)", () => {
  test("a bit flipped anywhere is healed or refused by name and offset; other documents work, and nothing is changed", async () => {
    const files = new MemoryFileSystem();
    const world = openWorld(files);
    const first = await world.open();
    for (let n = 0; n < 40; n++) await first.documents.patch("notes", add(`/k${n}`, n));
    await first.documents.patch("other", add("/x", 1));
    await first.checkpoint();
    const text = (await first.documents.read("notes")).text;
    await first.stop();
    const root = "data/documents";
    const directory = files
      .listSync(root)
      .find((name) => files.listSync(`${root}/${name}`).length > 0 && name.startsWith("nzxxizlt"));
    assert(directory !== undefined, files.listSync(root).join());
    let refused = 0;
    for (const name of files.listSync(`${root}/${directory}`)) {
      const path: string = `${root}/${directory}/${name}`;
      const handle = files.openSync(path, "write");
      const size = handle.sizeSync();
      for (let at = 3; at < size; at += Math.max(1, Math.floor(size / 12))) {
        const byte = Buffer.alloc(1);
        handle.readSync(byte, at);
        const good = byte[0] ?? 0;
        handle.writeSync(Uint8Array.of(good ^ 0x10), at);
        const node = await world.open();
        assert.equal((await node.documents.read("other")).text, '{"x":1}');
        try {
          const page = await node.documents.history("notes", { count: 1_000 });
          assert.equal((await node.documents.read("notes")).text, text, `${path} at ${at}`);
          assert.deepEqual(
            page.transactions.map(({ id }) => id),
            Array.from({ length: 40 }, (_, n) => n + 1),
          );
        } catch (error) {
          assert(error instanceof Error);
          assert.match(error.message, new RegExp(`${path}.* at offset \\d+`));
          assert.equal("code" in error ? error.code : "", "DOCUMENTDAMAGED");
          refused++;
          await assert.rejects(node.documents.patch("notes", "[]"), /damaged/);
        }
        await node.stop();
        handle.writeSync(Uint8Array.of(good), at);
      }
      handle.closeSync();
    }
    assert(refused > 10, `${refused} refusals`);
    const node = await world.open();
    assert.equal((await node.documents.read("notes")).text, text, "it was only the flipped bit");
    await node.stop();
  });
});
