/**
 * What has happened in a run, in order: a hash of all of it, always; and its text, for who asks. The hash of two runs of one seed is the same, and so is
 * the text, byte for byte. The frequent events are mixed into the hash as numbers, so that a run without text costs little.
 */
import { SimulationError } from "../node-state.ts";

export const topics = ["message", "disk", "client", "fault", "host", "role", "members"] as const;
export type Topic = (typeof topics)[number];

export interface TraceLine {
  readonly topic: Topic;
  /** -1: of no partition. */
  readonly partition: number;
  readonly text: string;
}

/** Two lanes of FNV-1a over 32-bit words: to compare runs, not to withstand anybody. */
const firstPrime = 0x01000193;
const secondPrime = 0x85ebca6b;

/** Usual are some thousands. */
const eventsPerSecondMaxCount = 300_000;

export class Trace {
  /** Whether text is wanted: who would have to make it looks first. */
  readonly verbose: boolean;
  readonly #nowMs: () => number;
  readonly #sink: ((line: TraceLine) => void) | undefined;
  readonly #number = new Float64Array(1);
  readonly #words = new Uint32Array(this.#number.buffer);
  #first = 0x811c9dc5;
  #second = 0x9747b28c;
  #events = 0;

  /** The second of virtual time in which events are counted, and how many came in it. */
  #countedSecond = 0;
  #countedEvents = 0;

  constructor(nowMs: () => number, sink?: (line: TraceLine) => void) {
    this.#nowMs = nowMs;
    this.#sink = sink;
    this.verbose = sink !== undefined;
  }

  /** Events so far. */
  get events(): number {
    return this.#events;
  }

  /** 64 bits as hexadecimal. */
  get hash(): string {
    return hexOf(this.#first) + hexOf(this.#second);
  }

  /** Throws SimulationError, once, when there are more than anybody needs: something asks itself again and again, and the run would never end. */
  #count(): void {
    this.#events++;
    const second = Math.floor(this.#nowMs() / 1_000);
    if (second !== this.#countedSecond) {
      this.#countedSecond = second;
      this.#countedEvents = 0;
    }
    if (++this.#countedEvents === eventsPerSecondMaxCount)
      throw new SimulationError(
        `livelock: ${eventsPerSecondMaxCount} events within a second of virtual time`,
      );
  }

  /** An event as numbers. If {@link verbose}, `tell` with its text follows. */
  mix(topic: Topic, a: number, b: number, c: number, d: number): void {
    this.#count();
    this.#word(topics.indexOf(topic));
    this.#float(this.#nowMs());
    this.#float(a);
    this.#float(b);
    this.#float(c);
    this.#float(d);
  }

  /** The text of an event that was mixed in already. */
  tell(topic: Topic, partition: number, text: string): void {
    if (this.#sink === undefined) return;
    const time = this.#nowMs().toFixed(3).padStart(10);
    const where = partition < 0 ? "  " : `p${partition}`;
    this.#sink({ topic, partition, text: `${time} ${where} ${topic.padEnd(7)} ${text}` });
  }

  /** An event as text. */
  say(topic: Topic, partition: number, text: string): void {
    this.#count();
    this.#word(topics.indexOf(topic));
    this.#float(this.#nowMs());
    this.#word(partition);
    for (let at = 0; at < text.length; at++) this.#word(text.charCodeAt(at));
    this.tell(topic, partition, text);
  }

  #float(value: number): void {
    this.#number[0] = value;
    this.#word(this.#words[0] ?? 0);
    this.#word(this.#words[1] ?? 0);
  }

  #word(word: number): void {
    this.#first = Math.imul(this.#first ^ word, firstPrime);
    this.#second = Math.imul(this.#second ^ word, secondPrime) + 1;
    this.#second ^= this.#second >>> 15;
  }
}

function hexOf(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}
