/** The machines of one partition as a replica runs them: batches in, outcomes out; and requests as data, to be written and compared. */
import { must } from "../../src/base/assert.ts";
import type { Moment } from "../../src/machines/machine.ts";
import { OperationReader, OperationWriter, operationCodes } from "../../src/machines/operation.ts";
import type { Outcome } from "../../src/machines/outcome.ts";
import {
  encodeRecordDelete,
  encodeRecordGet,
  encodeRecordSet,
  plainSet,
} from "../../src/machines/records/records.ts";
import type { SetOptions } from "../../src/machines/records/records.ts";
import { MachineStack } from "../../src/machines/stack.ts";
import { State } from "../../src/state/state.ts";
import { CheckedSlab } from "../state/checked-slab.ts";

export interface SetRequest {
  readonly kind: "set";
  readonly key: string;
  readonly value: string;
  readonly options: SetOptions;
}
export interface DeleteRequest {
  readonly kind: "delete";
  readonly key: string;
  readonly version?: number;
}
export interface GetRequest {
  readonly kind: "get";
  readonly key: string;
}
export type SimpleRequest = SetRequest | DeleteRequest | GetRequest;
export interface GroupRequest {
  readonly kind: "group";
  readonly requests: readonly SimpleRequest[];
}
export interface DueRequest {
  readonly kind: "due";
}
export type Body = SimpleRequest | GroupRequest | DueRequest;
/** `id`: request id. */
export type Request = Body & { readonly id?: string };

export interface Batch {
  readonly timestamp: number;
  readonly requests: readonly Request[];
}

export function set(key: string, value: string, options: Partial<SetOptions> = {}): SetRequest {
  return { kind: "set", key, value, options: { ...plainSet, ...options } };
}

export function remove(key: string, version?: number): DeleteRequest {
  return version === undefined ? { kind: "delete", key } : { kind: "delete", key, version };
}

export function get(key: string): GetRequest {
  return { kind: "get", key };
}

export function group(...requests: SimpleRequest[]): GroupRequest {
  return { kind: "group", requests };
}

export const due: DueRequest = { kind: "due" };

/** Keys of 16 bytes from short names, some with a tag behind. */
function keyOf(name: string): { buffer: Buffer; bytes: number } {
  const buffer = Buffer.from(name.padEnd(16, "."));
  return { buffer, bytes: buffer.length };
}

/** Text of a version 7 UUID of this time; `number` tells those of one time apart. */
export function versionSeven(ms: number, number: number): string {
  const time = ms.toString(16).padStart(12, "0");
  const rest = number.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7abc-8def-${rest}`;
}

function writeSimple(
  writer: OperationWriter,
  request: SimpleRequest,
  id: Buffer | undefined,
): void {
  const key = keyOf(request.key);
  switch (request.kind) {
    case "set": {
      const source = Buffer.from(`<${request.value}>`);
      writer.begin(operationCodes.recordSet, id);
      const value = { source, start: 1, end: source.length - 1 };
      encodeRecordSet(writer, key, request.options, value);
      break;
    }
    case "delete":
      writer.begin(operationCodes.recordDelete, id);
      encodeRecordDelete(writer, key, request.version);
      break;
    case "get":
      writer.begin(operationCodes.recordGet, id);
      encodeRecordGet(writer, key);
      break;
  }
  writer.end();
}

export function writeRequest(writer: OperationWriter, request: Request): void {
  const id = request.id === undefined ? undefined : Buffer.from(request.id, "latin1");
  if (request.kind === "due") {
    writer.begin(operationCodes.due, id);
    writer.end();
  } else if (request.kind === "group") {
    writer.beginGroup(request.requests.length, id);
    for (const inner of request.requests) writeSimple(writer, inner, undefined);
    writer.endGroup();
  } else writeSimple(writer, request, id);
}

export class Replica {
  readonly moment: Moment = { timestamp: 0, position: 0, number: 0, seed: 0 };
  readonly slab = new CheckedSlab();
  readonly state: State;
  readonly stack: MachineStack;
  readonly #writer = new OperationWriter();
  readonly #reader = new OperationReader();

  constructor(options: { indexSeed: number; onceMaxBytes?: number }) {
    this.state = new State(options.indexSeed, this.slab);
    const onceMaxBytes = options.onceMaxBytes ?? 1_048_576;
    this.stack = new MachineStack(this.state, this.moment, { onceMaxBytes });
  }

  apply({ timestamp, requests }: Batch): Outcome[] {
    for (const request of requests) writeRequest(this.#writer, request);
    const bytes = this.#writer.take();
    const outcomes: Outcome[] = [];
    this.moment.position++;
    this.moment.timestamp = Math.max(this.moment.timestamp, timestamp);
    this.moment.seed = timestamp % 1_000_003;
    let at = 0;
    while (at < bytes.length) {
      at = this.#reader.open(bytes, at);
      outcomes.push(this.stack.apply(this.#reader, this.moment));
    }
    return outcomes;
  }

  /** One request in a batch of its own. */
  one(timestamp: number, request: Request): Outcome {
    return must(this.apply({ timestamp, requests: [request] })[0]);
  }

  /** What a client reads outside of the log. */
  read(name: string): { value: string; version: number; expiry: number } | undefined {
    const { records } = this.stack;
    const { buffer, bytes } = keyOf(name);
    const address = records.find(buffer, 0, bytes);
    if (address === 0) return undefined;
    const value = records
      .buffer(address)
      .toString("utf8", records.valueStart(address), records.valueEnd(address));
    return { value, version: records.version(address), expiry: records.expiresAt(address) };
  }

  /** Names of all records that a scan meets, sorted. */
  scan(count: number): string[] {
    const { records } = this.stack;
    const names: string[] = [];
    let cursor = 0;
    do {
      cursor = records.scan(cursor, count, (address) => {
        const start = records.keyStart(address);
        const key = records
          .buffer(address)
          .toString("latin1", start, start + records.keyBytes(address));
        names.push(key.replace(/\.+$/, ""));
      });
    } while (cursor !== 0);
    return names.sort();
  }
}

/** Outcomes as text, to be compared. */
export function outcomesText(outcomes: readonly Outcome[]): string {
  return JSON.stringify(outcomes, (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value,
  );
}
