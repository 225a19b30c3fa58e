/** CLUSTER: the node as Redis Cluster's clients see it. One node owns all slots. */
import { partitionOfSlot, slotOf, slotsCount } from "../../placement/slots.ts";
import type { RespWriter } from "../../protocol/resp-writer.ts";
import { type Call, integerOf, quoted } from "../call.ts";
import { clusterIdText } from "../cluster-id.ts";
import type { PlainCommand, Subcommand } from "../command.ts";
import { failure } from "../failure.ts";
import { recordKeyText } from "../../machines/records/record-key.ts";
import type { ServerContext } from "../server-context.ts";
import { type Session, writeFailure } from "../session.ts";
import { container } from "../subcommands.ts";

const lastSlot = slotsCount - 1;

function slots(_call: Call, session: Session, reply: RespWriter): void {
  const { advertised, node } = session.context;
  reply.array(1);
  reply.array(3);
  reply.integer(0);
  reply.integer(lastSlot);
  reply.array(4);
  reply.bulkText(advertised.host);
  reply.integer(advertised.port);
  reply.bulkText(clusterIdText(node.identity));
  reply.array(0);
}

function shards(_call: Call, session: Session, reply: RespWriter): void {
  const { advertised, node } = session.context;
  reply.array(1);
  reply.map(2);
  reply.bulkText("slots");
  reply.array(2);
  reply.integer(0);
  reply.integer(lastSlot);
  reply.bulkText("nodes");
  reply.array(1);
  reply.map(7);
  reply.bulkText("id");
  reply.bulkText(clusterIdText(node.identity));
  reply.bulkText("port");
  reply.integer(advertised.port);
  reply.bulkText("ip");
  reply.bulkText(advertised.host);
  reply.bulkText("endpoint");
  reply.bulkText(advertised.host);
  reply.bulkText("role");
  reply.bulkText("master");
  reply.bulkText("replication-offset");
  reply.integer(node.partitions.reduce((sum, { position }) => sum + position, 0));
  reply.bulkText("health");
  reply.bulkText("online");
}

/** Peers come through the client port, so there is no other port to name behind the @. */
function nodes(_call: Call, session: Session, reply: RespWriter): void {
  const { advertised, node } = session.context;
  const address = `${advertised.host}:${advertised.port}@${advertised.port}`;
  reply.verbatim(
    "txt",
    `${clusterIdText(node.identity)} ${address} myself,master - 0 0 1 connected 0-${lastSlot}\n`,
  );
}

function info(_call: Call, _session: Session, reply: RespWriter): void {
  const lines = [
    "cluster_enabled:1",
    "cluster_state:ok",
    `cluster_slots_assigned:${slotsCount}`,
    `cluster_slots_ok:${slotsCount}`,
    "cluster_slots_pfail:0",
    "cluster_slots_fail:0",
    "cluster_known_nodes:1",
    "cluster_size:1",
    "cluster_current_epoch:1",
    "cluster_my_epoch:1",
  ];
  reply.verbatim("txt", `${lines.join("\r\n")}\r\n`);
}

/** Slot of a record's key as the node places it (capitals in a UUID count as small letters), or of any other key as Redis does. */
function keySlot(call: Call, session: Session, reply: RespWriter): void {
  const { key } = session.context;
  const isRecord = key.parse(call.buffer, call.start(2), call.end(2)) === undefined;
  reply.integer(isRecord ? key.slot : slotOf(call.buffer, call.start(2), call.end(2)));
}

/** Keys of one slot, up to `count`. It looks at all records of the slot's partition. */
function keysInSlot(context: ServerContext, slot: number, count: number): readonly string[] {
  const { partitions } = context.node;
  const records = partitions[partitionOfSlot(slot, partitions.length)]?.stack.records;
  const keys: string[] = [];
  if (records === undefined) return keys;
  let cursor = 0;
  do {
    cursor = records.scan(cursor, 1_000, (address) => {
      if (keys.length === count) return;
      const key = recordKeyText(
        records.buffer(address),
        records.keyStart(address),
        records.keyBytes(address),
      );
      if (slotOf(Buffer.from(key, "latin1")) === slot) keys.push(key);
    });
  } while (cursor !== 0 && keys.length < count);
  return keys;
}

/** Argument 2 as a slot; answers with an error if it is none. */
function slotAt(call: Call, reply: RespWriter): number | undefined {
  const slot = integerOf(call, 2);
  if (slot !== undefined && slot >= 0 && slot <= lastSlot) return slot;
  writeFailure(
    reply,
    failure("ERR", `Invalid slot ${quoted(call, 2)}; there are 0 to ${lastSlot}`),
  );
  return undefined;
}

const subcommands: readonly Subcommand[] = [
  { name: "SLOTS", arity: 2, usage: "", help: "Which node owns which slots.", run: slots },
  {
    name: "SHARDS",
    arity: 2,
    usage: "",
    help: "Which nodes own which slots, with their state.",
    run: shards,
  },
  { name: "NODES", arity: 2, usage: "", help: "A line for each node.", run: nodes },
  { name: "INFO", arity: 2, usage: "", help: "State of the cluster.", run: info },
  {
    name: "MYID",
    arity: 2,
    usage: "",
    help: "Id of this node.",
    run: (_call, session, reply) => reply.bulkText(clusterIdText(session.context.node.identity)),
  },
  {
    name: "MYSHARDID",
    arity: 2,
    usage: "",
    help: "Id of this node's shard: that of the node.",
    run: (_call, session, reply) => reply.bulkText(clusterIdText(session.context.node.identity)),
  },
  { name: "KEYSLOT", arity: 3, usage: "key", help: "Slot of a key.", run: keySlot },
  {
    name: "COUNTKEYSINSLOT",
    arity: 3,
    usage: "slot",
    help: "How many records are in a slot. Looks at all records of the slot's partition.",
    run(call, session, reply) {
      const slot = slotAt(call, reply);
      if (slot !== undefined) reply.integer(keysInSlot(session.context, slot, Infinity).length);
    },
  },
  {
    name: "GETKEYSINSLOT",
    arity: 4,
    usage: "slot count",
    help: "Up to so many keys in a slot. May look at all records of the slot's partition.",
    run(call, session, reply) {
      const slot = slotAt(call, reply);
      if (slot === undefined) return;
      const count = integerOf(call, 3);
      if (count === undefined || count < 0) {
        writeFailure(reply, failure("ERR", "Invalid number of keys"));
        return;
      }
      const keys = keysInSlot(session.context, slot, count);
      reply.array(keys.length);
      for (const key of keys) reply.bulkText(key);
    },
  },
  {
    name: "LINKS",
    arity: 2,
    usage: "",
    help: "Connections to other nodes: none.",
    run: (_call, _session, reply) => reply.array(0),
  },
];

export const clusterCommand: PlainCommand = container(
  {
    name: "CLUSTER",
    group: "cluster",
    help: "The node as clients of Redis Cluster see it.",
    flags: ["loading", "stale"],
  },
  subcommands,
);
