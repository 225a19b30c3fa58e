/** The usage line of a verb, and what its arguments mean, from the table of verbs: what COMMAND DOCS, help and docs/commands.md show. */
import type { FieldType, VerbField } from "../protocol/verb-facts.ts";
import type { ArgumentFacts } from "./command.ts";

/** What stands for a value of each type behind its word. */
const values: Readonly<Record<FieldType, string>> = {
  queue: "queue",
  session: "session",
  kind: "kind",
  kinds: "kind,kind",
  document: "document",
  text: "text",
  json: "json",
  bytes: "data",
  int64: "number",
  count: "count",
  seconds: "seconds",
  flag: "",
  choice: "",
  leases: "task lease [task lease ...]",
};

function usageOf(field: VerbField): string {
  const { word, type, nullable = false, choices = [] } = field;
  if (word === undefined) return type === "leases" ? values.leases : field.name;
  if (type === "flag") return `[${word}]`;
  if (type === "choice") return `[${choices.map((choice) => `${word} ${choice}`).join(" | ")}]`;
  return `[${word} ${values[type]}${nullable ? "-or-none" : ""}]`;
}

/** As `usage` of a command has it, without what it may end in. */
export function usageLine(fields: readonly VerbField[]): string {
  return fields.map(usageOf).join(" ");
}

/** One for each field. */
export function argumentFacts(fields: readonly VerbField[]): readonly ArgumentFacts[] {
  return fields.map((field) => ({
    usage: usageOf(field),
    help: field.nullable === true ? `${field.help}; NONE takes it away` : field.help,
  }));
}
