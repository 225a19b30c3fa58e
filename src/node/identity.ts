/**
 * What a data directory is: made once, kept for ever in `node.json`. One line of JSON and its checksum, as the manifests have it.
 *
 * It is first written as `node.json.new`, and gets its name only when the log has begun. So a directory with a `node.json` and without a log has lost
 * it, one without either was never used, and a first start that was cut off anywhere is done again.
 */
import { dirname } from "node:path";
import { must } from "../base/assert.ts";
import { checksum } from "../base/checksum.ts";
import type { Environment } from "../base/environment.ts";
import { TrubaError, systemErrorCode } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
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

/**
 * Reads the directory's identity, or makes it: {@link confirmIdentity} must follow. Throws TrubaError DATADAMAGED, DATAVERSION, or BADCONFIG when an option
 * differs from what was chosen.
 */
export function readOrMakeIdentity(
  environment: Environment,
  directory: string,
  options: BootstrapOptions,
): Identity {
  const { files, random } = environment;
  const path = `${directory}/node.json`;
  if (files.existsSync(path)) {
    const identity = readIdentity(files, path);
    checkUnchanged(identity, options);
    return identity;
  }
  const begun = readUnconfirmed(files, directory);
  const identity: Identity = {
    format: 1,
    clusterId: begun?.clusterId ?? randomHex(random, 16),
    clusterName: options.clusterName ?? defaults.clusterName,
    nodeId: begun?.nodeId ?? randomSafeInteger(random),
    name: options.name ?? begun?.name ?? `node-${randomHex(random, 4)}`,
    partitions: options.partitions ?? defaults.partitions,
    replicationFactor: options.replicationFactor ?? defaults.replicationFactor,
  };
  writeUnconfirmed(files, directory, identity);
  return identity;
}

/** Whether the identity has its name: the directory has been in use. */
export function isConfirmed(files: FileSystem, directory: string): boolean {
  return files.existsSync(`${directory}/node.json`);
}

/** The log has begun: the identity is there for good. */
export function confirmIdentity(files: FileSystem, directory: string): void {
  if (!isConfirmed(files, directory)) {
    syncParent(files, directory);
    files.renameSync(`${directory}/node.json.new`, `${directory}/node.json`);
  }
  // Also when it was there: an earlier start may have been killed before it synced the names.
  files.syncDirectorySync(directory);
}

/** Makes the data directory, and those above it that are missing, so that they last a power loss. */
export function makeDataDirectory(files: FileSystem, directory: string): void {
  const parent = dirname(directory);
  if (!files.existsSync(directory)) {
    if (parent !== directory) makeDataDirectory(files, parent);
    files.makeDirectorySync(directory);
    files.syncDirectorySync(parent);
  }
}

/** For a directory that was there: an earlier start may have been killed before it synced the name, or an operator made it. */
function syncParent(files: FileSystem, directory: string): void {
  try {
    files.syncDirectorySync(dirname(directory));
  } catch (error) {
    // Who may not read the parent has not made the directory.
    if (systemErrorCode(error) !== "EACCES") throw error;
  }
}

/** What a first start left that did not come to its end; `undefined` if there was none. */
function readUnconfirmed(files: FileSystem, directory: string): Identity | undefined {
  const path = `${directory}/node.json.new`;
  let damage: TrubaError | undefined;
  if (files.existsSync(path)) {
    try {
      return readIdentity(files, path);
    } catch (error) {
      if (!(error instanceof TrubaError)) throw error;
      damage = error;
    }
  }
  // A log and partitions are begun only when this file is durable.
  if (files.existsSync(`${directory}/wal`) || files.existsSync(`${directory}/partitions`)) {
    throw new TrubaError(
      "DATADAMAGED",
      `${directory}/node.json is missing, although ${directory} holds a log or partitions`,
      { cause: damage },
    );
  }
  return undefined;
}

function readIdentity(files: FileSystem, path: string): Identity {
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

/** In one step, because a log may already be there that only this file explains. */
function writeUnconfirmed(files: FileSystem, directory: string, identity: Identity): void {
  const path = `${directory}/node.json.new`;
  const temporary = `${directory}/node.json.tmp`;
  if (files.existsSync(temporary)) files.unlinkSync(temporary);
  const line = JSON.stringify(identity);
  const file = files.openSync(temporary, "create");
  file.writeSync(Buffer.from(`${line}\n${checksumText(line)}\n`), 0);
  file.syncDataSync();
  file.closeSync();
  files.renameSync(temporary, path);
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
