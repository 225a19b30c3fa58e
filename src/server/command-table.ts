/** All commands of the RESP surface. */
import type { Command } from "./command.ts";
import { clientCommand } from "./commands/client.ts";
import { clusterCommand } from "./commands/cluster.ts";
import { commandCommand } from "./commands/command.ts";
import { configCommand } from "./commands/config.ts";
import { connectionCommands } from "./commands/connection.ts";
import { documentCommands } from "./commands/documents.ts";
import { functionCommands } from "./commands/functions.ts";
import { infoCommand } from "./commands/info.ts";
import { queueCommands } from "./commands/queues.ts";
import { recordCommands } from "./commands/records.ts";
import { serverCommands } from "./commands/server.ts";
import { sessionCommands } from "./commands/sessions.ts";
import { subscriptionCommands } from "./commands/subscriptions.ts";
import { transactionCommands } from "./commands/transactions.ts";

/** COMMAND among them tells of the whole table. */
export function commandTable(): readonly Command[] {
  const dotted = [
    ...recordCommands.filter(({ name }) => name.includes(".")),
    ...queueCommands,
    ...sessionCommands,
    ...documentCommands,
    ...subscriptionCommands,
  ];
  const table: readonly Command[] = [
    ...recordCommands,
    ...queueCommands,
    ...sessionCommands,
    ...documentCommands,
    ...subscriptionCommands,
    ...transactionCommands,
    ...functionCommands(dotted),
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
