/**
 * All Raft logs of a node, and the one write and sync that they share.
 *
 *     turn   take from each core that has something: stage what must be durable, queue what is committed, send what may go at once, one send per group
 *     flush  a turn, then one write for all, unless one is under way; when it has ended: what waited for it is acknowledged, and another turn
 *
 * A turn never waits for the disk: messages, heartbeats and reads go on while a slow sync is under way, and what must be durable is staged for the next one.
 */
import { assert, must } from "../base/assert.ts";
import { Fifo } from "../base/fifo.ts";
import { limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import type { PeerSender } from "../raft/peer-sender.ts";
import type { Raft } from "../raft/raft.ts";
import type { Ready } from "../raft/vocabulary.ts";
import type { Wal } from "../wal/wal.ts";
import type { CopyIdentity } from "./raft-group.ts";
import { RaftLog, type Turns } from "./raft-log.ts";

export interface RaftLogsOptions {
  readonly wal: Wal;
  readonly random: Random;
  /** Absent on a node that is alone. */
  readonly sender?: PeerSender | undefined;
  /** Asks for a call of {@link RaftLogs.flush} soon: a flush has ended, a message has come, a reader has taken what held others back. */
  readonly onFlushed?: (() => void) | undefined;
  /** A copy's place in the order in which those of its group campaign, from 0; absent: 0. */
  readonly priorityOf?: ((group: number) => number) | undefined;
  /** Largest batch; at most what a segment of this WAL can hold. */
  readonly entryMaxBytes?: number | undefined;
}

interface Waiting {
  readonly log: RaftLog;
  readonly raft: Raft;
  readonly ready: Ready;
}

export class RaftLogs implements Turns {
  readonly #options: RaftLogsOptions;
  readonly #logs = new Map<number, RaftLog>();
  /** Logs with something to do, each once. */
  readonly #marked = new Fifo<RaftLog>();
  /** What the next flush makes durable, and what the running one does. */
  #waiting = new Fifo<Waiting>();
  #flushing = new Fifo<Waiting>();
  /** Until the first flush that makes nothing more to flush: then every only voter leads. */
  #starting = false;
  #failed = false;
  readonly #onDurable = (): void => this.#durable();

  constructor(options: RaftLogsOptions) {
    this.#options = options;
  }

  /**
   * The log of a group, to be read. `bootstrap` says who the copy is as long as its log does not: absent, replica 1 and only voter. Throws TrubaError
   * BADCONFIG when the log belongs to another copy, DATADAMAGED or DATAVERSION when it does not say to whom.
   */
  open(group: number, bootstrap?: CopyIdentity, keepsState?: boolean): RaftLog {
    assert(!this.#logs.has(group), "a log is opened twice");
    const { wal, random, sender, priorityOf, entryMaxBytes } = this.#options;
    const log = new RaftLog({
      wal,
      group,
      bootstrap,
      random,
      sender,
      priority: priorityOf?.(group) ?? 0,
      entryMaxBytes: entryMaxBytes ?? limits.raftEntryMaxBytes,
      keepsState,
      turns: this,
    });
    this.#logs.set(group, log);
    return log;
  }

  /**
   * Every log opened since the last call, having been read, begins to take part. Nothing of it is written before. A group whose only voter is here leads when
   * the next {@link flush} has ended; others elect.
   */
  start(): void {
    this.#starting = true;
    for (const log of this.#logs.values()) if (log.core === undefined) log.start();
  }

  /** The copy leaves this node: it does nothing any more, and the next flush says so for ever. Its group may be opened again, as another copy. */
  remove(group: number): void {
    const log = must(this.#logs.get(group), "a log is removed that is not open");
    const { term = 0, vote = 0 } = log.core ?? {};
    log.fail(new Error("the copy was removed from this node"));
    this.#logs.delete(group);
    this.#options.wal.stageRemoved(group, term, vote);
  }

  /** One tick of all groups, to be called every `raftTickMs`. */
  tick(): void {
    for (const log of this.#logs.values()) log.tick();
    if (this.ready) this.wake();
  }

  /** Whether {@link flush} has something to do now. */
  get ready(): boolean {
    if (this.#failed) return false;
    return this.#marked.length > 0 || (!this.busy && this.#options.wal.stagedRecords > 0);
  }

  /** A write is under way. */
  get busy(): boolean {
    return this.#options.wal.busy;
  }

  /**
   * One turn of all logs, and a flush of what they stage, if none is under way: may be called at any time. Listeners are told of what it confirms, before this
   * returns if the disk is fast.
   */
  flush(): void {
    this.#turn();
    const { wal } = this.#options;
    if (!wal.busy && wal.stagedRecords > 0) this.#write();
  }

  /** The WAL cannot go on: what is under way may or may not be durable. */
  fail(error: Error): void {
    this.#failed = true;
    for (const log of this.#logs.values()) log.fail(error);
  }

  // For the logs

  mark(log: RaftLog): void {
    if (log.marked) return;
    log.marked = true;
    this.#marked.push(log);
  }

  wake(): void {
    this.#options.onFlushed?.();
  }

  await(log: RaftLog, raft: Raft, ready: Ready): void {
    this.#waiting.push({ log, raft, ready });
  }

  #turn(): void {
    for (let log = this.#marked.shift(); log !== undefined; log = this.#marked.shift()) {
      log.marked = false;
      log.collect();
    }
  }

  #write(): void {
    const free = this.#flushing;
    this.#flushing = this.#waiting;
    this.#waiting = free;
    this.#options.wal.flush(this.#onDurable);
  }

  #durable(): void {
    this.#release(this.#flushing);
    this.#turn();
    const { wal } = this.#options;
    // Those that had nothing to stage and only waited for what is durable now.
    while (this.#waiting.length > 0 && wal.stagedRecords === 0) {
      const done = this.#waiting;
      this.#waiting = new Fifo();
      this.#release(done);
      this.#turn();
    }
    if (this.#starting) {
      this.#starting = wal.stagedRecords > 0;
      if (this.#starting) {
        this.#write();
        return;
      }
    }
    this.wake();
  }

  #release(done: Fifo<Waiting>): void {
    for (let one = done.shift(); one !== undefined; one = done.shift())
      one.log.durable(one.raft, one.ready);
  }
}
