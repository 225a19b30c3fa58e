/** `truba repl` from a pipe and with -c: answers only, to the byte, and exit codes (DESIGN §11). */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { eventually } from "./fixtures/eventually.ts";
import { main, notBuilt } from "./fixtures/program.ts";
import type { ServerProcess } from "./fixtures/program.ts";
import { Place } from "./fixtures/repl-place.ts";

const key = "0d5d3807-5fbf-4228-a657-5a091c4e497f";
const value = `'{"name": "Chapayev's Mustache comb"}'`;

interface Piped {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs the REPL with this on its standard input. */
async function piped(args: readonly string[], input: string | Uint8Array): Promise<Piped> {
  const child = spawn(process.execPath, [main, "repl", ...args], {
    env: { ...process.env, XDG_STATE_HOME: "/nonexistent" },
  });
  const stdout: Buffer[] = [];
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => void stdout.push(chunk));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  await once(child, "close");
  return { code: child.exitCode, stdout: Buffer.concat(stdout), stderr };
}

suite("truba repl from a pipe", { skip: notBuilt }, () => {
  const place = new Place();
  let started: ServerProcess | undefined;
  const port = (): string[] => ["-P", String(must(started).port)];
  before(async () => {
    started = await place.serve();
  });
  after(() => place[Symbol.asyncDispose]());

  test("answers only, one for each command, exit code 0 when all succeeded", async () => {
    const lines = [`SET ${key} ${value}`, "", `GET ${key}`, `DELETE ${key}`, `GET ${key}`];
    const { code, stdout, stderr } = await piped(port(), `${lines.join("\n")}\n`);
    const answers = ["Created (1 replicas)", value, "Deleted (1 replicas)", "Not found", ""];
    assert.equal(stdout.toString(), answers.join("\n"));
    assert.equal(stderr, "");
    assert.equal(code, 0);
  });

  test("exit code 1 when a command failed; the others are done", async () => {
    const { code, stdout } = await piped(port(), `SET 12345 v\nFOO\nGET ${key}\n`);
    const [first, second = "", third] = stdout.toString().split("\n");
    assert.equal(first, "Error: Key is not a proper UUID4");
    assert.match(second, /^Error: unknown command "FOO"/);
    assert.equal(third, "Not found");
    assert.equal(code, 1);
  });

  test("CRLF, a last line without its end, and bytes that are no text", async () => {
    const bytes = Buffer.from([0xff, 0x00, 0x27, 0x0d, 0x80, 0x20]);
    const input = Buffer.concat([
      Buffer.from(`SET ${key} a \r\nGET ${key}\r\nSET ${key} `),
      bytes,
      Buffer.from(`\nGET ${key}`),
    ]);
    const { code, stdout } = await piped(port(), input);
    const expected = ["Created (1 replicas)\na \nUpdated (1 replicas)\n", bytes, "\n"];
    assert.deepEqual(stdout, Buffer.concat(expected.map((part) => Buffer.from(part))));
    assert.equal(code, 0);
  });

  test("the longest value passes; a line that is longer than any is refused, and the next one done", async () => {
    const longest = "x".repeat(1_048_576);
    const input = `SET ${key} ${longest}\nGET ${key}\nSET ${key} ${longest}${longest}\nDELETE ${key}\n`;
    const { code, stdout } = await piped(port(), input);
    const [first, second, third, fourth] = stdout.toString().split("\n");
    assert.match(first ?? "", /^(Created|Updated) \(1 replicas\)$/);
    assert.ok(second === longest);
    assert.equal(third, "Error: the line is longer than 1049600 bytes");
    assert.equal(fourth, "Deleted (1 replicas)");
    assert.equal(code, 1);
  });

  test("-c does one command, line breaks in its value included", async () => {
    const set = await piped([...port(), "-c", `SET ${key} a\nb`], "");
    assert.deepEqual([set.stdout.toString(), set.code], ["Created (1 replicas)\n", 0]);
    const get = await piped([...port(), "-c", `GET ${key}`], "ignored\n");
    assert.deepEqual([get.stdout.toString(), get.code], ["a\nb\n", 0]);
    const bad = await piped([...port(), "-c", "FOO"], "");
    assert.equal(bad.code, 1);
    await piped([...port(), "-c", `DELETE ${key}`], "");
  });

  test("exit stops, and what follows is not done", async () => {
    const { code, stdout } = await piped(port(), `GET ${key}\nexit\nFOO\n`);
    assert.deepEqual([stdout.toString(), code], ["Not found\n", 0]);
  });

  test("exit code 2 for wrong usage, 3 when no node answers", async () => {
    for (const args of [["--none"], ["-P", "0"], ["-P", "x"], ["-H", "a b"], ["--cert", "a"]]) {
      const { code, stdout, stderr } = await piped(args, "");
      assert.equal(code, 2, stderr);
      assert.equal(stdout.length, 0);
    }
    const { code, stdout, stderr } = await piped(["-P", "1"], `GET ${key}\n`);
    assert.equal(code, 3);
    assert.equal(stdout.length, 0);
    assert.match(stderr, /^truba: no node answers at 127\.0\.0\.1:1: .*ECONNREFUSED/);
  });

  test("exit code 3 when the node is gone before a command", async () => {
    await using other = new Place();
    const server = await other.serve();
    const child = spawn(process.execPath, [main, "repl", "-P", String(server.port)]);
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stdin.write(`GET ${key}\n`);
    await eventually(
      () => stdout === "Not found\n",
      () => stdout,
    );
    await server.end("SIGKILL");
    child.stdin.end(`GET ${key}\n`);
    await once(child, "close");
    assert.equal(stdout, "Not found\nFailed to read an entry\n");
    assert.equal(child.exitCode, 3);
  });

  test("whoever reads may stop early", { skip: process.platform === "win32" }, async () => {
    const command = `yes 'GET ${key}' | "${process.execPath}" "${main}" repl ${port().join(" ")} | head -n 2`;
    const child = spawn("sh", ["-c", command]);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    await once(child, "close");
    assert.equal(stdout, "Not found\nNot found\n");
    assert.equal(stderr, "");
  });
});
