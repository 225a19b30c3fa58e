/** QUEUE.*: the verbs of queues. */
import type { Command } from "../command.ts";
import { verbCommands } from "../verb-command.ts";

export const queueCommands: readonly Command[] = verbCommands("queues");
