/**
 * Operations as plain data, and both ways between them and bytes: what simulated clients ask for, and what the simulator reads back out of the
 * batches that a node made of it. The reading is written anew from the drawings in src/ (batch.ts, operation.ts, records.ts), so that a mistake in the
 * shipped code is not made here as well.
 */
import { assert, must, unreachable } from "../src/base/assert.ts";
import { operationCodes } from "../src/machines/operation.ts";
import type { OperationWriter } from "../src/machines/operation.ts";
import {
  encodeRecordDelete,
  encodeRecordGet,
  encodeRecordSet,
} from "../src/machines/records/records.ts";

export interface PlainSet {
  readonly kind: "set";
  /** The bytes of a row's key, in hexadecimal. */
  readonly key: string;
  readonly value: Buffer;
  readonly condition: "none" | "nx" | "xx" | "version";
  readonly version: number;
  /** 0 = never. */
  readonly expiryMs: number;
}

export interface PlainDelete {
  readonly kind: "delete";
  readonly key: string;
  readonly version: number | undefined;
}

export interface PlainGet {
  readonly kind: "get";
  readonly key: string;
}

export type PlainRecordOperation = PlainSet | PlainDelete | PlainGet;

export interface PlainGroup {
  readonly kind: "group";
  readonly operations: readonly PlainRecordOperation[];
}

/** What a client can ask for. */
export type PlainOperation = PlainRecordOperation | PlainGroup;

/** What the node proposes by itself. */
export interface OwnOperation {
  readonly kind: "due" | "digest";
}

export interface LoggedOperation {
  readonly requestId: string | undefined;
  readonly operation: PlainOperation | OwnOperation;
}

export interface LoggedBatch {
  readonly writer: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly operations: readonly LoggedOperation[];
}

/** Writes the operation as the surfaces do. */
export function encodeOperation(
  writer: OperationWriter,
  operation: PlainOperation,
  requestId: string | undefined,
): void {
  const id = requestId === undefined ? undefined : Buffer.from(requestId, "latin1");
  if (operation.kind !== "group") {
    encodeRecordOperation(writer, operation, id);
    return;
  }
  writer.beginGroup(operation.operations.length, id);
  for (const inner of operation.operations) encodeRecordOperation(writer, inner, undefined);
  writer.endGroup();
}

function encodeRecordOperation(
  writer: OperationWriter,
  operation: PlainRecordOperation,
  id: Buffer | undefined,
): void {
  const buffer = Buffer.from(operation.key, "hex");
  const key = { buffer, bytes: buffer.length };
  switch (operation.kind) {
    case "set": {
      const { value, condition, version, expiryMs } = operation;
      writer.begin(operationCodes.recordSet, id);
      encodeRecordSet(
        writer,
        key,
        { condition, version, expiryMs },
        { source: value, start: 0, end: value.length },
      );
      break;
    }
    case "delete":
      writer.begin(operationCodes.recordDelete, id);
      encodeRecordDelete(writer, key, operation.version);
      break;
    case "get":
      writer.begin(operationCodes.recordGet, id);
      encodeRecordGet(writer, key);
      break;
    default:
      unreachable(operation);
  }
  writer.end();
}

/** Reads a batch; `undefined` for an entry of the log engine itself. */
export function decodeBatch(bytes: Buffer): LoggedBatch | undefined {
  if (bytes.length === 0) return undefined;
  assert(bytes.readUInt32LE(0) === 1, "a batch has format 1");
  const count = bytes.readUInt32LE(4);
  const operations: LoggedOperation[] = [];
  let at = 40;
  for (let i = 0; i < count; i++) {
    const end = at + 4 + bytes.readUInt32LE(at);
    operations.push(decodeOperation(bytes.subarray(at, end)));
    at = end;
  }
  assert(at === bytes.length, "a batch ends with its last operation");
  return {
    writer: Number(bytes.readBigUInt64LE(8)),
    sequence: Number(bytes.readBigUInt64LE(16)),
    timestamp: Number(bytes.readBigUInt64LE(24)),
    operations,
  };
}

function decodeOperation(bytes: Buffer): LoggedOperation {
  const code = must(bytes[4]);
  const idBytes = must(bytes[5]);
  const requestId = idBytes === 0 ? undefined : bytes.toString("latin1", 6, 6 + idBytes);
  const body = bytes.subarray(6 + idBytes);
  return { requestId, operation: decodeBody(code, body) };
}

function decodeBody(code: number, body: Buffer): PlainOperation | OwnOperation {
  switch (code) {
    case 1:
      return decodeGroup(body);
    case 2:
      return { kind: "due" };
    case 3:
      return { kind: "digest" };
    default:
      return decodeRecordOperation(code, body);
  }
}

function decodeGroup(body: Buffer): PlainGroup {
  const operations: PlainRecordOperation[] = [];
  for (let at = 2; at < body.length;) {
    const end = at + 4 + body.readUInt32LE(at);
    const { operation } = decodeOperation(body.subarray(at, end));
    assert(
      operation.kind === "set" || operation.kind === "delete" || operation.kind === "get",
      "a group holds record operations",
    );
    operations.push(operation);
    at = end;
  }
  assert(operations.length === body.readUInt16LE(0), "a group has as many operations as it says");
  return { kind: "group", operations };
}

function decodeRecordOperation(code: number, body: Buffer): PlainRecordOperation {
  const flags = must(body[0]);
  const keyEnd = 2 + must(body[1]);
  const key = body.toString("hex", 2, keyEnd);
  if (code === 18) return { kind: "get", key };
  let at = keyEnd;
  const number = (flag: number): number => {
    if ((flags & flag) === 0) return 0;
    at += 8;
    return body.readDoubleLE(at - 8);
  };
  const version = number(4);
  if (code === 17) return { kind: "delete", key, version: flags === 4 ? version : undefined };
  assert(code === 16, `operation code ${code} is known`);
  const expiryMs = number(8);
  const conditions = { 0: "none", 1: "nx", 2: "xx", 4: "version" } as const;
  const which = flags & 7;
  assert(which === 0 || which === 1 || which === 2 || which === 4, "one condition at most");
  const value = Buffer.from(body.subarray(at));
  return { kind: "set", key, value, condition: conditions[which], version, expiryMs };
}

/** Equal for equal operations. */
export function textOfOperation(operation: PlainOperation | OwnOperation): string {
  switch (operation.kind) {
    case "set": {
      const { key, value, condition, version, expiryMs } = operation;
      return `set ${key} ${condition} ${version} ${expiryMs} ${value.toString("latin1")}`;
    }
    case "delete":
      return `delete ${operation.key} ${operation.version ?? "any"}`;
    case "get":
      return `get ${operation.key}`;
    case "group":
      return `group [${operation.operations.map(textOfOperation).join("; ")}]`;
    case "due":
    case "digest":
      return operation.kind;
    default:
      return unreachable(operation);
  }
}
