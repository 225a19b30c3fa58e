/**
 * Rows of sessions: what a session is but for its records.
 *
 *     key of a row     f64 number of the operation that opened the session
 *     body of a row    0  f64 epoch        24  u32 number of the kind        40  u8  state: 0 active, 1 stored, 2 dead
 *                      8  f64 due          28  u32 repeats                   41  u8  bytes of the tag
 *                     16  f64 opened at    32  u32 records                   42      tag, then the owner if it is active and not detached:
 *                                          36  u32 bytes of all records              f64 node, f64 run, f64 connection
 *
 * `due` is log time in ms: of an active session when it counts as hung, of a stored one when it comes back, of a dead one 0.
 */
import { must } from "../../base/assert.ts";
import type { SessionState } from "../../protocol/requests.ts";
import type { State } from "../../state/state.ts";
import type { ChangeHook, Table } from "../../state/table.ts";
import { type Owner, detached, isDetached, ownerBytes } from "../owner.ts";

const tableId = 7;
const keyBytes = 8;
const tagStart = 42;

/** In the order of their bytes. */
const states = ["active", "stored", "dead"] as const satisfies readonly SessionState[];

export interface Session {
  readonly number: number;
  /** Number of the operation that gave it to its owner, or that put it off. */
  readonly epoch: number;
  readonly dueAtMs: number;
  readonly openedAtMs: number;
  /** Number of its kind. */
  readonly kind: number;
  /** How often it was taken. */
  readonly repeats: number;
  readonly recordsCount: number;
  readonly bytes: number;
  readonly state: SessionState;
  /** Without the braces. */
  readonly tag: string;
  /** {@link detached} unless it is active and belongs to a connection. */
  readonly owner: Owner;
}

export class SessionRows {
  readonly #table: Table;
  readonly #key = Buffer.alloc(keyBytes);

  constructor(state: State) {
    this.#table = state.addTable(tableId);
  }

  /** Told of every change, as `Table.onChange`. */
  set onChange(hook: ChangeHook) {
    this.#table.onChange = hook;
  }

  get count(): number {
    return this.#table.count;
  }

  each(visit: (address: number) => void): void {
    this.#table.each(visit);
  }

  /** Address of the row, or 0; good until the next change of the state. */
  find(number: number): number {
    return this.#table.find(this.#keyOf(number), 0, keyBytes);
  }

  /** Whether the row has this tag: the id that names it is right. */
  hasTag(address: number, tag: Buffer): boolean {
    const start = this.#body(address) + tagStart;
    const end = start + must(this.#buffer(address)[start - 1]);
    return tag.compare(this.#buffer(address), start, end) === 0;
  }

  number(address: number): number {
    return this.#buffer(address).readDoubleLE(this.#table.keyStart(address));
  }

  epoch(address: number): number {
    return this.#buffer(address).readDoubleLE(this.#body(address));
  }

  dueAt(address: number): number {
    return this.#buffer(address).readDoubleLE(this.#body(address) + 8);
  }

  kind(address: number): number {
    return this.#buffer(address).readUInt32LE(this.#body(address) + 24);
  }

  bytes(address: number): number {
    return this.#buffer(address).readUInt32LE(this.#body(address) + 36);
  }

  state(address: number): SessionState {
    return must(states[must(this.#buffer(address)[this.#body(address) + 40])]);
  }

  owner(address: number): Owner {
    const end = this.#table.bodyEnd(address);
    const body = this.#body(address);
    const buffer = this.#buffer(address);
    const start = body + tagStart + must(buffer[body + tagStart - 1]);
    if (start === end) return detached;
    return {
      node: buffer.readDoubleLE(start),
      run: buffer.readDoubleLE(start + 8),
      connection: buffer.readDoubleLE(start + 16),
    };
  }

  read(address: number): Session {
    const buffer = this.#buffer(address);
    const body = this.#body(address);
    const tag = body + tagStart;
    return {
      number: this.number(address),
      epoch: buffer.readDoubleLE(body),
      dueAtMs: buffer.readDoubleLE(body + 8),
      openedAtMs: buffer.readDoubleLE(body + 16),
      kind: buffer.readUInt32LE(body + 24),
      repeats: buffer.readUInt32LE(body + 28),
      recordsCount: buffer.readUInt32LE(body + 32),
      bytes: buffer.readUInt32LE(body + 36),
      state: this.state(address),
      tag: buffer.toString("utf8", tag, tag + must(buffer[tag - 1])),
      owner: this.owner(address),
    };
  }

  /** Puts the row in the place of the one with its number, if any. */
  put(session: Session): void {
    const tag = Buffer.from(session.tag, "utf8");
    const owned = session.state === "active" && !isDetached(session.owner);
    const bytes = tagStart + tag.length + (owned ? ownerBytes : 0);
    const address = this.#table.prepare(this.#keyOf(session.number), 0, keyBytes, bytes);
    const buffer = this.#buffer(address);
    const body = this.#body(address);
    buffer.writeDoubleLE(session.epoch, body);
    buffer.writeDoubleLE(session.dueAtMs, body + 8);
    buffer.writeDoubleLE(session.openedAtMs, body + 16);
    buffer.writeUInt32LE(session.kind, body + 24);
    buffer.writeUInt32LE(session.repeats, body + 28);
    buffer.writeUInt32LE(session.recordsCount, body + 32);
    buffer.writeUInt32LE(session.bytes, body + 36);
    buffer[body + 40] = states.indexOf(session.state);
    buffer[body + 41] = tag.length;
    tag.copy(buffer, body + tagStart);
    if (owned) {
      const start = body + tagStart + tag.length;
      buffer.writeDoubleLE(session.owner.node, start);
      buffer.writeDoubleLE(session.owner.run, start + 8);
      buffer.writeDoubleLE(session.owner.connection, start + 16);
    }
    this.#table.put(address);
  }

  remove(number: number): void {
    this.#table.remove(this.#keyOf(number), 0, keyBytes);
  }

  #keyOf(number: number): Buffer {
    this.#key.writeDoubleLE(number);
    return this.#key;
  }

  #buffer(address: number): Buffer {
    return this.#table.slab.buffer(address);
  }

  #body(address: number): number {
    return this.#table.bodyStart(address);
  }
}
