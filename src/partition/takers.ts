/**
 * Who waits for work of a partition: pops and takes that found nothing, and subscriptions. They wait here, in the memory of the leader, and cost the log nothing; when there
 * is something for them, their pops are proposed, and those of one turn are one entry with one sync, however many wait (DESIGN: one batched dispatch entry).
 *
 * Takers of one source stand in a line, first come first served. No more is asked for than there is: what was proposed and not applied yet counts as gone.
 */
import { must } from "../base/assert.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Operation } from "../machines/operation.ts";
import type { Outcome } from "../machines/outcome.ts";
import type { MachineStack } from "../machines/stack.ts";
import type { OutcomeSink } from "./answer.ts";
import type { Led } from "./led.ts";

export interface Taker {
  /** How many it would take now; 0 = none, it stays in the line. */
  wanted(): number;
  /** The pop or take of so many. */
  operation(count: number): Operation;
  /** So many were asked for on its behalf. */
  asked(count: number): void;
  /** What became of that: `tasks`, `sessions` or an error. Returns whether it goes on waiting. */
  settled(count: number, outcome: Outcome): boolean;
  /** It waits in vain: nobody will ask on its behalf any more. */
  refused(error: TrubaError): void;
}

/** What takers wait for. */
export type Source = { readonly queue: string } | { readonly kinds: readonly string[] };

interface Line {
  readonly source: Source;
  /** In the order of their turns. */
  readonly takers: Set<Taker>;
  /** Asked for and not settled. */
  claimed: number;
}

interface Asked {
  readonly line: Line;
  readonly taker: Taker;
  readonly count: number;
}

export class Takers implements OutcomeSink {
  readonly #stack: MachineStack;
  readonly #lines = new Map<string, Line>();
  /** Lines of queues in which something may have changed. */
  readonly #noted = new Set<Line>();
  readonly #asked = new Map<number, Asked>();
  #nextTag = 1;
  #count = 0;

  constructor(stack: MachineStack) {
    this.#stack = stack;
    stack.queues.onReady = (queue) => {
      const line = this.#lines.get(queueKey(queue));
      if (line !== undefined) this.#noted.add(line);
    };
  }

  /** Whether anybody waits. */
  get waits(): boolean {
    return this.#lines.size > 0;
  }

  /** Takers that wait. */
  get count(): number {
    return this.#count;
  }

  /** Puts a taker at the end of its line. `led`: what takes its operation if there is something for it now. */
  park(source: Source, taker: Taker, led: Led, nowMs: number): void {
    const key = keyOf(source);
    let line = this.#lines.get(key);
    if (line === undefined) {
      line = { source, takers: new Set(), claimed: 0 };
      this.#lines.set(key, line);
    }
    if (!line.takers.has(taker)) this.#count++;
    line.takers.add(taker);
    this.#serve(line, led, nowMs);
  }

  /** It waits no more. What was asked on its behalf is still settled. */
  leave(source: Source, taker: Taker): void {
    const key = keyOf(source);
    const line = this.#lines.get(key);
    if (line === undefined) return;
    this.#remove(line, taker);
    this.#maybeForget(key, line);
  }

  /** A taker of this source wants more than it did. */
  note(source: Source): void {
    const line = this.#lines.get(keyOf(source));
    if (line !== undefined) this.#noted.add(line);
  }

  /** Asks for what there is. Called when all that is confirmed is applied; `nowMs` is log time. */
  serve(led: Led, nowMs: number): void {
    const noted = [...this.#noted];
    this.#noted.clear();
    for (const line of noted) {
      if (this.#isGone(line)) this.#refuse(line);
      else this.#serve(line, led, nowMs);
    }
    for (const line of this.#lines.values())
      if ("kinds" in line.source) this.#serve(line, led, nowMs);
  }

  /** Log time at which there will be something for a taker of sessions, as far as is known now; Infinity = not by time alone. */
  nextDue(): number {
    let next = Infinity;
    for (const line of this.#lines.values()) {
      if (!("kinds" in line.source) || line.claimed > 0) continue;
      if (![...line.takers].some((taker) => taker.wanted() > 0)) continue;
      next = Math.min(next, this.#stack.sessions.nextStored(line.source.kinds));
    }
    return next;
  }

  refuseAll(error: TrubaError): void {
    const lines = [...this.#lines.values()];
    this.#lines.clear();
    this.#noted.clear();
    for (const line of lines) this.#refuseLine(line, error);
  }

  settle(tag: number, outcome: Outcome): void {
    const { line, taker, count } = must(this.#asked.get(tag));
    this.#asked.delete(tag);
    line.claimed -= count;
    if (!taker.settled(count, outcome)) this.#remove(line, taker);
    const key = keyOf(line.source);
    if (this.#lines.get(key) === line) {
      this.#noted.add(line);
      this.#maybeForget(key, line);
    }
  }

  /** Its queue was deleted. `default` would make itself. */
  #isGone({ source }: Line): boolean {
    return "queue" in source && source.queue !== "default" && !this.#stack.queues.has(source.queue);
  }

  #refuse(line: Line): void {
    const { source } = line;
    const name = "queue" in source ? source.queue : "";
    this.#lines.delete(keyOf(source));
    this.#refuseLine(line, new TrubaError("NOQUEUE", `queue ${JSON.stringify(name)} was deleted`));
  }

  #refuseLine(line: Line, error: TrubaError): void {
    const takers = [...line.takers];
    this.#count -= takers.length;
    line.takers.clear();
    for (const taker of takers) taker.refused(error);
  }

  #remove(line: Line, taker: Taker): void {
    if (line.takers.delete(taker)) this.#count--;
  }

  #maybeForget(key: string, line: Line): void {
    if (line.takers.size > 0 || line.claimed > 0) return;
    this.#lines.delete(key);
    this.#noted.delete(line);
  }

  #serve(line: Line, led: Led, nowMs: number): void {
    if (!led.admitsOwn) return;
    let available = this.#available(line, nowMs);
    for (let turns = line.takers.size; turns > 0 && available > 0; turns--) {
      // To the end of the line, whatever becomes of its turn.
      const taker = must(line.takers.values().next().value);
      line.takers.delete(taker);
      line.takers.add(taker);
      const count = Math.min(taker.wanted(), available, limits.takeMaxCount);
      if (count <= 0) continue;
      available -= count;
      line.claimed += count;
      const tag = this.#nextTag++;
      this.#asked.set(tag, { line, taker, count });
      taker.asked(count);
      const operation = taker.operation(count);
      const writer = led.open();
      writer.begin(operation.code, undefined);
      operation.encode(writer);
      writer.end();
      led.enqueue(this, tag);
    }
  }

  #available(line: Line, nowMs: number): number {
    const { source } = line;
    if ("queue" in source) return this.#stack.queues.readyCount(source.queue) - line.claimed;
    // How many sessions are due is not counted: one take at a time, as large as its taker wants.
    if (line.claimed > 0) return 0;
    return this.#stack.sessions.nextStored(source.kinds) <= nowMs ? 1_024 : 0;
  }
}

function queueKey(queue: string): string {
  return `queue ${queue}`;
}

function keyOf(source: Source): string {
  return "queue" in source ? queueKey(source.queue) : `kinds ${source.kinds.join(",")}`;
}
