import assert from "node:assert/strict";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, suite, test } from "node:test";
import { SimulatedClock } from "../../../simulator/simulated-clock.ts";
import { must } from "../../../src/base/assert.ts";
import { limits } from "../../../src/base/limits.ts";
import type { Address } from "../../../src/base/network.ts";
import { ResponseEvents } from "../../../src/server/http/event-output.ts";
import { EventReader } from "./event-reader.ts";

const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; i < 300 && !condition(); i++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(condition(), "not in time");
};

suite("HTTP: a stream of events in time", () => {
  const clock = new SimulatedClock();
  let server: Server;
  let address: Address;
  let output: ResponseEvents | undefined;
  let closed = false;
  before(async () => {
    server = createServer((_request, response) => {
      output = new ResponseEvents(response, clock, () => {
        response.writeHead(200, { "content-type": "text/event-stream" });
      });
      output.onClosed(() => {
        closed = true;
      });
      output.send("first", { line: "a\nb" });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    address = { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  test("says something every 15 s, and line ends in values do not end an event", async () => {
    const reader = await EventReader.open(address, "/");
    assert.deepEqual(await reader.next(), { event: "first", data: { line: "a\nb" } });
    for (let i = 1; i <= 3; i++) {
      clock.advance(limits.eventKeepAliveMs);
      await until(() => reader.comments === i);
    }
    reader.close();
    await until(() => closed);
    assert.equal(clock.timerCount, 0, "a stream that is over keeps no timer");
  });

  test("is closed when its client takes nothing for a minute, not before", async () => {
    closed = false;
    const reader = await EventReader.open(address, "/");
    await reader.next();
    reader.pause();
    const stream = must(output);
    const value = "x".repeat(1_000_000);
    for (let i = 0; i < 16; i++) stream.send("large", value);
    assert.equal(stream.full, true);
    for (let ms = 0; ms < limits.eventStallMaxMs; ms += limits.eventKeepAliveMs)
      clock.advance(limits.eventKeepAliveMs);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal(closed, false);
    clock.advance(limits.eventKeepAliveMs);
    await until(() => closed);
    reader.close();
  });

  test("goes on when its client takes again in time", async () => {
    closed = false;
    const reader = await EventReader.open(address, "/");
    await reader.next();
    const stream = must(output);
    let drained = 0;
    stream.onDrained(() => {
      drained++;
    });
    reader.pause();
    const value = "x".repeat(1_000_000);
    for (let i = 0; i < 16; i++) stream.send("large", value);
    clock.advance(limits.eventKeepAliveMs * 3);
    reader.resume();
    for (let i = 0; i < 16; i++) assert.equal((await reader.next()).event, "large");
    await until(() => drained > 0);
    assert.equal(stream.full, false);
    clock.advance(limits.eventStallMaxMs * 2);
    await until(() => reader.comments > 0);
    assert.equal(closed, false);
    reader.close();
    await until(() => closed);
  });
});
