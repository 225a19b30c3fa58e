/** Runs a handler for each due session of a kind: asks it for the next operation until the session is deleted or stored. */
import { TrubaError } from "../base/errors.ts";
import type { DeliveredSession } from "../protocol/requests.ts";
import { Attempt, type HandlerContext } from "./attempt.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import type { Running } from "./consumer.ts";
import { type Duration, durationMs, optionalMs } from "./duration.ts";
import type { HeldSession, SessionDesk } from "./held-session.ts";
import { LastingSubscription } from "./lasting-subscription.ts";
import { atLeastOne } from "./options.ts";
import { Session } from "./session.ts";
import type { ValueCodec } from "./values.ts";

/** Options of `handle`. */
export interface HandleOptions {
  /** Sessions at one time. Default 1. */
  readonly concurrency?: number;
  /** How long a handler may take for one operation. Then its signal is aborted and the session is stored with back-off. Default: as long as it likes. */
  readonly timeout?: Duration;
  /** How long a failed session is put off: from 1 s, doubled with each repeat, up to 5 min, of which a random half. */
  readonly backoff?: BackoffOptions;
  /** Stops the handling: no session is taken any more, and those in hand are finished. */
  readonly signal?: AbortSignal;
  /** Told what a handler threw, and why a session could not be written. Default: told to nobody. */
  readonly onError?: (error: unknown, session: Session<never, unknown> | undefined) => void;
}

/** What a handler wants done next. After `append` and `replace` it is asked again, with the records so far; `delete` and `store` end its turn. */
export type NextOperation<In> =
  | { readonly append: In }
  | { readonly replace: In }
  | { readonly delete: true }
  | { readonly store: Duration };

/** Answers the next operation, or nothing after it has used the session's own methods. Throwing, and answering nothing for a session that is still open, stores it with back-off. */
export type SessionHandler<In, Out> = (
  session: Session<In, Out>,
  context: HandlerContext,
) => NextOperation<In> | undefined | void | Promise<NextOperation<In> | undefined | void>;

export interface HandlingParts<In, Out> {
  readonly desk: SessionDesk;
  readonly kind: string;
  readonly values: ValueCodec<In, Out>;
  readonly running: Set<Running>;
}

/** A handler that runs. It stops when it is told to, when its signal aborts, and when the database is closed. */
export class Handling<In, Out> implements AsyncDisposable, Running {
  readonly #parts: HandlingParts<In, Out>;
  readonly #options: HandleOptions;
  readonly #handler: SessionHandler<In, Out>;
  readonly #backoff: Backoff;
  readonly #timeoutMs: number | undefined;
  readonly #closed = new AbortController();
  readonly #stop = (): void => this.#stopTaking();
  #subscription: LastingSubscription<DeliveredSession> | undefined;
  #touchEveryMs = 1_000;
  readonly #held = new Set<HeldSession>();
  #inHand = 0;
  #open = true;
  #failure: Error | undefined;
  #finished: (() => void)[] = [];

  constructor(
    parts: HandlingParts<In, Out>,
    options: HandleOptions,
    handler: SessionHandler<In, Out>,
  ) {
    this.#parts = parts;
    this.#options = options;
    this.#handler = handler;
    this.#backoff = Backoff.of(parts.desk.caller.random, options.backoff);
    this.#timeoutMs = optionalMs(options.timeout, "timeout");
    const concurrency = atLeastOne(options.concurrency ?? 1, "concurrency");
    parts.running.add(this);
    if (options.signal?.aborted === true) this.#stopTaking();
    else options.signal?.addEventListener("abort", this.#stop, { once: true });
    void this.#begin(concurrency);
  }

  /** Sessions that are handled now. */
  get inHand(): number {
    return this.#inHand;
  }

  /** Takes nothing more and resolves when what is in hand is finished. Rejects with the error that ended the handling before, if one did. */
  stop(): Promise<void> {
    this.#stopTaking();
    return this.finished();
  }

  /** Resolves when the handling has stopped, for whatever reason; rejects with the error that ended it. */
  async finished(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#finished.push(resolve);
      this.#maybeFinish();
    });
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Stops at once: the handlers' signals are aborted. */
  close(): void {
    this.#stopTaking();
    this.#closed.abort(new TrubaError("CLOSED", "the database was closed"));
  }

  /** As {@link stop}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** The kind's silence says how often a session needs a sign of life. */
  async #begin(concurrency: number): Promise<void> {
    const { desk, kind } = this.#parts;
    try {
      const { kinds } = await desk.caller.call("session.kinds", {});
      const silenceMs = kinds.find((one) => one.kind === kind)?.silenceMs;
      if (silenceMs === undefined)
        throw new TrubaError("NOKIND", `the node knows no kind of sessions "${kind}"`);
      this.#touchEveryMs = silenceMs / 3;
    } catch (error) {
      this.#fail(error as Error);
      return;
    }
    if (!this.#open) return;
    const { channel } = desk.caller;
    this.#subscription = new LastingSubscription({
      caller: desk.caller,
      credit: concurrency,
      subscribe: (credit, sink) => channel.sessions({ kinds: [kind], credit }, sink),
      items: (sessions) => {
        for (const one of sessions) this.#take(one);
      },
      // What comes back has been written already.
      settled: () => Promise.resolve(),
      lost: (error) => {
        const fenced = new TrubaError("FENCED", `its session was stored: ${error.message}`);
        for (const held of this.#held) desk.lose(held, fenced);
      },
      ended: (error) => this.#fail(error),
    });
  }

  #fail(error: Error): void {
    if (!this.#open) return;
    this.#failure = error;
    this.#tell(error, undefined);
    this.#stopTaking();
  }

  #stopTaking(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#options.signal?.removeEventListener("abort", this.#stop);
    this.#subscription?.close();
    this.#maybeFinish();
  }

  #maybeFinish(): void {
    if (this.#open || this.#inHand > 0) return;
    this.#parts.running.delete(this);
    for (const resolve of this.#finished.splice(0)) resolve();
  }

  #take(delivered: DeliveredSession): void {
    const touchEveryMs = this.#touchEveryMs;
    const held = this.#parts.desk.hold(delivered, { detached: false, touchEveryMs });
    this.#inHand++;
    this.#held.add(held);
    void this.#handle(held, delivered).finally(() => {
      this.#held.delete(held);
      this.#inHand--;
      this.#subscription?.giveBack(1);
      this.#maybeFinish();
    });
  }

  async #handle(held: HeldSession, delivered: DeliveredSession): Promise<void> {
    let session: Session<In, Out> | undefined;
    try {
      session = await this.#sessionOf(held, delivered);
      for (let more = true; more;) more = await this.#step(session, held);
    } catch (error) {
      await this.#putOff(held, delivered.repeats, session);
      this.#tell(error, session);
    }
  }

  async #sessionOf(held: HeldSession, delivered: DeliveredSession): Promise<Session<In, Out>> {
    const { desk, values } = this.#parts;
    const { kind, repeats, createdAtMs } = delivered;
    const records = await Promise.all(delivered.records.map((record) => values.decode(record)));
    return new Session({ held, desk, values }, { kind, repeats, createdAtMs, records });
  }

  /** Asks the handler once and does what it says. True if it is to be asked again. */
  async #step(session: Session<In, Out>, held: HeldSession): Promise<boolean> {
    const { clock } = this.#parts.desk.caller;
    const attempt = new Attempt(clock, this.#timeoutMs, [
      () => held.signal,
      () => this.#closed.signal,
    ]);
    try {
      const next = await attempt.run(() => this.#handler(session, attempt));
      if (session.settled) return false;
      return await doNext(session, next);
    } finally {
      attempt.end();
    }
  }

  async #putOff(
    held: HeldSession,
    repeats: number,
    session: Session<In, Out> | undefined,
  ): Promise<void> {
    if (held.fate !== "held") return;
    // A handler that the end of the database interrupted has not failed.
    const afterMs = this.#closed.signal.aborted ? 0 : this.#backoff.delayMs(repeats);
    try {
      await this.#parts.desk.store(held, afterMs);
    } catch (error) {
      // The node stores it after its silence.
      this.#parts.desk.lose(held, error as Error);
      this.#tell(error, session);
    }
  }

  #tell(error: unknown, session: Session<In, Out> | undefined): void {
    if (!this.#closed.signal.aborted) this.#options.onError?.(error, session);
  }
}

async function doNext<In, Out>(
  session: Session<In, Out>,
  next: NextOperation<In> | undefined | void,
): Promise<boolean> {
  if (next === undefined || next === null || typeof next !== "object")
    throw new TrubaError(
      "BADVALUE",
      `the handler of session ${session.id} returned without deleting or storing it`,
    );
  if ("append" in next) await session.append(next.append);
  else if ("replace" in next) await session.replace(next.replace);
  else if ("store" in next) await session.store(durationMs(next.store, "store"));
  else if (next.delete) await session.delete();
  else
    throw new TrubaError(
      "BADVALUE",
      `the handler of session ${session.id} answered ${Object.keys(next).join(", ")}; it may answer append, replace, delete or store`,
    );
  return !session.settled;
}
