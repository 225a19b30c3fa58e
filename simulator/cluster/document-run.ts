/** The documents of a run: links, writers, the watch, and what is checked at the end. */
import type { Clock } from "../../src/base/clock.ts";
import type { Random } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { checkDocument } from "./document-checks.ts";
import { DocumentEnd } from "./document-end.ts";
import { DocumentNet } from "./document-net.ts";
import { DocumentNodes } from "./document-nodes.ts";
import type { DocumentShape } from "./document-shape.ts";
import { DocumentWatch } from "./document-watch.ts";
import { DocumentWorkload } from "./document-workload.ts";
import type { Death, Host } from "./host.ts";
import type { MessageNetwork } from "./message-network.ts";
import type { SimulationError } from "../node-state.ts";
import type { Trace } from "./trace.ts";
import type { Packet } from "./transport.ts";

/** What a seed has made of the documents, and what the rest is drawn from. */
export interface DocumentDraw {
  readonly shape: DocumentShape;
  readonly random: Random;
}

/** What it needs of the cluster. */
export interface DocumentWorld {
  readonly time: Clock;
  readonly trace: Trace;
  readonly machines: readonly Host[];
  readonly network: MessageNetwork<Packet>;
  pass(ms: number): Promise<void>;
  violate(error: SimulationError): void;
}

export class DocumentRun {
  readonly net: DocumentNet;
  readonly workload: DocumentWorkload;
  readonly watch: DocumentWatch;
  readonly #cluster: DocumentWorld;
  readonly #shape: DocumentShape;
  readonly #nodes: DocumentNodes;

  /** The cluster has its hosts and its network. */
  constructor(cluster: DocumentWorld, { shape, random }: DocumentDraw) {
    const { time, trace, machines, network } = cluster;
    this.#cluster = cluster;
    this.#shape = shape;
    this.#nodes = new DocumentNodes(machines);
    this.net = new DocumentNet({
      time,
      random: new SeededRandom(random.u32()),
      trace,
      hosts: machines.length,
      network,
      shape,
    });
    this.watch = new DocumentWatch({
      clock: time,
      nodes: this.#nodes,
      names: shape.names,
      everyMs: shape.watchEveryMs,
      violate: (error) => cluster.violate(error),
    });
    this.workload = new DocumentWorkload({
      clock: time,
      random: new SeededRandom(random.u32()),
      trace,
      nodes: this.#nodes,
      shape,
      evicting: (document) => this.watch.evicting(document),
      knowsAll: (host, document) => this.watch.knowsAll(host, document),
    });
  }

  /** Writes that were acknowledged. */
  get acknowledged(): number {
    return this.workload.writes.filter(({ fate }) => fate === "acknowledged").length;
  }

  start(): void {
    this.net.start();
    this.workload.start();
    this.watch.start();
  }

  /** All is healed. */
  calm(): void {
    this.workload.stop();
    this.net.calm();
  }

  opened(host: Host): void {
    this.net.opened(host);
  }

  died(host: Host, how: Death): void {
    this.net.died(host, how);
    this.watch.hostDown(host.number);
  }

  diskReplaced(host: Host): void {
    this.watch.diskLost(host.number);
  }

  /** After the cluster has healed. Throws SimulationError. */
  async require(): Promise<void> {
    const { time, trace } = this.#cluster;
    // What one that only dials has written nobody has heard: nothing that it says is believed.
    const plain = this.#shape.plain?.listens === true ? (this.net.plain?.written ?? []) : [];
    const end = new DocumentEnd({
      clock: time,
      trace,
      nodes: this.#nodes,
      names: this.#shape.names,
      pass: (ms) => this.#cluster.pass(ms),
    });
    const found = await end.require(plain.length);
    this.watch.stop();
    for (const [name, ends] of found) {
      const evicted = this.workload.evicted.filter(({ document }) => document === name);
      checkDocument({
        name,
        ends,
        writes: this.workload.writes.filter(({ document }) => document === name),
        plain,
        evicted: new Set(evicted.map(({ source }) => source)),
        finalsHold: this.watch.births(name) === 0,
        isLost: (host, disk) => this.#nodes.disk(host) !== disk,
      });
      for (const { host } of ends) await this.#look(host, name);
    }
  }

  /** What was final long ago is so now, from the beginning. */
  async #look(host: number, name: string): Promise<void> {
    this.watch.hostDown(host);
    const state = { over: false };
    const look = this.watch.look(host, name).finally(() => {
      state.over = true;
    });
    look.catch(() => {});
    while (!state.over) await this.#cluster.pass(1);
    await look;
  }
}
