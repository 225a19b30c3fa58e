/**
 * What a typed line asks for. Records are written as in Warehouse, `SET key rest of the line`; queues, sessions and documents as in the table of verbs, with words quoted
 * as in a shell: `queue push emails "hello world" PRIORITY 3` or `QUEUE.PUSH emails …`.
 */
import { LineRequest } from "../../protocol/line-request.ts";
import type { VerbFacts } from "../../protocol/verb-facts.ts";
import type { WordVerb } from "../../protocol/verbs.ts";
import { shown } from "../../base/shown-value.ts";
import { suggestion } from "../configuration-problem.ts";
import { type RecordVerb, recordVerbs } from "./record-verbs.ts";
import {
  changes,
  factsOf,
  findVerb,
  placedFields,
  takesRequestId,
  usageOf,
  verbGroups,
  wordField,
} from "./verb-usage.ts";
import { splitWords } from "./words.ts";

/** One command for the node. */
export interface TypedRequest {
  readonly kind: "request";
  readonly verb: RecordVerb["name"] | WordVerb;
  /** The words to send, without a request id of ours. */
  readonly words: readonly (string | Uint8Array)[];
  readonly writes: boolean;
  /** Whether a request id of ours may follow the words. */
  readonly takesRequestId: boolean;
  /** A second time it could take effect a second time: it has no request id, and cannot have one. */
  readonly onlyOnce: boolean;
}

export type TypedLine =
  | TypedRequest
  | { readonly kind: "nothing" | "exit" }
  | { readonly kind: "help"; readonly topic: string }
  | { readonly kind: "auth"; readonly secret: Uint8Array }
  | { readonly kind: "refused"; readonly text: string };

/** Words that are for the program, not for the node. */
export const ownWords = ["help", "auth", "exit", "quit"] as const;

/** Reads one line, without its end. */
export function readTypedLine(line: Buffer): TypedLine {
  const request = new LineRequest();
  const shape = request.split(line, 0, line.length);
  if (shape === "empty") return { kind: "nothing" };
  if (shape === "malformed") return refused("invalid command; usage: REQUEST id SET key value");
  const record = recordVerbs.find(({ name }) => name === request.verb);
  if (record !== undefined) return recordRequest(line, request, record);
  const words = splitWords(line);
  if ("problem" in words) return refused(`invalid command: ${words.problem}`);
  return wordsRequest(words);
}

function recordRequest(line: Buffer, request: LineRequest, verb: RecordVerb): TypedLine {
  const bytes = (start: number, end: number): Buffer => Buffer.from(line.subarray(start, end));
  const hasKey = request.keyEnd > request.keyStart;
  const rest = bytes(request.restStart, request.restEnd);
  const isWhole = verb.name === "SET" ? request.hasRest : /^ *$/.test(rest.toString("latin1"));
  if (!hasKey || !isWhole) return refused(`invalid command; usage: ${verb.usage}`);
  const id = bytes(request.idStart, request.idEnd);
  if (id.length > 0 && verb.kind === "read")
    return refused("invalid command: REQUEST is for commands that write");
  return {
    kind: "request",
    verb: verb.name,
    words: [
      verb.command,
      bytes(request.keyStart, request.keyEnd),
      ...(verb.name === "SET" ? [rest] : []),
      ...(id.length > 0 ? ["REQUEST", id] : []),
    ],
    writes: verb.kind === "write",
    takesRequestId: verb.kind === "write" && id.length === 0,
    onlyOnce: false,
  };
}

function wordsRequest(words: readonly Buffer[]): TypedLine {
  const text = (at: number): string => words[at]?.toString("utf8") ?? "";
  const first = text(0).toLowerCase();
  if (first === "exit" || first === "quit") return { kind: "exit" };
  if (first === "help" || first === "?") {
    const topic = words.slice(1).map((word) => word.toString("utf8"));
    return { kind: "help", topic: topic.join(" ") };
  }
  if (first === "auth") {
    const [, secret] = words;
    if (secret === undefined || words.length > 2)
      return refused("invalid command; usage: auth token");
    return { kind: "auth", secret };
  }
  if (verbGroups.includes(first)) {
    const name = `${first} ${text(1)}`;
    const verb = findVerb(name);
    if (verb !== undefined) return verbRequest(verb, words.slice(2));
    const what = words.length > 1 ? shown(name) : shown(first);
    return refused(`unknown command ${what}; help ${first} lists what there is`);
  }
  const verb = first.includes(".") ? findVerb(first) : undefined;
  if (verb !== undefined) return verbRequest(verb, words.slice(1));
  const known = [...recordVerbs.map(({ name }) => name), ...verbGroups, ...ownWords];
  const guess = suggestion(first, known) || "; help lists what there is";
  return refused(`unknown command ${shown(text(0))}${guess}`);
}

/** Places the words by the table, so that a missing or unknown one is named here; what values may be is the node's to say. */
function verbRequest(verb: WordVerb, given: readonly Buffer[]): TypedLine {
  const facts = factsOf(verb);
  const sent: (string | Uint8Array)[] = [verb.toUpperCase()];
  let at = 0;
  const usage = `usage: ${usageOf(verb)}`;
  for (const field of placedFields(facts)) {
    const count = field.type === "leases" ? leaseWords(facts, given, at) : 1;
    if (at + count > given.length || count === 0) {
      return refused(`invalid command: ${field.help} is missing; ${usage}`);
    }
    if (field.type === "leases" && count % 2 === 1)
      return refused(`invalid command: a task has no lease; ${usage}`);
    sent.push(...given.slice(at, at + count));
    at += count;
  }
  let hasId = false;
  while (at < given.length) {
    const word = given[at]?.toString("utf8") ?? "";
    const field = wordField(facts, word);
    const isId = takesRequestId(facts) && word.toUpperCase() === "REQUEST";
    if (field === undefined && !isId) return refused(`unknown word ${shown(word)}; ${usage}`);
    sent.push(word.toUpperCase());
    at++;
    hasId ||= isId;
    if (field?.type === "flag") continue;
    const value = given[at++];
    if (value === undefined)
      return refused(`invalid command: nothing follows ${word.toUpperCase()}; ${usage}`);
    sent.push(value);
  }
  return {
    kind: "request",
    verb,
    words: sent,
    writes: changes(facts),
    takesRequestId: takesRequestId(facts) && !hasId,
    onlyOnce: facts.kind === "change",
  };
}

/** How many words from `at` on are tasks and leases: all up to a word of the verb. */
function leaseWords(facts: VerbFacts, given: readonly Buffer[], at: number): number {
  let end = at;
  while (end < given.length) {
    const word = given[end]?.toString("utf8") ?? "";
    if (word.toUpperCase() === "REQUEST" || wordField(facts, word) !== undefined) break;
    end++;
  }
  return end - at;
}

function refused(text: string): TypedLine {
  return { kind: "refused", text };
}
