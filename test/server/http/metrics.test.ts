import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { HttpWorld, base64, keyOf } from "./http-world.ts";

suite("HTTP: health, status and metrics", () => {
  let world: HttpWorld;
  before(async () => {
    world = await HttpWorld.start();
  });
  after(() => world.stop());

  const metrics = async (): Promise<Map<string, number>> => {
    const { bytes, headers } = await world.good({ method: "GET", path: "/metrics" });
    assert.match(String(headers["content-type"]), /^text\/plain; version=0\.0\.4/);
    const lines = bytes
      .toString()
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    return new Map(
      lines.map((line) => [
        line.slice(0, line.lastIndexOf(" ")),
        Number(line.slice(line.lastIndexOf(" ") + 1)),
      ]),
    );
  };

  test("metrics tell what happened: every number is a number, and follows what is done", async () => {
    const first = await metrics();
    for (const [name, value] of first)
      assert.ok(Number.isFinite(value) || name.includes("Inf"), `${name} ${value}`);
    await world.good(
      { method: "PUT", path: "/v1/queues/m", json: { implementation: "priority" } },
      201,
    );
    for (let i = 0; i < 3; i++)
      await world.good(
        { method: "POST", path: "/v1/queues/m/tasks", json: { payload: base64("12345") } },
        201,
      );
    await world.good({ method: "POST", path: "/v1/queues/m/pop", json: {} });
    await world.good({ method: "PUT", path: `/v1/records/${keyOf(1)}`, bytes: "x" }, 201);
    await world.good({ method: "POST", path: "/v1/sessions", json: { kind: "checkout" } }, 201);
    await world.problem({ method: "GET", path: "/v1/queues/none" }, "NOQUEUE");
    const now = await metrics();
    const grown = (name: string): number => (now.get(name) ?? 0) - (first.get(name) ?? 0);
    assert.equal(now.get('truba_tasks{state="waiting"}'), 2);
    assert.equal(now.get('truba_tasks{state="leased"}'), 1);
    assert.equal(now.get('truba_queue_tasks{queue="m",state="waiting"}'), 2);
    assert.equal(now.get('truba_queue_payload_bytes{queue="m"}'), 15);
    assert.equal(now.get("truba_queues"), 1);
    assert.equal(now.get("truba_records"), 1);
    assert.equal(now.get('truba_sessions{state="active"}'), 1);
    assert.equal(now.get("truba_node_serving"), 1);
    assert.equal(grown('truba_http_refusals_total{code="NOQUEUE",status="404"}'), 1);
    assert.equal(grown('truba_http_answers_total{group="queues",status="201"}'), 4);
    assert.equal(grown('truba_requests_total{surface="http"}'), 9);
    assert.equal(grown("truba_operations_accepted_total"), 7);
    assert.equal(grown("truba_batch_operations_sum"), 7);
    assert.ok(grown("truba_operations_applied_total") >= 7);
    assert.ok(grown("truba_log_sync_duration_seconds_count") >= 7);
    assert.ok(grown("truba_log_written_bytes_total") > 0);
    assert.equal(
      now.get('truba_log_sync_duration_seconds_bucket{le="+Inf"}'),
      now.get("truba_log_sync_duration_seconds_count"),
    );
    for (let id = 0; id < 4; id++) {
      const of = (name: string): number | undefined =>
        now.get(`truba_partition_${name}{partition="${id}"}`);
      assert.equal(of("leads"), 1);
      assert.equal(of("applied_position"), of("committed_position"));
      assert.ok((of("term") ?? 0) >= 1);
    }
  });

  test("metrics and status tell of documents", async () => {
    await using other = await HttpWorld.start();
    const path = "/v1/documents/m";
    await other.good({ method: "PUT", path, json: { a: 1 } }, 201);
    const headers = { "content-type": "application/json-patch+json" };
    const bytes = '[{"op":"test","path":"/a","value":2}]';
    await other.problem({ method: "PATCH", path, headers, bytes }, "PATCHFAILED");
    const from = { source: null, kind: "plain" } as const;
    await other.node.documents.receive("m", [{ source: "p", id: 1, payload: bytes }], from);
    const forged = [{ source: "p", id: 1, payload: "[]" }];
    await other.node.documents.receive("m", forged, from);
    const text = (await other.good({ method: "GET", path: "/metrics" })).bytes.toString();
    for (const line of [
      "truba_documents 2",
      "truba_document_watchers 0",
      'truba_document_transactions_total{verdict="rejected"} 1',
      'truba_document_refused_total{reason="forged"} 1',
      'truba_document_refused_total{reason="malformed"} 0',
      "truba_document_divergences_total 0",
      'truba_document_links{state="up",kind="truba"} 0',
    ])
      assert.ok(text.split("\n").includes(line), line);
    const { json } = await other.good({ method: "GET", path: "/v1/status" });
    const { documents } = json as { documents: object };
    assert.deepEqual(documents, { source: "test", count: 2, links: 0, linksUp: 0 });
  });

  test("buckets of a histogram only rise", async () => {
    const values = [...(await metrics())].filter(([name]) =>
      name.startsWith("truba_batch_operations_bucket"),
    );
    assert.ok(values.length > 5);
    values.reduce((below, [name, value]) => {
      assert.ok(value >= below, name);
      return value;
    }, 0);
  });

  test("names of queues cannot break the format", async () => {
    const name = 'a"b\\c{}';
    await world.good({ method: "PUT", path: `/v1/queues/${encodeURIComponent(name)}` }, 201);
    const text = (await world.good({ method: "GET", path: "/metrics" })).bytes.toString();
    assert.ok(text.includes('queue="a\\"b\\\\c{}"'), text);
    await world.good({ method: "DELETE", path: `/v1/queues/${encodeURIComponent(name)}` });
  });

  test("the node lives, and is ready while it serves and leads; else the problem says why", async () => {
    await world.good({ method: "GET", path: "/health/live" });
    await world.good({ method: "GET", path: "/health/ready" });
    world.node.setDiskFull(true);
    await world.problem({ method: "GET", path: "/health/ready" }, "DISKFULL", 503);
    await world.good({ method: "GET", path: "/health/live" });
    world.node.setDiskFull(false);
    await world.good({ method: "GET", path: "/health/ready" });
    await using other = await HttpWorld.start();
    await other.node.drain();
    await other.problem({ method: "GET", path: "/health/ready" }, "SHUTTINGDOWN", 503);
    await other.problem(
      { method: "POST", path: "/v1/queue.push", json: { queue: "default", payload: "" } },
      "SHUTTINGDOWN",
      503,
    );
  });

  test("/v1/status shows node, partitions, queues and sessions as they are", async () => {
    const { json } = await world.good({ method: "GET", path: "/v1/status" });
    const status = json as {
      cluster: string;
      ready: boolean;
      partitions: readonly { role: string }[];
      queues: readonly { queue: string }[];
      kinds: readonly object[];
      tasks: object;
    };
    assert.equal(status.cluster, "Truba");
    assert.equal(status.ready, true);
    assert.deepEqual(
      status.partitions.map(({ role }) => role),
      Array(4).fill("leader"),
    );
    assert.deepEqual(
      status.queues.map(({ queue }) => queue),
      ["m"],
    );
    assert.deepEqual(status.kinds, [
      { kind: "checkout", closed: false, active: 1, stored: 0, dead: 0 },
    ]);
    assert.deepEqual(status.tasks, { waiting: 2, delayed: 0, leased: 1, dead: 0 });
  });
});
