/** `truba doc …` against real nodes: what it prints, how it ends, and that watching goes on when the node is killed and comes back. */
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { after, before, suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { eventually } from "./fixtures/eventually.ts";
import { main, notBuilt, run, ServerProcess, TemporaryDirectory } from "./fixtures/program.ts";

const flags = ["--partitions", "2", "--wal-segment-bytes", "16777216", "--name", "n1"];

/** A command that reads its standard input, or runs until it is interrupted. */
class Interactive implements Disposable {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly ended: Promise<number | null>;
  stdout = "";
  stderr = "";

  constructor(...args: readonly string[]) {
    this.child = spawn(process.execPath, [main, ...args], { stdio: ["pipe", "pipe", "pipe"] });
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.ended = once(this.child, "close").then(() => this.child.exitCode);
  }

  get lines(): readonly string[] {
    return this.stdout.split("\n").slice(0, -1);
  }

  [Symbol.dispose](): void {
    this.child.kill("SIGKILL");
  }
}

suite("truba doc", { skip: notBuilt }, () => {
  const directory = new TemporaryDirectory();
  const data = join(directory.path, "data");
  let server: ServerProcess | undefined;
  before(async () => {
    server = await ServerProcess.start({ data, flags });
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });

  const doc = (...args: readonly string[]) =>
    run(["doc", ...args, "--address", must(server).address]);

  const good = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await doc(...args);
    assert.equal(code, 0, stderr);
    return stdout;
  };

  test("patch and get: the patch of an argument, a file, or standard input; canonical JSON comes back", async () => {
    const made = await good("patch", "course", '[{"op":"add","path":"/0","value":["Hello"]}]');
    assert.match(made, /^n1:1 is ok, final; hash [0-9a-f]{64}\n$/);
    const file = join(directory.path, "patch.json");
    writeFileSync(file, '[{"op":"add","path":"/0/-","value":"World"}]');
    await good("patch", "course", "--file", file);
    using piped = new Interactive("doc", "patch", "course", "--json", "-a", must(server).address);
    piped.child.stdin.end('[{"op":"add","path":"/a","value":null}]');
    assert.equal(await piped.ended, 0, piped.stderr);
    assert.equal((JSON.parse(piped.stdout) as { id: number }).id, 3);
    assert.equal(await good("get", "course"), '{"0":["Hello","World"],"a":null}\n');
    assert.equal(await good("get", "course", "--at", "1"), '{"0":["Hello"]}\n');
    const state = JSON.parse(await good("get", "course", "--json"));
    assert.deepEqual([state.value["0"], state.transactions], [["Hello", "World"], 3]);
    assert.deepEqual((await good("list")).split("\n").slice(0, -1), ["course", "default"]);
  });

  test("put, conditions and dry runs", async () => {
    await good("put", "cond", '{"n":1}', "--if-hash", "none");
    const again = await doc("put", "cond", "2", "--if-hash", "none");
    assert.deepEqual([again.code, again.stdout], [1, ""]);
    assert.match(again.stderr, /^truba: HASHCONFLICT document cond /);
    const dry = await good("patch", "cond", '[{"op":"remove","path":"/n"}]', "--dry-run");
    assert.equal(dry, "{}\n");
    assert.equal(await good("get", "cond"), '{"n":1}\n');
    assert.match(await good("put", "cond", '{"n":1}'), /^nothing to do; hash /);
    assert.match(await good("put", "cond", "3", "--final"), /^n1:2 is ok, final/);
  });

  test("history, conflicts and status, for people and for programs", async () => {
    await good("put", "told", '{"n":1}');
    await good("patch", "told", '[{"op":"replace","path":"/n","value":2}]');
    const history = (await good("history", "told")).split("\n");
    assert.match(history[0] ?? "", /^Place  Transaction  Time +State  Verdict  Operations$/);
    assert.match(history[2] ?? "", /^ +2  n1:2 .*final  ok .*"replace"/);
    assert.equal(history[3], "2 in all, 2 final");
    const lines = (await good("history", "told", "--json", "--from", "-1")).trimEnd().split("\n");
    assert.equal(lines.length, 1);
    assert.equal(JSON.parse(lines[0] ?? "").position, 2);
    assert.equal(await good("conflicts", "told"), "No conflicts\n");
    assert.equal(await good("conflicts", "told", "--json"), "");
    const status = await good("status", "told");
    assert.match(status, /^Document +told, written here as n1$/m);
    assert.match(status, /^n1 +self +\{"n1":2\}/m);
    assert.equal(JSON.parse(await good("status", "told", "--json")).agreement, "converged");
  });

  test("exit codes: 1 refused, 2 wrong usage, 3 no node", async () => {
    for (const [args, code, text] of [
      [["get", "absent"], 1, /^truba: NODOCUMENT there is no document absent$/m],
      [["patch", "told", '[{"op":"remove","path":"/x"}]'], 1, /^truba: PATCHFAILED /],
      [["patch", "told", "nonsense"], 1, /^truba: BADJSON /],
      [["evict", "told", "stranger"], 1, /^truba: NOMEMBER stranger /],
      [["put", "told", "12345678901234567890"], 2, /write it as a string/],
      [["put", "told", "nonsense"], 2, /not JSON/],
      [["put", "told", "1", "--file", "x"], 2, /given twice/],
      [["put", "told", "--file", "/nowhere/x"], 2, /--file "\/nowhere\/x" cannot be read/],
      [["history", "told", "--from", "x"], 2, /must be a whole number/],
      [["get"], 2, /missing required argument 'NAME'/],
    ] as const) {
      const { code: ended, stderr } = await doc(...args);
      assert.match(stderr, text, args.join(" "));
      assert.equal(ended, code, args.join(" "));
    }
    const nobody = await run(["doc", "get", "default", "-a", "127.0.0.1:1"]);
    assert.equal(nobody.code, 3);
    assert.match(nobody.stderr, /^truba: no node answers at 127\.0\.0\.1:1: /);
    const wrong = await run(["doc", "get", "default", "-a", "nowhere"]);
    assert.equal(wrong.code, 2);
  });

  test("watch prints a line for each change, goes on when the node is killed and is back, and ends well on Ctrl-C", async () => {
    const { port } = must(server);
    using watch = new Interactive("doc", "watch", "seen", "--json", "-a", `127.0.0.1:${port}`);
    using people = new Interactive("doc", "watch", "seen", "-a", `127.0.0.1:${port}`);
    const told = (): readonly { kind: string; value?: unknown; operations: unknown }[] =>
      watch.lines.map((line) => JSON.parse(line));
    const shown = (): string => watch.stdout + watch.stderr;
    await eventually(() => told().length === 1 && people.lines.length === 1, shown);
    await good("put", "seen", '{"n":1}');
    await eventually(() => told().length === 2 && people.lines.length === 2, shown);
    assert.deepEqual(
      told().map(({ kind }) => kind),
      ["snapshot", "change"],
    );
    assert.match(people.lines[1] ?? "", /^change  1 transactions, .* n1:1 ok, .*"add"/);
    await must(server).end("SIGKILL");
    server = await ServerProcess.start({ data, flags, listen: `127.0.0.1:${port}` });
    await good("patch", "seen", '[{"op":"add","path":"/after","value":true}]');
    await eventually(() => {
      const last = told().at(-1);
      // In the snapshot, or in the change if the watch was back before the patch.
      return JSON.stringify(last).includes("after");
    }, shown);
    const again = told().slice(2);
    assert.equal(again[0]?.kind, "snapshot", shown());
    for (const each of [watch, people]) {
      each.child.kill("SIGINT");
      assert.equal(await each.ended, 0, each.stderr);
    }
  });
});
