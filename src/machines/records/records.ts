/**
 * The records machine: values of bytes under UUID version 4 keys (RFC 9562 §5.4), each with a version and perhaps an expiry.
 *
 *     key of a row     16 bytes of the UUID, then the {tag} without braces, if the key has one
 *     body of a row    f64 version = number of the operation that wrote it, f64 expiry (log time in ms, 0 = never), value
 *
 * A record is gone for everyone from the first batch whose log time has reached its expiry, or from the `due` operation that the leader
 * proposes at that time.
 */
import type { State } from "../../state/state.ts";
import { OrderedMap } from "../../state/ordered-map.ts";
import type { Table } from "../../state/table.ts";
import { type OperationReader, type OperationWriter, operationCodes } from "../operation.ts";
import type { Machine, Moment } from "../machine.ts";
import type { Outcome, RecordOutcome, RecordStatus } from "../outcome.ts";

const tableId = 1;
const bodyHeaderBytes = 16;

const flagNx = 1;
const flagXx = 2;
const flagIfVersion = 4;
const flagExpiry = 8;

/** Conditions and expiry of a SET. At most one of NX, XX and IFVERSION. */
export interface SetOptions {
  readonly condition: "none" | "nx" | "xx" | "version";
  /** For condition `version`: the version that the record must have; 0 = it must not exist. */
  readonly version: number;
  /** From the batch's log time on, in ms; 0 = never. */
  readonly expiryMs: number;
}

export const plainSet: SetOptions = { condition: "none", version: 0, expiryMs: 0 };

/** A key as a row has it: bytes start..start+length of a buffer that the caller may reuse afterwards. */
export interface RecordKey {
  readonly buffer: Buffer;
  readonly bytes: number;
}

const conditionFlags = { none: 0, nx: flagNx, xx: flagXx, version: flagIfVersion } as const;

/** Writes a SET's body, between `begin` and `end` of the writer: u8 flags, u8 key bytes, key, [f64 version], [f64 expiry ms], value. */
export function encodeRecordSet(
  writer: OperationWriter,
  key: RecordKey,
  options: SetOptions,
  value: { readonly source: Buffer; readonly start: number; readonly end: number },
): void {
  writer.u8(conditionFlags[options.condition] | (options.expiryMs > 0 ? flagExpiry : 0));
  encodeKey(writer, key);
  if (options.condition === "version") writer.f64(options.version);
  if (options.expiryMs > 0) writer.f64(options.expiryMs);
  writer.bytesOf(value.source, value.start, value.end);
}

/** Writes a DELETE's body: u8 flags, u8 key bytes, key, [f64 version]. */
export function encodeRecordDelete(
  writer: OperationWriter,
  key: RecordKey,
  version: number | undefined,
): void {
  writer.u8(version === undefined ? 0 : flagIfVersion);
  encodeKey(writer, key);
  if (version !== undefined) writer.f64(version);
}

/** Writes a CHECK's body: u8 0, u8 key bytes, key, f64 version that the record must have, 0 = none. */
export function encodeRecordCheck(writer: OperationWriter, key: RecordKey, version: number): void {
  writer.u8(0);
  encodeKey(writer, key);
  writer.f64(version);
}

/** Writes the body of a GET inside a group: u8 0, u8 key bytes, key. */
export function encodeRecordGet(writer: OperationWriter, key: RecordKey): void {
  writer.u8(0);
  encodeKey(writer, key);
}

function encodeKey(writer: OperationWriter, key: RecordKey): void {
  writer.u8(key.bytes);
  writer.bytesOf(key.buffer, 0, key.bytes);
}

export class Records implements Machine {
  readonly codes = [
    operationCodes.recordSet,
    operationCodes.recordDelete,
    operationCodes.recordGet,
    operationCodes.recordCheck,
  ];
  readonly #table: Table;
  /** (expiry, version) → row address. */
  readonly #expiries = new OrderedMap();
  readonly #moment: Moment;

  constructor(state: State, moment: Moment) {
    this.#moment = moment;
    this.#table = state.addTable(tableId);
    this.#table.onChange = (before, after) => {
      this.#trackExpiry(before, false);
      this.#trackExpiry(after, true);
    };
  }

  get count(): number {
    return this.#table.count;
  }

  apply(operation: OperationReader, moment: Moment): Outcome {
    const flags = operation.u8();
    const keyBytes = operation.u8();
    const keyStart = operation.skip(keyBytes);
    if (operation.code === operationCodes.recordSet)
      return this.#set(operation, moment, flags, keyStart, keyBytes);
    if (operation.code === operationCodes.recordDelete)
      return this.#delete(operation, flags, keyStart, keyBytes);
    if (operation.code === operationCodes.recordCheck)
      return this.#check(operation, keyStart, keyBytes);
    const address = this.find(operation.buffer, keyStart, keyBytes);
    if (address === 0) return { kind: "value", version: 0, value: undefined };
    const value = this.buffer(address).subarray(this.valueStart(address), this.valueEnd(address));
    return { kind: "value", version: this.version(address), value: Buffer.from(value) };
  }

  loaded(): void {
    this.#table.each((address) => this.#trackExpiry(address, true));
  }

  nextDue(): number {
    return this.#expiries.lowest();
  }

  handleDue(moment: Moment, maxRows: number): number {
    let rows = 0;
    while (rows < maxRows && this.#expiries.lowest() <= moment.timestamp) {
      const address = this.#expiries.lowestValue();
      if (address === undefined) break;
      this.#table.removeAt(address);
      rows++;
    }
    return rows;
  }

  /** The record's row, or 0. The address is good until the next change of the state. */
  find(source: Uint8Array, keyStart: number, keyBytes: number): number {
    const address = this.#table.find(source, keyStart, keyBytes);
    if (address === 0) return 0;
    const expiry = this.#expiry(address);
    return expiry !== 0 && expiry <= this.#moment.timestamp ? 0 : address;
  }

  buffer(address: number): Buffer {
    return this.#table.slab.buffer(address);
  }

  version(address: number): number {
    return this.buffer(address).readDoubleLE(this.#table.bodyStart(address));
  }

  /** Log time at which the record expires, in ms; 0 = never. */
  expiresAt(address: number): number {
    return this.#expiry(address);
  }

  valueStart(address: number): number {
    return this.#table.bodyStart(address) + bodyHeaderBytes;
  }

  valueEnd(address: number): number {
    return this.#table.bodyEnd(address);
  }

  keyStart(address: number): number {
    return this.#table.keyStart(address);
  }

  keyBytes(address: number): number {
    return this.#table.keyBytes(address);
  }

  /** Rows from a cursor on: see `Table.scan`. */
  scan(cursor: number, count: number, visit: (address: number) => void): number {
    return this.#table.scan(cursor, count, (address) => {
      const expiry = this.#expiry(address);
      if (expiry === 0 || expiry > this.#moment.timestamp) visit(address);
    });
  }

  #set(
    operation: OperationReader,
    moment: Moment,
    flags: number,
    keyStart: number,
    keyBytes: number,
  ): RecordOutcome {
    const required = (flags & flagIfVersion) !== 0 ? operation.f64() : 0;
    const expiryMs = (flags & flagExpiry) !== 0 ? operation.f64() : 0;
    const source = operation.buffer;
    const existing = this.find(source, keyStart, keyBytes);
    if ((flags & (flagNx | flagXx | flagIfVersion)) !== 0) {
      const refused = this.#refuse(flags, required, existing);
      if (refused !== undefined) return refused;
    }
    const valueBytes = operation.end - operation.at;
    const table = this.#table;
    const address = table.prepare(source, keyStart, keyBytes, bodyHeaderBytes + valueBytes);
    const buffer = table.slab.buffer(address);
    const body = table.bodyStart(address);
    buffer.writeDoubleLE(moment.number, body);
    buffer.writeDoubleLE(expiryMs === 0 ? 0 : moment.timestamp + expiryMs, body + 8);
    source.copy(buffer, body + bodyHeaderBytes, operation.at, operation.end);
    table.put(address);
    return recordOutcome(existing === 0 ? "created" : "updated", moment.number);
  }

  #delete(
    operation: OperationReader,
    flags: number,
    keyStart: number,
    keyBytes: number,
  ): RecordOutcome {
    const required = (flags & flagIfVersion) !== 0 ? operation.f64() : 0;
    const existing = this.find(operation.buffer, keyStart, keyBytes);
    if ((flags & flagIfVersion) !== 0) {
      const refused = this.#refuse(flags, required, existing);
      if (refused !== undefined) return refused;
    }
    if (existing === 0) return recordOutcome("missing", 0);
    const version = this.version(existing);
    this.#table.removeAt(existing);
    return recordOutcome("deleted", version);
  }

  #check(operation: OperationReader, keyStart: number, keyBytes: number): RecordOutcome {
    const required = operation.f64();
    const existing = this.find(operation.buffer, keyStart, keyBytes);
    return this.#refuse(flagIfVersion, required, existing) ?? recordOutcome("checked", required);
  }

  #refuse(flags: number, required: number, existing: number): RecordOutcome | undefined {
    const version = existing === 0 ? 0 : this.version(existing);
    if ((flags & flagNx) !== 0)
      return existing === 0 ? undefined : recordOutcome("exists", version);
    if ((flags & flagXx) !== 0) return existing === 0 ? recordOutcome("notfound", 0) : undefined;
    if (version === required) return undefined;
    return existing === 0 ? recordOutcome("notfound", 0) : recordOutcome("conflict", version);
  }

  #expiry(address: number): number {
    return this.buffer(address).readDoubleLE(this.#table.bodyStart(address) + 8);
  }

  #trackExpiry(address: number, added: boolean): void {
    if (address === 0) return;
    const expiry = this.#expiry(address);
    if (expiry === 0) return;
    if (added) this.#expiries.set(expiry, this.version(address), address);
    else this.#expiries.delete(expiry, this.version(address));
  }
}

function recordOutcome(status: RecordStatus, version: number): RecordOutcome {
  return { kind: "record", status, version };
}
