/**
 * Documents of three real nodes on this machine, each with its disk, all linked to each other: transactions per second, and how long it takes from the moment a
 * patch is sent until every node shows it. Writers take the nodes in turn; what is shown is what a plain connection of `/ws` is told, which is durable there.
 *
 *     npm run build && node --import tsx bench/documents-cluster.ts [--writers 1,16,64] [--seconds N] [--rounds N] [--dir DIR] [--json FILE] [--source]
 *
 * `--source` runs Truba from src/ by way of tsx, to see that it works; its figures prove nothing.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WebSocket } from "ws";
import { must } from "../src/base/assert.ts";
import { CpuWatch, describeMachine, percentile, spread } from "./measure.ts";
import { QUIET_PERCENT, grouped, machineReport, markdownTable } from "./table.ts";

const nodeCount = 3;
const keys = 480;
/** Before the figures count. */
const warmUpMs = 1_500;
const startMaxMs = 30_000;
const settleMaxMs = 20_000;
const repository = fileURLToPath(new URL("..", import.meta.url));

const { values } = parseArgs({
  options: {
    writers: { type: "string", default: "1,16,64" },
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "3" },
    dir: { type: "string", default: tmpdir() },
    json: { type: "string" },
    source: { type: "boolean", default: false },
  },
});

interface Sample {
  readonly writers: number;
  readonly perSecond: number;
  /** Milliseconds from sending to the answer, and to the last node that shows it. */
  readonly answered: { readonly p50: number; readonly p99: number };
  readonly visible: { readonly p50: number; readonly p99: number };
  readonly otherPercent: number;
}

interface RunningNode {
  readonly child: ChildProcess;
  readonly http: number;
}

/** A patch under way. */
interface Write {
  readonly sentMs: number;
  /** Nodes that have not shown it. */
  left: number;
}

class Trial {
  readonly #nodes: readonly RunningNode[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });
  readonly #sockets: WebSocket[] = [];
  readonly #open = new Map<string, Write>();
  #next = 0;
  #counting = false;
  #answered: number[] = [];
  #visible: number[] = [];
  /** All writes that every node has shown. */
  shown = 0;

  constructor(nodes: readonly RunningNode[]) {
    this.#nodes = nodes;
  }

  /** Listens at every node. */
  async watch(): Promise<void> {
    for (const { http } of this.#nodes) {
      const socket = new WebSocket(`ws://127.0.0.1:${http}/ws`);
      this.#sockets.push(socket);
      socket.on("message", (data: Buffer) => this.#told(data.toString()));
      await new Promise<void>((resolve, reject) => {
        socket.once("open", resolve);
        socket.once("error", reject);
      });
    }
  }

  /** A patch of each node has come everywhere: the links are up. */
  async greet(): Promise<void> {
    for (let node = 0; node < this.#nodes.length; node++) await this.#writeOne(node);
    await this.#settled();
  }

  async run(writers: number, ms: number): Promise<Sample> {
    this.#answered = [];
    this.#visible = [];
    const end = performance.now() + warmUpMs + ms;
    const all = Array.from({ length: writers }, (_, writer) => this.#write(writer, end));
    await sleep(warmUpMs);
    const cpu = new CpuWatch(undefined);
    const used = this.#nodes.map(({ child }) => new CpuWatch(must(child.pid)));
    const shownBefore = this.shown;
    const start = performance.now();
    this.#counting = true;
    await sleep(ms);
    this.#counting = false;
    const perSecond = ((this.shown - shownBefore) / (performance.now() - start)) * 1_000;
    const servers = used.reduce((sum, watch) => sum + watch.read().server, 0);
    const otherPercent = cpu.read().other - servers;
    await Promise.all(all);
    await this.#settled();
    return {
      writers,
      perSecond,
      answered: percentiles(this.#answered),
      visible: percentiles(this.#visible),
      otherPercent,
    };
  }

  close(): void {
    this.#agent.destroy();
    for (const socket of this.#sockets) socket.terminate();
  }

  /** Every patch has a word of its own, by which it is known again. */
  #told(text: string): void {
    const word = /bench-\d+/.exec(text)?.[0];
    const write = word === undefined ? undefined : this.#open.get(word);
    if (word === undefined || write === undefined) return;
    write.left--;
    if (write.left > 0) return;
    this.#open.delete(word);
    this.shown++;
    if (this.#counting) this.#visible.push(performance.now() - write.sentMs);
  }

  async #write(writer: number, end: number): Promise<void> {
    while (performance.now() < end) await this.#writeOne(writer);
  }

  async #writeOne(writer: number): Promise<void> {
    const number = ++this.#next;
    const word = `bench-${number}`;
    const write = { sentMs: performance.now(), left: this.#nodes.length };
    this.#open.set(word, write);
    await this.#patch(writer, `[{"op":"add","path":"/k${number % keys}","value":"${word}"}]`);
    if (this.#counting) this.#answered.push(performance.now() - write.sentMs);
  }

  /** Resolves when it is durable at the node. */
  #patch(writer: number, body: string): Promise<void> {
    const { http } = must(this.#nodes[writer % this.#nodes.length]);
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          agent: this.#agent,
          host: "127.0.0.1",
          port: http,
          method: "PATCH",
          path: "/v1/documents/default",
          headers: {
            "content-type": "application/json-patch+json",
            "content-length": Buffer.byteLength(body),
          },
        },
        (answer) => {
          answer.on("error", reject);
          answer.on("end", () => {
            if (answer.statusCode === 200) resolve();
            else reject(new Error(`a patch was answered with ${answer.statusCode}`));
          });
          answer.resume();
        },
      );
      sent.on("error", reject);
      sent.end(body);
    });
  }

  async #settled(): Promise<void> {
    const end = performance.now() + settleMaxMs;
    while (this.#open.size > 0) {
      if (performance.now() > end)
        throw new Error(
          `${this.#open.size} patches are not shown everywhere after ${settleMaxMs} ms`,
        );
      await sleep(10);
    }
  }
}

function percentiles(times: readonly number[]): { readonly p50: number; readonly p99: number } {
  const sorted = Float64Array.from(times).sort();
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
}

/** Killed with this process, whatever happens to it. */
async function startNodes(directory: string): Promise<RunningNode[]> {
  const ports = await freePorts(2 * nodeCount);
  const http = ports.slice(nodeCount);
  const nodes: RunningNode[] = [];
  for (let node = 0; node < nodeCount; node++) {
    const data = join(directory, `node-${node}`);
    mkdirSync(data);
    const peers = http.filter((port) => port !== http[node]).map((port) => `127.0.0.1:${port}`);
    const program = values.source
      ? ["--import", "tsx", "src/cli/main.ts"]
      : [join(repository, "dist/cli/main.js")];
    const flags = ["serve", "--data", data, "--listen", `127.0.0.1:${ports[node]}`];
    const more = [
      "--log-level",
      "warn",
      "--http",
      `127.0.0.1:${http[node]}`,
      "--name",
      `bench-node-${node}`,
    ];
    const child = spawn(
      process.execPath,
      [...program, ...flags, ...more, "--document-peers", peers.join(",")],
      { cwd: repository, stdio: ["ignore", "pipe", "inherit"] },
    );
    process.once("exit", () => child.kill("SIGKILL"));
    await ready(child);
    nodes.push({ child, http: must(http[node]) });
  }
  return nodes;
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("a node was not ready")), startMaxMs);
    createInterface({ input: must(child.stdout ?? undefined) }).on("line", (line) => {
      if (!/\bready\b/.test(line)) return;
      clearTimeout(timer);
      resolve();
    });
    child.once("exit", (code) => reject(new Error(`a node ended with ${code}`)));
  });
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const address = server.address();
    if (address !== null && typeof address === "object") ports.push(address.port);
  }
  for (const server of servers) server.close();
  return ports;
}

const directory = mkdtempSync(join(values.dir, "truba-documents-"));
const samples: Sample[] = [];
let nodes: readonly RunningNode[] = [];
try {
  console.log(machineReport(describeMachine(values.dir)));
  nodes = await startNodes(directory);
  const trial = new Trial(nodes);
  await trial.watch();
  await trial.greet();
  for (let round = 0; round < Number(values.rounds); round++)
    for (const writers of values.writers.split(",").map(Number)) {
      const sample = await trial.run(writers, Number(values.seconds) * 1_000);
      process.stderr.write(`${JSON.stringify(sample)}\n`);
      samples.push(sample);
    }
  trial.close();
} finally {
  for (const { child } of nodes) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}

const rows = [
  ["writers", "transactions/s", "answer p50 / p99 ms", "visible everywhere p50 / p99 ms", "other"],
];
for (const writers of new Set(samples.map((sample) => sample.writers))) {
  const of = samples.filter((sample) => sample.writers === writers);
  const middle = (value: (sample: Sample) => number): number => spread(of.map(value)).median;
  const { min, max, median } = spread(of.map(({ perSecond }) => perSecond));
  const other = middle(({ otherPercent }) => otherPercent);
  const pair = (name: "answered" | "visible"): string =>
    `${middle((sample) => sample[name].p50).toFixed(2)} / ${middle((sample) => sample[name].p99).toFixed(2)}`;
  rows.push([
    String(writers),
    `${other > QUIET_PERCENT ? "~" : ""}${grouped(median)} [${grouped(min)}-${grouped(max)}]`,
    pair("answered"),
    pair("visible"),
    `${other.toFixed(0)} %`,
  ]);
}
console.log(`\n${markdownTable(rows)}`);
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(samples, null, 2));
