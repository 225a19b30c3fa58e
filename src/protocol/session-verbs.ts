/** The verbs of sessions, as `verb-facts.ts` describes. */
import type { Verb } from "./requests.ts";
import { type VerbFacts, since } from "./verb-facts.ts";

const sessionFields = [
  { name: "session", type: "session", help: "id of the session" },
  { name: "epoch", type: "count", help: "epoch of its owner" },
] as const;

export const sessionVerbs = {
  "session.new": {
    group: "sessions",
    kind: "write",
    since,
    help: "Opens a session.",
    answer: "session, epoch",
    fields: [
      { name: "kind", type: "kind", help: "decides handler, delays and limits" },
      { name: "data", type: "bytes", word: "DATA", help: "its first record" },
      { name: "tag", type: "text", word: "TAG", help: "puts it on the partition of this {tag}" },
      { name: "detached", type: "flag", word: "DETACHED", help: "outlives the connection" },
    ],
  },
  "session.append": {
    group: "sessions",
    kind: "write",
    since,
    help: "Adds a record.",
    answer: "recordsCount, bytes",
    fields: [...sessionFields, { name: "data", type: "bytes", help: "the record" }],
  },
  "session.replace": {
    group: "sessions",
    kind: "write",
    since,
    help: "Drops the records so far and keeps this one.",
    answer: "recordsCount, bytes",
    fields: [...sessionFields, { name: "data", type: "bytes", help: "the record" }],
  },
  "session.touch": {
    group: "sessions",
    kind: "write",
    since,
    help: "Its owner is alive: its silence begins anew. In MULTI: nothing is applied unless the epoch holds.",
    answer: "dueAtMs",
    fields: [...sessionFields],
  },
  "session.delete": {
    group: "sessions",
    kind: "write",
    since,
    help: "The session is done; it goes.",
    answer: "deleted",
    fields: [...sessionFields],
  },
  "session.store": {
    group: "sessions",
    kind: "write",
    since,
    help: "Puts the session off; its handler gets it when it is due.",
    answer: "status: stored or dead, dueAtMs",
    fields: [
      ...sessionFields,
      {
        name: "afterMs",
        type: "seconds",
        word: "AFTER",
        help: "instead of the kind's delay; 0 = at once",
      },
    ],
  },
  "session.take": {
    group: "sessions",
    kind: "take",
    since,
    help: "Takes due sessions, as their handler. With WAIT it waits for the first.",
    answer: "sessions, each with session, epoch, kind, repeats, createdAtMs, records",
    fields: [
      { name: "kinds", type: "kinds", help: "kinds, joined by commas" },
      { name: "count", type: "count", word: "COUNT", help: "at most so many (1)" },
      { name: "waitMs", type: "seconds", word: "WAIT", help: "how long to wait (0)" },
    ],
  },
  "session.get": {
    group: "sessions",
    kind: "read",
    since,
    help: "A session with its records.",
    answer:
      "session, kind, state, epoch, repeats, createdAtMs, dueAtMs, recordsCount, bytes, records",
    fields: [sessionFields[0]],
  },
  "session.list": {
    group: "sessions",
    kind: "read",
    since,
    help: "Sessions, in the order of their partitions and ids.",
    answer: "sessions, each as SESSION.GET without records",
    fields: [
      {
        name: "state",
        type: "choice",
        word: "STATE",
        choices: ["active", "stored", "dead"],
        help: "only these",
      },
      { name: "kind", type: "kind", word: "KIND", help: "only these" },
      { name: "after", type: "session", word: "AFTER", help: "those behind this one" },
      { name: "count", type: "count", word: "COUNT", help: "at most so many (100)" },
    ],
  },
  "session.revive": {
    group: "sessions",
    kind: "admin",
    since,
    help: "A dead session is due again.",
    answer: "status, dueAtMs",
    fields: [sessionFields[0]],
  },
  "session.kinds": {
    group: "sessions",
    kind: "read",
    since,
    help: "The kinds of sessions.",
    answer: "kinds, each with its settings",
    fields: [],
  },
} as const satisfies { readonly [V in Extract<Verb, `session.${string}`>]: VerbFacts<V> };
