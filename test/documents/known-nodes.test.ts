/** Nodes that were met are members of every document, durably, and without taking an Id. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { openWorld, until } from "./documents-world.ts";

const add = (path: string, value: unknown): string => JSON.stringify([{ op: "add", path, value }]);

suite("nodes that were met (D10)", () => {
  test("are members of every document, also after a restart and of documents that they have not written", async () => {
    const world = openWorld();
    const first = await world.open();
    assert.equal(first.documents.knows(["b", "a"]), true, "b is new, and a is the node itself");
    assert.equal(first.documents.knows(["b"]), false);
    const { final } = await first.documents.patch("notes", add("/a", 1));
    assert.equal(final, false);
    await first.stop();
    const second = await world.open();
    assert.deepEqual([...second.documents.knownNodes], ["b"]);
    assert.equal((await second.documents.patch("other", add("/a", 1))).final, false);
    const { members } = await second.documents.status("other");
    assert.deepEqual(
      members.map(({ source, kind }) => [source, kind]),
      [
        ["a", "self"],
        ["b", "truba"],
      ],
    );
    await second.stop();
  });

  test("take no Id for that: the first patch of two nodes that have met is their first transaction (D2)", async () => {
    const node = await openWorld().open();
    node.documents.knows(["b"]);
    const { id, vclock } = await node.documents.patch("notes", add("/a", 1));
    assert.deepEqual([id, vclock], [1, { a: 1 }]);
    await node.stop();
  });

  test("are not waited for in new documents once they were evicted from one and cannot be reached", async () => {
    const node = await openWorld().open();
    node.documents.knows(["b"]);
    await node.documents.patch("notes", add("/a", 1));
    assert.equal(await node.documents.evict("notes", "b"), 0);
    await until(() => node.documents.knownNodes.size === 0, "b is forgotten");
    assert.equal(
      (await node.documents.patch("new", add("/a", 1), { untilFinal: true })).final,
      true,
    );
    await node.stop();
  });

  test("are not forgotten again when others go on telling of them: two nodes would tell each other for ever", async () => {
    const node = await openWorld().open();
    node.documents.knows(["b"]);
    await node.documents.patch("notes", add("/a", 1));
    await node.documents.evict("notes", "b");
    await until(() => node.documents.knownNodes.size === 0, "b is forgotten");
    assert.equal(node.documents.knows(["b"]), true, "it lives, somebody says");
    await node.documents.patch("notes", add("/a", 2));
    await node.documents.patch("notes", add("/a", 3), { untilFinal: true });
    assert.equal(node.documents.knows(["b"]), false, "that is nothing new");
    await node.stop();
  });
});
