/** The client that loses nodes: whom it goes to, what it tells, what it sends again and when it gives up (DESIGN §11; Warehouse). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { NodeNetwork } from "../../../src/base/node-network.ts";
import { SeededRandom } from "../../../src/base/seeded-random.ts";
import { plainText } from "../../../src/cli/repl/answer-text.ts";
import {
  ClusterClient,
  type ClusterView,
  Interrupted,
  NoNode,
} from "../../../src/cli/repl/cluster-client.ts";
import { NodeRefusal } from "../../../src/cli/repl/node-link.ts";
import { readTypedLine, type TypedRequest } from "../../../src/cli/repl/typed-line.ts";
import { RespError } from "../../../src/protocol/resp-reply.ts";
import type { RespReply } from "../../../src/protocol/resp-reply.ts";
import { eventually } from "../../processes/fixtures/eventually.ts";
import { ScriptedCluster, ScriptedNode } from "./scripted-node.ts";

const key = "0d5d3807-5fbf-4228-a657-5a091c4e497f";
const timings = {
  heartbeatEveryMs: 20,
  silenceMaxMs: 150,
  connectMaxMs: 150,
  unreachableMaxMs: 300,
  outcomeMaxMs: 600,
  pauseFirstMs: 5,
  pauseMaxMs: 20,
  lostForMs: 60_000,
};
const never = new AbortController().signal;

/** A client, and all that it tells. */
class World implements AsyncDisposable {
  readonly cluster = new ScriptedCluster();
  readonly nodes: ScriptedNode[] = [];
  readonly told: string[] = [];
  readonly views: ClusterView[] = [];
  #client: ClusterClient | undefined;

  static async start(count: number, replicationFactor = 1): Promise<World> {
    const world = new World();
    world.cluster.replicationFactor = replicationFactor;
    for (let i = 0; i < count; i++) world.nodes.push(await ScriptedNode.start(world.cluster));
    return world;
  }

  client(token?: string): ClusterClient {
    const listener = {
      reconnected: (view: ClusterView) => {
        this.views.push(view);
        this.told.push(`reconnected ${this.#name(view.address)}`);
      },
      warned: (warning: string) => void this.told.push(warning),
    };
    this.#client = new ClusterClient({
      network: new NodeNetwork(),
      random: new SeededRandom(7),
      first: this.node(0).address,
      token,
      timings,
      listener,
    });
    return this.#client;
  }

  node(at: number): ScriptedNode {
    const node = this.nodes[at];
    assert.ok(node !== undefined);
    return node;
  }

  /** Names of the nodes that got a command, in order. */
  whoGot(command: string): string[] {
    const got = this.cluster.requests.filter(([, word]) => word === command);
    return got.map(([address = ""]) => this.#name(address));
  }

  async told1(text: string): Promise<void> {
    await eventually(
      () => this.told.includes(text),
      () => `${text} in ${this.told.join()}`,
      5_000,
    );
  }

  #name(address: string): string {
    return `node ${this.cluster.nodes.indexOf(address)}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.close();
    for (const node of this.nodes) await node.die();
  }
}

// What never answers must not hold up the others.
suite("the client of a cluster", { timeout: 30_000 }, () => {
  test("goes to the nodes that live, the last to join first, and leaves those out that it lost", async () => {
    await using world = await World.start(3, 2);
    const [first = "", second = "", third = ""] = world.cluster.nodes;
    const view = await world.client().connect();
    const none = undefined;
    const cluster = "Warehouse 13";
    const all = [first, second, third];
    assert.deepEqual(view, { cluster, address: first, nodes: all, warning: none });
    await world.node(0).die();
    await world.told1("reconnected node 2");
    const two = [second, third];
    assert.deepEqual(world.views[0], { cluster, address: third, nodes: two, warning: none });
    await world.node(2).die();
    await world.told1("reconnected node 1");
    const warning = "cluster size (1) is smaller than a replication factor (2)!";
    assert.deepEqual(world.views[1], { cluster, address: second, nodes: [second], warning });
  });

  test("a lost node is listed again once the cluster has dropped it and taken it back", async () => {
    await using world = await World.start(2);
    await world.client().connect();
    await world.node(0).die();
    await world.told1("reconnected node 1");
    const both = [...world.cluster.nodes];
    world.cluster.nodes = both.slice(1);
    const beats = world.whoGot("HEARTBEAT").length;
    await eventually(
      () => world.whoGot("HEARTBEAT").length > beats + 2,
      () => "no heartbeats",
    );
    world.cluster.nodes = both;
    await world.node(0).listen();
    await world.node(1).die();
    await world.told1("reconnected node 0");
    assert.deepEqual(world.views.at(-1)?.nodes, [both[0]]);
  });

  test("a node that is silent is lost, though its connections stay", async () => {
    await using world = await World.start(2);
    const client = world.client();
    await client.connect();
    world.node(0).frozen = true;
    // It waits behind no heartbeat: it is asked again of the other node.
    assert.equal(statusOf(await client.call(request(`SET ${key} v`), never)), "created");
    assert.deepEqual(world.told, ["reconnected node 1"]);
  });

  test("a command that waits does not make the node look lost", async () => {
    await using world = await World.start(2);
    const client = world.client();
    await client.connect();
    const ending = new AbortController();
    const popped = client.call(request("queue pop emails WAIT 60"), ending.signal);
    popped.catch(() => {});
    const beats = world.whoGot("HEARTBEAT").length;
    await eventually(
      () => world.whoGot("HEARTBEAT").length > beats + 15,
      () => "no heartbeats",
    );
    assert.deepEqual(world.told, []);
    ending.abort();
    await assert.rejects(popped, Interrupted);
  });

  test("what Tab asks for does not wait behind a command that waits", async () => {
    await using world = await World.start(1);
    const client = world.client();
    await client.connect();
    const ending = new AbortController();
    const popped = client.call(request("queue pop emails WAIT 60"), ending.signal);
    popped.catch(() => {});
    await eventually(
      () => world.whoGot("QUEUE.POP").length === 1,
      () => "no pop",
    );
    world.cluster.replies.set("QUEUE.LIST", ["+list\r\n"]);
    assert.equal(await client.ask(["QUEUE.LIST"]), "list");
    ending.abort();
    await assert.rejects(popped, Interrupted);
  });

  test("what is interrupted is over for the node as well, and the client goes on", async () => {
    await using world = await World.start(1);
    const client = world.client();
    await client.connect();
    const ending = new AbortController();
    const popped = client.call(request("queue pop emails WAIT 60"), ending.signal);
    await eventually(
      () => world.whoGot("QUEUE.POP").length === 1,
      () => "no pop",
    );
    ending.abort();
    await assert.rejects(popped, Interrupted);
    assert.equal(statusOf(await client.call(request(`SET ${key} v`), never)), "created");
    await eventually(
      () => world.node(0).connectionsCount === 2,
      () => "the old connections are still there",
    );
    assert.deepEqual(world.told, [], "nothing was lost, so nothing is told");
  });

  for (const afterDoing of [false, true]) {
    const when = afterDoing ? "after it has done it" : "before it does it";
    test(`a write whose node dies ${when} is sent again with its request id and done once (P3)`, async () => {
      await using world = await World.start(2);
      const client = world.client();
      await client.connect();
      world.node(0).diesOf = { command: "RECORD.SET", afterDoing };
      const reply = await client.call(request(`SET ${key} v`), never);
      assert.equal(statusOf(reply), "created");
      assert.deepEqual(world.whoGot("RECORD.SET"), ["node 0", "node 1"]);
      const ids = world.cluster.requests
        .filter(([, command]) => command === "RECORD.SET")
        .map((words) => words.at(-1));
      assert.match(ids[0] ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
      assert.equal(ids[0], ids[1]);
    });
  }

  test("two writes have two request ids, and reads have none", async () => {
    await using world = await World.start(1);
    const client = world.client();
    await client.connect();
    await client.call(request(`SET ${key} v`), never);
    await client.call(request(`SET ${key} v`), never);
    await client.call(request(`GET ${key}`), never);
    assert.equal(world.cluster.outcomes.size, 2);
    assert.deepEqual(world.cluster.requests.at(-1)?.slice(1), ["RECORD.GET", key]);
  });

  test("the same node is taken back when it is the only one, and what was on its way is done", async () => {
    await using world = await World.start(1);
    const client = world.client();
    await client.connect();
    world.node(0).diesOf = { command: "RECORD.SET", afterDoing: true };
    const writing = client.call(request(`SET ${key} v`), never);
    await eventually(
      () => world.node(0).connectionsCount === 0,
      () => "it lives",
    );
    await world.node(0).listen();
    assert.equal(statusOf(await writing), "created");
    assert.deepEqual(world.told, ["reconnected node 0"]);
    assert.deepEqual(world.views[0]?.nodes, world.cluster.nodes);
  });

  test("a command fails when no known node answers, and says whether it was sent (P7)", async () => {
    await using world = await World.start(2);
    const client = world.client();
    await client.connect();
    await world.node(1).die();
    world.node(0).diesOf = { command: "RECORD.SET", afterDoing: false };
    for (const [line, wasSent, patienceMs] of [
      [`SET ${key} v`, true, timings.outcomeMaxMs],
      [`SET ${key} v`, false, timings.unreachableMaxMs],
      [`GET ${key}`, false, timings.unreachableMaxMs],
    ] as const) {
      const started = performance.now();
      await assert.rejects(client.call(request(line), never), isNoNode(wasSent));
      const tookMs = performance.now() - started;
      assert.ok(tookMs >= patienceMs - 5, `${line} was given up after ${tookMs} ms`);
    }
    await world.node(1).listen();
    await world.told1("reconnected node 1");
    assert.equal(statusOf(await client.call(request(`GET ${key}`), never)), "missing");
  });

  test("what passes is asked again, with the same request id; what does not is the answer", async () => {
    await using world = await World.start(1);
    const client = world.client();
    await client.connect();
    world.cluster.replies.set("RECORD.SET", [
      "-NOTLEADER this node does not lead\r\n",
      "-UNKNOWNOUTCOME nobody knows\r\n",
      "-QUEUEFULL it stays so\r\n",
    ]);
    const reply = await client.call(request(`SET ${key} v`), never);
    assert.ok(reply instanceof RespError && reply.code === "QUEUEFULL");
    const ids = world.cluster.requests.filter(([, word]) => word === "RECORD.SET");
    assert.equal(ids.length, 3);
    assert.equal(new Set(ids.map((words) => words.at(-1))).size, 1);
  });

  test("what does not pass in time is the answer", async () => {
    await using world = await World.start(1);
    const client = world.client();
    await client.connect();
    const refusals = Array.from({ length: 100 }, () => "-NOQUORUM no majority\r\n");
    world.cluster.replies.set("RECORD.SET", refusals);
    const reply = await client.call(request(`SET ${key} v`), never);
    assert.ok(reply instanceof RespError && reply.code === "NOQUORUM");
  });

  test("a node that is stopping is left for another", async () => {
    await using world = await World.start(2);
    const client = world.client();
    await client.connect();
    world.cluster.replies.set("RECORD.SET", ["-SHUTTINGDOWN the node is stopping\r\n"]);
    assert.equal(statusOf(await client.call(request(`SET ${key} v`), never)), "created");
    assert.deepEqual(world.whoGot("RECORD.SET"), ["node 0", "node 1"]);
  });

  test("a request that ends every node that gets it is not sent for ever", async () => {
    await using world = await World.start(1);
    const client = world.client();
    await client.connect();
    world.node(0).diesOf = { command: "RECORD.SET", afterDoing: false, again: true };
    await assert.rejects(client.call(request(`SET ${key} v`), never), isNoNode(true));
    assert.equal(world.whoGot("RECORD.SET").length, 8);
  });

  test("a warning that comes up is told once", async () => {
    await using world = await World.start(2, 2);
    await world.client().connect();
    const both = world.cluster.nodes;
    world.cluster.nodes = both.slice(0, 1);
    const warning = "cluster size (1) is smaller than a replication factor (2)!";
    await world.told1(warning);
    world.cluster.nodes = both;
    const beats = world.whoGot("HEARTBEAT").length;
    await eventually(
      () => world.whoGot("HEARTBEAT").length > beats + 3,
      () => "no heartbeats",
    );
    assert.deepEqual(world.told, [warning]);
  });

  test("a token is named on both connections, and again to the next node", async () => {
    await using world = await World.start(2);
    world.cluster.token = "secret";
    await assert.rejects(world.client().connect(), (error) => {
      return error instanceof NodeRefusal && error.code === "NOAUTH";
    });
    const client = world.client("secret");
    await client.connect();
    await world.node(0).die();
    await world.told1("reconnected node 1");
    assert.equal(statusOf(await client.call(request(`SET ${key} v`), never)), "created");
    assert.deepEqual(world.whoGot("AUTH"), ["node 0", "node 0", "node 1", "node 1"]);
  });

  test("a token that is named later stands for the connections to come", async () => {
    await using world = await World.start(2);
    const client = world.client();
    await client.connect();
    assert.equal(await client.authenticate(Buffer.from("secret"), never), "OK");
    world.cluster.token = "secret";
    await world.node(0).die();
    await world.told1("reconnected node 1");
  });

  test("a server of another kind is not taken for a node", async () => {
    await using world = await World.start(1);
    world.cluster.replies.set("HEARTBEAT", ["-ERR unknown command\r\n", "+PONG\r\n"]);
    await assert.rejects(world.client().connect(), /unknown command/);
    await assert.rejects(world.client().connect(), /no node of Truba/);
  });
});

function request(line: string): TypedRequest {
  const typed = readTypedLine(Buffer.from(line));
  assert.ok(typed.kind === "request", `${line} is ${typed.kind}`);
  return typed;
}

function statusOf(reply: RespReply): string {
  assert.ok(reply instanceof Map, plainText(reply));
  const found = [...reply].find(([name]) => plainText(name) === "status");
  return plainText(found?.[1] ?? null);
}

function isNoNode(wasSent: boolean): (error: unknown) => boolean {
  return (error) => error instanceof NoNode && error.wasSent === wasSent;
}
