/** Cores joined by a wire in memory, with disks that keep what they are given: what a host does, in its simplest form. */
import { must } from "../../src/base/assert.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { decodeChange } from "../../src/raft/membership-change.ts";
import { Raft, type RaftOptions } from "../../src/raft/raft.ts";
import { TermRuns } from "../../src/raft/term-runs.ts";
import {
  type AppendAck,
  type Configuration,
  type Entry,
  type HardState,
  type Message,
  type MessageType,
  type ReadState,
  type ReplicaId,
  type SnapshotMeta,
  entryKinds,
  messageTypes,
  roles,
} from "../../src/raft/vocabulary.ts";

/** What one copy's disk holds, and what was asked of it and is not done yet. */
interface Disk {
  hard: HardState;
  entries: Entry[];
  base: number;
  baseTerm: number;
  /** As of the base, or later. */
  configuration: Configuration;
  configurationIndex: number;
  writes: {
    hard: HardState | undefined;
    snapshot: SnapshotMeta | undefined;
    entries: readonly Entry[];
    after: readonly Message[];
    ack: AppendAck | undefined;
  }[];
}

export interface CoresOptions extends Partial<Omit<RaftOptions, "id" | "start" | "random">> {
  readonly voters?: readonly ReplicaId[];
  readonly learners?: readonly ReplicaId[];
  readonly witnesses?: readonly ReplicaId[];
  readonly seed?: number;
  /** Copies that exist beside the members. */
  readonly others?: readonly ReplicaId[];
}

export function configurationOf(options: CoresOptions): Configuration {
  return {
    voters: options.voters ?? [1, 2, 3],
    outgoing: [],
    learners: options.learners ?? [],
    learnersNext: [],
    witnesses: options.witnesses ?? [],
    autoLeave: false,
  };
}

export class Cores {
  readonly #options: CoresOptions;
  readonly #rafts = new Map<ReplicaId, Raft>();
  readonly #disks = new Map<ReplicaId, Disk>();
  readonly #configuration: Configuration;
  #starts = 0;
  /** Copies whose disks hold writes back. */
  readonly slow = new Set<ReplicaId>();
  /** Links that lose everything: `from>to`. */
  readonly cut = new Set<string>();
  /** Types that are lost everywhere. */
  readonly lost = new Set<MessageType>();
  readonly wire: Message[] = [];
  readonly applied = new Map<ReplicaId, Entry[]>();
  readonly reads = new Map<ReplicaId, ReadState[]>();

  constructor(options: CoresOptions = {}) {
    this.#options = options;
    this.#configuration = configurationOf(options);
    const { voters, learners } = this.#configuration;
    for (const id of [...voters, ...learners, ...(options.others ?? [])]) {
      this.#disks.set(id, {
        hard: { term: 0, vote: 0, commit: 0 },
        entries: [],
        base: 0,
        baseTerm: 0,
        configuration: this.#configuration,
        configurationIndex: 0,
        writes: [],
      });
      this.start(id);
    }
  }

  get ids(): readonly ReplicaId[] {
    return [...this.#rafts.keys()];
  }

  raft(id: ReplicaId): Raft {
    return must(this.#rafts.get(id));
  }

  disk(id: ReplicaId): Disk {
    return must(this.#disks.get(id));
  }

  /** A crash: what was not written is gone; and a new start, without a state. */
  start(id: ReplicaId): void {
    const disk = this.disk(id);
    disk.writes = [];
    const terms = new TermRuns(disk.base, disk.baseTerm);
    for (const { index, term } of disk.entries) terms.put(index, term);
    const { seed = 1 } = this.#options;
    this.#starts++;
    const raft = new Raft({
      electionTicks: 10,
      heartbeatTicks: 1,
      preVote: false,
      checkQuorum: false,
      maxMessageBytes: Infinity,
      maxInflightMessages: Infinity,
      maxInflightBytes: Infinity,
      maxUncommittedBytes: Infinity,
      maxApplyingBytes: Infinity,
      cacheBytes: Infinity,
      priority: 0,
      readMode: "safe",
      stepDownOnRemoval: true,
      votesTellCommit: true,
      validateChanges: true,
      forwardProposals: false,
      applyUnstable: false,
      ...this.#options,
      id,
      random: new SeededRandom(seed * 1_000 + this.#starts),
      start: {
        configuration: disk.configuration,
        configurationIndex: disk.configurationIndex,
        hardState: disk.hard,
        base: disk.base,
        runs: terms.runs,
        last: terms.last,
        applied: disk.base,
      },
    });
    this.#rafts.set(id, raft);
    this.applied.set(id, []);
    this.reads.set(id, []);
  }

  /** Everything that can happen without time happens. */
  settle(): void {
    for (let round = 0; ; round++) {
      if (round > 10_000) throw new Error("the copies do not come to rest");
      let busy = false;
      for (const id of this.ids) busy = this.turn(id) || busy;
      busy = this.deliver() || busy;
      if (!busy) return;
    }
  }

  /** One turn of one host. Returns whether there was something to do. */
  turn(id: ReplicaId): boolean {
    const raft = this.raft(id);
    const disk = this.disk(id);
    let busy = false;
    if (raft.hasReady()) {
      busy = true;
      const ready = raft.ready();
      this.wire.push(...ready.messages);
      const { hard, entries, afterAppend: after, ack, snapshot } = ready;
      disk.writes.push({ hard, snapshot, entries, after, ack });
      must(this.reads.get(id)).push(...ready.reads);
      for (const entry of ready.committed) this.#apply(id, entry);
      const last = ready.committed.at(-1);
      if (last !== undefined) raft.applyDone(last.index);
      for (const fetch of ready.fetches)
        raft.entriesFetched(
          fetch,
          disk.entries.filter(({ index }) => index >= fetch.from && index < fetch.to),
        );
    }
    if (!this.slow.has(id)) busy = this.sync(id) || busy;
    return busy;
  }

  /** The disk does what it was asked. */
  sync(id: ReplicaId): boolean {
    const disk = this.disk(id);
    const writes = disk.writes;
    disk.writes = [];
    for (const { hard, snapshot, entries, after, ack } of writes) {
      if (hard !== undefined) disk.hard = hard;
      if (snapshot !== undefined) {
        disk.base = snapshot.index;
        disk.baseTerm = snapshot.term;
        disk.configuration = snapshot.configuration;
        disk.configurationIndex = snapshot.configurationIndex;
        disk.entries = [];
      }
      const first = entries[0];
      if (first !== undefined)
        disk.entries = disk.entries.filter(({ index }) => index < first.index);
      disk.entries.push(...entries);
      for (const message of after) {
        if (message.to === id) this.raft(id).step(message);
        else this.wire.push(message);
      }
      if (ack !== undefined) this.raft(id).appendDone(ack);
    }
    return writes.length > 0;
  }

  /** Everything on the wire arrives, or is lost. */
  deliver(): boolean {
    const messages = this.wire.splice(0);
    for (const message of messages) {
      if (this.cut.has(`${message.from}>${message.to}`) || this.lost.has(message.type)) continue;
      this.#rafts.get(message.to)?.step(message);
    }
    return messages.length > 0;
  }

  /** Takes a checkpoint of all that is applied and trims the log, as far as a witness allows. */
  compact(id: ReplicaId): void {
    const raft = this.raft(id);
    const disk = this.disk(id);
    const index = raft.applied;
    if (index <= disk.base || index < raft.baseIndex || disk.writes.length > 0) return;
    const term = must(raft.termAt(index));
    const { configuration, configurationIndex } = raft;
    raft.snapshotAvailable({ index, term, configuration, configurationIndex });
    if (raft.trimLimit < index) return;
    raft.compact(index);
    disk.base = index;
    disk.baseTerm = term;
    disk.configuration = configuration;
    disk.configurationIndex = configurationIndex;
    disk.entries = disk.entries.filter((entry) => entry.index > index);
  }

  tick(ids: readonly ReplicaId[] = this.ids, times = 1): void {
    for (let i = 0; i < times; i++) {
      for (const id of ids) this.raft(id).tick();
      this.settle();
    }
  }

  elect(id: ReplicaId): void {
    this.raft(id).campaign();
    this.settle();
  }

  propose(id: ReplicaId, text: string): ReturnType<Raft["propose"]> {
    return this.raft(id).propose([{ kind: entryKinds.normal, data: Buffer.from(text) }]);
  }

  isolate(id: ReplicaId): void {
    for (const other of this.ids) {
      this.cut.add(`${id}>${other}`);
      this.cut.add(`${other}>${id}`);
    }
  }

  heal(): void {
    this.cut.clear();
    this.lost.clear();
  }

  get leaders(): ReplicaId[] {
    return this.ids.filter((id) => this.raft(id).role === roles.leader);
  }

  /** What a copy has applied, as text. */
  texts(id: ReplicaId): string[] {
    return must(this.applied.get(id))
      .filter(({ data, kind }) => data.length > 0 && kind === entryKinds.normal)
      .map(({ data }) => data.toString());
  }

  #apply(id: ReplicaId, entry: Entry): void {
    must(this.applied.get(id)).push(entry);
    if (entry.kind === entryKinds.configuration)
      this.raft(id).applyChange(entry.index, decodeChange(entry.data));
  }
}

/** A message with everything that is not given empty. */
export function messageOf(
  fields: Partial<Message> & Pick<Message, "type" | "from" | "to" | "term">,
): Message {
  return {
    index: 0,
    logTerm: 0,
    commit: 0,
    commitTerm: 0,
    entries: [],
    reject: false,
    rejectHint: 0,
    context: 0,
    trimLimit: 0,
    snapshot: undefined,
    ...fields,
  };
}

export { messageTypes, roles };
