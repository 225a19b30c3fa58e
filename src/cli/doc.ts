/** `truba doc` as commands: their flags, and what they mean. What they do is in doc-commands.ts, which is loaded when one runs. */
import type { Command } from "@commander-js/extra-typings";
import { InvalidArgumentError } from "@commander-js/extra-typings";
import { withReachFlags } from "./reach-flags.ts";

const exitCodes =
  "\nExit codes: 0 done, 1 refused by the node, 2 wrong usage, 3 no node answered or it did not want us";

/** Adds the commands to the program. */
export function addDocCommands(program: Command): void {
  const doc = program.command("doc").description("read, change and follow documents");
  addReads(doc);
  addChanges(doc);
  addWatch(doc);
}

function addReads(doc: Command): void {
  withReachFlags(addressed(doc.command("get").description("print a document, as JSON")))
    .argument("<NAME>", "the document")
    .option("--at <MOMENT>", "behind so many transactions, or at a time as 2026-01-31T12:00:00Z")
    .option("--json", "print one line of JSON, with hash and counts", false)
    .addHelpText("after", exitCodes)
    .action(async (name, options) => {
      const { runGet } = await import("./doc-commands.ts");
      await runGet(name, options);
    });
  withReachFlags(addressed(doc.command("list").description("print the names of documents")))
    .option("--json", "print one line of JSON", false)
    .addHelpText("after", exitCodes)
    .action(async (options) => {
      const { runList } = await import("./doc-commands.ts");
      await runList(options);
    });
  withReachFlags(
    addressed(doc.command("history").description("print transactions and what became of them")),
  )
    .argument("<NAME>", "the document")
    .option("--from <PLACE>", "first place, from 1; negative: so many from the end", whole, -20)
    .option("--count <N>", "at most so many", whole, 100)
    .option("--source <NODE>", "only those of this node")
    .option("--rejected", "only those that were rejected", false)
    .option("--json", "print one JSON object per line", false)
    .addHelpText("after", exitCodes)
    .action(async (name, options) => {
      const { runHistory } = await import("./doc-commands.ts");
      await runHistory(name, options);
    });
  withReachFlags(
    addressed(doc.command("conflicts").description("print what was overwritten or shifted")),
  )
    .argument("<NAME>", "the document")
    .option("--count <N>", "among so many last transactions", whole, 1_000)
    .option("--json", "print one JSON object per line", false)
    .addHelpText("after", exitCodes)
    .action(async (name, options) => {
      const { runConflicts } = await import("./doc-commands.ts");
      await runConflicts(name, options);
    });
  withReachFlags(
    addressed(doc.command("status").description("how a document and its members stand")),
  )
    .argument("<NAME>", "the document")
    .option("--json", "print one line of JSON", false)
    .addHelpText("after", exitCodes)
    .action(async (name, options) => {
      const { runDocStatus } = await import("./doc-commands.ts");
      await runDocStatus(name, options);
    });
}

function addChanges(doc: Command): void {
  const kinds = [
    ["patch", "[PATCH]", "apply a JSON Patch, all of it or nothing"],
    ["put", "[VALUE]", "make the document this value"],
  ] as const;
  for (const [kind, argument, description] of kinds) {
    withReachFlags(addressed(doc.command(kind).description(description)))
      .argument("<NAME>", "the document")
      .argument(argument, "JSON; without it, of --file or standard input")
      .option("-f, --file <FILE>", "read the JSON from a file; - is standard input")
      .option("--if-hash <HASH>", "only if the document has this hash; * or none, too")
      .option("--final", "wait until the verdict can change no more", false)
      .option("--dry-run", "print the document as it would be; make nothing", false)
      .option("--json", "print one line of JSON", false)
      .addHelpText("after", exitCodes)
      .action(async (name, text, options) => {
        const { runChange } = await import("./doc-commands.ts");
        await runChange(kind, { name, text }, options);
      });
  }
  withReachFlags(
    addressed(doc.command("evict").description("give up a member that is gone for good")),
  )
    .argument("<NAME>", "the document")
    .argument("<SOURCE>", "name of the member")
    .option("--json", "print one line of JSON", false)
    .addHelpText("after", exitCodes)
    .action(async (name, source, options) => {
      const { runEvict } = await import("./doc-commands.ts");
      await runEvict(name, source, options);
    });
}

function addWatch(doc: Command): void {
  withReachFlags(
    addressed(doc.command("watch").description("print each change as it comes, until Ctrl-C")),
  )
    .argument("<NAME>", "the document")
    .option("--json", "print one JSON object per line", false)
    .addHelpText("after", exitCodes)
    .action(async (name, options) => {
      const { runWatch } = await import("./doc-commands.ts");
      await runWatch(name, options);
    });
}

function addressed(command: Command) {
  return command.option("-a, --address <HOST:PORT>", "the node's client port", "127.0.0.1:8765");
}

function whole(text: string): number {
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number.");
}
