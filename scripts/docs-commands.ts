/** The table of docs/commands.md, made from the command table itself. */
import { commandTable } from "../src/server/command-table.ts";
import type { Command, CommandGroup } from "../src/server/command.ts";

const titles: Readonly<Record<CommandGroup, string>> = {
  records: "Records",
  queues: "Queues",
  sessions: "Sessions",
  documents: "Documents",
  subscriptions: "Subscriptions",
  transactions: "Atomic groups",
  functions: "Functions",
  connection: "Connection",
  server: "Server",
  cluster: "Cluster",
};

/** Groups whose commands have a section each, with their arguments. */
const detailed: readonly CommandGroup[] = ["queues", "sessions", "documents", "subscriptions"];

/** A row per command and subcommand, under a heading for each group. */
export function commandsTable(): string {
  const table = commandTable();
  const groups = Object.keys(titles) as readonly CommandGroup[];
  return groups
    .map((group) => {
      const commands = table.filter((command) => command.group === group);
      if (detailed.includes(group))
        return [`## ${titles[group]}`, "", ...commands.flatMap(sectionOf)];
      const rows = commands.flatMap(rowsOf);
      return [
        `## ${titles[group]}`,
        "",
        "| Command | What it does |",
        "| --- | --- |",
        ...rows,
        "",
      ];
    })
    .flat()
    .join("\n");
}

function sectionOf(command: Command): readonly string[] {
  const { name, usage, help, answer, role, arguments: given = [] } = command;
  const facts = [
    ...(answer === undefined ? [] : [`Answer: ${answer}.`]),
    `Role: ${role}.`,
    ...(command.kind === "write" ? ["May stand in MULTI."] : []),
  ];
  const rows = given.map((each) => `| \`${cell(each.usage)}\` | ${cell(each.help)} |`);
  const described = rows.length === 0 ? [] : ["| Argument | |", "| --- | --- |", ...rows, ""];
  return [
    `### ${name}`,
    "",
    "```",
    `${name} ${usage}`.trim(),
    "```",
    "",
    help,
    facts.join(" "),
    "",
    ...described,
  ];
}

function rowsOf({ name, usage, help, subcommands }: Command): readonly string[] {
  if (subcommands === undefined) return [row(name, usage, help)];
  const own = usage.startsWith("[") ? [row(name, "", help)] : [];
  return [...own, ...subcommands.map((each) => row(`${name} ${each.name}`, each.usage, each.help))];
}

function row(name: string, usage: string, help: string): string {
  const call = usage === "" ? name : `${name} ${usage}`;
  return `| \`${cell(call)}\` | ${cell(help)} |`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
