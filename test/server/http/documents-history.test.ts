/** What a document was and what happened to it, over HTTP. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { HistoryPage } from "../../../src/documents/vocabulary.ts";
import { must } from "../../../src/base/assert.ts";
import { type Answered, HttpWorld } from "./http-world.ts";

const patchType = { "content-type": "application/json-patch+json" };

suite("HTTP: history of documents", () => {
  let world: HttpWorld;
  before(async () => {
    world = await HttpWorld.start();
  });
  after(() => world.stop());

  let names = 0;
  const fresh = (): string => `/v1/documents/fresh-${++names}`;
  const get = (path: string, headers = {}): Promise<Answered> =>
    world.good({ method: "GET", path, headers });
  const patch = (path: string, operations: unknown): Promise<Answered> =>
    world.good({ method: "PATCH", path, headers: patchType, bytes: JSON.stringify(operations) });
  const put = (path: string, value: unknown): Promise<Answered> =>
    world.good({ method: "PUT", path, json: value }, 201);

  test("?at= shows the document behind so many transactions, and at a time", async () => {
    const path = fresh();
    const startedMs = Date.now();
    await put(path, { n: 0 });
    for (let n = 1; n <= 5; n++) await patch(path, [{ op: "replace", path: "/n", value: n }]);
    assert.equal((await get(`${path}?at=0`)).bytes.toString(), "{}");
    for (let n = 0; n <= 5; n++) {
      const then = await get(`${path}?at=${n + 1}`);
      assert.deepEqual(then.json, { n });
      assert.deepEqual(JSON.parse(String(then.headers["truba-vclock"])), { test: n + 1 });
      const headers = { "if-none-match": String(then.headers["etag"]) };
      await world.good({ method: "GET", path: `${path}?at=${n + 1}`, headers }, 304);
    }
    const at = (ms: number): string => `${path}?at=${new Date(ms).toISOString()}`;
    assert.equal((await get(at(startedMs - 60_000))).bytes.toString(), "{}");
    assert.deepEqual((await get(at(Date.now() + 60_000))).json, { n: 5 });
    for (const bad of ["7", "x", "", "-1", "2026-99-99"])
      await world.problem({ method: "GET", path: `${path}?at=${bad}` }, "BADVALUE", 400);
  });

  test("history comes in pages, forwards, from the end, by source and by verdict", async () => {
    const path = fresh();
    for (let n = 1; n <= 7; n++) await patch(path, [{ op: "add", path: `/${n}`, value: n }]);
    const page = async (query: string): Promise<HistoryPage> =>
      (await get(`${path}/history${query}`)).json as HistoryPage;
    const all = await page("");
    assert.deepEqual([all.total, all.final, all.next], [7, 7, undefined]);
    const [first] = all.transactions;
    const { position, stamp, operations, verdict, final, kind } = must(first);
    assert.deepEqual(
      { position, operations, verdict, final, kind },
      {
        position: 1,
        operations: [{ op: "add", path: "/1", value: 1 }],
        verdict: { kind: "ok" },
        final: true,
        kind: "patch",
      },
      "without Truba's own member",
    );
    assert.ok(Math.abs((stamp?.ms ?? 0) - Date.now()) < 60_000);
    const found: number[] = [];
    for (let from: number | undefined = 1; from !== undefined;) {
      const { transactions, next } = await page(`?from=${from}&count=3`);
      assert.ok(transactions.length <= 3);
      found.push(...transactions.map((each) => each.position));
      from = next;
    }
    assert.deepEqual(found, [1, 2, 3, 4, 5, 6, 7]);
    const positions = async (query: string): Promise<readonly number[]> =>
      (await page(query)).transactions.map((each) => each.position);
    assert.deepEqual(await positions("?from=-2"), [6, 7]);
    assert.deepEqual(await positions("?from=-2&count=1"), [6]);
    assert.deepEqual(await positions("?from=8"), []);
    assert.deepEqual(await positions("?source=nobody"), []);
    assert.deepEqual(await positions("?source=test&from=6"), [6, 7]);
    assert.deepEqual(await positions("?verdict=rejected"), []);
    for (const bad of ["from=0", "from=x", "count=0", "count=1001", "verdict=maybe", "verdict="])
      await world.problem({ method: "GET", path: `${path}/history?${bad}` }, "BADVALUE", 400);
  });

  test("a checkpoint changes nothing of what is told", async () => {
    const path = fresh();
    for (let n = 1; n <= 20; n++) await patch(path, [{ op: "add", path: `/${n % 7}`, value: n }]);
    const words = ["", "?at=7", "?at=20", "/history", "/history?from=-3", "/history?count=5"];
    // When something arrived is not part of its order.
    const told = () =>
      Promise.all(
        words.map(async (word) =>
          (await get(path + word)).bytes.toString().replaceAll(/,"arrivedMs":\d+/g, ""),
        ),
      );
    const old = await told();
    assert.equal(await world.node.checkpoint(), true);
    assert.deepEqual(await told(), old);
    await patch(path, [{ op: "remove", path: "/0" }]);
    assert.deepEqual((await get(`${path}?at=20`)).bytes.toString(), old[2]);
  });

  test("P8 a page of history ends where it would be too long, and says where to go on", async () => {
    const path = fresh();
    const value = "x".repeat(1_000_000);
    for (let n = 0; n < 6; n++) await patch(path, [{ op: "add", path: `/${n % 2}`, value }]);
    const found: number[] = [];
    for (let from: number | undefined = 1; from !== undefined;) {
      const answered = await get(`${path}/history?from=${from}`);
      assert.ok(answered.bytes.length < 5_500_000);
      const { transactions, next } = answered.json as HistoryPage;
      found.push(...transactions.map(({ position }) => position));
      from = next;
    }
    assert.deepEqual(found, [1, 2, 3, 4, 5, 6]);
  });
});
