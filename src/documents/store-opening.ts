/**
 * What a start finds in the directory of a document. The newest checkpoint says how much of the other files counts.
 *
 *     newest checkpoint   the one before   what is done
 *     good                any              it counts
 *     damaged             good             history is read on from where the older one ends; if all of it is whole to the ends of the files, nothing is missing, because history is synced
 *                                          before the checkpoint that names it is begun. The order behind the older one is made again.
 *     damaged             damaged, none    DOCUMENTDAMAGED
 *     none                none             there is nothing yet: what is in other files was being written, and the journal has it
 *
 * Nothing is changed on disk.
 */
import { TrubaError } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import {
  type CheckpointHead,
  checkpointName,
  checkpointNumber,
  readCheckpointHead,
} from "./document-checkpoint.ts";
import { DocumentStore, type FoundFiles, type StoreParts, noFiles } from "./document-store.ts";
import { decodeHistory } from "./history-record.ts";
import type { RecordSegment } from "./record-files.ts";
import {
  bodyBytesAt,
  checkFileHeader,
  damagedAt,
  decodeRecord,
  fileHeaderBytes,
  recordFileName,
  recordFileNumber,
  recordHeaderBytes,
} from "./record-format.ts";
import type { RecordKind } from "./record-format.ts";

export interface OpenedStore {
  readonly store: DocumentStore;
  /** The store has nothing and may not be used. */
  readonly damage: TrubaError | undefined;
}

/** What was put aside while the document was damaged is not in its files: as they are now they would be taken for all of it. */
function wasDamaged(directory: string, nextRescued: number): TrubaError | undefined {
  if (nextRescued === 1) return undefined;
  return new TrubaError(
    "DOCUMENTDAMAGED",
    `${directory}: the document was damaged before, and what the journal had of it then is in rescued-${nextRescued - 1}; move the directory away, and it comes back from peers`,
  );
}

export function openStore(parts: StoreParts): OpenedStore {
  const { files, directory, logger } = parts;
  const names = files.listSync(directory);
  const nextOf = (kind: RecordKind): number =>
    Math.max(0, ...names.map((name) => recordFileNumber(kind, name) ?? 0)) + 1;
  const nextFile = {
    history: nextOf("history"),
    order: nextOf("order"),
    rescued: nextOf("rescued"),
  };
  const numbers = names
    .map((name) => checkpointNumber(name) ?? 0)
    .filter((number) => number > 0)
    .toSorted((a, b) => b - a);
  const newest = numbers[0] ?? 0;
  let damage: TrubaError | undefined;
  for (const number of numbers) {
    const path = `${directory}/${checkpointName(number)}`;
    try {
      const head = readCheckpointHead(files, path);
      const whole = damage === undefined ? head : readOn(files, directory, head, nextFile.history);
      if (damage !== undefined)
        logger.warn(
          { damage: damage.message, path },
          "a checkpoint is damaged; the one before it and history make up for it",
        );
      const found: FoundFiles = { head: whole, newest, base: number, nextFile };
      return {
        store: new DocumentStore(parts, found),
        damage: wasDamaged(directory, nextFile.rescued),
      };
    } catch (error) {
      if (!(error instanceof TrubaError)) throw error;
      damage ??= error;
    }
  }
  return { store: new DocumentStore(parts, { ...noFiles, newest, nextFile }), damage };
}

/** The head of an older checkpoint with all that history holds. Throws TrubaError DOCUMENTDAMAGED unless the files are whole to their ends. */
function readOn(
  files: FileSystem,
  directory: string,
  head: CheckpointHead,
  nextFile: number,
): CheckpointHead {
  const counts = new Map(head.counts);
  const history = [...head.history];
  const last = history.pop();
  let number = last === undefined ? 1 : last.first + last.records;
  for (let file = last?.file ?? 1; file < nextFile; file++) {
    const path = `${directory}/${recordFileName("history", file)}`;
    if (file !== last?.file && !files.existsSync(path)) continue;
    const begun =
      file === last?.file
        ? last
        : { file, first: number, records: 0, bytes: fileHeaderBytes, firstMs: 0, lastMs: 0 };
    const segment = readFileOn(files, path, begun, (body) => {
      const { source, id } = decodeHistory(body);
      counts.set(source, Math.max(id, counts.get(source) ?? 0));
    });
    history.push(segment);
    number = segment.first + segment.records;
  }
  return { ...head, history, counts: [...counts], hash: null };
}

function readFileOn(
  files: FileSystem,
  path: string,
  segment: RecordSegment,
  take: (body: Buffer) => void,
): RecordSegment {
  const handle = files.openSync(path, "read");
  try {
    const size = handle.sizeSync();
    const header = Buffer.alloc(fileHeaderBytes);
    handle.readSync(header, 0);
    checkFileHeader(header, path, { kind: "history", first: segment.first });
    let { records, bytes } = segment;
    const head = Buffer.alloc(recordHeaderBytes);
    while (bytes < size) {
      const got = handle.readSync(head, bytes);
      const length = recordHeaderBytes + (got < recordHeaderBytes ? 0 : bodyBytesAt(head, 0));
      const record = Buffer.alloc(Math.min(length, size - bytes));
      handle.readSync(record, bytes);
      const whole = got === recordHeaderBytes && record.length === length;
      const body = whole ? decodeRecord(record, 0, segment.first + records) : undefined;
      if (body === undefined) throw damagedAt(path, bytes, "it is not known how much of it counts");
      take(body);
      records++;
      bytes += length;
    }
    return { ...segment, records, bytes };
  } finally {
    handle.closeSync();
  }
}
