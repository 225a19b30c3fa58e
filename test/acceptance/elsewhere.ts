/**
 * Where the checks and defects of the sources are tested that are not in this folder: by the number or name of the check, a file and a word of the titles there. A test holds that
 * they are there. What needs several real nodes comes with the cluster; the consensus under it is tested already.
 */
export interface Elsewhere {
  readonly what: string;
  readonly file: string;
  /** A part of a title in that file. */
  readonly title: string;
}

export const elsewhere: Readonly<Record<"mpy6a" | "TaskFlux" | "Warehouse", readonly Elsewhere[]>> =
  {
    mpy6a: [
      {
        what: "acceptance: replay of the log on a copy gives byte-equal state",
        file: "machines/sessions/mpy6a.test.ts",
        title: "the log applied on a copy gives the same state to the byte",
      },
      {
        what: "acceptance: kill leader, several nodes",
        file: "node/replicated.test.ts",
        title: "another one takes over with all that was acknowledged",
      },
      {
        what: "acceptance: 10,000 sessions, handlers killed with their process",
        file: "processes/sessions.test.ts",
        title: "each is finished exactly once in effect",
      },
      {
        what: "no checksum in any file",
        file: "node/damage.test.ts",
        title: "a flipped bit anywhere in a run or a manifest is refused",
      },
      {
        what: "torn tail: appends behind garbage",
        file: "wal/recovery.test.ts",
        title: "row 4: the remains are overwritten",
      },
      {
        what: "no fsync of log and sources, nor of directories",
        file: "simulator/crash.test.ts",
        title: "without the sync of the directory the simulator shows the old one come back",
      },
      {
        what: "snapshot names: offsets, temporary files",
        file: "state/checkpoint-store-crash.test.ts",
        title: "what was acknowledged last, or a later attempt, is there after any crash",
      },
      {
        what: "source files: short read, truncated file",
        file: "state/run-damage.test.ts",
        title: "a file cut at any length",
      },
      {
        what: "repeat 0 means exhausted",
        file: "machines/sessions/mpy6a.test.ts",
        title: "a repeat time of 0",
      },
      {
        what: "snapshot in the order of a map",
        file: "machines/sessions/mpy6a.test.ts",
        title: "in the order of a map",
      },
      {
        what: "the search for repeats never advances",
        file: "machines/sessions/mpy6a.test.ts",
        title: "never gets beyond the first",
      },
      {
        what: "a hung operator has no answer",
        file: "machines/sessions/mpy6a.test.ts",
        title: "an operator that hangs",
      },
      {
        what: "§3.7 jitter drawn at each replay",
        file: "machines/sessions/mpy6a.test.ts",
        title: "one absolute time for ever",
      },
      {
        what: "§3.8 a snapshot does not block",
        file: "state/checkpoint-store.test.ts",
        title: "give the event loop back after each slice",
      },
      {
        what: "§3.11 batch size follows the load",
        file: "partition/partition.test.ts",
        title: "an idle pipeline takes a batch of one at once",
      },
      {
        what: "§3.11 only confirmation can fail; errors stop the node",
        file: "partition/confirm-health.test.ts",
        title: "stop the node",
      },
    ],
    TaskFlux: [
      {
        what: "acceptance: a follower far behind gets a snapshot and continues; defect 4",
        file: "raft/replication.test.ts",
        title: "a follower whose entries are gone gets the checkpoint, and goes on behind it",
      },
      {
        what: "acceptance: quorum loss → bounded error; defect 10",
        file: "node/replicated.test.ts",
        title: "what it had in hand when it was cut off is answered once",
      },
      {
        what: "2: one removal, logged once",
        file: "machines/queues/taskflux-defects.test.ts",
        title: "2: a task is removed once",
      },
      {
        what: "3: snapshots without what is checked out",
        file: "machines/queues/taskflux-defects.test.ts",
        title: "3: a leased task survives a checkpoint",
      },
      {
        what: "5: votes are asked for the new term",
        file: "raft/elections.test.ts",
        title: "a copy that hears of no leader for an election timeout campaigns",
      },
      {
        what: "6: one vote in a term, whoever asks",
        file: "raft/elections.test.ts",
        title: "a copy votes once in a term",
      },
      {
        what: "7: commit rule of §5.4.2",
        file: "raft/replication.test.ts",
        title: "entries of earlier terms are committed only along with one of the own term",
      },
      {
        what: "8: doubled and reordered appends",
        file: "raft/fuzz.test.ts",
        title: "the invariants hold under lost, doubled and reordered messages",
      },
      {
        what: "9: applies before it replicates; reads of a deposed leader",
        file: "raft/replication.test.ts",
        title: "a leader that was deposed answers no read",
      },
      {
        what: "11: the log rolls and is trimmed on a stable leader",
        file: "node/disk-bound.test.ts",
        title: "one record that is never touched beside 100,000 overwrites",
      },
      {
        what: "12: sizes are not trusted; no authentication, no TLS",
        file: "processes/limits.test.ts",
        title: "garbage on 3,000 connections",
      },
      {
        what: "12: authentication",
        file: "processes/security.test.ts",
        title: "by ${flag} without tokens is refused",
      },
      {
        what: "15: structures that do not shrink, ranges without bound",
        file: "machines/queues/taskflux-defects.test.ts",
        title: "15: a range is bounded",
      },
      {
        what: "16: checksums do not cover term and length",
        file: "wal/damage.test.ts",
        title: "every bit of a small sealed log",
      },
      {
        what: "17: documents that differ from the code",
        file: "docs.test.ts",
        title: "docs/errors.md lists exactly the codes of the table",
      },
      {
        what: "17: the same of the library",
        file: "docs-api.test.ts",
        title: "its examples compile under the strictest settings",
      },
    ],
    Warehouse: [
      {
        what: "§4.2 transcript at a terminal, to the byte",
        file: "processes/repl.test.ts",
        title: "Warehouse's transcript, to the byte, with one node",
      },
      {
        what: "§4.2 transcript with three processes and two kills",
        file: "processes/repl.test.ts",
        title: "Warehouse's transcript with three nodes, of which two die at the prompt",
      },
      {
        what: "kill during SET at the prompt: one Created",
        file: "processes/repl.test.ts",
        title: "is done once, and answered once",
      },
      {
        what: "the warning at the prompt",
        file: "processes/repl.test.ts",
        title: "when the replication factor exceeds them",
      },
      {
        what: "all nodes dead: Failed to write/read an entry",
        file: "processes/repl.test.ts",
        title: "in Warehouse's words",
      },
    ],
  };
