import assert from "node:assert/strict";
import { connect as connectSocket } from "node:net";
import { suite, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { NodeNetwork } from "../../src/base/node-network.ts";
import { networkContract, RecordingEnd } from "../contract/network.ts";

networkContract("NodeNetwork", () => ({
  network: new NodeNetwork(),
  run: (promise) => promise,
  pass: (ms) => wait(ms),
}));

suite("NodeNetwork", () => {
  test("a reset by the peer is closed, once, and no error escapes", async () => {
    const network = new NodeNetwork();
    const ends: RecordingEnd[] = [];
    const listener = await network.listen({ host: "127.0.0.1", port: 0 }, (connection) => {
      ends.push(new RecordingEnd(connection));
    });
    const socket = connectSocket(listener.address.port, "127.0.0.1");
    await new Promise((resolve) => socket.once("connect", resolve));
    while (ends.length === 0) await wait(1);
    socket.resetAndDestroy();
    const [end] = ends;
    assert.ok(end !== undefined);
    await end.untilTold("closed");
    assert.deepEqual(end.told, ["closed"]);
    await listener.close();
  });

  test("a connection that was over before it was bound is told closed", async () => {
    const network = new NodeNetwork();
    const listener = await network.listen({ host: "127.0.0.1", port: 0 }, (connection) =>
      connection.destroy(),
    );
    const connection = await network.connect(listener.address);
    connection.destroy();
    await wait(20);
    const end = new RecordingEnd(connection);
    await end.untilTold("closed");
    assert.deepEqual(end.told, ["closed"]);
    await listener.close();
  });

  test("a host that is not there is the operating system's error", async () => {
    const network = new NodeNetwork();
    const listener = await network.listen({ host: "127.0.0.1", port: 0 }, () => {});
    await listener.close();
    await assert.rejects(network.connect(listener.address), { code: "ECONNREFUSED" });
    const nobody = { host: "name.invalid", port: 1 };
    await assert.rejects(network.connect(nobody), (error: unknown) => {
      return (
        error instanceof Error && "code" in error && /ENOTFOUND|EAI_AGAIN/.test(String(error.code))
      );
    });
  });
});
