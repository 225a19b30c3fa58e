/** A session as its owner has it. */
import { TrubaError } from "../base/errors.ts";
import type { StoredResponse } from "../protocol/requests.ts";
import { type Duration, optionalMs } from "./duration.ts";
import type { HeldSession, SessionDesk } from "./held-session.ts";
import type { ValueCodec } from "./values.ts";

/** What is known of a session when it comes. */
export interface SessionFacts<Out> {
  readonly kind: string;
  /** Deliveries so far, this one included; 0 for a new one. */
  readonly repeats: number;
  readonly createdAtMs: number;
  readonly records: readonly Out[];
}

export interface SessionParts<In, Out> {
  readonly held: HeldSession;
  readonly desk: SessionDesk;
  readonly values: ValueCodec<In, Out>;
}

/**
 * A session that you own: records gather in it, durably, until you delete it. If you store it, or vanish, it is handed to the handler of its kind with all its
 * records. With `await using` a session that leaves its scope is stored at once, so that its handler finishes it. Every write rejects with TrubaError FENCED once the
 * session is somebody else's.
 */
export class Session<In, Out> implements AsyncDisposable {
  readonly #parts: SessionParts<In, Out>;
  readonly #facts: SessionFacts<Out>;
  #records: readonly Out[];

  constructor(parts: SessionParts<In, Out>, facts: SessionFacts<Out>) {
    this.#parts = parts;
    this.#facts = facts;
    this.#records = facts.records;
  }

  /** For atomic groups. */
  static partsOf<In, Out>(session: Session<In, Out>): SessionParts<In, Out> {
    return session.#parts;
  }

  /** For atomic groups, which have changed what the session holds. */
  static remember<Out>(session: Session<never, Out>, records: readonly Out[]): void {
    session.#records = records;
  }

  /** `{tag}` and 16 hexadecimal digits. */
  get id(): string {
    return this.#parts.held.session;
  }

  /** Of this ownership; it grows with each. */
  get epoch(): number {
    return this.#parts.held.epoch;
  }

  get kind(): string {
    return this.#facts.kind;
  }

  /** How often it was handed to a handler, this time included; 0 for a new one. */
  get repeats(): number {
    return this.#facts.repeats;
  }

  get createdAt(): Date {
    return new Date(this.#facts.createdAtMs);
  }

  /** What has gathered, in order, as far as this owner knows. */
  get records(): readonly Out[] {
    return this.#records;
  }

  /** Aborted when the session is lost: it was stored or given to somebody else. */
  get signal(): AbortSignal {
    return this.#parts.held.signal;
  }

  /** Whether it was deleted, stored or lost. */
  get settled(): boolean {
    return this.#parts.held.fate !== "held";
  }

  /** Adds a record. Rejects with SESSIONTOOLONG, and changes nothing, if the kind does not allow so much. */
  async append(record: In): Promise<void> {
    const { held, desk, values } = this.#parts;
    const data = await values.encode(record);
    held.mustBeHeld();
    await desk.append(held, data);
    this.#records = [...this.#records, await values.decode(data)];
  }

  /** Drops the records so far and keeps this one. */
  async replace(record: In): Promise<void> {
    const { held, desk, values } = this.#parts;
    const data = await values.encode(record);
    held.mustBeHeld();
    await desk.replace(held, data);
    this.#records = [await values.decode(data)];
  }

  /** Tells that its owner is alive: its silence begins anew. Every other write tells it too. */
  async touch(): Promise<void> {
    const { held, desk } = this.#parts;
    held.mustBeHeld();
    await desk.touch(held);
  }

  /** The session is done; it goes. */
  async delete(): Promise<void> {
    const { held, desk } = this.#parts;
    held.mustBeHeld();
    await desk.delete(held);
  }

  /** Puts it off: its handler gets it after this time, or after the delay of its kind; 0 = at once. After the repeat limit it is dead instead. */
  async store(after?: Duration): Promise<StoredResponse> {
    const { held, desk } = this.#parts;
    held.mustBeHeld();
    return desk.store(held, optionalMs(after, "after"));
  }

  /** Stores it, due at once, unless it is settled. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.settled) return;
    const { held, desk } = this.#parts;
    await desk.store(held, 0).catch((error: unknown) => {
      // Lost: then somebody else has it already.
      const { fate } = held;
      if (!(error instanceof TrubaError && fate === "lost")) throw error;
    });
  }
}
