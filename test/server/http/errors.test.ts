import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { errorCodes } from "../../../src/base/errors.ts";
import { type Asked, HttpWorld, base64, keyOf } from "./http-world.ts";

const push = (more: Partial<Asked>): Asked => ({
  method: "POST",
  path: "/v1/queue.push",
  ...more,
});

const ack = (leases: unknown): Asked => ({
  method: "POST",
  path: "/v1/queues/q/ack",
  json: { leases },
});

const typed = (type: string, bytes = '{"queue":"q","payload":""}'): Asked =>
  push({ bytes, headers: { "content-type": type } });

suite("HTTP: problems (RFC 9457) and bad input", () => {
  let world: HttpWorld;
  before(async () => {
    world = await HttpWorld.start();
    await world.good({ method: "PUT", path: "/v1/queues/q" }, 201);
  });
  after(() => world.stop());

  test("a problem has type, title, status, detail and code; when to come back, if known, twice", async () => {
    const problem = await world.problem({ method: "GET", path: "/v1/queues/none" }, "NOQUEUE", 404);
    assert.deepEqual(problem, {
      type: "/docs/errors.md#noqueue",
      title: "There is no queue of this name",
      status: 404,
      detail: problem.detail,
      code: "NOQUEUE",
    });
    assert.match(problem.detail, /"?none"?/);
    world.node.setDiskFull(true);
    const full = await world.ask(push({ json: { queue: "q", payload: "" } }));
    world.node.setDiskFull(false);
    assert.equal(full.status, 507);
    assert.equal((full.json as { retryAfterMs: number }).retryAfterMs, 1_000);
    assert.equal(full.headers["retry-after"], "1");
  });

  test("the page that types point at is there, and has every code", async () => {
    const page = await world.good({ method: "GET", path: "/docs/errors.md" });
    for (const code of errorCodes) assert.ok(page.bytes.includes(`\`${code}\``), code);
  });

  test("an address that is not there is NOROUTE, whatever the method", async () => {
    for (const method of ["GET", "POST", "DELETE", "OPTIONS", "PROPFIND"])
      for (const path of [
        "/v2/queues",
        "/v1",
        "/v1/batch/",
        "/v1/queues/q/nothing",
        "/V1/queues",
        "//",
        "/v1/queue.nothing",
      ])
        await world.problem({ method, path }, "NOROUTE", 404);
  });

  test("a path that is not one is refused", async () => {
    await world.problem({ method: "GET", path: "/v1/queues/%zz" }, "ERR", 400);
    await world.problem({ method: "GET", path: "/v1/queues/%ff" }, "ERR", 400);
  });

  test("a method that an address does not take is BADMETHOD, with Allow", async () => {
    const answered = await world.ask({ method: "POST", path: "/v1/queues/q" });
    assert.equal(answered.status, 405);
    assert.equal((answered.json as { code: string }).code, "BADMETHOD");
    assert.equal(answered.headers["allow"], "PUT, PATCH, GET, HEAD, DELETE");
    await world.problem({ method: "GET", path: "/v1/batch" }, "BADMETHOD", 405);
    await world.problem({ method: "TRACE", path: "/" }, "BADMETHOD", 405);
  });

  for (const type of [
    "application/json",
    "application/json; charset=utf-8",
    'application/json;charset="UTF-8"',
    "Application/JSON",
  ])
    test(`content type ${type} is JSON`, async () => {
      await world.good(typed(type));
    });

  for (const type of [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/json\t; charset=utf-8",
    "application/json garbage",
    "application/json; charset=latin1",
    "application/json, text/plain",
    "application/jsonp",
    "text/json",
    "application/vnd.api+json",
    "nonsense",
    ";",
  ])
    test(`content type ${JSON.stringify(type)} is BADCONTENTTYPE where JSON is meant`, async () => {
      await world.problem(typed(type), "BADCONTENTTYPE", 415);
    });

  test("a body without a content type is BADCONTENTTYPE where JSON is meant", async () => {
    await world.problem(push({ bytes: "{}" }), "BADCONTENTTYPE", 415);
  });

  test("a body that is compressed is BADCONTENTTYPE", async () => {
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    await world.problem(push({ bytes: "{}", headers }), "BADCONTENTTYPE", 415);
  });

  for (const bytes of [
    "{",
    "",
    "nul",
    '{"a":1}}',
    "{'queue':'q'}",
    '{"queue":"q","payload":"",}',
    "\u0000",
    "NaN",
  ])
    test(`body ${JSON.stringify(bytes)} is BADJSON, and nothing is done`, async () => {
      const numbers = world.node.partitions.map(({ number }) => number);
      await world.problem(typed("application/json", bytes), "BADJSON", 400);
      assert.deepEqual(
        world.node.partitions.map(({ number }) => number),
        numbers,
      );
    });

  test("a body that is not UTF-8 is BADJSON", async () => {
    const bytes = Buffer.from('{"queue":"q\xff","payload":""}', "latin1");
    await world.problem(
      push({ bytes, headers: { "content-type": "application/json" } }),
      "BADJSON",
      400,
    );
  });

  const wrongFields: readonly (readonly [unknown, RegExp])[] = [
    [{ queue: "q" }, /payload is missing/],
    [{ queue: "q", payload: 5 }, /payload is 5; it must be string/],
    [{ queue: "q", payload: "a" }, /payload is 1 characters that are not base64/],
    [{ queue: "q", payload: "aGVsbG8" }, /base64/],
    [{ queue: "q", payload: "aGVs bG8=" }, /base64/],
    [{ queue: "q", payload: "_-==" }, /base64/],
    [{ queue: "q", payload: "", extra: 1 }, /extra is not a field/],
    [{ queue: "q", payload: "", __proto__x: 1 }, /__proto__x is not a field/],
    [
      { queue: "q", payload: "", delayMs: -1 },
      /delayMs is -1; it must be a whole number from 0 to/,
    ],
    [{ queue: "q", payload: "", delayMs: 1.5 }, /delayMs is 1\.5/],
    [{ queue: "q", payload: "", delayMs: "1" }, /delayMs is "1"/],
    [{ queue: "q", payload: "", delayMs: null }, /delayMs is null/],
    [
      { queue: "q", payload: "", priority: [] },
      /priority is an array of 0; it must be integer or string of digits/,
    ],
    [{ queue: "q", payload: "", dedup: {} }, /dedup is an object/],
    [[], /body is an array of 0; it must be object/],
    ["text", /body is "text"/],
    [null, /body is null/],
    [5, /body is 5/],
  ];
  for (const [json, detail] of wrongFields)
    test(`body ${JSON.stringify(json)} is BADVALUE: ${detail.source}`, async () => {
      const problem = await world.problem(push({ json }), "BADVALUE", 400);
      assert.match(problem.detail, detail);
    });

  test("a member named __proto__ is a field like any other, and not one of these requests", async () => {
    const problem = await world.problem(
      typed("application/json", '{"queue":"q","payload":"","__proto__":{"delayMs":1}}'),
      "BADVALUE",
      400,
    );
    assert.match(problem.detail, /__proto__ is not a field/);
  });

  test("leases are checked one by one, and named by their place", async () => {
    const problem = await world.problem(
      ack([
        { task: 1, lease: 2 },
        { task: 1, lease: "2" },
      ]),
      "BADVALUE",
      400,
    );
    assert.match(problem.detail, /leases\.1\.lease is "2"/);
    await world.problem(ack([]), "BADVALUE", 400);
    await world.problem(
      ack(Array.from({ length: 1_025 }, () => ({ task: 1, lease: 1 }))),
      "BADVALUE",
      400,
    );
  });

  test("a JSON body over the limit is TOOLARGE", async () => {
    const json = { queue: "q", payload: base64("x".repeat(6_300_000)) };
    await world.problem(push({ json }), "TOOLARGE", 413);
  });

  test("a value over its limit in a body within its own is TOOLARGE", async () => {
    const json = { key: keyOf(1), value: Buffer.alloc(1_048_577).toString("base64") };
    await world.problem({ method: "POST", path: "/v1/record.set", json }, "TOOLARGE", 413);
  });

  test("a request without a body where one is needed is BADJSON", async () => {
    await world.problem({ method: "POST", path: "/v1/batch" }, "BADJSON", 400);
  });

  test("a bug of ours is 500 without a word of it, and logged", async () => {
    const { requests } = world.node;
    const real = requests.read.bind(requests);
    requests.read = () => {
      throw new Error("the secret cause");
    };
    await assert.rejects(world.ask({ method: "GET", path: "/v1/queues" }), /the secret cause/);
    assert.equal(world.bugs.length, 1);
    world.bugs.length = 0;
    requests.read = real;
    await world.good({ method: "GET", path: "/v1/queues" });
  });

  test("deeply nested JSON costs nothing", async () => {
    const depth = 100_000;
    const bytes = `{"requests":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    await world.problem(
      { method: "POST", path: "/v1/batch", bytes, headers: { "content-type": "application/json" } },
      "BADVALUE",
      400,
    );
  });
});
