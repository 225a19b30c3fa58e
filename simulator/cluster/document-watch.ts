/**
 * Looks at the documents of all nodes while a run lasts. Two that hold the same transactions must hold the same document (P6); what is final, place and verdict, stays so on every node and after
 * every restart (I6).
 *
 * Who was never heard of can write what comes before everything (docs/documents.md): so what is final counts only as a node tells it that knows all others, and not any more when a new author
 * comes to be: a node with a new disk, or one that was evicted and has taken a new name.
 */
import type { Clock } from "../../src/base/clock.ts";
import { TrubaError } from "../../src/base/errors.ts";
import type { MemberStatus, PlacedTransaction, Stamp } from "../../src/documents/vocabulary.ts";
import { SimulationError } from "../node-state.ts";
import type { DocumentNodes } from "./document-nodes.ts";

const pageCount = 200;

export class DocumentWatch {
  /** Looks that were answered. */
  looks = 0;
  readonly #clock: Clock;
  readonly #nodes: DocumentNodes;
  readonly #names: readonly string[];
  readonly #everyMs: number;
  readonly #violate: (error: SimulationError) => void;
  /** Document and vector clock → what was seen there first. */
  readonly #states = new Map<string, { readonly text: string; readonly host: number }>();
  /** By document and place. */
  readonly #finals = new Map<
    string,
    Map<number, { readonly text: string; readonly host: number }>
  >();
  /** By host and document: the next place to be looked at. */
  readonly #next = new Map<string, number>();
  /** By host and document: under which name the node writes; absent: it is not known, for its disk is new. */
  readonly #authors = new Map<string, string>();
  /** By host and document: it knew all others when it was last looked at. */
  readonly #knowing = new Set<string>();
  /** New authors, by document. */
  readonly #births = new Map<string, number>();
  #stopped = false;

  constructor(parts: {
    clock: Clock;
    nodes: DocumentNodes;
    names: readonly string[];
    everyMs: number;
    violate: (error: SimulationError) => void;
  }) {
    this.#clock = parts.clock;
    this.#nodes = parts.nodes;
    this.#names = parts.names;
    this.#everyMs = parts.everyMs;
    this.#violate = parts.violate;
  }

  start(): void {
    this.#clock.after(this.#everyMs, () => {
      if (this.#stopped) return;
      for (const host of this.#nodes.up)
        for (const name of this.#names) void this.look(host, name).catch(this.#violate);
      this.start();
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  /** The process on a host ends: its next life is looked at from the beginning. */
  hostDown(host: number): void {
    for (const name of this.#names) {
      this.#noteAuthor(host, name);
      this.#next.delete(`${host} ${name}`);
      this.#knowing.delete(`${host} ${name}`);
    }
  }

  diskLost(host: number): void {
    for (const name of this.#names) {
      this.#authors.delete(`${host} ${name}`);
      this.#newAuthor(name);
    }
  }

  /** A node that lives is about to be evicted: what it holds above its cut is refused everywhere, also by itself. */
  evicting(name: string): void {
    this.#newAuthor(name);
  }

  /** Whether what the node now says is final stays so, if nobody new comes. */
  knowsAll(host: number, name: string): boolean {
    return this.#knowing.has(`${host} ${name}`);
  }

  births(name: string): number {
    return this.#births.get(name) ?? 0;
  }

  /** Throws SimulationError. */
  async look(host: number, name: string): Promise<void> {
    const documents = this.#nodes.on(host);
    if (documents === undefined) return;
    const key = `${host} ${name}`;
    try {
      const { text, vclock } = await documents.read(name);
      this.looks++;
      this.#compareState(host, name, JSON.stringify(sorted(vclock)), text);
      const births = this.births(name);
      const { members } = await documents.status(name);
      const from = this.#next.get(key) ?? 1;
      const { transactions } = await documents.history(name, { from, count: pageCount });
      const clock = this.#clockOfAll(name, members);
      if (this.#nodes.on(host) !== documents) return;
      if (clock !== undefined) this.#knowing.add(key);
      else this.#knowing.delete(key);
      if (clock === undefined || births !== this.births(name)) return;
      for (const transaction of transactions) {
        const { final, stamp } = transaction;
        if (!final || stamp === null || isBehind(stamp, clock)) break;
        this.#compareFinal(host, name, transaction);
        this.#next.set(key, transaction.position + 1);
      }
    } catch (error) {
      if (!(error instanceof TrubaError)) throw error;
    }
  }

  /** The least clock that a node has heard of all authors there are; `undefined`: of some it has heard none. */
  #clockOfAll(name: string, members: readonly MemberStatus[]): Stamp | undefined {
    let least: Stamp | undefined;
    for (const { number } of this.#nodes.hosts) {
      this.#noteAuthor(number, name);
      const author = this.#authors.get(`${number} ${name}`);
      const clock = members.find(({ kind, source }) => source === author && isMember(kind))?.clock;
      if (clock === undefined || clock === null) return undefined;
      if (least === undefined || isBehind(least, clock)) least = clock;
    }
    return least;
  }

  #noteAuthor(host: number, name: string): void {
    const author = this.#nodes.on(host)?.sourceOf(name);
    const known = this.#authors.get(`${host} ${name}`);
    if (author === undefined || author === known) return;
    this.#authors.set(`${host} ${name}`, author);
    if (known !== undefined) this.#newAuthor(name);
  }

  #newAuthor(name: string): void {
    this.#births.set(name, this.births(name) + 1);
    this.#finals.delete(name);
    for (const { number } of this.#nodes.hosts) this.#next.delete(`${number} ${name}`);
  }

  #compareState(host: number, name: string, vclock: string, text: string): void {
    const key = `${name} ${vclock}`;
    const known = this.#states.get(key);
    if (known === undefined) this.#states.set(key, { text, host });
    else if (known.text !== text)
      throw new SimulationError(
        `P6: ${name} with ${vclock} is ${text} on h${host}, and ${known.text} on h${known.host}`,
      );
  }

  #compareFinal(host: number, name: string, transaction: PlacedTransaction): void {
    let finals = this.#finals.get(name);
    if (finals === undefined) {
      finals = new Map();
      this.#finals.set(name, finals);
    }
    const text = placeText(transaction);
    const known = finals.get(transaction.position);
    if (known === undefined) finals.set(transaction.position, { text, host });
    else if (known.text !== text)
      throw new SimulationError(
        `I6: final in ${name} was ${known.text} on h${known.host}; on h${host} it is ${text}`,
      );
  }
}

function isMember(kind: MemberStatus["kind"]): boolean {
  return kind === "self" || kind === "truba";
}

function isBehind(a: Stamp, b: Stamp): boolean {
  return a.ms > b.ms || (a.ms === b.ms && a.counter > b.counter);
}

/** All of a place that must never change. */
export function placeText(transaction: PlacedTransaction): string {
  const { source, id, position, stamp, operations, verdict } = transaction;
  const clock = stamp === null ? "none" : `${stamp.ms}+${stamp.counter}`;
  return `#${position} ${source}:${id} at ${clock} ${JSON.stringify(operations)} ${JSON.stringify(verdict)}`;
}

function sorted(vclock: Readonly<Record<string, number>>): readonly (readonly [string, number])[] {
  return Object.entries(vclock).sort(([a], [b]) => (a < b ? -1 : 1));
}
