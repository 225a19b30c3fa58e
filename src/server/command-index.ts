/** Finds commands by their name as it lies in a request, in any case, without making a string of it. */
import { assert } from "../base/assert.ts";
import { type Call, isWord } from "./call.ts";
import type { Command } from "./command.ts";

export class CommandIndex {
  readonly commands: readonly Command[];
  /** Hash of a name → the commands of that hash. */
  readonly #byHash = new Map<number, Command[]>();
  #last: Command;

  constructor(commands: readonly Command[]) {
    assert(commands.length > 0, "a command table has commands");
    this.commands = commands;
    this.#last = commands[0] as Command;
    for (const command of commands) {
      const name = Buffer.from(command.name, "latin1");
      const hash = nameHash(name, 0, name.length);
      const same = this.#byHash.get(hash);
      if (same === undefined) this.#byHash.set(hash, [command]);
      else same.push(command);
    }
    assert(
      new Set(commands.map((command) => command.name)).size === commands.length,
      "a command stands twice in the table",
    );
  }

  /** The command that argument 0 names. A client mostly repeats the command it sent last, so that one is tried first. */
  find(call: Call): Command | undefined {
    if (isWord(call, 0, this.#last.name)) return this.#last;
    const same = this.#byHash.get(nameHash(call.buffer, call.start(0), call.end(0)));
    if (same === undefined) return undefined;
    for (const command of same) {
      if (!isWord(call, 0, command.name)) continue;
      this.#last = command;
      return command;
    }
    return undefined;
  }

  byName(name: string): Command | undefined {
    const bytes = Buffer.from(name, "utf8");
    return this.find({ buffer: bytes, count: 1, start: () => 0, end: () => bytes.length });
  }
}

function nameHash(source: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let i = start; i < end; i++)
    hash = (Math.imul(hash, 31) + ((source[i] as number) | 0x20)) | 0;
  return hash;
}
