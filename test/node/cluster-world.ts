/**
 * Several real nodes in one process, each with a disk and a clock of its own, joined by a sender that carries messages in a millisecond. Checkpoints are fetched
 * as a transport would. What goes wrong is said by the test: who is cut off, who dies, what its disk has lost.
 */
import { must } from "../../src/base/assert.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { Node } from "../../src/node/node.ts";
import type { CopyPlan } from "../../src/node/node.ts";
import type { Outcome } from "../../src/machines/outcome.ts";
import type { Partition } from "../../src/partition/partition.ts";
import { type Configuration, type Message, messageTypes } from "../../src/raft/vocabulary.ts";
import { encodeOperation } from "../../simulator/node-operations.ts";
import type { PlainOperation } from "../../simulator/node-operations.ts";
import { ProcessClock } from "../../simulator/process-clock.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { SimulatedFileSystem } from "../../simulator/simulated-file-system.ts";
import { SimulatedNetwork } from "../../simulator/simulated-network.ts";

export const dataDirectory = "/srv/data";
const delayMs = 1;
const chunkBytes = 4_096;

/** An operation that was asked for, and what was answered. */
export interface Asked {
  readonly answers: Outcome[];
}

export interface ClusterOptions {
  readonly hosts?: number;
  readonly partitions?: number;
  /** Number of the host whose copies are witnesses. */
  readonly witness?: number;
  readonly segmentBytes?: number;
}

export class Host {
  readonly number: number;
  readonly files: SimulatedFileSystem;
  /** The copies that it is to have, by partition. */
  readonly plans: (CopyPlan | undefined)[] = [];
  /** Nothing reaches it, and nothing that it sends arrives. */
  cutOff = false;
  fatal: Error | undefined;
  /** How installations of fetched checkpoints have ended. */
  readonly installed: boolean[] = [];
  /** Told before a fetched checkpoint is installed. */
  beforeInstall: () => void = () => {};
  readonly #cluster: Cluster;
  #process: ProcessClock | undefined;
  #node: Node | undefined;
  #fetching = false;

  constructor(number: number, cluster: Cluster) {
    this.number = number;
    this.#cluster = cluster;
    this.files = new SimulatedFileSystem({ clock: cluster.clock, directories: ["/srv"] });
  }

  get node(): Node {
    return must(this.#node, "no node runs on the host");
  }

  get isUp(): boolean {
    return this.#node !== undefined;
  }

  partition(id = 0): Partition {
    return must(this.node.partitions[id]);
  }

  async start(): Promise<Node> {
    const { clock, options } = this.#cluster;
    const process = new ProcessClock(clock);
    this.#process = process;
    this.fatal = undefined;
    this.#fetching = false;
    const random = new SeededRandom(this.#cluster.nextSeed());
    const node = await clock.drive(
      Node.open(
        {
          clock: process,
          random,
          files: this.files,
          network: new SimulatedNetwork({ clock, random }),
          logger: silentLogger,
        },
        {
          dataDirectory,
          partitions: options.partitions ?? 1,
          replicationFactor: 3,
          name: `host-${this.number}`,
          walSegmentBytes: options.segmentBytes ?? 65_536,
          replication: {
            sender: { send: (group, messages) => this.#cluster.carry(this, group, messages) },
            copy: (partition) => this.plans[partition],
          },
        },
      ),
    );
    this.#node = node;
    node.onFatal((error) => {
      this.fatal = error;
    });
    return node;
  }

  async stop(): Promise<void> {
    const { node } = this;
    this.#node = undefined;
    await this.#cluster.clock.drive(node.stop());
  }

  /** The process is killed; what it has written stays. */
  async die(): Promise<void> {
    this.#process?.kill();
    this.#node = undefined;
    this.files.kill();
    await this.#cluster.clock.advanceSettled(5);
    this.files.restart();
  }

  /** After a start that the power has ended: the disk keeps of what was not synced what the seed says. */
  async loseStart(seed: number): Promise<void> {
    this.#process?.kill();
    this.files.crash(new SeededRandom(seed));
    await this.#cluster.clock.advanceSettled(5);
    this.files.restart();
  }

  ask(operation: PlainOperation, id = 0, requestId?: string): Asked {
    const asked: Asked = { answers: [] };
    const partition = this.partition(id);
    const refusal = partition.admit();
    if (refusal !== undefined) {
      asked.answers.push(refusal);
      return asked;
    }
    encodeOperation(partition.open(), operation, requestId);
    partition.enqueue({ settle: (_tag, outcome) => asked.answers.push(outcome) }, 0);
    return asked;
  }

  /** A message has arrived. */
  receive(from: Host, group: number, message: Message): void {
    this.#process?.soon(() => {
      const copy = this.#node?.groups[group];
      if (copy === undefined || copy.replica !== message.to) return;
      const fetches = message.type === messageTypes.snapshot && this.plans[group]?.witness !== true;
      if (fetches) void this.#fetch(from, group, message);
      else copy.step(message);
    });
  }

  async #fetch(from: Host, group: number, message: Message): Promise<void> {
    if (this.#fetching) return;
    this.#fetching = true;
    const { node } = this;
    let ok = false;
    const receiver = node.receiveCheckpoint(group);
    try {
      const exported = await from.node.exportCheckpoint(group);
      await receiver.begin(exported.manifest);
      for (const { name, bytes } of exported.files) {
        for (let at = 0; at < bytes; at += chunkBytes)
          await receiver.write(
            name,
            await exported.read(name, at, Math.min(chunkBytes, bytes - at)),
          );
      }
      const received = await receiver.finish();
      exported.release();
      this.beforeInstall();
      ok = await node.installCheckpoint(group, received, message);
      this.installed.push(ok);
    } catch {
      await receiver.abandon().catch(() => {});
    }
    this.#fetching = false;
    if (from.isUp) from.node.groups[group]?.snapshotSent(message.to, ok);
  }
}

export class Cluster {
  readonly clock = new SimulatedClock();
  readonly options: ClusterOptions;
  readonly hosts: readonly Host[];
  #seed = 1;

  private constructor(options: ClusterOptions) {
    this.options = options;
    this.hosts = Array.from({ length: options.hosts ?? 3 }, (_, number) => new Host(number, this));
    for (const host of this.hosts) {
      for (let id = 0; id < (options.partitions ?? 1); id++) host.plans.push(this.planFor(host));
    }
  }

  /** All nodes run; who leads is not decided. Replica n + 1 is on host n. */
  static async open(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(options);
    for (const host of cluster.hosts) await host.start();
    return cluster;
  }

  planFor(host: Host, replica = host.number + 1): CopyPlan {
    const voters = this.hosts.map(({ number }) => number + 1);
    const witness = host.number === this.options.witness;
    const configuration: Configuration = {
      voters,
      outgoing: [],
      learners: [],
      learnersNext: [],
      witnesses: this.options.witness === undefined ? [] : [this.options.witness + 1],
      autoLeave: false,
    };
    return { bootstrap: { replica, configuration }, witness, priority: host.number };
  }

  nextSeed(): number {
    return this.#seed++;
  }

  carry(from: Host, group: number, messages: readonly Message[]): void {
    for (const message of messages) {
      const to = this.hosts.find(({ plans }) => plans[group]?.bootstrap.replica === message.to);
      if (to === undefined || from.cutOff || to.cutOff) continue;
      this.clock.after(delayMs, () => {
        if (!from.cutOff && !to.cutOff) to.receive(from, group, message);
      });
    }
  }

  async run(ms: number): Promise<void> {
    await this.clock.advanceSettled(ms);
  }

  /** Waits for the leader of a partition among those that are not cut off. */
  async leader(id = 0): Promise<Host> {
    for (let waited = 0; waited < 10_000; waited += 50) {
      const found = this.hosts.find(
        (host) => host.isUp && !host.cutOff && host.partition(id).leads,
      );
      if (found !== undefined) return found;
      await this.run(50);
    }
    throw new Error(`partition ${id} has no leader after 10 s`);
  }

  followers(leader: Host): Host[] {
    return this.hosts.filter((host) => host !== leader);
  }

  /** Asks the leader and waits for the answer. */
  async ask(operation: PlainOperation, id = 0): Promise<Outcome> {
    const asked = (await this.leader(id)).ask(operation, id);
    for (let waited = 0; waited < 10_000; waited += 10) {
      const [answer] = asked.answers;
      if (answer !== undefined) return answer;
      await this.run(10);
    }
    throw new Error("no answer after 10 s");
  }

  async stop(): Promise<void> {
    for (const host of this.hosts) if (host.isUp) await host.stop();
  }
}

/** Everything that two equal states have in common. */
export function summaryOf(partition: Partition): string {
  const { position, number, timestamp, state } = partition;
  return `${position} ${number} ${timestamp} ${state.rows} ${state.digest}`;
}
