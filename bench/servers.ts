/**
 * The servers that are compared, each with the one command that starts it, and their processes: started on a free port
 * with a folder of their own, stopped by process id, and gone when the benchmark ends, however it ends.
 */

import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { unreachable } from "../src/base/assert.ts";
import { redisVersion } from "./measure.ts";
import { RABBITMQ, RabbitMq } from "./rabbitmq.ts";
import { redisArguments } from "./redis.ts";

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));
const TRUBA = join(REPOSITORY, "dist/cli/main.js");
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Those that keep records, and those that keep tasks; `bullmq` is a Redis that nothing but BullMQ uses. */
export const STORES = ["bare", "redis", "truba"] as const;
export const BROKERS = ["truba", "bullmq", "rabbitmq", "beanstalkd"] as const;
export type BrokerName = (typeof BROKERS)[number];
export type ServerName = (typeof STORES)[number] | BrokerName;
/** Any kinds of sessions would do; without one there are no sessions. */
const CONFIGURATION = "sessions:\n  bench:\n    number: 1\n";

/** Why a server cannot take part here; undefined if it can. */
export function unavailable(name: ServerName): string | undefined {
  switch (name) {
    case "bare":
      return undefined;
    case "redis":
    case "bullmq":
      return redisVersion() === undefined ? "redis-server is not installed" : undefined;
    case "rabbitmq":
      return existsSync(RABBITMQ) ? undefined : `${RABBITMQ} is missing (Debian: rabbitmq-server)`;
    case "beanstalkd":
      return onPath("beanstalkd") ? undefined : "beanstalkd is not installed";
    case "truba":
      return existsSync(TRUBA) ? undefined : `${TRUBA} is missing; run \`npm run build\` first`;
    default:
      return unreachable(name);
  }
}

/** Reads `--servers bare,redis`. Throws on a name that is none of `known`, and if none is left; those that cannot run here are left out, with a word. */
export function chooseServers<Name extends ServerName>(
  list: string | undefined,
  known: readonly Name[],
  say: (line: string) => void,
): Name[] {
  const wanted =
    list === undefined ? known : list.split(",").map((word) => serverName(word, known));
  const able = wanted.filter((name) => {
    const reason = unavailable(name);
    if (reason !== undefined) say(`${name} is left out: ${reason}`);
    return reason === undefined;
  });
  if (able.length === 0) throw new Error("no server to measure");
  return able;
}

function serverName<Name extends ServerName>(word: string, known: readonly Name[]): Name {
  const name = known.find((one) => one === word.trim());
  if (name === undefined) throw new Error(`no server "${word}"; known are ${known.join(", ")}`);
  return name;
}

function onPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(join(folder, program)));
}

/** A server that has said it is ready. */
export interface RunningServer {
  readonly name: ServerName;
  readonly port: number;
  readonly pid: number;
  readonly data: string;
  /** What runs: a program of the PATH, or the path of one, which for Truba is a module of Node. */
  readonly program: string;
}

/** All that a benchmark has running, below one folder of its own. Call `close()` in the end, whatever happened. */
export class Arena {
  readonly directory: string;
  readonly #children = new Map<number, ChildProcess>();
  /** A signal ends the process by way of its "exit" event, where the servers are killed. */
  readonly #onSignal = (): void => process.exit(130);
  readonly #onExit = (): void => {
    for (const child of this.#children.values()) child.kill("SIGKILL");
    this.#removeDirectory();
  };
  readonly #trubaMain: string;
  #bare: string | undefined;
  #rabbitMq: Promise<RabbitMq> | undefined;
  #folders = 0;

  /** `parent` must lie on the disk to be measured; `trubaMain` is the program of another build of Truba. */
  constructor(parent = tmpdir(), trubaMain = TRUBA) {
    this.#trubaMain = trubaMain;
    this.directory = mkdtempSync(join(parent, "truba-bench-"));
    for (const signal of SIGNALS) process.once(signal, this.#onSignal);
    // Also on an error that nobody caught, EPIPE of a closed terminal among them: no server may stay behind.
    process.once("exit", this.#onExit);
  }

  /** Starts a server, on the folder of an earlier run or a fresh one. Rejects if it ends or is not ready in a minute. */
  async start(name: ServerName, data = this.#freshFolder(name)): Promise<RunningServer> {
    const port = await freePort();
    const environment =
      name === "rabbitmq" ? (await this.#erlang()).environment(data, port) : process.env;
    const { program, args } = this.#command(name, port, data);
    const isModule = program.endsWith(".js");
    const file = isModule ? process.execPath : program;
    const child = await this.#spawn(file, isModule ? [program, ...args] : args, data, environment);
    if (name === "beanstalkd") await untilConnected(child, port);
    else await waitForReady(name, child);
    return { name, port, pid: pidOf(child), data, program };
  }

  /** SIGTERM, and after ten seconds SIGKILL. */
  async stop(server: RunningServer): Promise<void> {
    const child = this.#children.get(server.pid);
    if (child === undefined) return;
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await this.#end(child, "SIGTERM");
    clearTimeout(timer);
  }

  /** kill -9: the server gets no chance to tidy up. */
  async kill(server: RunningServer): Promise<void> {
    const child = this.#children.get(server.pid);
    if (child !== undefined) await this.#end(child, "SIGKILL");
  }

  /** Stops a server and frees the disk space of its folder. */
  async remove(server: RunningServer): Promise<void> {
    await this.stop(server);
    rmSync(server.data, { recursive: true, force: true });
  }

  /** Kills what still runs and removes the folder. */
  async close(): Promise<void> {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
    process.off("exit", this.#onExit);
    await Promise.all([...this.#children.values()].map((child) => this.#end(child, "SIGKILL")));
    this.#removeDirectory();
  }

  async #spawn(
    file: string,
    args: readonly string[],
    cwd: string,
    environment: NodeJS.ProcessEnv,
  ): Promise<ChildProcess> {
    const child = spawn(file, args, { cwd, env: environment, stdio: ["ignore", "pipe", "pipe"] });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    const pid = pidOf(child);
    this.#children.set(pid, child);
    child.once("exit", () => this.#children.delete(pid));
    return child;
  }

  /** Erlang wants a process that maps names to ports; this one is ours and ends with us. */
  #erlang(): Promise<RabbitMq> {
    this.#rabbitMq ??= this.#startPortMapper();
    return this.#rabbitMq;
  }

  async #startPortMapper(): Promise<RabbitMq> {
    const ports = { mapper: await freePort(), distribution: await freePort() };
    const rabbitMq = new RabbitMq(this.directory, ports);
    const { file, args } = rabbitMq.portMapper;
    const child = await this.#spawn(file, args, this.directory, rabbitMq.shared);
    await untilConnected(child, ports.mapper);
    return rabbitMq;
  }

  #end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    return new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once("exit", () => resolve());
      child.kill(signal);
    });
  }

  /** A server just killed may still make a file while its folder is being emptied: hence the retries. */
  #removeDirectory(): void {
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  #freshFolder(name: ServerName): string {
    const path = join(this.directory, `${name}-${this.#folders++}`);
    mkdirSync(path);
    return path;
  }

  /** The commands of all servers, in one place. */
  #command(name: ServerName, port: number, data: string): { program: string; args: string[] } {
    switch (name) {
      case "bare":
        return { program: this.#translatedBareServer(), args: [String(port), data] };
      case "redis":
      case "bullmq":
        return { program: "redis-server", args: redisArguments(port, data) };
      case "truba":
        return { program: this.#trubaMain, args: this.#trubaArguments(port, data) };
      case "rabbitmq":
        return { program: RABBITMQ, args: [] };
      case "beanstalkd":
        // -f0: fsync after each change, before the answer.
        return {
          program: "beanstalkd",
          args: ["-l", "127.0.0.1", "-p", String(port), "-b", data, "-f0"],
        };
      default:
        return unreachable(name);
    }
  }

  #trubaArguments(port: number, data: string): string[] {
    const configuration = join(this.directory, "truba.yaml");
    if (!existsSync(configuration)) writeFileSync(configuration, CONFIGURATION);
    const where = ["--config", configuration, "--data", data];
    return ["serve", ...where, "--listen", `127.0.0.1:${port}`, "--http", "off"];
  }

  /** The bare server as plain JavaScript: a loader in its process would be measured with it. */
  #translatedBareServer(): string {
    if (this.#bare === undefined) {
      const out = join(this.directory, "bare");
      mkdirSync(out);
      writeFileSync(join(out, "package.json"), '{"type":"module"}\n');
      const options =
        "--ignoreConfig --noCheck --target es2023 --module nodenext --skipLibCheck --types node".split(
          " ",
        );
      const source = fileURLToPath(new URL("bare-server.ts", import.meta.url));
      const compiler = join(REPOSITORY, "node_modules/typescript/bin/tsc");
      execFileSync(process.execPath, [compiler, ...options, "--outDir", out, source], {
        cwd: REPOSITORY,
      });
      this.#bare = join(out, "bare-server.js");
    }
    return this.#bare;
  }
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Error("a process that was started has no id");
  return pid;
}

/** Redis, Truba and the bare server print a line with the word `ready`, RabbitMQ one of its own. */
function waitForReady(name: ServerName, child: ChildProcess): Promise<void> {
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error(`${name} has no output to read`);
  return new Promise((resolve, reject) => {
    let complaint = "";
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`${name} was not ready after ${START_TIMEOUT_MS} ms`));
    }, START_TIMEOUT_MS);
    createInterface({ input: stdout }).on("line", (line) => {
      if (!(name === "rabbitmq" ? /startup complete/ : /\bready (?:on|to accept)\b/i).test(line))
        return;
      clearTimeout(timer);
      resolve();
    });
    stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = (complaint + text).slice(-2000);
    });
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      reject(new Error(`${name} ended with ${signal ?? code} before it was ready\n${complaint}`));
    });
  });
}

/** For servers that say nothing. */
async function untilConnected(child: ChildProcess, port: number): Promise<void> {
  const end = performance.now() + START_TIMEOUT_MS;
  // Nobody reads what it has to say.
  child.stdout?.resume();
  child.stderr?.resume();
  while (performance.now() < end) {
    const connected = await new Promise<boolean>((resolve) => {
      const socket = connect({ port, host: "127.0.0.1" }, () => resolve(true));
      socket.once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (connected) return;
    if (child.exitCode !== null)
      throw new Error(`it ended with ${child.exitCode} before it was ready`);
    await sleep(10);
  }
  throw new Error(`nothing answered on port ${port} within ${START_TIMEOUT_MS} ms`);
}

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === "string") reject(new Error("no port"));
        else resolve(address.port);
      });
    });
  });
}
