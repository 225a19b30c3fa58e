/**
 * The reader's side of a started copy: what is committed, in order, from wherever the reader is. What was taken before is read back from the WAL; what the core
 * has just given out comes from memory, and counts as applied when it is taken: a configuration is in force from then on.
 */
import { assert, must } from "../base/assert.ts";
import { TrubaError } from "../base/errors.ts";
import { Fifo } from "../base/fifo.ts";
import { decodeChange } from "../raft/membership-change.ts";
import type { Raft } from "../raft/raft.ts";
import {
  type Configuration,
  type Entry as RaftEntry,
  type Index,
  type ReplicaId,
  entryKinds,
} from "../raft/vocabulary.ts";
import type { Wal } from "../wal/wal.ts";
import { type ConfigurationPoints, isMember } from "./configuration-points.ts";
import type { PendingEntries } from "./pending-entries.ts";
import { trimmed } from "./recovered-copy.ts";
import type { Entry, Position } from "./shared-log.ts";
import { fromStoredBody } from "./stored-entry.ts";

const emptyBatch = Buffer.alloc(0);
const noEntries: readonly Entry[] = [];

export interface CommittedReaderParts {
  readonly raft: Raft;
  readonly wal: Wal;
  readonly group: number;
  readonly replica: ReplicaId;
  readonly points: ConfigurationPoints;
  readonly changes: PendingEntries<Configuration>;
  /** What the reader's state holds. */
  readonly applied: Position;
  readonly onRemoved: () => void;
}

export class CommittedReader {
  readonly #parts: CommittedReaderParts;
  /** Given out by the core and not taken, contiguous. */
  readonly #entries = new Fifo<RaftEntry>();
  #taken: Index;
  #last: Index;
  #read: Position;

  constructor(parts: CommittedReaderParts, read: Position) {
    this.#parts = parts;
    this.#taken = parts.applied;
    this.#last = parts.applied;
    this.#read = read;
  }

  /** Up to here the reader is. */
  get read(): Position {
    return this.#read;
  }

  /** Up to here entries were taken, and are applied. */
  get taken(): Position {
    return this.#taken;
  }

  /** Up to here the core has given out entries. */
  get last(): Position {
    return this.#last;
  }

  push(entry: RaftEntry): void {
    assert(entry.index === this.#last + 1, "committed entries come in order");
    this.#entries.push(entry);
    this.#last = entry.index;
  }

  readFrom(position: Position): void {
    assert(position <= this.#last, "a log is read from above what it has confirmed");
    this.#read = position;
    if (position <= this.#taken) return;
    while (this.#taken < position) this.#apply(must(this.#next()));
    this.#parts.raft.applyDone(this.#taken);
  }

  /** See `SharedLog.committed`. */
  take(maxBytes: number): readonly Entry[] {
    if (this.#read < this.#taken) return this.#readBack(maxBytes);
    if (this.#taken === this.#last) return noEntries;
    const entries: Entry[] = [];
    let bytes = 0;
    while (entries.length === 0 || bytes < maxBytes) {
      const entry = this.#next();
      if (entry === undefined) break;
      bytes += entry.data.length;
      entries.push({ position: entry.index, batch: this.#apply(entry) });
    }
    this.#read = this.#taken;
    this.#parts.raft.applyDone(this.#taken);
    return entries;
  }

  #next(): RaftEntry | undefined {
    const entry = this.#entries.shift();
    if (entry !== undefined) this.#taken = entry.index;
    return entry;
  }

  /** Returns what the reader sees of it. */
  #apply({ index, term, kind, data }: RaftEntry): Buffer {
    const { raft, changes, points, replica, onRemoved } = this.#parts;
    const waiter = changes.count > 0 ? changes.confirmed(index, term) : undefined;
    if (kind === entryKinds.normal) {
      waiter?.reject(new TrubaError("BADCHANGE", "another change of the configuration came first"));
      return data;
    }
    const before = points.newest.configuration;
    const configuration = raft.applyChange(index, decodeChange(data));
    waiter?.resolve(configuration);
    const isNews = points.add({ index, configuration });
    if (isNews && isMember(before, replica) && !isMember(configuration, replica)) onRemoved();
    return emptyBatch;
  }

  #readBack(maxBytes: number): readonly Entry[] {
    const { raft, wal, group } = this.#parts;
    const next = this.#read + 1;
    if (next <= raft.baseIndex) throw trimmed(next, group, raft.baseIndex + 1);
    const entries: Entry[] = [];
    for (const { index, body } of wal.read(group, next, maxBytes)) {
      if (index > this.#taken) break;
      const { kind, data } = fromStoredBody(body);
      entries.push({ position: index, batch: kind === entryKinds.normal ? data : emptyBatch });
    }
    const last = entries.at(-1);
    if (last === undefined) {
      throw new TrubaError(
        "DATADAMAGED",
        `entry ${next} of group ${group} was asked for and is not in the log`,
      );
    }
    this.#read = last.position;
    return entries;
  }
}
