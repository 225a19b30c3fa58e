/** Documents of several nodes over HTTP: finality, eviction, conflicts, convergence. What links carry is carried by hand here. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { limits } from "../../../src/base/limits.ts";
import type {
  Accepted,
  Conflict,
  DocumentStatus,
  HistoryPage,
} from "../../../src/documents/vocabulary.ts";
import { HttpWorld } from "./http-world.ts";

const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; i < 600 && !condition(); i++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(condition(), "not in time");
};

const patching = (name: string, operations: unknown, query = "") => ({
  method: "PATCH",
  path: `/v1/documents/${name}${query}`,
  headers: { "content-type": "application/json-patch+json" },
  bytes: JSON.stringify(operations),
});

/** All that `from` has of its own comes to `to`. */
async function carry(from: HttpWorld, to: HttpWorld, name: string): Promise<void> {
  const { source } = from.node.documents;
  const transactions = await from.node.documents.after(name, source, 0, 1_000_000);
  await to.node.documents.receive(name, transactions, { source, kind: "truba" });
}

const waiting = [{ op: "add", path: "/x", value: 1 }];

suite("HTTP: members of documents", () => {
  test("wait=stable waits for every member; when it is evicted the verdict is final (D10, D11)", async () => {
    await using world = await HttpWorld.start();
    const path = "/v1/documents/members";
    await world.good({ method: "PUT", path, json: {} }, 201);
    world.node.documents.met("members", "b");
    const durable = (await world.good(patching("members", waiting))).json as Accepted;
    assert.equal(durable.final, false);
    let answered = false;
    const stable = world.good(patching("members", waiting, "?wait=stable")).then((answer) => {
      answered = true;
      return answer;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(answered, false);
    const status = (await world.good({ method: "GET", path: `${path}/status` }))
      .json as DocumentStatus;
    assert.deepEqual(status.members.map(({ source, kind }) => `${source} ${kind}`).sort(), [
      "b truba",
      "test self",
    ]);
    assert.ok(status.view.final < status.view.transactions, "something is tentative");
    const json = { source: "b" };
    const evicted = await world.good({ method: "POST", path: `${path}/evict`, json });
    assert.deepEqual(evicted.json, { source: "b", cut: 0 });
    assert.equal(((await stable).json as Accepted).final, true);
  });

  test("a client that goes waits no longer, and one that stays is told when the node stops", async () => {
    const world = await HttpWorld.start();
    const { host, port } = await world.listen();
    await world.good(patching("members", waiting));
    world.node.documents.met("members", "b");
    const send = (signal: AbortSignal): Promise<Response> => {
      const { method, path, headers, bytes } = patching("members", waiting, "?wait=stable");
      return fetch(`http://${host}:${port}${path}`, { method, headers, body: bytes, signal });
    };
    const { durations } = world.port.counters;
    const count = durations.count;
    const leaving = new AbortController();
    const left = send(leaving.signal);
    await until(() => world.node.documents.head("members")?.vclock["test"] === 2);
    leaving.abort();
    await assert.rejects(left);
    await until(() => durations.count === count + 1);
    const staying = send(new AbortController().signal);
    await until(() => world.node.documents.head("members")?.vclock["test"] === 3);
    const stopped = world.stop();
    const answer = await staying;
    assert.equal(answer.status, 503);
    assert.equal(((await answer.json()) as { code: string }).code, "SHUTTINGDOWN");
    await stopped;
  });

  test("P6 two nodes that have the same transactions answer the same bytes, hash, order and verdicts; conflicts name winner and loser", async () => {
    await using a = await HttpWorld.start({ name: "a" });
    await using b = await HttpWorld.start({ name: "b" });
    const name = "shared";
    await a.good(patching(name, [{ op: "add", path: "/n", value: 0 }]));
    await carry(a, b, name);
    await a.good(
      patching(name, [
        { op: "test", path: "/n", value: 0 },
        { op: "replace", path: "/n", value: "of a" },
      ]),
    );
    await b.good(
      patching(name, [
        { op: "test", path: "/n", value: 0 },
        { op: "replace", path: "/n", value: "of b" },
      ]),
    );
    await a.good(patching(name, [{ op: "add", path: "/m", value: "of a" }]));
    await b.good(patching(name, [{ op: "add", path: "/m", value: "of b" }]));
    await Promise.all([carry(a, b, name), carry(b, a, name)]);
    const both = async (word: string) => {
      const asked = { method: "GET", path: `/v1/documents/${name}${word}` };
      return [await a.good(asked), await b.good(asked)] as const;
    };
    const [ofA, ofB] = await both("");
    assert.equal(ofA.bytes.toString(), ofB.bytes.toString());
    assert.equal(ofA.headers["etag"], ofB.headers["etag"]);
    assert.deepEqual(
      JSON.parse(String(ofA.headers["truba-vclock"])),
      JSON.parse(String(ofB.headers["truba-vclock"])),
    );
    const verdicts = (await both("/history")).map(({ json }) =>
      (json as HistoryPage).transactions
        .filter(({ kind }) => kind === "patch")
        .map(({ source, id, verdict }) => [source, id, verdict]),
    );
    assert.deepEqual(verdicts[0], verdicts[1]);
    const rejected = (await both("/history?verdict=rejected")).map(
      ({ json }) => (json as HistoryPage).transactions,
    );
    assert.equal(rejected[0]?.length, 1, "of two that tested the same one is rejected");
    const [loser] = rejected[0] ?? [];
    assert.ok(loser?.verdict.kind === "rejected", "it says so");
    assert.deepEqual([loser.verdict.operation, loser.verdict.expected], [0, 0]);
    const conflicts = (await both("/conflicts")).map(
      ({ json }) => (json as { conflicts: readonly Conflict[] }).conflicts,
    );
    assert.deepEqual(conflicts[0], conflicts[1]);
    const found = conflicts[0]?.map(({ kind, path }) => `${kind} ${path}`);
    assert.ok(found?.includes("rejected /n"), String(found));
    assert.ok(found?.includes("shadowed /m"), String(found));
    const shadowed = conflicts[0]?.find(({ kind, path }) => kind === "shadowed" && path === "/m");
    const authors = new Set([shadowed?.loser.source, shadowed?.winner?.source]);
    assert.deepEqual(authors, new Set(["a", "b"]));
  });

  test("P8 names that are looked for and not there are not kept", async () => {
    await using world = await HttpWorld.start();
    for (let n = 0; n <= limits.documentsMaxCount; n++)
      await world.node.documents.read(`none-${n}`).catch(() => {});
    await world.good({ method: "PUT", path: "/v1/documents/new", json: 1 }, 201);
  });
});
