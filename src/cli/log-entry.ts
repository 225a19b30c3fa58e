/** The operations of a log entry, named for people: what `truba log dump` shows of a batch. */
import { uuidBytes } from "../base/uuid.ts";
import { OperationReader, operationCodes } from "../machines/operation.ts";
import { changeKinds, decodeChange } from "../raft/membership-change.ts";
import { batchHeaderBytes, readBatchHeader } from "../partition/batch.ts";
import type { BatchHeader } from "../partition/batch.ts";
import { recordKeyText } from "../machines/records/record-key.ts";

export interface EntryOperation {
  /** `recordSet`, `group`, …; `code 99` for one of a newer version. */
  readonly name: string;
  readonly key?: string;
  readonly requestId?: string;
  /** Of a group. */
  readonly operations?: readonly EntryOperation[];
}

export interface EntryContent extends BatchHeader {
  readonly operations: readonly EntryOperation[];
}

/** A change of a group's members. */
export interface MembersContent {
  readonly transition: string;
  /** `addLearner 4, remove 2`; `leave the joint configuration` */
  readonly changes: string;
}

const changeNames = new Map<number, string>(
  Object.entries(changeKinds).map(([name, kind]) => [kind, name]),
);

const names = new Map<number, string>(
  Object.entries(operationCodes).map(([name, code]) => [code, name]),
);
const withKey: readonly number[] = [
  operationCodes.recordSet,
  operationCodes.recordDelete,
  operationCodes.recordGet,
];

/** What the entry holds; `undefined` for the empty entry with which a term begins. Throws when the bytes make no sense to this version. */
export function entryContent(body: Buffer): EntryContent | undefined {
  if (body.length === 0) return undefined;
  const header = readBatchHeader(body);
  return { ...header, operations: readOperations(body, batchHeaderBytes, header.count) };
}

/** Throws when the bytes make no sense to this version. */
export function membersContent(data: Buffer): MembersContent {
  const { transition, changes } = decodeChange(data);
  const texts = changes.map(({ kind, replica }) => `${changeNames.get(kind)} ${replica}`);
  return { transition, changes: texts.join(", ") || "leave the joint configuration" };
}

function readOperations(body: Buffer, start: number, count: number): EntryOperation[] {
  const operations: EntryOperation[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    const reader = new OperationReader();
    at = reader.open(body, at);
    operations.push(readOperation(reader));
  }
  return operations;
}

function readOperation(reader: OperationReader): EntryOperation {
  const { buffer, code, requestIdStart, requestIdBytes } = reader;
  const name = names.get(code) ?? `code ${code}`;
  const requestId = buffer.toString("utf8", requestIdStart, requestIdStart + requestIdBytes);
  const id = requestIdBytes === 0 ? {} : { requestId };
  if (code === operationCodes.group) {
    const count = reader.u16();
    return { name, ...id, operations: readOperations(buffer, reader.at, count) };
  }
  if (!withKey.includes(code)) return { name, ...id };
  reader.u8();
  const keyBytes = reader.u8();
  const start = reader.skip(keyBytes);
  if (keyBytes < uuidBytes || reader.at > reader.end) throw new RangeError("a key is cut off");
  return { name, key: recordKeyText(buffer, start, keyBytes), ...id };
}

/** `recordSet {users}00000000-… (request a1)` */
export function operationText({ name, key, requestId, operations }: EntryOperation): string {
  const words = [name];
  if (key !== undefined) words.push(key);
  if (requestId !== undefined) words.push(`(request ${requestId})`);
  if (operations !== undefined) words.push(`[${operations.map(operationText).join(", ")}]`);
  return words.join(" ");
}
