/** SESSION.*: the verbs of sessions. */
import type { Command } from "../command.ts";
import { verbCommands } from "../verb-command.ts";

export const sessionCommands: readonly Command[] = verbCommands("sessions");
