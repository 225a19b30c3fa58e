/**
 * The options of `truba serve`, as data. Flags, environment names, keys of the file, defaults, help and the checks of
 * values all come from this one table, so that an option is added in one place.
 *
 * The name `replicationFactor` is `--replication-factor` as a flag, `TRUBA_REPLICATION_FACTOR` in the environment and
 * `replication-factor` in the file. Every source gives text, and one schema per option turns text into the value.
 */
import { z } from "zod";
import { limits } from "../base/limits.ts";
import { parseAddress } from "./address.ts";

interface OptionKind {
  /** Text to value; refuses what is not in range. */
  readonly schema: z.ZodType<unknown, string>;
  /** What the schema takes, to finish "it must be …". */
  readonly range: string;
}

export interface Option extends OptionKind {
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

/** A schema from a function that gives the value, or `undefined` for what it refuses. */
function fromText<Value>(parse: (given: string) => Value | undefined): z.ZodType<Value, string> {
  return z.string().transform((given, context): Value => {
    const value = parse(given);
    if (value !== undefined) return value;
    context.addIssue({ code: "custom", message: "not in range" });
    return z.NEVER;
  });
}

function whole({ min, max }: { min: number; max: number }) {
  return {
    range: `a whole number from ${min.toLocaleString("en-US")} to ${max.toLocaleString("en-US")}`,
    schema: fromText((given) => {
      if (!/^(0|[1-9]\d{0,14})$/.test(given)) return undefined;
      const value = Number(given);
      return value >= min && value <= max ? value : undefined;
    }),
  };
}

function choice<const Word extends string, Value>(
  words: readonly Word[],
  to: (word: Word) => Value,
) {
  return {
    range: `one of ${words.join(", ")}`,
    schema: fromText((given) => {
      const word = words.find((one) => one === given);
      return word === undefined ? undefined : to(word);
    }),
  };
}

function address({ portMin }: { portMin: number }) {
  return {
    range: `HOST:PORT, the port from ${portMin} to 65535, an IPv6 address in brackets ("[::1]:8765")`,
    schema: fromText((given) => {
      const value = parseAddress(given);
      return value !== undefined && value.port >= portMin ? value : undefined;
    }),
  };
}

function path() {
  return {
    range: `a path of 1 to ${limits.pathMaxBytes.toLocaleString("en-US")} bytes`,
    schema: fromText((given) => {
      if (given.includes("\0")) return undefined;
      return within(given, limits.pathMaxBytes) ? given : undefined;
    }),
  };
}

/** A name for people: words with spaces between them. */
function humanName() {
  return {
    range: `1 to ${limits.nameMaxBytes} bytes of text without control characters or spaces around it`,
    schema: fromText((given) => {
      if (/\p{C}|\p{Zl}|\p{Zp}/u.test(given) || given !== given.trim()) return undefined;
      return within(given, limits.nameMaxBytes) ? given : undefined;
    }),
  };
}

/** A name for machines. */
function machineName() {
  return {
    range: `1 to ${limits.nameMaxBytes} printable ASCII characters without spaces`,
    schema: fromText((given) => {
      if (!/^[!-~]+$/.test(given)) return undefined;
      return within(given, limits.nameMaxBytes) ? given : undefined;
    }),
  };
}

function within(given: string, maxBytes: number): boolean {
  return given !== "" && Buffer.byteLength(given) <= maxBytes;
}
