/** How a client finds its node and is let in, and what HTTP has of its own. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, suite, test } from "node:test";
import { TrubaError } from "../../src/base/errors.ts";
import { SystemClock } from "../../src/base/system-clock.ts";
import { SystemRandom } from "../../src/base/system-random.ts";
import { uuidV7Ms, parseUuid, isUuidV7 } from "../../src/base/uuid.ts";
import { parseAddress } from "../../src/client/addresses.ts";
import { connect as connectHttp } from "../../src/client/connect-http.ts";
import { connect } from "../../src/client/connect.ts";
import { EventStreamDecoder } from "../../src/client/event-stream.ts";
import { RequestIds } from "../../src/client/request-ids.ts";
import { Certificates, noOpenssl } from "../certificates.ts";
import { TestNode } from "./test-node.ts";
import { until } from "./ways.ts";

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof TrubaError && error.code === code;
}

const token = (name: string, role: "admin" | "write" | "read") => ({
  name,
  role,
  sha256: createHash("sha256").update(`secret-of-${name}`).digest("hex"),
});

suite("connect", () => {
  let node: TestNode;
  before(async () => {
    node = await TestNode.start({ tokens: [token("ann", "write"), token("bob", "read")] });
  });
  after(() => node.stop());

  test("a node that wants a token lets in who has one, with its role, over RESP and over HTTP", async () => {
    const ways = [
      (options: object) => connect(node.address, options),
      async (options: object) => connectHttp(await node.httpUrl(), options),
    ];
    for (const enter of ways) {
      await assert.rejects(enter({}), hasCode("NOAUTH"));
      await assert.rejects(enter({ token: "secret-of-eve" }), hasCode("WRONGPASS"));
      await using ann = await enter({ token: "secret-of-ann" });
      await ann.queue("default").push("x");
      await using bob = await enter({ token: "secret-of-bob" });
      assert.equal((await bob.queue("default").count()).leased, 0);
      await assert.rejects(bob.queue("default").push("x"), hasCode("NOPERM"));
      await assert.rejects(
        bob
          .queue("default")
          .work({}, () => {})
          .finished(),
        hasCode("NOPERM"),
      );
    }
  });

  test("nobody at the address, and nothing that is one, have their codes", async () => {
    await assert.rejects(connect("127.0.0.1:1"), hasCode("NOCONNECTION"));
    await assert.rejects(connectHttp("http://127.0.0.1:1"), hasCode("NOCONNECTION"));
    await assert.rejects(connect([]), hasCode("BADVALUE"));
    await assert.rejects(connect("http://x"), hasCode("BADVALUE"));
    await assert.rejects(connectHttp("127.0.0.1:8080"), hasCode("BADVALUE"));
  });

  test("what answers and is no node has its code", async () => {
    const url = new URL(await node.httpUrl());
    // Its HTTP port takes HELLO for a broken request and closes.
    await assert.rejects(connect(`127.0.0.1:${url.port}`), hasCode("NOCONNECTION"));
    await assert.rejects(connectHttp(`${url.origin}/elsewhere`), (error) =>
      ["NOROUTE", "NOAUTH", "BADANSWER"].includes((error as TrubaError).code),
    );
  });

  test("addresses are HOST, HOST:PORT, [IPV6]:PORT, with or without truba://", () => {
    assert.deepEqual(parseAddress("a.example"), { host: "a.example", port: 8_765 });
    assert.deepEqual(parseAddress("truba://a:1"), { host: "a", port: 1 });
    assert.deepEqual(parseAddress("[::1]:80"), { host: "::1", port: 80 });
    assert.deepEqual(parseAddress("[::1]"), { host: "::1", port: 8_765 });
    for (const bad of ["", ":1", "a:", "a:0", "a:65536", "a b", "::1", "a:1:2", "redis://a", "a/b"])
      assert.throws(() => parseAddress(bad), hasCode("BADVALUE"), bad);
  });
});

test(
  "over TLS a client trusts only whom it was told to, and shows its own certificate",
  { skip: noOpenssl },
  async () => {
    using certificates = new Certificates();
    const { authority, server, client, stranger } = certificates;
    const clientAuthorities = authority.certificate;
    const node = await TestNode.start({ tls: { ...server, clientAuthorities } });
    const own = { certificate: client.certificate, key: client.key };
    {
      await using db = await connect(node.address, {
        tls: { authorities: authority.certificate, ...own },
      });
      await db.queue("default").push("x");
      assert.equal((await db.queue("default").pop())?.deliveries, 1);
    }
    const strange = { tls: { authorities: stranger.certificate, ...own } };
    await assert.rejects(connect(node.address, strange), hasCode("NOCONNECTION"));
    const nameless = { tls: { authorities: authority.certificate } };
    await assert.rejects(connect(node.address, nameless), hasCode("NOCONNECTION"));
    await node.stop();
  },
);

suite("over HTTP", () => {
  test("a consumer whose stream is lost loses what it brought, and goes on over another", async () => {
    const node = await TestNode.start();
    const streams: AbortController[] = [];
    const url = await node.httpUrl();
    const db = await connectHttp(url, {
      fetch(address, init) {
        if (!address.includes("/tasks?")) return fetch(address, init);
        const breaking = new AbortController();
        streams.push(breaking);
        return fetch(address, {
          ...init,
          signal: AbortSignal.any([breaking.signal, init.signal as AbortSignal]),
        });
      },
    });
    const jobs = db.queue("default");
    await jobs.push("x");
    const consumer = jobs.consume({ prefetch: 2 });
    const first = await consumer.next();
    assert.ok(first.done !== true);
    streams[0]?.abort();
    await until(() => first.value.signal.aborted, "the task is lost");
    const again = await consumer.next();
    assert.ok(again.done !== true);
    assert.deepEqual(
      [again.value.task, again.value.deliveries, streams.length],
      [first.value.task, 2, 2],
    );
    await again.value.ack();
    await consumer.return();
    await db.close();
    await node.stop();
  });

  test("P3 a write whose answer is lost is sent again with the same id, and takes effect once", async () => {
    const node = await TestNode.start();
    const url = await node.httpUrl();
    let broken = 0;
    const db = await connectHttp(url, {
      async fetch(address, init) {
        const response = await fetch(address, init);
        if (address.endsWith("queue.push") && broken++ < 2) throw new TypeError("connection reset");
        return response;
      },
    });
    const pushed = await db.queue("default").push("x");
    assert.equal(broken, 3);
    assert.deepEqual(
      (await db.queue("default").peek()).map(({ task }) => task),
      [pushed.task],
    );
    await db.close();
    await node.stop();
  });

  test("events are read however they are cut: HTML standard §9.2.6", () => {
    const text =
      ":\n\nevent: a\ndata: 1\ndata: é\r\n\r\ndata:x\rid: 7\r\revent: none\n\n: c\ndata\n\ndata: cut";
    const bytes = new TextEncoder().encode(text);
    const wanted = [
      { event: "a", data: "1\né" },
      { event: "message", data: "x" },
      { event: "message", data: "" },
    ];
    for (const step of [1, 2, 3, 7, bytes.length]) {
      const decoder = new EventStreamDecoder();
      const got = [];
      for (let at = 0; at < bytes.length; at += step)
        got.push(...decoder.push(bytes.subarray(at, at + step)));
      assert.deepEqual(got, wanted, `in pieces of ${step}`);
    }
  });
});

test("request ids are UUIDs of version 7 of the node's time (RFC 9562 §5.7), all different", () => {
  const clock = new SystemClock();
  let now = clock.wallMs() + 3_600_000;
  const ids = new RequestIds(() => now, new SystemRandom());
  const seen = new Set<string>();
  for (let i = 0; i < 2_000; i++) {
    if (i % 10 === 0) now++;
    const id = ids.next();
    const bytes = new Uint8Array(16);
    assert.ok(parseUuid(Buffer.from(id), 0, bytes, 0) && isUuidV7(bytes), id);
    assert.equal(uuidV7Ms(bytes), now);
    seen.add(id);
  }
  assert.equal(seen.size, 2_000);
});
