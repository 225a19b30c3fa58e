/** A node in memory whose clock stands still, and requests to it. */
import { silentLogger } from "../../src/base/logger.ts";
import { MemoryFileSystem } from "../../src/base/memory-file-system.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { VirtualClock } from "../../src/base/virtual-clock.ts";
import type { Owner } from "../../src/machines/owner.ts";
import type { KindSettings } from "../../src/machines/sessions/kinds.ts";
import { Node } from "../../src/node/node.ts";
import type { RequestOf, ResponseOf, Verb } from "../../src/protocol/requests.ts";
import { SimulatedNetwork } from "../../simulator/simulated-network.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";

export const kinds: readonly KindSettings[] = [
  {
    name: "job",
    number: 1,
    delayMs: 2_000,
    spreadMs: 0,
    maxRepeats: 3,
    maxBytes: 100,
    silenceMs: 5_000,
  },
  {
    name: "other",
    number: 2,
    delayMs: 2_000,
    spreadMs: 0,
    maxRepeats: 0,
    maxBytes: 100,
    silenceMs: 5_000,
  },
];

export class RequestsWorld {
  readonly clock = new VirtualClock();
  readonly files = new MemoryFileSystem();
  readonly #random = new SeededRandom(7);
  #node: Node | undefined;

  static async open(): Promise<RequestsWorld> {
    const world = new RequestsWorld();
    await world.start();
    return world;
  }

  get node(): Node {
    if (this.#node === undefined) throw new Error("the node is not open");
    return this.#node;
  }

  async start(): Promise<void> {
    const { clock, files } = this;
    const network = new SimulatedNetwork({ clock: new SimulatedClock(), random: this.#random });
    this.#node = await Node.open(
      { clock, files, random: this.#random, network, logger: silentLogger },
      { dataDirectory: "data", partitions: 4, replicationFactor: 1, kinds },
    );
  }

  async stop(): Promise<void> {
    await this.node.drain();
    await this.node.stop();
  }

  /** As if the process had died: nothing is said to anybody, and the files are as they are. */
  async die(): Promise<void> {
    this.node.fail(new Error("the process died"));
    await this.node.stop().catch(() => {});
  }

  owner(): Owner {
    return this.node.requests.openOwner();
  }

  call<V extends Verb>(verb: V, request: RequestOf<V>, owner: Owner): Promise<ResponseOf<V>> {
    return this.node.requests.call(verb, request, { owner });
  }

  push(queue: string, payload: string, owner: Owner): Promise<ResponseOf<"queue.push">> {
    return this.call("queue.push", { queue, payload: Buffer.from(payload) }, owner);
  }
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
