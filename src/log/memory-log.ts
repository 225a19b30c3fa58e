/**
 * A log in memory, for tests and for nodes that keep nothing: an entry is confirmed one turn of the event loop after it was appended.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { asBuffer } from "../base/bytes.ts";
import { TrubaError } from "../base/errors.ts";
import type { Entry, LogStatus, Position, SharedLog } from "./shared-log.ts";

export class MemoryLog implements SharedLog {
  readonly #clock: Clock;
  #entries: Buffer[] = [];
  /** Position before the first entry held. */
  #base: Position = 0;
  #committed: Position = 0;
  #read: Position = 0;
  #confirming = false;
  #waiting: { readonly position: Position; resolve(position: Position): void }[] = [];
  #listener: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  append(batch: Uint8Array): Promise<Position> {
    this.#entries.push(asBuffer(batch));
    const position = this.#base + this.#entries.length;
    if (!this.#confirming) {
      this.#confirming = true;
      this.#clock.soon(() => this.#confirm());
    }
    return new Promise((resolve) => {
      this.#waiting.push({ position, resolve });
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
    return this.#committed;
  }

  trim(upTo: Position): void {
    assert(upTo <= this.#committed, "a log is trimmed above what is confirmed");
    if (upTo <= this.#base) return;
    this.#entries = this.#entries.slice(upTo - this.#base);
    this.#base = upTo;
  }

  async resetTo(position: Position): Promise<void> {
    this.#entries = [];
    this.#base = position;
    this.#committed = position;
    this.#read = position;
  }

  status(): LogStatus {
    return {
      role: "leader",
      leader: undefined,
      term: 1,
      first: this.#base + 1,
      last: this.#base + this.#entries.length,
      committed: this.#committed,
      token: new Uint8Array(0),
    };
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  #confirm(): void {
    this.#confirming = false;
    this.#committed = Math.max(this.#committed, this.#base + this.#entries.length);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { position, resolve } of waiting) resolve(position);
    this.#listener();
  }
}
