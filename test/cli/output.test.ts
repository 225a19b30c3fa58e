/** Tables, JSON and progress of the commands, and the lines of the log. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { createLogger } from "../../src/cli/log.ts";
import { jsonLine, pairsText, Progress, tableText } from "../../src/cli/output.ts";

suite("output", () => {
  test("a table aligns its columns, numbers to the right, without blanks at the ends", () => {
    const columns = [
      { title: "Name" },
      { title: "Rows", align: "right" },
      { title: "Where" },
    ] as const;
    const rows = [
      ["первый", 1_234_567, "a"],
      ["b", 5n, ""],
    ];
    assert.equal(
      tableText(columns, rows),
      "Name         Rows  Where\nпервый  1,234,567  a\nb               5\n",
    );
  });

  test("control characters of the world do not reach the terminal", () => {
    const text = tableText([{ title: "Name" }], [["a\u001b[2Jb\n\u202e\u0085"]]);
    assert.equal(text, "Name\na\\u001b[2Jb\\u000a\\u202e\\u0085\n");
  });

  test("pairs align their values", () => {
    assert.equal(
      pairsText([
        ["a", 1],
        ["long", "x"],
      ]),
      "a     1\nlong  x\n",
    );
  });

  test("JSON takes bigints, maps and bytes", () => {
    const value = {
      n: 2n ** 64n,
      m: new Map([["a", 1]]),
      b: Buffer.from("hi"),
      u: new Uint8Array([104, 105]),
    };
    assert.equal(
      jsonLine(value),
      '{"n":"18446744073709551616","m":{"a":1},"b":"aGk=","u":"aGk="}\n',
    );
  });

  test("progress is drawn for people only, ten times a second at most, and removed", () => {
    let written: string[] = [];
    let now = 0;
    const sink = { isTTY: true, columns: 60, write: (text: string) => written.push(text) };
    const progress = new Progress("Loading", sink, () => now);
    for (now = 0; now < 1_000; now++) progress.update(now, 1_000);
    assert.equal(written.length, 10);
    assert.match(written.at(-1) ?? "", /Loading \[█+░+\] {2}90 %$/);
    progress.finish();
    assert.match(written.at(-1) ?? "", /^\r\s+\r$/);
    written = [];
    new Progress("Loading", { write: (text: string) => written.push(text) }).update(1, 2);
    assert.deepEqual(written, []);
  });
});

suite("log", () => {
  test("a line is one JSON object with level, time, fields and message; lower levels are not printed", () => {
    const lines: string[] = [];
    const logger = createLogger("info", { write: (line) => void lines.push(line) });
    logger.debug({}, "not this");
    logger.warn({ position: 5, error: new Error("disk") }, "line\nbreak");
    assert.equal(lines.length, 1);
    assert.equal(lines[0]?.indexOf("\n"), (lines[0]?.length ?? 0) - 1);
    const { time, pid, error, ...rest } = JSON.parse(lines[0] ?? "");
    assert.deepEqual(rest, { level: "warn", position: 5, message: "line\nbreak" });
    assert.equal(pid, process.pid);
    assert.equal(error.message, "disk");
    assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  test("silent prints nothing", () => {
    const lines: string[] = [];
    createLogger("silent", { write: (line) => void lines.push(line) }).error({}, "no");
    assert.deepEqual(lines, []);
  });
});
