/**
 * Whether a history is linearizable (Herlihy, Wing 1990): whether its operations can be put into one order, each at a moment between its call and its answer,
 * in which every answer is what a sequential model says. The search is that of Wing and Gong (1993) with the memory of Lowe (2017): depth first, and no
 * set of done operations with one state is looked at twice. Three things keep it near linear on histories that are right:
 *
 *     an operation that only looks is done as soon as it is possible: later it could only be in the way
 *     ranks: where answers tell the order of some operations, only the lowest is tried
 *     operations of which nobody knows whether they were done are tried last, and alike ones count as one: which of them it was cannot matter
 */
import { must } from "../../src/base/assert.ts";

/** What one object does when it is used by one client at a time. */
export interface SequentialModel<State, Action> {
  readonly initial: State;
  /** The states in which the action may leave the object; none: it cannot happen in this state with the answer that it got. */
  step(state: State, action: Action): readonly State[];
  /** Equal for equal states. */
  textOf(state: State): string;
}

export interface TimedAction<Action> {
  readonly action: Action;
  /** Counts of a run's events: one order for all clients. */
  readonly invoked: number;
  /** Infinity: its outcome is unknown; it takes effect some time after `invoked`, or never. */
  readonly returned: number;
  /** With the answer that it got it changes nothing in any state; a step may only leave fewer states possible. */
  readonly looks?: boolean;
  /** Those that have one happened in rising order, as their answers say. */
  readonly rank?: number;
  /** For those without outcome: equal for actions that do the same in every state, now and later. */
  readonly kind?: string;
}

export type Verdict =
  | { readonly kind: "linearizable" }
  /** As far as it went: how many could be done, the state then, and those of which one had to be the next. */
  | {
      readonly kind: "violated";
      readonly done: number;
      readonly state: string;
      readonly next: readonly number[];
    }
  /** The search was given up: not known. */
  | { readonly kind: "undecided" };

export const stepsMaxDefault = 200_000;

export function checkLinearizable<State, Action>(
  model: SequentialModel<State, Action>,
  history: readonly TimedAction<Action>[],
  stepsMax = stepsMaxDefault,
): Verdict {
  return new Search(model, history).run(stepsMax);
}

/** An operation whose answer is known. */
interface Known<Action> extends TimedAction<Action> {
  /** Place in the history. */
  readonly place: number;
}

/** Alike operations without an answer. */
interface Optional<Action> {
  readonly action: Action;
  /** When they were called, rising. */
  readonly invoked: readonly number[];
}

interface Choice<State> {
  readonly state: State;
  readonly text: string;
  /** Index of a known operation, or -1 - index of an optional one. */
  readonly which: number;
}

interface Frame<State> {
  readonly choices: readonly Choice<State>[];
  at: number;
  /** What led here. */
  readonly by: number;
}

class Search<State, Action> {
  readonly #model: SequentialModel<State, Action>;
  /** In the order of their calls. */
  readonly #known: readonly Known<Action>[];
  readonly #optional: readonly Optional<Action>[];
  /** Indices of those with a rank, in its order. */
  readonly #ranked: readonly number[];
  /** Where each known one stands in `#ranked`; Infinity: nowhere. */
  readonly #rankedAt: readonly number[];
  readonly #done: Uint8Array;
  readonly #taken: number[];
  #doneCount = 0;
  /** All known ones before it are done. */
  #low = 0;
  #rankedLow = 0;
  /** What was done, and the state → the fewest optional ones that led there. */
  readonly #visited = new Map<string, number[][]>();
  #furthest = -1;
  #furthestState = "";
  #furthestNext: readonly number[] = [];

  constructor(model: SequentialModel<State, Action>, history: readonly TimedAction<Action>[]) {
    this.#model = model;
    const placed = history.map((operation, place) => ({ ...operation, place }));
    this.#known = placed
      .filter(({ returned }) => returned !== Infinity)
      .sort((a, b) => a.invoked - b.invoked);
    this.#optional = alike(history);
    this.#ranked = this.#known
      .map((_, index) => index)
      .filter((index) => this.#rank(index) !== undefined)
      .sort((a, b) => (this.#rank(a) ?? 0) - (this.#rank(b) ?? 0));
    const rankedAt = this.#known.map(() => Infinity);
    for (const [at, index] of this.#ranked.entries()) rankedAt[index] = at;
    this.#rankedAt = rankedAt;
    this.#done = new Uint8Array(this.#known.length);
    this.#taken = this.#optional.map(() => 0);
  }

  run(stepsMax: number): Verdict {
    const { initial } = this.#model;
    const stack: Frame<State>[] = [this.#frame(initial, this.#model.textOf(initial), 0)];
    for (let steps = 0; steps < stepsMax; steps++) {
      if (this.#doneCount === this.#known.length) return { kind: "linearizable" };
      const frame = must(stack.at(-1));
      const choice = frame.choices[frame.at++];
      if (choice === undefined) {
        stack.pop();
        if (stack.length === 0) return this.#violation();
        this.#undo(frame.by);
        continue;
      }
      this.#do(choice.which);
      if (this.#isNew(choice.text))
        stack.push(this.#frame(choice.state, choice.text, choice.which));
      else this.#undo(choice.which);
    }
    return { kind: "undecided" };
  }

  #violation(): Verdict {
    return {
      kind: "violated",
      done: Math.max(0, this.#furthest),
      state: this.#furthestState,
      next: this.#furthestNext,
    };
  }

  #frame(state: State, text: string, by: number): Frame<State> {
    const candidates: number[] = [];
    const before = this.#candidates(candidates);
    if (this.#doneCount > this.#furthest) {
      this.#furthest = this.#doneCount;
      this.#furthestState = text;
      this.#furthestNext = candidates.map((index) => must(this.#known[index]).place);
    }
    return { choices: this.#choices(state, text, candidates, before), at: 0, by };
  }

  /** Fills in the known ones that may be next by their times; returns the moment before which the next one must be called. */
  #candidates(candidates: number[]): number {
    let before = Infinity;
    for (let index = this.#low; index < this.#known.length; index++) {
      const { invoked, returned } = must(this.#known[index]);
      if (invoked > before) break;
      if (this.#done[index] === 1) continue;
      candidates.push(index);
      before = Math.min(before, returned);
    }
    return before;
  }

  #choices(
    state: State,
    text: string,
    candidates: readonly number[],
    before: number,
  ): Choice<State>[] {
    const choices: Choice<State>[] = [];
    const lowest = this.#ranked[this.#rankedLow];
    const rankMax = lowest === undefined ? Infinity : (this.#rank(lowest) ?? Infinity);
    for (const index of candidates) {
      const { action, rank, looks } = must(this.#known[index]);
      if (rank !== undefined && rank > rankMax) continue;
      for (const next of this.#model.step(state, action)) {
        const choice = { state: next, text: this.#model.textOf(next), which: index };
        if (looks === true && choice.text === text) return [choice];
        choices.push(choice);
      }
    }
    for (const [index, { action, invoked }] of this.#optional.entries()) {
      const free = invoked[must(this.#taken[index])];
      if (free === undefined || free > before) continue;
      for (const next of this.#model.step(state, action)) {
        const choice = { state: next, text: this.#model.textOf(next), which: -1 - index };
        if (choice.text !== text) choices.push(choice);
      }
    }
    return choices;
  }

  #rank(index: number): number | undefined {
    return must(this.#known[index]).rank;
  }

  #do(which: number): void {
    if (which < 0) {
      this.#taken[-1 - which] = must(this.#taken[-1 - which]) + 1;
      return;
    }
    this.#done[which] = 1;
    this.#doneCount++;
    while (this.#done[this.#low] === 1) this.#low++;
    while (this.#rankedLow < this.#ranked.length && this.#isDone(this.#ranked[this.#rankedLow]))
      this.#rankedLow++;
  }

  #undo(which: number): void {
    if (which < 0) {
      this.#taken[-1 - which] = must(this.#taken[-1 - which]) - 1;
      return;
    }
    this.#done[which] = 0;
    this.#doneCount--;
    this.#low = Math.min(this.#low, which);
    this.#rankedLow = Math.min(this.#rankedLow, must(this.#rankedAt[which]));
  }

  #isDone(index: number | undefined): boolean {
    return index !== undefined && this.#done[index] === 1;
  }

  /** Remembers where the search is; says whether it has not been there, or only with more of the optional ones used up. */
  #isNew(text: string): boolean {
    let key = `${this.#low}`;
    let seen = this.#low;
    for (let index = this.#low; seen < this.#doneCount; index++) {
      if (this.#done[index] !== 1) continue;
      key += `,${index}`;
      seen++;
    }
    key += `|${text}`;
    const before = this.#visited.get(key);
    const taken = [...this.#taken];
    if (before === undefined) {
      this.#visited.set(key, [taken]);
      return true;
    }
    const isWorse = before.some((other) =>
      other.every((count, index) => count <= must(taken[index])),
    );
    if (!isWorse) before.push(taken);
    return !isWorse;
  }
}

function alike<Action>(history: readonly TimedAction<Action>[]): Optional<Action>[] {
  const kinds = new Map<string, { action: Action; invoked: number[] }>();
  for (const [index, { action, invoked, returned, kind }] of history.entries()) {
    if (returned !== Infinity) continue;
    const name = kind ?? `#${index}`;
    const same = kinds.get(name);
    if (same === undefined) kinds.set(name, { action, invoked: [invoked] });
    else same.invoked.push(invoked);
  }
  for (const { invoked } of kinds.values()) invoked.sort((a, b) => a - b);
  return [...kinds.values()];
}
