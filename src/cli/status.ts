/** `truba status`: what a running node says of itself, as a short table for people or as JSON. */
import { errorText } from "../base/errors.ts";
import { RespError } from "../protocol/resp-reply.ts";
import type { RespReply } from "../protocol/resp-reply.ts";
import { parseAddress } from "./address.ts";
import { badUsageExitCode, CommandFailure } from "./command-failure.ts";
import { shown } from "../base/shown-value.ts";
import { jsonLine, pairsText } from "./output.ts";
import { networkOf, tokenOf } from "./reach.ts";
import type { ReachFlags } from "./reach-flags.ts";
import { ask } from "./resp-connection.ts";

/** A node answers these at once, whatever else it does. */
const answerMaxMs = 5_000;

interface StatusOptions extends ReachFlags {
  readonly address: string;
  readonly json: boolean;
}

/** What the node says, in the form of `--json`. */
interface Status {
  readonly address: string;
  readonly info: Readonly<Record<string, string | number>>;
  readonly heartbeat: Readonly<Record<string, unknown>>;
  readonly partitions: readonly PartitionStatus[];
}

interface PartitionStatus {
  readonly partition: number;
  readonly position: number;
  readonly number: number;
  /** Unsigned, 32 bits, in 8 hex digits: equal state has an equal digest. */
  readonly digest: string;
}

/** Throws CommandFailure when nothing answers, or what answers is no Truba. */
export async function runStatus(options: StatusOptions): Promise<void> {
  const status = await readStatus(options);
  process.stdout.write(options.json ? jsonLine(status) : statusText(status));
}

async function readStatus(options: StatusOptions): Promise<Status> {
  const given = options.address;
  const address = parseAddress(given);
  if (address === undefined) {
    const text = `--address is ${shown(given)}; it must be HOST:PORT, an IPv6 address in brackets`;
    throw new CommandFailure(text, badUsageExitCode);
  }
  const token = tokenOf(options);
  const login = token === undefined ? [] : [["AUTH", token]];
  const commands = [...login, ["INFO"], ["HEARTBEAT"], ["TRUBA.DIGEST"]];
  const network = networkOf(options);
  let replies: readonly RespReply[];
  try {
    replies = await ask(network, address, commands, answerMaxMs);
  } catch (error) {
    const hint = "Is a node running there? Start one with: truba serve";
    throw new CommandFailure(`no node answers at ${errorText(error)}\n${hint}`);
  }
  for (const [at, reply] of replies.entries()) {
    if (!(reply instanceof RespError)) continue;
    const answer = shown(`${reply.code} ${reply.text}`);
    if (["NOAUTH", "WRONGPASS", "NOPERM"].includes(reply.code))
      throw new CommandFailure(`${given} wants another token: ${answer}`);
    throw new CommandFailure(`${given} answers ${commands[at]?.[0]} with ${answer}: it is no node`);
  }
  const [info = null, heartbeat = null, digests = null] = replies.slice(login.length);
  const status = {
    address: given,
    info: infoOf(info),
    heartbeat: recordOf(heartbeat),
    partitions: partitionsOf(digests),
  };
  if (status.info["truba_version"] === undefined)
    throw new CommandFailure(`${given} is a server of another kind, no node of Truba`);
  return status;
}

/** `name:value` lines; numbers as numbers. */
function infoOf(reply: RespReply): Status["info"] {
  const info: Record<string, string | number> = {};
  for (const line of textOf(reply).split("\r\n")) {
    const colon = line.indexOf(":");
    if (line.startsWith("#") || colon < 0) continue;
    const text = line.slice(colon + 1);
    const number = /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text) ? Number(text) : NaN;
    const exact = Number.isSafeInteger(number) || text.includes(".");
    info[line.slice(0, colon)] = !Number.isNaN(number) && exact ? number : text;
  }
  return info;
}

/** A map, which RESP2 sends as a flat array, as an object; so are the maps in it. */
function recordOf(reply: RespReply): Readonly<Record<string, unknown>> {
  const pairs = new Map<string, unknown>();
  if (reply instanceof Map) {
    for (const [name, value] of reply) pairs.set(textOf(name), plainOf(value));
  } else if (Array.isArray(reply)) {
    for (let at = 0; at + 1 < reply.length; at += 2)
      pairs.set(textOf(reply[at] ?? null), plainOf(reply[at + 1] ?? null));
  }
  return Object.fromEntries(pairs);
}

function plainOf(reply: RespReply): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString("utf8");
  if (reply instanceof Map) return recordOf(reply);
  // The only list of a heartbeat is that of its nodes, each a map.
  if (Array.isArray(reply)) return reply.map((item) => recordOf(item));
  return reply;
}

function partitionsOf(reply: RespReply): PartitionStatus[] {
  if (!Array.isArray(reply)) return [];
  return reply.map((row) => {
    const [partition, position, number, digest] = (Array.isArray(row) ? row : []).map(Number);
    return {
      partition: partition ?? 0,
      position: position ?? 0,
      number: number ?? 0,
      digest: ((digest ?? 0) >>> 0).toString(16).padStart(8, "0"),
    };
  });
}

function textOf(reply: RespReply): string {
  if (Buffer.isBuffer(reply)) return reply.toString("utf8");
  return typeof reply === "string" ? reply : "";
}

function statusText({ address, info, heartbeat, partitions }: Status): string {
  const number = (name: string): number => Number(info[name] ?? 0);
  const bytes = (name: string): string => bytesText(number(name));
  const operations = partitions.reduce((sum, partition) => sum + partition.number, 0);
  const pairs: [string, string | number][] = [
    ["Node", `${info["truba_node"]} of cluster ${info["truba_cluster"]}, at ${address}`],
    ["Version", `${info["truba_version"]}`],
    ["Condition", conditionText(String(info["truba_condition"]))],
    ["Uptime", durationText(number("uptime_in_seconds"))],
    ["Role", `${roleOf(heartbeat)} of ${partitions.length} partitions`],
    ["Records", number("truba_records")],
    ["Operations", operations],
    ["Connections", `${number("connected_clients")} of at most ${number("maxclients")}`],
    [
      "Log",
      `${bytes("truba_log_disk_bytes")} on disk, segments: ${number("truba_log_segments")} in use, ` +
        `${number("truba_log_spare_segments")} spare`,
    ],
    [
      "Sync",
      `${info["truba_log_sync_mode"]}, ${number("truba_log_sync_average_ms")} ms on average`,
    ],
    ["Checkpoints", `${bytes("truba_checkpoint_bytes")} on disk`],
    [
      "Memory",
      `${bytes("used_memory_rss")} of the process, ${bytes("truba_state_memory_bytes")} of it state`,
    ],
  ];
  const { warning } = heartbeat;
  if (typeof warning === "string") pairs.push(["Warning", warning]);
  return pairsText(pairs);
}

/** How this node stands to its partitions: it is the first and only one of the heartbeat. */
function roleOf(heartbeat: Status["heartbeat"]): string {
  const nodes: unknown = heartbeat["nodes"];
  const first: unknown = Array.isArray(nodes) ? nodes[0] : undefined;
  const role: unknown =
    typeof first === "object" && first !== null && "role" in first ? first.role : undefined;
  return typeof role === "string" ? role : "unknown";
}

function conditionText(condition: string): string {
  if (condition === "diskfull") return "disk full: writes are refused, reads go on";
  if (condition === "serving") return "serving, disk has space";
  return condition;
}

function durationText(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(" ");
}

function bytesText(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;
  let amount = bytes;
  let unit = 0;
  while (amount >= 1_024 && unit < units.length - 1) {
    amount /= 1_024;
    unit++;
  }
  const digits = unit === 0 || amount >= 100 ? 0 : 1;
  return `${amount.toFixed(digits)} ${units[unit]}`;
}
