/** Documents, their transactions and what stands around them, as JSON: the forms of src/documents/vocabulary.ts. */
import { z } from "zod";
import { limits } from "../../base/limits.ts";
import { choice, count, flag, object, text } from "./wire-fields.ts";

export const documentName = text({
  description: `name of the document: 1 to ${limits.documentNameMaxBytes} of A-Z a-z 0-9 . _ ~ -`,
  code: "BADDOCUMENTNAME",
  example: "plan",
});

export const source = text({ description: "name of a node as an author", example: "a" });

const hash = text({
  description: "SHA-256 of the canonical JSON of the document, in hexadecimal",
  example: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
});

export const vclock = z.record(z.string(), z.int().min(0)).meta({
  description: "how many transactions of each source are held",
  examples: [{ a: 2, b: 1 }],
});

const id = count({ description: "Id of the transaction, from 1 for each source", example: 2 });

const anyJson = (description: string) => z.unknown().meta({ description, examples: [1] });

const rejection = {
  kind: z.literal("rejected"),
  operation: count({ description: "which operation failed, from 0" }),
  op: text({ description: "its op", example: "test" }),
  path: text({ description: "its path", example: "/0" }),
  reason: text({ description: "stable word for the reason", example: "test-failed" }),
  text: text({ description: "the reason in words", example: "/0 is not as expected" }),
  expected: anyJson("what a test wanted").optional(),
  actual: anyJson("what it found; absent: nothing was there").optional(),
};

const verdict = z
  .union([object({ kind: z.literal("ok") }), object(rejection)])
  .meta({ description: "what became of the transaction at its place", examples: [{ kind: "ok" }] });

const final = flag("nothing can come before it any more: place and verdict stay");

const stamp = object({
  ms: count({ description: "wall time in ms since 1970", example: 1_767_225_600_000 }),
  counter: count({ description: "count within the millisecond" }),
});

const operations = z.array(z.unknown()).meta({
  description: "operations of a JSON Patch",
  examples: [[{ op: "add", path: "/0", value: ["Hello"] }]],
});

const counts = {
  transactions: count({ description: "transactions in the order", example: 3 }),
  final: count({ description: "those of them that are final", example: 3 }),
  rejected: count({ description: "those of them that are rejected" }),
};

const hashOfSmall = hash
  .optional()
  .meta({ description: `absent: the document is over ${limits.documentHashedMaxBytes} bytes` });

/** What became of a patch that was accepted. */
export const acceptedSchema = object({
  source: source
    .optional()
    .meta({ description: "author of the transaction; absent: none was made" }),
  id: id.optional(),
  verdict,
  final,
  vclock,
  hash: hashOfSmall,
  text: text({ description: "of a dry run: the document as it would be" }).optional(),
});

/** The same in the words of the exercise. */
export const replacedSchema = object({
  Source: source.nullable().meta({ description: "author of the transaction; null: none was made" }),
  Id: id.nullable(),
  final,
  vclock,
  hash: hashOfSmall,
});

export const listedSchema = object({
  documents: z.array(
    object({
      name: documentName,
      vclock,
      hash: hash.optional().meta({ description: "absent: not computed since the last change" }),
      tentative: flag("something is not final yet"),
    }),
  ),
  next: documentName
    .optional()
    .meta({ description: "`after` of the next page; absent: that was all" }),
});

const placed = object({
  source,
  id,
  position: count({ description: "place in the order, from 1", example: 3 }),
  stamp: stamp.nullable().meta({ description: "null: a plain peer's, not adopted yet" }),
  operations,
  verdict,
  final,
  kind: choice(["patch", "record"], {
    description: "record: what nodes tell each other; it changes nothing in the document",
  }),
  arrivedMs: count({ description: "when this node got it, in ms since 1970" }).optional(),
  seen: vclock.optional().meta({ description: "what its author had seen of other sources" }),
});

export const historySchema = object({
  transactions: z.array(placed),
  total: count({ description: "transactions of the whole document", example: 3 }),
  final: count({ description: "those of them that are final", example: 3 }),
  next: count({ description: "`from` of the next page; absent: this was the last" }).optional(),
});

const author = object({ source, id });

export const conflictsSchema = object({
  conflicts: z.array(
    object({
      kind: choice(["rejected", "shadowed", "drift"], { description: "what happened" }),
      path: text({ description: "where", example: "/0" }),
      loser: author,
      winner: author.optional(),
      lost: anyJson("what the loser wrote").optional(),
      kept: anyJson("what stands there now").optional(),
      text: text({ description: "in words", example: "b:1 overwrote a:2" }),
    }),
  ),
});

const moment = (description: string) => count({ description: `${description}, in ms since 1970` });

const member = object({
  source,
  kind: choice(["self", "truba", "plain", "evicted"], { description: "what it is" }),
  vclock: vclock.nullable().meta({ description: "what it holds, as it last said" }),
  hash: hash.nullable(),
  clock: stamp.nullable().meta({ description: "it issues nothing at or before that" }),
  heardMs: moment("when it was last heard of").nullable(),
  cut: id.nullable().optional().meta({ description: "of an evicted one: above it all is refused" }),
});

export const documentStatusSchema = object({
  name: documentName,
  source,
  view: object({ name: documentName, hash, vclock, ...counts }),
  agreement: choice(["converged", "catching up", "DIVERGED"], {
    description: "whether all members that speak hold the same",
  }),
  frontier: stamp.nullable().meta({ description: "nothing can come at or before that" }),
  members: z.array(member),
  lenient: flag("a peer's replace of a missing member counts as add"),
  stateBytes: count({ description: "the document in memory, about" }),
  historyBytes: count({ description: "its history on disk, about" }),
  redone: count({ description: "transactions undone and done again since the start" }),
  redoneLongest: count({ description: "the longest run of them" }),
  refused: object({
    forged: count({ description: "other payloads under a known Id" }),
    evicted: count({ description: "Ids above the cut of an eviction" }),
    malformed: count({ description: "messages that are no transactions" }),
  }),
});

const none = { description: "null: not known" } as const;

export const linksSchema = object({
  links: z.array(
    object({
      address: text({ description: "of the other node", example: "127.0.0.1:8081" }),
      direction: choice(["dialed", "accepted"], { description: "who began" }),
      state: choice(["up", "connecting", "waiting"], { description: "how it stands" }),
      kind: choice(["truba", "plain", "unknown"], { description: "what the other node is" }),
      source: source.nullable().meta(none),
      sinceMs: moment("since when it stands so"),
      roundTripMs: z
        .number()
        .nullable()
        .meta({ description: "round trip, in ms", examples: [0.4] }),
      skewMs: z
        .number()
        .nullable()
        .meta({ description: "their wall clock minus ours, in ms", examples: [-3] }),
      transactionsSent: count({ description: "transactions sent" }),
      transactionsReceived: count({ description: "transactions received" }),
      bytesSent: count({ description: "bytes sent" }),
      bytesReceived: count({ description: "bytes received" }),
      backlog: count({ description: "transactions that it has not been sent yet" }),
      trouble: text({ description: "what is wrong with it, for people; empty: nothing" }),
      retryInMs: count({ description: "until the next attempt, in ms" }).nullable(),
    }),
  ),
});

export const listQuery = object({
  after: text({ description: "names behind this one" }).optional(),
  count: count({ description: "at most so many", min: 1, max: 1_000 }).optional(),
});

export const readQuery = object({
  at: text({
    description:
      "as it was behind so many transactions of the order, or at a time: 2026-01-31, 2026-01-31T12:00:00Z, 2026-01-31T12:00:00.5+01:00",
    example: "2",
  }).optional(),
});

export const writeQuery = object({
  wait: choice(["durable", "stable"], {
    description:
      "stable: answer when the verdict is final; durable, which is the default: when it is on disk",
  }).optional(),
  "dry-run": flag("say what would happen; nothing is made").optional(),
});

export const historyQuery = object({
  from: z
    .int()
    .optional()
    .meta({ description: "first place, from 1; negative: so many from the end" }),
  count: count({
    description: "at most so many",
    min: 1,
    max: limits.documentHistoryMaxCount,
  }).optional(),
  source: source.optional().meta({ description: "only of this author" }),
  verdict: choice(["ok", "rejected"], { description: "only those" }).optional(),
});

export const conflictsQuery = object({
  count: count({
    description: "among so many transactions, the last ones",
    min: 1,
    max: limits.documentHistoryMaxCount,
  }).optional(),
});

export const evictionSchema = object({
  source,
  cut: count({ description: "its transactions above this are refused everywhere", example: 12 }),
});
