/** Tokens and roles (DESIGN §12): what is kept of a secret, who may do what, and how a stranger is treated on the client port. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { inspect } from "node:util";
import { suite, test } from "node:test";
import { limits } from "../../src/base/limits.ts";
import { Access, allows, hashOf } from "../../src/server/access.ts";
import type { Role, TokenSettings } from "../../src/server/access.ts";
import { commandTable } from "../../src/server/command-table.ts";
import { keyOf, request, TestServer } from "./test-server.ts";

function tokenOf(name: string, role: Role, secret = `secret of ${name}`): TokenSettings {
  return { name, role, sha256: createHash("sha256").update(secret).digest("hex") };
}

const bytes = (text: string): Buffer => Buffer.from(text);

const all = [
  tokenOf("reader", "read"),
  tokenOf("app", "write"),
  tokenOf("boss", "admin"),
  tokenOf("node-2", "peer"),
];

suite("Access", () => {
  test("without tokens everybody may do everything", () => {
    const access = new Access([]);
    assert.equal(access.required, false);
    assert.deepEqual(access.unasked, { name: "default", role: "admin" });
    assert.deepEqual(access.authenticate(bytes("anything")), { name: "default", role: "admin" });
  });

  test("with tokens nobody may do anything before one is shown", () => {
    const access = new Access(all);
    assert.equal(access.required, true);
    assert.equal(access.unasked, undefined);
    assert.deepEqual(access.authenticate(bytes("secret of app")), { name: "app", role: "write" });
    for (const wrong of ["", "secret of", "secret of app ", "app", all[1]?.sha256 ?? ""]) {
      assert.equal(access.authenticate(bytes(wrong)), undefined, wrong);
    }
    assert.equal(access.failures, 5);
  });

  test("a name, where one is given, must be the token's; default stands for any", () => {
    const access = new Access(all);
    assert.equal(access.authenticate(bytes("secret of app"), "app")?.name, "app");
    assert.equal(access.authenticate(bytes("secret of app"), "default")?.name, "app");
    assert.equal(access.authenticate(bytes("secret of app"), "boss"), undefined);
    assert.equal(access.authenticate(bytes("secret of app"), ""), undefined);
  });

  test("keeps the hash only: no secret can be found in it after it was used", () => {
    const access = new Access(all);
    access.authenticate(bytes("secret of app"));
    const inside = inspect(access, { depth: 10, showHidden: true });
    assert.ok(!inside.includes("secret of app"));
    assert.ok(!JSON.stringify(access).includes("secret"));
    assert.equal(hashOf(bytes("abc")).toString("hex").slice(0, 16), "ba7816bf8f01cfea");
  });

  test("roles reach as far as their table says", () => {
    const reach = {
      peer: [],
      read: ["read"],
      write: ["read", "write"],
      admin: ["read", "write", "admin"],
    };
    for (const role of ["peer", "read", "write", "admin"] as const) {
      const may = (["read", "write", "admin"] as const).filter((needed) =>
        allows({ name: "x", role }, needed),
      );
      assert.deepEqual(may, reach[role]);
    }
  });
});

function startServer(): Promise<TestServer> {
  return TestServer.start({ tokens: all });
}

function set(value: string): string {
  return request("SET", keyOf(1), value);
}

suite("a stranger on the client port", () => {
  const noAuth = "-NOAUTH Authentication required.\r\n";

  test("is refused every command of the table but those that stand before the door", async () => {
    const server = await startServer();
    for (const command of commandTable()) {
      if (command.name === "QUIT") continue;
      const wire = server.connect();
      const words = Array.from({ length: Math.abs(command.arity) }, (_, at) =>
        at === 0 ? command.name : "1",
      );
      const answer = await server.exchange(wire, request(...words));
      // The answer to AUTH is kept back.
      const starts = { HELLO: "-NOAUTH HELLO must be called", RESET: "+RESET\r\n", AUTH: "" };
      const expected = Object.entries(starts).find(([name]) => name === command.name)?.[1];
      if (expected === undefined) assert.equal(answer, noAuth, command.name);
      else assert.ok(answer.startsWith(expected) && answer !== noAuth, command.name);
      wire.hangUp();
    }
    const open = commandTable().filter(({ role }) => role === "none");
    assert.deepEqual(open.map(({ name }) => name).toSorted(), ["AUTH", "HELLO", "QUIT", "RESET"]);
    await server.stop();
  });

  test("is let in by AUTH token, AUTH name token and HELLO AUTH, each in every form that clients send", async () => {
    const server = await startServer();
    for (const words of [
      ["AUTH", "secret of app"],
      ["AUTH", "app", "secret of app"],
      ["AUTH", "default", "secret of app"],
      ["HELLO", "3", "AUTH", "app", "secret of app"],
      ["HELLO", "2", "AUTH", "default", "secret of app", "SETNAME", "me"],
      ["hello", "3", "setname", "me", "auth", "default", "secret of app"],
    ]) {
      const wire = server.connect();
      const answer = await server.exchange(wire, request(...words) + request("ACL", "WHOAMI"));
      assert.match(answer, /^(\+OK|%9|\*18)\r\n/);
      assert.ok(answer.endsWith("$3\r\napp\r\n"), answer);
    }
    await server.stop();
  });

  test("is judged by the token that stands before a request in the same pipeline, whatever waits before it", async () => {
    const server = await startServer();
    const wire = server.connect();
    const sent = [
      set("before"),
      request("AUTH", "secret of app"),
      set("as app"),
      request("AUTH", "secret of reader"),
      set("as reader"),
      request("GET", keyOf(1)),
    ];
    const answer = await server.exchange(wire, sent.join(""));
    const refused =
      "-NOPERM User reader has no permissions to run the 'set' command; its token has the role read, and write is needed\r\n";
    assert.equal(answer, `${noAuth}+OK\r\n+OK\r\n+OK\r\n${refused}$6\r\nas app\r\n`);
    await server.stop();
  });

  test("is told WRONGPASS later each time, and then no more: the connection is closed", async () => {
    const server = await startServer();
    const wire = server.connect();
    const wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    wire.send(request("AUTH", "guess 1"));
    await server.clock.settle();
    assert.equal(wire.take(), "");
    await server.clock.advanceSettled(limits.authenticationFailureDelayMs);
    assert.equal(wire.take(), wrong);
    const tries = limits.authenticationFailuresMaxCount;
    for (let at = 2; at <= tries + 5; at++) wire.send(request("AUTH", `guess ${at}`));
    wire.send(request("AUTH", "secret of boss"));
    await server.clock.advanceSettled(limits.authenticationFailureDelayMs);
    assert.equal(wire.take(), "");
    await server.clock.advanceSettled(limits.authenticationFailureDelayMs);
    assert.equal(wire.take(), wrong);
    await server.clock.advanceSettled(limits.authenticationFailureDelayMs * (tries - 2));
    assert.equal(wire.take(), wrong.repeat(tries - 2));
    assert.equal(wire.state, "ended");
    assert.equal(server.context.access.failures, tries);
    await server.stop();
  });

  test("is not let in by the right token behind its last chance, and loses none that it had by a wrong one", async () => {
    const server = await startServer();
    const wire = server.connect();
    await server.exchange(wire, request("AUTH", "secret of app"));
    wire.send(request("AUTH", "wrong"));
    wire.send(request("ACL", "WHOAMI"));
    await server.clock.advanceSettled(limits.authenticationFailureDelayMs);
    assert.match(wire.take(), /^-WRONGPASS .*\r\n\$3\r\napp\r\n$/);
    assert.equal(
      await server.exchange(wire, request("RESET") + request("ACL", "WHOAMI")),
      `+RESET\r\n${noAuth}`,
    );
    await server.stop();
  });

  test("HELLO with a wrong token changes nothing: no RESP3, no name", async () => {
    const server = await startServer();
    const wire = server.connect();
    wire.send(request("HELLO", "3", "AUTH", "boss", "secret of app", "SETNAME", "x"));
    await server.clock.advanceSettled(limits.authenticationFailureDelayMs);
    assert.match(wire.take(), /^-WRONGPASS /);
    const [session] = server.context.sessions.values();
    assert.deepEqual([session?.name, session?.respVersion], ["", 2]);
    await server.stop();
  });

  test("may send few requests, and hold little of one that does not arrive (P8)", async () => {
    const server = await startServer();
    const wire = server.connect();
    wire.send(request("PING").repeat(limits.unauthenticatedMaxRequests + 10));
    await server.clock.settle();
    assert.equal(wire.take(), noAuth.repeat(limits.unauthenticatedMaxRequests));
    assert.equal(wire.state, "ended");
    for (const start of ["*2\r\n$3\r\nGET\r\n$1000000\r\n", "SET key "]) {
      const holder = server.connect();
      holder.send(start + "x".repeat(limits.unauthenticatedHeldMaxBytes / 4));
      await server.clock.settle();
      assert.equal(holder.state, "open");
      holder.send("x".repeat(limits.unauthenticatedHeldMaxBytes));
      await server.clock.settle();
      assert.equal(holder.state, "destroyed");
    }
    await server.stop();
  });

  test("who brings the token may send a large request in the same breath", async () => {
    const server = await startServer();
    const wire = server.connect();
    const large = request("SET", keyOf(2), "x".repeat(1_000_000));
    wire.send(request("AUTH", "secret of app") + large.slice(0, 500_000));
    await server.clock.settle();
    assert.equal(await server.exchange(wire, large.slice(500_000)), "+OK\r\n+OK\r\n");
    await server.stop();
  });

  test("who shows nothing for long is closed; who has shown a token stays", async () => {
    const server = await startServer();
    const [silent, talker, friend] = [server.connect(), server.connect(), server.connect()];
    await server.exchange(talker, request("PING"));
    await server.exchange(friend, request("AUTH", "secret of reader"));
    await server.clock.advanceSettled(limits.authenticationMaxMs - 6_000);
    assert.deepEqual([silent.state, talker.state], ["open", "open"]);
    await server.clock.advanceSettled(12_000);
    assert.deepEqual(
      [silent.state, talker.state, friend.state],
      ["destroyed", "destroyed", "open"],
    );
    await server.stop();
  });

  test("on the line protocol: AUTH token, the same refusals, the same end", async () => {
    const server = await startServer();
    const wire = server.connect();
    const key = keyOf(3);
    assert.equal(
      await server.exchange(wire, `SET ${key} x\nPING\nNOSUCH\nREQUEST\n`),
      "Error: Authentication required.\n".repeat(4),
    );
    assert.equal(await server.exchange(wire, `AUTH secret\n`), "");
    await server.clock.advanceSettled(limits.authenticationFailureDelayMs);
    assert.match(wire.take(), /^Error: invalid username-password pair/);
    await server.stop();
  });

  test("on the line protocol: a role reaches as far as elsewhere", async () => {
    const server = await TestServer.start({
      tokens: [tokenOf("reader", "read", "r"), tokenOf("app", "write", "w")],
    });
    const wire = server.connect();
    const key = keyOf(3);
    assert.equal(
      await server.exchange(wire, `AUTH w\nSET ${key} x\n`),
      "OK\nCreated (1 replicas)\n",
    );
    const answer = await server.exchange(wire, `AUTH r\nGET ${key}\nDELETE ${key}\n`);
    assert.match(
      answer,
      /^OK\nx\nError: User reader has no permissions to run the 'delete' command/,
    );
    await server.stop();
  });

  test("a token of a peer opens nothing here", async () => {
    const server = await startServer();
    const wire = server.connect();
    const answer = await server.exchange(
      wire,
      request("AUTH", "secret of node-2") + request("PING"),
    );
    assert.match(answer, /^\+OK\r\n-NOPERM User node-2 .* 'ping' /);
    await server.stop();
  });
});
