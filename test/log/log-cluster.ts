/**
 * Several copies of one group, each over its own simulated disk, joined in memory: the node's turn, the transport and the fetching of checkpoints, as far as a log
 * needs them. Messages arrive in order unless a test cuts a way.
 */
import { must } from "../../src/base/assert.ts";
import type { RaftLog } from "../../src/log/raft-log.ts";
import { RaftInvariants } from "../../src/raft/invariants.ts";
import { messageTypes } from "../../src/raft/vocabulary.ts";
import type { Configuration, Message, ReplicaId } from "../../src/raft/vocabulary.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { LogDisk } from "./log-disk.ts";

const group = 1;
/** Enough for any election, and for what was not decided to be given up. */
const ticksMax = 200;

export function configurationOf(
  voters: readonly ReplicaId[],
  rest: Partial<Configuration> = {},
): Configuration {
  return {
    voters,
    outgoing: [],
    learners: [],
    learnersNext: [],
    witnesses: [],
    autoLeave: false,
    ...rest,
  };
}

export interface LogClusterOptions {
  readonly configuration: Configuration;
  /** Copies that exist, if more than the configuration names. */
  readonly replicas?: readonly ReplicaId[];
  readonly syncMs?: number;
}

export class LogCluster {
  readonly clock = new SimulatedClock();
  readonly disks = new Map<ReplicaId, LogDisk>();
  readonly invariants = new RaftInvariants();
  /** Ways that lose everything, as `from>to`. */
  readonly cut = new Set<string>();
  /** Checkpoints that were installed: who, at which position. */
  readonly installed: { readonly replica: ReplicaId; readonly position: number }[] = [];
  /** Every batch that the reader of a copy has read, since its disk was new. */
  readonly history = new Map<ReplicaId, string[]>();
  readonly #options: LogClusterOptions;
  readonly #down = new Set<ReplicaId>();
  /** Whom the invariants are not asked about. */
  readonly #unseen = new Set<ReplicaId>();
  /** All that was sent, one list for each call. */
  readonly sent: (readonly Message[])[] = [];
  #wires: Message[] = [];

  private constructor(options: LogClusterOptions) {
    this.#options = options;
  }

  static async open(options: LogClusterOptions): Promise<LogCluster> {
    const cluster = new LogCluster(options);
    const { configuration, replicas } = options;
    for (const replica of replicas ?? [...configuration.voters, ...configuration.learners])
      await cluster.add(replica);
    return cluster;
  }

  /** A copy on a new disk. */
  async add(replica: ReplicaId): Promise<void> {
    const { configuration, syncMs } = this.#options;
    const disk = new LogDisk({
      clock: this.clock,
      ...(syncMs === undefined ? {} : { syncMs }),
      sender: {
        send: (_, messages) => {
          this.sent.push(messages);
          this.#wires.push(...messages);
        },
      },
      bootstrap: { replica, configuration },
      priority: replica - 1,
      seed: replica,
    });
    this.disks.set(replica, disk);
    await this.start(replica);
  }

  /** A copy whose process has ended starts again, from the disk alone or from a checkpoint. */
  async start(
    replica: ReplicaId,
    from?: { position: number; token?: Uint8Array; installed?: boolean },
  ): Promise<void> {
    const disk = this.disk(replica);
    // A log that begins anew behind a checkpoint drops what was on disk behind another entry, which looks like a loss.
    if (from?.installed === true) this.#unseen.add(replica);
    await disk.openOnly([group]);
    this.#down.delete(replica);
    const log = this.log(replica);
    if (from !== undefined) log.readFrom(from.position, from.token, from.installed);
    log.onSnapshot((message) => this.#install(replica, message));
    disk.logs.start();
    await this.settle();
  }

  /** The process ends; what it had on the wire arrives. */
  async stop(replica: ReplicaId): Promise<void> {
    this.#down.add(replica);
    await this.disk(replica).crash();
    this.invariants.copyRestarted(replica);
  }

  async close(): Promise<void> {
    for (const replica of this.disks.keys()) if (!this.#down.has(replica)) await this.stop(replica);
  }

  disk(replica: ReplicaId): LogDisk {
    return must(this.disks.get(replica));
  }

  log(replica: ReplicaId): RaftLog {
    return this.disk(replica).log(group);
  }

  /** Nothing passes between this copy and the others, either way. */
  isolate(replica: ReplicaId): void {
    for (const other of this.disks.keys()) {
      this.cut.add(`${other}>${replica}`);
      this.cut.add(`${replica}>${other}`);
    }
  }

  heal(): void {
    this.cut.clear();
  }

  /** Time passes for all, or for some. */
  async tick(count = 1, replicas: Iterable<ReplicaId> = this.disks.keys()): Promise<void> {
    const ticking = [...replicas];
    for (let i = 0; i < count; i++) {
      for (const replica of ticking) if (!this.#down.has(replica)) this.disk(replica).logs.tick();
      await this.settle();
    }
  }

  /** Time passes until there is a leader that has read all; who it is. */
  async elect(replicas: Iterable<ReplicaId> = this.disks.keys()): Promise<ReplicaId> {
    const asked = [...replicas];
    for (let i = 0; i < ticksMax; i++) {
      for (const replica of asked) await this.read(replica);
      const leader = asked.find((replica) => this.log(replica).status().role === "leader");
      if (leader !== undefined) return leader;
      await this.tick();
    }
    throw new Error(`no leader after ${ticksMax} ticks`);
  }

  /** What the reader of a copy has not read yet. */
  async read(replica: ReplicaId): Promise<string[]> {
    if (this.#down.has(replica)) return [];
    const texts: string[] = [];
    for (;;) {
      const entries = this.log(replica).committed(1_048_576);
      if (entries.length === 0) break;
      for (const entry of entries) if (entry.batch.length > 0) texts.push(entry.batch.toString());
      await this.settle();
    }
    this.history.set(replica, [...(this.history.get(replica) ?? []), ...texts]);
    return texts;
  }

  /** Lets turns, disks and messages run until nothing is left to do. */
  async settle(): Promise<void> {
    while (await this.#step());
  }

  /** The same for so long, whatever is left then: a disk may be slow. */
  async run(ms: number): Promise<void> {
    for (let i = 0; i < ms; i++) await this.#step();
  }

  /** Returns whether there was anything to do. */
  async #step(): Promise<boolean> {
    let worked = false;
    for (const [replica, { logs }] of this.disks) {
      if (this.#down.has(replica)) continue;
      worked ||= logs.ready || logs.busy;
      if (logs.ready) logs.flush();
    }
    this.#observe();
    const messages = this.#wires;
    this.#wires = [];
    for (const message of messages) this.#deliver(message);
    await this.clock.advanceSettled(1);
    return worked || messages.length > 0;
  }

  #deliver(message: Message): void {
    const { from, to } = message;
    if (!this.disks.has(to) || this.#down.has(to) || this.cut.has(`${from}>${to}`)) {
      if (message.type === messageTypes.snapshot) this.log(from).group.snapshotSent(to, false);
      return;
    }
    this.log(to).group.step(message);
    this.#observe();
  }

  #observe(): void {
    const copies = [...this.disks.keys()].filter(
      (replica) => !this.#down.has(replica) && !this.#unseen.has(replica),
    );
    this.invariants.observe(copies.map((replica) => this.log(replica).group.raft));
  }

  /** The newest checkpoint of who announced one comes over, as a transport would bring it. */
  #install(replica: ReplicaId, message: Message): void {
    const log = this.log(replica);
    const source = this.log(message.from).group;
    const checkpoint = source.checkpointToken();
    const { position, token } = checkpoint;
    if (log.installing(message, checkpoint)) {
      this.installed.push({ replica, position });
      void log.resetTo(position, token);
    }
    source.snapshotSent(replica, true);
  }
}
