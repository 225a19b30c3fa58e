/**
 * How an entry of a group stands in the WAL, whose entry records know no kinds. A batch stands there as it is; an entry of another kind is wrapped:
 *
 *     u8[8] marker "\xfeTRUBAE\x01"   u8 kind   data
 *
 * and so is a batch that happens to begin with the marker, so that any bytes can be a batch.
 */
import { TrubaError } from "../base/errors.ts";
import { type EntryKind, type Proposal, entryKinds } from "../raft/vocabulary.ts";

const marker = Buffer.from("fe54525542414501", "hex");
const markerFirst = 0xfe;
const wrapBytes = marker.length + 1;

/** The body of the record. */
export function storedBody({ kind, data }: Proposal): Buffer {
  if (kind === entryKinds.normal && !isWrapped(data)) return data;
  return Buffer.concat([marker, Buffer.of(kind), data]);
}

/** What the body of a record holds. Throws TrubaError DATAVERSION on a kind that this version does not know. */
export function fromStoredBody(body: Buffer): Proposal {
  if (!isWrapped(body)) return { kind: entryKinds.normal, data: body };
  const kind = body[marker.length];
  if (!isEntryKind(kind)) {
    throw new TrubaError(
      "DATAVERSION",
      `a log entry is of kind ${kind}; this version knows the kinds ${entryKinds.normal} and ${entryKinds.configuration}`,
    );
  }
  return { kind, data: body.subarray(wrapBytes) };
}

function isWrapped(bytes: Buffer): boolean {
  return bytes[0] === markerFirst && bytes.subarray(0, marker.length).equals(marker);
}

function isEntryKind(kind: number | undefined): kind is EntryKind {
  return kind === entryKinds.normal || kind === entryKinds.configuration;
}
