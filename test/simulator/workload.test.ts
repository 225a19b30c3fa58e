/**
 * The load of the cluster simulator on real nodes: nothing is found on one that keeps its promises, through crashes too; and what is broken on purpose is found.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { Node } from "../../src/node/node.ts";
import type { Requests } from "../../src/node/requests.ts";
import type { Partition } from "../../src/partition/partition.ts";
import type { ClusterPort } from "../../simulator/cluster/cluster-port.ts";
import type { CheckReport } from "../../simulator/cluster/machine-workload.ts";
import { Workload } from "../../simulator/cluster/workload.ts";
import type { WorkloadOptions } from "../../simulator/cluster/workload.ts";
import { ProcessClock } from "../../simulator/process-clock.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { SimulatedFileSystem } from "../../simulator/simulated-file-system.ts";
import { SimulatedNetwork } from "../../simulator/simulated-network.ts";

const partitions = 2;
const kinds = [
  {
    name: "short",
    number: 1,
    delayMs: 0,
    spreadMs: 0,
    maxRepeats: 3,
    maxBytes: 100,
    silenceMs: 1_000,
  },
  {
    name: "long",
    number: 2,
    delayMs: 300,
    spreadMs: 500,
    maxRepeats: 0,
    maxBytes: 10_000,
    silenceMs: 2_000,
  },
];

/** Nodes that know nothing of each other, each with a disk of its own. More than one of them is a cluster with a split brain. */
class LoneNodes implements ClusterPort {
  readonly partitions = partitions;
  readonly hosts: readonly number[];
  readonly clock = new SimulatedClock();
  readonly #random: SeededRandom;
  readonly #disks: SimulatedFileSystem[];
  readonly #nodes: (Node | undefined)[];
  readonly #processes: (ProcessClock | undefined)[] = [];
  readonly #listeners: ((host: number) => void)[] = [];

  constructor(count: number, seed: number) {
    this.#random = new SeededRandom(seed);
    this.hosts = Array.from({ length: count }, (_, host) => host);
    this.#nodes = this.hosts.map(() => undefined);
    this.#disks = this.hosts.map(
      () =>
        new SimulatedFileSystem({ clock: this.clock, directories: ["/srv"], latencyMs: () => 1 }),
    );
  }

  nodeOn(host: number): Node | undefined {
    return this.#nodes[host];
  }

  onHostDown(listener: (host: number) => void): void {
    this.#listeners.push(listener);
  }

  async open(host: number): Promise<void> {
    const clock = new ProcessClock(this.clock);
    const environment = {
      clock,
      random: new SeededRandom(this.#random.u32()),
      files: must(this.#disks[host]),
      network: new SimulatedNetwork({ clock: this.clock, random: this.#random }),
      logger: silentLogger,
    };
    const node = await this.clock.drive(
      Node.open(environment, {
        dataDirectory: "/srv/data",
        partitions,
        replicationFactor: 1,
        name: "simulated",
        walSegmentBytes: 4_194_304,
        kinds,
      }),
    );
    this.#processes[host] = clock;
    this.#nodes[host] = node;
  }

  /** The disk as it is now. */
  diskOf(host: number): SimulatedFileSystem {
    return must(this.#disks[host]).clone();
  }

  /** The power goes, and comes back; with another disk if one is given. */
  async crash(host: number, other?: SimulatedFileSystem): Promise<void> {
    this.#nodes[host] = undefined;
    this.#processes[host]?.kill();
    for (const listener of this.#listeners) listener(host);
    const disk = other ?? must(this.#disks[host]);
    this.#disks[host] = disk;
    disk.crash(this.#random);
    await this.clock.advanceSettled(500);
    disk.restart();
    await this.open(host);
  }
}

const busy = { clients: 6, thinkMaxMs: 20, restMs: 0, states: 0 } as const;
/** The same with queues and sessions only. */
const busyStates = { ...busy, states: 1 } as const;

interface Run {
  readonly seed: number;
  readonly hosts?: number;
  readonly crashes?: number;
  /** A power loss takes away what was written for so long before. */
  readonly losesMs?: number;
  readonly options?: Partial<WorkloadOptions>;
  readonly cluster?: (nodes: LoneNodes) => ClusterPort;
}

async function play(run: Run): Promise<CheckReport & { readonly lines: readonly string[] }> {
  const nodes = new LoneNodes(run.hosts ?? 1, run.seed);
  for (const host of nodes.hosts) await nodes.open(host);
  const lines: string[] = [];
  const workload = new Workload({
    random: new SeededRandom(run.seed),
    clock: nodes.clock,
    cluster: run.cluster?.(nodes) ?? nodes,
    trace: (line) => lines.push(line),
    kinds,
    ...run.options,
  });
  workload.start();
  for (let i = 0; i < (run.crashes ?? 0); i++) {
    await nodes.clock.advanceSettled(700);
    await nodes.crash(nodes.hosts[i % nodes.hosts.length] ?? 0);
  }
  if (run.losesMs !== undefined) {
    await nodes.clock.advanceSettled(500);
    const disk = nodes.diskOf(0);
    await nodes.clock.advanceSettled(run.losesMs);
    await nodes.crash(0, disk);
  }
  await nodes.clock.advanceSettled(2_000);
  await nodes.clock.drive(workload.stop());
  return { ...workload.check(), lines };
}

suite("the load of the cluster simulator, on a node that is right", () => {
  test("runs of all shapes, with crashes, end without anything found (P1, P2, P3)", async () => {
    let calls = 0;
    let unknown = 0;
    for (let seed = 1; seed <= 16; seed++) {
      const report = await play({ seed, crashes: 2 }).catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      });
      assert.equal(report.undecided, 0, `seed ${seed}`);
      calls += report.calls;
      unknown += report.unknown;
    }
    assert.ok(calls > 2_000, `${calls} calls`);
    assert.ok(unknown > 5, `${unknown} of them with an unknown outcome`);
  });

  test("queues and sessions only, in all shapes, with crashes (P1, P3, P4)", async () => {
    let answered = 0;
    for (let seed = 101; seed <= 108; seed++) {
      const options = { shape: { states: 1 } };
      const report = await play({ seed, crashes: 3, options }).catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      });
      answered += report.answered;
    }
    assert.ok(answered > 1_000, `${answered} answers`);
  });

  test("two runs of one seed are the same, line for line", async () => {
    const [first, second] = [
      await play({ seed: 3, crashes: 1 }),
      await play({ seed: 3, crashes: 1 }),
    ];
    assert.deepEqual(first.lines, second.lines);
    assert.ok(first.lines.length > 50);
    const other = await play({ seed: 4, crashes: 1 });
    assert.notDeepEqual(first.lines, other.lines);
  });
});

/** The nodes with partitions that do something else than they should. */
function broken(
  nodes: LoneNodes,
  change: (partition: Partition, name: string | symbol) => unknown,
): ClusterPort {
  const changed = new WeakMap<Partition, Partition>();
  const wrap = (partition: Partition): Partition => {
    const known = changed.get(partition);
    if (known !== undefined) return known;
    const proxy = new Proxy(partition, {
      get(target, name) {
        const replaced = change(target, name);
        if (replaced !== undefined) return replaced;
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
    changed.set(partition, proxy);
    return proxy;
  };
  return {
    partitions: nodes.partitions,
    hosts: nodes.hosts,
    onHostDown: (listener) => nodes.onHostDown(listener),
    nodeOn: (host) => {
      const node = nodes.nodeOn(host);
      if (node === undefined) return undefined;
      return new Proxy(node, {
        get(target, name) {
          if (name === "partitions") return target.partitions.map(wrap);
          const member: unknown = Reflect.get(target, name, target);
          return typeof member === "function" ? member.bind(target) : member;
        },
      });
    },
  };
}

const fewKeys = { keys: 3, barrierReads: 0.3, expiries: 0, bursts: 0, conditions: 0.1 } as const;

const forgetsIds = (nodes: LoneNodes): ClusterPort =>
  broken(nodes, (partition, name) => {
    if (name !== "open") return undefined;
    return () => {
      const writer = partition.open();
      return new Proxy(writer, {
        get(target, member) {
          if (member === "begin") return (code: number) => target.begin(code, undefined);
          const found: unknown = Reflect.get(target, member, target);
          return typeof found === "function" ? found.bind(target) : found;
        },
      });
    };
  });

/** As it is for requests to nodes. */
const dropsIds = (nodes: LoneNodes): ClusterPort => ({
  partitions: nodes.partitions,
  hosts: nodes.hosts,
  onHostDown: (listener) => nodes.onHostDown(listener),
  nodeOn: (host) => {
    const node = nodes.nodeOn(host);
    if (node === undefined) return undefined;
    const { requests } = node;
    const submit: Requests["submit"] = (verb, request, { owner }, sink, tag) =>
      requests.submit(verb, request, { owner }, sink, tag);
    return withOther(node, "requests", withOther(requests, "submit", submit));
  },
});

function withOther<T extends object>(whole: T, member: keyof T, other: unknown): T {
  return new Proxy(whole, {
    get(target, name) {
      const found: unknown = name === member ? other : Reflect.get(target, name, target);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
}

const readsOld = (nodes: LoneNodes): ClusterPort => {
  const olds = new Map<string, unknown>();
  return broken(nodes, (partition, name) => {
    if (name !== "stack") return undefined;
    const { records } = partition.stack;
    return {
      records: {
        // Sees each record as it was when it was looked at first.
        find: (key: Buffer) => {
          const hex = `${partition.id} ${key.toString("hex")}`;
          const address = records.find(key, 0, key.length);
          if (address === 0 || olds.has(hex)) return olds.has(hex) ? hex : 0;
          const bytes = records
            .buffer(address)
            .subarray(records.valueStart(address), records.valueEnd(address));
          olds.set(hex, { version: records.version(address), value: Buffer.from(bytes) });
          return hex;
        },
        buffer: (hex: string) => (olds.get(hex) as { value: Buffer }).value,
        version: (hex: string) => (olds.get(hex) as { version: number }).version,
        valueStart: () => 0,
        valueEnd: (hex: string) => (olds.get(hex) as { value: Buffer }).value.length,
      },
    };
  });
};

suite("the load of the cluster simulator, on what is broken", () => {
  test("found: two nodes that both lead (P2)", async () => {
    const shape = { ...busy, loyalty: 0 };
    await assert.rejects(
      play({ seed: 1, hosts: 2, options: { shape, records: fewKeys } }),
      /P2: |P1: phantom/,
    );
  });

  test("found: a disk that loses what was synced (P1)", async () => {
    for (const seed of [2, 3, 4]) {
      await assert.rejects(
        play({ seed, losesMs: 300, options: { shape: { ...busy, loss: 0 }, records: fewKeys } }),
        /P1: lost update|P2: |P3: double effect|P3: two answers/,
        `seed ${seed}`,
      );
    }
  });

  test("found: request ids that are forgotten, so that a repeat is done again (P3)", async () => {
    const shape = { ...busy, loss: 0.1, timeoutMs: 300, patienceMs: 8_000 };
    const records = { ...fewKeys, groups: 0, ids: 1 };
    await assert.rejects(
      play({ seed: 3, cluster: forgetsIds, options: { shape, records } }),
      /P3: /,
    );
  });

  test("found: reads behind a barrier that does not wait (P2)", async () => {
    await assert.rejects(
      play({ seed: 4, cluster: readsOld, options: { shape: busy, records: fewKeys } }),
      /P2: .* is not linearizable/,
    );
  });

  test("found in queues: two nodes that both lead (P2)", async () => {
    const shape = { ...busyStates, loyalty: 0 };
    await assert.rejects(
      play({ seed: 1, hosts: 2, options: { shape, sessionShare: 0 } }),
      /P[1-5]: /,
    );
  });

  test("found in sessions: two nodes that both lead (P2)", async () => {
    const shape = { ...busyStates, loyalty: 0 };
    await assert.rejects(
      play({ seed: 1, hosts: 2, options: { shape, sessionShare: 1 } }),
      /P[1-5]: /,
    );
  });

  test("found: a disk that loses what was synced of queues and sessions (P1, P4)", async () => {
    for (const sessionShare of [0, 1]) {
      await assert.rejects(
        play({
          seed: 2,
          losesMs: 300,
          options: { shape: { ...busyStates, loss: 0 }, sessionShare },
        }),
        /P[1-4]: |log time: /,
      );
    }
  });

  test("found: request ids that are forgotten, so that a push is done again (P3)", async () => {
    const shape = { ...busyStates, loss: 0.1, timeoutMs: 300, patienceMs: 8_000 };
    const queues = { ids: 1, pushes: 0.7, dedups: 0, expiries: 0, pauses: 0 };
    const options = { shape, queues, sessionShare: 0 };
    await assert.rejects(play({ seed: 3, cluster: dropsIds, options }), /P3: /);
  });
});
