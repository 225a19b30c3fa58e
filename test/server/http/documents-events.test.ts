import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { DocumentEvent } from "../../../src/documents/vocabulary.ts";
import { limits } from "../../../src/base/limits.ts";
import type { Address } from "../../../src/base/network.ts";
import { EventReader } from "./event-reader.ts";
import { HttpWorld } from "./http-world.ts";
import { patched } from "./independent-patch.ts";

type Change = Extract<DocumentEvent, { kind: "change" }>;

const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  for (let i = 0; i < 600; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail("not in time");
};

/** A reader that keeps the document as it is told. */
class Follower {
  document: unknown;
  snapshots = 0;
  changes = 0;
  last: DocumentEvent | undefined;
  readonly #reader: EventReader;

  constructor(reader: EventReader) {
    this.#reader = reader;
  }

  async take(): Promise<DocumentEvent> {
    const { event, data } = await this.#reader.next(5_000);
    const told = data as DocumentEvent;
    assert.equal(event, told.kind);
    this.last = told;
    if (told.kind === "snapshot") {
      this.snapshots++;
      this.document = JSON.parse(told.text) as unknown;
      return told;
    }
    this.changes++;
    this.document = patched(this.document, told.operations);
    return told;
  }

  /** Until so many transactions are told of. */
  async follow(transactions: number): Promise<void> {
    while ((this.last?.transactions ?? -1) < transactions) await this.take();
  }
}

suite("HTTP: documents as they change, by server-sent events (D13)", () => {
  let world: HttpWorld;
  let address: Address;
  before(async () => {
    world = await HttpWorld.start();
    address = await world.listen();
  });
  after(() => world.stop());

  const headers = { "content-type": "application/json-patch+json" };
  const patch = (name: string, operations: unknown) =>
    world.good({
      method: "PATCH",
      path: `/v1/documents/${name}`,
      headers,
      bytes: JSON.stringify(operations),
    });
  const open = async (name: string): Promise<[EventReader, Follower]> => {
    const reader = await EventReader.open(address, `/v1/documents/${name}/events`);
    return [reader, new Follower(reader)];
  };

  const streams = async (): Promise<number> => {
    const { bytes } = await world.good({ method: "GET", path: "/metrics" });
    return Number(/^truba_http_event_streams (\d+)$/m.exec(bytes.toString())?.[1]);
  };

  test("first a snapshot, then a patch and verdicts for each change; what is told adds up to the document", async () => {
    await patch("a", [{ op: "add", path: "/list", value: [] }]);
    const [reader, follower] = await open("a");
    const first = await follower.take();
    assert.equal(first.kind, "snapshot");
    assert.equal(reader.headers["content-type"], "text/event-stream");
    assert.deepEqual(
      [first.kind === "snapshot" && first.text, first.transactions, first.final],
      ['{"list":[]}', 1, 1],
    );
    await patch("a", [{ op: "add", path: "/list/-", value: { "~/": 1 } }]);
    const change = (await follower.take()) as Change;
    assert.deepEqual(change.vclock, { test: 2 });
    assert.deepEqual(change.verdicts, [
      { source: "test", id: 2, verdict: { kind: "ok" }, final: true },
    ]);
    for (let n = 0; n < 50; n++) await patch("a", [{ op: "add", path: "/list/0", value: n }]);
    await follower.follow(52);
    const { json } = await world.good({ method: "GET", path: "/v1/documents/a" });
    assert.deepEqual(follower.document, json);
    assert.equal(follower.snapshots, 1);
    reader.close();
  });

  test("a document that does not exist is watched as {}, and told of when it is made", async () => {
    const [reader, follower] = await open("later");
    await follower.take();
    assert.deepEqual(follower.document, {});
    await patch("later", [{ op: "add", path: "", value: [1] }]);
    await follower.follow(1);
    assert.deepEqual(follower.document, [1]);
    reader.close();
  });

  test("transactions of peers are told with their verdicts, rejected ones too", async () => {
    const [reader, follower] = await open("default");
    await follower.take();
    const from = { source: null, kind: "plain" } as const;
    await world.node.documents.receive(
      "default",
      [
        { source: "peer", id: 1, payload: JSON.stringify([{ op: "add", path: "/p", value: 1 }]) },
        { source: "peer", id: 2, payload: JSON.stringify([{ op: "test", path: "/p", value: 2 }]) },
      ],
      from,
    );
    const verdicts = new Map<string, string>();
    while (verdicts.size < 2) {
      const told = await follower.take();
      if (told.kind !== "change") continue;
      for (const { source, id, verdict } of told.verdicts)
        if (source === "peer") verdicts.set(`${source} ${id}`, verdict.kind);
    }
    assert.deepEqual(
      [...verdicts].sort(([a], [b]) => a.localeCompare(b)),
      [
        ["peer 1", "ok"],
        ["peer 2", "rejected"],
      ],
    );
    assert.deepEqual(follower.document, { p: 1 });
    const path = "/v1/documents/default/history?verdict=rejected";
    const { json } = await world.good({ method: "GET", path });
    const { transactions } = json as {
      transactions: readonly { source: string; verdict: { path?: string; actual?: unknown } }[];
    };
    assert.deepEqual(
      transactions.map(({ source, verdict }) => [source, verdict.path, verdict.actual]),
      [["peer", "/p", 1]],
    );
    reader.close();
  });

  test("P8 who reads slowly holds nothing back: it gets a snapshot instead of what it missed", async () => {
    const [reader, follower] = await open("slow");
    await follower.take();
    reader.pause();
    const value = "x".repeat(200_000);
    for (let n = 1; n <= 90; n++)
      await patch("slow", [{ op: "add", path: "/v", value: `${n}${value}` }]);
    reader.resume();
    await follower.follow(90);
    assert.ok(follower.snapshots >= 2, "a snapshot once more");
    assert.ok(follower.changes < 80, `${follower.changes} changes`);
    const { json } = await world.good({ method: "GET", path: "/v1/documents/slow" });
    assert.deepEqual(follower.document, json);
    await patch("slow", [{ op: "add", path: "/after", value: 1 }]);
    await follower.follow(91);
    assert.equal((follower.document as { after: number }).after, 1);
    reader.close();
  });

  test("a reader that goes is watched for no longer; streams are counted", async () => {
    await until(async () => (await streams()) === 0);
    const readers = await Promise.all(Array.from({ length: 5 }, () => open("gone")));
    assert.equal(await streams(), 5);
    for (const [reader] of readers) reader.close();
    await until(async () => (await streams()) === 0);
  });

  test("a page that would embed the stream, a bad name and another method get no stream", async () => {
    const path = "/v1/documents/a/events";
    const image = { accept: "image/*" };
    await world.problem({ method: "GET", path, headers: image }, "BADVALUE", 406);
    await world.problem(
      { method: "GET", path: "/v1/documents/a%20b/events" },
      "BADDOCUMENTNAME",
      400,
    );
    const { status, headers: told } = await world.ask({ method: "POST", path });
    assert.deepEqual([status, told["allow"]], [405, "GET"]);
  });

  test("P8 over the limit of watchers a stream is OVERLOADED, and says when to come back", async () => {
    const listener = { event: () => {}, ready: () => true, ended: () => {} };
    const { documents } = world.node;
    await until(() => documents.watchers === 0);
    const watches = Array.from({ length: limits.documentWatchersMaxCount }, () =>
      documents.watch("crowd", listener),
    );
    const path = "/v1/documents/crowd/events";
    const problem = await world.problem({ method: "GET", path }, "OVERLOADED", 429);
    assert.equal(problem.retryAfterMs, limits.overloadedRetryAfterMs);
    for (const watch of watches) watch.close();
    await until(() => documents.watchers === 0);
    const [reader] = await open("crowd");
    await reader.next();
    reader.close();
  });

  test("a node that stops ends its streams with a problem", async () => {
    const other = await HttpWorld.start();
    const reader = await EventReader.open(await other.listen(), "/v1/documents/x/events");
    await reader.next();
    await other.stop();
    const { event, data } = await reader.next();
    assert.equal(event, "ended");
    assert.equal((data as { code: string }).code, "SHUTTINGDOWN");
    await until(() => reader.ended);
  });
});
