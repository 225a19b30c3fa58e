/** The file of the configuration (DESIGN §12): what it may hold, and that every problem is told with its line. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { ConfigurationFiles } from "../../src/cli/configuration-file.ts";
import { loadConfiguration } from "../../src/cli/configuration.ts";
import { filesOf, load, problems } from "./configuration-fixture.ts";

suite("the configuration file", () => {
  test("plain numbers are judged as they are written", () => {
    assert.match(
      problems({ file: "partitions: 1e1" })[0] ?? "",
      /^truba\.yaml:1: partitions is "1e1"/,
    );
    assert.match(problems({ file: "partitions: 0x10" })[0] ?? "", /is "0x10"/);
    assert.equal(load({ file: "name: 007\ninsecure: true" }).values?.name, "007");
  });

  test("an empty file, a comment and an empty document are nothing", () => {
    for (const file of ["", "# nothing\n", "---\n", "{}"]) assert.deepEqual(problems({ file }), []);
  });

  for (const [title, file, expected] of [
    ["an empty value", "name: a\npartitions:\n", /^truba\.yaml:2: partitions is empty/],
    ["null", "partitions: ~\n", /^truba\.yaml:1: partitions is empty/],
    ["a list", "a:\n  b\nlisten: [a]\n", /^truba\.yaml:3: "listen" must have one plain value/m],
    [
      "an alias",
      "name: &x a\ncluster-name: *x\n",
      /^truba\.yaml:2: "cluster-name" must have one plain/,
    ],
    ["a name twice", "name: a\nname: b\n", /^truba\.yaml:2: the name stands here a second time/],
    ["a list as the whole", "- a\n", /^truba\.yaml:1: must be lines of NAME: VALUE/],
    ["a text as the whole", "hello", /^truba\.yaml:1: must be lines of NAME: VALUE/],
    [
      "a map as a name",
      "? {a: b}\n: c\n",
      /^truba\.yaml:1: the name of an option must be plain text/,
    ],
    ["no YAML", 'name: "a\n', /^truba\.yaml:\d: is not proper YAML/],
    ["an unknown tag", "name: !x a\n", /^truba\.yaml:1: is not proper YAML: Unresolved tag/],
    ["two documents", "name: a\n---\nname: b\n", /^truba\.yaml:\d: is not proper YAML/],
    [
      "the name of the file itself",
      "config: b.yaml\n",
      /^truba\.yaml:1: "config" is not an option of the file/,
    ],
    ["__proto__", "__proto__: b\n", /^truba\.yaml:1: "__proto__" is not an option of the file/],
    ["deep nesting", "[".repeat(60_000), /^truba\.yaml: is nested too deep/],
    ["too much", "#".repeat(65_537), /^truba\.yaml: has 65,537 bytes; at most 65,536 are read/],
  ] as const) {
    test(`${title} is a problem with its line`, () => {
      const found = problems({ file });
      assert.match(found.join("\n"), expected);
    });
  }

  for (const [title, piece] of [
    ["brackets", "["],
    ["brackets over lines", "{\n"],
    ["dashes", "- "],
    ["explicit keys", "? "],
    ["maps in one line", "a: "],
  ] as const) {
    test(`nesting by ${title} is refused before the parser sees it (P8)`, () => {
      const found = problems({ file: piece.repeat(65_536 / piece.length) });
      assert.deepEqual(found, ["truba.yaml: is nested too deep; it must be lines of NAME: VALUE"]);
    });
  }

  test("what nests by indentation as deep as the size allows is parsed (P8)", () => {
    for (const piece of ["a:", "-", "- - - - - - - -"]) {
      let file = "";
      for (let depth = 0; file.length + depth + piece.length < 65_500; depth += piece.length) {
        file += `${" ".repeat(depth)}${piece}\n`;
      }
      assert.equal(problems({ file }).length, 1);
    }
  });

  test("what is not UTF-8 is a problem", () => {
    assert.deepEqual(problems({ file: Buffer.from([0x61, 0xff]) }), [
      "truba.yaml: is not UTF-8 text",
    ]);
  });

  test("truba.yaml may be missing; a file that was asked for may not", () => {
    assert.deepEqual(problems({}), []);
    assert.deepEqual(problems({ flags: { config: "x.yaml" } }), ["x.yaml: there is no such file"]);
    const environment = { TRUBA_CONFIG: "y.yaml" };
    assert.deepEqual(problems({ environment }), ["y.yaml: there is no such file"]);
  });

  test("--config names the file and stands over TRUBA_CONFIG", () => {
    const files = filesOf({
      "a.yaml": "partitions: 5",
      "b.yaml": "partitions: 0",
      "truba.yaml": "x: y",
    });
    const flags = { config: "a.yaml" };
    const { values } = loadConfiguration({ flags, environment: { TRUBA_CONFIG: "b.yaml" }, files });
    assert.equal(values?.partitions, 5);
  });

  test("a file that cannot be read is a problem", () => {
    const files: ConfigurationFiles = {
      read() {
        throw new Error("EISDIR: illegal operation on a directory, read");
      },
    };
    const { problems: found } = loadConfiguration({ flags: {}, environment: {}, files });
    assert.match(found[0]?.text ?? "", /cannot be read: EISDIR/);
  });
});
