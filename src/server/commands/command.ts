/** COMMAND: the command table, told to clients. Cluster clients take from it where keys stand, redis-cli its help. */
import type { RespWriter } from "../../protocol/resp-writer.ts";
import { type Call, CallView, integerOf, isWord, textOf } from "../call.ts";
import type { Command, PlainCommand, Subcommand } from "../command.ts";
import { type UsageArgument, readUsage } from "../command-usage.ts";
import { failure, syntaxError } from "../failure.ts";
import { globMatches } from "../glob.ts";
import { writeResponse } from "../response-writer.ts";
import { writeFailure } from "../session.ts";
import { container } from "../subcommands.ts";

/** The command over a table, which may be one that holds it. */
export function commandCommand(table: () => readonly Command[]): PlainCommand {
  const found = (call: Call, index: number): Command | undefined =>
    table().find(({ name }) => isWord(call, index, name));
  const chosen = (call: Call): readonly (Command | undefined)[] =>
    call.count === 2
      ? table()
      : Array.from({ length: call.count - 2 }, (_, i) => found(call, i + 2));
  const subcommands: readonly Subcommand[] = [
    {
      name: "COUNT",
      arity: 2,
      usage: "",
      help: "How many commands there are.",
      run: (_call, _session, reply) => reply.integer(table().length),
    },
    {
      name: "INFO",
      arity: -2,
      usage: "[name [name ...]]",
      help: "Arity, flags, keys and subcommands of commands; nil for one that is unknown.",
      run(call, _session, reply) {
        const commands = chosen(call);
        reply.array(commands.length);
        for (const command of commands) {
          if (command === undefined) reply.nullArray();
          else writeInfo(command, reply);
        }
      },
    },
    {
      name: "DOCS",
      arity: -2,
      usage: "[name [name ...]]",
      help: "What commands do and which arguments they take.",
      run(call, _session, reply) {
        const commands = chosen(call).filter((command) => command !== undefined);
        reply.map(commands.length);
        for (const command of commands) {
          reply.bulkText(command.name.toLowerCase());
          writeDocs(command, reply);
        }
      },
    },
    getKeys(table),
    list(table),
  ];
  return container(
    {
      name: "COMMAND",
      group: "server",
      help: "All commands, as COMMAND INFO tells them.",
      flags: ["loading", "stale"],
      alone(_call, _session, reply) {
        const commands = table();
        reply.array(commands.length);
        for (const command of commands) writeInfo(command, reply);
      },
    },
    subcommands,
  );
}

function getKeys(table: () => readonly Command[]): Subcommand {
  return {
    name: "GETKEYS",
    arity: -3,
    usage: "command [argument ...]",
    help: "The keys of a command.",
    run(call, _session, reply) {
      const command = table().find(({ name }) => isWord(call, 2, name));
      if (command === undefined) writeFailure(reply, failure("ERR", "Invalid command specified"));
      else {
        const inner = new CallView(call, { nameIndex: 2, firstIndex: 3, end: call.count });
        writeKeys(command, inner, reply);
      }
    },
  };
}

function list(table: () => readonly Command[]): Subcommand {
  return {
    name: "LIST",
    arity: -2,
    usage: "[FILTERBY PATTERN pattern]",
    help: "Names of all commands.",
    run(call, _session, reply) {
      const filtered =
        call.count === 5 && isWord(call, 2, "FILTERBY") && isWord(call, 3, "PATTERN");
      if (!filtered && call.count !== 2) {
        writeFailure(reply, syntaxError);
        return;
      }
      const pattern = filtered ? textOf(call, 4).toLowerCase() : "*";
      const names = table()
        .map(({ name }) => name.toLowerCase())
        .filter((name) => globMatches(pattern, name));
      reply.array(names.length);
      for (const name of names) reply.bulkText(name);
    },
  };
}

interface InfoFacts {
  readonly name: string;
  readonly arity: number;
  readonly flags: readonly string[];
  readonly keys: readonly [number, number, number];
  readonly keyCountAt?: number | undefined;
  readonly categories: readonly string[];
}

function writeInfo(command: Command, reply: RespWriter): void {
  const { arity, flags, keys, keyCountAt, group, subcommands = [] } = command;
  const name = command.name.toLowerCase();
  const categories = [
    ...(flags.includes("readonly") ? ["@read"] : []),
    ...(flags.includes("write") ? ["@write"] : []),
    flags.includes("fast") ? "@fast" : "@slow",
    ...(group === "connection" ? ["@connection"] : []),
  ];
  writeInfoFacts({ name, arity, flags, keys, keyCountAt, categories }, reply);
  reply.array(subcommands.length);
  for (const each of subcommands) {
    const key = each.key ?? 0;
    const full = `${name}|${each.name.toLowerCase()}`;
    writeInfoFacts(
      { name: full, arity: each.arity, flags, keys: [key, key, key === 0 ? 0 : 1], categories },
      reply,
    );
    reply.array(0);
  }
}

/** Nine of the ten elements; the subcommands must follow. */
function writeInfoFacts(
  { name, arity, flags, keys, keyCountAt, categories }: InfoFacts,
  reply: RespWriter,
): void {
  const [first, last, step] = keys;
  reply.array(10);
  reply.bulkText(name);
  reply.integer(arity);
  writeSet(flags, reply);
  reply.integer(first);
  reply.integer(last);
  reply.integer(step);
  writeSet(categories, reply);
  reply.array(0);
  reply.array(first === 0 ? 0 : 1);
  if (first === 0) return;
  reply.map(3);
  reply.bulkText("flags");
  writeSet(flags.includes("readonly") ? ["RO", "access"] : ["RW", "update"], reply);
  reply.bulkText("begin_search");
  reply.map(2);
  reply.bulkText("type");
  reply.bulkText("index");
  reply.bulkText("spec");
  reply.map(1);
  reply.bulkText("index");
  reply.integer(keyCountAt ?? first);
  reply.bulkText("find_keys");
  // Here places count from the one that was told before.
  if (keyCountAt === undefined) {
    const lastkey = last < 0 ? last : last - first;
    writeSpec("range", { lastkey, keystep: step, limit: 0 }, reply);
  } else {
    writeSpec("keynum", { keynumidx: 0, firstkey: first - keyCountAt, keystep: step }, reply);
  }
}

function writeSpec(type: string, spec: Readonly<Record<string, number>>, reply: RespWriter): void {
  reply.map(2);
  reply.bulkText("type");
  reply.bulkText(type);
  reply.bulkText("spec");
  writeResponse(spec, reply);
}

function writeSet(words: readonly string[], reply: RespWriter): void {
  reply.set(words.length);
  for (const word of words) reply.simple(word);
}

function writeDocs(command: Command, reply: RespWriter): void {
  const { help, since, group, usage, subcommands = [] } = command;
  const tree = subcommands.length > 0 ? [] : readUsage(usage);
  reply.map(3 + (tree.length > 0 ? 1 : 0) + (subcommands.length > 0 ? 1 : 0));
  writeFacts({ help, since, group }, reply);
  if (tree.length > 0) writeArguments(tree, reply);
  if (subcommands.length === 0) return;
  reply.bulkText("subcommands");
  reply.map(subcommands.length);
  for (const each of subcommands) {
    reply.bulkText(`${command.name}|${each.name}`.toLowerCase());
    const inner = readUsage(each.usage);
    reply.map(inner.length > 0 ? 4 : 3);
    writeFacts({ help: each.help, since, group }, reply);
    if (inner.length > 0) writeArguments(inner, reply);
  }
}

function writeFacts(
  { help, since, group }: { help: string; since: string; group: string },
  reply: RespWriter,
): void {
  reply.bulkText("summary");
  reply.bulkText(help);
  reply.bulkText("since");
  reply.bulkText(since);
  reply.bulkText("group");
  reply.bulkText(group);
}

function writeArguments(tree: readonly UsageArgument[], reply: RespWriter): void {
  reply.bulkText("arguments");
  reply.array(tree.length);
  for (const each of tree) {
    const flags = [...(each.optional ? ["optional"] : []), ...(each.multiple ? ["multiple"] : [])];
    const isLeaf = each.arguments === undefined;
    reply.map(3 + (each.token === undefined ? 0 : 1) + (flags.length > 0 ? 1 : 0));
    reply.bulkText("name");
    reply.bulkText(each.name);
    reply.bulkText("type");
    reply.bulkText(each.type);
    if (each.token !== undefined) {
      reply.bulkText("token");
      reply.bulkText(each.token);
    }
    if (flags.length > 0) {
      reply.bulkText("flags");
      writeSet(flags, reply);
    }
    if (isLeaf) {
      reply.bulkText("display_text");
      reply.bulkText(each.name);
    } else writeArguments(each.arguments, reply);
  }
}

function writeKeys(command: Command, call: Call, reply: RespWriter): void {
  const [first, last, step] = command.keys;
  if (command.arity > 0 ? call.count !== command.arity : call.count < -command.arity) {
    writeFailure(reply, failure("ERR", "Invalid number of arguments specified for command"));
    return;
  }
  const subcommand = command.subcommands?.find(
    (each) => call.count > 1 && isWord(call, 1, each.name),
  );
  const { keyCountAt } = command;
  const hasNone = keyCountAt !== undefined && integerOf(call, keyCountAt) === 0;
  const from = hasNone ? 0 : (subcommand?.key ?? first);
  if (from === 0 || from >= call.count) {
    writeFailure(reply, failure("ERR", "The command has no key arguments"));
    return;
  }
  const isWrite =
    command.kind === "write" ||
    command.kind === "many" ||
    (command.kind === "log" && command.takesRequestId);
  const hasId =
    isWrite && call.count - 2 >= Math.abs(command.arity) && isWord(call, call.count - 2, "REQUEST");
  const end = hasId ? call.count - 2 : call.count;
  const to = subcommand?.key ?? (last < 0 ? end + last : last);
  const indexes: number[] = [];
  for (let i = from; i <= to; i += Math.max(1, step)) indexes.push(i);
  reply.array(indexes.length);
  for (const index of indexes) reply.bulk(call.buffer, call.start(index), call.end(index));
}
