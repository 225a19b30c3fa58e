/** Opening a data directory: its lock, its identity, its checkpoints and its log, brought together; nothing is read into memory yet. */
import { TrubaError } from "../base/errors.ts";
import type { Environment } from "../base/environment.ts";
import { delay } from "../base/clock.ts";
import type { FileSystem } from "../base/file-system.ts";
import { limits } from "../base/limits.ts";
import { type KindSettings, checkKinds } from "../machines/sessions/kinds.ts";
import { listLog } from "../wal/segment.ts";
import { Wal } from "../wal/wal.ts";
import { DiskCopies } from "./disk-copies.ts";
import {
  type BootstrapOptions,
  type Identity,
  confirmIdentity,
  isConfirmed,
  makeDataDirectory,
  readOrMakeIdentity,
} from "./identity.ts";
import { type CopyPlan, type Replication, soleCopy } from "./replication.ts";

export interface DocumentOptions {
  /** How many days the history of documents is kept once all members have it; absent: for ever. */
  readonly historyDays?: number | undefined;
}

export interface NodeOptions extends BootstrapOptions {
  readonly dataDirectory: string;
  readonly walSegmentBytes?: number | undefined;
  /** The kinds of sessions; absent: those that the state has stay as they are. Throws BADCONFIG when they are not right. */
  readonly kinds?: readonly KindSettings[] | undefined;
  readonly documents?: DocumentOptions | undefined;
  /** Absent: one node by itself, of every partition the only copy. */
  readonly replication?: Replication | undefined;
}

/** What a record of the log takes beside its entry, at most. */
const recordExtraBytes = 1_024;

function entryMaxBytesOf({ walSegmentBytes = limits.walSegmentBytes }: NodeOptions): number {
  return Math.min(limits.raftEntryMaxBytes, walSegmentBytes / 2 - recordExtraBytes);
}

/** The log has failed, or disk space has become short or is there again. */
export type DiskEvent = Error | { readonly full: boolean };

export interface OpenedDirectory {
  readonly path: string;
  readonly identity: Identity;
  readonly lock: { release(): void };
  readonly wal: Wal;
  readonly disk: DiskCopies;
  /** The largest entry of the log: two fit into a segment. */
  readonly entryMaxBytes: number;
  /** How long documents keep their history. */
  readonly historyDays: number | undefined;
  /** The copies that may be opened, by partition. */
  readonly plans: readonly (CopyPlan | undefined)[];
  /** Told what happens to the disk, and at once what has happened already. One listener. */
  watch(listener: (event: DiskEvent) => void): void;
  /** Lets the directory go without writing anything. */
  abandon(): Promise<void>;
}

/** What the disk says, kept until somebody listens. */
class DiskEvents {
  #failure: Error | undefined;
  #full = false;
  #listener: ((event: DiskEvent) => void) | undefined;

  failed(error: Error): void {
    this.#failure = error;
    this.#listener?.(error);
  }

  space(full: boolean): void {
    this.#full = full;
    this.#listener?.({ full });
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  watch(listener: (event: DiskEvent) => void): void {
    this.#listener = listener;
    if (this.#failure !== undefined) listener(this.#failure);
    if (this.#full) listener({ full: true });
  }
}

/**
 * Throws TrubaError DATALOCKED, DATADAMAGED, DATAVERSION or BADCONFIG, and has let the directory go. `damage`: copies that are known to be damaged; only with
 * replication.
 */
export async function openDirectory(
  environment: Environment,
  options: NodeOptions,
  damage: ReadonlyMap<number, string>,
): Promise<OpenedDirectory> {
  const { files } = environment;
  const path = options.dataDirectory;
  const [problem] = checkKinds(options.kinds ?? []);
  if (problem !== undefined)
    throw new TrubaError("BADCONFIG", `kinds of sessions: ${problem.text}`);
  makeDataDirectory(files, path);
  const lock = await files.lock(path);
  const disk = new DiskCopies(environment, path);
  const events = new DiskEvents();
  let wal: Wal | undefined;
  const abandon = async (): Promise<void> => {
    await wal?.abandon();
    await disk.close();
    lock.release();
  };
  try {
    const { replication } = options;
    const identity = readOrMakeIdentity(environment, path, options);
    if (isConfirmed(files, path)) mustHoldLog(files, path);
    await disk.openStores(identity.partitions, replication !== undefined);
    wal = await openWal(environment, options, identity, events);
    confirmIdentity(files, path);
    let plans: (CopyPlan | undefined)[] = Array.from(
      { length: identity.partitions },
      (_, partition) => (replication === undefined ? soleCopy : replication.copy(partition)),
    );
    if (replication !== undefined) {
      const damaged = new Map([...wal.damaged, ...damage]);
      plans = await disk.settle({
        wal,
        plans,
        damage: damaged,
        flush: flusher(wal, environment, events),
      });
    }
    const watch = events.watch.bind(events);
    const entryMaxBytes = entryMaxBytesOf(options);
    const historyDays = options.documents?.historyDays;
    return { path, identity, lock, wal, disk, entryMaxBytes, historyDays, plans, watch, abandon };
  } catch (error) {
    await abandon();
    throw error;
  }
}

function openWal(
  { files, clock, logger }: Environment,
  options: NodeOptions,
  { nodeId }: Identity,
  events: DiskEvents,
): Promise<Wal> {
  return Wal.open({
    files,
    clock,
    logger,
    directory: `${options.dataDirectory}/wal`,
    segmentBytes: options.walSegmentBytes ?? limits.walSegmentBytes,
    nodeId,
    lowWaterBytes: limits.diskLowWaterBytes,
    onDamage: options.replication === undefined ? "refuse" : "retire",
    onFailure: (error) => events.failed(error),
    onSpace: (full) => events.space(full),
  });
}

/** Makes durable what is staged in the log. */
function flusher(wal: Wal, { clock }: Environment, events: DiskEvents): () => Promise<void> {
  return async () => {
    wal.flush(() => {});
    while (wal.busy && events.failure === undefined) await delay(clock, 1);
    if (events.failure !== undefined) throw events.failure;
  };
}

/** Every node that has served has a log; one that is gone must not be taken for one that never was. */
function mustHoldLog(files: FileSystem, directory: string): void {
  if (listLog(files, `${directory}/wal`).segments.length > 0) return;
  throw new TrubaError(
    "DATADAMAGED",
    `${directory}/wal holds no segment, although ${directory}/node.json is there: the log is lost`,
  );
}
