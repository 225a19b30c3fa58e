/** `truba bench`: load on a running node over RESP, and how long each request took. */
import { systemErrorCode, errorText } from "../base/errors.ts";
import type { Network } from "../base/network.ts";
import { randomBelow } from "../base/random.ts";
import { SeededRandom } from "../base/seeded-random.ts";
import { RespError } from "../protocol/resp-reply.ts";
import type { RespReply } from "../protocol/resp-reply.ts";
import { encodeRequest } from "../protocol/resp-request-writer.ts";
import { addressText } from "./address.ts";
import { parseBenchOptions } from "./bench-options.ts";
import type { BenchOptions, BenchTest, BenchTexts } from "./bench-options.ts";
import { CommandFailure } from "./command-failure.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { jsonLine, Progress, tableText } from "./output.ts";
import { networkOf, tokenOf } from "./reach.ts";
import type { ReachFlags } from "./reach-flags.ts";
import { RespConnection } from "./resp-connection.ts";

/** How the node is reached. */
interface Reach {
  readonly network: Network;
  readonly token: string | undefined;
}

/** Without any answer for so long, the node counts as gone. */
const silenceMaxMs = 30_000;
const connectAtOnce = 128;

interface BenchResult {
  readonly test: BenchTest;
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** GETs that found no record. */
  readonly misses: number;
  /** Error replies by code. */
  readonly errors: Readonly<Record<string, number>>;
}

/** Exit code 1 when the node answered with errors. Throws CommandFailure for bad options, and when the node cannot be reached or goes away. */
export async function runBench(texts: BenchTexts & ReachFlags): Promise<void> {
  const options = parseBenchOptions(texts);
  const reach: Reach = { network: networkOf(texts), token: tokenOf(texts) };
  const results: BenchResult[] = [];
  for (const test of options.tests) results.push(await new Load(options, test, reach).run());
  if (results.some(({ errors }) => Object.keys(errors).length > 0)) process.exitCode = 1;
  if (!options.json) {
    process.stdout.write(resultsText(results));
    return;
  }
  const { connections, pipeline, valueBytes, keys } = options;
  const address = addressText(options.address);
  process.stdout.write(jsonLine({ address, connections, pipeline, valueBytes, keys, results }));
}

/** One test: all its connections, each with up to `pipeline` requests in flight, until all requests are answered. */
class Load {
  readonly #options: BenchOptions;
  readonly #reach: Reach;
  readonly #test: BenchTest;
  readonly #histogram = new LatencyHistogram();
  readonly #requests: RequestMaker;
  readonly #errors = new Map<string, number>();
  readonly #lanes: Lane[] = [];
  #unsent: number;
  #answered = 0;
  #misses = 0;
  #heardMs = performance.now();
  #finish: (reason?: string) => void = () => {};

  constructor(options: BenchOptions, test: BenchTest, reach: Reach) {
    this.#options = options;
    this.#reach = reach;
    this.#test = test;
    this.#unsent = options.requests;
    this.#requests = new RequestMaker(options, test);
  }

  async run(): Promise<BenchResult> {
    const progress = new Progress(this.#test, process.stderr);
    try {
      await this.#connect();
      const started = performance.now();
      this.#heardMs = started;
      await this.#answers(progress);
      return this.#result((performance.now() - started) / 1_000);
    } finally {
      progress.finish();
      for (const lane of this.#lanes) lane.close();
    }
  }

  async #connect(): Promise<void> {
    const { connections, address } = this.#options;
    const end = (reason: string): void => this.#finish(reason);
    try {
      while (this.#lanes.length < connections) {
        const count = Math.min(connectAtOnce, connections - this.#lanes.length);
        const lanes = Array.from({ length: count }, () => new Lane(this, end));
        this.#lanes.push(...lanes);
        await Promise.all(lanes.map((lane) => lane.connect(this.#reach, address)));
      }
    } catch (error) {
      const hint =
        systemErrorCode(error) === "EMFILE"
          ? `; ${connections} connections need a higher limit of open files (ulimit -n)`
          : "";
      throw new CommandFailure(`${addressText(address)}: ${errorText(error)}${hint}`);
    }
  }

  #answers(progress: Progress): Promise<void> {
    const { address, requests } = this.#options;
    return new Promise((resolve, reject) => {
      const watch = setInterval(() => {
        progress.update(this.#answered, requests);
        const silentMs = performance.now() - this.#heardMs;
        if (silentMs > silenceMaxMs)
          this.#finish(`no answer for ${Math.round(silentMs / 1_000)} s`);
      }, 100);
      this.#finish = (reason) => {
        clearInterval(watch);
        if (reason === undefined) resolve();
        else reject(new CommandFailure(`${addressText(address)}: ${reason}`));
      };
      for (const lane of this.#lanes) lane.fill(this.#options.pipeline);
    });
  }

  /** The next `count` requests as bytes, or fewer when few are left. */
  take(count: number): { readonly bytes: Buffer; readonly count: number } | undefined {
    const taken = Math.min(count, this.#unsent);
    if (taken === 0) return undefined;
    this.#unsent -= taken;
    return { bytes: this.#requests.make(taken), count: taken };
  }

  answered(reply: RespReply, ms: number): void {
    this.#histogram.record(ms);
    this.#answered++;
    if (reply === null) this.#misses++;
    else if (reply instanceof RespError)
      this.#errors.set(reply.code, (this.#errors.get(reply.code) ?? 0) + 1);
  }

  arrived(nowMs: number): void {
    this.#heardMs = nowMs;
    if (this.#answered === this.#options.requests) this.#finish();
  }

  #result(seconds: number): BenchResult {
    const { requests } = this.#options;
    const histogram = this.#histogram;
    return {
      test: this.#test,
      requests,
      seconds: Number(seconds.toFixed(3)),
      perSecond: Math.round(requests / seconds),
      p50Ms: histogram.percentileMs(0.5),
      p99Ms: histogram.percentileMs(0.99),
      p999Ms: histogram.percentileMs(0.999),
      maxMs: histogram.maxMs,
      misses: this.#misses,
      errors: Object.fromEntries(this.#errors),
    };
  }
}

/** One connection. Keeps when each request in flight was sent: they are answered in their order. */
class Lane {
  readonly #load: Load;
  readonly #end: (reason: string) => void;
  readonly #sent: number[] = [];
  #oldest = 0;
  #answered = 0;
  #connection: RespConnection | undefined;

  constructor(load: Load, end: (reason: string) => void) {
    this.#load = load;
    this.#end = end;
  }

  async connect({ network, token }: Reach, address: BenchOptions["address"]): Promise<void> {
    let nowMs = 0;
    let login: ((answer: RespReply | Error) => void) | undefined;
    this.#connection = await RespConnection.connect(network, address, {
      reply: (value) => {
        if (login !== undefined) {
          login(value);
          login = undefined;
          return;
        }
        nowMs = performance.now();
        this.#load.answered(value, nowMs - (this.#sent[this.#oldest++] ?? nowMs));
        this.#answered++;
      },
      arrived: () => {
        const room = this.#answered;
        this.#answered = 0;
        this.fill(room);
        this.#load.arrived(nowMs);
      },
      closed: (reason) => {
        if (login === undefined) this.#end(reason);
        else login(new Error(reason));
      },
    });
    if (token === undefined) return;
    const answered = new Promise<RespReply | Error>((resolve) => (login = resolve));
    this.#connection.send(encodeRequest(["AUTH", token]));
    const answer = await answered;
    if (answer instanceof RespError) throw new Error(`${answer.code} ${answer.text}`);
    if (answer instanceof Error) throw answer;
  }

  fill(room: number): void {
    const next = this.#load.take(room);
    if (next === undefined) return;
    if (this.#oldest === this.#sent.length) {
      this.#sent.length = 0;
      this.#oldest = 0;
    } else if (this.#oldest > 4_096) {
      this.#sent.splice(0, this.#oldest);
      this.#oldest = 0;
    }
    const nowMs = performance.now();
    for (let i = 0; i < next.count; i++) this.#sent.push(nowMs);
    this.#connection?.send(next.bytes);
  }

  close(): void {
    this.#connection?.close();
  }
}

const keyStart = "00000000-0000-4000-8000-";
const keyDigits = 12;

/** Requests from templates in which only the key changes. Keys and the mix follow from a fixed seed, so that runs are alike. */
class RequestMaker {
  readonly #random = new SeededRandom(1);
  readonly #test: BenchTest;
  readonly #keys: number;
  readonly #set: Buffer;
  readonly #get: Buffer;
  readonly #setDigits: number;
  readonly #getDigits: number;

  constructor({ keys, valueBytes }: BenchOptions, test: BenchTest) {
    this.#test = test;
    this.#keys = keys;
    const key = keyStart + "0".repeat(keyDigits);
    this.#set = encodeRequest(["SET", key, Buffer.alloc(valueBytes, "x")]);
    this.#get = encodeRequest(["GET", key]);
    this.#setDigits = this.#set.indexOf(keyStart) + keyStart.length;
    this.#getDigits = this.#get.indexOf(keyStart) + keyStart.length;
  }

  make(count: number): Buffer {
    const pieces: Buffer[] = [];
    for (let i = 0; i < count; i++) {
      const writes =
        this.#test === "set" || (this.#test === "mixed" && randomBelow(this.#random, 2) === 0);
      const request = Buffer.from(writes ? this.#set : this.#get);
      const digits = writes ? this.#setDigits : this.#getDigits;
      const key = randomBelow(this.#random, this.#keys).toString().padStart(keyDigits, "0");
      request.write(key, digits, "latin1");
      pieces.push(request);
    }
    return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
  }
}

function resultsText(results: readonly BenchResult[]): string {
  const numbers = ["requests", "seconds", "per second", "p50 ms", "p99 ms", "p99.9 ms", "max ms"];
  const columns = [
    { title: "test" },
    ...numbers.map((title) => ({ title, align: "right" as const })),
    { title: "" },
  ];
  const rows = results.map((result) => [
    result.test,
    result.requests,
    result.seconds,
    result.perSecond,
    result.p50Ms,
    result.p99Ms,
    result.p999Ms,
    result.maxMs,
    remarks(result),
  ]);
  return tableText(columns, rows);
}

function remarks({ misses, errors }: BenchResult): string {
  const parts = Object.entries(errors).map(([code, count]) => `${count} × ${code}`);
  if (misses > 0) parts.push(`${misses} not found`);
  return parts.join(", ");
}
