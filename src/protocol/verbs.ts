/** All verbs that are written by the rules of `verb-facts.ts`: those of queues and sessions. Records have the words of Redis. */
import { queueVerbs } from "./queue-verbs.ts";
import { sessionVerbs } from "./session-verbs.ts";

export const verbs = { ...queueVerbs, ...sessionVerbs } as const;

export type TableVerb = keyof typeof verbs;

export const tableVerbs = Object.keys(verbs) as readonly TableVerb[];
