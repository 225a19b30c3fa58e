/** How the verbs of queues, sessions and documents are written here, from their table: names, usage lines, and which word may stand where. */
import type { FieldType, VerbFacts, VerbField } from "../../protocol/verb-facts.ts";
import { type WordVerb, wordVerbNames, wordVerbs } from "../../protocol/verbs.ts";

export function factsOf(verb: WordVerb): VerbFacts {
  return wordVerbs[verb];
}

/** `queue.push` or `queue push`, in letters of any size; `undefined` if there is no such verb. */
export function findVerb(name: string): WordVerb | undefined {
  const wanted = name.toLowerCase().replace(" ", ".");
  return wordVerbNames.find((verb) => verb === wanted);
}

/** `queue push`: a verb as people type it. */
export function typedName(verb: WordVerb): string {
  return verb.replace(".", " ");
}

/** The first words of typed names: `queue`, `session`, `doc`. */
export const verbGroups: readonly string[] = [
  ...new Set(wordVerbNames.map((verb) => verb.slice(0, verb.indexOf(".")))),
];

/** The fields that stand first, in their order, each required. */
export function placedFields(facts: VerbFacts): readonly VerbField[] {
  return facts.fields.filter((field) => field.word === undefined);
}

/** The field that a word stands for, in letters of any size. */
export function wordField(facts: VerbFacts, word: string): VerbField | undefined {
  return facts.fields.find((field) => field.word === word.toUpperCase());
}

/** Whether the log remembers its outcome under a request id, so that it can be sent again. */
export function takesRequestId(facts: VerbFacts): boolean {
  return facts.kind === "write" || facts.kind === "admin";
}

/** Whether it may have changed something when its answer does not come. */
export function changes(facts: VerbFacts): boolean {
  return takesRequestId(facts) || facts.kind === "change";
}

const placeholders: Readonly<Record<FieldType, string>> = {
  queue: "queue",
  session: "session",
  kind: "kind",
  kinds: "kind[,kind...]",
  document: "document",
  text: "text",
  json: "json",
  bytes: "bytes",
  int64: "number",
  count: "number",
  seconds: "seconds",
  flag: "",
  choice: "",
  leases: "task lease [task lease ...]",
};

/** `queue push queue payload [PRIORITY number] …` */
export function usageOf(verb: WordVerb): string {
  const facts = factsOf(verb);
  const fields = facts.fields.map((field) =>
    field.word === undefined ? placeOf(field) : `[${wordUsage(field)}]`,
  );
  return [typedName(verb), ...fields].join(" ");
}

/** `PRIORITY number`, `IFABSENT`, `TYPE fifo|priority|range`, `MAXSIZE number|NONE`. */
export function wordUsage(field: VerbField): string {
  const value = field.choices?.join("|") ?? placeholders[field.type];
  const orNone = field.nullable === true ? "|NONE" : "";
  return `${field.word ?? ""} ${value}${orNone}`.trimEnd();
}

/** What stands for a field without a word: its name says more than its type, unless the type has a form. */
export function placeOf(field: VerbField): string {
  return field.type === "leases" || field.type === "kinds" ? placeholders[field.type] : field.name;
}
