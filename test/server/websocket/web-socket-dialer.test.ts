/** Dialing peers over real WebSockets: Truba nodes, plain peers, and those who are neither. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocketServer } from "ws";
import { must } from "../../../src/base/assert.ts";
import { limits } from "../../../src/base/limits.ts";
import type { Dialed, MessageLinkEvents } from "../../../src/documents/links/message-link.ts";
import { hashOf } from "../../../src/server/access.ts";
import { WebSocketDialer, urlOf } from "../../../src/server/websocket/web-socket-dialer.ts";
import { Certificates, noOpenssl } from "../../certificates.ts";
import { idsOf } from "../../documents/links/linked-nodes.ts";
import { SocketWorld, peerAt } from "./socket-world.ts";

const never = new AbortController().signal;
const asked = new Map([["truba", "1"]]);

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, "it takes too long");
    await sleep(2);
  }
}

/** Binds a link to a record of what it tells. */
function listenTo({ link }: Dialed) {
  const told = { texts: [] as string[], closed: undefined as string | undefined };
  const events: MessageLinkEvents = {
    message: (text) => told.texts.push(text),
    binary: () => {},
    drained: () => {},
    closed: (reason) => {
      told.closed = reason;
    },
  };
  link.bind(events);
  return told;
}

/** A WebSocket server of somebody else. */
async function others(handle: (server: WebSocketServer) => void) {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  handle(sockets);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const client of sockets.clients) client.terminate();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

suite("dialing a peer", () => {
  test("two nodes over real sockets, catching up compressed: at most 30 bytes for a small transaction", async () => {
    await using a = await SocketWorld.start({ source: "a" });
    const patch = '[{"op":"add","path":"/counter","value":1,"~":{"t":[1767225600000,0]}}]';
    a.exchange.write(10_000, "default", patch);
    await using b = await SocketWorld.start({ source: "b", nodeId: 2, peers: [a.peer] });
    await until(() => b.exchange.log().length === 10_000);
    assert.deepEqual(b.exchange.log(), idsOf("a", 10_000));
    const [status] = b.links.status();
    const bytes = must(status).bytesReceived / 10_000;
    assert.ok(bytes <= 30, `${bytes} bytes for each transaction`);
    b.exchange.write(1);
    await until(() => a.exchange.log().length === 10_001);
    const before = must(a.links.status()[0]).bytesSent;
    a.exchange.write(1);
    await until(() => b.exchange.log().length === 10_002);
    // What is live is sent as it is.
    assert.ok(must(a.links.status()[0]).bytesSent - before < 200);
  });

  test("tells a Truba node from a plain peer, and what it asks is in the query", async () => {
    let url = "";
    await using plain = await others((server) =>
      server.on("connection", (socket, request) => {
        url = request.url ?? "";
        socket.send("first");
      }),
    );
    const query = new Map([...asked, ["source", "a&b=c"]]);
    const dialed = await new WebSocketDialer().dial(peerAt(plain.port), query, never);
    assert.equal(dialed.version, null);
    assert.equal(url, "/ws?truba=1&source=a%26b%3Dc");
    // What came with the handshake, before anybody could listen, is not lost.
    await sleep(50);
    const told = listenTo(dialed);
    await until(() => told.texts.length === 1);
    dialed.link.close(1000, "");
    await using world = await SocketWorld.start();
    const truba = await new WebSocketDialer().dial(world.peer, asked, never);
    assert.equal(truba.version, 1);
    listenTo(truba);
    truba.link.close(1000, "");
  });

  test("a version that is no number is version 0, which nobody speaks", async () => {
    await using odd = await others((server) =>
      server.on("headers", (headers) => headers.push("Truba-Documents: yes")),
    );
    const dialed = await new WebSocketDialer().dial(peerAt(odd.port), asked, never);
    assert.equal(dialed.version, 0);
    listenTo(dialed);
    dialed.link.close(1000, "");
  });

  test("a refusal is told with its words, whatever it is made of", async () => {
    const tokens = [{ name: "x", role: "peer", sha256: hashOf(Buffer.from("y")).toString("hex") }];
    await using world = await SocketWorld.start({ tokens: tokens as never });
    const dial = (token?: string) =>
      new WebSocketDialer({ token }).dial(world.peer, asked, never).then(listenTo);
    await assert.rejects(dial(), /the peer answered 401 NOAUTH: the node wants a token/);
    await assert.rejects(dial("wrong"), /the peer answered 401 WRONGPASS/);
    await dial("y");
    const server = createServer((_, response) => response.writeHead(418).end("{not json"));
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const { port } = server.address() as AddressInfo;
    const other = new WebSocketDialer().dial(peerAt(port), asked, never);
    await assert.rejects(other, /the peer answered 418$/);
    server.close();
  });

  test("nobody there, and nobody who speaks: an error in words; a dial can be given up", async () => {
    await assert.rejects(new WebSocketDialer().dial(peerAt(1), asked, never), /ECONNREFUSED/);
    const silent = createTcpServer(() => {});
    await new Promise<void>((resolve) => {
      silent.listen(0, "127.0.0.1", resolve);
    });
    const { port } = silent.address() as AddressInfo;
    const abort = new AbortController();
    const dialing = new WebSocketDialer().dial(peerAt(port), asked, abort.signal);
    setTimeout(() => abort.abort(), 50);
    await assert.rejects(dialing);
    silent.close();
  });

  test("one that never answers a close is let go after two seconds", async () => {
    await using plain = await others((server) =>
      server.on("connection", (socket) => socket.pause()),
    );
    const dialed = await new WebSocketDialer().dial(peerAt(plain.port), asked, never);
    const told = listenTo(dialed);
    const started = performance.now();
    dialed.link.close(1000, "done");
    await until(() => told.closed !== undefined);
    const tookMs = performance.now() - started;
    assert.ok(tookMs > 1_000 && tookMs < 4_000, `${tookMs} ms`);
  });

  test("a message that is longer than the limit closes the link (P8)", async () => {
    await using plain = await others((server) =>
      server.on("connection", (socket) =>
        socket.send("x".repeat(limits.documentMessageMaxBytes + 1)),
      ),
    );
    const dialed = await new WebSocketDialer().dial(peerAt(plain.port), asked, never);
    const told = listenTo(dialed);
    await until(() => told.closed !== undefined);
    assert.match(must(told.closed), /Max payload size exceeded/);
    assert.deepEqual(told.texts, []);
  });

  test("a reason for closing that is too long, or is cut within a character, is shortened", async () => {
    await using world = await SocketWorld.start();
    const client = await world.connect("/ws?truba=1");
    client.socket.send(JSON.stringify([{ Source: "ы".repeat(300), Id: 1, Payload: "[]" }]));
    assert.equal(await client.closed, 1002);
  });

  test(
    "over TLS: an authority that is trusted, and one that is not",
    { skip: noOpenssl },
    async () => {
      using certificates = new Certificates();
      const { server, authority, stranger } = certificates;
      const tls = {
        certificate: server.certificate,
        key: server.key,
        clientAuthorities: undefined,
      };
      await using world = await SocketWorld.start({ tls });
      const peer = peerAt(world.port, true);
      assert.match(urlOf(peer, asked), /^wss:\/\/localhost:\d+\/ws\?truba=1$/);
      const trusting = new WebSocketDialer({ trust: { authorities: authority.certificate } });
      const dialed = await trusting.dial(peer, asked, never);
      assert.equal(dialed.version, 1);
      listenTo(dialed);
      dialed.link.close(1000, "");
      const wrong = new WebSocketDialer({ trust: { authorities: stranger.certificate } });
      await assert.rejects(
        wrong.dial(peer, asked, never),
        /unable to verify|self.signed|certificate/,
      );
    },
  );
});
