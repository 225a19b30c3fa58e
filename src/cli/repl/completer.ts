/** What Tab offers: commands, words and choices from the tables, and names of queues, kinds and documents from the node, which are asked for at most every few seconds. */
import type { VerbField } from "../../protocol/verb-facts.ts";
import type { WordVerb } from "../../protocol/verbs.ts";
import { wordVerbNames } from "../../protocol/verbs.ts";
import type { RespReply } from "../../protocol/resp-reply.ts";
import { recordVerbs } from "./record-verbs.ts";
import { fieldsOf, textOf } from "./reply-fields.ts";
import { ownWords } from "./typed-line.ts";
import { factsOf, findVerb, placedFields, verbGroups, wordField } from "./verb-usage.ts";

export interface Completion {
  /** All that could stand there. */
  readonly words: readonly string[];
  /** The part of the line that they stand for. */
  readonly replaces: string;
}

/** Asks the node, beside the commands. */
export type Ask = (words: readonly string[]) => Promise<RespReply>;

const namesFreshMs = 5_000;
/** A person waits for Tab. */
const namesWaitMs = 500;
const namesMaxCount = 1_000;

export class Completer {
  readonly #queues: NameList;
  readonly #kinds: NameList;
  readonly #documents: NameList;

  constructor(ask: Ask) {
    this.#queues = new NameList(ask, ["QUEUE.LIST", "COUNT", String(namesMaxCount)], "queue");
    this.#kinds = new NameList(ask, ["SESSION.KINDS"], "kind");
    this.#documents = new NameList(ask, ["DOC.LIST", "COUNT", String(namesMaxCount)], undefined);
  }

  /** For the line up to the cursor. */
  async complete(line: string): Promise<Completion> {
    const words = line.trimStart().split(/\s+/);
    const begun = words.at(-1) ?? "";
    const wanted = begun.toLowerCase();
    const offered = await this.#offer(words.slice(0, -1), begun);
    return {
      words: offered
        .filter((word) => word.toLowerCase().startsWith(wanted))
        .map((word) => `${word} `),
      replaces: begun,
    };
  }

  /** What may stand behind these words. */
  async #offer(before: readonly string[], begun: string): Promise<readonly string[]> {
    const [first = "", second = ""] = before.map((word) => word.toLowerCase());
    if (before.length === 0) return firstWords(begun);
    if (first === "help") return before.length === 1 ? firstWords(begun) : verbsOf(second);
    if (verbGroups.includes(first)) {
      if (before.length === 1) return verbsOf(first);
      const verb = findVerb(`${first} ${second}`);
      return verb === undefined ? [] : this.#fieldWords(verb, before.slice(2));
    }
    const verb = first.includes(".") ? findVerb(first) : undefined;
    return verb === undefined ? [] : this.#fieldWords(verb, before.slice(1));
  }

  async #fieldWords(verb: WordVerb, given: readonly string[]): Promise<readonly string[]> {
    const facts = factsOf(verb);
    const placed = placedFields(facts);
    const next = placed[given.length];
    if (next !== undefined) return this.#values(next);
    const last = wordField(facts, given.at(-1) ?? "");
    if (last !== undefined && last.type !== "flag") return this.#values(last);
    const used = new Set(given.map((word) => word.toUpperCase()));
    return facts.fields
      .map(({ word }) => word)
      .filter((word) => word !== undefined && !used.has(word)) as readonly string[];
  }

  #values(field: VerbField): Promise<readonly string[]> | readonly string[] {
    if (field.type === "queue") return this.#queues.names();
    if (field.type === "document") return this.#documents.names();
    if (field.type === "kind" || field.type === "kinds") return this.#kinds.names();
    return field.choices ?? [];
  }
}

/** Names in dots only for those who type them so. */
function firstWords(begun: string): readonly string[] {
  if (begun.includes(".")) return wordVerbNames.map((verb) => verb.toUpperCase());
  return [...recordVerbs.map(({ name }) => name), ...verbGroups, ...ownWords];
}

function verbsOf(group: string): readonly string[] {
  return wordVerbNames
    .filter((verb) => verb.startsWith(`${group}.`))
    .map((verb) => verb.slice(group.length + 1));
}

/** Names that the node knows, kept for a moment. */
class NameList {
  readonly #ask: Ask;
  readonly #question: readonly string[];
  readonly #field: string | undefined;
  #names: readonly string[] = [];
  #askedMs = -Infinity;

  /** `field`: where each item of the answer has its name; `undefined`: the items are names. */
  constructor(ask: Ask, question: readonly string[], field: string | undefined) {
    this.#ask = ask;
    this.#question = question;
    this.#field = field;
  }

  /** What is known; without an answer in time, what was known before. */
  async names(): Promise<readonly string[]> {
    if (performance.now() - this.#askedMs < namesFreshMs) return this.#names;
    const asked = this.#ask(this.#question).then((reply) => {
      this.#names = namesIn(reply, this.#field);
      this.#askedMs = performance.now();
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, namesWaitMs)));
    await Promise.race([asked.catch(() => {}), late]);
    clearTimeout(timer);
    return this.#names;
  }
}

/** The items in the lists of an answer, or a field of each. */
function namesIn(reply: RespReply, field: string | undefined): readonly string[] {
  return [...fieldsOf(reply).values()]
    .flatMap((list) => (Array.isArray(list) ? list : []))
    .map((item) => textOf(field === undefined ? item : fieldsOf(item).get(field)))
    .filter((name) => name !== "");
}
