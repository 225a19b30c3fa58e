/**
 * The second phase of a run: when everything is healed the cluster must serve again within a bounded time, whatever was done to it before. One leader per
 * partition, every pending operation answered, new writes taken, all copies equal.
 */
import { must } from "../../src/base/assert.ts";
import type { Node } from "../../src/node/node.ts";
import { roles } from "../../src/raft/vocabulary.ts";
import { encodeOperation } from "../node-operations.ts";
import { textOfConfiguration } from "./checks.ts";
import { Violation } from "./violation.ts";
import type { Cluster } from "./cluster.ts";
import { membersOf } from "./directory.ts";

/** Virtual time that each step may take. */
const stepMaxMs = 60_000;
const lookEveryMs = 100;
/** A key that no workload uses. */
const probeKey = "ffffffffffff4fff8fffffffffffffff";

export class Liveness {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Throws Violation when the cluster does not come back. `stopWorkload` resolves when every operation of the clients has ended. */
  async require(stopWorkload: () => Promise<void>): Promise<void> {
    const cluster = this.#cluster;
    cluster.heal();
    await this.#until("has a leader", (partition) => cluster.membership.copies.leader(partition));
    const stopped = { done: false };
    const stopping = stopWorkload().then(() => {
      stopped.done = true;
    });
    stopping.catch((error: unknown) => {
      cluster.violate(new Violation(-1, `the workload does not stop: ${String(error)}`));
    });
    await this.#until("has answered every operation", () => stopped.done);
    const taken = new Set<number>();
    await this.#until("takes a write", (partition) => {
      if (!taken.has(partition)) this.#probe(partition, taken);
      return taken.has(partition);
    });
    await this.#until("has equal copies", (partition) => this.#isConverged(partition));
    await this.#until("has nothing in hand", (partition) =>
      cluster.machines.every(
        ({ node }) =>
          node?.groups[partition] === undefined || node.partitions[partition]?.idle !== false,
      ),
    );
  }

  async #until(what: string, holds: (partition: number) => unknown): Promise<void> {
    const cluster = this.#cluster;
    const waiting = new Set(cluster.directory.partitions);
    for (let waitedMs = 0; waitedMs < stepMaxMs; waitedMs += lookEveryMs) {
      for (const partition of waiting) if (holds(partition)) waiting.delete(partition);
      if (waiting.size === 0) return;
      await cluster.pass(lookEveryMs);
    }
    const [partition] = waiting;
    throw new Violation(
      must(partition),
      `liveness: ${stepMaxMs / 1_000} s after all was healed it is not so that partition ${partition} ${what}\n${this.#describe(must(partition))}`,
    );
  }

  /** Asks the leader for a write; notes the partition when it is done. */
  #probe(partition: number, taken: Set<number>): void {
    for (const { node } of this.#cluster.machines) {
      const owner = node?.partitions[partition];
      if (owner === undefined || owner.admit() !== undefined) continue;
      const operation = {
        kind: "set",
        key: probeKey,
        value: Buffer.from("probe"),
        condition: "none",
        version: 0,
        expiryMs: 0,
      } as const;
      encodeOperation(owner.open(), operation, undefined);
      const settle = (_tag: number, outcome: { readonly kind: string }): void => {
        if (outcome.kind !== "error") taken.add(partition);
      };
      owner.enqueue({ settle }, 0);
      return;
    }
  }

  /** One configuration without lost members, whose copies hold the same log and state. */
  #isConverged(partition: number): boolean {
    const { machines, directory, membership } = this.#cluster;
    const leader = membership.copies.leader(partition)?.raft;
    if (leader === undefined || leader.configuration.outgoing.length > 0) return false;
    const states = new Set<string>();
    for (const id of membersOf(leader.configuration)) {
      const copy = must(directory.copy(partition, id));
      const host = must(machines[copy.host]);
      const { node } = host;
      const raft = host.group(partition)?.raft;
      if (node === undefined || raft === undefined || raft.id !== id || copy.state !== "alive")
        return false;
      const agrees =
        raft.term === leader.term &&
        raft.lastIndex === leader.lastIndex &&
        raft.committed === leader.lastIndex &&
        raft.configurationIndex === leader.configurationIndex;
      if (!agrees) return false;
      if (!raft.isWitness) states.add(stateOf(node, partition));
    }
    return states.size === 1;
  }

  #describe(partition: number): string {
    const { machines, directory, membership } = this.#cluster;
    const lines: string[] = [];
    const leader = membership.copies.leader(partition);
    for (const [id, progress] of leader?.status().progress ?? [])
      lines.push(`  leader r${leader?.replica} on r${id}: ${progress.describe()}`);
    for (const copy of directory.copies(partition)) {
      const host = must(machines[copy.host]);
      const raft = host.group(partition)?.raft;
      const place = `  r${copy.replica} on h${copy.host} (${host.state}, ${copy.state}${copy.witness ? ", witness" : ""})`;
      if (raft === undefined || raft.id !== copy.replica) {
        if (copy.state !== "removed") lines.push(`${place}: not there`);
        continue;
      }
      const role = Object.entries(roles).find(([, value]) => value === raft.role)?.[0];
      lines.push(
        `${place}: ${role} of term ${raft.term}, leader r${raft.leader}, log ${raft.baseIndex}..${raft.lastIndex}/${raft.lastTerm}, durable ${raft.durable}, committed ${raft.committed}, applied ${raft.applied}, ${textOfConfiguration(raft.configuration)} after ${raft.configurationIndex}; state ${host.node === undefined ? "none" : stateOf(host.node, partition)}`,
      );
    }
    return lines.join("\n");
  }
}

function stateOf(node: Node, partition: number): string {
  const { position, number, state } = must(node.partitions[partition]);
  return `${position} ${number} ${state.digest}`;
}
