/** `truba repl` as a command: its flags, and what they mean. */
import type { Command } from "@commander-js/extra-typings";
import { shown } from "../base/shown-value.ts";
import { addressText, parseAddress } from "./address.ts";
import { badUsageExitCode, CommandFailure } from "./command-failure.ts";
import { withReachFlags } from "./reach-flags.ts";

/** Adds the command to the program. */
export function addReplCommand(program: Command): void {
  const repl = program
    .command("repl")
    .description("type commands to a cluster; from a pipe, one command per line")
    .option("-H, --host <HOST>", "a node's host", "127.0.0.1")
    .option("-P, --port <PORT>", "its client port", "8765")
    .option("-c, --command <COMMAND>", "do one command and end");
  withReachFlags(repl)
    .addHelpText(
      "after",
      "\nExit codes: 0 all commands succeeded, 1 one failed, 2 wrong usage, 3 no node answered",
    )
    .action(async (options) => {
      const { host, port, command } = options;
      const bracketed = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
      const address = parseAddress(`${bracketed}:${port}`);
      if (address === undefined || address.port === 0) {
        const text = `--host is ${shown(host)} and --port is ${shown(port)}; they must be the name or number of a host, and 1 to 65535`;
        throw new CommandFailure(text, badUsageExitCode);
      }
      const { runRepl } = await import("./repl/run.ts");
      const { networkOf, tokenOf } = await import("./reach.ts");
      await runRepl({
        network: networkOf(options),
        address,
        addressText: addressText(address),
        token: tokenOf(options),
        command,
      });
    });
}
