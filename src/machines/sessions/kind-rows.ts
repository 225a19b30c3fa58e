/**
 * The kinds that the state knows, so that what an operation does depends on the log alone and not on the configuration of whoever applies it. The leader proposes the kinds
 * of its configuration when they differ from these. What it leaves out is *closed*: there are no new sessions of it, those that are there stay and are delivered.
 *
 *     key of a row     u32 number of the kind
 *     body of a row    f64 delay, f64 spread, f64 greatest number of repeats, f64 greatest bytes, f64 silence, u8 closed, name
 *
 * Two rows may have one name: that of a kind which got another number, and of the closed one that still has sessions under the old one.
 */
import { must } from "../../base/assert.ts";
import { limits } from "../../base/limits.ts";
import type { State } from "../../state/state.ts";
import type { Table } from "../../state/table.ts";
import type { OperationReader, OperationWriter } from "../operation.ts";
import type { KindSettings } from "./kinds.ts";

const tableId = 9;
const keyBytes = 4;
const nameStart = 41;

export interface Kind extends KindSettings {
  readonly closed: boolean;
}

/** Body of the operation that sets the kinds: u16 count, for each u32 number, f64 delay, f64 spread, f64 repeats, f64 bytes, f64 silence, u8 bytes of the name, name. */
export function encodeKinds(writer: OperationWriter, kinds: readonly KindSettings[]): void {
  writer.u16(kinds.length);
  for (const kind of kinds) {
    const name = Buffer.from(kind.name, "latin1");
    writer.u32(kind.number);
    writer.f64(kind.delayMs);
    writer.f64(kind.spreadMs);
    writer.f64(kind.maxRepeats);
    writer.f64(kind.maxBytes);
    writer.f64(kind.silenceMs);
    writer.u8(name.length);
    writer.bytesOf(name, 0, name.length);
  }
}

export function decodeKinds(operation: OperationReader): Kind[] {
  const kinds: Kind[] = [];
  for (let count = operation.u16(); count > 0; count--) {
    const number = operation.u32();
    const delayMs = operation.f64();
    const spreadMs = operation.f64();
    const maxRepeats = operation.f64();
    const maxBytes = operation.f64();
    const silenceMs = operation.f64();
    const nameBytes = operation.u8();
    const start = operation.skip(nameBytes);
    const name = operation.buffer.toString("latin1", start, start + nameBytes);
    kinds.push({ name, number, delayMs, spreadMs, maxRepeats, maxBytes, silenceMs, closed: false });
  }
  return kinds;
}

export class KindRows {
  readonly #table: Table;
  readonly #byNumber = new Map<number, Kind>();
  /** Numbers of the kinds of a name, rising. */
  readonly #numbers = new Map<string, number[]>();
  readonly #key = Buffer.alloc(keyBytes);

  constructor(state: State) {
    this.#table = state.addTable(tableId);
    this.#table.onChange = (before, after) => {
      if (before !== 0) this.#leave(this.#read(before));
      if (after !== 0) this.#enter(this.#read(after));
    };
  }

  loaded(): void {
    this.#table.each((address) => this.#enter(this.#read(address)));
  }

  /** A kind that sessions have: it is there. */
  of(number: number): Kind {
    return must(this.#byNumber.get(number), "a session has a kind that is not there");
  }

  /** Numbers of the kinds of this name, rising; none if there is no such kind. */
  numbersOf(name: string): readonly number[] {
    return this.#numbers.get(name) ?? [];
  }

  /** The kind that new sessions of this name have, or else a closed one. */
  forNew(name: string): Kind | undefined {
    let found: Kind | undefined;
    for (const number of this.numbersOf(name)) {
      const kind = this.of(number);
      if (found === undefined || !kind.closed) found = kind;
    }
    return found;
  }

  /** All, by number. */
  all(): Kind[] {
    return [...this.#byNumber.values()].sort((a, b) => a.number - b.number);
  }

  /** Whether {@link set} with these kinds would change anything, but for forgetting closed ones. */
  differ(kinds: readonly KindSettings[]): boolean {
    let open = 0;
    for (const kind of this.#byNumber.values()) if (!kind.closed) open++;
    return open !== kinds.length || kinds.some((kind) => !this.#has({ ...kind, closed: false }));
  }

  /** Makes these the kinds, and closes all others. A closed one that `isUsed` denies is forgotten when there are many. */
  set(kinds: readonly Kind[], isUsed: (number: number) => boolean): void {
    const numbers = new Set(kinds.map(({ number }) => number));
    for (const kind of this.all())
      if (!kind.closed && !numbers.has(kind.number)) this.#put({ ...kind, closed: true });
    for (const kind of kinds) if (!this.#has(kind)) this.#put(kind);
    const closed = this.all().filter((kind) => kind.closed);
    let tooMany = closed.length - limits.kindsMaxCount;
    for (const { number } of closed) {
      if (tooMany <= 0) break;
      if (isUsed(number)) continue;
      this.#table.remove(this.#keyOf(number), 0, keyBytes);
      tooMany--;
    }
  }

  #has(kind: Kind): boolean {
    const known = this.#byNumber.get(kind.number);
    return (
      known !== undefined &&
      known.closed === kind.closed &&
      known.name === kind.name &&
      known.delayMs === kind.delayMs &&
      known.spreadMs === kind.spreadMs &&
      known.maxRepeats === kind.maxRepeats &&
      known.maxBytes === kind.maxBytes &&
      known.silenceMs === kind.silenceMs
    );
  }

  #put(kind: Kind): void {
    const name = Buffer.from(kind.name, "latin1");
    const address = this.#table.prepare(
      this.#keyOf(kind.number),
      0,
      keyBytes,
      nameStart + name.length,
    );
    const buffer = this.#table.slab.buffer(address);
    const body = this.#table.bodyStart(address);
    buffer.writeDoubleLE(kind.delayMs, body);
    buffer.writeDoubleLE(kind.spreadMs, body + 8);
    buffer.writeDoubleLE(kind.maxRepeats, body + 16);
    buffer.writeDoubleLE(kind.maxBytes, body + 24);
    buffer.writeDoubleLE(kind.silenceMs, body + 32);
    buffer[body + 40] = kind.closed ? 1 : 0;
    name.copy(buffer, body + nameStart);
    this.#table.put(address);
  }

  #read(address: number): Kind {
    const buffer = this.#table.slab.buffer(address);
    const body = this.#table.bodyStart(address);
    return {
      name: buffer.toString("latin1", body + nameStart, this.#table.bodyEnd(address)),
      number: buffer.readUInt32LE(this.#table.keyStart(address)),
      delayMs: buffer.readDoubleLE(body),
      spreadMs: buffer.readDoubleLE(body + 8),
      maxRepeats: buffer.readDoubleLE(body + 16),
      maxBytes: buffer.readDoubleLE(body + 24),
      silenceMs: buffer.readDoubleLE(body + 32),
      closed: buffer[body + 40] === 1,
    };
  }

  #keyOf(number: number): Buffer {
    this.#key.writeUInt32LE(number);
    return this.#key;
  }

  #enter(kind: Kind): void {
    this.#byNumber.set(kind.number, kind);
    const numbers = [...this.numbersOf(kind.name), kind.number].sort((a, b) => a - b);
    this.#numbers.set(kind.name, numbers);
  }

  #leave(kind: Kind): void {
    this.#byNumber.delete(kind.number);
    const numbers = this.numbersOf(kind.name).filter((number) => number !== kind.number);
    if (numbers.length > 0) this.#numbers.set(kind.name, numbers);
    else this.#numbers.delete(kind.name);
  }
}
