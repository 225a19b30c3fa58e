import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { HttpWorld, base64, keyOf } from "./http-world.ts";

const at = (number: number): string => `/v1/records/${keyOf(number)}`;

const post = (verb: string, request: object) => ({
  method: "POST",
  path: `/v1/${verb}`,
  json: request,
});

suite("HTTP: /v1/records (P1, P2, P3)", () => {
  let world: HttpWorld;
  before(async () => {
    world = await HttpWorld.start();
  });
  after(() => world.stop());

  test("a value is written and read as bytes, of any content type, with its version as ETag", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const put = await world.good(
      { method: "PUT", path: at(1), bytes, headers: { "content-type": "image/png" } },
      201,
    );
    const { version } = put.json as { version: number };
    assert.deepEqual(put.json, { status: "created", version, copies: 1 });
    const got = await world.good({ method: "GET", path: at(1) });
    assert.deepEqual(new Uint8Array(got.bytes), bytes);
    assert.equal(got.headers["content-type"], "application/octet-stream");
    assert.equal(got.headers["etag"], `"${version}"`);
    assert.equal(put.headers["etag"], `"${version}"`);
  });

  test("a value may be empty, JSON, and sent without a content type", async () => {
    await world.good({ method: "PUT", path: at(2) }, 201);
    assert.equal((await world.good({ method: "GET", path: at(2) })).bytes.length, 0);
    await world.good({ method: "PUT", path: at(2), json: { a: 1 } });
    assert.equal((await world.good({ method: "GET", path: at(2) })).bytes.toString(), '{"a":1}');
    await world.good({ method: "PUT", path: at(2), bytes: "no type" });
    assert.equal((await world.good({ method: "GET", path: at(2) })).bytes.toString(), "no type");
  });

  test("If-Match and If-None-Match are conditions; one that does not hold is 412 and changes nothing", async () => {
    const put = (value: string, headers: Record<string, string>) => ({
      method: "PUT",
      path: at(3),
      bytes: value,
      headers,
    });
    await world.problem(put("a", { "if-match": "*" }), "NOTFOUND", 412);
    await world.good(put("a", { "if-none-match": "*" }), 201);
    await world.problem(put("b", { "if-none-match": "*" }), "EXISTS", 412);
    const first = await world.good(put("b", { "if-match": "*" }));
    await world.good(put("c", { "if-match": String(first.headers["etag"]) }));
    const refused = await world.ask(put("d", { "if-match": String(first.headers["etag"]) }));
    assert.equal(refused.status, 412);
    const got = await world.good({ method: "GET", path: at(3) });
    assert.equal(got.bytes.toString(), "c");
    assert.equal(
      refused.headers["etag"],
      got.headers["etag"],
      "the refusal tells the version that stands",
    );
    await world.problem(
      { method: "DELETE", path: at(3), headers: { "if-match": String(first.headers["etag"]) } },
      "VERSIONCONFLICT",
      412,
    );
  });

  const badConditions: readonly (readonly [string, Record<string, string>])[] = [
    ["a weak version", { "if-match": 'W/"3"' }],
    ["a version without quotes", { "if-match": "3" }],
    ["several versions", { "if-match": '"3", "4"' }],
    ["a version that is too large", { "if-match": '"9007199254740993"' }],
    ["a version as If-None-Match of a write", { "if-none-match": '"3"' }],
    ["both conditions", { "if-match": "*", "if-none-match": "*" }],
  ];
  for (const [title, headers] of badConditions) {
    test(`${title} is BADVALUE`, async () => {
      await world.problem({ method: "PUT", path: at(4), bytes: "x", headers }, "BADVALUE", 400);
      await world.problem({ method: "GET", path: at(4) }, "NOTFOUND", 404);
    });
  }

  test("a read that names the version it has is 304", async () => {
    const put = await world.good({ method: "PUT", path: at(5), bytes: "x" }, 201);
    const known = { "if-none-match": `"0", W/${String(put.headers["etag"])}` };
    const same = await world.good({ method: "GET", path: at(5), headers: known }, 304);
    assert.equal(same.bytes.length, 0);
    await world.good({ method: "PUT", path: at(5), bytes: "y" });
    await world.good({ method: "GET", path: at(5), headers: known });
  });

  test("HEAD tells the version without the value", async () => {
    await world.good({ method: "PUT", path: at(6), bytes: "123" }, 201);
    const head = await world.good({ method: "HEAD", path: at(6) });
    assert.equal(head.bytes.length, 0);
    assert.match(String(head.headers["etag"]), /^"\d+"$/);
  });

  test("DELETE deletes; a record that is not there is NOTFOUND", async () => {
    await world.good({ method: "PUT", path: at(7), bytes: "x" }, 201);
    await world.good({ method: "DELETE", path: at(7) });
    await world.problem({ method: "DELETE", path: at(7) }, "NOTFOUND", 404);
    await world.problem({ method: "GET", path: at(7) }, "NOTFOUND", 404);
  });

  test("a key that is no UUID of version 4 is BADKEY", async () => {
    for (const key of ["x", keyOf(1).replace("-4000", "-1000"), `%7B%7D${keyOf(1)}`])
      for (const method of ["GET", "PUT", "DELETE"])
        await world.problem({ method, path: `/v1/records/${key}` }, "BADKEY", 400);
  });

  test("a key may have a {tag}", async () => {
    const path = `/v1/records/%7Border-7%7D${keyOf(8)}`;
    await world.good({ method: "PUT", path, bytes: "x" }, 201);
    assert.equal((await world.good({ method: "GET", path })).bytes.toString(), "x");
  });

  test("expiryMs ends a record", async () => {
    await world.good({ method: "PUT", path: `${at(9)}?expiryMs=60`, bytes: "x" }, 201);
    await new Promise((resolve) => setTimeout(resolve, 150));
    await world.problem({ method: "GET", path: at(9) }, "NOTFOUND", 404);
  });

  for (const query of [
    "expiryMs=0",
    "expiryMs=1.5",
    "expiryMs=x",
    "expiryMs=-1",
    "expiryMs=1&expiryMs=2",
    "other=1",
  ]) {
    test(`?${query} is BADVALUE, and names the field`, async () => {
      const problem = await world.problem(
        { method: "PUT", path: `${at(10)}?${query}`, bytes: "x" },
        "BADVALUE",
        400,
      );
      assert.match(problem.detail, new RegExp(query.split("=")[0] ?? ""));
    });
  }

  test("a value of the largest size is taken, one byte more is TOOLARGE", async () => {
    await world.good({ method: "PUT", path: at(11), bytes: new Uint8Array(1_048_576) }, 201);
    const problem = await world.problem(
      { method: "PUT", path: at(11), bytes: new Uint8Array(1_048_577) },
      "TOOLARGE",
      413,
    );
    assert.match(problem.detail, /1048577.*1048576/);
  });

  test("a list tells every key exactly once", async () => {
    const keys = new Set<string>();
    const tagged = Array.from({ length: 40 }, (_, i) => keyOf(100 + i));
    for (const key of tagged) await world.good({ method: "PUT", path: `/v1/records/${key}` }, 201);
    let cursor = 0;
    do {
      const { json } = await world.good({
        method: "GET",
        path: `/v1/records?cursor=${cursor}&count=7`,
      });
      const page = json as { cursor: number; keys: readonly string[] };
      for (const key of page.keys) {
        assert.ok(!keys.has(key), `${key} twice`);
        keys.add(key);
      }
      ({ cursor } = page);
    } while (cursor !== 0);
    for (const key of tagged) assert.ok(keys.has(key));
    await world.problem({ method: "GET", path: "/v1/records?cursor=9007199254740991" }, "BADVALUE");
  });

  test("the same Idempotency-Key takes effect once, with one answer (P3)", async () => {
    const asked = {
      method: "PUT",
      path: at(12),
      bytes: "x",
      headers: { "idempotency-key": "put-12" },
    };
    const first = await world.good(asked, 201);
    const again = await world.good(asked, 201);
    assert.deepEqual(again.json, first.json);
    await world.problem({ ...asked, bytes: "y" }, "REQUESTREUSED", 409);
    await world.problem({ ...asked, headers: { "idempotency-key": "a b" } }, "BADVALUE", 400);
    await world.problem(
      { ...asked, headers: { "idempotency-key": "x".repeat(65) } },
      "BADVALUE",
      400,
    );
  });

  test("the plain form says the same: POST /v1/record.set, get, check, delete", async () => {
    const key = keyOf(13);
    const set = await world.good(post("record.set", { key, value: base64("v"), ifAbsent: true }));
    const { version } = set.json as { version: number };
    const exists = await world.good(
      post("record.set", { key, value: base64("v"), ifAbsent: true }),
    );
    assert.deepEqual(exists.json, { status: "exists", version, copies: 0 });
    const got = await world.good(post("record.get", { key }));
    assert.deepEqual(got.json, { version, value: base64("v") });
    await world.good(post("record.check", { key, ifVersion: version }));
    await world.problem(
      post("record.check", { key, ifVersion: version + 1 }),
      "VERSIONCONFLICT",
      409,
    );
    await world.good(post("record.delete", { key }));
    assert.deepEqual((await world.good(post("record.get", { key }))).json, {
      version: 0,
      value: null,
    });
  });
});
