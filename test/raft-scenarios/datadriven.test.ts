/** The reader of the published scenario format: what it takes, and what it refuses, by file and line. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parseCases, parseDirective, runCases, valuesOf } from "./datadriven.ts";

const file = "some/file.txt";

suite("the datadriven format", () => {
  test("a case has its line, command, arguments, input and output", () => {
    const text = [
      "# a comment",
      "",
      "add-nodes 3 voters=(1, 2,3) index=10 empty= none=()",
      "first",
      "# no comment here",
      "----",
      "ok",
      "  indented",
      "",
      "  ",
      "# another",
      "stabilize 1 2",
      "----",
      "last",
    ].join("\n");
    assert.deepEqual(parseCases(text, file), [
      {
        file,
        line: 3,
        command: "add-nodes",
        args: [
          { key: "3", values: [] },
          { key: "voters", values: ["1", "2", "3"] },
          { key: "index", values: ["10"] },
          { key: "empty", values: [] },
          { key: "none", values: [] },
        ],
        input: "first\n# no comment here",
        expected: "ok\n  indented",
      },
      {
        file,
        line: 12,
        command: "stabilize",
        args: [
          { key: "1", values: [] },
          { key: "2", values: [] },
        ],
        input: "",
        expected: "last",
      },
    ]);
  });

  test("output between double separators may have blank lines and single separators", () => {
    const text = "a\n----\n----\none\n\n----\ntwo\n----\n----\n\nb\n----\nc\n";
    const cases = parseCases(text, file);
    assert.deepEqual(
      cases.map(({ line, command, expected }) => ({ line, command, expected })),
      [
        { line: 1, command: "a", expected: "one\n\n----\ntwo" },
        { line: 11, command: "b", expected: "c" },
      ],
    );
  });

  test("no output, carriage returns, continued lines and subtests are fine", () => {
    const text = "subtest x\r\n\r\na \\\r\n  b=1\r\n----\r\n\r\nc\r\n----\r\n";
    const [first, second] = parseCases(text, file);
    assert.deepEqual(first?.args, [{ key: "b", values: ["1"] }]);
    assert.equal(first?.expected, "");
    assert.equal(second?.command, "c");
    assert.deepEqual(parseCases("", file), []);
  });

  test("parentheses may hold spaces, and parentheses", () => {
    assert.deepEqual(parseDirective("x a=(1 2, f(3, 4)) (b c)", file), [
      { key: "x", values: [] },
      { key: "a", values: ["1 2", "f(3, 4)"] },
      { key: "(b c)", values: [] },
    ]);
  });

  for (const [text, message] of [
    ["\na\n----\nb\n\nc\ninput\n", "some/file.txt:6: no ---- after c"],
    ["a\n----\n----\nb\n", "some/file.txt:1: the double ---- is not closed"],
    ["a\n----\n----\nb\n----\n----\nc\n", "some/file.txt:7: a line right after the closing ----"],
    ["\na b=(1\n----\n", "some/file.txt:2: ( without ) in b=(1"],
    ["a b)\n----\n", "some/file.txt:1: ) without ( at column 4"],
    ["a =1\n----\n", "some/file.txt:1: a value without a key: =1"],
    ["a b=(1)2\n----\n", "some/file.txt:1: text after ) in b=(1)2"],
    ["a=1\n----\n", "some/file.txt:1: command a has a value"],
  ] as const) {
    test(`refused: ${message}`, () => {
      assert.throws(() => parseCases(text, file), { message });
    });
  }

  test("an argument given twice is refused where it is looked up", () => {
    const [one] = parseCases("a b=1 b=2\n----\n", file);
    assert.ok(one);
    assert.equal(valuesOf(one, "c"), undefined);
    assert.throws(() => valuesOf(one, "b"), { message: "some/file.txt:1: b is given twice" });
  });

  test("a file that is not there is named", () => {
    assert.throws(() => runCases("no/such/file.txt", () => ""), /no\/such\/file\.txt/);
  });
});
