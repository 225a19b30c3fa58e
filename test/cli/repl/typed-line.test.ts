/** What typed lines mean: records as in Warehouse, queues and sessions by their table, words as in a shell. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as fc from "fast-check";
import { readTypedLine, type TypedLine } from "../../../src/cli/repl/typed-line.ts";
import { splitWords } from "../../../src/cli/repl/words.ts";
import { wordVerbNames } from "../../../src/protocol/verbs.ts";

const key = "0d5d3807-5fbf-4228-a657-5a091c4e497f";

suite("words as in a shell", () => {
  for (const [line, words] of [
    ["a b  c\td", ["a", "b", "c", "d"]],
    ["  a  ", ["a"]],
    ["", []],
    ["'a b' c", ["a b", "c"]],
    [`"a 'b' c"`, ["a 'b' c"]],
    [`'a "b" \\n'`, [`a "b" \\n`]],
    [`"\\"\\\\\\n\\r\\t\\x41\\q"`, ['"\\\n\r\tAq']],
    [`"\\xZZ"`, ["xZZ"]],
    [`a\\ b \\"`, ["a b", '"']],
    [`a'b c'"d e"f`, ["ab cd ef"]],
    [`'' ""`, ["", ""]],
    ["труба", ["труба"]],
  ] as const) {
    test(`${JSON.stringify(line)} is ${JSON.stringify(words)}`, () => {
      assert.deepEqual(wordsOf(line), words);
    });
  }

  for (const [line, problem] of [
    ["a 'b", "a single quote is not closed"],
    ['a "b', "a double quote is not closed"],
    ['a "b\\', "a double quote is not closed"],
    ["a \\", "nothing follows the last backslash"],
  ] as const) {
    test(`${JSON.stringify(line)}: ${problem}`, () => {
      assert.deepEqual(splitWords(Buffer.from(line)), { problem });
    });
  }

  test("any bytes in double quotes with escapes, and any but the quote in single ones, come through", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 }), (words) => {
        const escaped = words.map((word) => `"${hexEscaped(word)}"`).join(" ");
        assert.deepEqual(
          splitWords(Buffer.from(escaped)),
          words.map((word) => Buffer.from(word)),
        );
        const plain = words.map((word) => Buffer.from(word.filter((byte) => byte !== 0x27)));
        const line = Buffer.concat(
          plain.flatMap((word) => [Buffer.from("'"), word, Buffer.from("' ")]),
        );
        assert.deepEqual(splitWords(line), plain);
      }),
    );
  });
});

suite("a typed line", () => {
  test("the value of SET is the raw rest of the line behind one blank", () => {
    for (const value of [
      `'{"name": "Chapayev's Mustache comb"}'`,
      "  two blanks before, and behind  ",
      "",
      '"a" \\n',
    ]) {
      const typed = readTypedLine(Buffer.from(`  set   ${key} ${value}`));
      assert.ok(typed.kind === "request");
      assert.deepEqual(typed.words.map(String), ["RECORD.SET", key, value]);
      assert.ok(typed.writes && typed.takesRequestId);
    }
  });

  test("the value of SET may be any bytes", () => {
    const value = Buffer.from([0xff, 0x00, 0x0d, 0x22, 0x80]);
    const typed = readTypedLine(Buffer.concat([Buffer.from(`SET ${key} `), value]));
    assert.ok(typed.kind === "request");
    assert.deepEqual(typed.words[2], value);
  });

  test("a request id of the user's own stands", () => {
    const typed = readTypedLine(Buffer.from(`REQUEST r1 SET ${key} v`));
    assert.ok(typed.kind === "request" && !typed.takesRequestId);
    assert.deepEqual(typed.words.map(String), ["RECORD.SET", key, "v", "REQUEST", "r1"]);
    const pushed = readTypedLine(Buffer.from("queue push emails hello request r2"));
    assert.ok(pushed.kind === "request" && !pushed.takesRequestId);
    assert.equal(pushed.words.map(String).join(" "), "QUEUE.PUSH emails hello REQUEST r2");
  });

  for (const [line, words] of [
    [`GET ${key}`, `RECORD.GET ${key}`],
    [`get ${key}   `, `RECORD.GET ${key}`],
    [`DELETE ${key}`, `RECORD.DELETE ${key}`],
    ["queue push emails hello PRIORITY 3", "QUEUE.PUSH emails hello PRIORITY 3"],
    ["QUEUE.PUSH emails hello priority 3", "QUEUE.PUSH emails hello PRIORITY 3"],
    ["Queue.Push emails hello", "QUEUE.PUSH emails hello"],
    ["queue push emails PRIORITY PRIORITY 3", "QUEUE.PUSH emails PRIORITY PRIORITY 3"],
    ["queue ack emails 1 2 3 4", "QUEUE.ACK emails 1 2 3 4"],
    ["queue nack emails 1 2 uncounted delay 0.5", "QUEUE.NACK emails 1 2 UNCOUNTED DELAY 0.5"],
    ["queue list", "QUEUE.LIST"],
    ["session new order DATA x detached", "SESSION.NEW order DATA x DETACHED"],
    ["session kinds", "SESSION.KINDS"],
  ] as const) {
    test(`${line} asks the node ${words}`, () => {
      const typed = readTypedLine(Buffer.from(line));
      assert.ok(typed.kind === "request", JSON.stringify(typed));
      assert.equal(typed.words.map(String).join(" "), words);
    });
  }

  test("every verb of the table is understood, written in both ways", () => {
    for (const verb of wordVerbNames) {
      for (const name of [verb.toUpperCase(), verb.replace(".", " ")]) {
        const typed = readTypedLine(Buffer.from(`${name} a 1 2 3 4 5`));
        const isVerb = typed.kind === "request" && typed.verb === verb;
        const isUsage = typed.kind === "refused" && typed.text.includes("usage: ");
        assert.ok(isVerb || isUsage, `${name}: ${JSON.stringify(typed)}`);
      }
    }
  });

  for (const [line, text] of [
    ["SET", /^invalid command; usage: SET key value$/],
    [`SET ${key}`, /^invalid command; usage: SET key value$/],
    [`GET ${key} more`, /^invalid command; usage: GET key$/],
    ["DELETE", /^invalid command; usage: DELETE key$/],
    ["REQUEST r1", /^invalid command; usage: REQUEST id /],
    [`REQUEST r1 GET ${key}`, /REQUEST is for commands that write/],
    ["FLUSHALL", /^unknown command "FLUSHALL"; help lists what there is$/],
    ["qeue push", /^unknown command "qeue"; did you mean queue\?$/],
    ["queue psh emails", /^unknown command "queue psh"; help queue lists what there is$/],
    ["queue", /^unknown command "queue"; help queue /],
    ["QUEUE.NONE a", /^unknown command "QUEUE.NONE"/],
    ["queue push emails", /what the task carries is missing; usage: queue push queue payload /],
    ["queue push emails hello COLOUR red", /^unknown word "COLOUR"; usage: /],
    ["queue push emails hello PRIORITY", /nothing follows PRIORITY/],
    ["queue peek emails REQUEST r1", /^unknown word "REQUEST"/],
    ["queue ack emails", /task and lease of each is missing/],
    ["queue ack emails 1 2 3", /a task has no lease/],
    ["queue push 'emails hello", /a single quote is not closed/],
    ["auth", /usage: auth token/],
    ["auth a b", /usage: auth token/],
    ["\u001b[2J", /^unknown command "\\u001b\[2J"/],
  ] as const) {
    test(`${JSON.stringify(line)} is refused: ${text.source}`, () => {
      const typed = readTypedLine(Buffer.from(line));
      assert.ok(typed.kind === "refused", JSON.stringify(typed));
      assert.match(typed.text, text);
    });
  }

  test("what is for the program itself", () => {
    assert.deepEqual(read("   "), { kind: "nothing" });
    assert.deepEqual(read("exit"), { kind: "exit" });
    assert.deepEqual(read("QUIT"), { kind: "exit" });
    assert.deepEqual(read("help"), { kind: "help", topic: "" });
    assert.deepEqual(read("help queue push"), { kind: "help", topic: "queue push" });
    assert.deepEqual(read("AUTH secret"), { kind: "auth", secret: Buffer.from("secret") });
  });
});

function wordsOf(line: string): readonly string[] {
  const words = splitWords(Buffer.from(line));
  assert.ok(!("problem" in words));
  return words.map((word) => word.toString("utf8"));
}

function hexEscaped(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

function read(line: string): TypedLine {
  return readTypedLine(Buffer.from(line));
}
