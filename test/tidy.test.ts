/** The style of the repository, as a test: floors, import cycles, seams, names, lengths. And the checker itself. */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Source } from "../scripts/tidy/source.ts";
import { functionsOf } from "../scripts/tidy/style.ts";
import { checkAll, findingText, readSources } from "../scripts/tidy/tidy.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

suite("the style of the repository (DESIGN §2)", () => {
  const sources = readSources(root);

  test("floors, cycles, seams, names, headers, constructs and lengths are in order", () => {
    const findings = checkAll(sources).map(findingText);
    assert.equal(findings.length, 0, `\n${findings.join("\n")}\n`);
  });

  test("the longest files and functions are known", (t) => {
    const files = sources
      .map((source) => ({ path: source.path, lines: source.lines.length }))
      .sort((a, b) => b.lines - a.lines);
    for (const { path, lines } of files.slice(0, 8)) t.diagnostic(`${lines} lines: ${path}`);
    const functions = sources
      .filter((source) => /^(src|simulator)\//.test(source.path))
      .flatMap((source) => functionsOf(source).map((one) => ({ path: source.path, ...one })))
      .sort((a, b) => b.lines - a.lines);
    for (const { path, line, lines } of functions.slice(0, 8)) {
      t.diagnostic(`${lines} lines of code: function at ${path}:${line}`);
    }
    assert.ok(files.length > 0);
  });
});

interface Planted {
  readonly title: string;
  readonly path: string;
  readonly text: string;
  /** `line: rule` of what must be found, nothing else; none for what is fine. */
  readonly finds: readonly string[];
}

const planted: readonly Planted[] = [
  {
    title: "an import of a lower floor is fine",
    path: "src/wal/a.ts",
    text: `/** A. */\nimport { x } from "../base/x.ts";\nexport const y = x;\n`,
    finds: [],
  },
  {
    title: "an import of a higher floor is found",
    path: "src/base/a.ts",
    text: `/** A. */\nimport { x } from "../wal/x.ts";\nexport const y = x;\n`,
    finds: ["2: floor"],
  },
  {
    title: "a type import of the same floor is found",
    path: "src/wal/a.ts",
    text: `/** A. */\nimport type { X } from "../state/x.ts";\nexport type Y = X;\n`,
    finds: ["2: floor"],
  },
  {
    title: "a re-export, a dynamic import and an import type are imports",
    path: "src/raft/a.ts",
    text: `/** A. */\nexport * from "../wal/a.ts";\nexport const b = () => import("../log/b.ts");\nexport type C = import("../protocol/c.ts").C;\n`,
    finds: ["2: floor", "3: floor", "4: floor"],
  },
  {
    title: "the client imports base, protocol, placement and patch only",
    path: "src/client/a.ts",
    text: `/** A. */\nimport { a } from "../protocol/a.ts";\nimport { b } from "../raft/b.ts";\nexport const c = [a, b];\n`,
    finds: ["3: floor"],
  },
  {
    title: "src does not import tests or the simulator",
    path: "src/cli/a.ts",
    text: `/** A. */\nimport { a } from "../../simulator/a.ts";\nexport const b = a;\n`,
    finds: ["2: floor"],
  },
  {
    title: "the simulator reaches the node, not the servers",
    path: "simulator/a.ts",
    text: `/** A. */\nimport { a } from "../src/node/a.ts";\nimport { b } from "../src/server/resp/b.ts";\nexport const c = [a, b];\n`,
    finds: ["3: floor"],
  },
  {
    title: "a folder without a floor is found",
    path: "src/attic/a.ts",
    text: `/** A. */\nexport const a = 1;\n`,
    finds: ["1: floor"],
  },
  {
    title: "a test imports anything",
    path: "test/a.test.ts",
    text: `/** A. */\nimport { a } from "../src/cli/a.ts";\nconsole.log(a, Date.now());\n`,
    finds: [],
  },
  {
    title: "the clock, randomness and timers are for the seams",
    path: "src/wal/a.ts",
    text: `/** A. */\nexport const a = Date.now();\nexport const b = new Date();\nexport const c = performance.now();\nexport const d = Math.random();\nsetTimeout(() => {}, 1);\nexport const e = setImmediate;\nexport const f = process.hrtime();\nexport const g = globalThis.setInterval;\n`,
    finds: ["2: seam", "3: seam", "4: seam", "5: seam", "6: seam", "7: seam", "8: seam", "9: seam"],
  },
  {
    title: "a date from a number, a key and a member with a banned name are fine",
    path: "src/wal/a.ts",
    text: `/** A. */\nexport const a = new Date(5);\nexport const b = { process: 1, performance: 2 };\nexport const c = b.process;\nexport interface D { setTimeout(): void; fetch: number }\n`,
    finds: [],
  },
  {
    title: "banned words in strings and comments are fine",
    path: "src/wal/a.ts",
    text: "/** Date.now() */\nexport const a = `Math.random() ${1}` + 'process.exit';\n// setTimeout(\n",
    finds: [],
  },
  {
    title: "files, the network and drawing from crypto are for the seams",
    path: "src/state/a.ts",
    text: `/** A. */\nimport { readFileSync } from "node:fs";\nimport { createServer } from "node:net";\nimport { randomUUID } from "node:crypto";\nimport { createHash } from "node:crypto";\nexport const a = [readFileSync, createServer, randomUUID, createHash];\n`,
    finds: ["2: seam", "3: seam", "4: seam"],
  },
  {
    title: "a seam reaches what it is for and nothing else",
    path: "src/base/system-clock.ts",
    text: `/** A. */\nexport const a = Date.now();\nexport const b = Math.random();\n`,
    finds: ["3: seam"],
  },
  {
    title: "a server may use the network and the clock, not the process",
    path: "src/server/resp/a.ts",
    text: `/** A. */\nimport { createServer } from "node:net";\nexport const a = [createServer, Date.now()];\nexport const b = process.pid;\n`,
    finds: ["4: seam"],
  },
  {
    title: "what TypeScript offers and we do without is found",
    path: "src/base/a.ts",
    text: `/** A. */\nexport const a = 1 as any;\nexport const b = [1][0]!;\nexport enum C { D }\nexport class E { constructor(private f: number) {} }\nexport default a;\nlet g = 1;\nexport let h = g;\n`,
    finds: [
      "2: construct",
      "3: construct",
      "4: construct",
      "5: construct",
      "6: construct",
      "7: construct",
      "8: construct",
    ],
  },
  {
    title: "words that put work off, and silenced checks, are found",
    path: "src/base/a.ts",
    text: `/** A. */\n// TODO later\n// @ts-ignore\nexport const a = 1; // oxlint-disable-line\n`,
    finds: ["2: comment", "3: comment", "4: comment"],
  },
  {
    title: "a file without a header is found; a comment after the imports is one",
    path: "src/base/a.ts",
    text: `export const a = 1;\n/** too late */\n`,
    finds: ["1: header"],
  },
  {
    title: "a header may stand after the imports",
    path: "src/base/a.ts",
    text: `import { b } from "./b.ts";\n/** A. */\nexport const a = b;\n`,
    finds: [],
  },
  {
    title: "a file that is not kebab-case is found",
    path: "src/base/walReader.ts",
    text: `/** A. */\nexport const a = 1;\n`,
    finds: ["1: name"],
  },
  {
    title: "a folder named utils and an inner index.ts are found",
    path: "src/base/utils/index.ts",
    text: `/** A. */\nexport const a = 1;\n`,
    finds: ["1: name", "1: name"],
  },
  {
    title: "an import without .ts is found",
    path: "src/base/a.ts",
    text: `/** A. */\nimport { b } from "./b";\nexport const a = b;\n`,
    finds: ["2: import"],
  },
  {
    title: "a file of 400 lines is fine",
    path: "src/base/a.ts",
    text: `/** A. */\n${"// a\n".repeat(399)}`,
    finds: [],
  },
  {
    title: "a file of 401 lines is found",
    path: "src/base/a.ts",
    text: `/** A. */\n${"// a\n".repeat(400)}`,
    finds: ["401: length"],
  },
  {
    title: "a function of 90 lines of code is fine, comments and blank lines not counted",
    path: "src/base/a.ts",
    text: `/** A. */\nexport function a() {\n${"  a();\n  // b\n\n".repeat(88)}}\nexport function c() {\n${"  c();\n".repeat(88)}}\n`,
    finds: [],
  },
  {
    title: "a method of 91 lines of code is found",
    path: "src/base/a.ts",
    text: `/** A. */\nexport class A {\n  b() {\n${"    this.b();\n".repeat(89)}  }\n}\n`,
    finds: ["3: length"],
  },
  {
    title: "a file that does not parse is found",
    path: "src/base/a.ts",
    text: `/** A. */\nexport const = 1;\n`,
    finds: ["1: syntax"],
  },
];

suite("the checker of the style", () => {
  for (const { title, path, text, finds } of planted) {
    test(title, () => {
      const found = checkAll([new Source(path, text)]);
      assert.deepEqual(
        found.map((one) => `${one.line}: ${one.rule}`),
        finds,
        found.map(findingText).join("\n"),
      );
    });
  }

  test("a circle of type imports is found once, with its way", () => {
    const sources = [
      new Source(
        "src/base/a.ts",
        `/** A. */\nimport type { B } from "./b.ts";\nexport type A = B;\n`,
      ),
      new Source(
        "src/base/b.ts",
        `/** B. */\nimport type { C } from "./c.ts";\nexport type B = C;\n`,
      ),
      new Source("src/base/c.ts", `/** C. */\nexport type { A as C } from "./a.ts";\n`),
    ];
    const found = checkAll(sources).map(findingText);
    assert.equal(found.length, 1);
    assert.match(
      found[0] ?? "",
      /^src\/base\/c\.ts:2: cycle: .*a\.ts → .*b\.ts → .*c\.ts → .*a\.ts/,
    );
  });

  test("a message names the file, the line and what to do", () => {
    const [found] = checkAll([
      new Source("src/wal/a.ts", "/** A. */\n\nexport const a = Date.now();\n"),
    ]);
    assert.ok(found !== undefined);
    assert.equal(
      findingText(found),
      "src/wal/a.ts:3: seam: Date.now is for the seams; here, take a Clock (src/base/clock.ts)",
    );
  });
});
