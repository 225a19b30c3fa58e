/**
 * The options of `truba serve`, as data. Flags, environment names, keys of the file, defaults, help and the checks of
 * values all come from this one table, so that an option is added in one place.
 *
 * The name `replicationFactor` is `--replication-factor` as a flag, `TRUBA_REPLICATION_FACTOR` in the environment and
 * `replication-factor` in the file. Every source gives text, and one schema per option turns text into the value.
 */
import type { z } from "zod";
import { limits } from "../base/limits.ts";
import {
  address,
  addressOrOff,
  choice,
  humanName,
  machineName,
  origins,
  path,
  peerAddresses,
  whole,
} from "./value-kinds.ts";
import type { ValueKind } from "./value-kinds.ts";

export interface Option extends ValueKind {
  /** What stands for the value in the help; `undefined` for a switch, which is `true` when given. */
  readonly argument: string | undefined;
  /** As text, like any other source; `undefined`: the option may be absent. */
  readonly default: string | undefined;
  readonly help: string;
  /** Belongs to few setups; stands apart in the help. */
  readonly advanced: boolean;
  /** Whether the file may set it. */
  readonly inFile: boolean;
}

const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

const common = { advanced: false, inFile: true } as const;

export const options = {
  config: {
    ...common,
    ...path(),
    argument: "FILE",
    default: undefined,
    help: "configuration file; without it, truba.yaml if that exists",
    inFile: false,
  },
  data: {
    ...common,
    ...path(),
    argument: "DIR",
    default: "./data",
    help: "directory of the log and the checkpoints; made at first start",
  },
  listen: {
    ...common,
    ...address({ portMin: 0 }),
    argument: "HOST:PORT",
    default: "127.0.0.1:8765",
    help: "where clients connect; port 0 picks a free one",
  },
  http: {
    ...common,
    ...addressOrOff(),
    argument: "HOST:PORT",
    default: "127.0.0.1:8080",
    help: "where HTTP, its pages and metrics are served; port 0 picks a free one, off serves none",
  },
  advertise: {
    ...common,
    ...address({ portMin: 1 }),
    argument: "HOST:PORT",
    default: undefined,
    help: "the address to tell others, where it differs from --listen",
  },
  insecure: {
    ...common,
    ...choice(["true", "false"], (word) => word === "true"),
    argument: undefined,
    default: "false",
    help: "allow listening beyond this machine without authentication",
  },
  tlsCert: {
    ...common,
    ...path(),
    argument: "FILE",
    default: undefined,
    help: "this node's certificate and its chain, in PEM: both ports speak TLS then",
  },
  tlsKey: {
    ...common,
    ...path(),
    argument: "FILE",
    default: undefined,
    help: "the private key of --tls-cert, in PEM",
  },
  tlsClientCa: {
    ...common,
    ...path(),
    argument: "FILE",
    default: undefined,
    help: "authorities, in PEM: clients must show a certificate of one of them",
  },
  httpOrigins: {
    ...common,
    ...origins(),
    argument: "ORIGINS",
    default: undefined,
    help: "origins of other pages whose scripts may use this node over HTTP, separated by commas",
    advanced: true,
  },
  replicationFactor: {
    ...common,
    ...whole({ min: 1, max: limits.replicationFactorMax }),
    argument: "N",
    default: "3",
    help: "full copies of each partition that the cluster is to keep",
  },
  partitions: {
    ...common,
    ...whole({ min: 1, max: limits.partitionsMaxCount }),
    argument: "N",
    default: "16",
    help: "partitions of the cluster; fixed at its first start",
  },
  clusterName: {
    ...common,
    ...humanName(),
    argument: "NAME",
    default: "Truba",
    help: "name of the cluster; fixed at its first start",
  },
  name: {
    ...common,
    ...machineName(),
    argument: "NAME",
    default: undefined,
    help: "name of this node; without it, one is made once and kept",
  },
  documentPeers: {
    ...common,
    ...peerAddresses(),
    argument: "PEERS",
    default: undefined,
    help: "nodes to exchange documents with, as HOST:PORT of their HTTP ports, separated by commas",
    // The file has them in its section, one in a line.
    inFile: false,
  },
  logLevel: {
    ...common,
    ...choice(logLevels, (word) => word),
    argument: "LEVEL",
    default: "info",
    help: `least severe log lines to print: ${logLevels.join(", ")}`,
  },
  shutdownSeconds: {
    ...common,
    ...whole({ min: 1, max: limits.shutdownOptionMaxSeconds }),
    argument: "SECONDS",
    default: String(limits.shutdownMaxMs / 1_000),
    help: "how long a stop may take before the process ends anyway",
    advanced: true,
  },
  walSegmentBytes: {
    ...common,
    ...whole({ min: limits.walSegmentMinBytes, max: limits.walSegmentMaxBytes }),
    argument: "BYTES",
    default: String(limits.walSegmentBytes),
    help: "size of one segment of the log",
    advanced: true,
  },
} as const satisfies Readonly<Record<string, Option>>;

export type OptionName = keyof typeof options;

/** All names in the order of the table. */
export const optionNames = Object.keys(options) as readonly OptionName[];

/** The checked values of all options. Those without a default may be `undefined`. */
export type Configuration = {
  readonly [Name in OptionName]:
    | z.output<(typeof options)[Name]["schema"]>
    | ((typeof options)[Name]["default"] extends string ? never : undefined);
};

export type LogLevel = Configuration["logLevel"];

/** `replicationFactor` → `replication-factor`: the key in the file, and the flag behind two dashes. */
export function keyOf(name: OptionName): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `replicationFactor` → `TRUBA_REPLICATION_FACTOR`. */
export function environmentNameOf(name: OptionName): string {
  return `TRUBA_${keyOf(name).replaceAll("-", "_").toUpperCase()}`;
}
