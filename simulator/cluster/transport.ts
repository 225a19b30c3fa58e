/**
 * The way of Raft's messages between the hosts of a simulated cluster: the port `PeerSender`, over datagrams. A message goes as bytes, so that two nodes share
 * nothing. One that announces a checkpoint makes the receiver fetch it. A transport belongs to one life of a process.
 */
import { errorText } from "../../src/base/errors.ts";
import type { RaftGroup } from "../../src/log/raft-group.ts";
import { decodeMessage, encodeMessage } from "../../src/raft/message-codec.ts";
import type { PeerSender } from "../../src/raft/peer-sender.ts";
import { messageTypes } from "../../src/raft/vocabulary.ts";
import type { Message, ReplicaId } from "../../src/raft/vocabulary.ts";
import type { ReceivedCheckpoint } from "../../src/state/checkpoint-transfer.ts";
import type {
  CheckpointReceiver,
  ExportedCheckpoint,
} from "../../src/state/checkpoint-transfer.ts";
import { TransferClient, TransferServer } from "./checkpoint-transfer.ts";
import type { TransferReply, TransferRequest } from "./checkpoint-transfer.ts";
import type { Directory } from "./directory.ts";
import type { HostClock } from "./host-clock.ts";
import type { MessageNetwork } from "./message-network.ts";
import type { Trace } from "./trace.ts";

export type Packet =
  | { readonly kind: "raft"; readonly partition: number; readonly bytes: Buffer }
  | { readonly kind: "request"; readonly request: TransferRequest }
  | { readonly kind: "reply"; readonly reply: TransferReply }
  /** To who has announced a checkpoint: what became of it. */
  | {
      readonly kind: "outcome";
      readonly partition: number;
      readonly replica: ReplicaId;
      readonly ok: boolean;
    };

/** What the transport asks of the node that it serves; `undefined` until the node has opened. */
export interface TransportNode {
  group(partition: number): RaftGroup | undefined;
  exportCheckpoint(partition: number): Promise<ExportedCheckpoint>;
  receiveCheckpoint(partition: number): CheckpointReceiver;
  installCheckpoint(
    partition: number,
    received: ReceivedCheckpoint,
    message: Message,
  ): Promise<boolean>;
}

const failureToldAfterMs = 500;
/** After so long the sender of a checkpoint takes it for lost. */
const transferMaxMs = 6_000;

export class Transport implements PeerSender {
  readonly #host: number;
  readonly #clock: HostClock;
  readonly #network: MessageNetwork<Packet>;
  readonly #directory: Directory;
  readonly #trace: Trace;
  readonly #onInstalled: () => void;
  readonly #onSend: (partition: number, message: Message) => void;
  readonly #server: TransferServer;
  /** Fetches under way, by partition. */
  readonly #clients = new Map<number, TransferClient>();
  /** Checkpoints announced, by partition and replica. */
  readonly #announced = new Set<string>();
  #node: TransportNode | undefined;
  #calls = 0;

  constructor(parts: {
    host: number;
    clock: HostClock;
    network: MessageNetwork<Packet>;
    directory: Directory;
    trace: Trace;
    /** A checkpoint of another host was fetched and installed. */
    onInstalled: () => void;
    /** A message leaves. */
    onSend: (partition: number, message: Message) => void;
  }) {
    this.#host = parts.host;
    this.#clock = parts.clock;
    this.#network = parts.network;
    this.#directory = parts.directory;
    this.#trace = parts.trace;
    this.#onInstalled = parts.onInstalled;
    this.#onSend = parts.onSend;
    this.#server = new TransferServer(parts.clock, async (partition) => {
      const node = this.#node;
      if (node === undefined) throw new Error("the node is not open");
      return node.exportCheckpoint(partition);
    });
  }

  attach(node: TransportNode): void {
    this.#node = node;
  }

  send(partition: number, messages: readonly Message[]): void {
    for (const message of messages) {
      const to = this.#directory.copy(partition, message.to);
      if (to === undefined) continue;
      this.#onSend(partition, message);
      if (this.#trace.verbose) this.#tell(partition, message, to.host);
      if (message.type === messageTypes.snapshot) this.#watch(partition, message.to);
      const bytes = encodeMessage(message);
      this.#network.send(
        this.#host,
        to.host,
        { kind: "raft", partition, bytes },
        this.#clock.lagMs,
      );
    }
  }

  /** A packet has arrived; it is handled as a task of the process. */
  receive(from: number, packet: Packet): void {
    switch (packet.kind) {
      case "raft":
        this.#step(packet.partition, decodeMessage(packet.bytes), from);
        return;
      case "request":
        void this.#server
          .serve(packet.request)
          .then((reply) =>
            this.#network.send(this.#host, from, { kind: "reply", reply }, this.#clock.lagMs),
          );
        return;
      case "reply":
        for (const client of this.#clients.values()) client.reply(packet.reply);
        return;
      case "outcome":
        this.#node?.group(packet.partition)?.snapshotSent(packet.replica, packet.ok);
    }
  }

  #step(partition: number, message: Message, from: number): void {
    const group = this.#node?.group(partition);
    // It was for a copy that was here before, or will be.
    if (group === undefined || group.replica !== message.to) return;
    if (message.type === messageTypes.snapshot && !group.raft.isWitness) {
      if (this.#isMember(group, message)) this.#fetch(partition, message, from);
      return;
    }
    group.step(message);
  }

  /** A copy that the announced configuration makes a witness needs no bytes. */
  #isMember(group: RaftGroup, message: Message): boolean {
    const witnesses = message.snapshot?.configuration.witnesses ?? [];
    if (!witnesses.includes(group.replica)) return true;
    group.step(message);
    return false;
  }

  #fetch(partition: number, message: Message, from: number): void {
    const node = this.#node;
    if (node === undefined || this.#clients.has(partition)) return;
    const client = new TransferClient({
      clock: this.#clock,
      nextCall: () => ++this.#calls,
      send: (request) =>
        this.#network.send(this.#host, from, { kind: "request", request }, this.#clock.lagMs),
    });
    this.#clients.set(partition, client);
    void this.#fetchAndInstall(node, client, partition, message)
      .catch((error: unknown) => {
        const text = `h${this.#host} checkpoint not fetched: ${errorText(error)}`;
        this.#trace.say("host", partition, text);
        return false;
      })
      .then((ok) => {
        this.#clients.delete(partition);
        const packet = { kind: "outcome", partition, replica: message.to, ok } as const;
        // Told at once, a failure would be tried again at once, and again.
        this.#clock.after(ok ? 0 : failureToldAfterMs, () =>
          this.#network.send(this.#host, from, packet, this.#clock.lagMs),
        );
      });
  }

  async #fetchAndInstall(
    node: TransportNode,
    client: TransferClient,
    partition: number,
    message: Message,
  ): Promise<boolean> {
    const receiver = node.receiveCheckpoint(partition);
    let received: ReceivedCheckpoint;
    try {
      received = await client.fetch(partition, receiver);
    } catch (error) {
      await receiver.abandon();
      throw error;
    }
    const installed = await node.installCheckpoint(partition, received, message);
    if (installed) this.#onInstalled();
    this.#trace.say(
      "host",
      partition,
      `h${this.#host} checkpoint ${installed ? "installed" : "refused"}`,
    );
    return installed;
  }

  /** The group is told that the checkpoint is lost unless its receiver has been heard of; what has arrived meanwhile it knows by itself. */
  #watch(partition: number, replica: ReplicaId): void {
    const key = `${partition}/${replica}`;
    if (this.#announced.has(key)) return;
    this.#announced.add(key);
    this.#clock.after(transferMaxMs, () => {
      this.#announced.delete(key);
      this.#node?.group(partition)?.snapshotSent(replica, false);
    });
  }

  #tell(partition: number, message: Message, host: number): void {
    const { from, to, term, index, logTerm, commit, entries, reject } = message;
    const name = messageNames.get(message.type) ?? "?";
    this.#trace.tell(
      "message",
      partition,
      `h${this.#host}>h${host} ${name} r${from}>r${to} term ${term} at ${index}/${logTerm} commit ${commit} entries ${entries.length}${reject ? " reject" : ""}`,
    );
  }
}

const messageNames: ReadonlyMap<number, string> = new Map(
  Object.entries(messageTypes).map(([name, type]) => [type, name]),
);
