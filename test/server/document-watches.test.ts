/** DOC.WATCH on a connection whose client does not read: nothing is kept for it, and it is told a snapshot when it does (P8). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { limits } from "../../src/base/limits.ts";
import { RespPush } from "../../src/protocol/resp-reply.ts";
import { RespReplyDecoder } from "../../src/protocol/resp-reply-decoder.ts";
import { request, TestServer } from "./test-server.ts";

/** Kinds of what was pushed, and the last document of a snapshot. */
function pushed(text: string): { kinds: string[]; text: string } {
  const decoder = new RespReplyDecoder();
  decoder.push(Buffer.from(text, "latin1"));
  const kinds: string[] = [];
  let document = "";
  while (decoder.next() === "reply") {
    const { value } = decoder;
    if (!(value instanceof RespPush) || (value.items[0] as Buffer).toString() !== "truba.document")
      continue;
    const event = new Map(
      [...(value.items[2] as Map<unknown, unknown>)].map(([k, v]) => [String(k), v]),
    );
    kinds.push(String(event.get("kind")));
    if (event.has("text")) document = String(event.get("text"));
  }
  return { kinds, text: document };
}

suite("DOC.WATCH and a client that does not read", () => {
  test("what is sent stays bounded; when it reads again it is told a snapshot, then changes as before", async () => {
    const server = await TestServer.start({ seed: 7 });
    const { clock } = server;
    const { documents } = server.context.node;
    const put = (value: unknown): Promise<unknown> =>
      clock.drive(documents.put("default", JSON.stringify(value)));
    const wire = server.connect();
    wire.send(request("HELLO", "3"));
    wire.send(request("DOC.WATCH", "default"));
    await clock.settle();
    assert.deepEqual(pushed(wire.take()).kinds, ["snapshot"]);
    wire.stalled = true;
    const bytes = 500_000;
    for (let n = 0; n < 40; n++) await put({ n, text: "x".repeat(bytes) });
    const sent = wire.take();
    assert.ok(pushed(sent).kinds.every((kind) => kind === "change"));
    assert.ok(sent.length > bytes, "it was told some");
    assert.ok(sent.length < limits.connectionOutputPauseBytes + bytes * 2, `${sent.length} bytes`);
    wire.takeStalled();
    await clock.settle();
    const then = pushed(wire.take());
    assert.deepEqual(then.kinds, ["snapshot"]);
    assert.equal((JSON.parse(then.text) as { n: number }).n, 39);
    await put({ n: 40 });
    await clock.settle();
    assert.deepEqual(pushed(wire.take()).kinds, ["change"]);
    wire.hangUp();
    await clock.settle();
    await server.stop();
  });

  test("other subscriptions of the connection, and other connections, are told as before", async () => {
    const server = await TestServer.start({ seed: 8 });
    const { clock } = server;
    const { documents } = server.context.node;
    const [slow, quick] = [server.connect(), server.connect()];
    for (const wire of [slow, quick]) {
      wire.send(request("HELLO", "3") + request("DOC.WATCH", "default"));
      await clock.settle();
      wire.take();
    }
    must(slow).stalled = true;
    for (let n = 0; n < 10; n++) {
      const value = JSON.stringify({ n, text: "x".repeat(400_000) });
      await clock.drive(documents.put("default", value));
      await clock.settle();
      assert.deepEqual(pushed(must(quick).take()).kinds, ["change"], `${n}`);
    }
    await server.stop();
  });

  test("a connection may have so many subscriptions, of whatever kind; closing one makes room", async () => {
    const server = await TestServer.start({ seed: 9 });
    const wire = server.connect();
    wire.send(request("HELLO", "3"));
    for (let n = 0; n < limits.documentWatchersMaxCount; n++)
      wire.send(request("DOC.WATCH", `d${n}`));
    await server.clock.settle();
    wire.take();
    wire.send(request("DOC.WATCH", "more"));
    await server.clock.settle();
    assert.match(wire.take(), /-OVERLOADED /);
    wire.send(request("SUBSCRIPTION.CLOSE", "1") + request("DOC.WATCH", "more"));
    await server.clock.settle();
    assert.match(wire.take(), /^:1\r\n:\d+\r\n>3/);
    wire.hangUp();
    await server.clock.settle();
    const other = server.connect();
    other.send(request("HELLO", "3") + request("DOC.WATCH", "default"));
    await server.clock.settle();
    assert.deepEqual(pushed(other.take()).kinds, ["snapshot"]);
    await server.stop();
  });
});
