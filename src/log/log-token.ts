/**
 * What a checkpoint carries for the Raft engine, and what stands beside a reset in the WAL: who this copy is and who takes part, as of one position.
 *
 *     0   u8   format (1)
 *     1   u8   1 = the leader leaves the joint configuration by itself
 *     2   u16  zero
 *     4   u16  voters   6 u16 outgoing   8 u16 learners   10 u16 learners next   12 u16 witnesses   14 u16 zero
 *     16  u64  replica: the copy that made the token
 *     24  u64  term of the entry at the position
 *     32  u64  the configuration is the one after this entry
 *     40  u64  … the members, in the order of the counts                                             all little-endian
 *
 * No checksum: a token stands in records and manifests that have their own.
 */
import { readU64, writeU64 } from "../base/bytes.ts";
import { TrubaError } from "../base/errors.ts";
import type { Configuration, Index, ReplicaId, Term } from "../raft/vocabulary.ts";

export interface LogToken {
  readonly replica: ReplicaId;
  readonly term: Term;
  readonly configuration: Configuration;
  readonly configurationIndex: Index;
}

const format = 1;
const countsStart = 4;
const headerBytes = 40;
const lists = ["voters", "outgoing", "learners", "learnersNext", "witnesses"] as const;

export function encodeToken(token: LogToken): Buffer {
  const { configuration } = token;
  const members = lists.flatMap((list) => configuration[list]);
  const bytes = Buffer.alloc(headerBytes + members.length * 8);
  bytes[0] = format;
  bytes[1] = configuration.autoLeave ? 1 : 0;
  for (const [i, list] of lists.entries())
    bytes.writeUInt16LE(configuration[list].length, countsStart + 2 * i);
  writeU64(bytes, token.replica, 16);
  writeU64(bytes, token.term, 24);
  writeU64(bytes, token.configurationIndex, 32);
  for (const [i, member] of members.entries()) writeU64(bytes, member, headerBytes + i * 8);
  return bytes;
}

/** Throws TrubaError DATADAMAGED or DATAVERSION. */
export function decodeToken(token: Uint8Array): LogToken {
  const bytes = Buffer.from(token);
  if (bytes.length > 0 && bytes[0] !== format) {
    throw new TrubaError(
      "DATAVERSION",
      `the token of a log has format ${bytes[0]}; this version knows format ${format}`,
    );
  }
  if (bytes.length < headerBytes) throw damaged(bytes);
  let at = headerBytes;
  const taken = (list: number): ReplicaId[] => {
    const members: ReplicaId[] = [];
    for (let left = bytes.readUInt16LE(countsStart + 2 * list); left > 0; left--) {
      if (at + 8 > bytes.length) throw damaged(bytes);
      members.push(readU64(bytes, at));
      at += 8;
    }
    return members;
  };
  const configuration: Configuration = {
    voters: taken(0),
    outgoing: taken(1),
    learners: taken(2),
    learnersNext: taken(3),
    witnesses: taken(4),
    autoLeave: bytes[1] === 1,
  };
  if (at !== bytes.length) throw damaged(bytes);
  const replica = readU64(bytes, 16);
  return {
    replica,
    term: readU64(bytes, 24),
    configuration,
    configurationIndex: readU64(bytes, 32),
  };
}

function damaged(bytes: Buffer): TrubaError {
  return new TrubaError("DATADAMAGED", `${bytes.length} bytes are no token of a log`);
}
