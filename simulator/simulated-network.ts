/**
 * A network in memory between named hosts: TCP that delays, splits and merges what is sent, with partitions, cuts and refusals.
 * Each host is a `Network` for the one process that runs there; the network itself is the host `localhost`.
 *
 * A host reaches itself as `127.0.0.1`, `localhost` and `::1`, and others by name. What addresses a listener names is not looked at.
 */
import { assert } from "../src/base/assert.ts";
import type { Clock } from "../src/base/clock.ts";
import type { Address, Connection, Listener, Network } from "../src/base/network.ts";
import type { Random } from "../src/base/random.ts";
import { Lane } from "./lane.ts";
import type { LaneWorld } from "./lane.ts";
import { SimulatedConnection } from "./simulated-connection.ts";

export interface SimulatedNetworkOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** One way. Default 0.1 to 1. */
  readonly latencyMs?: { readonly min: number; readonly max: number };
  /** How often bytes that were sent together arrive apart, and what waits at a receiver is not merged: 0 to below 1, default 0.25. */
  readonly splitProbability?: number;
  /** How often a connection breaks while it sends, per turn in which it sends. Default 0. */
  readonly cutProbability?: number;
  /** How long a connect without an answer waits. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Bytes that the kernels of both ends hold for one direction. Default 65,536. */
  readonly windowBytes?: number;
}

/** As Node's: `code` is ECONNREFUSED, ETIMEDOUT, ENOTFOUND, EADDRINUSE. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";
  readonly code: string;

  constructor(code: string, call: string, address: Address) {
    super(`${call} ${code} ${address.host}:${address.port}`);
    this.code = code;
  }
}

const firstEphemeralPort = 49_152;
const ownNames: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "::1"]);

export class SimulatedNetwork implements Network, LaneWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly windowBytes: number;
  readonly splitProbability: number;
  readonly cutProbability: number;
  readonly connectTimeoutMs: number;
  readonly #latencyMs: { readonly min: number; readonly max: number };
  readonly #hosts = new Map<string, SimulatedHost>();
  readonly #refusing = new Set<string>();
  readonly #blocked = new Set<string>();
  readonly #waiting = new Set<Lane>();

  constructor(options: SimulatedNetworkOptions) {
    this.clock = options.clock;
    this.random = options.random;
    this.#latencyMs = options.latencyMs ?? { min: 0.1, max: 1 };
    this.splitProbability = options.splitProbability ?? 0.25;
    this.cutProbability = options.cutProbability ?? 0;
    this.connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
    this.windowBytes = options.windowBytes ?? 65_536;
    assert(this.splitProbability < 1, "a piece must become whole at last");
  }

  listen(address: Address, accept: (connection: Connection) => void): Promise<Listener> {
    return this.host("localhost").listen(address, accept);
  }

  connect(address: Address): Promise<Connection> {
    return this.host("localhost").connect(address);
  }

  /**
   * The process on a host: the one that runs there, or a new one after its death. Its events are told through `clock`, which so can pause
   * and end them; default is the network's.
   */
  host(name: string, clock?: Clock): SimulatedHost {
    const known = this.#hosts.get(name);
    if (known?.alive === true) {
      assert(clock === undefined || clock === known.clock, `host "${name}" runs a process already`);
      return known;
    }
    const host = new SimulatedHost(name, this, clock ?? this.clock);
    known?.reappear();
    this.#hosts.set(name, host);
    return host;
  }

  /** Nothing passes between two hosts, in both directions. Connections live on and wait. */
  partition(a: string, b: string): void {
    this.partitionOneWay(a, b);
    this.partitionOneWay(b, a);
  }

  /** Nothing passes from one host to another; the other direction is as it was. */
  partitionOneWay(from: string, to: string): void {
    this.#blocked.add(wayName(from, to));
  }

  /** Ends the partition between two hosts, in both directions. What waited arrives. */
  heal(a: string, b: string): void {
    this.#blocked.delete(wayName(a, b));
    this.#blocked.delete(wayName(b, a));
    this.#retryWaiting();
  }

  /** Ends all partitions. */
  healAll(): void {
    this.#blocked.clear();
    this.#retryWaiting();
  }

  /** Breaks all connections between two hosts; both ends are told at once. */
  cut(a: string, b: string): void {
    const [host, other] = [this.#hosts.get(a), this.#hosts.get(b)];
    if (host === undefined || other === undefined) return;
    for (const end of host.connectionsTo(other.name)) end.cut();
  }

  /** Whether connects to a host are refused, as with a full backlog or a firewall. */
  refuse(name: string, refused: boolean): void {
    if (refused) this.#refusing.add(name);
    else this.#refusing.delete(name);
  }

  isRefusing(name: string): boolean {
    return this.#refusing.has(name);
  }

  /** The host that `name` means to `asking`. */
  resolve(name: string, asking: SimulatedHost): SimulatedHost | undefined {
    return ownNames.has(name) ? asking : this.#hosts.get(name);
  }

  drawLatencyMs(): number {
    const { min, max } = this.#latencyMs;
    return min + ((max - min) * this.random.u32()) / 0x1_0000_0000;
  }

  isBlocked(from: string, to: string): boolean {
    return this.#blocked.has(wayName(from, to));
  }

  waitForHeal(lane: Lane): void {
    this.#waiting.add(lane);
  }

  #retryWaiting(): void {
    const lanes = [...this.#waiting];
    this.#waiting.clear();
    for (const lane of lanes) lane.retry();
  }
}

/** What one process on a host sees of the network. */
export class SimulatedHost implements Network {
  readonly name: string;
  readonly clock: Clock;
  readonly #network: SimulatedNetwork;
  readonly #accepts = new Map<number, (connection: Connection) => void>();
  readonly #connections = new Map<SimulatedConnection, string>();
  readonly #vanished: SimulatedConnection[] = [];
  #state: "alive" | "killed" | "powerless" = "alive";
  #nextPort = firstEphemeralPort;

  constructor(name: string, network: SimulatedNetwork, clock: Clock) {
    this.name = name;
    this.clock = clock;
    this.#network = network;
  }

  get alive(): boolean {
    return this.#state === "alive";
  }

  async listen(address: Address, accept: (connection: Connection) => void): Promise<Listener> {
    assert(this.alive, `the process on host "${this.name}" is dead`);
    const port = address.port === 0 ? this.#freePort() : address.port;
    if (this.#accepts.has(port)) throw new NetworkError("EADDRINUSE", "listen", address);
    this.#accepts.set(port, accept);
    await new Promise<void>((resolve) => this.clock.soon(resolve));
    return {
      address: { host: address.host, port },
      close: () => {
        if (this.#accepts.get(port) === accept) this.#accepts.delete(port);
        return Promise.resolve();
      },
    };
  }

  connect(address: Address): Promise<Connection> {
    assert(this.alive, `the process on host "${this.name}" is dead`);
    const network = this.#network;
    const target = network.resolve(address.host, this);
    return new Promise((resolve, reject) => {
      const fail = (code: string): void =>
        this.clock.soon(() => reject(new NetworkError(code, "connect", address)));
      if (target === undefined) return fail("ENOTFOUND");
      const out = new Lane(network, this.name, target.name);
      const back = new Lane(network, target.name, this.name);
      const end = this.#newEnd(address, target.name, out);
      const timer = network.clock.after(network.connectTimeoutMs, () => {
        end.abandon();
        fail("ETIMEDOUT");
      });
      out.send(() => {
        // Who answers is decided on arrival: the process may be another by now.
        const accepted = network.resolve(address.host, this)?.accept(address.port, this.name, back);
        if (accepted === "silent") return;
        if (accepted instanceof SimulatedConnection) SimulatedConnection.join(end, accepted);
        back.send(() => {
          timer.cancel();
          if (accepted instanceof SimulatedConnection) return this.clock.soon(() => resolve(end));
          end.abandon();
          fail("ECONNREFUSED");
        });
      });
    });
  }

  /** A connect arrives: the new connection's end here, a refusal, or no answer from a machine without power. */
  accept(port: number, from: string, lane: Lane): SimulatedConnection | "refused" | "silent" {
    if (this.#state === "powerless") return "silent";
    const accept = this.#accepts.get(port);
    if (accept === undefined || this.#network.isRefusing(this.name)) return "refused";
    const end = this.#newEnd({ host: from, port: this.#freePort() }, from, lane);
    this.clock.soon(() => accept(end));
    return end;
  }

  connectionsTo(name: string): SimulatedConnection[] {
    return [...this.#connections].filter(([, to]) => to === name).map(([end]) => end);
  }

  /** The process dies and the machine lives: its kernel ends the connections, the process is told nothing more. */
  kill(): void {
    if (this.#state === "alive") this.#state = "killed";
    for (const end of this.#connections.keys()) end.abandon();
    this.#accepts.clear();
  }

  /** The machine loses its power: peers learn nothing until a next process runs here and they send. */
  powerOff(): void {
    this.#state = "powerless";
    for (const end of this.#connections.keys()) {
      end.vanish();
      this.#vanished.push(end);
    }
    this.#accepts.clear();
  }

  /** The machine of this dead process runs again. */
  reappear(): void {
    for (const end of this.#vanished) end.reappear();
  }

  #newEnd(remote: Address, to: string, lane: Lane): SimulatedConnection {
    const network = this.#network;
    const end = new SimulatedConnection({
      kernelClock: network.clock,
      ownerClock: this.clock,
      random: network.random,
      remote,
      lane,
      windowBytes: network.windowBytes,
      splitProbability: network.splitProbability,
      cutProbability: network.cutProbability,
      onClosed: (closed) => void this.#connections.delete(closed),
    });
    this.#connections.set(end, to);
    return end;
  }

  #freePort(): number {
    while (this.#accepts.has(this.#nextPort)) this.#nextPort++;
    return this.#nextPort++;
  }
}

function wayName(from: string, to: string): string {
  return `${from} > ${to}`;
}
