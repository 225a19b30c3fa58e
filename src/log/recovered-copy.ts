/**
 * A copy of a group as it is found at the start, before its core exists: who it is, what its log holds, and what of it is surely committed, so that the
 * state can be rebuilt before anything is written.
 *
 * Surely committed is what the hard state says; and for the only voter everything, because what is on its disk is on a majority of disks, until an entry
 * lets others decide too. So an only voter never campaigns on a configuration that its own log has already changed.
 */
import { assert } from "../base/assert.ts";
import { TrubaError } from "../base/errors.ts";
import { decodeChange } from "../raft/membership-change.ts";
import type { RaftStart } from "../raft/options.ts";
import {
  type Configuration,
  type Index,
  type ReplicaId,
  type Term,
  entryKinds,
} from "../raft/vocabulary.ts";
import type { Wal, WalGroup } from "../wal/wal.ts";
import {
  type ConfigurationPoints,
  configurationAfter,
  isSoleVoter,
  pointsOf,
} from "./configuration-points.ts";
import { type LogToken, decodeToken, encodeToken } from "./log-token.ts";
import type { CopyIdentity } from "./raft-group.ts";
import type { Entry, Position } from "./shared-log.ts";
import { fromStoredBody } from "./stored-entry.ts";

const emptyBatch = Buffer.alloc(0);
/** How much is looked through at once. */
const scanBytes = 1_048_576;

/** Who a copy is whose log has never said anything else: so is every log of a node that has been alone from the first. */
const loneReplica: ReplicaId = 1;
const loneConfiguration: Configuration = {
  voters: [loneReplica],
  outgoing: [],
  learners: [],
  learnersNext: [],
  witnesses: [],
  autoLeave: false,
};

interface LogBeginning {
  readonly index: Index;
  readonly term: Term;
}

export class RecoveredCopy {
  readonly replica: ReplicaId;
  points: ConfigurationPoints;
  /** The configuration that stands beside the reset which the log begins with is the one after this entry; later ones stand in the log only. */
  #resetPoint: Index;
  readonly #wal: Wal;
  readonly #group: WalGroup;
  /** The log must begin anew here before this copy says anything. */
  #beginning: LogBeginning | undefined;
  /** Position of the checkpoint that the state came from. */
  #checkpoint: Position = 0;
  #read: Position = 0;

  /** Throws TrubaError BADCONFIG when the log belongs to another copy, and DATADAMAGED or DATAVERSION when it does not say to whom. */
  constructor(wal: Wal, group: number, bootstrap: CopyIdentity | undefined) {
    this.#wal = wal;
    this.#group = wal.group(group);
    const { reset } = this.#group;
    let found: LogToken | undefined;
    if (reset !== undefined) found = decodeToken(reset.token);
    else if (!isNew(this.#group) || bootstrap === undefined) found = loneToken;
    if (found === undefined) {
      found = { ...loneToken, ...bootstrap };
      if (!isLone(found)) this.#beginning = { index: 0, term: 0 };
    }
    if (bootstrap !== undefined && bootstrap.replica !== found.replica) {
      throw new TrubaError(
        "BADCONFIG",
        `the log of group ${group} belongs to copy ${found.replica}; it was opened as copy ${bootstrap.replica}`,
      );
    }
    this.replica = found.replica;
    this.points = pointsOf(found);
    this.#resetPoint = found.configurationIndex;
  }

  /** See `SharedLog.readFrom`. */
  readFrom(position: Position, token: Uint8Array | undefined, installed: boolean): void {
    this.#read = position;
    this.#checkpoint = position;
    if (token === undefined || token.length === 0) return;
    const decoded = decodeToken(token);
    const { terms, id } = this.#group;
    const term = terms.termAt(position);
    const lacking =
      position > this.#group.lastIndex || (term !== undefined && term !== decoded.term);
    if (installed && lacking) {
      // Entries behind another one in this place were never committed.
      this.#beginning = { index: position, term: decoded.term };
    } else if (term !== undefined && term !== decoded.term) {
      throw new TrubaError(
        "DATADAMAGED",
        `entry ${position} of group ${id} is of term ${term}; the checkpoint was taken when it was of term ${decoded.term}`,
      );
    }
    this.points = pointsOf(decoded);
  }

  get read(): Position {
    return this.#read;
  }

  get first(): Position {
    return this.#beginning === undefined ? this.#group.firstIndex : this.#beginning.index + 1;
  }

  get last(): Position {
    return this.#beginning?.index ?? this.#group.lastIndex;
  }

  get term(): Term {
    const { hardState, lastTerm } = this.#group;
    return Math.max(hardState?.term ?? 0, this.#beginning?.term ?? lastTerm);
  }

  /** The last entry that is surely committed, as far as the log was read. */
  get committed(): Position {
    if (this.#beginning !== undefined) return this.#beginning.index;
    const { lastIndex, hardState } = this.#group;
    if (isSoleVoter(this.points.newest.configuration, this.replica)) return lastIndex;
    return Math.min(lastIndex, Math.max(hardState?.commit ?? 0, this.#read));
  }

  /** See `SharedLog.committed`. */
  take(maxBytes: number): readonly Entry[] {
    if (this.#read >= this.committed) return [];
    const next = this.#read + 1;
    if (next < this.first) throw trimmed(next, this.#group.id, this.first);
    const entries: Entry[] = [];
    for (const { index, body } of this.#wal.read(this.#group.id, next, maxBytes)) {
      if (index > this.committed) break;
      const { kind, data } = fromStoredBody(body);
      this.#read = index;
      if (kind === entryKinds.normal) entries.push({ position: index, batch: data });
      else {
        entries.push({ position: index, batch: emptyBatch });
        this.#change(index, data);
      }
    }
    return entries;
  }

  /** What the core starts from. What must be durable before it says anything is staged; returns whether anything is. */
  start(): {
    readonly start: RaftStart;
    readonly staged: boolean;
    readonly checkpoint: Position;
    readonly resetPoint: Index;
  } {
    const { id, terms, hardState, lastIndex } = this.#group;
    const staged = this.#beginning !== undefined;
    if (this.#beginning !== undefined) {
      const { index, term } = this.#beginning;
      this.#wal.stageReset(id, index, term, this.#tokenOf(term));
      this.#resetPoint = this.points.newest.index;
    }
    const base = this.first - 1;
    const applied = Math.max(this.#read, base);
    const { configuration, index } = this.points.newest;
    const alone = isSoleVoter(configuration, this.replica);
    if (alone) this.#mustHaveSeenChanges(applied);
    const start: RaftStart = {
      configuration,
      configurationIndex: index,
      hardState: {
        term: this.term,
        vote: hardState?.term === this.term ? hardState.votedFor : 0,
        // The rest follows as soon as it leads.
        commit: alone ? applied : Math.max(applied, Math.min(hardState?.commit ?? 0, lastIndex)),
      },
      base,
      runs: staged ? [{ first: base, term: this.#beginning?.term ?? 0 }] : terms.runs,
      last: this.last,
      applied,
    };
    const checkpoint = Math.max(this.#checkpoint, base);
    return { start, staged, checkpoint, resetPoint: this.#resetPoint };
  }

  /** The term of an entry of the log. */
  termAt(position: Position): Term | undefined {
    if (this.#beginning === undefined) return this.#group.terms.termAt(position);
    return position === this.#beginning.index ? this.#beginning.term : undefined;
  }

  #tokenOf(term: Term): Buffer {
    const { configuration, index } = this.points.newest;
    return encodeToken({
      replica: this.replica,
      term,
      configuration,
      configurationIndex: index,
    });
  }

  #change(index: Index, data: Buffer): void {
    const { newest } = this.points;
    if (index <= newest.index) return;
    const configuration = configurationAfter(newest.configuration, decodeChange(data));
    this.points.add({ index, configuration });
  }

  /** An only voter that has not read its whole log may find there that it is no more. */
  #mustHaveSeenChanges(applied: Position): void {
    let next = applied + 1;
    while (next <= this.last) {
      for (const { index, body } of this.#wal.read(this.#group.id, next, scanBytes)) {
        const { kind } = fromStoredBody(body);
        assert(kind === entryKinds.normal, "a log is read to its end before it starts");
        next = index + 1;
      }
    }
  }
}

const loneToken: LogToken = {
  replica: loneReplica,
  term: 0,
  configuration: loneConfiguration,
  configurationIndex: 0,
};

export function trimmed(position: Position, group: number, first: Position): TrubaError {
  return new TrubaError(
    "DATADAMAGED",
    `entry ${position} of group ${group} was asked for; the log begins at ${first}`,
  );
}

function isNew({ lastIndex, hardState, reset }: WalGroup): boolean {
  return lastIndex === 0 && hardState === undefined && reset === undefined;
}

function isLone({ replica, configuration }: LogToken): boolean {
  const { outgoing, learners, learnersNext, witnesses } = configuration;
  const others = outgoing.length + learners.length + learnersNext.length + witnesses.length;
  return replica === loneReplica && isSoleVoter(configuration, loneReplica) && others === 0;
}
