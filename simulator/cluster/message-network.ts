/**
 * The network between the hosts of a simulated cluster, as datagrams: each may be lost, doubled, late, or overtaken by later ones. A clogged path holds
 * what is sent on it until it is free; a blocked one loses it.
 */
import { must } from "../../src/base/assert.ts";
import type { Clock } from "../../src/base/clock.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import type { Trace } from "./trace.ts";

/** How the network is between all hosts. */
export interface Weather {
  /** One way; beyond it an exponential delay of the mean. */
  readonly delayMinMs: number;
  readonly delayMeanMs: number;
  /** 0 to below 1. */
  readonly loss: number;
  readonly duplication: number;
  /** What is sent later may arrive earlier. */
  readonly reorders: boolean;
}

export const fairWeather: Weather = {
  delayMinMs: 0.25,
  delayMeanMs: 0.25,
  loss: 0,
  duplication: 0,
  reorders: false,
};

interface Path {
  blocked: boolean;
  clogEndMs: number;
  lastArrivalMs: number;
}

/** Arrivals fall on whole eighths of a millisecond, so that many share an instant. */
const gridPerMs = 8;

export class MessageNetwork<Packet> {
  weather: Weather;
  sent = 0;
  delivered = 0;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #hosts: number;
  readonly #trace: Trace;
  readonly #deliver: (to: number, from: number, packet: Packet) => void;
  readonly #paths: Path[];

  constructor(parts: {
    clock: Clock;
    random: Random;
    hosts: number;
    weather: Weather;
    trace: Trace;
    deliver: (to: number, from: number, packet: Packet) => void;
  }) {
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#hosts = parts.hosts;
    this.#trace = parts.trace;
    this.#deliver = parts.deliver;
    this.weather = parts.weather;
    this.#paths = Array.from({ length: parts.hosts ** 2 }, () => ({
      blocked: false,
      clogEndMs: 0,
      lastArrivalMs: 0,
    }));
  }

  /** `lagMs`: how much later than now it is really sent. `packet` must be the network's own. */
  send(from: number, to: number, packet: Packet, lagMs: number): void {
    const { loss, duplication } = this.weather;
    const path = this.#path(from, to);
    const number = ++this.sent;
    const lost = path.blocked || (loss > 0 && chance(this.#random, loss));
    this.#trace.mix("message", from, to, number, lost ? 1 : 0);
    if (lost) return;
    this.#plan(path, from, to, packet, lagMs, number);
    if (duplication > 0 && chance(this.#random, duplication)) {
      // A second copy may come long after the first.
      const late = chance(this.#random, 0.1) ? randomBelow(this.#random, 2_000) : 0;
      this.#plan(path, from, to, packet, lagMs + late, number);
    }
  }

  /** Whether what is sent from one host to the other is lost. */
  isBlocked(from: number, to: number): boolean {
    return this.#path(from, to).blocked;
  }

  block(from: number, to: number): void {
    this.#path(from, to).blocked = true;
  }

  /** What is sent on the path arrives when `ms` have passed, or later. */
  clog(from: number, to: number, ms: number): void {
    this.#path(from, to).clogEndMs = this.#clock.monotonicMs() + ms;
  }

  /** Ends every blockade. */
  unblockAll(): void {
    for (const path of this.#paths) path.blocked = false;
  }

  /** Ends every blockade and every clog. What is under way arrives when it was going to. */
  heal(): void {
    this.unblockAll();
    for (const path of this.#paths) {
      path.clogEndMs = 0;
      // Nobody waits behind what a clog holds still.
      path.lastArrivalMs = 0;
    }
    this.weather = fairWeather;
  }

  #plan(path: Path, from: number, to: number, packet: Packet, lagMs: number, number: number): void {
    const now = this.#clock.monotonicMs();
    let arrivalMs = Math.max(now + lagMs, path.clogEndMs) + this.drawDelayMs(this.#random);
    if (!this.weather.reorders) arrivalMs = Math.max(arrivalMs, path.lastArrivalMs);
    arrivalMs = Math.ceil(arrivalMs * gridPerMs) / gridPerMs;
    path.lastArrivalMs = Math.max(path.lastArrivalMs, arrivalMs);
    this.#clock.after(arrivalMs - now, () => {
      // Cut off while it was under way.
      if (path.blocked) return;
      this.delivered++;
      this.#trace.mix("message", to, from, number, 2);
      this.#deliver(to, from, packet);
    });
  }

  /** One way, as the weather is. */
  drawDelayMs(random: Random): number {
    const { delayMinMs, delayMeanMs } = this.weather;
    const uniform = (random.u32() + 1) / 0x1_0000_0001;
    return delayMinMs - Math.log(uniform) * delayMeanMs;
  }

  #path(from: number, to: number): Path {
    return must(this.#paths[from * this.#hosts + to]);
  }
}
