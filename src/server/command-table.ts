/** All commands of the RESP surface. */
import type { Command } from "./command.ts";
import { clientCommand } from "./commands/client.ts";
import { clusterCommand } from "./commands/cluster.ts";
import { commandCommand } from "./commands/command.ts";
import { configCommand } from "./commands/config.ts";
import { connectionCommands } from "./commands/connection.ts";
import { infoCommand } from "./commands/info.ts";
import { recordCommands } from "./commands/records.ts";
import { serverCommands } from "./commands/server.ts";
import { transactionCommands } from "./commands/transactions.ts";

/** COMMAND among them tells of the whole table. */
export function commandTable(): readonly Command[] {
  const table: readonly Command[] = [
    ...recordCommands,
    ...transactionCommands,
    ...connectionCommands,
    clientCommand,
    infoCommand,
    commandCommand(() => table),
    configCommand,
    ...serverCommands,
    clusterCommand,
  ];
  return table;
}
