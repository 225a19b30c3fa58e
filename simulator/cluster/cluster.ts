/**
 * A simulated cluster: its hosts on one time line, the network between them, the operator, the faults, and what is checked after every event. It runs as its
 * owner lets time pass.
 */
import { must } from "../../src/base/assert.ts";
import type { Random } from "../../src/base/random.ts";
import type { Node } from "../../src/node/node.ts";
import type { Message } from "../../src/raft/vocabulary.ts";
import { SimulationError } from "../node-state.ts";
import type { SimulatedClock } from "../simulated-clock.ts";
import { Checks } from "./checks.ts";
import type { ClusterPort, Oracle } from "./cluster-port.ts";
import { Directory } from "./directory.ts";
import { DocumentRun } from "./document-run.ts";
import type { DocumentDraw } from "./document-run.ts";
import { Host } from "./host.ts";
import type { Death, HostWorld } from "./host.ts";
import { Membership } from "./membership.ts";
import { MessageNetwork } from "./message-network.ts";
import { Nemesis } from "./nemesis.ts";
import { Promises } from "./promises.ts";
import { drawInterval } from "./swarm.ts";
import type { Swarm } from "./swarm.ts";
import type { Trace } from "./trace.ts";
import type { Packet } from "./transport.ts";

/** How long it is between two looks whether something is violated in a promise's continuation. */
const stepMs = 50;

export class Cluster implements ClusterPort, HostWorld {
  readonly #promises = new Promises();
  readonly partitions: number;
  readonly hosts: readonly number[];
  readonly machines: readonly Host[];
  readonly time: SimulatedClock;
  readonly random: Random;
  readonly trace: Trace;
  readonly swarm: Swarm;
  readonly directory: Directory;
  readonly network: MessageNetwork<Packet>;
  readonly checks: Checks;
  readonly membership: Membership;
  readonly nemesis: Nemesis;
  /** Processes that ended; checkpoints that went from one host to another. */
  deaths = 0;
  checkpointsInstalled = 0;
  /** Of a run that has documents. */
  readonly documents: DocumentRun | undefined;
  #violation: SimulationError | undefined;
  #healing = false;
  readonly #downListeners: ((host: number) => void)[] = [];

  constructor(parts: {
    time: SimulatedClock;
    random: Random;
    trace: Trace;
    swarm: Swarm;
    documents?: DocumentDraw | undefined;
  }) {
    const { time, random, trace, swarm, documents } = parts;
    this.time = time;
    this.random = random;
    this.trace = trace;
    this.swarm = swarm;
    this.partitions = swarm.partitions;
    this.hosts = Array.from({ length: swarm.hosts }, (_, host) => host);
    this.directory = new Directory(swarm, random);
    this.network = new MessageNetwork<Packet>({
      clock: time,
      random,
      hosts: swarm.hosts,
      weather: swarm.weather,
      trace,
      deliver: (to, from, packet) => {
        // What it says may follow from what became durable between two tasks.
        this.ranTask(must(this.machines[from]));
        must(this.machines[to]).deliver(from, packet);
      },
    });
    this.checks = new Checks(trace, swarm.partitions);
    this.machines = this.hosts.map((number) => new Host(number, this));
    if (documents !== undefined) this.documents = new DocumentRun(this, documents);
    this.membership = new Membership({
      time,
      random,
      trace,
      directory: this.directory,
      hosts: this.machines,
      partitions: swarm.partitions,
      whimEveryMs: swarm.changeEveryMs,
      hasty: swarm.hasty,
    });
    this.nemesis = new Nemesis({
      time,
      random,
      trace,
      swarm,
      hosts: this.machines,
      network: this.network,
      mayLose: (host) => this.membership.mayLose(host),
      loseCopies: (host) => this.#eachCopy(host, (copy) => (copy.state = "lost")),
      doubtCopies: (host) => {
        host.doubtful = true;
        host.rots++;
        this.#eachCopy(host, (copy) => (copy.doubtful = true));
      },
    });
  }

  start(): void {
    for (const host of this.machines) host.start();
    this.membership.start();
    this.nemesis.start();
    this.documents?.start();
  }

  nodeOn(host: number): Node | undefined {
    return this.machines[host]?.node;
  }

  onHostDown(listener: (host: number) => void): void {
    this.#downListeners.push(listener);
  }

  /** Lets time pass. Throws what is violated meanwhile. */
  async pass(ms: number): Promise<void> {
    const end = this.time.monotonicMs() + ms;
    while (this.time.monotonicMs() < end) {
      await this.time.advanceSettled(Math.min(stepMs, end - this.time.monotonicMs()));
      if (this.#violation !== undefined) throw this.#violation;
    }
  }

  /** No more faults: all machines run, and the network is as it should be. */
  heal(): void {
    this.trace.say("fault", -1, "all is healed");
    this.#healing = true;
    this.nemesis.stop();
    this.membership.calm();
    this.documents?.calm();
    this.network.heal();
    for (const host of this.machines) {
      host.heal();
      if (host.state === "down") this.#startLater(host, 1);
    }
  }

  get oracle(): Oracle {
    return {
      committed: (partition) => this.checks.committed(partition),
      times: this.checks.times,
      violate: (error) => this.violate(error),
    };
  }

  // What the hosts tell.

  ranTask(host: Host): void {
    const { node } = host;
    if (node !== undefined && this.#violation === undefined) this.checks.look(host, node);
  }

  opened(host: Host): void {
    const node = must(host.node);
    this.#eachCopy(host, (copy) => {
      const damage = node.retired.find(({ partition }) => partition === copy.partition)?.reason;
      if (damage !== undefined && !host.doubtful)
        this.violate(
          new SimulationError(
            `P7: host ${host.number} retires its copy of partition ${copy.partition}, which nothing has damaged: ${damage}`,
          ),
        );
      if (damage !== undefined) {
        copy.state = "lost";
        this.trace.say(
          "members",
          copy.partition,
          `r${copy.replica} on h${host.number} is retired: ${damage}`,
        );
      }
      copy.doubtful = false;
    });
    host.doubtful = false;
    this.documents?.opened(host);
    this.#guard(() => this.ranTask(host));
  }

  dies(host: Host, how: Death): void {
    const { node } = host;
    if (node !== undefined) this.#guard(() => this.checks.ended(host, node));
    this.documents?.died(host, how);
  }

  diskReplaced(host: Host): void {
    this.documents?.diskReplaced(host);
  }

  died(host: Host): void {
    this.deaths++;
    for (const listener of this.#downListeners) listener(host.number);
    const downMs = this.#healing ? 10 : 1 + drawInterval(this.random, this.swarm.downMs);
    this.#startLater(host, downMs);
  }

  sent(host: Host, partition: number, message: Message): void {
    const { node } = host;
    if (node !== undefined) this.#guard(() => this.#promises.leaves(node, partition, message));
  }

  checkpointInstalled(): void {
    this.checkpointsInstalled++;
  }

  /** Remembers the first; thrown by {@link pass}, for here somebody else's code runs. */
  violate(error: SimulationError): void {
    this.#violation ??= error;
  }

  /** Where what is thrown would reach somebody else. */
  #guard(look: () => void): void {
    try {
      look();
    } catch (error) {
      this.violate(error instanceof SimulationError ? error : new SimulationError(String(error)));
    }
  }

  #startLater(host: Host, ms: number): void {
    this.time.after(ms, () => {
      if (host.state === "down") host.start();
    });
  }

  #eachCopy(host: Host, visit: (copy: NonNullable<ReturnType<Directory["on"]>>) => void): void {
    for (let partition = 0; partition < this.partitions; partition++) {
      const copy = this.directory.on(partition, host.number);
      if (copy !== undefined) visit(copy);
    }
  }
}
