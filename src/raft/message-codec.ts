/**
 * One message between two copies of a group, as bytes. All little-endian.
 *
 *     0   u8  version (1)      1  u8  type      2  u8  flags: 1 rejected, 2 a snapshot follows      3  u8  zero
 *     4   u32 number of entries
 *     8   u64 from    16 to    24 term    32 index    40 term at the index    48 commit    56 its term    64 reject hint    72 context    80 trim limit
 *     88  entries: { u64 index, u64 term, u32 bytes, u8 kind, u8 zero ×3, data }
 *         snapshot: { u64 index, u64 term, u64 configuration's index, u8 auto leave, u8 zero, u16 × 5 numbers of members, u32 zero, u64 members … }
 *
 * No checksum and no length: both are the frame's in which it goes.
 */
import { readU64, writeU64 } from "../base/bytes.ts";
import { TrubaError } from "../base/errors.ts";
import {
  type Configuration,
  type Entry,
  type EntryKind,
  type Message,
  type MessageType,
  type SnapshotMeta,
  entryKinds,
  messageTypes,
} from "./vocabulary.ts";

const version = 1;
const headerBytes = 88;
const entryHeaderBytes = 24;
const snapshotHeaderBytes = 40;
const rejectedFlag = 1;
const snapshotFlag = 2;
const numbers = [
  "from",
  "to",
  "term",
  "index",
  "logTerm",
  "commit",
  "commitTerm",
  "rejectHint",
  "context",
  "trimLimit",
] as const satisfies readonly (keyof Message)[];
const lists = ["voters", "outgoing", "learners", "learnersNext", "witnesses"] as const;
const types: ReadonlySet<number> = new Set(Object.values(messageTypes));

/** Encoded size. */
export function messageBytes({ entries, snapshot }: Message): number {
  let bytes = headerBytes;
  for (const { data } of entries) bytes += entryHeaderBytes + data.length;
  if (snapshot === undefined) return bytes;
  bytes += snapshotHeaderBytes;
  for (const list of lists) bytes += snapshot.configuration[list].length * 8;
  return bytes;
}

export function encodeMessage(message: Message): Buffer {
  const { entries, snapshot } = message;
  const bytes = Buffer.allocUnsafe(messageBytes(message));
  bytes[0] = version;
  bytes[1] = message.type;
  bytes[2] = (message.reject ? rejectedFlag : 0) | (snapshot === undefined ? 0 : snapshotFlag);
  bytes[3] = 0;
  bytes.writeUInt32LE(entries.length, 4);
  let at = 8;
  for (const name of numbers) {
    writeU64(bytes, message[name], at);
    at += 8;
  }
  for (const entry of entries) at = writeEntry(bytes, entry, at);
  if (snapshot !== undefined) writeSnapshot(bytes, snapshot, at);
  return bytes;
}

/** The data of the entries are views into `bytes`. Throws TrubaError DATADAMAGED or DATAVERSION on anything that {@link encodeMessage} does not make. */
export function decodeMessage(bytes: Buffer): Message {
  if (bytes.length < headerBytes) throw damaged(bytes, "is too short");
  if (bytes[0] !== version) {
    throw new TrubaError(
      "DATAVERSION",
      `a message between copies has version ${bytes[0]}; this version of Truba knows ${version}`,
    );
  }
  const [, type = 0, flags = 0] = bytes;
  if (!isMessageType(type)) throw damaged(bytes, `has type ${type}`);
  if ((flags & ~(rejectedFlag | snapshotFlag)) !== 0 || bytes[3] !== 0)
    throw damaged(bytes, `has flags ${flags}`);
  const reader = new Reader(bytes);
  const count = bytes.readUInt32LE(4);
  reader.at = 8;
  const [from, to, term, index, logTerm, commit, commitTerm, rejectHint, context, trimLimit] = [
    reader.number(),
    reader.number(),
    reader.number(),
    reader.number(),
    reader.number(),
    reader.number(),
    reader.number(),
    reader.number(),
    reader.number(),
    reader.number(),
  ] as const;
  if (count * entryHeaderBytes > bytes.length) throw damaged(bytes, `has ${count} entries`);
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) entries.push(reader.entry());
  const snapshot = (flags & snapshotFlag) === 0 ? undefined : reader.snapshot();
  if (reader.at !== bytes.length) throw damaged(bytes, "has bytes left over");
  const reject = (flags & rejectedFlag) !== 0;
  return {
    type,
    from,
    to,
    term,
    index,
    logTerm,
    commit,
    commitTerm,
    entries,
    reject,
    rejectHint,
    context,
    trimLimit,
    snapshot,
  };
}

function writeEntry(bytes: Buffer, { index, term, kind, data }: Entry, start: number): number {
  writeU64(bytes, index, start);
  writeU64(bytes, term, start + 8);
  bytes.writeUInt32LE(data.length, start + 16);
  bytes.writeUInt32LE(kind, start + 20);
  data.copy(bytes, start + entryHeaderBytes);
  return start + entryHeaderBytes + data.length;
}

function writeSnapshot(bytes: Buffer, snapshot: SnapshotMeta, start: number): void {
  const { configuration } = snapshot;
  writeU64(bytes, snapshot.index, start);
  writeU64(bytes, snapshot.term, start + 8);
  writeU64(bytes, snapshot.configurationIndex, start + 16);
  bytes.writeUInt16LE(configuration.autoLeave ? 1 : 0, start + 24);
  for (const [i, list] of lists.entries())
    bytes.writeUInt16LE(configuration[list].length, start + 26 + 2 * i);
  bytes.writeUInt32LE(0, start + 36);
  let at = start + snapshotHeaderBytes;
  for (const list of lists) {
    for (const member of configuration[list]) {
      writeU64(bytes, member, at);
      at += 8;
    }
  }
}

class Reader {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  number(): number {
    const at = this.#take(8);
    // A number above 2^53 cannot be one of ours.
    if (this.#bytes.readUInt32LE(at + 4) > 0x1f_ffff)
      throw damaged(this.#bytes, "has a number above 2^53");
    return readU64(this.#bytes, at);
  }

  entry(): Entry {
    const index = this.number();
    const term = this.number();
    const length = this.#bytes.readUInt32LE(this.#take(4));
    const kind = this.#bytes.readUInt32LE(this.#take(4));
    if (!isEntryKind(kind)) throw damaged(this.#bytes, `has an entry of kind ${kind}`);
    const start = this.#take(length);
    return { index, term, kind, data: this.#bytes.subarray(start, start + length) };
  }

  snapshot(): SnapshotMeta {
    const index = this.number();
    const term = this.number();
    const configurationIndex = this.number();
    const autoLeave = this.#bytes.readUInt16LE(this.#take(2));
    if (autoLeave > 1) throw damaged(this.#bytes, "has a snapshot that it should not have");
    const countsAt = this.#take(10);
    if (this.#bytes.readUInt32LE(this.#take(4)) !== 0)
      throw damaged(this.#bytes, "has a snapshot that it should not have");
    const members = lists.map((_list, i) => {
      const count = this.#bytes.readUInt16LE(countsAt + 2 * i);
      if (count * 8 > this.#bytes.length - this.at)
        throw damaged(this.#bytes, `has a snapshot with ${count} members`);
      return Array.from({ length: count }, () => this.number());
    });
    const [voters = [], outgoing = [], learners = [], learnersNext = [], witnesses = []] = members;
    const configuration: Configuration = {
      voters,
      outgoing,
      learners,
      learnersNext,
      witnesses,
      autoLeave: autoLeave === 1,
    };
    return { index, term, configuration, configurationIndex };
  }

  #take(length: number): number {
    const start = this.at;
    if (length > this.#bytes.length - start) throw damaged(this.#bytes, "ends too early");
    this.at += length;
    return start;
  }
}

function isMessageType(type: number): type is MessageType {
  return types.has(type);
}

function isEntryKind(kind: number): kind is EntryKind {
  return kind === entryKinds.normal || kind === entryKinds.configuration;
}

function damaged(bytes: Buffer, why: string): TrubaError {
  return new TrubaError("DATADAMAGED", `a message between copies of ${bytes.length} bytes ${why}`);
}
