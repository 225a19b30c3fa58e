/**
 * The start of all documents of a node: the heads of their checkpoints, then the journal behind them. Documents themselves are loaded when they are used.
 *
 * A journal that is damaged is only met here by a node that has peers (alone the node has refused to start). Then own transactions may be lost that peers have seen, so the node takes a name as an
 * author that nobody ever had, for all documents, and no Id is used twice.
 */
import type { Clock } from "../base/clock.ts";
import type { FileSystem } from "../base/file-system.ts";
import type { Logger } from "../base/logger.ts";
import { type Random, randomHex } from "../base/random.ts";
import { TimeSlice } from "../state/time-slice.ts";
import type { Wal } from "../wal/wal.ts";
import { nameOfDirectory } from "./document-name.ts";
import type { DocumentSlot } from "./document-slot.ts";
import { DocumentStore, type StoreParts, noFiles } from "./document-store.ts";
import { Journal, documentsGroup } from "./journal.ts";
import type { JournalRecord } from "./journal-batch.ts";
import { firstStamp, laterStamp } from "./stamp.ts";
import { openStore } from "./store-opening.ts";
import type { Source, Stamp } from "./vocabulary.ts";

export interface RecoveryParts {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly wal: Wal;
  readonly directory: string;
  readonly source: Source;
  readonly journal: Journal;
  readonly slots: ReadonlyMap<string, DocumentSlot>;
  readonly storeParts: (name: string) => StoreParts;
  readonly put: (name: string, store: DocumentStore) => DocumentSlot;
}

export interface Recovered {
  /** Under which the node writes. */
  readonly source: Source;
  /** The node may have promised its clock up to here. */
  readonly ceiling: Stamp;
  /** Truba nodes that it knows. */
  readonly known: readonly Source[];
}

/** Throws TrubaError DATADAMAGED or DATAVERSION when the journal cannot be read. */
export async function recoverDocuments(parts: RecoveryParts): Promise<Recovered> {
  await readHeads(parts);
  const damage = Journal.damageOf(parts.wal);
  if (damage !== undefined) return beginAnew(parts, damage);
  const slice = new TimeSlice(parts.clock);
  let { source } = parts;
  let ceiling = firstStamp;
  let known: readonly Source[] = [];
  let count = 0;
  const renamed = new Set<string>();
  for (const { index, records } of parts.journal.recovered()) {
    if (slice.isOver()) await slice.rest();
    count += records.length;
    for (const record of records) {
      if (record.kind === "ceiling") ceiling = laterStamp(ceiling, record.clock);
      else if (record.kind === "node") source = record.source;
      else if (record.kind === "known") known = record.sources;
      else {
        if (record.kind === "author") renamed.add(record.document);
        recovered(parts, record, index);
      }
    }
  }
  for (const slot of parts.slots.values()) {
    slot.tail.confirm(parts.journal.durable);
    // The node had its name when it began this document.
    if (slot.store.head === undefined && !renamed.has(slot.name)) slot.source = source;
  }
  parts.logger.info({ documents: parts.slots.size, records: count }, "the documents are open");
  return { source, ceiling, known };
}

/** A name that nobody had, from one that must not be used any more. */
export function freshSource(random: Random, old: Source): Source {
  const stem = old.replace(/~[0-9a-f]{8}$/, "");
  return `${stem}~${randomHex(random, 4)}`;
}

async function readHeads({
  files,
  directory,
  clock,
  storeParts,
  put,
}: RecoveryParts): Promise<void> {
  if (!files.existsSync(directory)) return;
  const slice = new TimeSlice(clock);
  for (const entry of files.listSync(directory)) {
    const name = nameOfDirectory(entry);
    if (name === undefined) continue;
    const { store, damage } = openStore(storeParts(name));
    const slot = put(name, store);
    if (damage !== undefined) slot.failed(damage);
    // A node has many documents, and others in its process want their turn.
    if (slice.isOver()) await slice.rest();
  }
}

function recovered(
  { slots, put, storeParts }: RecoveryParts,
  record: Extract<JournalRecord, { kind: "transaction" | "author" }>,
  index: number,
): void {
  const { document: name } = record;
  const slot = slots.get(name) ?? put(name, new DocumentStore(storeParts(name), noFiles));
  if (index <= (slot.store.head?.index ?? 0)) return;
  if (record.kind === "author") slot.renamed(record.source, index);
  else slot.recovered(record.transaction, index);
}

function beginAnew(parts: RecoveryParts, damage: string): Recovered {
  const { wal, logger, journal, slots } = parts;
  const source = freshSource(parts.random, parts.source);
  let last = wal.group(documentsGroup).lastIndex;
  for (const slot of slots.values()) last = Math.max(last, slot.index);
  Journal.beginAnew(wal, last);
  journal.continueAt(last);
  journal.node(source);
  for (const slot of slots.values()) slot.renamed(source, journal.author(slot.name, source));
  logger.error(
    { damage, old: parts.source, source },
    "the documents' journal is damaged: what was not in their files comes back from peers, if they have it; this node writes under a new name",
  );
  return { source, ceiling: firstStamp, known: [] };
}
