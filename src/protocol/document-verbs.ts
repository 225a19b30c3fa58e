/** The verbs of documents, as `verb-facts.ts` describes. */
import type { DocumentVerb } from "./document-requests.ts";
import type { VerbFacts } from "./verb-facts.ts";

const since = "0.3.0";

const documentField = { name: "document", type: "document", help: "name of the document" } as const;
const changeFields = [
  {
    name: "ifHash",
    type: "text",
    word: "IFHASH",
    help: "only if the document has this hash; * = if it exists, none = if it does not",
  },
  {
    name: "untilFinal",
    type: "flag",
    word: "FINAL",
    help: "answer when the verdict can change no more; what is behind it on the connection waits",
  },
  { name: "dryRun", type: "flag", word: "DRYRUN", help: "say what would happen; nothing is made" },
] as const;
const accepted =
  "source, id: of the transaction, if one was made; verdict, final; vclock, hash: of the document behind it; of a dry run text";

export const documentVerbs = {
  "doc.get": {
    group: "documents",
    kind: "read",
    since,
    help: "A document as it is, or as it was. What is answered is durable.",
    answer: "name, text: canonical JSON, hash: its SHA-256, vclock, transactions, final, rejected",
    fields: [
      documentField,
      {
        name: "at",
        type: "text",
        word: "AT",
        help: "behind so many transactions, or at a time as 2026-01-31T12:00:00Z",
      },
    ],
  },
  "doc.put": {
    group: "documents",
    kind: "change",
    since,
    help: "Makes the document this value. Answered when it is durable.",
    answer: accepted,
    fields: [documentField, { name: "value", type: "json", help: "JSON" }, ...changeFields],
  },
  "doc.patch": {
    group: "documents",
    kind: "change",
    since,
    help: "Applies a JSON Patch, all of it or nothing. Answered when it is durable.",
    answer: accepted,
    fields: [
      documentField,
      { name: "patch", type: "json", help: "operations, as RFC 6902 has them" },
      ...changeFields,
    ],
  },
  "doc.history": {
    group: "documents",
    kind: "read",
    since,
    help: "Transactions in their order, with what became of them.",
    answer: "transactions, total, final, and next: FROM of the next page, if there is one",
    fields: [
      documentField,
      {
        name: "from",
        type: "int64",
        word: "FROM",
        help: "first place, from 1 (1); negative: so many from the end",
      },
      { name: "count", type: "count", word: "COUNT", help: "at most so many (100)" },
      { name: "source", type: "text", word: "SOURCE", help: "only those of this node" },
      {
        name: "verdict",
        type: "choice",
        word: "VERDICT",
        choices: ["ok", "rejected"],
        help: "only these",
      },
    ],
  },
  "doc.conflicts": {
    group: "documents",
    kind: "read",
    since,
    help: "What was overwritten, shifted or refused among transactions that did not know of each other.",
    answer: "conflicts, each with kind, path, loser, winner, lost, kept, text",
    fields: [
      documentField,
      {
        name: "count",
        type: "count",
        word: "COUNT",
        help: "among so many last transactions (1,000)",
      },
    ],
  },
  "doc.status": {
    group: "documents",
    kind: "read",
    since,
    help: "How a document stands on this node, and its members as this node knows them.",
    answer: "name, source, view, agreement, frontier, members, lenient, sizes and counts",
    fields: [documentField],
  },
  "doc.list": {
    group: "documents",
    kind: "read",
    since,
    help: "Names of documents, sorted.",
    answer: "names",
    fields: [
      { name: "after", type: "text", word: "AFTER", help: "names behind this one" },
      { name: "count", type: "count", word: "COUNT", help: "at most so many (100)" },
    ],
  },
  "doc.evict": {
    group: "documents",
    kind: "change",
    role: "admin",
    since,
    help: "A member that is gone for good holds back finality no longer, once the others have agreed. To ask again does no harm.",
    answer: "cut: its transactions above this are refused everywhere; nil = not agreed yet",
    fields: [
      documentField,
      { name: "source", type: "text", help: "name of the member" },
      { name: "waitMs", type: "seconds", word: "WAIT", help: "how long to wait for them (0)" },
    ],
  },
} as const satisfies { readonly [V in DocumentVerb]: VerbFacts<V> };

export const documentVerbNames = Object.keys(documentVerbs) as readonly DocumentVerb[];
