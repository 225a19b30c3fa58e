/**
 * The whole of a data directory, checked: identity, log by the recovery table, manifests and runs, and whether log and checkpoints meet. What a start would
 * refuse is damage; what it would mend is a note. Nothing is changed.
 */
import { TrubaError } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import { checkCheckpoints } from "../state/checkpoint-check.ts";
import type { CheckpointReport } from "../state/checkpoint-check.ts";
import { Replay } from "../wal/replay.ts";
import { scanWal } from "../wal/scan.ts";
import type { Finding } from "../wal/scan.ts";
import type { DataDirectory } from "./data-directory.ts";
import { Progress } from "./output.ts";
import type { TextSink } from "./output.ts";

export interface Verification {
  readonly data: string;
  readonly node: string | undefined;
  readonly log: {
    segments: number;
    bytes: number;
    batches: number;
    records: number;
    /** Of the last whole batch. */
    sequence: number;
    /** What ended the log, in words. */
    ending: string;
  };
  readonly checkpoints: { partitions: number; runs: number; rows: number; bytes: number };
  /** What the next start mends by itself. */
  readonly notes: string[];
  readonly damage: { readonly code: string; readonly text: string; readonly lost: string }[];
}

/** Throws what the file system throws. Progress goes to `watcher`, if a person watches it. */
export async function verifyData(
  directory: DataDirectory,
  watcher: TextSink,
): Promise<Verification> {
  const { identity } = directory;
  const known = identity instanceof TrubaError ? undefined : identity;
  const result: Verification = {
    data: directory.path,
    node: known?.name,
    log: { segments: 0, bytes: 0, batches: 0, records: 0, sequence: 0, ending: "" },
    checkpoints: { partitions: 0, runs: 0, rows: 0, bytes: 0 },
    notes: [],
    damage: [],
  };
  if (identity instanceof TrubaError) {
    const lost = "the names of cluster and node, and how many partitions there are";
    result.damage.push({ code: identity.code, text: identity.message, lost });
  }
  const replay = new Replay();
  const progress = new Progress("Log", watcher);
  const whole = verifyLog(directory, known?.nodeId, { result, replay, progress });
  progress.finish();
  const positions = await verifyCheckpoints(directory, partitionsOf(directory), result, watcher);
  if (whole) verifyMeeting(directory, replay, positions, result);
  return result;
}

/** Returns whether the log is whole. */
function verifyLog(
  { files, wal }: DataDirectory,
  nodeId: number | undefined,
  to: { result: Verification; replay: Replay; progress: Progress },
): boolean {
  const { result, replay, progress } = to;
  const { log } = result;
  let last: Finding | undefined;
  let before = 0;
  const total = bytesIn(files, wal, ".wal");
  const options = nodeId === undefined ? { replay } : { replay, nodeId };
  for (const event of scanWal(files, wal, options)) {
    if (event.type === "segment") {
      log.segments++;
      before = log.bytes;
      log.bytes += event.header.length;
    } else if (event.type === "batch") {
      log.batches++;
      log.records += event.records.length;
      log.sequence = event.sequence;
      progress.update(before + event.offset, total);
    } else {
      last = event;
      const { decision } = event.row;
      if (decision === "torn" || decision === "unused") result.notes.push(event.text);
    }
  }
  log.ending = last?.text ?? `${wal} holds no segment`;
  const code = last?.row.decision === "refuse" ? "DATAVERSION" : "DATADAMAGED";
  if (last === undefined) return true;
  if (last.row.decision !== "damaged" && last.row.decision !== "refuse") return true;
  const lost =
    `what the log holds from there on; before it, ${log.batches} batches with ${log.records} records, ` +
    `up to batch ${log.sequence}, are whole`;
  result.damage.push({ code, text: last.text, lost });
  return false;
}

/** The partitions that the identity counts, or, without one, those that have a directory. */
function partitionsOf({ files, path, identity }: DataDirectory): number[] {
  if (!(identity instanceof TrubaError))
    return Array.from({ length: identity.partitions }, (_, id) => id);
  const parent = `${path}/partitions`;
  const names = files.existsSync(parent) ? files.listSync(parent) : [];
  return names.filter((name) => /^\d{4,}$/.test(name)).map(Number);
}

/** Returns the position of each partition's checkpoint, where it has one. */
async function verifyCheckpoints(
  directory: DataDirectory,
  partitions: readonly number[],
  { checkpoints, notes, damage }: Verification,
  watcher: TextSink,
): Promise<ReadonlyMap<number, number>> {
  const progress = new Progress("Checkpoints", watcher);
  const positions = new Map<number, number>();
  let read = 0;
  let total = 0;
  for (const partition of partitions)
    total += bytesIn(directory.files, directory.partition(partition), ".run");
  for (const partition of partitions) {
    const path = directory.partition(partition);
    const report: CheckpointReport = await checkCheckpoints({
      files: directory.files,
      directory: path,
      partition,
      onBytes: (bytes) => {
        read += bytes;
        progress.update(read, total);
      },
    });
    checkpoints.partitions++;
    checkpoints.runs += report.manifest?.runs.length ?? 0;
    checkpoints.rows += report.rows;
    checkpoints.bytes += report.bytes;
    for (const name of report.leftovers) notes.push(`${path}/${name}: nothing names it`);
    for (const { error, lost } of report.damage)
      damage.push({ code: error.code, text: error.message, lost });
    const position = report.manifest?.state?.["position"];
    if (typeof position === "number") positions.set(partition, position);
  }
  progress.finish();
  return positions;
}

/** Bytes of the files with such names: what is going to be read. */
function bytesIn(files: FileSystem, directory: string, ending: string): number {
  let bytes = 0;
  for (const name of files.existsSync(directory) ? files.listSync(directory) : []) {
    if (!name.endsWith(ending)) continue;
    const file = files.openSync(`${directory}/${name}`, "read");
    bytes += file.sizeSync();
    file.closeSync();
  }
  return bytes;
}

/** Whether each partition's log goes on where its checkpoint ends. */
function verifyMeeting(
  { wal }: DataDirectory,
  replay: Replay,
  positions: ReadonlyMap<number, number>,
  { log, damage }: Verification,
): void {
  if (log.segments === 0) {
    // The identity gets its name when the log has begun.
    const text = `${wal} holds no segment, although the directory was in use (row 13)`;
    damage.push({ code: "DATADAMAGED", text, lost: "everything after the checkpoints" });
    return;
  }
  for (const { id, firstIndex, lastIndex } of replay.groups.values()) {
    const position = positions.get(id) ?? 0;
    // As the node asks before it applies anything.
    if (firstIndex <= position + 1 && lastIndex >= position) continue;
    const text = `the log of partition ${id} holds entries ${firstIndex} to ${lastIndex}, its checkpoint ends at ${position}`;
    const lost = `entries ${Math.min(position, lastIndex) + 1} to ${Math.max(firstIndex - 1, position)}`;
    damage.push({ code: "DATADAMAGED", text, lost });
  }
}
