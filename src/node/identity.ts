/**
 * What a data directory is: made once, kept for ever in `node.json`. One line of JSON and its checksum, as the manifests have it.
 */
import { must } from "../base/assert.ts";
import { checksum } from "../base/checksum.ts";
import type { Environment } from "../base/environment.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { randomHex, randomSafeInteger } from "../base/random.ts";

export interface Identity {
  readonly format: 1;
  readonly clusterId: string;
  readonly clusterName: string;
  /** Never used by any other node, and not again if the disk is wiped. */
  readonly nodeId: number;
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
}

/** What may be chosen when the directory is new; afterwards it must agree or be left out. */
export interface BootstrapOptions {
  readonly clusterName?: string | undefined;
  readonly name?: string | undefined;
  readonly partitions?: number | undefined;
  readonly replicationFactor?: number | undefined;
}

const defaults = { clusterName: "Truba", partitions: 16, replicationFactor: 3 } as const;

/** Reads the directory's identity, or makes it. Throws TrubaError DATADAMAGED, DATAVERSION, or BADCONFIG when an option differs from what was chosen. */
export function readOrMakeIdentity(
  environment: Environment,
  directory: string,
  options: BootstrapOptions,
): Identity {
  const { files } = environment;
  const path = `${directory}/node.json`;
  if (files.existsSync(path)) {
    const identity = readIdentity(environment, path);
    checkUnchanged(identity, options);
    return identity;
  }
  if (files.existsSync(`${directory}/wal`) || files.existsSync(`${directory}/partitions`)) {
    throw new TrubaError(
      "DATADAMAGED",
      `${path} is missing, although ${directory} holds a log or partitions`,
    );
  }
  const identity: Identity = {
    format: 1,
    clusterId: randomHex(environment.random, 16),
    clusterName: options.clusterName ?? defaults.clusterName,
    nodeId: randomSafeInteger(environment.random),
    name: options.name ?? `node-${randomHex(environment.random, 4)}`,
    partitions: options.partitions ?? defaults.partitions,
    replicationFactor: options.replicationFactor ?? defaults.replicationFactor,
  };
  writeIdentity(environment, directory, identity);
  return identity;
}

function readIdentity({ files }: Environment, path: string): Identity {
  const file = files.openSync(path, "read");
  const bytes = Buffer.alloc(file.sizeSync());
  file.readSync(bytes, 0);
  file.closeSync();
  const [line, sum] = bytes.toString("utf8").split("\n");
  if (line === undefined || sum !== checksumText(line))
    throw new TrubaError("DATADAMAGED", `${path} is damaged: its checksum is wrong`);
  const parsed: unknown = JSON.parse(line);
  if (!isIdentity(parsed))
    throw new TrubaError(
      "DATAVERSION",
      `${path} has a form that this version of Truba cannot read`,
    );
  return parsed;
}

function writeIdentity({ files }: Environment, directory: string, identity: Identity): void {
  const path = `${directory}/node.json`;
  if (files.existsSync(`${path}.new`)) files.unlinkSync(`${path}.new`);
  const line = JSON.stringify(identity);
  const file = files.openSync(`${path}.new`, "create");
  file.writeSync(Buffer.from(`${line}\n${checksumText(line)}\n`), 0);
  file.syncDataSync();
  file.closeSync();
  files.renameSync(`${path}.new`, path);
  files.syncDirectorySync(directory);
}

function checksumText(line: string): string {
  return checksum(Buffer.from(line)).toString(16).padStart(8, "0");
}

function isIdentity(value: unknown): value is Identity {
  if (typeof value !== "object" || value === null) return false;
  const fields = new Map<string, unknown>(Object.entries(value));
  const isText = (name: string): boolean => typeof fields.get(name) === "string";
  const isCount = (name: string): boolean => Number.isSafeInteger(fields.get(name));
  return (
    fields.get("format") === 1 &&
    ["clusterId", "clusterName", "name"].every(isText) &&
    ["nodeId", "partitions", "replicationFactor"].every(isCount) &&
    Number(fields.get("partitions")) <= limits.partitionsMaxCount
  );
}

function checkUnchanged(identity: Identity, options: BootstrapOptions): void {
  for (const name of ["clusterName", "name", "partitions", "replicationFactor"] as const) {
    const wanted = options[name];
    if (wanted === undefined || wanted === identity[name]) continue;
    throw new TrubaError(
      "BADCONFIG",
      `${name} is ${must(identity[name])} since the data directory was made; it cannot become ${wanted}`,
    );
  }
}
