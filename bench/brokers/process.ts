/**
 * The process in which one client runs, so that no client shares a heap, a compiler or an event loop with another; and the other end of it. One job at a time goes
 * in, its milliseconds come out.
 */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { unreachable } from "../../src/base/assert.ts";
import type { BrokerName, RunningServer } from "../servers.ts";
import type { Broker, Tasks } from "./broker.ts";

/** What a client is asked to do, as {@link Broker} describes. */
export type Job =
  | { readonly kind: "connect"; readonly server: RunningServer }
  | { readonly kind: "make"; readonly queue: string; readonly priorities: boolean }
  | ({ readonly kind: "push" | "bulk" } & Tasks)
  | { readonly kind: "consume" | "work"; readonly queue: string; readonly count: number }
  | { readonly kind: "sessions"; readonly count: number; readonly bytes: number }
  | { readonly kind: "pop"; readonly queue: string }
  | { readonly kind: "close" };

type Answer = { readonly ms: number } | { readonly error: string };

/** Runs jobs for one server, in a process of their own. */
export class BrokerProcess {
  readonly #child: ChildProcess;
  readonly pid: number;

  private constructor(child: ChildProcess, pid: number) {
    this.#child = child;
    this.pid = pid;
  }

  /** Resolves when the process takes jobs; its first must be `connect`. `nodeOptions` come before the program, for profiles. */
  static async start(
    name: BrokerName,
    nodeOptions: readonly string[] = [],
  ): Promise<BrokerProcess> {
    const child = fork(fileURLToPath(import.meta.url), [name], {
      execArgv: ["--import", "tsx", ...nodeOptions],
    });
    const gone = once(child, "exit").then(([code]) => {
      throw new Error(`the client of ${name} ended with ${String(code)} before it was ready`);
    });
    await Promise.race([once(child, "message"), gone]);
    const { pid } = child;
    if (pid === undefined) throw new Error(`the client of ${name} has no process id`);
    return new BrokerProcess(child, pid);
  }

  /** Does one job and resolves to its milliseconds. Rejects with what it failed of. */
  async ask(job: Job): Promise<number> {
    const answered = new Promise<Answer>((resolve, reject) => {
      const ended = (): void => reject(new Error("the client's process ended"));
      this.#child.once("exit", ended);
      this.#child.once("message", (answer) => {
        this.#child.off("exit", ended);
        resolve(answer as Answer);
      });
    });
    this.#child.send(job);
    const answer = await answered;
    if ("error" in answer) throw new Error(`${job.kind}: ${answer.error}`);
    return answer.ms;
  }

  /** Ends the process. Its server may be gone already. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    await this.ask({ kind: "close" }).catch(() => this.#child.kill("SIGKILL"));
    await ended;
  }
}

/** Loads the one client that this process is for. */
async function connectTo(name: BrokerName, { port, program }: RunningServer): Promise<Broker> {
  switch (name) {
    case "truba":
      return (await import("./truba.ts")).TrubaBroker.connect(port, program);
    case "bullmq":
      return (await import("./bullmq.ts")).BullMqBroker.connect(port);
    case "rabbitmq":
      return (await import("./rabbitmq.ts")).RabbitMqBroker.connect(port);
    case "beanstalkd":
      return (await import("./beanstalkd.ts")).BeanstalkdBroker.connect(port);
    default:
      return unreachable(name);
  }
}

/** The jobs of one client, in its own process. */
class Runner {
  readonly #name: BrokerName;
  #broker: Broker | undefined;

  constructor(name: BrokerName) {
    this.#name = name;
  }

  async run(job: Job): Promise<number> {
    const start = performance.now();
    if (job.kind === "connect") {
      this.#broker = await connectTo(this.#name, job.server);
      return performance.now() - start;
    }
    const ms = await this.#ask(job);
    return ms ?? performance.now() - start;
  }

  async #ask(job: Exclude<Job, { kind: "connect" }>): Promise<number | undefined> {
    const broker = this.#broker;
    if (broker === undefined) throw new Error(`${job.kind} before connect`);
    switch (job.kind) {
      case "make":
        await broker.make(job.queue, job.priorities);
        return undefined;
      case "push":
        return broker.push(job);
      case "bulk":
        return broker.pushBulk(job);
      case "consume":
        return broker.consume(job.queue, job.count);
      case "work":
        return this.#able(broker.work?.(job.queue, job.count), job);
      case "sessions":
        return this.#able(broker.sessions?.(job.count, job.bytes), job);
      case "pop":
        await this.#able(broker.popOne?.(job.queue), job);
        return undefined;
      case "close":
        await broker.close();
        return undefined;
      default:
        return unreachable(job);
    }
  }

  #able<T>(done: Promise<T> | undefined, job: Job): Promise<T> {
    if (done === undefined) throw new Error(`${this.#name} cannot do ${job.kind}`);
    return done;
  }
}

function tell(message: Answer): void {
  process.send?.(message);
}

function serveJobs(name: BrokerName): void {
  const runner = new Runner(name);
  process.on("message", (message) => {
    const job = message as Job;
    runner
      .run(job)
      .then(
        (ms) => tell({ ms }),
        (error: unknown) =>
          tell({
            error: error instanceof Error ? (error.stack ?? error.message) : String(error),
          }),
      )
      .finally(() => {
        // Whatever a client leaves open must not keep it.
        if (job.kind === "close") setImmediate(() => process.exit());
      });
  });
  // A client that is left alone has nothing to do.
  process.on("disconnect", () => process.exit());
  tell({ ms: 0 });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serveJobs(process.argv[2] as BrokerName);
