/** `truba log dump` and `truba log verify`: the data directory of a node that is not running, looked at and never changed. */
import { once } from "node:events";
import { TrubaError, errorText } from "../base/errors.ts";
import type { ScannedRecord } from "../wal/batch-reader.ts";
import { kindName } from "../wal/format.ts";
import { scanWal } from "../wal/scan.ts";
import type { ScanEvent } from "../wal/scan.ts";
import { openDataDirectory } from "./data-directory.ts";
import { fromStoredBody } from "../log/stored-entry.ts";
import { entryKinds } from "../raft/vocabulary.ts";
import { entryContent, membersContent, operationText } from "./log-entry.ts";
import type { EntryContent, MembersContent } from "./log-entry.ts";
import { cellText, jsonLine, pairsText } from "./output.ts";
import { verifyData } from "./verify.ts";
import type { Verification } from "./verify.ts";

interface LogOptions {
  readonly data: string;
  readonly json: boolean;
}

const damagedExitCode = 1;

/** Prints every segment, batch and record; exit code 1 when the log ends in damage. */
export async function runLogDump({ data, json }: LogOptions): Promise<void> {
  const directory = await openDataDirectory(data);
  const { identity } = directory;
  const options = {
    entryBodies: true,
    ...(identity instanceof TrubaError ? {} : { nodeId: identity.nodeId }),
  };
  if (identity instanceof TrubaError) process.stderr.write(`truba: warning: ${identity.message}\n`);
  const output = new Output();
  for (const event of scanWal(directory.files, directory.wal, options)) {
    if (isDamage(event)) process.exitCode = damagedExitCode;
    for (const text of json ? eventLines(event) : eventTexts(event)) await output.write(text);
  }
  await output.flush();
}

/** Checks log, manifests and runs; exit code 1 when anything is damaged. */
export async function runLogVerify({ data, json }: LogOptions): Promise<void> {
  const verification = await verifyData(await openDataDirectory(data), process.stderr);
  if (verification.damage.length > 0) process.exitCode = damagedExitCode;
  process.stdout.write(json ? jsonLine(verification) : verificationText(verification));
}

/** Standard output in large pieces, no faster than its reader takes them. */
class Output {
  #pieces: string[] = [];
  #length = 0;

  async write(text: string): Promise<void> {
    this.#pieces.push(text);
    this.#length += text.length;
    if (this.#length >= 65_536) await this.flush();
  }

  async flush(): Promise<void> {
    const text = this.#pieces.join("");
    this.#pieces = [];
    this.#length = 0;
    if (text !== "" && !process.stdout.write(text)) await once(process.stdout, "drain");
  }
}

function isDamage(event: ScanEvent): boolean {
  if (event.type !== "finding") return false;
  return event.row.decision === "damaged" || event.row.decision === "refuse";
}

/** One line of JSON for a segment or a finding; for a batch, one for it and one for each record. */
function eventLines(event: ScanEvent): string[] {
  if (event.type === "segment")
    return [jsonLine({ type: "segment", file: event.file, ...event.header })];
  if (event.type === "finding") {
    const { file, segment, offset, text } = event;
    const { row, decision } = event.row;
    return [jsonLine({ type: "finding", row, decision, file, segment, offset, text })];
  }
  const { file, segment, offset, bytes, sequence } = event;
  const batch = { type: "batch", file, segment, offset, bytes, sequence };
  return [
    jsonLine({ ...batch, records: event.records.length }),
    ...event.records.map((record) => jsonLine({ type: "record", file, ...recordJson(record) })),
  ];
}

function recordJson(record: ScannedRecord): object {
  const { offset, kind, group, index, term, bodyBytes, restated } = record;
  const content = contentOf(record);
  return {
    offset,
    kind: kindName(kind),
    group,
    index,
    term,
    bytes: bodyBytes,
    ...(restated ? { restated } : {}),
    ...(typeof content === "string" ? { unreadable: content } : content),
  };
}

function eventTexts(event: ScanEvent): string[] {
  if (event.type === "segment") {
    const { id, length, sequence } = event.header;
    const about = `segment ${id}, ${length} bytes, batch ${sequence} was synced before it`;
    return [`${event.file}  ${about}\n`];
  }
  if (event.type === "finding") return [`${event.row.decision}  ${cellText(event.text)}\n`];
  const { offset, bytes, sequence, records } = event;
  return [
    `  batch ${sequence} at ${offset}: ${bytes} bytes, ${records.length} records\n`,
    ...records.flatMap(recordTexts),
  ];
}

function recordTexts(record: ScannedRecord): string[] {
  const { offset, kind, group, index, term, bodyBytes, restated } = record;
  const again = restated ? ", restated" : "";
  const place = `group ${group}, index ${index}, term ${term}, ${bodyBytes} bytes at ${offset}`;
  const line = `    ${kindName(kind)}: ${place}${again}\n`;
  const content = contentOf(record);
  if (content === undefined) return [line];
  if (typeof content === "string") return [line, `      not readable: ${cellText(content)}\n`];
  if ("changes" in content)
    return [line, `      changes the members (${content.transition}): ${content.changes}\n`];
  const { writer, sequence, timestamp, seed, operations } = content;
  const time = new Date(timestamp).toISOString();
  return [
    line,
    `      writer ${writer}, sequence ${sequence}, ${time}, seed ${seed}, ${operations.length} operations\n`,
    ...operations.map((operation) => `        ${cellText(operationText(operation))}\n`),
  ];
}

/** What an entry holds, or why it cannot be read; nothing for other kinds and for empty entries. */
function contentOf({
  kind,
  body,
}: ScannedRecord): EntryContent | MembersContent | string | undefined {
  if (kindName(kind) !== "entry" || body === undefined) return undefined;
  try {
    const entry = fromStoredBody(body);
    return entry.kind === entryKinds.configuration
      ? membersContent(entry.data)
      : entryContent(entry.data);
  } catch (error) {
    return errorText(error);
  }
}

function verificationText({ data, log, checkpoints, notes, damage }: Verification): string {
  const texts = [
    pairsText([
      ["Data", data],
      ["Log", `${log.segments} segments, ${log.batches} batches, ${log.records} records`],
      [
        "Checkpoints",
        `${checkpoints.partitions} partitions, ${checkpoints.runs} runs, ${checkpoints.rows} rows, ${checkpoints.bytes} bytes`,
      ],
    ]),
    ...notes.map((note) => `note: ${cellText(note)}\n`),
  ];
  if (damage.length === 0) texts.push("Nothing is damaged.\n");
  for (const { text, lost } of damage)
    texts.push(`DAMAGED: ${cellText(text)}\n  lost: ${cellText(lost)}\n`);
  return texts.join("");
}
