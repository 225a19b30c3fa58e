/** The database in this very process: a node on a directory, or in memory, and a channel straight to it. */
import { checksum } from "../base/checksum.ts";
import type { Clock } from "../base/clock.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type Logger, silentLogger } from "../base/logger.ts";
import { MemoryFileSystem } from "../base/memory-file-system.ts";
import { NodeFileSystem } from "../base/node-file-system.ts";
import { NodeNetwork } from "../base/node-network.ts";
import { holdProcess } from "../base/process-hold.ts";
import { SystemClock } from "../base/system-clock.ts";
import { SystemRandom } from "../base/system-random.ts";
import type { SessionSettings } from "../client/definitions.ts";
import { Truba, type TrubaOptions } from "../client/truba.ts";
import { type KindSettings, kindDefaults } from "../machines/sessions/kinds.ts";
import { LocalChannel } from "./local-channel.ts";
import { Node } from "./node.ts";

/** Size of a log segment where nobody says otherwise: a node in a process is smaller than a server. */
const embeddedSegmentBytes = 16_777_216;

/** A kind of sessions, as `session()` defines it. */
export interface SessionKind {
  readonly kind: string;
  readonly settings: SessionSettings;
}

/** Options of `open`. */
export interface OpenOptions extends TrubaOptions {
  /** All kinds of sessions that there are, as `session()` defines them. A kind that is left out takes no new sessions. Absent: the kinds stay as they were. */
  readonly sessions?: readonly SessionKind[];
  /** Partitions of a new directory, 1 to 1,024. Default 16; an old directory has its own, and another number is refused. */
  readonly partitions?: number;
  /** Size of a segment of the log, 16 MiB (default) to 1 GiB. */
  readonly segmentBytes?: number;
  /** Told what happens inside; pino fits. Default: nobody is told. */
  readonly logger?: Logger;
}

/** Options of `open` for a database in memory. */
export interface MemoryOptions extends OpenOptions {
  /** Nothing is kept on disk, and nothing outlives `close`. */
  readonly memory: true;
  /** Its time; a `VirtualClock` lets hours pass at once. Default the system's. */
  readonly clock?: Clock;
}

/**
 * Opens the database in a directory, which is made if it is not there, and serves it in this process; what was acknowledged is on disk. Resolves when it can be used.
 * The process lives until it is closed.
 *
 * ```ts
 * await using db = await open("./data");
 * await using db = await open({ memory: true, clock: new VirtualClock() });   // in tests
 * ```
 *
 * Rejects with TrubaError DATALOCKED when another process has the directory, DATADAMAGED or DATAVERSION when it cannot be read, BADCONFIG when the options are not right.
 */
export function open(directory: string, options?: OpenOptions): Promise<Truba>;
export function open(options: MemoryOptions): Promise<Truba>;
export async function open(where: string | MemoryOptions, given: OpenOptions = {}): Promise<Truba> {
  const inMemory = typeof where !== "string";
  const options = inMemory ? where : given;
  checkOption("partitions", options.partitions, 1, limits.partitionsMaxCount);
  checkOption(
    "segmentBytes",
    options.segmentBytes,
    limits.walSegmentMinBytes,
    limits.walSegmentMaxBytes,
  );
  const clock = (inMemory ? where.clock : undefined) ?? new SystemClock();
  const random = new SystemRandom();
  const files = inMemory ? new MemoryFileSystem() : new NodeFileSystem();
  const logger = options.logger ?? silentLogger;
  // With a clock of its own it does nothing by itself, so nothing is to be waited for.
  const hold = inMemory && where.clock !== undefined ? undefined : holdProcess();
  try {
    const node = await Node.open(
      { clock, random, files, network: new NodeNetwork(), logger },
      {
        dataDirectory: inMemory ? "memory" : where,
        partitions: options.partitions,
        walSegmentBytes: options.segmentBytes ?? embeddedSegmentBytes,
        kinds: options.sessions?.map(kindOf),
      },
    );
    const channel = new LocalChannel(node, clock, async () => {
      await node.drain();
      await node.stop();
      hold?.release();
    });
    return new Truba(channel, { clock, random }, options);
  } catch (error) {
    hold?.release();
    throw error;
  }
}

/** A kind without a number of its own has one that follows from its name. */
function kindOf({ kind, settings }: SessionKind): KindSettings {
  const number = settings.number ?? checksum(Buffer.from(kind, "utf8"));
  return { ...kindDefaults, ...settings, name: kind, number };
}

function checkOption(name: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= min && value <= max)) return;
  throw new TrubaError(
    "BADCONFIG",
    `${name} is ${value}; it must be a whole number from ${min} to ${max}`,
  );
}
