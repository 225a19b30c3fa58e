/**
 * Reads the usage line of a command, `key value [NX | XX] [EX seconds | PX milliseconds] [REQUEST id]`, into the argument tree that COMMAND DOCS has, from
 * which redis-cli makes its hints:
 *
 *     CAPITALS         a word to type as it is; small words behind it belong to it
 *     small            an argument
 *     [ … ]            optional
 *     a | b            one of them
 *     [a b ...]        again and again
 */

export interface UsageArgument {
  readonly name: string;
  readonly type: "key" | "string" | "pure-token" | "oneof" | "block";
  readonly token?: string;
  readonly optional: boolean;
  readonly multiple: boolean;
  readonly arguments?: readonly UsageArgument[];
}

/** The arguments of a usage line. It must be well formed: a test reads all of the command table. */
export function readUsage(usage: string): readonly UsageArgument[] {
  const reader = new UsageReader(
    usage
      .replaceAll(/[[\]|]/g, " $& ")
      .split(" ")
      .filter((word) => word !== ""),
  );
  return reader.alternatives();
}

class UsageReader {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  /** Up to the closing bracket or the end. Several alternatives are one argument. */
  alternatives(): readonly UsageArgument[] {
    const found = [this.#sequence()];
    while (this.#words[this.#at] === "|") {
      this.#at++;
      found.push(this.#sequence());
    }
    const first = found[0] ?? [];
    return found.length === 1
      ? first
      : [plain("alternative", "oneof", { arguments: found.map(oneOf) })];
  }

  #sequence(): readonly UsageArgument[] {
    const found: UsageArgument[] = [];
    for (;;) {
      const word = this.#words[this.#at];
      if (word === undefined || word === "|" || word === "]") return found;
      this.#at++;
      if (word === "[") this.#optional(found);
      else if (word === "...") repeat(found);
      else found.push(isToken(word) ? this.#token(word) : named(word));
    }
  }

  #optional(found: UsageArgument[]): void {
    const inside = oneOf(this.alternatives());
    if (this.#words[this.#at] !== "]")
      throw new Error(`a usage line has no ] for its [: ${this.#words.join(" ")}`);
    this.#at++;
    const last = found.at(-1);
    // `key [key ...]` is one argument, several times.
    if (inside.multiple && last !== undefined && last.name === inside.name)
      found[found.length - 1] = { ...last, multiple: true };
    else found.push({ ...inside, optional: true });
  }

  /** A word in capitals, with the small words that follow it. */
  #token(token: string): UsageArgument {
    const inside: UsageArgument[] = [];
    for (;;) {
      const word = this.#words[this.#at];
      if (word === undefined || /[[\]|.]/.test(word) || isToken(word)) break;
      this.#at++;
      inside.push(named(word));
    }
    const name = token.toLowerCase();
    const [only] = inside;
    if (only === undefined) return plain(name, "pure-token", { token });
    return inside.length === 1
      ? { ...only, token }
      : plain(name, "block", { token, arguments: inside });
  }
}

function plain(
  name: string,
  type: UsageArgument["type"],
  more: Partial<UsageArgument> = {},
): UsageArgument {
  return { name, type, optional: false, multiple: false, ...more };
}

function named(word: string): UsageArgument {
  return plain(word, word === "key" ? "key" : "string");
}

function isToken(word: string): boolean {
  return /^[A-Z][A-Z-]*$/.test(word);
}

function oneOf(sequence: readonly UsageArgument[]): UsageArgument {
  const [only] = sequence;
  return sequence.length === 1 && only !== undefined
    ? only
    : plain("block", "block", { arguments: sequence });
}

/** `[name ...]` and `[task lease ...]`: what stands in the bracket, again and again. */
function repeat(found: UsageArgument[]): void {
  const all = oneOf([...found]);
  found.splice(0, found.length, { ...all, multiple: true });
}
