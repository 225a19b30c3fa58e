/**
 * The faults of a run, each at its own random times. None of them may make a promise void: disks are lost or damaged only where the other voters are whole
 * (`Membership.mayLose`); everything else a cluster must bear in any number.
 */
import { must } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import { segmentHeaderBytes } from "../../src/wal/format.ts";
import { readLog } from "../../src/wal/recovery.ts";
import { segmentFile } from "../../src/wal/segment.ts";
import { dataDirectory, diskBytes } from "./host.ts";
import type { Host } from "./host.ts";
import type { MessageNetwork } from "./message-network.ts";
import { drawInterval, faultNames, pick } from "./swarm.ts";
import type { FaultName, Swarm } from "./swarm.ts";
import type { Trace } from "./trace.ts";
import type { Packet } from "./transport.ts";

export interface NemesisWorld {
  readonly time: Clock;
  readonly random: Random;
  readonly trace: Trace;
  readonly swarm: Swarm;
  readonly hosts: readonly Host[];
  readonly network: MessageNetwork<Packet>;
  /** Whether a disk may go without breaking what Raft promises. */
  mayLose(host: Host): boolean;
  /** Marks the copies on a host: their disk is gone, or may be damaged. */
  loseCopies(host: Host): void;
  doubtCopies(host: Host): void;
}

export class Nemesis {
  /** How often each fault has happened. */
  readonly counts = new Map<FaultName, number>();
  readonly #world: NemesisWorld;
  readonly #faults: Readonly<Record<FaultName, () => boolean>>;
  #stopped = false;

  constructor(world: NemesisWorld) {
    this.#world = world;
    this.#faults = {
      partition: () => this.#partition(),
      clog: () => this.#clog(),
      pause: () => this.#pause(),
      wallJump: () => this.#wallJump(),
      drift: () => this.#drift(),
      kill: () => this.#end("kill"),
      powerLoss: () => this.#end("power loss"),
      powerLossAtWrite: () => this.#powerLossAtWrite(),
      rot: () => this.#rot(),
      slowDisk: () => this.#slowDisk(),
      fullDisk: () => this.#fullDisk(),
      syncError: () => this.#diskError("sync", "EIO"),
      writeError: () => this.#diskError("write", pick(this.#world.random, ["EIO", "ENOSPC"])),
      wipe: () => this.#wipe(),
      checkpoint: () => this.#checkpoint(),
      restart: () => this.#restartAll(),
    };
  }

  start(): void {
    for (const name of faultNames) {
      const everyMs = this.#world.swarm.faultEveryMs[name];
      if (everyMs !== undefined) this.#plan(name, everyMs);
    }
  }

  /** No more faults; what goes on is healed by who calls. */
  stop(): void {
    this.#stopped = true;
  }

  #plan(name: FaultName, everyMs: number): void {
    const { time, random } = this.#world;
    time.after(drawInterval(random, everyMs), () => {
      if (this.#stopped) return;
      if (this.#faults[name]()) this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
      this.#plan(name, everyMs);
    });
  }

  #say(text: string): true {
    this.#world.trace.say("fault", -1, text);
    return true;
  }

  /** Ends a lasting fault later, unless all was healed before. */
  #later(meanMs: number, end: () => void): void {
    const { time, random } = this.#world;
    time.after(drawInterval(random, meanMs), () => {
      if (!this.#stopped) end();
    });
  }

  #partition(): boolean {
    const { hosts, network, random } = this.#world;
    if (hosts.length < 2) return false;
    network.unblockAll();
    const side = this.#drawSide();
    const oneWay = chance(random, 0.3);
    for (const from of hosts) {
      for (const to of hosts) {
        if (side.has(from.number) === side.has(to.number)) continue;
        if (!oneWay || side.has(from.number)) network.block(from.number, to.number);
      }
    }
    this.#later(1_500, () => network.unblockAll());
    return this.#say(`partition: h${[...side].join(" h")} | rest${oneWay ? ", one way" : ""}`);
  }

  /** One host alone, each by a coin, or a minority. */
  #drawSide(): Set<number> {
    const { hosts, random } = this.#world;
    const style = randomBelow(random, 3);
    if (style === 0) return new Set([pick(random, hosts).number]);
    if (style === 1)
      return new Set(hosts.filter(() => chance(random, 0.5)).map(({ number }) => number));
    const first = randomBelow(random, hosts.length);
    const count = Math.floor((hosts.length - 1) / 2) || 1;
    return new Set(Array.from({ length: count }, (_, at) => (first + at) % hosts.length));
  }

  #clog(): boolean {
    const { hosts, network, random } = this.#world;
    const [from, to] = [pick(random, hosts).number, pick(random, hosts).number];
    const ms = drawInterval(random, 500);
    network.clog(from, to, ms);
    return this.#say(`clog: h${from}>h${to} for ${Math.round(ms)} ms`);
  }

  #pause(): boolean {
    const host = this.#anyRunning();
    const clock = host?.clock;
    if (host === undefined || clock === undefined) return false;
    clock.pause();
    this.#later(800, () => clock.resume());
    return this.#say(`pause: h${host.number}`);
  }

  #wallJump(): boolean {
    const { random } = this.#world;
    const host = this.#anyRunning();
    const ms = randomBelow(random, 20_001) - 10_000;
    host?.clock?.jumpWall(ms);
    return host !== undefined && this.#say(`wall clock of h${host.number} jumps by ${ms} ms`);
  }

  #drift(): boolean {
    const { random } = this.#world;
    const host = this.#anyRunning();
    const ratio = (randomBelow(random, 2_001) - 1_000) / 10_000;
    host?.clock?.driftWall(ratio);
    return host !== undefined && this.#say(`wall clock of h${host.number} drifts by ${ratio}`);
  }

  #end(how: "kill" | "power loss"): boolean {
    const host = this.#anyRunning();
    if (host === undefined) return false;
    this.#say(`${how}: h${host.number}`);
    host.die(how);
    return true;
  }

  /** The power goes at a write, sync or change of names soon. */
  #powerLossAtWrite(): boolean {
    const host = this.#anyRunning();
    if (host === undefined) return false;
    const operations = randomBelow(this.#world.random, 60);
    host.files.failAfter(operations);
    return this.#say(`power loss: h${host.number}, ${operations} disk operations from now`);
  }

  /** All at once: nobody remembers anything but what is on the disks. */
  #restartAll(): boolean {
    const { hosts, random } = this.#world;
    const how = chance(random, 0.5) ? "kill" : "power loss";
    this.#say(`${how}: all hosts`);
    for (const host of hosts) host.die(how);
    return true;
  }

  #slowDisk(): boolean {
    const host = pick(this.#world.random, this.#world.hosts);
    host.slowness = pick(this.#world.random, [20, 100, 500]);
    this.#later(2_000, () => {
      host.slowness = 1;
    });
    return this.#say(`disk of h${host.number} is ${host.slowness} times slower`);
  }

  #fullDisk(): boolean {
    const host = this.#anyRunning();
    if (host === undefined || !host.files.alive) return false;
    const { files } = host;
    const room = chance(this.#world.random, 0.5)
      ? randomBelow(this.#world.random, 100_000)
      : 2 ** 24;
    host.troubled = true;
    files.capacityBytes += room - files.freeBytesSync("/srv");
    this.#later(1_500, () => {
      files.capacityBytes = diskBytes;
    });
    return this.#say(`disk of h${host.number} has ${room} bytes left`);
  }

  #diskError(on: "sync" | "write", code: string): boolean {
    const host = this.#anyRunning();
    if (host === undefined) return false;
    const { random } = this.#world;
    const path = pick(random, [/\/wal\//, /\/wal\//, /\.run$/, /manifest/]);
    host.troubled = true;
    host.files.fail({ on, path, code, skip: randomBelow(random, 8) });
    return this.#say(`${on} error ${code} at ${path.source} on h${host.number}`);
  }

  #wipe(): boolean {
    const { random, hosts } = this.#world;
    const host = pick(random, hosts);
    if (!this.#world.mayLose(host)) return false;
    this.#say(`h${host.number} loses its disk`);
    host.die("kill");
    host.replaceDisk();
    this.#world.loseCopies(host);
    return true;
  }

  /** Bits turn over in what was written long ago; the process ends soon after, and the next one must find out. */
  #rot(): boolean {
    const { random } = this.#world;
    const host = this.#anyRunning();
    if (host === undefined || !this.#world.mayLose(host)) return false;
    const path = this.#rotting(host);
    if (path === undefined) return false;
    const { from, to } = rottingRange(host, path);
    if (to <= from) return false;
    this.#world.doubtCopies(host);
    host.troubled = true;
    const flips = 1 + randomBelow(random, 8);
    for (let flip = 0; flip < flips; flip++)
      host.files.flipBit(path, from + randomBelow(random, to - from), randomBelow(random, 8));
    this.#later(300, () => host.die("kill"));
    return this.#say(`rot on h${host.number}: ${flips} bits in ${path}`);
  }

  #rotting(host: Host): string | undefined {
    const paths = host.files.paths().filter((path) => path.startsWith(dataDirectory));
    const segments = paths.filter((path) => isSegment.test(path));
    const runs = paths.filter((path) => path.endsWith(".run"));
    const manifests = paths.filter((path) => path.endsWith("/manifest"));
    const kinds = [segments, segments, runs, manifests].filter(({ length }) => length > 0);
    if (kinds.length === 0) return undefined;
    return pick(this.#world.random, pick(this.#world.random, kinds));
  }

  #checkpoint(): boolean {
    const host = this.#anyRunning();
    if (host?.node === undefined) return false;
    void host.node.checkpoint().catch(() => undefined);
    return this.#say(`checkpoint on h${host.number}`);
  }

  #anyRunning(): Host | undefined {
    const { hosts, random } = this.#world;
    const first = randomBelow(random, hosts.length);
    for (let at = 0; at < hosts.length; at++) {
      const host = must(hosts[(first + at) % hosts.length]);
      if (host.state === "up") return host;
    }
    return undefined;
  }
}

const isSegment = /\/wal\/[0-9a-f]{16}\.wal$/;

/**
 * Of the newest segment of the log its first half, as far as it is written: at the end of the log damage and a torn write look alike. Not a header: a log without any
 * readable one is refused, and is for an operator. (A segment that is recycled has old bytes behind its end.)
 */
function rottingRange(host: Host, path: string): { from: number; to: number } {
  const { length } = host.files.contents(path);
  if (!isSegment.test(path)) return { from: 0, to: length };
  // On a copy of the disk: looking is no operation of the node.
  const nodeId = host.node?.identity.nodeId ?? 0;
  const { segments, position } = readLog(
    host.files.clone(),
    `${dataDirectory}/wal`,
    nodeId,
    "retire",
  );
  const names = segments.map(({ id }) => `${dataDirectory}/wal/${segmentFile(id)}`);
  const at = names.indexOf(path);
  if (at < 0) return { from: 0, to: 0 };
  const newest = at === names.length - 1;
  return { from: segmentHeaderBytes, to: newest ? Math.floor(position / 2) : length };
}
