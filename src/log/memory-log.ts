/**
 * A log in memory, for tests and for nodes that keep nothing: an entry is confirmed one turn of the event loop after it was appended.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { asBuffer } from "../base/bytes.ts";
import { TrubaError, errorText } from "../base/errors.ts";
import type { Entry, LogStatus, Position, SharedLog } from "./shared-log.ts";

interface Waiter {
  readonly position: Position;
  resolve(position: Position): void;
  reject(error: Error): void;
}

export class MemoryLog implements SharedLog {
  readonly #clock: Clock;
  #entries: Buffer[] = [];
  /** Position before the first entry held. */
  #base: Position = 0;
  #committed: Position = 0;
  #read: Position = 0;
  #confirming = false;
  #waiting: Waiter[] = [];
  #failure: Error | undefined;
  #listener: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  append(batch: Uint8Array): Promise<Position> {
    if (this.#failure !== undefined) return Promise.reject(this.#stopped());
    this.#entries.push(asBuffer(batch));
    const position = this.#base + this.#entries.length;
    if (!this.#confirming) {
      this.#confirming = true;
      this.#clock.soon(() => this.#confirm());
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ position, resolve, reject });
    });
  }

  readFrom(position: Position): void {
    this.#read = position;
  }

  committed(maxBytes: number): readonly Entry[] {
    if (this.#read >= this.#committed) return [];
    if (this.#read < this.#base) {
      throw new TrubaError(
        "DATADAMAGED",
        `entry ${this.#read + 1} was asked for; the log begins at ${this.#base + 1}`,
      );
    }
    const entries: Entry[] = [];
    let bytes = 0;
    while (this.#read < this.#committed && (entries.length === 0 || bytes < maxBytes)) {
      const batch = this.#entries[this.#read - this.#base];
      assert(batch !== undefined, "a committed entry is not in the log");
      this.#read++;
      bytes += batch.length;
      entries.push({ position: this.#read, batch });
    }
    return entries;
  }

  async barrier(): Promise<Position> {
    if (this.#failure !== undefined) throw this.#stopped();
    return this.#committed;
  }

  trim(upTo: Position): void {
    assert(upTo <= this.#read, "a log is trimmed above what was read");
    if (this.#failure !== undefined || upTo <= this.#base) return;
    this.#entries = this.#entries.slice(upTo - this.#base);
    this.#base = upTo;
  }

  async resetTo(position: Position): Promise<void> {
    if (this.#failure !== undefined) throw this.#stopped();
    this.#rejectAll(
      "the log was reset behind a checkpoint before it confirmed the write",
      undefined,
    );
    this.#entries = [];
    this.#base = position;
    this.#committed = position;
    this.#read = position;
  }

  status(): LogStatus {
    return {
      role: this.#failure === undefined ? "leader" : "stopped",
      leader: undefined,
      term: 1,
      first: this.#base + 1,
      last: this.#base + this.#entries.length,
      committed: this.#committed,
      token: new Uint8Array(0),
    };
  }

  get leadingTerm(): number {
    return this.#failure === undefined ? 1 : 0;
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  /** Confirms nothing any more. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#rejectAll("the log stopped before it confirmed the write", error);
    this.#listener();
  }

  #stopped(): TrubaError {
    const cause = this.#failure;
    return new TrubaError("STOPPED", `the log has stopped: ${errorText(cause)}`, { cause });
  }

  #rejectAll(text: string, cause: Error | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) waiter.reject(new TrubaError("UNKNOWNOUTCOME", text, { cause }));
  }

  #confirm(): void {
    this.#confirming = false;
    if (this.#failure !== undefined) return;
    this.#committed = Math.max(this.#committed, this.#base + this.#entries.length);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) waiter.resolve(waiter.position);
    this.#listener();
  }
}
