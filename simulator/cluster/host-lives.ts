/** The lives of hosts: each process that runs on one is another, and what a dead one says does not count. */
import { must } from "../../src/base/assert.ts";
import type { ClusterPort } from "./cluster-port.ts";

export class HostLives {
  readonly #lives = new Map<number, number>();
  /** Life → moment of its end. */
  readonly #ended = new Map<number, number>();
  #next = 1;

  /** `tick`: the next moment of the run. */
  constructor(cluster: ClusterPort, tick: () => number) {
    for (const host of cluster.hosts) this.#lives.set(host, this.#next++);
    cluster.onHostDown((host) => {
      this.#ended.set(this.of(host), tick());
      this.#lives.set(host, this.#next++);
    });
  }

  /** The moment at which a life ended; Infinity if it has not. */
  endOf(life: number): number {
    return this.#ended.get(life) ?? Infinity;
  }

  of(host: number): number {
    return must(this.#lives.get(host), `host ${host} is one of the cluster`);
  }
}
