/** All verbs that are written by the rules of `verb-facts.ts`: those of queues, sessions and documents. Records have the words of Redis. */
import { documentVerbs } from "./document-verbs.ts";
import { queueVerbs } from "./queue-verbs.ts";
import { sessionVerbs } from "./session-verbs.ts";

/** What the log does, on a partition. */
export const verbs = { ...queueVerbs, ...sessionVerbs } as const;

export type TableVerb = keyof typeof verbs;

export const tableVerbs = Object.keys(verbs) as readonly TableVerb[];

/** These and the verbs of documents: all that can be written as words. */
export const wordVerbs = { ...verbs, ...documentVerbs } as const;

export type WordVerb = keyof typeof wordVerbs;

export const wordVerbNames = Object.keys(wordVerbs) as readonly WordVerb[];
