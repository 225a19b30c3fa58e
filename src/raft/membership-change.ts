/**
 * Changes of the configuration as they are proposed, and as they stand in an entry (thesis chapter 4).
 *
 *     u8 form: 1 = one change, 2 = several   u8 transition: 0 auto, 1 implicit, 2 explicit   u16 count
 *     count × { u8 kind, u8 zero ×3, u32 zero, u64 replica }                                  all little-endian
 *
 * Nothing at all (no change, transition auto) leaves a joint configuration.
 */
import { readU64, writeU64 } from "../base/bytes.ts";
import { TrubaError } from "../base/errors.ts";
import type { ReplicaId } from "./vocabulary.ts";

/** The numbers are on disk. */
export const changeKinds = {
  addVoter: 1,
  addLearner: 2,
  addWitness: 3,
  remove: 4,
  /** Changes nothing; goes through the log. */
  touch: 5,
} as const;
export type ChangeKind = (typeof changeKinds)[keyof typeof changeKinds];

export interface MemberChange {
  readonly kind: ChangeKind;
  readonly replica: ReplicaId;
}

/**
 * `auto`: at once if one change is enough, else by a joint configuration that the leader leaves by itself. `implicit`: always joint, left by the leader.
 * `explicit`: always joint, left by an empty change.
 */
export type Transition = "auto" | "implicit" | "explicit";

export interface ConfigurationChange {
  readonly transition: Transition;
  readonly changes: readonly MemberChange[];
}

export const leaveJoint: ConfigurationChange = { transition: "auto", changes: [] };

const transitions: readonly Transition[] = ["auto", "implicit", "explicit"];
const headerBytes = 4;
const changeBytes = 16;
/** More members than any group will have; bounds what a damaged count could ask for. */
const changesMaxCount = 64;

/** `form` 1 is for one change that must take effect at once; it is refused where a joint configuration would be needed. */
export function encodeChange(change: ConfigurationChange, form: 1 | 2 = 2): Buffer {
  const { changes, transition } = change;
  const bytes = Buffer.alloc(headerBytes + changes.length * changeBytes);
  bytes[0] = form;
  bytes[1] = transitions.indexOf(transition);
  bytes.writeUInt16LE(changes.length, 2);
  let at = headerBytes;
  for (const { kind, replica } of changes) {
    bytes[at] = kind;
    writeU64(bytes, replica, at + 8);
    at += changeBytes;
  }
  return bytes;
}

/** Throws TrubaError DATADAMAGED on bytes that {@link encodeChange} does not make. */
export function decodeChange(bytes: Buffer): ConfigurationChange & { readonly form: 1 | 2 } {
  const count = bytes.length >= headerBytes ? bytes.readUInt16LE(2) : -1;
  const form = bytes[0];
  const transition = transitions[bytes[1] ?? transitions.length];
  if (
    (form !== 1 && form !== 2) ||
    transition === undefined ||
    count > changesMaxCount ||
    bytes.length !== headerBytes + count * changeBytes
  ) {
    throw new TrubaError("DATADAMAGED", `${bytes.length} bytes are no change of a configuration`);
  }
  const changes: MemberChange[] = [];
  for (let at = headerBytes; at < bytes.length; at += changeBytes) {
    const kind = bytes[at];
    if (!isChangeKind(kind)) {
      throw new TrubaError("DATADAMAGED", `${kind} is no kind of change of a configuration`);
    }
    changes.push({ kind, replica: readU64(bytes, at + 8) });
  }
  return { form, transition, changes };
}

function isChangeKind(kind: number | undefined): kind is ChangeKind {
  return kind !== undefined && kind >= changeKinds.addVoter && kind <= changeKinds.touch;
}
