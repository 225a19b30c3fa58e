/**
 * The one turn that serves all partitions of a node, and what makes it come.
 *
 *     turn   seal what has gathered → one write and one fdatasync for all → apply what is confirmed → tell the surfaces
 *
 * While a slow sync is under way operations gather, and messages, reads and what is confirmed meanwhile go on.
 */
import type { Clock, Timer } from "../base/clock.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { RaftLogs } from "../log/raft-logs.ts";
import type { ConfirmHealth } from "../partition/confirm-health.ts";
import type { Wal } from "../wal/wal.ts";
import type { Copies } from "./copies.ts";

/** The node, as its turns see it. */
export interface TurningNode {
  /** No turn does anything any more. */
  readonly ended: boolean;
  /** Writes wait for disk space. */
  readonly diskFull: boolean;
  fail(error: Error): void;
  /** Outcomes have been settled. */
  turnEnded(): void;
}

/** What else the node's turns serve: it gathers for the same log, and hears when that is durable. */
export interface Guest {
  /** There is something that {@link seal} would stage. */
  readonly gathered: boolean;
  /** Nothing is in hand. */
  readonly idle: boolean;
  /** Stages what has gathered; called while the log is not busy. */
  seal(): void;
  /** Looks what has become durable; called in every turn. */
  confirm(): void;
}

export class Turns {
  readonly #clock: Clock;
  readonly #logs: RaftLogs;
  readonly #wal: Wal;
  readonly #copies: Copies;
  readonly #health: ConfirmHealth;
  readonly #node: TurningNode;
  readonly #guest: () => Guest | undefined;
  /** No turn before {@link begin}. */
  #asked = true;
  readonly #timers = new Map<"second" | "tick", Timer>();
  #confirmedMs: number;

  constructor(parts: {
    clock: Clock;
    logs: RaftLogs;
    wal: Wal;
    copies: Copies;
    health: ConfirmHealth;
    node: TurningNode;
    /** `undefined` until it has been opened. */
    guest: () => Guest | undefined;
  }) {
    this.#clock = parts.clock;
    this.#logs = parts.logs;
    this.#wal = parts.wal;
    this.#copies = parts.copies;
    this.#health = parts.health;
    this.#node = parts.node;
    this.#guest = parts.guest;
    this.#confirmedMs = parts.clock.monotonicMs();
  }

  /** `ticking`: the groups have other copies, for which time counts. */
  begin(ticking: boolean): void {
    this.#asked = false;
    this.#confirmedMs = this.#clock.monotonicMs();
    this.wake();
    this.#everySecond();
    if (ticking) this.#everyTick();
  }

  end(): void {
    for (const timer of this.#timers.values()) timer.cancel();
  }

  /** Asks for a turn. */
  wake(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#clock.soon(() => {
      this.#asked = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#node.ended) return;
    const { partitions, witnesses } = this.#copies;
    const guest = this.#guest();
    try {
      if (!this.#logs.busy) {
        for (const partition of partitions) if (partition.gathered) partition.seal();
        if (guest?.gathered === true) guest.seal();
      }
      if (this.#logs.ready) {
        // What a fast disk confirms within this call is applied below, in this same turn.
        this.#asked = true;
        this.#logs.flush();
        this.#asked = false;
      }
      if (this.#node.ended) return;
      guest?.confirm();
      const deadline = this.#clock.monotonicMs() + limits.applyTurnMaxMs;
      for (const partition of partitions)
        if (partition.hasNews && !partition.applyConfirmed(deadline)) this.wake();
      for (const witness of witnesses.values()) if (!witness.consume()) this.wake();
    } catch (error) {
      this.#node.fail(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    this.#node.turnEnded();
  }

  /** Proves an idle log synced, and gives up when nothing is confirmed for too long although a partition that leads has something in hand. */
  #everySecond(): void {
    const timer = this.#clock.after(1_000, () => {
      if (this.#node.ended) return;
      const nowMs = this.#clock.monotonicMs();
      const waiting = this.#copies.partitions.some(({ leads, idle }) => leads && !idle);
      // A write that waits for disk space has not failed.
      if (this.#health.takeProgress() || !waiting || this.#node.diskFull) this.#confirmedMs = nowMs;
      const silentMs = nowMs - this.#confirmedMs;
      if (silentMs > limits.confirmSilenceMaxMs) {
        this.#node.fail(
          new TrubaError("STOPPED", `no write was confirmed for ${Math.round(silentMs)} ms`),
        );
        return;
      }
      // Wakes for what came meanwhile, and for a checkpoint that failed before.
      if (!this.#logs.busy && !this.#logs.ready) this.#wal.seal(() => this.wake());
      this.#everySecond();
    });
    this.#timers.set("second", timer);
  }

  #everyTick(): void {
    const timer = this.#clock.after(limits.raftTickMs, () => {
      if (this.#node.ended) return;
      this.#logs.tick();
      this.#everyTick();
    });
    this.#timers.set("tick", timer);
  }
}
