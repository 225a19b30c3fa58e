/** The line editor: what a person sees while they type and the cluster speaks. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import { suite, test } from "node:test";
import { Completer } from "../../../src/cli/repl/completer.ts";
import { LineHistory } from "../../../src/cli/repl/line-history.ts";
import { Terminal } from "../../../src/cli/repl/terminal.ts";
import { eventually } from "../../processes/fixtures/eventually.ts";
import { Screen } from "./screen.ts";

const ctrlA = "\u0001";
const ctrlC = "\u0003";
const ctrlD = "\u0004";
const left = "\u001b[D";
const up = "\u001b[A";

/** A person at a terminal of so many columns. Lines are answered with `done: LINE`, but those that begin with `wait`. */
class Desk implements Disposable {
  readonly screen: Screen;
  readonly lines: string[] = [];
  readonly terminal: Terminal;
  interrupts = 0;
  /** Ends the line that waits. */
  finish: () => void = () => {};
  readonly keys = new PassThrough();
  readonly #directory = fs.mkdtempSync(join(tmpdir(), "truba-terminal-"));

  constructor(columns = 40) {
    this.screen = new Screen(columns);
    const { screen } = this;
    const output = new Writable({
      write(chunk: Buffer, _encoding, done) {
        screen.write(chunk.toString("utf8"));
        done();
      },
    });
    this.terminal = new Terminal({
      input: this.keys,
      output: Object.assign(output, { isTTY: true, columns }),
      history: LineHistory.open(join(this.#directory, "history")),
      completer: new Completer(() => Promise.reject(new Error("there is no node"))),
      onLine: (line) => this.#do(line),
      onInterrupt: () => {
        this.interrupts++;
        this.finish();
      },
    });
    this.terminal.prompt();
  }

  /** Types, and waits for the screen. */
  async type(keys: string, expected: string): Promise<void> {
    this.keys.write(keys);
    await this.shows(expected);
  }

  async shows(expected: string): Promise<void> {
    await eventually(
      () => this.screen.text === expected,
      () => `the screen shows\n${this.screen.text}\nand should show\n${expected}`,
      3_000,
    );
  }

  cursorAt(row: number, column: number): Promise<void> {
    const { screen } = this;
    return eventually(
      () => screen.cursor.row === row && screen.cursor.column === column,
      () => JSON.stringify(screen.cursor),
      3_000,
    );
  }

  async #do(line: string): Promise<void> {
    this.lines.push(line);
    if (line.startsWith("wait")) await new Promise<void>((resolve) => (this.finish = resolve));
    if (line !== "") this.terminal.print(`done: ${line}`);
  }

  [Symbol.dispose](): void {
    this.terminal.close();
    fs.rmSync(this.#directory, { recursive: true, force: true });
  }
}

const news = "Reconnected to a database\nKnown nodes:\na";

suite("the terminal", { timeout: 30_000 }, () => {
  test("a prompt, the line, its answer, a prompt", async () => {
    using desk = new Desk();
    await desk.shows("> ");
    await desk.type("GET a\r", "> GET a\ndone: GET a\n> ");
    await desk.type("\r", "> GET a\ndone: GET a\n> \n> ");
  });

  test("news appears above the line being typed, whose cursor stays", async () => {
    using desk = new Desk();
    await desk.type("GET abc", "> GET abc");
    await desk.type(left + left, "> GET abc");
    await desk.cursorAt(0, 7);
    desk.terminal.print(news);
    await desk.shows(`${news}\n> GET abc`);
    assert.deepEqual(desk.screen.cursor, { row: 3, column: 7 });
    await desk.type("x", `${news}\n> GET axbc`);
    await desk.type("\r", `${news}\n> GET axbc\ndone: GET axbc\n> `);
  });

  test("news appears above a line that is longer than the terminal is wide, wherever the cursor is", async () => {
    const typed = "0123456789".repeat(5);
    const rows = "> 012345678901234567\n89012345678901234567\n890123456789";
    for (const [keys, row, column] of [
      ["", 5, 12],
      [ctrlA, 3, 2],
      [left.repeat(13), 4, 19],
    ] as const) {
      using desk = new Desk(20);
      await desk.type(`before\r${typed}${keys}`, `> before\ndone: before\n${rows}`);
      await desk.cursorAt(row - 1, column);
      desk.terminal.print("News");
      await desk.shows(`> before\ndone: before\nNews\n${rows}`);
      assert.deepEqual(desk.screen.cursor, { row, column });
      desk.terminal.print("More");
      await desk.shows(`> before\ndone: before\nNews\nMore\n${rows}`);
    }
  });

  test("news while a command runs stands before its answer", async () => {
    using desk = new Desk();
    await desk.type("wait\r", "> wait\n");
    desk.terminal.print("News");
    await desk.shows("> wait\nNews\n");
    desk.finish();
    await desk.shows("> wait\nNews\ndone: wait\n> ");
  });

  test("lines of a paste are done one by one, each at its prompt, also with CRLF", async () => {
    using desk = new Desk();
    await desk.type(
      "one\rtwo\r\nthree\nfo",
      "> one\ndone: one\n> two\ndone: two\n> three\ndone: three\n> fo",
    );
    assert.deepEqual(desk.lines, ["one", "two", "three"]);
  });

  test("keys typed while a command runs come after it", async () => {
    using desk = new Desk();
    await desk.type("wait\r", "> wait\n");
    await desk.type("next\r", "> wait\n");
    desk.finish();
    await desk.shows("> wait\ndone: wait\n> next\ndone: next\n> ");
  });

  test("Ctrl-C clears the line, and says how to leave when there is none", async () => {
    using desk = new Desk();
    await desk.type("GET abc", "> GET abc");
    await desk.type(left + left + ctrlC, "> ");
    await desk.type("x\r", "> x\ndone: x\n> ");
    const hint = "(to leave, type exit or press Ctrl-D)";
    await desk.type(ctrlC, `> x\ndone: x\n${hint}\n> `);
    assert.deepEqual(desk.lines, ["x"]);
  });

  test("Ctrl-C while a command runs interrupts it, and drops what was typed ahead", async () => {
    using desk = new Desk();
    await desk.type("wait\r", "> wait\n");
    await desk.type(`ahead\r${ctrlC}next\r`, "> wait\ndone: wait\n> next\ndone: next\n> ");
    assert.equal(desk.interrupts, 1);
    assert.deepEqual(desk.lines, ["wait", "next"]);
  });

  test("Ctrl-D leaves, the cursor on a new line", async () => {
    using desk = new Desk();
    await desk.type(ctrlD, "> \n");
    await desk.terminal.closed;
  });

  test("history brings lines back, but none with a token", async () => {
    using desk = new Desk();
    await desk.type("first\r", "> first\ndone: first\n> ");
    await desk.type("AUTH secret\r", "> first\ndone: first\n> AUTH secret\ndone: AUTH secret\n> ");
    await desk.type(up, "> first\ndone: first\n> AUTH secret\ndone: AUTH secret\n> first");
  });

  test("Tab completes", async () => {
    using desk = new Desk();
    await desk.type("que", "> que");
    await desk.type("\t", "> queue ");
    await desk.type("pus\t", "> queue push ");
    await desk.type("x y pri", "> queue push x y pri");
    await desk.type("\t", "> queue push x y PRIORITY ");
  });

  test("text is inserted where the cursor is, Tabs in it included", async () => {
    using desk = new Desk();
    await desk.type(`SET ab${left}`, "> SET ab");
    await desk.type("труба\tx", "> SET aтруба\txb");
    await desk.type("\r", "> SET aтруба\txb\ndone: SET aтруба\txb\n> ");
    assert.deepEqual(desk.lines, ["SET aтруба\txb"]);
  });

  test("a key whose bytes arrive one by one is that key", async () => {
    using desk = new Desk();
    await desk.type("ab", "> ab");
    for (const byte of left) {
      desk.keys.write(byte);
      await new Promise(setImmediate);
    }
    await desk.cursorAt(0, 3);
    await desk.type("xy", "> axyb");
  });

  test("a character that arrives in two pieces is one", async () => {
    using desk = new Desk();
    const bytes = Buffer.from("aé");
    desk.keys.write(bytes.subarray(0, 2));
    await desk.shows("> a");
    desk.keys.write(bytes.subarray(2));
    await desk.type("\r", "> aé\ndone: aé\n> ");
  });
});
