/**
 * The tables of the reference pages; here those of docs/errors.md and docs/limits.md, made from src/base/error-table.ts and src/base/limits.ts: values from the
 * code itself, explanations from the comments that stand before them. `npm run docs` writes them, a test compares them.
 */
import { parseSync, Visitor } from "oxc-parser";
import type { Comment } from "oxc-parser";
import type { ErrorKind } from "../src/base/error-table.ts";
import { errorCodes, errorTable } from "../src/base/errors.ts";
import { limits } from "../src/base/limits.ts";
import { commandsTable } from "./docs-commands.ts";

/** The documents that hold a generated table, and the source it comes from. */
export const documents = [
  { path: "docs/errors.md", source: "src/base/error-table.ts", table: errorsTable },
  { path: "docs/limits.md", source: "src/base/limits.ts", table: limitsTable },
  { path: "docs/commands.md", source: "src/server/command-table.ts", table: commandsTable },
] as const;

const begin = "<!-- The table is made by `npm run docs`. -->";
const end = "<!-- End of the table. -->";

/** The document with the table between the two markers replaced. Throws an Error when the markers are not there. */
export function withTable(document: string, table: string): string {
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the document has no "${begin}" before "${end}"`);
  return `${document.slice(0, from)}${begin}\n\n${table}\n${document.slice(to)}`;
}

/** A row per error code, under the headings of the source. */
function errorsTable(source: string): string {
  const head = ["| Code | HTTP | Retry | Elsewhere | Meaning |", "| --- | --- | --- | --- | --- |"];
  return grouped(
    describedEntries("error-table.ts", source, "errorKinds"),
    errorCodes,
    head,
    (name) => {
      const kind = errorTable[name];
      return `| \`${name}\` | ${kind.status} | ${kind.retryable ? "yes" : "no"} | ${elsewhere(kind)} | ${cell(kind.meaning)} |`;
    },
  );
}

/** The same error in the systems whose users know it by a number. */
function elsewhere({ taskFlux, mpy6a }: ErrorKind): string {
  const codes: string[] = [];
  if (taskFlux !== undefined)
    codes.push(
      "error" in taskFlux
        ? `TaskFlux error ${taskFlux.error}`
        : `TaskFlux policy ${taskFlux.policy}`,
    );
  if (mpy6a !== undefined) codes.push(`mpy6a ${mpy6a}`);
  return codes.join(", ");
}

/** A row per limit, under the headings of the source. */
function limitsTable(source: string): string {
  const entries = describedEntries("limits.ts", source, "limits");
  const names = Object.keys(limits) as readonly (keyof typeof limits)[];
  const head = ["| Limit | Value | What it bounds |", "| --- | --- | --- |"];
  return grouped(entries, names, head, (name) => {
    const text = entries.get(name)?.text ?? "";
    return `| \`${name}\` | ${quantity(name, limits[name])} | ${cell(text)} |`;
  });
}

interface Described {
  /** The `// Heading` that the entry stands under. */
  readonly heading: string;
  /** The text of its doc comment, on one line. */
  readonly text: string;
}

function grouped<Name extends string>(
  entries: ReadonlyMap<string, Described>,
  names: readonly Name[],
  head: readonly string[],
  row: (name: Name) => string,
): string {
  const lines: string[] = [];
  let heading: string | undefined;
  for (const name of names) {
    const entry = entries.get(name);
    if (entry === undefined) throw new Error(`${name} is not in the source as \`${name}: …\``);
    if (entry.heading !== heading) {
      heading = entry.heading;
      if (lines.length > 0) lines.push("");
      lines.push(`## ${heading}`, "", ...head);
    }
    lines.push(row(name));
  }
  return `${lines.join("\n")}\n`;
}

/** The entries of the object literal that the constant `constant` is made of, with the comments before each. */
function describedEntries(file: string, source: string, constant: string): Map<string, Described> {
  const parsed = parseSync(file, source);
  if (parsed.errors.length > 0) throw new Error(`${file}: ${parsed.errors[0]?.message}`);
  const entries = new Map<string, Described>();
  let heading = "General";
  let depth = 0;
  let previousEnd = 0;
  const inside = (name: string): boolean => name === constant;
  new Visitor({
    VariableDeclarator: (node) => {
      if (node.id.type === "Identifier" && inside(node.id.name)) {
        depth = 1;
        previousEnd = node.start;
      }
    },
    "VariableDeclarator:exit": (node) => {
      if (node.id.type === "Identifier" && inside(node.id.name)) depth = 0;
    },
    Property: (node) => {
      if (depth++ !== 1) return;
      const between = parsed.comments.filter((c) => c.start >= previousEnd && c.end <= node.start);
      const title = between.findLast((comment) => comment.type === "Line");
      if (title !== undefined) heading = title.value.trim();
      if (node.key.type === "Identifier") {
        entries.set(node.key.name, { heading, text: commentText(between.at(-1)) });
      }
    },
    "Property:exit": (node) => {
      if (--depth === 1) previousEnd = node.end;
    },
  }).visit(parsed.program);
  return entries;
}

function commentText(comment: Comment | undefined): string {
  if (comment?.type !== "Block" || !comment.value.startsWith("*")) return "";
  return comment.value
    .slice(1)
    .split("\n")
    .map((line) => line.replace(/^\s*\*/, "").trim())
    .join(" ")
    .trim();
}

/** The number with its unit, which the end of the name tells: `1,048,576 bytes (1 MiB)`. */
function quantity(name: string, value: number): string {
  const digits = Number.isInteger(value) ? value.toLocaleString("en-US") : String(value);
  if (name.endsWith("Bytes")) return `${digits} bytes${binary(value)}`;
  if (name.endsWith("Ms")) return `${digits} ms`;
  if (name.endsWith("Seconds")) return `${digits} s`;
  return digits;
}

function binary(bytes: number): string {
  for (const [unit, size] of [
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ] as const) {
    if (bytes >= size && bytes % size === 0) return ` (${bytes / size} ${unit})`;
  }
  return "";
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
