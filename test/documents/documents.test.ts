/** The documents of one node, end to end on a disk in memory: patches, verdicts, reads, watchers, restarts. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TrubaError } from "../../src/base/errors.ts";
import type { Documents } from "../../src/documents/documents.ts";
import { Follower, carry, openWorld, until } from "./documents-world.ts";

const add = (path: string, value: unknown): string => JSON.stringify([{ op: "add", path, value }]);

function code(wanted: string): (error: unknown) => boolean {
  return (error) => error instanceof TrubaError && error.code === wanted;
}

async function withNode(work: (documents: Documents) => Promise<void>, name = "a"): Promise<void> {
  const node = await openWorld(undefined, name).open();
  try {
    await work(node.documents);
  } finally {
    await node.stop();
  }
}

suite("documents of one node (DESIGN §10)", () => {
  test("a patch is durable when it is acknowledged, and a restart has it (P1)", async () => {
    const world = openWorld();
    const first = await world.open();
    const done = await first.documents.patch("notes", add("/a", [1]));
    assert.equal(done.id, 1);
    assert.equal(done.source, "a");
    assert.deepEqual(done.verdict, { kind: "ok" });
    assert.equal((await first.documents.read("notes")).text, '{"a":[1]}');
    await first.stop();
    const second = await world.open();
    const view = await second.documents.read("notes");
    assert.equal(view.text, '{"a":[1]}');
    assert.equal(view.hash, done.hash);
    assert.deepEqual({ ...view.vclock }, { ...done.vclock });
    assert.equal((await second.documents.patch("notes", add("/b", 2))).id, 2, "Ids go on");
    await second.stop();
  });

  test("a patch that fails changes nothing, makes no transaction, and says why", async () => {
    await withNode(async (documents) => {
      await documents.patch("notes", add("/a", 1));
      const patch = '[{"op":"add","path":"/b","value":1},{"op":"test","path":"/a","value":2}]';
      await assert.rejects(documents.patch("notes", patch), (error: unknown) => {
        assert(error instanceof TrubaError && error.code === "PATCHFAILED");
        const { kind, operation, op, path, expected, actual } = error.cause as Record<
          string,
          unknown
        >;
        assert.deepEqual(
          { kind, operation, op, path, expected, actual },
          { kind: "rejected", operation: 1, op: "test", path: "/a", expected: 2, actual: 1 },
        );
        return true;
      });
      const view = await documents.read("notes");
      assert.equal(view.text, '{"a":1}');
      assert.equal(view.transactions, 1);
    });
  });

  test("what is not a patch is refused with the cause in words", async () => {
    await withNode(async (documents) => {
      const refusals: [string, string][] = [
        ["{", "BADJSON"],
        ['{"op":"add"}', "BADPATCH"],
        ['[{"op":"put","path":"/a","value":1}]', "BADPATCH"],
        ['[{"op":"add","path":"/a","value":1,"~":{}}]', "BADPATCH"],
        ['[{"op":"add","path":"/a","value":12345678901234567890}]', "BADVALUE"],
        ['[{"op":"add","path":"/a","value":1e400}]', "BADVALUE"],
        [`[{"op":"add","path":"/a","value":"${"x".repeat(1_048_577)}"}]`, "TOOLARGE"],
      ];
      for (const [patch, wanted] of refusals)
        await assert.rejects(documents.patch("notes", patch), code(wanted), patch.slice(0, 50));
      await assert.rejects(
        documents.patch("notes", '[{"op":"add","path":"/a","value":12345678901234567890}]'),
        /12345678901234567890.*12345678901234567000/,
      );
      await assert.rejects(documents.patch("no/slash", "[]"), code("BADDOCUMENTNAME"));
      await assert.rejects(documents.read("notes"), code("NODOCUMENT"), "nothing was made");
      assert.deepEqual(documents.list(), ["default"]);
    });
  });

  test("an empty patch makes no transaction, and says how the document is", async () => {
    await withNode(async (documents) => {
      const before = await documents.patch("notes", add("/a", 1));
      const empty = await documents.patch("notes", "[]");
      assert.equal(empty.id, undefined);
      assert.equal(empty.hash, before.hash);
      assert.deepEqual({ ...empty.vclock }, { a: 1 });
    });
  });

  test("only the document default is lenient; any other makes an add of a replace when it is asked to", async () => {
    await withNode(async (documents) => {
      const replace = '[{"op":"replace","path":"/0","value":["Hello"]}]';
      await assert.rejects(documents.patch("notes", replace), code("PATCHFAILED"));
      await documents.patch("notes", replace, { lenient: true });
      assert.equal((await documents.read("notes")).text, '{"0":["Hello"]}');
      const [sent] = await documents.after("notes", "a", 0, 1_000);
      assert.equal(
        JSON.parse(sent?.payload ?? "")[0].op,
        "add",
        "the wire carries strict RFC 6902",
      );
      const plain = { source: "p", id: 1, payload: replace };
      await documents.receive("default", [plain], { source: null, kind: "plain" });
      await documents.receive(
        "notes",
        [{ ...plain, payload: '[{"op":"replace","path":"/9","value":1}]' }],
        {
          source: null,
          kind: "plain",
        },
      );
      assert.equal((await documents.read("default")).text, '{"0":["Hello"]}');
      assert.equal((await documents.read("notes")).rejected, 1);
    });
  });

  test("put makes the document a value by one transaction, and none when it is that already", async () => {
    await withNode(async (documents) => {
      const made = await documents.put("notes", '{"b":[1,2],"a":null}');
      assert.equal(made.id, 1);
      assert.equal((await documents.read("notes")).text, '{"a":null,"b":[1,2]}');
      const again = await documents.put("notes", '{"a":null, "b":[1,2]}');
      assert.equal(again.id, undefined);
      assert.equal(again.hash, made.hash);
      const list = await documents.put("notes", "[]");
      assert.equal(list.id, 2);
      assert.equal((await documents.read("notes")).text, "[]");
    });
  });

  test("a hash is a condition: of two who saw the same, one writes", async () => {
    await withNode(async (documents) => {
      await documents.put("notes", "{}", { ifHash: "none" });
      await assert.rejects(documents.put("notes", "[]", { ifHash: "none" }), code("HASHCONFLICT"));
      await assert.rejects(documents.put("other", "[]", { ifHash: "*" }), code("HASHCONFLICT"));
      await documents.put("notes", '{"n":0}', { ifHash: "*" });
      const { hash } = await documents.read("notes");
      const both = await Promise.allSettled([
        documents.patch("notes", add("/x", 1), { ifHash: hash }),
        documents.patch("notes", add("/y", 1), { ifHash: hash }),
      ]);
      assert.deepEqual(
        both.map(({ status }) => status),
        ["fulfilled", "rejected"],
      );
      assert.equal((await documents.read("notes")).text, '{"n":0,"x":1}');
    });
  });

  test("a dry run says what would be, and nothing is made", async () => {
    await withNode(async (documents) => {
      await documents.patch("notes", add("/a", 1));
      const dry = await documents.patch("notes", add("/b", 2), { dryRun: true });
      assert.equal(dry.text, '{"a":1,"b":2}');
      assert.equal(dry.id, undefined);
      await assert.rejects(
        documents.patch("notes", '[{"op":"remove","path":"/z"}]', { dryRun: true }),
        code("PATCHFAILED"),
      );
      assert.equal((await documents.read("notes")).text, '{"a":1}');
      assert.equal((await documents.patch("notes", add("/c", 3))).id, 2);
    });
  });

  test("a node alone knows at once that a verdict is final", async () => {
    await withNode(async (documents) => {
      const done = await documents.patch("notes", add("/a", 1), { untilFinal: true });
      assert.equal(done.final, true);
      const { final, transactions } = await documents.read("notes");
      assert.deepEqual({ final, transactions }, { final: 1, transactions: 1 });
    });
  });

  test("what was final is final after a restart, in the first read", async () => {
    const world = openWorld();
    const first = await world.open();
    for (let n = 0; n < 4; n++)
      await first.documents.patch("notes", add("/a", n), { untilFinal: true });
    assert.equal((await first.documents.read("notes")).final, 4);
    await first.stop();
    for (let start = 0; start < 2; start++) {
      const node = await world.open();
      assert.equal((await node.documents.read("notes")).final, 4);
      await node.checkpoint();
      await node.stop();
    }
  });

  test("reads see what was gathered before them, and only when it is durable (P1)", async () => {
    await withNode(async (documents) => {
      const writes = Array.from({ length: 100 }, (_, n) =>
        documents.patch("notes", add(`/k${n}`, n)),
      );
      await Promise.resolve();
      const view = await documents.read("default");
      assert.equal(view.text, "{}");
      const done = await Promise.all(writes);
      assert.deepEqual(
        done.map(({ id }) => id),
        Array.from({ length: 100 }, (_, n) => n + 1),
      );
      assert.equal((await documents.read("notes")).transactions, 100);
    });
  });
});

suite("what is gathered and not durable (P1)", () => {
  test("is in no answer: not to who wrote it, not to readers, links or watchers", async () => {
    await withNode(async (documents) => {
      await documents.patch("notes", add("/a", 1));
      const follower = new Follower();
      documents.watch("notes", follower);
      await until(() => follower.events.length === 1, "the snapshot");
      let durable = false;
      documents.onDurable(() => {
        durable = true;
      });
      const told: string[] = [];
      const note = (what: string) => (): void => {
        assert(durable, `${what} was told before the journal was durable`);
        told.push(what);
      };
      const writing = documents.patch("notes", add("/b", 2)).then(note("the writer"));
      const failing = documents.patch("notes", add("/b/c", 2)).catch(note("who failed at it"));
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      const reading = documents.read("notes").then(note("a reader"));
      const late = documents.patch("notes", "[]").then(note("an empty patch"));
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      assert.equal(durable, false, "a turn of the event loop comes first");
      assert.equal((await documents.after("notes", "a", 0, 1_000_000)).length, 1);
      assert.equal((await documents.sequence("notes", 0, 1_000_000)).transactions.length, 1);
      assert.deepEqual({ ...documents.head("notes")?.vclock }, { a: 1 });
      assert.equal(documents.head("notes")?.hash, undefined);
      assert.equal(follower.events.length, 1);
      await Promise.all([writing, failing, reading, late]);
      assert.equal(told.length, 4);
      assert.equal((await documents.after("notes", "a", 0, 1_000_000)).length, 2);
      assert.equal(follower.text, '{"a":1,"b":2}');
    });
  });
});

suite("watchers of documents", () => {
  test("are told a snapshot first, then one change per batch that leads from what was told to what is", async () => {
    await withNode(async (documents) => {
      await documents.patch("notes", add("/a", 1));
      const follower = new Follower();
      const watch = documents.watch("notes", follower);
      await until(() => follower.events.length === 1, "the snapshot");
      assert.equal(follower.events[0]?.kind, "snapshot");
      await Promise.all(
        Array.from({ length: 20 }, (_, n) => documents.patch("notes", add(`/k${n}`, n))),
      );
      assert.equal(follower.text, (await documents.read("notes")).text);
      assert(
        follower.events.length < 10,
        `${follower.events.length} events for 20 patches at once`,
      );
      const last = follower.events.at(-1);
      assert(last?.kind === "change");
      assert.equal(last.transactions, 21);
      watch.close();
      await documents.patch("notes", add("/z", 1));
      assert.equal(follower.events.at(-1), last, "one that is closed is told nothing");
    });
  });

  test("of a document that does not exist see it as {} and then as it is made", async () => {
    await withNode(async (documents) => {
      const follower = new Follower();
      documents.watch("new", follower);
      await until(() => follower.events.length === 1, "the snapshot");
      assert.equal(follower.text, "{}");
      assert.deepEqual(documents.list(), ["default"]);
      await documents.patch("new", add("/a", 1));
      assert.equal(follower.text, '{"a":1}');
    });
  });

  test("that are slow get one fresh snapshot instead of what they missed (P8)", async () => {
    await withNode(async (documents) => {
      const follower = new Follower();
      const watch = documents.watch("notes", follower);
      await until(() => follower.events.length === 1, "the snapshot");
      follower.isReady = false;
      for (let n = 0; n < 10; n++) await documents.patch("notes", add("/n", n));
      assert.equal(follower.events.length, 1);
      follower.isReady = true;
      watch.resume();
      await until(() => follower.events.length === 2, "the second snapshot");
      assert.equal(follower.events[1]?.kind, "snapshot");
      assert.equal(follower.text, '{"n":9}');
      await documents.patch("notes", add("/m", 1));
      assert.equal(follower.events.length, 3);
      assert.equal(follower.text, '{"m":1,"n":9}');
    });
  });

  test("are told when a verdict becomes another or final", async () => {
    const [a, b] = [await openWorld(undefined, "a").open(), await openWorld(undefined, "b").open()];
    a.documents.met("notes", "b");
    b.documents.met("notes", "a");
    const follower = new Follower();
    a.documents.watch("notes", follower);
    await a.documents.patch("notes", add("/a", 1));
    for (let round = 0; round < 5; round++) {
      await carry(a.documents, b.documents, "notes");
      await carry(b.documents, a.documents, "notes");
      await new Promise((resolve) => {
        setTimeout(resolve, 2);
      });
    }
    await until(
      () =>
        follower.events.some(
          (event) => event.kind === "change" && event.verdicts.some(({ final }) => final),
        ),
      "a final verdict",
    );
    await a.stop();
    await b.stop();
  });

  test("are told the end when the node stops", async () => {
    const node = await openWorld().open();
    const follower = new Follower();
    node.documents.watch("notes", follower);
    await until(() => follower.events.length === 1, "the snapshot");
    await node.stop();
    assert.equal(follower.error instanceof TrubaError && follower.error.code, "STOPPED");
  });
});

suite("two nodes", () => {
  test("that have exchanged all hold equal documents and verdicts, and know that it is final (P6)", async () => {
    const [a, b] = [await openWorld(undefined, "a").open(), await openWorld(undefined, "b").open()];
    try {
      a.documents.met("notes", "b");
      b.documents.met("notes", "a");
      await a.documents.put("notes", '{"list":[]}');
      await carry(a.documents, b.documents, "notes");
      for (let n = 0; n < 20; n++) {
        await a.documents.patch("notes", add("/list/0", `a${n}`));
        await b.documents.patch("notes", add("/list/0", `b${n}`));
      }
      for (let round = 0; round < 8; round++) {
        await carry(a.documents, b.documents, "notes");
        await carry(b.documents, a.documents, "notes");
        await new Promise((resolve) => {
          setTimeout(resolve, 2);
        });
      }
      const [ofA, ofB] = [await a.documents.read("notes"), await b.documents.read("notes")];
      assert.equal(ofA.text, ofB.text);
      assert.equal(JSON.parse(ofA.text).list.length, 40);
      assert.deepEqual({ ...ofA.vclock }, { ...ofB.vclock });
      await carry(b.documents, a.documents, "notes");
      const status = await a.documents.status("notes");
      assert.equal(status.agreement, "converged");
      assert.equal(status.view.final, status.view.transactions);
      assert.deepEqual(
        status.members.map(({ source, kind }) => ({ source, kind })),
        [
          { source: "a", kind: "self" },
          { source: "b", kind: "truba" },
        ],
      );
    } finally {
      await a.stop();
      await b.stop();
    }
  });

  test("that hold another document under one vector clock raise the alarm", async () => {
    await withNode(async (documents) => {
      await documents.patch("notes", add("/a", 1));
      documents.memberSaid("notes", "b", { a: 1 }, "00".repeat(32));
      assert.equal((await documents.status("notes")).agreement, "DIVERGED");
      assert.equal(documents.counters.divergences, 1);
      const { hash } = await documents.read("notes");
      documents.memberSaid("notes", "b", { a: 1 }, hash);
      assert.equal((await documents.status("notes")).agreement, "converged");
    });
  });
});
