/** Documents of real processes: what crashes, late comers and plain peers do to them (P6, DESIGN §10). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ReplicatingNode, PlainPeer, converged, freePort } from "./fixtures/replicating-nodes.ts";
import { eventually } from "./fixtures/eventually.ts";
import { TemporaryDirectory, notBuilt } from "./fixtures/program.ts";

const add = (path: string, value: unknown) => ({ op: "add", path, value });

/** Two nodes that name each other as peers. */
async function pair(
  directory: TemporaryDirectory,
): Promise<readonly [ReplicatingNode, ReplicatingNode]> {
  const [portA, portB] = [await freePort(), await freePort()];
  const a = await ReplicatingNode.start(directory.path, "a", {
    port: portA,
    peers: [`127.0.0.1:${portB}`],
  });
  const b = await ReplicatingNode.start(directory.path, "b", {
    port: portB,
    peers: [`127.0.0.1:${portA}`],
  });
  return [a, b];
}

suite("documents of several processes (P6)", { skip: notBuilt }, () => {
  test("the exercise: three patches to one of two nodes, and both have them", async () => {
    using directory = new TemporaryDirectory();
    const [first, second] = await pair(directory);
    await using a = first;
    await using b = second;
    await a.replace({ op: "replace", path: "/0", value: [] });
    await a.replace(add("/0/-", "Hello"));
    await a.replace(add("/0/-", "World"));
    await converged([a, b]);
    assert.equal(await a.text(), '{"0":["Hello","World"]}');
    assert.equal(await b.text(), '{"0":["Hello","World"]}');
    assert.equal(await a.stop(), 0);
    assert.equal(await b.stop(), 0);
  });

  test("kill -9 of either at any point: what was acknowledged is there, on both, in one order (P1)", async () => {
    using directory = new TemporaryDirectory();
    const [first, second] = await pair(directory);
    await using a = first;
    await using b = second;
    await a.replace(add("/a", []), add("/b", []));
    await converged([a, b]);
    const acknowledged: string[] = [];
    const stop = new AbortController();
    const write = async (node: ReplicatingNode): Promise<void> => {
      for (let at = 0; !stop.signal.aborted; at++) {
        const word = `${node.name}${at}`;
        try {
          const { status } = await node.tryReplace(add(`/${node.name}/-`, word));
          if (status === 200) acknowledged.push(word);
        } catch {
          await sleep(20);
        }
      }
    };
    const writers = [write(a), write(b)];
    for (const victim of [a, b, a, b]) {
      await sleep(300);
      await victim.kill();
      await sleep(100);
      await victim.start();
    }
    await sleep(300);
    stop.abort();
    await Promise.all(writers);
    const held = (await converged([a, b])) as { a: string[]; b: string[] };
    const words = new Set([...held.a, ...held.b]);
    const lost = acknowledged.filter((word) => !words.has(word));
    assert.deepEqual(lost, []);
    assert.equal(words.size, held.a.length + held.b.length, "a word is there twice");
    assert.ok(acknowledged.length > 100, `only ${acknowledged.length} writes`);
  });

  test("a third that joins late gets everything, also through one that is in between", async () => {
    using directory = new TemporaryDirectory();
    const [first, second] = await pair(directory);
    await using a = first;
    await using b = second;
    await a.replace(add("/list", []));
    for (let at = 0; at < 50; at++) await a.replace(add("/list/-", at));
    await using c = await ReplicatingNode.start(directory.path, "c", { peers: [b.address] });
    await converged([a, b, c]);
    // c knows b only.
    await c.replace(add("/c", "late"));
    await a.replace(add("/a", "early"));
    const held = (await converged([a, b, c])) as Record<string, unknown>;
    assert.equal(held["c"], "late");
    assert.equal(held["a"], "early");
    assert.equal((held["list"] as number[]).length, 50);
  });

  test("what is waited for until it is final comes back within seconds, in a chain of three", async () => {
    using directory = new TemporaryDirectory();
    await using a = await ReplicatingNode.start(directory.path, "a");
    await using b = await ReplicatingNode.start(directory.path, "b", { peers: [a.address] });
    await using c = await ReplicatingNode.start(directory.path, "c", { peers: [b.address] });
    await a.replace(add("/x", 1));
    await c.replace(add("/y", 1));
    await converged([a, b, c]);
    const started = performance.now();
    const answer = await fetch(`http://${a.address}/v1/documents/default?wait=stable`, {
      method: "PATCH",
      headers: { "content-type": "application/json-patch+json" },
      body: JSON.stringify([add("/z", 1)]),
      signal: AbortSignal.timeout(20_000),
    });
    const { final, verdict } = (await answer.json()) as {
      final: boolean;
      verdict: { kind: string };
    };
    assert.equal(answer.status, 200);
    assert.deepEqual({ final, verdict }, { final: true, verdict: { kind: "ok" } });
    assert.ok(performance.now() - started < 10_000);
  });

  test("two nodes of one name refuse each other and say so", async () => {
    using directory = new TemporaryDirectory();
    using other = new TemporaryDirectory();
    await using first = await ReplicatingNode.start(directory.path, "same");
    await using second = await ReplicatingNode.start(other.path, "same", {
      peers: [first.address],
    });
    await eventually(
      async () => /SOURCECONFLICT/.test((await second.links())[0]?.trouble ?? ""),
      () => "the conflict is not told",
    );
    await second.replace(add("/x", 1));
    assert.equal(await first.text(), "{}");
    assert.ok((await first.links()).some(({ trouble }) => /SOURCECONFLICT/.test(trouble)));
  });

  test("a node that names itself as a peer, as whoever gives all the same list does, is as one that does not", async () => {
    using directory = new TemporaryDirectory();
    const port = await freePort();
    await using a = await ReplicatingNode.start(directory.path, "a", {
      port,
      peers: [`127.0.0.1:${port}`],
    });
    await eventually(
      async () => (await a.links())[0]?.trouble === "this address is the node itself",
      () => "it does not know itself",
    );
    await a.replace(add("/x", 1));
    const history = (await (
      await fetch(`http://${a.address}/v1/documents/default/history`)
    ).json()) as { final: number; total: number };
    assert.equal(history.final, history.total);
  });

  test("a node that stands still for longer than a heartbeat goes on where it was", async () => {
    using directory = new TemporaryDirectory();
    const [first, second] = await pair(directory);
    await using a = first;
    await using b = second;
    await a.replace(add("/x", 0));
    await converged([a, b]);
    b.signal("SIGSTOP");
    for (let at = 1; at <= 20; at++) await a.replace({ op: "replace", path: "/x", value: at });
    await sleep(2_000);
    b.signal("SIGCONT");
    assert.deepEqual(await converged([a, b]), { x: 20 });
  });
});

suite("plain peers of the exercise (DESIGN §10)", { skip: notBuilt }, () => {
  for (const firstId of [1, 0] as const) {
    test(`one that we dial, and that counts from ${firstId}: all it has and all it gets comes to us`, async () => {
      using directory = new TemporaryDirectory();
      await using plain = await PlainPeer.start("plain", [], { firstId });
      await plain.replace(add("/list", []));
      await plain.replace(add("/list/-", 1));
      await using a = await ReplicatingNode.start(directory.path, "a", { peers: [plain.address] });
      await plain.replace(add("/list/-", 2));
      await eventually(
        async () => (await a.text()) === '{"list":[1,2]}',
        () => "not all has come",
      );
      assert.equal((await a.vclock())["plain"], 3);
      const [link] = await a.links();
      assert.equal(link?.kind, "plain");
      assert.equal(link?.state, "up");
      assert.equal(link?.trouble, "");
    });
  }

  test("one that dials us: it gets the whole log, then what comes, and applies what it reads", async () => {
    using directory = new TemporaryDirectory();
    await using a = await ReplicatingNode.start(directory.path, "a");
    await a.replace({ op: "replace", path: "/0", value: [] });
    await a.replace(add("/0/-", "Hello"));
    await using plain = await PlainPeer.start("plain", [a.address]);
    await a.replace(add("/0/-", "World"));
    await eventually(
      async () => JSON.stringify(await plain.document()) === '{"0":["Hello","World"]}',
      () => "the plain peer has not all",
    );
    const [link] = await a.links();
    assert.deepEqual([link?.kind, link?.direction, link?.state], ["plain", "accepted", "up"]);
  });

  test("one that never answers pings or closes is kept for longer than any silence of a Truba node, and does not hold up a stop", async () => {
    using directory = new TemporaryDirectory();
    await using plain = await PlainPeer.start("plain");
    await using a = await ReplicatingNode.start(directory.path, "a", { peers: [plain.address] });
    await eventually(
      async () => (await a.links())[0]?.state === "up",
      () => "not linked",
    );
    const since = (await a.links())[0]?.sinceMs;
    await sleep(12_000);
    const [link] = await a.links();
    assert.deepEqual([link?.state, link?.sinceMs], ["up", since]);
    const started = performance.now();
    assert.equal(await a.stop(), 0);
    assert.ok(performance.now() - started < 5_000);
  });

  test("one between two of our nodes passes everything on, order and verdicts included", async () => {
    using directory = new TemporaryDirectory();
    const port = await freePort();
    const relay = `127.0.0.1:${port}`;
    // Neither names the other.
    await using a = await ReplicatingNode.start(directory.path, "a", { peers: [relay] });
    await using b = await ReplicatingNode.start(directory.path, "b", { peers: [relay] });
    await using plain = await PlainPeer.start("plain", [a.address, b.address], { port });
    await a.replace(add("/list", []));
    await eventually(
      async () => (await b.text()) === '{"list":[]}',
      () => "nothing has come through",
    );
    await Promise.all([
      a.replace(add("/list/-", "a")),
      b.replace(add("/list/-", "b")),
      plain.replace(add("/list/-", "plain")),
    ]);
    const held = (await converged([a, b])) as { list: string[] };
    assert.deepEqual(held.list.toSorted(), ["a", "b", "plain"]);
  });

  test("one that has restarted without its log, and counts anew, is told of, and changes nothing that is known", async () => {
    using directory = new TemporaryDirectory();
    const port = await freePort();
    const before = await PlainPeer.start("plain", [], { port });
    await using a = await ReplicatingNode.start(directory.path, "a", { peers: [before.address] });
    await before.replace(add("/x", "first"));
    await before.replace(add("/y", "second"));
    await eventually(
      async () => (await a.text()) === '{"x":"first","y":"second"}',
      () => "not all has come",
    );
    await before.kill();
    await using after = await PlainPeer.start("plain", [], { port });
    await after.replace(add("/x", "other"));
    await eventually(
      async () => /under the Id 1 of plain/.test((await a.links())[0]?.trouble ?? ""),
      () => "nothing is told",
    );
    assert.equal(await a.text(), '{"x":"first","y":"second"}');
    await after.replace(add("/y", "other"));
    await after.replace(add("/z", "third"));
    await eventually(
      async () => (await a.text()) === '{"x":"first","y":"second","z":"third"}',
      () => "what is new has not come",
    );
  });

  test("a transaction over 32 KiB is not sent to it, and the link says so; what comes behind is", async () => {
    using directory = new TemporaryDirectory();
    await using a = await ReplicatingNode.start(directory.path, "a");
    await using plain = await PlainPeer.start("plain", [a.address]);
    await a.replace(add("/small", 1));
    await a.replace(add("/large", "x".repeat(40_000)));
    await a.replace(add("/last", 2));
    await eventually(
      async () => JSON.stringify(await plain.document()) === '{"small":1,"last":2}',
      () => "what comes behind has not come",
    );
    const [link] = await a.links();
    assert.match(link?.trouble ?? "", /too long for plain peers, the last one a:2 .*32768/);
    assert.equal(link?.state, "up");
  });
});
