/**
 * Answers about documents in RESP: maps and lists of maps, as those of all verbs; but what may be any JSON, or has a form of its own, is JSON text, so that it comes through exactly.
 *
 *     text         the document: a bulk, as it is
 *     names        a list of bulks
 *     lists below  arrays of maps
 *     JSON below   bulks of JSON text
 *     others       numbers, booleans, bulks, nil
 */

/** Fields that are JSON text. */
export const documentJsonFields: ReadonlySet<string> = new Set([
  "vclock",
  "verdict",
  "verdicts",
  "operations",
  "stamp",
  "clock",
  "frontier",
  "seen",
  "loser",
  "winner",
  "lost",
  "kept",
  "view",
  "refused",
]);

/** Fields whose elements are maps, where they are no numbers. */
export const documentListFields: ReadonlySet<string> = new Set([
  "transactions",
  "conflicts",
  "members",
]);
