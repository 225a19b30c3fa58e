/**
 * What connects the client to one node: a connection for commands and one for heartbeats, so that a command that waits does not look like a node that is
 * gone. What the commands take belongs to their connection: it goes back when the link ends.
 */
import type { Address, Network } from "../../base/network.ts";
import { RespError } from "../../protocol/resp-reply.ts";
import type { RespReply } from "../../protocol/resp-reply.ts";
import { addressText } from "../address.ts";
import { fieldsOf, textOf } from "./reply-fields.ts";
import { Disconnected, RespCaller } from "./resp-caller.ts";

/** What a node says of its cluster. */
export interface Heartbeat {
  readonly cluster: string;
  /** Addresses of the nodes that it knows, itself included. */
  readonly nodes: readonly string[];
  readonly replicationFactor: number;
  /** The node's clock, milliseconds since 1970. */
  readonly timeMs: number;
  readonly warning: string | undefined;
}

export interface LinkOptions {
  readonly network: Network;
  readonly address: Address;
  /** What the node is to know this client by, if it asks. */
  readonly token: string | Uint8Array | undefined;
  readonly connectMaxMs: number;
}

/** The node answered and does not want this client. */
export class NodeRefusal extends Error {
  override readonly name = "NodeRefusal";
  readonly code: string;

  constructor(reply: RespError) {
    super(reply.text === "" ? reply.code : reply.text);
    this.code = reply.code;
  }
}

export class NodeLink {
  /** HOST:PORT as it was connected to. */
  readonly address: string;
  /** The same with the host as a number: what a name stands for. */
  readonly remote: string;
  /** The first one; {@link NodeLink.beat} asks again. */
  readonly heartbeat: Heartbeat;
  readonly #commands: RespCaller;
  readonly #watch: RespCaller;

  private constructor(parts: {
    address: string;
    heartbeat: Heartbeat;
    commands: RespCaller;
    watch: RespCaller;
  }) {
    this.address = parts.address;
    this.remote = addressText(parts.commands.remote);
    this.heartbeat = parts.heartbeat;
    this.#commands = parts.commands;
    this.#watch = parts.watch;
  }

  /** Connects and asks for a heartbeat. `onLost` is told once, when one of the connections ends by itself. Rejects with {@link NodeRefusal}, or another Error. */
  static async open(options: LinkOptions, onLost: () => void): Promise<NodeLink> {
    const { network, address, connectMaxMs: maxMs } = options;
    let opened = false;
    const onClosed = (): void => {
      if (opened) onLost();
      opened = false;
    };
    const callers: RespCaller[] = [];
    try {
      for (let i = 0; i < 2; i++)
        callers.push(await RespCaller.connect(network, address, { maxMs, onClosed }));
      const [commands, watch] = callers;
      if (commands === undefined || watch === undefined) throw new Disconnected("not connected");
      const greeted = Promise.all([greet(commands, options), greet(watch, options)]);
      await within(maxMs, greeted);
      const heartbeat = readHeartbeat(await within(maxMs, watch.call(["HEARTBEAT"])));
      opened = true;
      return new NodeLink({ address: addressText(address), heartbeat, commands, watch });
    } catch (error) {
      for (const caller of callers) caller.close();
      throw error;
    }
  }

  /** Does a command. Rejects with {@link Disconnected}. */
  call(words: readonly (string | Uint8Array)[]): Promise<RespReply> {
    return this.#commands.call(words);
  }

  /** Asks beside the commands: it neither waits for them nor holds anything. Rejects with {@link Disconnected}. */
  ask(words: readonly (string | Uint8Array)[]): Promise<RespReply> {
    return this.#watch.call(words);
  }

  /** Rejects when the node is gone, or does not answer within `maxMs`. */
  async beat(maxMs: number): Promise<Heartbeat> {
    return readHeartbeat(await within(maxMs, this.#watch.call(["HEARTBEAT"])));
  }

  /** Names a token on both connections; the answer of the first that refuses it. */
  async authenticate(token: string | Uint8Array): Promise<RespReply> {
    const [first = null, second = null] = await Promise.all(
      [this.#commands, this.#watch].map((caller) => caller.call(["AUTH", token])),
    );
    return first instanceof RespError ? first : second;
  }

  close(): void {
    this.#commands.close();
    this.#watch.close();
  }
}

async function greet(caller: RespCaller, { token }: LinkOptions): Promise<void> {
  const replies = await Promise.all([
    ...(token === undefined ? [] : [caller.call(["AUTH", token])]),
    caller.call(["HELLO", "3", "SETNAME", "truba-repl"]),
  ]);
  for (const reply of replies) if (reply instanceof RespError) throw new NodeRefusal(reply);
}

function readHeartbeat(reply: RespReply): Heartbeat {
  if (reply instanceof RespError) throw new NodeRefusal(reply);
  const fields = fieldsOf(reply);
  const nodes = fields.get("nodes");
  const cluster = fields.get("cluster");
  if (cluster === undefined || !Array.isArray(nodes))
    throw new Error("what answers is no node of Truba");
  const warning = fields.get("warning");
  return {
    cluster: textOf(cluster),
    nodes: nodes.map((node) => textOf(fieldsOf(node).get("address"))),
    replicationFactor: Number(fields.get("replicationFactor") ?? 0),
    timeMs: Number(fields.get("timeMs") ?? 0),
    warning: warning === undefined ? undefined : textOf(warning),
  };
}

/** Rejects when it takes longer. What comes later is dropped, and so is its error. */
function within<Value>(maxMs: number, promise: Promise<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${maxMs / 1_000} s`)), maxMs);
    promise.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}
