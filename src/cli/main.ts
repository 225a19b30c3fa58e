#!/usr/bin/env node
/**
 * The command line. Each command is loaded when it is asked for, so that `truba status` does not wait for the server's parts.
 */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "@commander-js/extra-typings";
import { systemErrorCode } from "../base/errors.ts";
import { badUsageExitCode, CommandFailure } from "./command-failure.ts";
import { configurationFlags } from "./configuration-flags.ts";
import { addDocCommands } from "./doc.ts";
import { withReachFlags } from "./reach-flags.ts";
import { addReplCommand } from "./repl.ts";

const version = packageVersion();

const program = new Command("truba")
  .description(
    "A durable, replicated log for Node.js with the state machines people put on top of one.",
  )
  .version(version)
  // Before the commands are made: they take it over.
  .exitOverride()
  .showHelpAfterError("(add --help for help)");

const serve = program
  .command("serve")
  .description("run a node")
  .allowUnknownOption()
  .allowExcessArguments()
  .action(async (flags, command) => {
    const { runServe } = await import("./serve.ts");
    await runServe({ flags, unplaced: command.args, version });
  });
for (const flag of configurationFlags()) serve.addOption(flag);

const status = program
  .command("status")
  .description("what a running node says of itself")
  .option("-a, --address <HOST:PORT>", "the node's client port", "127.0.0.1:8765")
  .option("--json", "print one line of JSON", false);
withReachFlags(status).action(async (options) => {
  const { runStatus } = await import("./status.ts");
  await runStatus(options);
});

const config = program.command("config").description("look at the configuration");
config
  .command("check")
  .description(
    "print its problems, or what holds and where it comes from; exit code 2 if there are problems",
  )
  .option("--config <FILE>", "configuration file; without it, truba.yaml if that exists")
  .option("--json", "print one line of JSON", false)
  .action(async (options) => {
    const { runConfigCheck } = await import("./config-check.ts");
    runConfigCheck(options);
  });

program
  .command("token")
  .description("make a token; print its secret once, and what truba.yaml needs of it")
  .option("--name <NAME>", "the token's name, for logs and AUTH", "app")
  .option("--role <ROLE>", "read, write, admin or peer", "write")
  .option("--json", "print one line of JSON", false)
  .action(async (options) => {
    const { runToken } = await import("./token.ts");
    runToken(options);
  });

addReplCommand(program);
addDocCommands(program);

const log = program.command("log").description("look at the log of a node that is not running");
log
  .command("dump")
  .description("print every batch and record of the log")
  .option("-d, --data <DIR>", "the data directory", "./data")
  .option("--json", "print one JSON object per line", false)
  .action(async (options) => {
    const { runLogDump } = await import("./log-commands.ts");
    await runLogDump(options);
  });
log
  .command("verify")
  .description("check the log and the checkpoints; exit code 1 if anything is damaged")
  .option("-d, --data <DIR>", "the data directory", "./data")
  .option("--json", "print one line of JSON", false)
  .action(async (options) => {
    const { runLogVerify } = await import("./log-commands.ts");
    await runLogVerify(options);
  });

const bench = program
  .command("bench")
  .description("put load on a running node and measure it")
  .option("-a, --address <HOST:PORT>", "the node's client port", "127.0.0.1:8765")
  .option("-c, --connections <N>", "connections", "64")
  .option("-P, --pipeline <N>", "requests in flight on each connection", "1")
  .option("-n, --requests <N>", "requests in all", "100000")
  .option("-s, --value-bytes <N>", "size of a value", "128")
  .option("-k, --keys <N>", "different keys", "100000")
  .option("-t, --test <WORDS>", "set, get or mixed, separated by commas", "set,get")
  .option("--json", "print one line of JSON", false);
withReachFlags(bench).action(async (options) => {
  const { runBench } = await import("./bench.ts");
  await runBench(options);
});

// Whoever reads may stop early: `truba log dump | head`.
process.stdout.on("error", (error) => {
  if (systemErrorCode(error) !== "EPIPE") throw error;
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // It has printed what there is to say; help and version are no errors.
    process.exitCode = error.exitCode === 0 ? 0 : badUsageExitCode;
  } else if (error instanceof CommandFailure) {
    process.stderr.write(`truba: ${error.message}\n`);
    // A connection that is still being made must not keep the process.
    process.exit(error.exitCode);
  } else throw error;
}

function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const found = /"version":\s*"([^"]+)"/.exec(text);
  return found?.[1] ?? "unknown";
}
