/**
 * The files of one document, in `documents/NAME/` (its name in base 32, because names tell upper from lower case and not every disk does):
 *
 *     history-N      every transaction, in the order in which this node took them
 *     order-N        the settled part of the total order: which history record stands where, with its verdict
 *     checkpoint-N   how much of these files counts, and the document at the end of the settled part
 *
 * History is the truth. The others can be made from it, so a damaged base costs time, and nothing else. See docs/documents-format.md.
 */
import { must } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { TrubaError } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import type { Logger } from "../base/logger.ts";
import {
  type CheckpointHead,
  checkpointName,
  readCheckpointBase,
  writeCheckpoint,
} from "./document-checkpoint.ts";
import { decodeHistory, decodeOrder, encodeHistory } from "./history-record.ts";
import type { OrderRecord } from "./history-record.ts";
import type { KeptTransaction } from "./journal-batch.ts";
import { RecordFiles, type RecordSegment } from "./record-files.ts";
import { RecordReader } from "./record-reader.ts";
import { recordFileNumber } from "./record-format.ts";
import type { RecordKind } from "./record-format.ts";
import type { ReplicaBase } from "./replica-base.ts";
import type { Source } from "./vocabulary.ts";

/** Of every so-many-th transaction of a source it is remembered where it stands. */
const sourceMarkEvery = 64;

/** A transaction of history and its number there. */
export interface NumberedTransaction {
  readonly number: number;
  readonly transaction: KeptTransaction;
}

/** What a checkpoint adds to the files. */
export interface CheckpointContent {
  readonly head: Omit<CheckpointHead, "history" | "order">;
  readonly base: ReplicaBase | undefined;
  readonly history: readonly Buffer[];
  readonly order: readonly Buffer[];
  /** The order in files no longer holds: `order` is all of it. */
  readonly orderAnew: boolean;
  /** They go into new files, so that the old ones can be given up one day. */
  readonly inNewFiles: boolean;
  /** What is given up with it; absent: nothing. */
  readonly giveUp?: GivenUp | undefined;
}

/** History that is given up: whole files from the beginning on. */
export interface GivenUp {
  /** The first record of history that stays. */
  readonly history: number;
  /** The first place that stays. */
  readonly order: number;
  /** The last place of those that go. */
  readonly lastPlace: number;
  /** The highest Id of each source that goes. */
  readonly ids: ReadonlyMap<Source, number>;
}

/** What a load begins with. */
export interface FoundBase {
  readonly base: ReplicaBase | undefined;
  /** History goes on from this record. */
  readonly restoreFrom: number;
  /** The base was damaged, and all history takes its place. */
  readonly healed: boolean;
}

interface SourceMarks {
  /** History numbers of the first of its transactions 1 to `sourceMarkEvery`, of the next so many, …, as far as history was looked through. */
  readonly numbers: number[];
}

export class DocumentStore {
  readonly directory: string;
  readonly history: RecordFiles;
  readonly order: RecordFiles;
  readonly #rescued: RecordFiles;
  readonly #files: FileSystem;
  readonly #logger: Logger;
  #head: CheckpointHead | undefined;
  /** Of the newest checkpoint. */
  #number: number;
  /** The checkpoint whose base is good with the head; the newest, unless that is damaged. */
  #baseNumber: number;
  #sources: Map<Source, SourceMarks> | undefined;
  /** How far history was looked through for `#sources`. */
  #markedTo: number;
  #marking: Promise<void> | undefined;
  /** This process has seen to it that the directory lasts. */
  #made = false;
  #tidied = false;

  constructor(parts: StoreParts, found: FoundFiles) {
    this.#files = parts.files;
    this.#logger = parts.logger;
    this.directory = parts.directory;
    this.#head = found.head;
    this.#number = found.newest;
    this.#baseNumber = found.base;
    this.#markedTo = (found.head?.history[0]?.first ?? found.head?.begin.history ?? 1) - 1;
    const open = (kind: RecordKind): RecordFiles =>
      new RecordFiles({
        files: parts.files,
        clock: parts.clock,
        directory: parts.directory,
        kind,
        begin: kind === "rescued" ? 1 : (found.head?.begin[kind] ?? 1),
        segments: kind === "rescued" ? [] : (found.head?.[kind] ?? []),
        nextFile: found.nextFile[kind],
      });
    this.history = open("history");
    this.order = open("order");
    this.#rescued = open("rescued");
  }

  /** Of the newest checkpoint; `undefined`: there is none. */
  get head(): CheckpointHead | undefined {
    return this.#head;
  }

  get bytes(): number {
    return this.history.bytes + this.order.bytes;
  }

  /** The document at the settled part, and from which history record on it goes on. Throws TrubaError DOCUMENTDAMAGED. */
  async readBase(): Promise<FoundBase> {
    if (this.#head === undefined) return { base: undefined, restoreFrom: 1, healed: false };
    const path = `${this.directory}/${checkpointName(this.#baseNumber)}`;
    try {
      const base = await readCheckpointBase(this.#files, path);
      return { base, restoreFrom: base === undefined ? 1 : this.#head.restoreFrom, healed: false };
    } catch (error) {
      const healed = error instanceof TrubaError && error.code === "DOCUMENTDAMAGED";
      if (!healed || this.history.first !== 1) throw error;
      this.#logger.warn(
        { path, error: error.message },
        "a checkpoint is damaged; history makes up for it",
      );
      return { base: undefined, restoreFrom: 1, healed: true };
    }
  }

  /** History from a record on, in pieces. Throws TrubaError DOCUMENTDAMAGED. */
  async *scan(from: number): AsyncGenerator<readonly NumberedTransaction[], void, void> {
    for await (const piece of this.history.scan(from))
      yield piece.map(({ number, body }) => ({ number, transaction: decodeHistory(body) }));
  }

  /** From a record of history on: as many as `maxBytes` of payloads allow, and at least one. */
  async from(number: number, maxBytes: number): Promise<KeptTransaction[]> {
    this.#mustHave(number);
    const found: KeptTransaction[] = [];
    let bytes = 0;
    for await (const piece of this.scan(number)) {
      for (const { transaction } of piece) {
        bytes += transaction.payload.length;
        if (found.length > 0 && bytes > maxBytes) return found;
        found.push(transaction);
      }
      if (bytes >= maxBytes) break;
    }
    return found;
  }

  /** Of one source from an Id on, which is in history: as many as `maxBytes` of payloads allow, and at least one. */
  async ofSource(source: Source, id: number, maxBytes: number): Promise<KeptTransaction[]> {
    const from = Math.max(await this.#numberOf(source, id), this.history.first);
    const last = must(this.#head?.counts.find(([name]) => name === source))[1];
    const found: KeptTransaction[] = [];
    let bytes = 0;
    for await (const piece of this.scan(from)) {
      for (const { transaction } of piece) {
        if (transaction.source !== source || transaction.id < id) continue;
        if (found.length === 0 && transaction.id > id) throw this.trimmed();
        bytes += transaction.payload.length;
        if (found.length > 0 && bytes > maxBytes) return found;
        found.push(transaction);
        if (transaction.id >= last || bytes >= maxBytes) return found;
      }
    }
    return found;
  }

  /** For records of history in another order than theirs. */
  reader(): RecordReader {
    return new RecordReader(this.history);
  }

  /** The settled order from a place on, in pieces. */
  async *settled(
    from: number,
  ): AsyncGenerator<readonly { place: number; record: OrderRecord }[], void, void> {
    if (from < this.order.first) throw this.trimmed();
    for await (const piece of this.order.scan(from))
      yield piece.map(({ number, body }) => ({ place: number, record: decodeOrder(body) }));
  }

  /** Adds to the files what a checkpoint has; all of it is durable when this resolves. Whatever goes wrong, what was there before holds. */
  async write(content: CheckpointContent): Promise<void> {
    this.#make();
    const { giveUp, inNewFiles } = content;
    const grown = await this.history.append(content.history, this.history.segments, inNewFiles);
    const ordered = await this.order.append(
      content.order,
      content.orderAnew ? [] : this.order.segments,
      inNewFiles,
    );
    const history = grown.filter(({ first }) => first >= (giveUp?.history ?? 1));
    const order = ordered.filter(({ first }) => first >= (giveUp?.order ?? 1));
    const head: CheckpointHead = { ...content.head, history, order };
    const number = this.#number + 1;
    await writeCheckpoint(this.#files, this.directory, number, { head, base: content.base });
    const oldOrder: readonly RecordSegment[] = this.order.segments;
    const oldHistory: readonly RecordSegment[] = this.history.segments;
    this.#head = head;
    this.#number = number;
    this.#baseNumber = number;
    this.history.commit(history);
    this.order.commit(order);
    await this.order.remove(oldOrder);
    await this.history.remove(oldHistory);
    const older = `${this.directory}/${checkpointName(number - 2)}`;
    if (this.#files.existsSync(older)) await this.#files.unlink(older);
    if (!this.#tidied) await this.#tidy(head);
  }

  /** Removes what crashes have left: files that were being written, and that no checkpoint names. */
  async #tidy(head: CheckpointHead): Promise<void> {
    this.#tidied = true;
    for (const kind of ["history", "order"] as const) {
      for (const name of this.#files.listSync(this.directory)) {
        const file = recordFileNumber(kind, name);
        if (file === undefined || head[kind].some((segment) => segment.file === file)) continue;
        await this.#files.unlink(`${this.directory}/${name}`);
      }
    }
  }

  /** Keeps transactions of a document whose files are damaged in a file of their own, as history has them, so that the log need not. */
  async rescue(transactions: readonly KeptTransaction[]): Promise<void> {
    this.#make();
    const bodies = transactions.map((transaction) => encodeHistory(transaction));
    this.#rescued.commit(await this.#rescued.append(bodies, []));
  }

  /** What of history may go that was written before `beforeMs`; `undefined`: nothing. The newest files always stay. */
  async oldHistory(beforeMs: number): Promise<GivenUp | undefined> {
    const { segments } = this.history;
    const young = segments.findIndex(({ lastMs }) => lastMs >= beforeMs);
    const first = segments[young < 0 ? segments.length - 1 : young]?.first;
    if (first === undefined || first === this.history.first) return undefined;
    const ids = new Map<Source, number>();
    for await (const piece of this.scan(this.history.first)) {
      for (const { number, transaction } of piece)
        if (number < first) ids.set(transaction.source, transaction.id);
      if (must(piece.at(-1)).number >= first) break;
    }
    let lastPlace = 0;
    for await (const piece of this.settled(this.order.first))
      for (const { place, record } of piece) if (record.history < first) lastPlace = place;
    const order = this.order.segments.find((segment) => segment.first > lastPlace)?.first;
    return order === undefined ? undefined : { history: first, order, lastPlace, ids };
  }

  /** Begins a document with a base in place of history that nobody has any more. */
  async install(head: Omit<CheckpointHead, "history" | "order">, base: ReplicaBase): Promise<void> {
    this.#make();
    const whole: CheckpointHead = { ...head, history: [], order: [] };
    await writeCheckpoint(this.#files, this.directory, this.#number + 1, { head: whole, base });
  }

  #mustHave(number: number): void {
    if (number < this.history.first) throw this.trimmed();
  }

  /** What is asked for was given up. */
  trimmed(): TrubaError {
    return new TrubaError(
      "HISTORYTRIMMED",
      `the history of the document was given up below record ${this.history.first}, place ${this.order.first}`,
    );
  }

  /** A history record at or before the one of this transaction, near it. */
  async #numberOf(source: Source, id: number): Promise<number> {
    while (this.#markedTo < this.history.last) {
      this.#marking ??= this.#mark().finally(() => {
        this.#marking = undefined;
      });
      await this.#marking;
    }
    const numbers = this.#sources?.get(source)?.numbers ?? [];
    const number = numbers[Math.floor((id - 1) / sourceMarkEvery)];
    if (number === undefined) throw this.trimmed();
    return number;
  }

  /** Looks through what of history was not looked through yet. */
  async #mark(): Promise<void> {
    this.#sources ??= new Map();
    const from = Math.max(this.#markedTo + 1, this.history.first);
    for await (const piece of this.history.scan(from)) {
      for (const { number, body } of piece) {
        const { source, id } = decodeHistory(body);
        let marks = this.#sources.get(source);
        if (marks === undefined) {
          marks = { numbers: [] };
          this.#sources.set(source, marks);
        }
        // The first that is there of every so many.
        marks.numbers[Math.floor((id - 1) / sourceMarkEvery)] ??= number;
      }
      this.#markedTo = must(piece.at(-1)).number;
    }
  }

  /** The directory, with the first checkpoint. Its names are synced also when it was there: an earlier process may have been killed before it did that. */
  #make(): void {
    if (this.#made) return;
    const files = this.#files;
    if (!files.existsSync(this.directory)) files.makeDirectorySync(this.directory);
    const parent = parentOf(this.directory);
    files.syncDirectorySync(parent);
    files.syncDirectorySync(parentOf(parent));
    this.#made = true;
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

export interface StoreParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly directory: string;
}

/** What a directory holds, as a start finds it (store-opening.ts). */
export interface FoundFiles {
  readonly head: CheckpointHead | undefined;
  /** Number of the newest checkpoint, 0 = there is none. */
  readonly newest: number;
  /** Of the one whose head this is. */
  readonly base: number;
  readonly nextFile: Readonly<Record<RecordKind, number>>;
}

/** A document without files. */
export const noFiles: FoundFiles = {
  head: undefined,
  newest: 0,
  base: 0,
  nextFile: { history: 1, order: 1, rescued: 1 },
};
