/**
 * One end of a simulated TCP connection.
 *
 *     write ──► out ──window──► kernel ──next turn, cut into pieces──► lane ──► the peer's inbox ──► data
 *                                                                       ◄── credit when the peer has taken it
 *
 * `out` is what `bufferedBytes` counts. A peer that pauses gives no credit, the window closes and `out` grows.
 */
import { assert } from "../src/base/assert.ts";
import type { Clock } from "../src/base/clock.ts";
import type { Address, Connection, ConnectionEvents } from "../src/base/network.ts";
import { chance, randomBelow } from "../src/base/random.ts";
import type { Random } from "../src/base/random.ts";
import type { Lane } from "./lane.ts";

/** Over it `drained` is told when all has gone. As Node's. */
const markBytes = 16_384;

export interface ConnectionOptions {
  /** The network's clock: the kernel goes on when the process is paused or dead. */
  readonly kernelClock: Clock;
  /** The owner's clock: its events wait while it is paused and end with it. */
  readonly ownerClock: Clock;
  readonly random: Random;
  readonly remote: Address;
  /** What goes to the peer. */
  readonly lane: Lane;
  readonly windowBytes: number;
  readonly splitProbability: number;
  readonly cutProbability: number;
  /** Called once when this end is over. */
  readonly onClosed: (end: SimulatedConnection) => void;
}

export class SimulatedConnection implements Connection {
  readonly remote: Address;
  readonly #options: ConnectionOptions;
  #peer: SimulatedConnection | undefined;
  #events: ConnectionEvents | undefined;
  #state: "open" | "closed" | "vanished" = "open";
  #closedTold = false;

  #out: Uint8Array[] = [];
  #outBytes = 0;
  #kernel: Uint8Array[] = [];
  #windowBytes: number;
  #corked = 0;
  #overMark = false;
  #ending = false;
  #finSent = false;
  #flushPlanned = false;

  #inbox: Uint8Array[] = [];
  /** Told to the owner and not yet given back to the peer as credit. */
  #takenBytes = 0;
  #paused = false;
  #finReceived = false;
  #endedTold = false;
  #deliveryPlanned = false;

  constructor(options: ConnectionOptions) {
    this.remote = options.remote;
    this.#options = options;
    this.#windowBytes = options.windowBytes;
  }

  /** Joins the two ends. */
  static join(a: SimulatedConnection, b: SimulatedConnection): void {
    a.#peer = b;
    b.#peer = a;
  }

  get bufferedBytes(): number {
    return this.#outBytes;
  }

  bind(events: ConnectionEvents): void {
    assert(this.#events === undefined, "a connection is bound once");
    this.#events = events;
    if (this.#state === "closed") this.#tellClosed();
    else this.#planDelivery();
  }

  writeText(text: string): void {
    this.writeBytes(Buffer.from(text, "latin1"));
  }

  writeBytes(bytes: Uint8Array): void {
    if (this.#state !== "open" || this.#ending || bytes.length === 0) return;
    this.#out.push(bytes);
    this.#outBytes += bytes.length;
    if (this.#outBytes >= markBytes) this.#overMark = true;
    this.#fillKernel();
  }

  cork(): void {
    this.#corked++;
  }

  uncork(): void {
    if (this.#corked > 0) this.#corked--;
    this.#fillKernel();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#planDelivery();
  }

  end(): void {
    if (this.#state !== "open") return;
    this.#ending = true;
    this.#corked = 0;
    this.#fillKernel();
    this.#planFlush();
  }

  destroy(): void {
    if (this.#state !== "open") return;
    this.#sendKernel();
    if (!this.#isOpen()) return;
    // A kernel answers with a reset for bytes that nobody will read.
    if (this.#inbox.length > 0) this.#sendReset();
    else if (!this.#finSent) this.#sendFin();
    this.#close("closed");
  }

  /** The owner died: as `destroy`, and nobody is told. */
  abandon(): void {
    this.#closedTold = true;
    this.destroy();
  }

  /** The machine lost its power: the peer learns nothing, until it sends and the machine is back. */
  vanish(): void {
    this.#closedTold = true;
    if (this.#state === "open") this.#close("vanished");
  }

  /** The vanished end's machine is back and knows nothing of the connection. */
  reappear(): void {
    if (this.#state === "vanished") this.#state = "closed";
  }

  /** The connection breaks: both ends are told, what is under way is lost. */
  cut(): void {
    this.#peer?.receiveReset();
    this.receiveReset();
  }

  receiveReset(): void {
    if (this.#state !== "open") return;
    this.#inbox = [];
    this.#close("closed");
  }

  /** Called by the peer's lane, as the next two. */
  receive(chunk: Uint8Array): void {
    if (this.#state === "closed") return this.#sendReset();
    if (this.#state === "vanished") return;
    this.#inbox.push(chunk);
    this.#planDelivery();
  }

  receiveFin(): void {
    if (this.#state !== "open") return;
    this.#finReceived = true;
    this.#planDelivery();
  }

  receiveCredit(bytes: number): void {
    this.#windowBytes += bytes;
    if (this.#state === "open") this.#fillKernel();
  }

  /** A method, since the compiler takes a field for unchanged by the calls between two looks at it. */
  #isOpen(): boolean {
    return this.#state === "open";
  }

  /** Moves what the window lets through from the process to the kernel. */
  #fillKernel(): void {
    if (this.#corked > 0) return;
    while (this.#windowBytes > 0) {
      const first = this.#out[0];
      if (first === undefined) break;
      const taken = first.subarray(0, this.#windowBytes);
      if (taken.length === first.length) this.#out.shift();
      else this.#out[0] = first.subarray(taken.length);
      this.#kernel.push(taken);
      this.#windowBytes -= taken.length;
      this.#outBytes -= taken.length;
    }
    if (this.#kernel.length > 0) this.#planFlush();
    if (this.#outBytes > 0 || !this.#overMark) return;
    this.#overMark = false;
    this.#tell((events) => events.drained());
  }

  #planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    this.#options.kernelClock.soon(() => {
      this.#flushPlanned = false;
      if (!this.#isOpen()) return;
      this.#sendKernel();
      if (!this.#isOpen() || !this.#ending || this.#finSent || this.#outBytes > 0) return;
      this.#sendFin();
      this.#closeWhenBothEnded();
    });
  }

  /** Sends what the kernel holds, in pieces that have nothing to do with how it was written. */
  #sendKernel(): void {
    const { random, lane, splitProbability, cutProbability } = this.#options;
    if (this.#kernel.length === 0) return;
    const bytes = new Uint8Array(Buffer.concat(this.#kernel));
    this.#kernel = [];
    for (let done = 0; done < bytes.length;) {
      const left = bytes.length - done;
      const length = chance(random, splitProbability) ? 1 + randomBelow(random, left) : left;
      const piece = bytes.subarray(done, done + length);
      lane.send(() => this.#peer?.receive(piece));
      done += length;
    }
    if (cutProbability > 0 && chance(random, cutProbability)) this.cut();
  }

  #sendFin(): void {
    this.#finSent = true;
    this.#options.lane.send(() => this.#peer?.receiveFin());
  }

  #sendReset(): void {
    this.#options.lane.send(() => this.#peer?.receiveReset());
  }

  #planDelivery(): void {
    if (this.#deliveryPlanned || this.#events === undefined) return;
    this.#deliveryPlanned = true;
    this.#options.ownerClock.soon(() => {
      this.#deliveryPlanned = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const { random, splitProbability } = this.#options;
    if (this.#inbox.length > 1 && !chance(random, splitProbability)) {
      this.#inbox = [new Uint8Array(Buffer.concat(this.#inbox))];
    }
    while (this.#isOpen() && !this.#paused) {
      const chunk = this.#inbox.shift();
      if (chunk === undefined) break;
      this.#giveCredit(chunk.length);
      this.#events?.data(chunk);
    }
    if (!this.#isOpen() || this.#inbox.length > 0 || this.#paused) return;
    if (!this.#finReceived || this.#endedTold) return;
    this.#endedTold = true;
    this.#events?.ended();
    this.#closeWhenBothEnded();
  }

  /** In large steps: a credit for each piece would cut the next ones into ever smaller pieces (RFC 9293, 3.8.6.2.2). */
  #giveCredit(takenBytes: number): void {
    const { lane, windowBytes } = this.#options;
    this.#takenBytes += takenBytes;
    if (this.#takenBytes < windowBytes / 4) return;
    const bytes = this.#takenBytes;
    this.#takenBytes = 0;
    lane.send(() => this.#peer?.receiveCredit(bytes));
  }

  #closeWhenBothEnded(): void {
    if (this.#finSent && this.#endedTold && this.#state === "open") this.#close("closed");
  }

  #close(state: "closed" | "vanished"): void {
    this.#state = state;
    this.#out = [];
    this.#outBytes = 0;
    this.#kernel = [];
    this.#options.onClosed(this);
    this.#tellClosed();
  }

  #tellClosed(): void {
    if (this.#closedTold || this.#events === undefined) return;
    this.#closedTold = true;
    const events = this.#events;
    this.#options.ownerClock.soon(() => events.closed());
  }

  /** Unless the connection is over by then. */
  #tell(tell: (events: ConnectionEvents) => void): void {
    this.#options.ownerClock.soon(() => {
      if (this.#state === "open" && this.#events !== undefined) tell(this.#events);
    });
  }
}
