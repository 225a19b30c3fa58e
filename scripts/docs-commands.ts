/** The table of docs/commands.md, made from the command table itself. */
import { commandTable } from "../src/server/command-table.ts";
import type { Command, CommandGroup } from "../src/server/command.ts";

const titles: Readonly<Record<CommandGroup, string>> = {
  records: "Records",
  transactions: "Atomic groups",
  connection: "Connection",
  server: "Server",
  cluster: "Cluster",
};

/** A row per command and subcommand, under a heading for each group. */
export function commandsTable(): string {
  const table = commandTable();
  const groups = Object.keys(titles) as readonly CommandGroup[];
  return groups
    .map((group) => {
      const rows = table.filter((command) => command.group === group).flatMap(rowsOf);
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

function rowsOf({ name, usage, help, subcommands }: Command): readonly string[] {
  if (subcommands === undefined) return [row(name, usage, help)];
  const own = usage.startsWith("[") ? [row(name, "", help)] : [];
  return [...own, ...subcommands.map((each) => row(`${name} ${each.name}`, each.usage, each.help))];
}

function row(name: string, usage: string, help: string): string {
  const call = usage === "" ? name : `${name} ${usage}`;
  return `| \`${call.replaceAll("|", "\\|")}\` | ${help.replaceAll("|", "\\|")} |`;
}
