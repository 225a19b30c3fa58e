/**
 * One machine of a simulated cluster: a disk that lasts, and the process on it, which opens the shipped node, dies and is started again. Whatever ends the
 * process is told to the cluster, which decides when the next one begins.
 */
import { AssertionError, assert } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Environment } from "../../src/base/environment.ts";
import { TrubaError, errorText, systemErrorCode } from "../../src/base/errors.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import type { RaftGroup } from "../../src/log/raft-group.ts";
import { Node } from "../../src/node/node.ts";
import type { Message } from "../../src/raft/vocabulary.ts";
import type { Operation, OperationKind } from "../disk-faults.ts";
import { SimulationError } from "../node-state.ts";
import { SimulatedFileSystem } from "../simulated-file-system.ts";
import type { DiskClock } from "../simulated-file-system.ts";
import { SimulatedNetwork } from "../simulated-network.ts";
import type { Directory } from "./directory.ts";
import { HostClock } from "./host-clock.ts";
import type { MessageNetwork } from "./message-network.ts";
import type { Swarm } from "./swarm.ts";
import type { Trace } from "./trace.ts";
import { Transport } from "./transport.ts";
import type { Packet } from "./transport.ts";

export const dataDirectory = "/srv/data";
export const diskBytes = 2 ** 40;

/** How a process ends: the machine goes on, or loses its power and with it what was not synced. */
export type Death = "kill" | "power loss";

/** What a host asks of the cluster that it belongs to. */
export interface HostWorld {
  readonly time: Clock & { elapse(ms: number): void };
  readonly random: Random;
  readonly trace: Trace;
  readonly swarm: Swarm;
  readonly directory: Directory;
  readonly network: MessageNetwork<Packet>;
  /** A task of the process has run. */
  ranTask(host: Host): void;
  /** The node has opened. */
  opened(host: Host): void;
  /** The process ends now; what it was can be seen for the last time. */
  dies(host: Host, how: Death): void;
  /** The process has ended. */
  died(host: Host): void;
  /** It has an empty disk now. */
  diskReplaced(host: Host): void;
  checkpointInstalled(): void;
  /** A message of a copy leaves. */
  sent(host: Host, partition: number, message: Message): void;
  /** Something is as it must never be. */
  violate(error: SimulationError): void;
}

export class Host {
  readonly number: number;
  /** Disks that it has had. */
  disks = 0;
  files: SimulatedFileSystem;
  /** A disk that is slow for a while: so many times. */
  slowness = 1;
  /** Times that something on its disk was damaged. */
  rots = 0;
  /** Those among them that the process has found, if there is anything to find: all from before its start. */
  rotsAtStart = 0;
  /** Something on its disk was damaged since its node opened: copies may be retired, also those that came meanwhile. */
  doubtful = false;
  /** The disk of this process was made to fail: it may stop for that. */
  troubled = false;
  readonly #world: HostWorld;
  #state: "down" | "opening" | "up" = "down";
  #life = 0;
  #clock: HostClock | undefined;
  #node: Node | undefined;
  #transport: Transport | undefined;
  /** Partitions whose copy is coming or going. */
  readonly #following = new Set<number>();
  readonly #pathNumbers = new Map<string, number>();

  constructor(number: number, world: HostWorld) {
    this.number = number;
    this.#world = world;
    this.files = this.#newDisk();
  }

  /** The node, once it has opened and until its process ends. */
  get node(): Node | undefined {
    return this.#state === "up" ? this.#node : undefined;
  }

  get state(): "down" | "opening" | "up" {
    return this.#state;
  }

  /** The clock of the process, if one runs. */
  get clock(): HostClock | undefined {
    return this.#clock;
  }

  /** The copy of a partition that is here; not while it comes or goes. */
  group(partition: number): RaftGroup | undefined {
    const group = this.#following.has(partition) ? undefined : this.node?.groups[partition];
    return group?.started === true ? group : undefined;
  }

  /** Starts a process, whose node opens as time passes. */
  start(): void {
    assert(this.#state === "down", "a host runs one process at a time");
    const { time, random, directory, network, trace, swarm } = this.#world;
    const { wallOffsetMaxMs } = swarm;
    const life = ++this.#life;
    this.#state = "opening";
    this.troubled = this.files.capacityBytes < diskBytes;
    this.rotsAtStart = this.rots;
    if (!this.files.alive) this.files.restart();
    const clock = new HostClock(time, {
      wallOffsetMs: randomBelow(random, 2 * wallOffsetMaxMs + 1) - wallOffsetMaxMs,
      onTask: () => this.#ranTask(life),
      turnMs: swarm.turnMs,
    });
    this.#clock = clock;
    this.#transport = new Transport({
      host: this.number,
      clock,
      network,
      directory,
      trace,
      onInstalled: () => this.#world.checkpointInstalled(),
      onSend: (partition, message) => this.#world.sent(this, partition, message),
    });
    trace.say("host", -1, `h${this.number} starts`);
    const environment: Environment = {
      clock,
      random: new SeededRandom(random.u32()),
      files: this.files,
      network: new SimulatedNetwork({ clock, random: new SeededRandom(1) }),
      logger: silentLogger,
    };
    Node.open(environment, {
      dataDirectory,
      partitions: swarm.partitions,
      replicationFactor: swarm.replicationFactor,
      name: `h${this.number}.${this.disks}`,
      walSegmentBytes: swarm.segmentBytes,
      kinds: swarm.kinds,
      replication: {
        sender: this.#transport,
        copy: (partition) => this.#copyOf(partition),
      },
    }).then(
      (node) => this.#opened(life, node),
      (error: unknown) => this.#failedToOpen(life, error),
    );
  }

  /** The process ends without warning. */
  die(how: Death): void {
    if (this.#state === "down") return;
    const { random, trace } = this.#world;
    this.#world.dies(this, how);
    this.#clock?.kill();
    if (how === "kill") this.files.kill();
    else this.files.crash(new SeededRandom(random.u32()));
    this.#state = "down";
    this.#life++;
    this.#node = undefined;
    this.#transport = undefined;
    this.#clock = undefined;
    this.#following.clear();
    this.files.clearFaults();
    trace.say("host", -1, `h${this.number} down: ${how}`);
    this.#world.died(this);
  }

  /** All that was done to the machine is undone. */
  heal(): void {
    this.files.clearFaults();
    this.files.failAfter(Infinity);
    this.files.capacityBytes = diskBytes;
    this.slowness = 1;
    this.#clock?.resume();
  }

  /** The machine comes back with an empty disk. */
  replaceDisk(): void {
    assert(this.#state === "down", "a disk is replaced while the machine is off");
    this.files = this.#newDisk();
    this.#world.diskReplaced(this);
  }

  /** Has the node that runs add or remove its copy of a partition, if the directory says so; the next node would find it so from the start. */
  followDirectory(partition: number): void {
    const { node } = this;
    if (node === undefined || this.#following.has(partition)) return;
    const plan = this.#copyOf(partition);
    const group = node.groups[partition];
    if (group?.replica === plan?.bootstrap.replica) return;
    if (group !== undefined) {
      const what = `loses its copy r${group.replica}`;
      this.#tellOutcome(partition, what, node.removeCopy(partition));
    } else if (plan !== undefined) {
      const what = `gets a copy r${plan.bootstrap.replica}`;
      this.#tellOutcome(partition, what, node.addCopy(partition, plan));
    }
  }

  #tellOutcome(partition: number, what: string, done: Promise<void>): void {
    const life = this.#life;
    this.#following.add(partition);
    const tell = (text: string): void => {
      if (life === this.#life) this.#following.delete(partition);
      this.#world.trace.say("host", partition, `h${this.number} ${what}${text}`);
    };
    done.then(
      () => tell(""),
      (error: unknown) => tell(`: no, ${errorText(error)}`),
    );
  }

  deliver(from: number, packet: Packet): void {
    const transport = this.#transport;
    this.#clock?.soon(() => transport?.receive(from, packet));
  }

  #copyOf(partition: number) {
    const { directory } = this.#world;
    const copy = directory.on(partition, this.number);
    if (copy === undefined) return undefined;
    const { replica, witness, priority } = copy;
    const configuration = directory.initial(partition);
    return { bootstrap: { replica, configuration }, witness, priority };
  }

  #opened(life: number, node: Node): void {
    if (life !== this.#life) return;
    if (!this.files.alive) {
      this.#ranTask(life);
      return;
    }
    this.#node = node;
    this.#state = "up";
    this.#transport?.attach({
      group: (partition) => (life === this.#life ? this.group(partition) : undefined),
      exportCheckpoint: (partition) => node.exportCheckpoint(partition),
      receiveCheckpoint: (partition) => node.receiveCheckpoint(partition),
      installCheckpoint: (partition, received, message) =>
        node.installCheckpoint(partition, received, message),
    });
    node.onFatal((error) => this.#stoppedItself(life, error));
    this.#world.trace.say("host", -1, `h${this.number} open`);
    this.#world.opened(this);
  }

  #failedToOpen(life: number, error: unknown): void {
    if (life !== this.#life) return;
    if (!this.files.alive) {
      this.die("power loss");
      return;
    }
    this.#world.trace.say("host", -1, `h${this.number} does not open: ${errorText(error)}`);
    if (error instanceof TrubaError && error.code === "DATADAMAGED" && this.#giveUpDoubtful()) {
      this.die("kill");
      this.replaceDisk();
      return;
    }
    this.#mustBeTroubled(error, "does not open");
    this.die("kill");
  }

  #stoppedItself(life: number, error: Error): void {
    if (life !== this.#life) return;
    this.#world.trace.say("host", -1, `h${this.number} stops itself: ${errorText(error)}`);
    if (this.files.alive) this.#mustBeTroubled(error, "stopped itself");
    this.die(this.files.alive ? "kill" : "power loss");
  }

  /** A node may end by itself when its disk fails, and for no other cause. */
  #mustBeTroubled(error: unknown, what: string): void {
    const code = systemErrorCode(error);
    const ofDisk = code === "EIO" || code === "ENOSPC" || error instanceof TrubaError;
    if (this.troubled && ofDisk && !(error instanceof AssertionError)) return;
    const text = `node on host ${this.number} ${what}: ${errorText(error)}`;
    this.#world.violate(new SimulationError(text, { cause: error }));
  }

  /** Whether the disk may have been damaged: then its copies are lost. */
  #giveUpDoubtful(): boolean {
    const { directory, swarm } = this.#world;
    let doubtful = false;
    for (let partition = 0; partition < swarm.partitions; partition++) {
      const copy = directory.on(partition, this.number);
      if (copy?.doubtful !== true) continue;
      doubtful = true;
      copy.state = "lost";
    }
    return doubtful;
  }

  #ranTask(life: number): void {
    if (life !== this.#life) return;
    if (!this.files.alive) {
      this.die("power loss");
      return;
    }
    this.#world.ranTask(this);
  }

  #newDisk(): SimulatedFileSystem {
    const { time } = this.#world;
    this.disks++;
    // The clock of whichever process runs now.
    const clock: DiskClock = {
      wallMs: () => time.wallMs(),
      monotonicMs: () => (this.#clock ?? time).monotonicMs(),
      after: (delayMs, task) => (this.#clock ?? time).after(delayMs, task),
      soon: (task) => (this.#clock ?? time).soon(task),
      elapse: (ms) => this.#clock?.elapse(ms),
    };
    const files = new SimulatedFileSystem({
      clock,
      capacityBytes: diskBytes,
      directories: ["/srv"],
      latencyMs: (operation) => this.#latencyMs(operation),
    });
    files.onOperation = (operation) => this.#note(operation);
    return files;
  }

  #latencyMs({ kind }: Operation): number {
    const { swarm, random } = this.#world;
    const meanMs = Math.max(swarm.diskMs, this.slowness > 1 ? 1 : 0) * this.slowness;
    if (meanMs === 0) return 0;
    if (kind === "read" || kind === "write") return meanMs / 16;
    if (kind !== "sync" && kind !== "syncDirectory") return 0;
    const unlucky = chance(random, 0.02) ? 10 : 1;
    return (meanMs * unlucky * (1 + randomBelow(random, 8))) / 4;
  }

  #note({ kind, path, position, length }: Operation): void {
    const { trace } = this.#world;
    const number = this.#pathNumbers.get(path) ?? this.#pathNumbers.size;
    this.#pathNumbers.set(path, number);
    trace.mix("disk", operationNumbers[kind] * 8 + this.number, number, position ?? 0, length ?? 0);
    if (trace.verbose)
      trace.tell("disk", -1, `h${this.number} ${kind} ${path} ${position ?? ""} ${length ?? ""}`);
  }
}

const operationNumbers: Readonly<Record<OperationKind, number>> = {
  open: 0,
  create: 1,
  list: 2,
  makeDirectory: 3,
  rename: 4,
  unlink: 5,
  syncDirectory: 6,
  read: 7,
  write: 8,
  sync: 9,
};
