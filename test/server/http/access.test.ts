import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, suite, test } from "node:test";
import type { Role } from "../../../src/server/access.ts";
import { type Asked, HttpWorld, keyOf } from "./http-world.ts";

const secretOf = (role: Role): string => `secret-of-${role}`;
const tokens = (["read", "write", "admin", "peer"] as const).map((role) => ({
  name: `${role}er`,
  role,
  sha256: createHash("sha256").update(secretOf(role)).digest("hex"),
}));
const bearer = (secret: string): Record<string, string> => ({ authorization: `Bearer ${secret}` });

const listed = (headers: Record<string, string>): Asked => ({
  method: "GET",
  path: "/v1/queues",
  headers,
});

suite("HTTP: tokens", () => {
  let world: HttpWorld;
  before(async () => {
    world = await HttpWorld.start({ tokens });
  });
  after(() => world.stop());

  const read: Asked = { method: "GET", path: "/v1/queues" };
  const write: Asked = { method: "PUT", path: `/v1/records/${keyOf(1)}`, bytes: "x" };

  test("without one everything but the public pages and health is NOAUTH, with a challenge", async () => {
    for (const route of world.routes) {
      const path = route.path.replace("{file}", "test.js").replaceAll(/\{\w+\}/g, "x");
      const asked = { method: route.method, path, headers: { accept: "application/json" } };
      if (route.role === "public") {
        assert.equal((await world.ask(asked)).status, 200, path);
        continue;
      }
      const answered = await world.ask(asked);
      assert.equal(answered.status, 401, `${route.method} ${path}`);
      assert.equal((answered.json as { code: string }).code, "NOAUTH", path);
      assert.equal(answered.headers["www-authenticate"], "Bearer");
    }
  });

  test("roles allow what they say: read reads, write writes too, admin all, peer nothing", async () => {
    const may = async (role: Role, asked: Asked): Promise<number> =>
      (await world.ask({ ...asked, headers: bearer(secretOf(role)) })).status;
    assert.deepEqual([await may("read", read), await may("read", write)], [200, 403]);
    assert.deepEqual([await may("write", read), await may("write", write)], [200, 201]);
    assert.deepEqual([await may("admin", read), await may("admin", write)], [200, 200]);
    assert.deepEqual([await may("peer", read), await may("peer", write)], [403, 403]);
    const problem = await world.problem(
      { ...write, headers: bearer(secretOf("read")) },
      "NOPERM",
      403,
    );
    assert.match(problem.detail, /reader.*read.*write/);
  });

  test("a role that does not reach refuses every route that writes", async () => {
    for (const route of world.routes.filter(({ role }) => role === "write")) {
      const path = route.path.replaceAll(/\{\w+\}/g, "x");
      await world.problem(
        { method: route.method, path, headers: bearer(secretOf("read")) },
        "NOPERM",
        403,
      );
    }
  });

  const wrong: readonly (readonly [string, string, string])[] = [
    ["an unknown token", "Bearer nothing", "WRONGPASS"],
    ["another scheme", `Basic ${Buffer.from("a:b").toString("base64")}`, "WRONGPASS"],
    ["no token behind the scheme", "Bearer ", "WRONGPASS"],
    ["a token with more behind it", `Bearer ${secretOf("admin")} x`, "WRONGPASS"],
    ["two tokens joined by a comma", `Bearer ${secretOf("admin")}, Bearer x`, "WRONGPASS"],
  ];
  for (const [title, authorization, code] of wrong) {
    test(`${title} is ${code}, after a while`, async () => {
      const started = Date.now();
      await world.problem({ ...read, headers: { authorization } }, code, 401);
      assert.ok(Date.now() - started >= 190);
    });
  }

  test("the body of a request that may not be made is not read", async () => {
    await world.problem({ method: "POST", path: "/v1/batch", bytes: "{" }, "NOAUTH", 401);
    assert.equal(world.context.heldBytes, 0);
  });
});

suite("HTTP: pages of other origins", () => {
  let world: HttpWorld;
  before(async () => {
    world = await HttpWorld.start({
      origins: ["https://Console.example"],
      advertised: { host: "truba.example", port: 8765 },
    });
  });
  after(() => world.stop());

  test("the node's own page and pages that the configuration names may ask; all others are BADORIGIN", async () => {
    for (const [host, origin] of [
      ["127.0.0.1:8080", "http://127.0.0.1:8080"],
      ["localhost:8080", "http://localhost:8080"],
      ["[::1]:8080", "http://[::1]:8080"],
      ["truba.example:8080", "http://truba.example:8080"],
      ["127.0.0.1:8080", "https://console.example"],
    ] as const)
      await world.good(listed({ host, origin }));
    for (const origin of [
      "http://evil.example",
      "https://127.0.0.1:8080",
      "http://127.0.0.1:8081",
      "http://127.0.0.1",
      "https://console.example.evil.example",
      "http://console.example",
      "null",
      "",
    ]) {
      await world.problem(listed({ origin }), "BADORIGIN", 403);
      await world.problem(
        { method: "POST", path: "/v1/batch", headers: { origin }, json: { requests: [] } },
        "BADORIGIN",
      );
    }
  });

  test("public pages are shown wherever they are linked from", async () => {
    for (const path of ["/", "/api", "/openapi.json", "/health/live"])
      await world.good({
        method: "GET",
        path,
        headers: { origin: "http://evil.example", "sec-fetch-site": "cross-site" },
      });
  });

  test("what a page of another origin embeds or links is BADORIGIN, though browsers send no Origin with it", async () => {
    const path = "/v1/queues/default/tasks?credit=5";
    for (const site of ["cross-site", "same-site"])
      await world.problem(
        { method: "GET", path, headers: { "sec-fetch-site": site } },
        "BADORIGIN",
        403,
      );
    for (const site of ["same-origin", "none"])
      await world.good(listed({ "sec-fetch-site": site }));
  });

  test("a node on loopback answers to no name that somebody else can own (DNS rebinding)", async () => {
    for (const host of [
      "evil.example",
      "evil.example:8080",
      "localhost.evil.example",
      "127.0.0.1.evil.example:80",
      "[evil]",
      "a b",
    ])
      for (const path of ["/v1/queues", "/", "/nothing"])
        await world.problem({ method: "GET", path, headers: { host } }, "BADORIGIN", 403);
    await world.problem(
      listed({ host: "evil.example", origin: "http://evil.example" }),
      "BADORIGIN",
      403,
    );
    for (const host of [
      "LOCALHOST:8080",
      "x.localhost",
      "192.168.1.5:8080",
      "Truba.example",
      "[::1]",
    ])
      await world.good(listed({ host }));
  });

  test("pages that are allowed may read answers, problems too, and ask in advance (CORS)", async () => {
    const origin = "https://console.example";
    const good = await world.good(listed({ origin }));
    assert.equal(good.headers["access-control-allow-origin"], origin);
    assert.equal(good.headers["vary"], "Origin");
    const missing = await world.ask({
      method: "GET",
      path: "/v1/queues/nothing",
      headers: { origin },
    });
    assert.equal(missing.headers["access-control-allow-origin"], origin);
    const ahead = { origin, "access-control-request-method": "PUT" };
    const preflight = await world.good(
      { method: "OPTIONS", path: "/v1/queues/x", headers: ahead },
      204,
    );
    assert.equal(preflight.headers["access-control-allow-origin"], origin);
    assert.match(String(preflight.headers["access-control-allow-methods"]), /PUT/);
    assert.match(String(preflight.headers["access-control-allow-headers"]), /Idempotency-Key/);
    await world.problem(
      {
        method: "OPTIONS",
        path: "/v1/queues/x",
        headers: { ...ahead, origin: "http://evil.example" },
      },
      "BADORIGIN",
      403,
    );
    const own = await world.good(listed({ origin: "http://127.0.0.1:8080" }));
    assert.equal(own.headers["access-control-allow-origin"], undefined);
  });

  test("every answer has the headers that keep browsers from guessing, framing and loading from elsewhere", async () => {
    for (const path of [
      "/",
      "/v1/queues",
      "/v1/queues/none",
      "/nothing",
      "/api",
      "/openapi.json",
    ]) {
      const { headers } = await world.ask({ method: "GET", path });
      assert.match(
        String(headers["content-security-policy"]),
        /default-src 'self'.*frame-ancestors 'none'/,
        path,
      );
      assert.doesNotMatch(String(headers["content-security-policy"]), /unsafe/);
      assert.equal(headers["x-content-type-options"], "nosniff", path);
      assert.equal(headers["x-frame-options"], "DENY", path);
    }
  });

  test("a node that listens beyond loopback answers to any host, but trusts pages of its own names only", async () => {
    await using wide = await HttpWorld.start({
      host: "0.0.0.0",
      advertised: { host: "truba.example", port: 8765 },
    });
    await wide.good(listed({ host: "proxy.example" }));
    await wide.problem(
      listed({ host: "evil.example", origin: "http://evil.example" }),
      "BADORIGIN",
      403,
    );
    await wide.good(listed({ host: "truba.example:8080", origin: "http://truba.example:8080" }));
    await wide.good(listed({ host: "10.1.2.3:8080", origin: "http://10.1.2.3:8080" }));
  });
});
