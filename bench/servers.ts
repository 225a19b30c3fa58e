/**
 * The servers that are compared, each with the one command that starts it, and their processes: started on a free port
 * with a folder of their own, stopped by process id, and gone when the benchmark ends, however it ends.
 */

import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { unreachable } from "../src/base/assert.ts";
import { redisArguments } from "./redis.ts";
import { redisVersion } from "./measure.ts";

const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));
const TRUBA = join(REPOSITORY, "dist/cli/main.js");
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export const SERVER_NAMES = ["bare", "redis", "truba"] as const;
export type ServerName = (typeof SERVER_NAMES)[number];

/** Why a server cannot take part here; undefined if it can. */
export function unavailable(name: ServerName): string | undefined {
  switch (name) {
    case "bare":
      return undefined;
    case "redis":
      return redisVersion() === undefined ? "redis-server is not installed" : undefined;
    case "truba":
      return existsSync(TRUBA) ? undefined : `${TRUBA} is missing; run \`npm run build\` first`;
    default:
      return unreachable(name);
  }
}

/** Reads `--servers bare,redis`. Throws on a name that is none, and if none is left; those that cannot run here are left out, with a word. */
export function chooseServers(list: string | undefined, say: (line: string) => void): ServerName[] {
  const wanted = list === undefined ? SERVER_NAMES : list.split(",").map(serverName);
  const able = wanted.filter((name) => {
    const reason = unavailable(name);
    if (reason !== undefined) say(`${name} is left out: ${reason}`);
    return reason === undefined;
  });
  if (able.length === 0) throw new Error("no server to measure");
  return able;
}

function serverName(word: string): ServerName {
  const name = SERVER_NAMES.find((known) => known === word.trim());
  if (name === undefined)
    throw new Error(`no server "${word}"; known are ${SERVER_NAMES.join(", ")}`);
  return name;
}

/** A server that has said it is ready. */
export interface RunningServer {
  readonly name: ServerName;
  readonly port: number;
  readonly pid: number;
  readonly data: string;
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
  #bare: string | undefined;
  #folders = 0;

  /** `parent` must lie on the disk to be measured. */
  constructor(parent = tmpdir()) {
    this.directory = mkdtempSync(join(parent, "truba-bench-"));
    for (const signal of SIGNALS) process.once(signal, this.#onSignal);
    // Also on an error that nobody caught, EPIPE of a closed terminal among them: no server may stay behind.
    process.once("exit", this.#onExit);
  }

  /** Starts a server, on the folder of an earlier run or a fresh one. Rejects if it ends or is not ready in a minute. */
  async start(name: ServerName, data = this.#freshFolder(name)): Promise<RunningServer> {
    const port = await freePort();
    const [file, ...args] = this.#command(name, port, data);
    if (file === undefined) throw new Error(`no command for ${name}`);
    const child = spawn(file, args, { cwd: data, stdio: ["ignore", "pipe", "pipe"] });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    const pid = child.pid;
    if (pid === undefined) throw new Error(`${name} has no process id`);
    this.#children.set(pid, child);
    child.once("exit", () => this.#children.delete(pid));
    await waitForReady(name, child);
    return { name, port, pid, data };
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
  #command(name: ServerName, port: number, data: string): string[] {
    switch (name) {
      case "bare":
        return [process.execPath, this.#translatedBareServer(), String(port), data];
      case "redis":
        return ["redis-server", ...redisArguments(port, data)];
      case "truba":
        return [process.execPath, TRUBA, "serve", "--data", data, "--listen", `127.0.0.1:${port}`];
      default:
        return unreachable(name);
    }
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

/** All three print a line with the word `ready`: Redis in its log, Truba and the bare server as a promise. */
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
      if (!/\bready\b/i.test(line)) return;
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
