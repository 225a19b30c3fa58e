/** Documents as people read them at a terminal: aligned tables, one line per change. */
import type { Json } from "../base/json.ts";
import type { DocumentUpdate } from "../client/document-subscription.ts";
import { canonicalText } from "../patch/canonical.ts";
import type {
  Accepted,
  Conflict,
  DocumentStatus,
  HistoryPage,
  PlacedTransaction,
  Stamp,
  Verdict,
} from "../protocol/documents.ts";
import { cellText, pairsText, tableText } from "./output.ts";

/** Longest JSON in a table. */
const cellMaxLength = 100;

/** Indented for a person; as it is, in its canonical form, for a program. */
export function documentText(value: Json, forPeople: boolean): string {
  if (!forPeople) return `${canonicalText(value)}\n`;
  const lines = JSON.stringify(value, null, 2).split("\n");
  return lines.map((line) => `${cellText(line)}\n`).join("");
}

/** `node-a:12 is ok, final; hash 44136fa3…`. */
export function acceptedText({ source, id, verdict, final, hash }: Accepted): string {
  const shownHash = hash === undefined ? "" : `; hash ${hash}`;
  if (source === undefined) return `nothing to do${shownHash}\n`;
  const state = final ? "final" : "tentative";
  return `${cellText(source)}:${id} is ${verdictText(verdict)}, ${state}${shownHash}\n`;
}

export function historyText({ transactions, total, final, next }: HistoryPage): string {
  if (transactions.length === 0) return `No transactions; ${total} in all\n`;
  const table = tableText(
    [
      { title: "Place", align: "right" },
      { title: "Transaction" },
      { title: "Time" },
      { title: "State" },
      { title: "Verdict" },
      { title: "Operations" },
    ],
    transactions.map((one) => [
      one.position,
      `${one.source}:${one.id}`,
      stampText(one.stamp),
      one.final ? "final" : "tentative",
      verdictText(one.verdict),
      operationsOf(one),
    ]),
  );
  const more = next === undefined ? "" : `; more from ${next}`;
  return `${table}${total} in all, ${final} final${more}\n`;
}

export function conflictsText(conflicts: readonly Conflict[]): string {
  if (conflicts.length === 0) return "No conflicts\n";
  return tableText(
    [
      { title: "Kind" },
      { title: "Path" },
      { title: "Loser" },
      { title: "Winner" },
      { title: "What" },
    ],
    conflicts.map(({ kind, path, loser, winner, text }) => [
      kind,
      JSON.stringify(path),
      `${loser.source}:${loser.id}`,
      winner === undefined ? "-" : `${winner.source}:${winner.id}`,
      text,
    ]),
  );
}

export function documentStatusText(status: DocumentStatus): string {
  const { name, source, view, agreement, frontier, members } = status;
  const { transactions, final, rejected, hash } = view;
  const pairs = pairsText([
    ["Document", `${name}, written here as ${source}`],
    ["Members", agreement],
    ["Transactions", `${transactions}, ${final} final, ${rejected} rejected`],
    ["Final until", stampText(frontier)],
    ["Hash", hash],
    ["Memory", `${status.stateBytes} bytes; history ${status.historyBytes} bytes on disk`],
    ["Redone", `${status.redone}, the longest run ${status.redoneLongest}`],
    [
      "Refused",
      `${status.refused.forged} forged, ${status.refused.evicted} evicted, ${status.refused.malformed} malformed`,
    ],
  ]);
  const table = tableText(
    [
      { title: "Member" },
      { title: "Kind" },
      { title: "Holds" },
      { title: "Hash" },
      { title: "Heard" },
    ],
    members.map(({ source: member, kind, vclock, hash: held, heardMs }) => [
      member,
      kind,
      vclock === null ? "unknown" : shortened(JSON.stringify(vclock)),
      held === null ? "unknown" : held.slice(0, 12),
      heardMs === null ? "never" : timeText(heardMs),
    ]),
  );
  return `${pairs}\n${table}`;
}

/** One line: counts, verdicts of what is new, and what it did. */
export function updateText(update: DocumentUpdate<Json>): string {
  const { kind, transactions, final, rejected, operations, verdicts, value } = update;
  const counts = `${transactions} transactions, ${final} final, ${rejected} rejected`;
  if (kind === "snapshot") return `snapshot  ${counts}  ${cellText(canonicalText(value))}\n`;
  const told = verdicts.map(
    (one) =>
      `${one.source}:${one.id} ${verdictText(one.verdict)}${one.final ? ", final" : ", tentative"}`,
  );
  return `change  ${counts}  ${cellText(told.join("; "))}  ${cellText(JSON.stringify(operations))}\n`;
}

function verdictText(verdict: Verdict): string {
  return verdict.kind === "ok" ? "ok" : `rejected (${verdict.text})`;
}

function operationsOf({ kind, operations }: PlacedTransaction): string {
  return kind === "record" ? "(between nodes)" : shortened(JSON.stringify(operations));
}

function shortened(text: string): string {
  return text.length <= cellMaxLength ? text : `${text.slice(0, cellMaxLength - 1)}…`;
}

function stampText(stamp: Stamp | null): string {
  return stamp === null ? "-" : timeText(stamp.ms);
}

function timeText(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}
