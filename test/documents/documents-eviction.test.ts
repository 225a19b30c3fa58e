/** Eviction over whole nodes: the cut, the member that comes back, what is said of it afterwards. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TrubaError } from "../../src/base/errors.ts";
import type { Node } from "../../src/node/node.ts";
import { carry, openWorld } from "./documents-world.ts";

const add = (path: string, value: unknown): string => JSON.stringify([{ op: "add", path, value }]);

async function exchange(a: Node, b: Node): Promise<void> {
  for (let round = 0; round < 4; round++) {
    await carry(a.documents, b.documents, "notes");
    await carry(b.documents, a.documents, "notes");
  }
}

suite("evicting a member (DESIGN §10)", () => {
  test("who comes back issues again what the cut refuses, under a new name; all agree on clocks and documents, also after restarts (P6)", async () => {
    const worlds = [openWorld(undefined, "a"), openWorld(undefined, "b")] as const;
    let [a, b] = [await worlds[0].open(), await worlds[1].open()];
    a.documents.met("notes", "b");
    b.documents.met("notes", "a");
    await a.documents.patch("notes", add("/a", 1));
    await b.documents.patch("notes", add("/b", 1));
    await exchange(a, b);
    // Cut off, b goes on writing.
    for (let n = 0; n < 3; n++) await b.documents.patch("notes", add(`/lost${n}`, n));
    const held = a.documents.head("notes")?.vclock["b"];
    assert.equal(await a.documents.evict("notes", "b"), held);
    const { members } = await a.documents.status("notes");
    assert.equal(members.find(({ source }) => source === "b")?.kind, "evicted");
    await exchange(a, b);
    const renamed = b.documents.sourceOf("notes");
    assert.match(renamed, /^b~[0-9a-f]{8}$/);
    for (const checkpointed of [false, true]) {
      const [ofA, ofB] = [a.documents.head("notes"), b.documents.head("notes")];
      assert.deepEqual({ ...ofA?.vclock }, { ...ofB?.vclock });
      assert.equal(ofB?.vclock["b"], held, "what is above the cut does not count");
      assert.deepEqual(await b.documents.after("notes", "b", held ?? 0, 1_000), []);
      const [viewA, viewB] = [await a.documents.read("notes"), await b.documents.read("notes")];
      assert.equal(viewA.text, viewB.text);
      assert.equal(JSON.parse(viewA.text).lost2, 2);
      assert.equal((await a.documents.status("notes")).agreement, "converged");
      assert.equal((await b.documents.status("notes")).agreement, "converged");
      if (checkpointed) await Promise.all([a.checkpoint(), b.checkpoint()]);
      await Promise.all([a.stop(), b.stop()]);
      [a, b] = [await worlds[0].open(), await worlds[1].open()];
      assert.equal(b.documents.sourceOf("notes"), renamed, "the new name is kept");
      await a.documents.read("notes");
      await b.documents.read("notes");
      await exchange(a, b);
    }
    const made = await b.documents.patch("notes", add("/more", 1));
    assert.equal(made.source, renamed);
    await Promise.all([a.stop(), b.stop()]);
  });

  test("a node does not evict itself, nor one that nobody knows", async () => {
    const node = await openWorld().open();
    await node.documents.patch("notes", add("/a", 1));
    for (const [source, wanted] of [
      ["a", "BADVALUE"],
      ["nobody", "NOMEMBER"],
    ] as const) {
      await assert.rejects(
        node.documents.evict("notes", source),
        (error: unknown) => error instanceof TrubaError && error.code === wanted,
      );
    }
    await node.stop();
  });

  test("who waits for a cut is let go by a signal, and the eviction goes on", async () => {
    const node = await openWorld().open();
    const { documents } = node;
    await documents.patch("notes", add("/a", 1));
    documents.met("notes", "b");
    documents.met("notes", "c");
    // Of c an answer is needed, which never comes.
    const controller = new AbortController();
    const given = documents.evict("notes", "b", controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 20);
    await assert.rejects(given, /enough/);
    await assert.rejects(documents.evict("notes", "b", AbortSignal.abort(new Error("no"))), /no/);
    await node.stop();
  });
});
