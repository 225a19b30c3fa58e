/** Links over real WebSockets: who may connect, what is read of them, and how it ends (DESIGN §10, §11; RFC 6455). */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { must } from "../../../src/base/assert.ts";
import { limits } from "../../../src/base/limits.ts";
import { hashOf } from "../../../src/server/access.ts";
import type { TokenSettings } from "../../../src/server/access.ts";
import { idsOf } from "../../documents/links/linked-nodes.ts";
import { type Client, SocketWorld } from "./socket-world.ts";

function token(name: string, role: TokenSettings["role"]): TokenSettings {
  return { name, role, sha256: hashOf(Buffer.from(name)).toString("hex") };
}

const show = (secret: string) => ({ authorization: `Bearer ${secret}` });

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, "it takes too long");
    await sleep(2);
  }
}

const idsIn = ({ texts }: Client): readonly string[] =>
  texts.map((text) => {
    const { Source, Id } = JSON.parse(text) as { Source: string; Id: number };
    return `${Source}:${Id}`;
  });

suite("whoever connects to /ws", () => {
  test("gets the whole log, then what comes, three fields in a message", async () => {
    await using world = await SocketWorld.start();
    world.exchange.write(3);
    const client = await world.connect("/ws");
    await until(() => client.texts.length === 3);
    world.exchange.write(1);
    await until(() => client.texts.length === 4);
    assert.deepEqual(idsIn(client), idsOf("a", 4));
    assert.equal(client.texts[0], '{"Source":"a","Id":1,"Payload":"[]"}');
    assert.equal(client.headers["truba-documents"], undefined);
    client.socket.terminate();
  });

  test("gets what is behind ?since=, and of another document at /d/NAME/ws", async () => {
    await using world = await SocketWorld.start();
    world.exchange.write(5);
    world.exchange.write(2, "notes");
    const since = encodeURIComponent('{"a":3,"b":9}');
    const late = await world.connect(`/ws?since=${since}`);
    const notes = await world.connect("/d/notes/ws");
    await until(() => late.texts.length === 2 && notes.texts.length === 2);
    assert.deepEqual(idsIn(late), ["a:4", "a:5"]);
    // The document is that of the address: a plain peer knows three fields only.
    assert.equal(notes.texts[0], '{"Source":"a","Id":1,"Payload":"[]"}');
    late.socket.terminate();
    notes.socket.terminate();
  });

  test("is refused before it is a WebSocket, with a problem that says why", async () => {
    await using world = await SocketWorld.start();
    await assert.rejects(world.connect("/elsewhere"), /404: NOROUTE/);
    await assert.rejects(world.connect("/ws?since=3"), /400: BADVALUE/);
    await assert.rejects(world.connect("/ws?truba=0"), /400: BADVALUE/);
    await assert.rejects(world.connect("/d/a%2Fb/ws"), /400: BADDOCUMENTNAME/);
    await assert.rejects(world.connect("/ws", { host: "evil.example" }), /403: BADORIGIN/);
  });

  test("may be a page of any origin on loopback without tokens; elsewhere its origin must be allowed", async () => {
    const foreign = { origin: "https://page.example" };
    await using open = await SocketWorld.start();
    (await open.connect("/ws", foreign)).socket.terminate();
    const origins = ["https://allowed.example"];
    await using exposed = await SocketWorld.start({ loopback: false, origins });
    await assert.rejects(exposed.connect("/ws", foreign), /403: BADORIGIN/);
    (await exposed.connect("/ws", { origin: "https://allowed.example" })).socket.terminate();
    const own = { origin: `http://127.0.0.1:${exposed.port}` };
    (await exposed.connect("/ws", own)).socket.terminate();
  });

  test("a page cannot be a node, wherever it comes from", async () => {
    await using world = await SocketWorld.start();
    const own = { origin: `http://127.0.0.1:${world.port}` };
    await assert.rejects(world.connect("/ws?truba=1", own), /403: BADORIGIN/);
  });

  test("where there are tokens, a stream takes the role read and a node the role peer", async () => {
    const tokens = [token("reader", "read"), token("writer", "write"), token("node", "peer")];
    await using world = await SocketWorld.start({ tokens });
    await assert.rejects(world.connect("/ws"), /401: NOAUTH/);
    await assert.rejects(world.connect("/ws", show("guess")), /401: WRONGPASS/);
    await assert.rejects(world.connect("/ws", show("node")), /403: NOPERM/);
    (await world.connect("/ws", show("reader"))).socket.terminate();
    await assert.rejects(world.connect("/ws?truba=1"), /401: NOAUTH/);
    await assert.rejects(world.connect("/ws?truba=1", show("writer")), /403: NOPERM/);
    const node = await world.connect("/ws?truba=1", show("node"));
    assert.equal(node.headers["truba-documents"], "1");
    node.socket.terminate();
  });

  test("there is a limit to links, over it MAXCONNECTIONS (P8)", async () => {
    await using world = await SocketWorld.start();
    const clients: Client[] = [];
    for (let at = 0; at < limits.documentLinksMaxCount; at++)
      clients.push(await world.connect("/ws"));
    await assert.rejects(world.connect("/ws"), /503: MAXCONNECTIONS/);
    must(clients[0]).socket.terminate();
    await until(() => world.links.acceptedCount < limits.documentLinksMaxCount);
    clients.push(await world.connect("/ws"));
    for (const { socket } of clients) socket.terminate();
  });

  test("nothing that it sends is believed; what is too long closes it (P8)", async () => {
    await using world = await SocketWorld.start();
    const client = await world.connect("/ws");
    client.socket.send('{"Source":"x","Id":1,"Payload":"[]"}');
    client.socket.send(Buffer.from([1, 2, 3]));
    await sleep(50);
    assert.deepEqual(world.exchange.log(), []);
    assert.deepEqual(world.exchange.arrivals, []);
    client.socket.send("x".repeat(70_000));
    assert.equal(await client.closed, 1009);
  });
});

suite("the handshake of a Truba node", () => {
  test("a later version is answered with ours", async () => {
    await using world = await SocketWorld.start();
    const client = await world.connect("/ws?truba=7");
    assert.equal(client.headers["truba-documents"], "1");
    client.socket.terminate();
  });

  test("garbage instead of a hello closes with 1002, a binary message with 1003", async () => {
    await using world = await SocketWorld.start();
    const garbage = await world.connect("/ws?truba=1");
    garbage.socket.send("hello");
    assert.equal(await garbage.closed, 1002);
    const binary = await world.connect("/ws?truba=1");
    binary.socket.send(Buffer.from("{}"));
    assert.equal(await binary.closed, 1003);
    assert.equal(world.links.acceptedCount, 0);
  });

  test("a message over the limit closes with 1009, also one that is small on the wire (P8)", async () => {
    await using world = await SocketWorld.start();
    const client = await world.connect("/ws?truba=1");
    // Compressed to some kilobytes.
    client.socket.send("x".repeat(limits.documentMessageMaxBytes + 1));
    assert.equal(await client.closed, 1009);
  });

  test("endless fragments close the connection (P8)", async () => {
    await using world = await SocketWorld.start();
    const client = await world.connect("/ws?truba=1");
    client.socket.send("[", { fin: false });
    for (let at = 0; at < 5_000; at++) client.socket.send(" ", { fin: false });
    assert.equal(await client.closed, 1008);
  });
});

/** Sends a request as it stands; what is answered. */
async function ask(port: number, lines: readonly string[], body = ""): Promise<string> {
  const socket = connectTcp(port, "127.0.0.1");
  socket.setEncoding("latin1");
  let answer = "";
  socket.on("data", (piece: string) => (answer += piece));
  socket.write([...lines, "host: 127.0.0.1", "", body].join("\r\n"));
  await until(() => /\r\n\r\n.*\S/s.test(answer));
  socket.destroy();
  return answer;
}

suite("connections that ask for something else", () => {
  test("HTTP/2 in the clear, as clients of Java do with every request: answered as if they had not asked", async () => {
    await using world = await SocketWorld.start();
    const upgrade = ["connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAM"];
    const get = await ask(world.port, ["GET /x?y=1 HTTP/1.1", ...upgrade]);
    assert.match(get, /^HTTP\/1\.1 200 OK\r\n.*GET \/x\?y=1 /s);
    const post = ["POST /x HTTP/1.1", ...upgrade, "content-length: 5"];
    assert.match(await ask(world.port, post, "hello"), /^HTTP\/1\.1 200 OK\r\n.*POST \/x hello/s);
  });

  test("a WebSocket of an old version is told which one is spoken (RFC 6455 §4.4)", async () => {
    await using world = await SocketWorld.start();
    const answer = await ask(world.port, [
      "GET /ws HTTP/1.1",
      "connection: Upgrade",
      "upgrade: websocket",
      "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
      "sec-websocket-version: 7",
    ]);
    assert.match(answer, /^HTTP\/1\.1 (400|426) /);
    assert.match(answer, /sec-websocket-version: 13/i);
  });
});

suite("the end of the port", () => {
  test("closes all, also those that never answer a close, within a second or so", async () => {
    const world = await SocketWorld.start();
    const polite = await world.connect("/ws");
    const deaf = await world.connect("/ws");
    deaf.socket.pause();
    const started = performance.now();
    await world[Symbol.asyncDispose]();
    assert.ok(performance.now() - started < 2_500);
    assert.equal(await polite.closed, 1001);
    deaf.socket.terminate();
    await once(deaf.socket, "close").catch(() => {});
  });
});
