/** The course exercise over HTTP: its transcript, its forms, and which pages may use them. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, suite, test } from "node:test";
import { type Answered, type Asked, HttpWorld } from "./http-world.ts";

const text = (answered: Answered): string => answered.bytes.toString();

suite("HTTP: the exercise", () => {
  let world: HttpWorld;
  before(async () => {
    world = await HttpWorld.start();
  });
  after(() => world.stop());

  const send = (path: string, patch: unknown, more: Partial<Asked> = {}): Promise<Answered> =>
    world.ask({ method: "POST", path, bytes: JSON.stringify(patch), ...more });

  const told = async (asked: Asked, status: number, code: string, words: RegExp): Promise<void> => {
    const plain = await world.ask(asked);
    assert.equal(plain.status, status);
    assert.equal(plain.headers["content-type"], "text/plain; charset=utf-8");
    assert.equal(plain.headers["truba-error"], code);
    assert.match(text(plain), words);
    assert.match(text(plain), /\n$/);
    for (const accept of ["application/json", "text/html, application/problem+json;q=0.9"])
      await world.problem({ ...asked, headers: { ...asked.headers, accept } }, code, status);
    for (const accept of ["*/*", "text/plain"]) {
      const again = await world.ask({ ...asked, headers: { ...asked.headers, accept } });
      assert.equal(again.headers["content-type"], "text/plain; charset=utf-8");
    }
  };

  const allowed = async (method: string, path: string): Promise<unknown> => {
    const { status, headers } = await world.ask({ method, path });
    assert.equal(status, 405);
    return headers["allow"];
  };

  test('three patches give {"0":["Hello","World"]}, as text of JSON; the vector clock counts them', async () => {
    await using fresh = await HttpWorld.start();
    const say = (patch: unknown): Promise<Answered> =>
      fresh.good({ method: "POST", path: "/replace", bytes: JSON.stringify(patch) });
    assert.equal(text(await fresh.good({ method: "GET", path: "/get" })), "{}");
    assert.equal(text(await fresh.good({ method: "GET", path: "/vclock" })), "{}");
    // The member is not there: RFC 6902 would refuse it, the exercise's own example needs it.
    const first = await say([{ op: "replace", path: "/0", value: [] }]);
    assert.match(String(first.headers["content-type"]), /^application\/json/);
    const { Source, Id } = first.json as { Source: string; Id: number };
    assert.deepEqual([Source, Id], ["test", 1]);
    await say([{ op: "add", path: "/0/-", value: "Hello" }]);
    await say([{ op: "add", path: "/0/-", value: "World" }]);
    const { headers, ...got } = await fresh.good({ method: "GET", path: "/get" });
    assert.equal(got.bytes.toString(), '{"0":["Hello","World"]}');
    assert.match(String(headers["content-type"]), /^application\/json/);
    assert.equal(text(await fresh.good({ method: "GET", path: "/vclock" })), '{"test":3}');
    const known = { "if-none-match": String(headers["etag"]) };
    await fresh.good({ method: "GET", path: "/get", headers: known }, 304);
    // What travels is strict: the replace has become an add.
    const { json } = await fresh.good({ method: "GET", path: "/v1/documents/default/history" });
    const { transactions } = json as { transactions: readonly { operations: object[] }[] };
    assert.deepEqual(transactions[0]?.operations, [{ op: "add", path: "/0", value: [] }]);
  });

  for (const word of ["replace", "post"])
    for (const base of ["", "/d/other"])
      test(`${base}/${word} takes a raw patch by POST and PUT, under any content type or none`, async () => {
        for (const method of ["POST", "PUT"])
          for (const type of [
            undefined,
            "text/plain;charset=UTF-8",
            "application/x-www-form-urlencoded",
            "application/json",
            "application/octet-stream",
            "nonsense",
          ]) {
            const headers: Record<string, string> =
              type === undefined ? {} : { "content-type": type };
            const patch = [{ op: "replace", path: `/${method}`, value: type ?? null }];
            const answered = await send(`${base}/${word}`, patch, { method, headers });
            assert.equal(answered.status, 200, text(answered));
            const { Id } = answered.json as { Id: number };
            assert.ok(Id >= 1);
            const got = await world.good({ method: "GET", path: `${base}/get` });
            assert.equal((got.json as Record<string, unknown>)[method], type ?? null);
          }
      });

  test("a patch without operations is 200 and makes no transaction", async () => {
    const clock = text(await world.good({ method: "GET", path: "/vclock" }));
    const { json, status } = await send("/replace", []);
    assert.equal(status, 200);
    assert.deepEqual(
      [(json as { Source: unknown }).Source, (json as { Id: unknown }).Id],
      [null, null],
    );
    assert.equal(text(await world.good({ method: "GET", path: "/vclock" })), clock);
  });

  test("400, 409, 404 and 413 come in plain words with their code in Truba-Error; as problems to who accepts JSON", async () => {
    const post = { method: "POST", path: "/replace" };
    await told({ ...post, bytes: "Hello" }, 400, "BADJSON", /JSON/);
    await told(
      { ...post, bytes: JSON.stringify([{ op: "add", path: "/x" }]) },
      400,
      "BADPATCH",
      /value/,
    );
    await told(
      { ...post, bytes: JSON.stringify([{ op: "test", path: "/x", value: 1 }]) },
      409,
      "PATCHFAILED",
      /\/x/,
    );
    await told(
      { ...post, bytes: JSON.stringify([{ op: "remove", path: "/x" }]) },
      409,
      "PATCHFAILED",
      /\/x/,
    );
    await told(
      { ...post, bytes: JSON.stringify([{ op: "replace", path: "/x/y", value: 1 }]) },
      409,
      "PATCHFAILED",
      /\/x\/y/,
    );
    await told({ ...post, bytes: " ".repeat(1_048_577) }, 413, "TOOLARGE", /1048576|1,048,576/);
    await told({ method: "GET", path: "/d/none/get" }, 404, "NODOCUMENT", /none/);
    await told({ method: "GET", path: "/d/a%20b/vclock" }, 400, "BADDOCUMENTNAME", /a b/);
    await told({ method: "DELETE", path: "/get" }, 405, "BADMETHOD", /GET, HEAD/);
  });

  test("conditions hold here too: a patch for a hash that is no more is 412", async () => {
    const { headers } = await world.good({ method: "GET", path: "/get" });
    const ifMatch = { headers: { "if-match": String(headers["etag"]) } };
    const first = await send("/replace", [{ op: "add", path: "/once", value: 1 }], ifMatch);
    assert.equal(first.status, 200);
    const second = await send("/replace", [{ op: "add", path: "/once", value: 2 }], ifMatch);
    assert.deepEqual([second.status, second.headers["truba-error"]], [412, "HASHCONFLICT"]);
    assert.equal(second.headers["etag"], first.headers["etag"]);
  });

  test("405 names what is taken", async () => {
    for (const base of ["", "/d/x"]) {
      assert.equal(await allowed("GET", `${base}/replace`), "POST, PUT");
      assert.equal(await allowed("PATCH", `${base}/post`), "POST, PUT");
      assert.equal(await allowed("POST", `${base}/get`), "GET, HEAD");
      assert.equal(await allowed("PUT", `${base}/vclock`), "GET, HEAD");
    }
  });
});

const secretOf = (role: string): string => `secret-of-${role}`;

const as = (role: string, asked: Asked): Asked => ({
  ...asked,
  headers: { ...asked.headers, authorization: `Bearer ${secretOf(role)}` },
});

const foreign = ["http://evil.example", "https://127.0.0.1:8080", "null", "file://"];
const write: Asked = {
  method: "POST",
  path: "/replace",
  headers: { "content-type": "text/plain" },
  bytes: '[{"op":"add","path":"/x","value":1}]',
};
const withOrigin = (asked: Asked, origin: string, more = {}): Asked => ({
  ...asked,
  headers: { ...asked.headers, origin, ...more },
});

suite("HTTP: pages of other origins and the exercise's addresses", () => {
  test("on loopback without tokens pages of all origins may use them, and read the answers, as the exercise wants it", async () => {
    await using world = await HttpWorld.start();
    for (const base of ["", "/d/game"])
      for (const origin of foreign) {
        const asked = withOrigin({ ...write, path: `${base}/replace` }, origin, {
          "sec-fetch-site": "cross-site",
        });
        const written = await world.good(asked);
        assert.equal(written.headers["access-control-allow-origin"], origin);
        assert.equal(written.headers["vary"], "Origin");
        for (const word of ["get", "vclock"]) {
          const read = await world.good(
            withOrigin({ method: "GET", path: `${base}/${word}` }, origin),
          );
          assert.equal(read.headers["access-control-allow-origin"], origin);
        }
        const bad = await world.ask(withOrigin({ ...write, bytes: "x" }, origin));
        assert.equal(bad.status, 400);
        assert.equal(bad.headers["access-control-allow-origin"], origin, "and what went wrong");
        const ahead = { "access-control-request-method": "PUT" };
        const preflight = await world.good(
          withOrigin({ method: "OPTIONS", path: `${base}/replace` }, origin, ahead),
          204,
        );
        assert.equal(preflight.headers["access-control-allow-origin"], origin);
        assert.equal(preflight.headers["access-control-allow-methods"], "POST, PUT");
      }
  });

  test("that holds for no other address: what /v1 changes or tells stays closed to them", async () => {
    await using world = await HttpWorld.start();
    await world.good({ method: "PUT", path: "/v1/documents/x", json: 1 }, 201);
    for (const origin of foreign) {
      for (const asked of [
        { method: "PUT", path: "/v1/documents/x", json: 2 },
        {
          method: "PATCH",
          path: "/v1/documents/x",
          headers: { "content-type": "application/json-patch+json" },
          bytes: "[]",
        },
        { method: "GET", path: "/v1/documents/x" },
        { method: "GET", path: "/v1/documents/x/events" },
        { method: "GET", path: "/v1/documents" },
        { method: "POST", path: "/v1/documents/x/evict", json: { source: "b" } },
      ]) {
        await world.problem(withOrigin(asked, origin), "BADORIGIN", 403);
        const ahead = { "access-control-request-method": asked.method };
        await world.problem(
          withOrigin({ method: "OPTIONS", path: asked.path }, origin, ahead),
          "BADORIGIN",
          403,
        );
      }
    }
    assert.equal((await world.good({ method: "GET", path: "/v1/documents/x" })).json, 1);
  });

  test("a name that points here by its owner's doing is refused all the same (DNS rebinding)", async () => {
    await using world = await HttpWorld.start();
    for (const path of ["/get", "/vclock", "/replace", "/d/x/get"]) {
      const method = path === "/replace" ? "POST" : "GET";
      const headers = { host: "evil.example", origin: "http://evil.example" };
      await world.problem({ method, path, headers, bytes: "[]" }, "BADORIGIN", 403);
    }
    assert.equal(text(await world.good({ method: "GET", path: "/get" })), "{}");
  });

  test("beyond loopback only own pages and those that the configuration names may", async () => {
    const host = "truba.example:8080";
    await using world = await HttpWorld.start({
      host: "0.0.0.0",
      advertised: { host: "truba.example", port: 8765 },
      origins: ["https://console.example"],
    });
    for (const origin of foreign)
      for (const asked of [
        write,
        { method: "GET", path: "/get" },
        { method: "GET", path: "/d/x/vclock" },
      ]) {
        const answered = await world.ask(withOrigin(asked, origin, { host }));
        assert.equal(answered.status, 403, origin);
        assert.equal(answered.headers["truba-error"], "BADORIGIN");
        assert.equal(answered.headers["access-control-allow-origin"], undefined);
      }
    assert.equal(text(await world.good({ method: "GET", path: "/get", headers: { host } })), "{}");
    await world.good(withOrigin(write, `http://${host}`, { host }));
    const allowed = await world.good(withOrigin(write, "https://console.example", { host }));
    assert.equal(allowed.headers["access-control-allow-origin"], "https://console.example");
    await world.good({ ...write, headers: { host, "content-type": "text/plain" } });
    const embedded = { host, "sec-fetch-site": "cross-site" };
    await world.problem({ method: "GET", path: "/get", headers: embedded }, "BADORIGIN", 403);
  });

  test("with tokens pages of other origins may not, not even on loopback, and roles hold: read reads, write replaces", async () => {
    const tokens = (["read", "write", "admin"] as const).map((role) => ({
      name: role,
      role,
      sha256: createHash("sha256").update(secretOf(role)).digest("hex"),
    }));
    await using world = await HttpWorld.start({ tokens });
    for (const origin of foreign)
      await world.problem(withOrigin(as("write", write), origin), "BADORIGIN", 403);
    await world.problem(write, "NOAUTH", 401);
    await world.problem({ method: "GET", path: "/get" }, "NOAUTH", 401);
    const plain = await world.ask({ method: "GET", path: "/vclock" });
    assert.deepEqual([plain.status, plain.headers["www-authenticate"]], [401, "Bearer"]);
    await world.problem(as("read", write), "NOPERM", 403);
    await world.good(as("write", write));
    await world.good(as("read", { method: "GET", path: "/get" }));
    const path = "/v1/documents/default";
    await world.problem(as("read", { method: "PUT", path, json: 1 }), "NOPERM", 403);
    await world.good(as("write", { method: "PUT", path, json: {} }));
    await world.good(as("read", { method: "GET", path: `${path}/status` }));
    const evict = { method: "POST", path: `${path}/evict`, json: { source: "nobody" } };
    await world.problem(as("write", evict), "NOPERM", 403);
    await world.problem(as("admin", evict), "NOMEMBER", 404);
  });
});
