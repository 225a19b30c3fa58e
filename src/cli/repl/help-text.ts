/** What `help` prints, from the tables of verbs. */
import { pairsText } from "../output.ts";
import { shown } from "../../base/shown-value.ts";
import { suggestion } from "../configuration-problem.ts";
import { type Answer, bold, errorAnswer, type Screen } from "./answer-text.ts";
import { recordVerbs } from "./record-verbs.ts";
import {
  factsOf,
  findVerb,
  placeOf,
  typedName,
  usageOf,
  verbGroups,
  wordUsage,
} from "./verb-usage.ts";
import { type WordVerb, wordVerbNames } from "../../protocol/verbs.ts";

const own: readonly (readonly [string, string])[] = [
  ["help [command]", "this list, or all about one command"],
  ["auth token", "names the token to be known by; it is kept in memory only"],
  ["exit", "ends; so does Ctrl-D"],
];

/** All commands, those of a group, or one of them. */
export function helpAnswer(topic: string, screen: Screen): Answer {
  const wanted = topic.trim().toLowerCase();
  if (wanted === "") return { text: overviewText(screen), succeeded: true };
  const record = recordVerbs.find(({ name }) => name.toLowerCase() === wanted);
  if (record !== undefined) {
    const { usage, help, answer } = record;
    return { text: `${usage}\n\n${help}\nAnswers: ${answer}`, succeeded: true };
  }
  if (verbGroups.includes(wanted)) return { text: groupText(wanted, screen), succeeded: true };
  const verb = findVerb(wanted);
  if (verb !== undefined) return { text: verbHelp(verb), succeeded: true };
  const line = own.find(([usage]) => usage.split(" ")[0] === wanted);
  if (line !== undefined) return { text: `${line[0]}\n\n${line[1]}`, succeeded: true };
  const known = [...recordVerbs.map(({ name }) => name), ...wordVerbNames.map(typedName)];
  return errorAnswer(`there is no command ${shown(topic)}${suggestion(topic, known)}`);
}

function overviewText(screen: Screen): string {
  const records = recordVerbs.map(({ usage, help }): [string, string] => [
    usage,
    firstSentence(help),
  ]);
  return [
    heading("Records", screen),
    indented(records),
    ...verbGroups.map((group) => groupText(group, screen)),
    heading("Here", screen),
    indented(own),
    "Words of queues, sessions and documents may be quoted as in a shell; durations are in seconds.",
  ].join("\n");
}

function groupText(group: string, screen: Screen): string {
  const verbs = wordVerbNames.filter((verb) => verb.startsWith(`${group}.`));
  const pairs = verbs.map((verb): [string, string] => [
    shortUsage(verb),
    firstSentence(factsOf(verb).help),
  ]);
  const [first = "doc.get"] = verbs;
  const title = factsOf(first).group;
  return `${heading(`${title[0]?.toUpperCase()}${title.slice(1)}`, screen)}\n${indented(pairs)}`;
}

/** The verb with what it must have. */
function shortUsage(verb: WordVerb): string {
  const fields = factsOf(verb).fields;
  const placed = fields
    .filter(({ word }) => word === undefined)
    .map((field) => (field.type === "leases" ? "task lease" : field.name));
  return [typedName(verb), ...placed, ...(placed.length < fields.length ? ["…"] : [])].join(" ");
}

function verbHelp(verb: WordVerb): string {
  const { fields, help, answer } = factsOf(verb);
  const pairs = fields.map((field): [string, string] => [
    field.word === undefined ? placeOf(field) : wordUsage(field),
    field.help,
  ]);
  const usage = usageOf(verb);
  return `${usage}\n\n${help}\n${pairs.length === 0 ? "" : `${indented(pairs)}\n`}Answers: ${answer}`;
}

function indented(pairs: readonly (readonly [string, string])[]): string {
  return pairsText(pairs)
    .trimEnd()
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
}

function firstSentence(text: string): string {
  return /^.*?\.(?= |$)/.exec(text)?.[0] ?? text;
}

function heading(text: string, screen: Screen): string {
  return screen.hasColors ? bold(text) : text;
}
