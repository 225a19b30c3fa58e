/** One copy of a group as others may look at it, and where the terms of its log begin; for the invariants. */
import { must } from "../base/assert.ts";
import type { Configuration, Index, ReplicaId, Role, Term } from "./vocabulary.ts";

/** One copy as it is now; what `Raft` shows of itself is one. */
export interface CopyView {
  readonly id: ReplicaId;
  readonly term: Term;
  readonly vote: ReplicaId;
  readonly role: Role;
  readonly leader: ReplicaId;
  readonly committed: Index;
  readonly applied: Index;
  readonly baseIndex: Index;
  readonly lastIndex: Index;
  readonly durable: Index;
  termAt(index: Index): Term | undefined;
  readonly configuration: Configuration;
  readonly configurationIndex: Index;
}

/** The term of an entry that the copy has, its base included. */
export function termOf(view: CopyView, index: Index): Term {
  return must(view.termAt(index), `copy ${view.id} does not know the term of its entry ${index}`);
}

/** The first index known to the copy, its base included, from which on all entries up to `end` have the term. */
export function firstOfTerm(view: CopyView, end: Index, term: Term): Index {
  let low = view.baseIndex;
  let high = end;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (termOf(view, middle) === term) high = middle;
    else low = middle + 1;
  }
  return high;
}
