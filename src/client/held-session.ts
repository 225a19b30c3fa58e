/** Sessions while a client has them: signs of life for those that are worked on, and who is told when one is lost. */
import { TrubaError } from "../base/errors.ts";
import type { Timer } from "../base/clock.ts";
import type { SessionHandle, StoredResponse } from "../protocol/requests.ts";
import type { Caller } from "./caller.ts";

/** `held` alone can be written to. `grouped`: an atomic group is about to end it. */
export type SessionFate = "held" | "grouped" | "deleted" | "stored" | "lost";

export class HeldSession implements SessionHandle {
  readonly session: string;
  readonly epoch: number;
  readonly detached: boolean;
  fate: SessionFate = "held";
  /** When the node last heard of it, by the monotonic clock. */
  signMs: number;
  /** It is given signs of life so often; `undefined` = its owner does that. */
  touchEveryMs: number | undefined;
  #controller: AbortController | undefined;
  #lostBy: Error | undefined;

  constructor(handle: SessionHandle, detached: boolean, nowMs: number) {
    this.session = handle.session;
    this.epoch = handle.epoch;
    this.detached = detached;
    this.signMs = nowMs;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#lostBy !== undefined) this.#controller.abort(this.#lostBy);
    }
    return this.#controller.signal;
  }

  lose(error: Error): void {
    this.fate = "lost";
    this.#lostBy = error;
    this.#controller?.abort(error);
  }

  /** Throws TrubaError FENCED unless it can be written to. */
  mustBeHeld(): void {
    if (this.fate === "held") return;
    const what =
      this.fate === "grouped" ? "is ended by an atomic group" : `was ${this.fate} before`;
    throw new TrubaError("FENCED", `session ${this.session} ${what}`, { cause: this.#lostBy });
  }
}

/** The sessions that one client holds. */
export class SessionDesk {
  readonly caller: Caller;
  readonly #held = new Set<HeldSession>();
  /** Those of them that are given signs of life. */
  readonly #touched = new Set<HeldSession>();
  #watch: Timer | undefined;

  constructor(caller: Caller) {
    this.caller = caller;
  }

  hold(handle: SessionHandle, options: { detached: boolean; touchEveryMs?: number }): HeldSession {
    const held = new HeldSession(handle, options.detached, this.caller.clock.monotonicMs());
    held.touchEveryMs = options.touchEveryMs;
    this.#keep(held);
    return held;
  }

  async append(held: HeldSession, data: Uint8Array): Promise<void> {
    await this.#write(held, this.caller.call("session.append", { ...handleOf(held), data }));
  }

  async replace(held: HeldSession, data: Uint8Array): Promise<void> {
    await this.#write(held, this.caller.call("session.replace", { ...handleOf(held), data }));
  }

  async touch(held: HeldSession): Promise<void> {
    await this.#write(held, this.caller.call("session.touch", handleOf(held)));
  }

  async delete(held: HeldSession): Promise<void> {
    this.#end(held, "deleted");
    await this.#lastWrite(held, this.caller.call("session.delete", handleOf(held)));
  }

  store(held: HeldSession, afterMs: number | undefined): Promise<StoredResponse> {
    this.#end(held, "stored");
    const after = afterMs === undefined ? {} : { afterMs };
    return this.#lastWrite(
      held,
      this.caller.call("session.store", { ...handleOf(held), ...after }),
    );
  }

  /** An atomic group did to it what `fate` says. */
  endedInGroup(held: HeldSession, fate: "deleted" | "stored"): void {
    this.#end(held, fate);
  }

  lose(held: HeldSession, error: Error): void {
    this.#held.delete(held);
    this.#touched.delete(held);
    if (held.fate !== "lost") held.lose(error);
  }

  /** A connection was lost: its sessions were stored for repeat. */
  loseConnected(error: Error): void {
    for (const held of this.#held) if (!held.detached) this.lose(held, error);
  }

  /** The client is closed. */
  loseAll(error: Error): void {
    for (const held of this.#held) this.lose(held, error);
  }

  #end(held: HeldSession, fate: "deleted" | "stored"): void {
    held.fate = fate;
    this.#held.delete(held);
    this.#touched.delete(held);
  }

  #keep(held: HeldSession): void {
    this.#held.add(held);
    if (held.touchEveryMs !== undefined) this.#touched.add(held);
    this.#watchOn();
  }

  /** What was refused may be tried again by the owner. */
  async #lastWrite<T>(held: HeldSession, answer: Promise<T>): Promise<T> {
    const fate = held.fate;
    try {
      return await this.#write(held, answer);
    } catch (error) {
      // Unless it is lost meanwhile.
      if (held.fate === fate) {
        held.fate = "held";
        this.#keep(held);
      }
      throw error;
    }
  }

  async #write<T>(held: HeldSession, answer: Promise<T>): Promise<T> {
    try {
      const response = await answer;
      held.signMs = this.caller.clock.monotonicMs();
      return response;
    } catch (error) {
      if (error instanceof TrubaError && isLoss(error)) this.lose(held, error);
      throw error;
    }
  }

  #watchOn(): void {
    if (this.#watch !== undefined || this.#touched.size === 0) return;
    this.#watch = this.caller.clock.after(250, () => {
      this.#watch = undefined;
      this.#look();
      this.#watchOn();
    });
  }

  #look(): void {
    const nowMs = this.caller.clock.monotonicMs();
    for (const held of this.#touched) {
      if (held.touchEveryMs === undefined || nowMs - held.signMs < held.touchEveryMs) continue;
      // The next one is due after the same time again, also if this one fails.
      held.signMs = nowMs;
      this.touch(held).catch(() => {
        // Fenced: the signal says so. Anything else: the node stores it after its silence.
      });
    }
  }
}

/** Whether an error says that the session is somebody else's, or gone. */
function isLoss({ code }: TrubaError): boolean {
  return code === "FENCED" || code === "NOSESSION" || code === "REPEATLIMIT";
}

function handleOf({ session, epoch }: SessionHandle): SessionHandle {
  return { session, epoch };
}
