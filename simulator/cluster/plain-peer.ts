/**
 * A plain peer: a program that knows the three fields and nothing else. It keeps every transaction that it was sent, in that order, brings whoever connects its whole log and
 * then what comes, and believes an Id only once. It says nothing of order, answers nothing, and does not even look at what a patch does.
 */
import { must } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import { randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import type { MessageLink } from "../../src/documents/links/message-link.ts";
import { addressOf } from "./link-network.ts";
import type { LinkHost, LinkNetwork } from "./link-network.ts";
import type { PlainShape } from "./document-shape.ts";
import { drawInterval } from "./swarm.ts";

interface Entry {
  readonly Source: string;
  readonly Id: number;
  readonly Payload: string;
}

export interface PlainPeerParts {
  /** Behind those of the nodes. */
  readonly host: number;
  readonly nodes: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly network: LinkNetwork;
  readonly shape: PlainShape;
  readonly writesMaxCount: number;
}

const redialMs = 700;

export class PlainPeer implements LinkHost {
  readonly name = "plain";
  readonly host: number;
  readonly clock: Clock;
  /** What it wrote, as text, by Id from 1. */
  readonly written: string[] = [];
  readonly #parts: PlainPeerParts;
  readonly #log: Entry[] = [];
  readonly #known = new Set<string>();
  readonly #readers = new Set<MessageLink>();
  #stopped = false;

  constructor(parts: PlainPeerParts) {
    this.#parts = parts;
    this.host = parts.host;
    this.clock = parts.clock;
  }

  start(): void {
    const { network, shape, nodes } = this.#parts;
    if (shape.listens) network.listen(this.host, this);
    for (let node = 0; shape.dials && node < nodes; node += 2) void this.#dial(node);
    this.#planWrite();
  }

  /** Writes no more; what it has it still gives. */
  stop(): void {
    this.#stopped = true;
  }

  accept(link: MessageLink): null {
    link.bind({
      message: (text) => this.#take(text),
      binary: () => {},
      drained: () => {},
      closed: () => this.#readers.delete(link),
    });
    for (const entry of this.#log) link.send(JSON.stringify(entry), false);
    this.#readers.add(link);
    return null;
  }

  #planWrite(): void {
    const { clock, random, shape, writesMaxCount } = this.#parts;
    clock.after(drawInterval(random, shape.everyMs), () => {
      if (this.#stopped || this.written.length >= writesMaxCount / 4) return;
      this.#write();
      this.#planWrite();
    });
  }

  #write(): void {
    const { random, shape } = this.#parts;
    const number = this.written.length + 1;
    const value = `p-${number}`;
    const key = randomBelow(random, 6);
    const payload = JSON.stringify(
      must(
        [
          [{ op: "add", path: `/k${key}`, value }],
          // Fails elsewhere; not in `default`.
          [{ op: "replace", path: `/p${key}`, value }],
          [{ op: "add", path: "/list/0", value }],
          [
            { op: "remove", path: `/k${key}` },
            { op: "add", path: "/p", value },
          ],
          [{ op: "add", path: "/list", value: [value] }],
        ][randomBelow(random, 5)],
      ),
    );
    this.written.push(payload);
    this.#add({ Source: this.name, Id: shape.zeroBased ? number - 1 : number, Payload: payload });
  }

  #take(text: string): void {
    const { Source, Id, Payload } = JSON.parse(text) as Entry;
    this.#add({ Source, Id, Payload });
  }

  #add(entry: Entry): void {
    const key = `${entry.Id} ${entry.Source}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.#log.push(entry);
    for (const reader of this.#readers) reader.send(JSON.stringify(entry), false);
  }

  async #dial(node: number): Promise<void> {
    const { clock, network } = this.#parts;
    const again = (): void => {
      clock.after(redialMs, () => void this.#dial(node));
    };
    try {
      const { signal } = new AbortController();
      const dialer = network.dialer(this.host, clock);
      const { link } = await dialer.dial(addressOf(node), new Map(), signal);
      link.bind({
        message: (text) => this.#take(text),
        binary: () => {},
        drained: () => {},
        closed: again,
      });
    } catch {
      again();
    }
  }
}
