/** A copy of a group as a plain record that a test writes by hand. */
import { roles } from "../../src/raft/vocabulary.ts";
import type { Configuration, Index, Role, Term } from "../../src/raft/vocabulary.ts";

/** Voters 1, 2 and 3. */
export const three: Configuration = {
  voters: [1, 2, 3],
  outgoing: [],
  learners: [],
  learnersNext: [],
  witnesses: [],
  autoLeave: false,
};

/** A copy whose log is written out: the terms of the entries behind its base. */
export class WrittenCopy {
  readonly id: number;
  term: Term = 0;
  vote = 0;
  role: Role = roles.follower;
  leader = 0;
  committed = 0;
  applied = 0;
  baseIndex = 0;
  baseTerm: Term = 0;
  terms: Term[] = [];
  durable = 0;
  configuration = three;
  configurationIndex = 0;

  constructor(id: number) {
    this.id = id;
  }

  get lastIndex(): Index {
    return this.baseIndex + this.terms.length;
  }

  termAt(index: Index): Term | undefined {
    return index === this.baseIndex ? this.baseTerm : this.terms[index - this.baseIndex - 1];
  }

  /** Writes the log anew, all of it on disk. */
  hold(...terms: Term[]): this {
    this.terms = terms;
    this.durable = this.lastIndex;
    return this;
  }

  follow(term: Term, leader: number): this {
    if (term > this.term) this.vote = 0;
    this.term = term;
    this.leader = leader;
    this.role = roles.follower;
    return this;
  }

  lead(term: Term): this {
    this.term = term;
    this.vote = this.id;
    this.leader = this.id;
    this.role = roles.leader;
    return this;
  }

  commit(index: Index): this {
    this.committed = index;
    this.applied = index;
    return this;
  }
}
