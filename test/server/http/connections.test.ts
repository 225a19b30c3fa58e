import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { after, before, suite, test } from "node:test";
import type { Address } from "../../../src/base/network.ts";
import { HttpWorld, base64, keyOf } from "./http-world.ts";

/** A client that says what the test wants, byte by byte. */
class RawClient {
  text = "";
  closed = false;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      this.text += chunk;
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
    });
  }

  static connect({ host, port }: Address): Promise<RawClient> {
    return new Promise((resolve) => {
      const socket = connect({ host, port }, () => resolve(new RawClient(socket)));
    });
  }

  send(text: string): void {
    this.#socket.write(text, "latin1");
  }

  /** Takes nothing of what is sent. */
  pause(): void {
    this.#socket.pause();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  close(): void {
    this.#socket.destroy();
  }

  async until(pattern: RegExp, timeoutMs = 3_000): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    while (!pattern.test(this.text)) {
      if (Date.now() > deadline)
        assert.fail(`no ${pattern} in ${JSON.stringify(this.text.slice(0, 500))}`);
      await pause(5);
    }
    return this.text;
  }

  async untilClosed(timeoutMs = 3_000): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    while (!this.closed) {
      if (Date.now() > deadline)
        assert.fail(`not closed: ${JSON.stringify(this.text.slice(0, 500))}`);
      await pause(5);
    }
    return this.text;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (await condition()) return;
    await pause(10);
  }
  assert.fail("not in time");
}

const popOf = (queue: string, body: object): string => {
  const text = JSON.stringify(body);
  return `POST /v1/queues/${queue}/pop HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
};

suite("HTTP: connections", () => {
  let world: HttpWorld;
  let address: Address;
  before(async () => {
    world = await HttpWorld.start({
      bounds: {
        connectionsMaxCount: 6,
        headersArrivalMaxMs: 150,
        requestArrivalMaxMs: 300,
        slowCheckEveryMs: 20,
      },
    });
    address = await world.listen();
  });
  after(() => world.stop());

  const queueOf = async (name: string): Promise<Record<string, number>> =>
    (await world.good({ method: "POST", path: "/v1/queue.count", json: { queue: name } }))
      .json as Record<string, number>;
  const push = (name: string) =>
    world.good({ method: "POST", path: `/v1/queues/${name}/tasks`, bytes: "x" }, 201);

  test("a client that goes away during a long poll gives up waiting, and takes no task", async () => {
    await world.good({ method: "PUT", path: "/v1/queues/away" }, 201);
    const client = await RawClient.connect(address);
    client.send(popOf("away", { waitMs: 60_000 }));
    await until(() => world.node.requests.takes.waiting === 1);
    client.close();
    await until(() => world.node.requests.takes.waiting === 0);
    await push("away");
    await pause(30);
    assert.deepEqual(await queueOf("away"), { waiting: 1, delayed: 0, leased: 0, dead: 0 });
  });

  test("tasks that were handed out to a client that is gone are given back at once, not counted", async () => {
    await world.good({ method: "PUT", path: "/v1/queues/lost" }, 201);
    // The answer is more than the system takes at once, and the client takes nothing of it.
    const bytes = new Uint8Array(1_000_000);
    for (let i = 0; i < 4; i++)
      await world.good({ method: "POST", path: "/v1/queues/lost/tasks", bytes }, 201);
    const client = await RawClient.connect(address);
    client.pause();
    client.send(popOf("lost", { count: 10, leaseMs: 60_000 }));
    await until(async () => (await queueOf("lost"))["leased"] === 4);
    await pause(50);
    client.reset();
    await until(async () => (await queueOf("lost"))["waiting"] === 4);
    const { json } = await world.good({ method: "GET", path: "/v1/queues/lost/peek?count=1" });
    const [task] = (json as { tasks: readonly { deliveries: number }[] }).tasks;
    assert.equal(task?.deliveries, 0);
  });

  test("requests of one connection are answered in order, however they were sent", async () => {
    const client = await RawClient.connect(address);
    const key = keyOf(1);
    client.send(
      `PUT /v1/records/${key} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi` +
        `GET /v1/records/${key} HTTP/1.1\r\nHost: localhost\r\n\r\n` +
        `GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
    );
    const text = await client.untilClosed();
    assert.match(text, /^HTTP\/1\.1 201 [\s\S]*HTTP\/1\.1 200 [\s\S]*\r\n\r\nhiHTTP\/1\.1 404 /);
  });

  test("headers that do not arrive in time are SLOWREQUEST", async () => {
    const client = await RawClient.connect(address);
    client.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\n");
    const text = await client.untilClosed();
    assert.match(text, /^HTTP\/1\.1 408 /);
    assert.match(text, /"code":"SLOWREQUEST"/);
    assert.match(text, /application\/problem\+json/);
  });

  test("a body that does not arrive in time is SLOWREQUEST, and nothing of it is done", async () => {
    const client = await RawClient.connect(address);
    client.send(
      `PUT /v1/records/${keyOf(2)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf`,
    );
    const text = await client.untilClosed();
    assert.match(text, /^HTTP\/1\.1 408 /);
    await world.problem({ method: "GET", path: `/v1/records/${keyOf(2)}` }, "NOTFOUND");
    await until(() => world.context.heldBytes === 0);
  });

  test("headers over the limit are TOOLARGE", async () => {
    const client = await RawClient.connect(address);
    client.send(
      `GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Long: ${"x".repeat(17_000)}\r\n\r\n`,
    );
    const text = await client.untilClosed();
    assert.match(text, /^HTTP\/1\.1 431 /);
    assert.match(text, /"code":"TOOLARGE"/);
  });

  test("what is not HTTP is refused and closed", async () => {
    for (const bytes of [
      "*1\r\n$4\r\nPING\r\n",
      "\u0016\u0003\u0001\u0002\u0000",
      "GET / HTTP/9.9\r\n\r\n",
    ]) {
      const client = await RawClient.connect(address);
      client.send(bytes);
      assert.match(await client.untilClosed(), /^HTTP\/1\.1 400 .*[\s\S]*"code":"ERR"/);
    }
  });

  test("a body in chunks is bounded as any other", async () => {
    const client = await RawClient.connect(address);
    client.send(
      `PUT /v1/records/${keyOf(3)} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const chunk = `${(100_000).toString(16)}\r\n${"x".repeat(100_000)}\r\n`;
    for (let i = 0; i < 11; i++) client.send(chunk);
    client.send("0\r\n\r\n");
    assert.match(await client.until(/\}/), /^HTTP\/1\.1 413 [\s\S]*"code":"TOOLARGE"/);
    client.send(`GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await client.until(/"live"/);
    client.close();
    await until(() => world.context.heldBytes === 0);
  });

  test("connections over the limit are told so and closed, and others go on (P8)", async () => {
    const clients: RawClient[] = [];
    await until(() => world.port.counters.connections === 0);
    for (let i = 0; i < 6; i++) clients.push(await RawClient.connect(address));
    const refused = await RawClient.connect(address);
    const text = await refused.untilClosed();
    assert.match(text, /^HTTP\/1\.1 503 /);
    assert.match(text, /"code":"MAXCONNECTIONS"/);
    assert.match(text, /retry-after: 1\r\n/);
    clients[0]?.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await clients[0]?.until(/"live"/);
    for (const client of clients) client.close();
    await until(() => world.port.counters.connections === 0);
    assert.equal(world.port.counters.connectionsRefused, 1);
  });

  test("a close answers what waits with SHUTTINGDOWN, and ends at once", async () => {
    await using other = await HttpWorld.start();
    const there = await other.listen();
    await other.good({ method: "PUT", path: "/v1/queues/empty" }, 201);
    const client = await RawClient.connect(there);
    const idle = await RawClient.connect(there);
    client.send(popOf("empty", { waitMs: 60_000 }));
    await until(() => other.node.requests.takes.waiting === 1);
    const started = Date.now();
    await other.stop();
    assert.ok(Date.now() - started < 900, `${Date.now() - started} ms`);
    assert.match(await client.untilClosed(), /"code":"SHUTTINGDOWN"/);
    await idle.untilClosed();
  });

  test("what all requests hold together is bounded (P8)", async () => {
    world.context.heldBytes += 268_435_456;
    const asked = { method: "PUT", path: `/v1/records/${keyOf(4)}`, bytes: "x" };
    const problem = await world.problem(asked, "OVERLOADED", 429);
    assert.equal(problem.retryAfterMs, 50);
    world.context.heldBytes -= 268_435_456;
    await world.good(asked, 201);
  });

  test("a payload comes back as it went, also over a socket", async () => {
    const payload = base64("π\u0000\n");
    await world.good({ method: "POST", path: "/v1/queues/default/tasks", json: { payload } }, 201);
    const client = await RawClient.connect(address);
    client.send(popOf("default", {}));
    await client.until(new RegExp(`"payload":"${payload.replaceAll("+", "\\+")}"`));
    client.close();
  });
});
