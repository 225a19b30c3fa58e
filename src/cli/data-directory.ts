/** A data directory at rest, for the commands that look at it and change nothing. */
import type { Environment } from "../base/environment.ts";
import { TrubaError, errorText } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import { silentLogger } from "../base/logger.ts";
import { NodeFileSystem } from "../base/node-file-system.ts";
import { NodeNetwork } from "../base/node-network.ts";
import { SystemClock } from "../base/system-clock.ts";
import { SystemRandom } from "../base/system-random.ts";
import { readOrMakeIdentity } from "../node/identity.ts";
import type { Identity } from "../node/identity.ts";
import { CommandFailure } from "./command-failure.ts";

export interface DataDirectory {
  readonly files: FileSystem;
  readonly path: string;
  /** `DIR/wal` */
  readonly wal: string;
  /** Or why it cannot be read. */
  readonly identity: Identity | TrubaError;
  partition(id: number): string;
}

/**
 * Opens the directory and warns when a node is using it: what is being written then looks unfinished. Throws CommandFailure when there is none or
 * it holds no node.
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  const files = new NodeFileSystem();
  const wal = `${path}/wal`;
  if (!files.existsSync(path)) throw new CommandFailure(`there is no data directory ${path}`);
  const known = [`${path}/node.json`, wal, `${path}/partitions`];
  if (!known.some((part) => files.existsSync(part)))
    throw new CommandFailure(`${path} holds no node: there is no node.json, no wal, no partitions`);
  if (!files.existsSync(`${path}/node.json`) && files.existsSync(`${path}/node.json.new`))
    throw new CommandFailure(`${path}: the first start was cut off; the next one goes on with it`);
  await warnIfInUse(files, path);
  return {
    files,
    path,
    wal,
    identity: readIdentity(files, path),
    partition: (id) => `${path}/partitions/${String(id).padStart(4, "0")}`,
  };
}

/** Holds the lock for a moment only, so that a node which is being started does not fail for long. */
async function warnIfInUse(files: FileSystem, path: string): Promise<void> {
  try {
    (await files.lock(path)).release();
  } catch (error) {
    if (!(error instanceof TrubaError)) throw error;
    process.stderr.write(
      `truba: warning: a node is using ${path}; what it writes meanwhile may look unfinished or damaged\n`,
    );
  }
}

function readIdentity(files: FileSystem, path: string): Identity | TrubaError {
  const file = `${path}/node.json`;
  // It would be made.
  if (!files.existsSync(file)) return new TrubaError("DATADAMAGED", `${file} is missing`);
  const environment: Environment = {
    clock: new SystemClock(),
    random: new SystemRandom(),
    files,
    network: new NodeNetwork(),
    logger: silentLogger,
  };
  try {
    return readOrMakeIdentity(environment, path, {});
  } catch (error) {
    if (error instanceof TrubaError) return error;
    return new TrubaError("DATADAMAGED", `${file}: ${errorText(error)}`);
  }
}
