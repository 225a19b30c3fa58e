import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, suite, test } from "node:test";
import type { Accepted, HistoryPage } from "../../../src/documents/vocabulary.ts";
import { type Answered, HttpWorld } from "./http-world.ts";

const patchType = { "content-type": "application/json-patch+json" };

const patchAsked = (path: string, operations: unknown, headers = {}) => ({
  method: "PATCH",
  path,
  headers: { ...patchType, ...headers },
  bytes: JSON.stringify(operations),
});

const byNumber = (a: number, b: number): number => a - b;

suite("HTTP: /v1/documents", () => {
  let world: HttpWorld;
  before(async () => {
    world = await HttpWorld.start();
  });
  after(() => world.stop());

  let names = 0;
  const fresh = (): string => `/v1/documents/fresh-${++names}`;
  const get = (path: string, headers = {}): Promise<Answered> =>
    world.good({ method: "GET", path, headers });
  const patch = (path: string, operations: unknown, headers = {}, status = 200) =>
    world.good(
      {
        method: "PATCH",
        path,
        headers: { ...patchType, ...headers },
        bytes: JSON.stringify(operations),
      },
      status,
    );
  const put = (path: string, value: unknown, status = 201, headers = {}) =>
    world.good({ method: "PUT", path, json: value, headers }, status);
  test("P6 a document is canonical JSON, its ETag the SHA-256 of it, its vector clock beside it", async () => {
    const path = fresh();
    const { json, headers } = await put(path, { b: 1, a: [1.0, "é"], "10": {} });
    const accepted = json as Accepted;
    assert.deepEqual(
      [accepted.source, accepted.id, accepted.verdict, accepted.final],
      ["test", 1, { kind: "ok" }, true],
    );
    const text = '{"10":{},"a":[1,"é"],"b":1}';
    const hash = createHash("sha256").update(text).digest("hex");
    assert.equal(headers["etag"], `"${hash}"`);
    const read = await get(path);
    assert.equal(read.bytes.toString(), text);
    assert.equal(read.headers["content-type"], "application/json");
    assert.equal(read.headers["etag"], `"${hash}"`);
    assert.deepEqual(JSON.parse(String(read.headers["truba-vclock"])), { test: 1 });
    assert.deepEqual(
      ["transactions", "final", "rejected"].map((each) => read.headers[`truba-${each}`]),
      ["1", "1", "0"],
    );
    assert.equal(read.headers["accept-patch"], "application/json-patch+json");
    const head = await world.good({ method: "HEAD", path });
    assert.deepEqual([head.bytes.length, head.headers["etag"]], [0, `"${hash}"`]);
  });

  for (const value of [null, true, 0, -1.5, "", "text", [], [[]], {}, { "": { "": null } }])
    test(`PUT takes any JSON, ${JSON.stringify(value)} too; 201 when it is new, then 200`, async () => {
      const path = fresh();
      await put(path, value);
      assert.deepEqual((await get(path)).json, value);
      await put(path, [value], 200);
      assert.deepEqual((await get(path)).json, [value]);
      await put(path, value, 200);
      assert.deepEqual((await get(path)).json, value);
    });

  test("of many who put a new document at one time one is told that it made it", async () => {
    const path = fresh();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => world.ask({ method: "PUT", path, json: i })),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(byNumber), [
      ...Array(7).fill(200),
      201,
    ]);
    const { transactions } = (await get(`${path}/history`)).json as HistoryPage;
    assert.deepEqual(
      transactions.map(({ id }) => id),
      [1, 2, 3, 4, 5, 6, 7, 8],
    );
  });

  test("PATCH makes a document out of {} and names the transaction; without operations it makes none", async () => {
    const path = fresh();
    await world.problem({ method: "GET", path }, "NODOCUMENT", 404);
    const first = (await patch(path, [{ op: "add", path: "/0", value: ["Hello"] }]))
      .json as Accepted;
    assert.deepEqual([first.source, first.id, first.vclock], ["test", 1, { test: 1 }]);
    const none = (await patch(path, [])).json as Accepted;
    assert.deepEqual([none.source, none.id, none.vclock], [undefined, undefined, { test: 1 }]);
    await patch(path, [{ op: "add", path: "/0/-", value: "World" }]);
    assert.equal((await get(path)).bytes.toString(), '{"0":["Hello","World"]}');
  });

  test("409 names the operation that failed, why, what a test wanted and what it found; nothing is changed", async () => {
    const path = fresh();
    await put(path, { a: 1, list: [] });
    const old = await get(path);
    const problem = await world.problem(
      patchAsked(path, [
        { op: "add", path: "/b", value: 2 },
        { op: "test", path: "/a", value: [2] },
      ]),
      "PATCHFAILED",
      409,
    );
    assert.deepEqual(
      [problem.operation, problem.op, problem.path, problem.expected, problem.actual],
      [1, "test", "/a", [2], 1],
    );
    assert.equal(typeof problem.reason, "string");
    const missing = await world.problem(
      patchAsked(path, [{ op: "replace", path: "/nothing", value: 1 }]),
      "PATCHFAILED",
      409,
    );
    assert.deepEqual([missing.operation, missing.op, missing.path], [0, "replace", "/nothing"]);
    for (const operation of [
      { op: "remove", path: "/nothing" },
      { op: "move", from: "/nothing", path: "/x" },
      { op: "copy", from: "/nothing", path: "/x" },
      { op: "move", from: "/list", path: "/list/0" },
      { op: "add", path: "/list/1", value: 0 },
      { op: "add", path: "/list/00", value: 0 },
      { op: "add", path: "/a/b", value: 0 },
      { op: "remove", path: "/list/-" },
    ])
      await world.problem(patchAsked(path, [operation]), "PATCHFAILED", 409);
    const now = await get(path);
    assert.equal(now.bytes.toString(), old.bytes.toString());
    assert.equal(now.headers["truba-vclock"], old.headers["truba-vclock"]);
  });

  test("P8 what a test compared is told of unless it is long", async () => {
    const path = fresh();
    await put(path, { long: "x".repeat(100_000) });
    const problem = await world.problem(
      patchAsked(path, [{ op: "test", path: "", value: 1 }]),
      "PATCHFAILED",
      409,
    );
    assert.deepEqual([problem.expected, "actual" in problem], [1, false]);
  });

  test("§13.1 If-Match: a change is done for the hash that it was made for, by list and by *, else 412", async () => {
    const path = fresh();
    const change = [{ op: "add", path: "/x", value: 1 }];
    const refused = (ifMatch: string) =>
      world.problem(patchAsked(path, change, { "if-match": ifMatch }), "HASHCONFLICT", 412);
    await refused("*");
    await refused('"aa"');
    const etag = String((await put(path, {})).headers["etag"]);
    await refused('"aa"');
    await refused(`W/${etag}`);
    await patch(path, change, { "if-match": `"aa", W/"bb", ${etag}` });
    await refused(etag);
    await patch(path, change, { "if-match": "*" });
    const conflict = await world.ask({
      method: "PUT",
      path,
      json: 1,
      headers: { "if-match": etag },
    });
    assert.equal(conflict.status, 412);
    assert.equal(conflict.headers["etag"], (await get(path)).headers["etag"]);
    await put(path, 1, 200, { "if-match": String(conflict.headers["etag"]) });
    assert.equal((await get(path)).json, 1);
  });

  test("of many who change the same hash one wins", async () => {
    const path = fresh();
    const etag = String((await put(path, {})).headers["etag"]);
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        world.ask(patchAsked(path, [{ op: "add", path: `/${i}`, value: i }], { "if-match": etag })),
      ),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(byNumber), [
      200,
      ...Array(7).fill(412),
    ]);
    assert.equal(Object.keys((await get(path)).json as object).length, 1);
  });

  test("§13.1.2 If-None-Match: * makes only what is not there; a hash excludes what is", async () => {
    const path = fresh();
    const etag = String((await put(path, 1, 201, { "if-none-match": "*" })).headers["etag"]);
    const refused = (ifNoneMatch: string) =>
      world.problem(
        { method: "PUT", path, json: 2, headers: { "if-none-match": ifNoneMatch } },
        "HASHCONFLICT",
        412,
      );
    await refused("*");
    await refused(etag);
    await refused(`W/${etag}`);
    await put(path, 2, 200, { "if-none-match": '"aa"' });
    const none = fresh();
    await put(none, 3, 201, { "if-none-match": '"aa"' });
    await world.problem(
      { method: "PUT", path: "/v1/documents/default", json: 1, headers: { "if-none-match": "*" } },
      "HASHCONFLICT",
      412,
    );
  });

  test("§13.1 GET answers 304 to who has it, 412 to who wants another", async () => {
    const path = fresh();
    const etag = String((await put(path, { a: 1 })).headers["etag"]);
    for (const known of [etag, `W/${etag}`, `"aa", ${etag}`, "*"]) {
      const headers = { "if-none-match": known };
      const answered = await world.good({ method: "GET", path, headers }, 304);
      assert.deepEqual([answered.bytes.length, answered.headers["etag"]], [0, etag], known);
    }
    await get(path, { "if-none-match": '"aa"' });
    await get(path, { "if-match": etag });
    const headers = { "if-match": '"aa"' };
    await world.problem({ method: "GET", path, headers }, "HASHCONFLICT", 412);
    await put(path, { a: 2 }, 200);
    await get(path, { "if-none-match": etag });
  });

  test("what looks like a condition and is none is BADVALUE, and nothing is changed", async () => {
    const path = fresh();
    for (const name of ["if-match", "if-none-match"])
      await world.problem(
        { method: "PUT", path, json: 1, headers: { [name]: "aa" } },
        "BADVALUE",
        400,
      );
    await world.problem({ method: "GET", path }, "NODOCUMENT", 404);
  });

  test("405 with Allow, 415 with Accept-Patch, 404 for what is not there", async () => {
    const path = fresh();
    for (const method of ["DELETE", "POST", "OPTIONS"]) {
      const answered = await world.ask({ method, path });
      assert.equal(answered.status, 405, method);
      assert.equal(answered.headers["allow"], "GET, HEAD, PUT, PATCH");
    }
    await put(path, {});
    for (const type of [
      "application/json",
      "application/merge-patch+json",
      "text/plain",
      "application/x-www-form-urlencoded",
      "application/json-patch+json; charset=latin1",
      "application/json-patch+jsonx",
      undefined,
    ]) {
      const answered = await world.ask({
        method: "PATCH",
        path,
        headers: type === undefined ? {} : { "content-type": type },
        bytes: "[]",
      });
      assert.equal(answered.status, 415, type);
      assert.equal(answered.headers["accept-patch"], "application/json-patch+json");
    }
    for (const type of [
      "Application/JSON-Patch+json",
      "application/json-patch+json; charset=utf-8",
      'application/json-patch+json;charset="UTF-8"',
    ])
      await world.good({ method: "PATCH", path, headers: { "content-type": type }, bytes: "[]" });
    for (const type of ["text/plain", "application/json-patch+json", "text/json"])
      await world.problem(
        { method: "PUT", path, headers: { "content-type": type }, bytes: "1" },
        "BADCONTENTTYPE",
        415,
      );
    await world.problem(
      { method: "PUT", path, headers: { "content-encoding": "gzip" }, json: 1 },
      "BADCONTENTTYPE",
      415,
    );
    for (const word of ["", "/history", "/conflicts", "/status"])
      await world.problem({ method: "GET", path: `/v1/documents/none${word}` }, "NODOCUMENT", 404);
  });

  test("a dry run says what would happen and makes nothing", async () => {
    const path = fresh();
    await put(path, { a: 1 });
    const old = await get(path);
    const dry = (await patch(`${path}?dry-run=true`, [{ op: "replace", path: "/a", value: 2 }]))
      .json as Accepted;
    assert.deepEqual([dry.text, dry.source, dry.verdict.kind], ['{"a":2}', undefined, "ok"]);
    await world.problem(
      patchAsked(`${path}?dry-run=true`, [{ op: "test", path: "/a", value: 2 }]),
      "PATCHFAILED",
      409,
    );
    const whole = (await put(`${path}?dry-run=true`, [1], 200)).json as Accepted;
    assert.equal(whole.text, "[1]");
    const none = fresh();
    assert.equal(((await put(`${none}?dry-run=true`, [1], 200)).json as Accepted).text, "[1]");
    await world.problem({ method: "GET", path: none }, "NODOCUMENT", 404);
    assert.deepEqual((await get(path)).headers["truba-vclock"], old.headers["truba-vclock"]);
  });

  test("wait=stable answers when the verdict is final: on a node alone at once (D10)", async () => {
    const path = fresh();
    const { json } = await patch(`${path}?wait=stable`, [{ op: "add", path: "/a", value: 1 }]);
    assert.deepEqual([(json as Accepted).final, (json as Accepted).verdict.kind], [true, "ok"]);
    await patch(`${path}?wait=durable`, [{ op: "remove", path: "/a" }]);
    for (const query of ["wait=long", "wait=", "dry-run=1", "dry-run", "nothing=1"])
      await world.problem(patchAsked(`${path}?${query}`, []), "BADVALUE", 400);
  });

  test("documents are listed by name, some at a time, with what they hold", async () => {
    await using other = await HttpWorld.start();
    for (const name of ["b", "a", "c.~_-9", "Z"])
      await other.good({ method: "PUT", path: `/v1/documents/${name}`, json: name }, 201);
    const list = async (query: string) =>
      (await other.good({ method: "GET", path: `/v1/documents${query}` })).json as {
        documents: readonly { name: string; vclock: object; hash?: string }[];
        next?: string;
      };
    const all = await list("");
    assert.deepEqual(
      all.documents.map(({ name }) => name),
      ["Z", "a", "b", "c.~_-9", "default"],
    );
    assert.equal(all.next, undefined);
    assert.deepEqual(all.documents[1]?.vclock, { test: 1 });
    const found: string[] = [];
    for (let page = await list("?count=2"); ; page = await list(`?count=2&after=${page.next}`)) {
      found.push(...page.documents.map(({ name }) => name));
      if (page.next === undefined) break;
    }
    assert.deepEqual(found, ["Z", "a", "b", "c.~_-9", "default"]);
    for (const bad of ["count=0", "count=1001", "count=x"])
      await other.problem({ method: "GET", path: `/v1/documents?${bad}` }, "BADVALUE", 400);
  });

  test("status shows source, agreement and members; links are listed", async () => {
    const path = fresh();
    await put(path, [1]);
    const { json } = await get(`${path}/status`);
    const status = json as { source: string; agreement: string; members: { kind: string }[] };
    assert.deepEqual([status.source, status.agreement], ["test", "converged"]);
    assert.deepEqual(
      status.members.map(({ kind }) => kind),
      ["self"],
    );
    assert.deepEqual((await get("/v1/document-links")).json, { links: [] });
    assert.deepEqual((await get(`${path}/conflicts`)).json, { conflicts: [] });
  });

  test("evict: NOMEMBER for who takes no part, BADVALUE for the node itself and for a body that says nothing", async () => {
    const path = fresh();
    await put(path, 1);
    const evict = (json: unknown) => ({ method: "POST", path: `${path}/evict`, json });
    await world.problem(evict({ source: "nobody" }), "NOMEMBER", 404);
    await world.problem(evict({ source: "test" }), "BADVALUE", 400);
    for (const bad of [{}, { source: 1 }, { source: "a", more: 1 }, [], null])
      await world.problem(evict(bad), "BADVALUE", 400);
    await world.problem(
      { method: "POST", path: "/v1/documents/none/evict", json: { source: "b" } },
      "NOMEMBER",
      404,
    );
  });
});
