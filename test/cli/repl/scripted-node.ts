/**
 * A node for the client to lose: it speaks RESP on a real socket of this machine, tells the heartbeat that it is told to tell, keeps records and the outcomes
 * of request ids with all nodes of its cluster, and can die, freeze, come back, or answer as it is told.
 */
import type { Address, Connection, Listener } from "../../../src/base/network.ts";
import { must } from "../../../src/base/assert.ts";
import { NodeNetwork } from "../../../src/base/node-network.ts";
import { addressText } from "../../../src/cli/address.ts";
import { RespReplyDecoder } from "../../../src/protocol/resp-reply-decoder.ts";

/** What all nodes of a cluster share. */
export class ScriptedCluster {
  readonly name = "Warehouse 13";
  replicationFactor = 1;
  /** What heartbeats list. */
  nodes: string[] = [];
  readonly records = new Map<string, string>();
  readonly outcomes = new Map<string, string>();
  /** Every request as words, the address before it. */
  readonly requests: string[][] = [];
  /** Replies in place of ours, for the command that they are under; once each. */
  readonly replies = new Map<string, string[]>();
  /** What AUTH must bring, if anything. */
  token: string | undefined;
}

export class ScriptedNode implements AsyncDisposable {
  readonly cluster: ScriptedCluster;
  #listener: Listener | undefined;
  #address: Address | undefined;
  readonly #connections = new Set<Connection>();
  /** Takes what comes and answers nothing. */
  frozen = false;
  /** Dies when it is asked this, before or after it has done it. */
  diesOf:
    | {
        readonly command: string;
        readonly afterDoing: boolean;
        /** It comes back at once, to die again. */
        readonly again?: boolean;
      }
    | undefined;

  private constructor(cluster: ScriptedCluster) {
    this.cluster = cluster;
  }

  static async start(cluster: ScriptedCluster): Promise<ScriptedNode> {
    const node = new ScriptedNode(cluster);
    await node.listen();
    cluster.nodes.push(node.text);
    return node;
  }

  get address(): Address {
    return must(this.#address);
  }

  get text(): string {
    return addressText(this.address);
  }

  get connectionsCount(): number {
    return this.#connections.size;
  }

  /** At its first address, when it has had one. */
  async listen(): Promise<void> {
    this.frozen = false;
    this.diesOf = undefined;
    const address = this.#address ?? { host: "127.0.0.1", port: 0 };
    this.#listener = await new NodeNetwork().listen(address, (connection) =>
      this.#accept(connection),
    );
    this.#address = this.#listener.address;
  }

  /** As kill -9. */
  async die(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    for (const connection of this.#connections) connection.destroy();
    await listener?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.die();
  }

  #accept(connection: Connection): void {
    this.#connections.add(connection);
    // A request is an array of bulk strings, which the decoder of replies reads as well.
    const decoder = new RespReplyDecoder();
    let known = this.cluster.token === undefined;
    // Behind a pop that waits nothing is answered, as a node does it.
    let waits = false;
    connection.bind({
      data: (chunk) => {
        decoder.push(chunk);
        while (decoder.next() === "reply") {
          const words = (decoder.value as Buffer[]).map(String);
          this.cluster.requests.push([this.text, ...words]);
          waits ||= words[0] === "QUEUE.POP";
          if (this.frozen || waits) continue;
          known ||= words[0] === "AUTH" && words[1] === this.cluster.token;
          if (known) this.#do(connection, words);
          else connection.writeText("-NOAUTH the node wants a token\r\n");
        }
      },
      drained() {},
      ended: () => connection.destroy(),
      closed: () => this.#connections.delete(connection),
    });
  }

  #do(connection: Connection, words: readonly string[]): void {
    const [command = ""] = words;
    const dies = this.diesOf?.command === command ? this.diesOf : undefined;
    if (dies?.afterDoing !== false) {
      const reply = this.cluster.replies.get(command)?.shift() ?? this.#reply(words);
      if (dies === undefined) connection.writeText(reply);
    }
    if (dies !== undefined) void this.#dieOf(dies);
  }

  async #dieOf(dies: NonNullable<ScriptedNode["diesOf"]>): Promise<void> {
    await this.die();
    if (dies.again !== true) return;
    await this.listen();
    this.diesOf = dies;
  }

  /** Bytes, as characters. */
  #reply(words: readonly string[]): string {
    const { cluster } = this;
    const [command = "", key = "", value = ""] = words;
    if (command === "HELLO") return "%1\r\n+server\r\n+truba\r\n";
    if (command === "AUTH") return "+OK\r\n";
    if (command === "HEARTBEAT") return this.#heartbeat();
    if (command === "RECORD.GET") {
      const found = cluster.records.get(key);
      return found === undefined ? status("missing", 0, "_\r\n") : status("found", 1, bulk(found));
    }
    if (key.length !== 36) return "-BADKEY Key is not a proper UUID4\r\n";
    const copies = cluster.replicationFactor;
    const id = words.at(-2) === "REQUEST" ? must(words.at(-1)) : "";
    const before = cluster.outcomes.get(id);
    if (before !== undefined) return before;
    let outcome = "-ERR unknown command\r\n";
    if (command === "RECORD.SET") {
      outcome = status(cluster.records.has(key) ? "updated" : "created", copies);
      cluster.records.set(key, value);
    } else if (command === "RECORD.DELETE") {
      outcome = cluster.records.delete(key) ? status("deleted", copies) : status("missing", 0);
    }
    if (id !== "") cluster.outcomes.set(id, outcome);
    return outcome;
  }

  #heartbeat(): string {
    const { name, nodes, replicationFactor } = this.cluster;
    const list = nodes.map((node) => `%1\r\n${bulk("address")}${bulk(node)}`).join("");
    return (
      `%4\r\n${bulk("cluster")}${bulk(name)}${bulk("nodes")}*${nodes.length}\r\n${list}` +
      `${bulk("replicationFactor")}:${replicationFactor}\r\n${bulk("timeMs")}:${Date.now()}\r\n`
    );
  }
}

function status(word: string, copies: number, value?: string): string {
  const rest = value === undefined ? "" : bulk("value") + value;
  const size = value === undefined ? 2 : 3;
  return `%${size}\r\n${bulk("status")}${bulk(word)}${bulk("copies")}:${copies}\r\n${rest}`;
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
