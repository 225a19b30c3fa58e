/** What every `Network` promises between two ends that can reach each other. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import type { Connection, ConnectionEvents, Listener, Network } from "../../src/base/network.ts";

export interface NetworkUnderTest {
  readonly network: Network;
  /** Lets time pass until the promise settles. */
  readonly run: <T>(promise: Promise<T>) => Promise<T>;
  /** Lets so much time pass, in milliseconds. */
  readonly pass: (ms: number) => Promise<void>;
}

/** The owner of one end: keeps what it is told, ends when the peer has ended. */
export class RecordingEnd implements ConnectionEvents {
  readonly connection: Connection;
  readonly told: string[] = [];
  readonly answer: "end" | "nothing";
  chunks = 0;
  receivedBytes = 0;
  #received: Uint8Array[] = [];
  #waiting: { until: () => boolean; resolve: () => void }[] = [];

  constructor(connection: Connection, answer: "end" | "nothing" = "end") {
    this.connection = connection;
    this.answer = answer;
    connection.bind(this);
  }

  get received(): Buffer {
    const all = Buffer.concat(this.#received);
    this.#received = [all];
    return all;
  }

  get text(): string {
    return this.received.toString("latin1");
  }

  data(chunk: Uint8Array): void {
    this.chunks++;
    this.receivedBytes += chunk.length;
    this.#received.push(chunk);
    this.#changed();
  }

  drained(): void {
    this.#tell("drained");
  }

  ended(): void {
    this.#tell("ended");
    if (this.answer === "end") this.connection.end();
  }

  closed(): void {
    this.#tell("closed");
  }

  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ until: condition, resolve });
    });
  }

  untilTold(event: string): Promise<void> {
    return this.until(() => this.told.includes(event));
  }

  untilReceived(text: string): Promise<void> {
    return this.until(() => this.receivedBytes >= text.length && this.text === text);
  }

  #tell(event: string): void {
    this.told.push(event);
    this.#changed();
  }

  #changed(): void {
    const ready = this.#waiting.filter(({ until }) => until());
    this.#waiting = this.#waiting.filter((one) => !ready.includes(one));
    for (const { resolve } of ready) resolve();
  }
}

interface Pair extends NetworkUnderTest {
  readonly listener: Listener;
  readonly client: RecordingEnd;
  readonly server: RecordingEnd;
}

export function networkContract(name: string, make: () => NetworkUnderTest): void {
  const promise = (
    title: string,
    check: (pair: Pair) => Promise<void>,
    answer: "end" | "nothing" = "end",
  ): void => {
    test(title, async () => {
      const under = make();
      const pair = await connectPair(under, answer);
      try {
        await check(pair);
      } finally {
        await under.run(pair.listener.close());
        pair.client.connection.destroy();
        pair.server.connection.destroy();
        await under.pass(10);
      }
    });
  };
  suite(`the contract of Network: ${name}`, () => {
    streams(promise);
    ends(promise);
    listeners(make);
  });
}

async function connectPair(under: NetworkUnderTest, answer: "end" | "nothing"): Promise<Pair> {
  const { network, run, pass } = under;
  const accepted: RecordingEnd[] = [];
  const listener = await run(
    network.listen({ host: "127.0.0.1", port: 0 }, (connection) => {
      accepted.push(new RecordingEnd(connection, answer));
    }),
  );
  const connecting = network
    .connect(listener.address)
    .then((connection) => new RecordingEnd(connection, answer));
  const client = await run(connecting);
  while (accepted.length === 0) await pass(1);
  return { ...under, listener, client, server: must(accepted[0]) };
}

type Check = (
  title: string,
  check: (pair: Pair) => Promise<void>,
  answer?: "end" | "nothing",
) => void;

function streams(promise: Check): void {
  promise("bytes arrive in order, both ways, whole", async ({ client, server, run }) => {
    const wanted = Array.from({ length: 2_000 }, (_, at) => `request ${at}\n`);
    for (const line of wanted) client.connection.writeText(line);
    server.connection.writeBytes(Buffer.from("answer"));
    await run(server.untilReceived(wanted.join("")));
    await run(client.untilReceived("answer"));
  });

  promise("text is bytes 0 to 255, one per character", async ({ client, server, run }) => {
    const all = String.fromCharCode(...Array.from({ length: 256 }, (_, at) => at));
    client.connection.writeText(all);
    await run(server.untilReceived(all));
    assert.deepEqual([...server.received], [...Buffer.from(all, "latin1")]);
  });

  promise("text and bytes under a cork leave in their order at uncork", async (pair) => {
    const { client, server, run, pass } = pair;
    client.connection.cork();
    client.connection.writeText("a");
    client.connection.writeBytes(Buffer.from("b"));
    client.connection.writeText("c");
    assert.equal(client.connection.bufferedBytes, 3);
    await pass(10);
    assert.equal(server.text, "");
    client.connection.uncork();
    await run(server.untilReceived("abc"));
    // A layer in between may hear later than the receiver that they have left.
    await pass(10);
    assert.equal(client.connection.bufferedBytes, 0);
  });

  promise("a receiver that pauses holds the sender's bytes back; drained tells", async (pair) => {
    const { client, server, run, pass } = pair;
    server.connection.pause();
    const megabytes = 32;
    for (let i = 0; i < megabytes; i++) client.connection.writeBytes(Buffer.alloc(1_000_000, i));
    await pass(30);
    assert.equal(server.chunks, 0);
    assert.ok(client.connection.bufferedBytes > 0);
    assert.deepEqual(client.told, []);
    let chunksOfPause = 0;
    server.connection.resume();
    await run(server.until(() => server.receivedBytes > 1_000_000));
    server.connection.pause();
    chunksOfPause = server.chunks;
    await pass(10);
    assert.ok(server.chunks <= chunksOfPause + 1);
    server.connection.resume();
    await run(server.until(() => server.receivedBytes === megabytes * 1_000_000));
    await run(client.untilTold("drained"));
    assert.equal(client.connection.bufferedBytes, 0);
    const { received } = server;
    for (let i = 0; i < megabytes; i++) assert.equal(received[i * 1_000_000 + 999_999], i);
  });

  promise("an end knows the other's address", async ({ client, listener, server }) => {
    assert.equal(client.connection.remote.port, listener.address.port);
    assert.ok(server.connection.remote.port > 0);
    assert.notEqual(server.connection.remote.host, "");
  });
}

function ends(promise: Check): void {
  promise(
    "a client that has ended still gets its answers (printf | nc -N)",
    async ({ client, server, run, pass }) => {
      client.connection.writeText("request");
      client.connection.end();
      await run(server.untilTold("ended"));
      assert.equal(server.text, "request");
      await pass(10);
      assert.deepEqual(server.told, ["ended"]);
      server.connection.writeText("late answer");
      await run(client.untilReceived("late answer"));
      assert.deepEqual(client.told, []);
      server.connection.end();
      await run(client.untilTold("closed"));
      await run(server.untilTold("closed"));
      assert.deepEqual(client.told, ["ended", "closed"]);
      assert.deepEqual(server.told, ["ended", "closed"]);
    },
    "nothing",
  );

  promise("end sends all that was written before it, corked too", async (pair) => {
    const { client, server, run } = pair;
    client.connection.writeBytes(Buffer.alloc(3_000_000, 1));
    client.connection.cork();
    client.connection.writeText("last");
    client.connection.end();
    await run(server.untilTold("closed"));
    await run(client.untilTold("closed"));
    assert.equal(server.received.length, 3_000_004);
    assert.ok(server.text.endsWith("last"));
    assert.deepEqual(server.told, ["ended", "closed"]);
  });

  promise("destroy tells both ends, each once", async ({ client, server, run, pass }) => {
    client.connection.destroy();
    client.connection.destroy();
    await run(client.untilTold("closed"));
    await run(server.untilTold("closed"));
    await pass(10);
    assert.deepEqual(client.told, ["closed"]);
    assert.equal(server.told.filter((event) => event === "closed").length, 1);
  });

  promise("what is written after end and after destroy is ignored", async (pair) => {
    const { client, server, run, pass } = pair;
    server.connection.end();
    server.connection.writeText("too late");
    await run(server.untilTold("closed"));
    client.connection.destroy();
    client.connection.writeText("too late");
    client.connection.writeBytes(Buffer.from("too late"));
    client.connection.end();
    client.connection.resume();
    await pass(10);
    assert.equal(client.text, "");
    assert.equal(server.text, "");
    assert.deepEqual(client.told, ["ended", "closed"]);
  });

  promise(
    "a peer that is gone shows itself to who goes on writing, as closed, without an error",
    async ({ client, server, run, pass }) => {
      client.connection.destroy();
      await run(client.untilTold("closed"));
      for (let i = 0; i < 20; i++) {
        server.connection.writeText("are you there?");
        await pass(5);
      }
      await run(server.untilTold("closed"));
      assert.equal(server.told.filter((event) => event === "closed").length, 1);
    },
    "nothing",
  );
}

function listeners(make: () => NetworkUnderTest): void {
  test("a closed listener frees its port and leaves its connections alone", async () => {
    const under = make();
    const { network, run } = under;
    const { listener, client, server } = await connectPair(under, "end");
    await run(listener.close());
    await assert.rejects(run(network.connect(listener.address)), { code: "ECONNREFUSED" });
    client.connection.writeText("still here");
    await run(server.untilReceived("still here"));
    const again = await run(network.listen(listener.address, () => {}));
    assert.equal(again.address.port, listener.address.port);
    await run(again.close());
    client.connection.end();
    await run(server.untilTold("closed"));
  });

  test("a port has one listener", async () => {
    const { network, run } = make();
    const listener = await run(network.listen({ host: "127.0.0.1", port: 0 }, () => {}));
    await assert.rejects(run(network.listen(listener.address, () => {})), { code: "EADDRINUSE" });
    await run(listener.close());
  });
}
