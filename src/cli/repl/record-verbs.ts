/** The three verbs of records as people type them here. Their words are those of Warehouse, and the value of SET is the raw rest of the line. */

export interface RecordVerb {
  /** As typed. */
  readonly name: "SET" | "GET" | "DELETE";
  /** The command that answers with status and copies. */
  readonly command: "RECORD.SET" | "RECORD.GET" | "RECORD.DELETE";
  readonly kind: "write" | "read";
  readonly usage: string;
  readonly help: string;
  readonly answer: string;
}

export const recordVerbs: readonly RecordVerb[] = [
  {
    name: "SET",
    command: "RECORD.SET",
    kind: "write",
    usage: "SET key value",
    help: "Sets a record. The value is the rest of the line, quotes and blanks included; the key is a UUID of version 4.",
    answer: "Created (n replicas) or Updated (n replicas): copies that hold it",
  },
  {
    name: "GET",
    command: "RECORD.GET",
    kind: "read",
    usage: "GET key",
    help: "The value of a record.",
    answer: "the value, or Not found",
  },
  {
    name: "DELETE",
    command: "RECORD.DELETE",
    kind: "write",
    usage: "DELETE key",
    help: "Deletes a record.",
    answer: "Deleted (n replicas), or Not found",
  },
];
