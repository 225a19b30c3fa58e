/**
 * Answers of one connection, in the order of its requests. A request whose answer is not known yet holds a place; answers behind it wait for it.
 * Requests that only read wait unexecuted, so that they see the writes sent before them on the same connection.
 */
import { must } from "../base/assert.ts";
import type { Outcome } from "../machines/outcome.ts";
import type { OutcomeSink } from "../partition/answer.ts";

/** Writes the answer of an outcome. */
export type Render = (outcome: Outcome) => void;

interface Place {
  /** Set when the outcome is there. */
  outcome: Outcome | undefined;
  readonly render: Render | undefined;
  /** Runs when everything before it is answered. If the place has a `render`, it then waits for its outcome. */
  run: (() => void) | undefined;
}

export class ReplyQueue implements OutcomeSink {
  /** Places from `#head` on wait. */
  #places: Place[] = [];
  #head = 0;
  /** Tag of the place at index 0. */
  #base = 0;
  readonly #progress: () => void;
  readonly #hasRoom: () => boolean;

  /**
   * `progress` is told whenever answers were written. Without room, as `hasRoom` says, tasks do not run, so that one turn does not write the answers of
   * thousands of reads: {@link advance} must be called when there is room again.
   */
  constructor(progress: () => void, hasRoom: () => boolean) {
    this.#progress = progress;
    this.#hasRoom = hasRoom;
  }

  get length(): number {
    return this.#places.length - this.#head;
  }

  /** Holds a place for an outcome; returns the tag to settle it with. */
  expect(render: Render): number {
    this.#places.push({ outcome: undefined, render, run: undefined });
    return this.#base + this.#places.length - 1;
  }

  /** Runs `task`, which writes an answer, when everything before it is answered: now, if nothing waits. */
  inTurn(task: () => void): void {
    if (this.length === 0) task();
    else this.#places.push({ outcome: undefined, render: undefined, run: task });
  }

  /** Runs `begin` when everything before it is answered: now, if nothing waits. Its place then waits for the outcome of the tag that `begin` is given. */
  expectInTurn(begin: (tag: number) => void, render: Render): void {
    const isNext = this.length === 0;
    const tag = this.expect(render);
    if (isNext) begin(tag);
    else must(this.#places.at(-1)).run = () => begin(tag);
  }

  settle(tag: number, outcome: Outcome): void {
    const index = tag - this.#base;
    const place = must(this.#places[index]);
    place.outcome = outcome;
    if (index === this.#head) this.advance();
  }

  /** Whether the next answer waits for room only. */
  get runnable(): boolean {
    return this.#places[this.#head]?.run !== undefined;
  }

  /** Writes the answers whose turn has come. */
  advance(): void {
    for (;;) {
      const place = this.#places[this.#head];
      if (place === undefined) break;
      if (place.run !== undefined) {
        if (!this.#hasRoom()) break;
        const { run } = place;
        if (place.render === undefined) this.#head++;
        place.run = undefined;
        // It may settle at once, which advances too.
        run();
      } else if (place.outcome !== undefined) {
        this.#head++;
        must(place.render)(place.outcome);
      } else break;
    }
    if (this.#head === this.#places.length) {
      this.#base += this.#head;
      this.#places = [];
      this.#head = 0;
    } else if (this.#head >= 1_024) {
      this.#places.splice(0, this.#head);
      this.#base += this.#head;
      this.#head = 0;
    }
    this.#progress();
  }
}
