/** What the invariants remember of a copy between two looks, and what has become of it since. */
import { type CopyView, termOf } from "./copy-view.ts";
import type { Configuration, Index, ReplicaId, Role, Term } from "./vocabulary.ts";

/** A copy as it was seen last. */
export interface Seen {
  view: CopyView;
  term: Term;
  vote: ReplicaId;
  role: Role;
  leader: ReplicaId;
  committed: Index;
  applied: Index;
  base: Index;
  last: Index;
  lastTerm: Term;
  durable: Index;
  durableTerm: Term;
  configuration: Configuration;
  configurationIndex: Index;
  /** A snapshot has replaced the log and is not durable or applied yet. */
  installing: boolean;
}

export function seenOf(view: CopyView): Seen {
  const { lastIndex, durable } = view;
  return {
    view,
    term: view.term,
    vote: view.vote,
    role: view.role,
    leader: view.leader,
    committed: view.committed,
    applied: view.applied,
    base: view.baseIndex,
    last: lastIndex,
    lastTerm: termOf(view, lastIndex),
    durable,
    durableTerm: view.termAt(durable) ?? 0,
    configuration: view.configuration,
    configurationIndex: view.configurationIndex,
    installing: false,
  };
}

export function changed(view: CopyView, seen: Seen): boolean {
  return (
    view.lastIndex !== seen.last ||
    view.committed !== seen.committed ||
    view.applied !== seen.applied ||
    view.durable !== seen.durable ||
    view.term !== seen.term ||
    view.role !== seen.role ||
    view.vote !== seen.vote ||
    view.leader !== seen.leader ||
    view.baseIndex !== seen.base ||
    view.configurationIndex !== seen.configurationIndex ||
    view !== seen.view ||
    view.termAt(view.lastIndex) !== seen.lastTerm
  );
}

/** Up to here the log is what it was: entries that were only added have changed nothing below. */
export function unchangedTo(view: CopyView, before: Seen): Index {
  if (view.lastIndex < before.last) return 0;
  return view.termAt(before.last) === before.lastTerm ? before.last : 0;
}

/** Whether a snapshot has replaced the log that the copy had, and its state is not there yet. */
export function isInstalling(view: CopyView, before: Seen): boolean {
  const { baseIndex, applied, lastIndex } = view;
  if (applied >= baseIndex) return false;
  if (before.installing) return true;
  // A log that was merely trimmed keeps its end.
  return before.last < baseIndex || lastIndex === baseIndex || lastIndex < before.last;
}
