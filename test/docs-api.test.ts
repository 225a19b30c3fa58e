/** docs/api.md: every public name is on it and nothing else, its examples compile and print what they say, and every public name has a docstring. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test } from "node:test";
import { session } from "../src/client/definitions.ts";
import { TestNode } from "./client/test-node.ts";
import { ExampleFolder, examplesOf } from "./docs-examples.ts";
import { exportsOf, undocumented } from "./docs-exports.ts";

const root = join(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs", "api.md"), "utf8");
const [text = "", table = ""] = page.split("\n## All names\n");
const doors = ["src/index.ts", "src/browser.ts"] as const;
const names = doors.map((door) => exportsOf(root, door).map(({ name }) => name));
const both = [...new Set(names.flat())].sort();

suite("docs/api.md", () => {
  test("its table of names has those that the doors export, all of them and no others", () => {
    const listed = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = ""]) => name);
    assert.deepEqual([...listed].sort(), both);
    assert.deepEqual(listed, [...listed].sort(), "sorted");
  });

  test("each name stands in the section that the table points at", () => {
    const sections = new Map(
      text.split("\n## ").map((section) => {
        const [title = ""] = section.split("\n");
        return [title.toLowerCase().replaceAll(" ", "-"), section];
      }),
    );
    const astray = [...table.matchAll(/^\| `(\w+)` \| \[[^\]]+\]\(#([\w-]+)\) \|$/gm)]
      .filter(
        ([, name = "", link = ""]) => !new RegExp(`\\b${name}\\b`).test(sections.get(link) ?? ""),
      )
      .map(([row]) => row);
    assert.deepEqual(astray, []);
    const rows = table.split("\n").filter((line) => line.startsWith("| `"));
    assert.equal(rows.filter((row) => /\]\(#[\w-]+\) \|$/.test(row)).length, both.length);
  });

  test("its links lead somewhere", () => {
    const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
      title.toLowerCase().replaceAll(" ", "-"),
    );
    const links = [...page.matchAll(/\]\(#([^)]*)\)/g)].map(([, link = ""]) => link);
    assert.deepEqual(
      links.filter((link) => !anchors.includes(link)),
      [],
    );
  });

  test("its examples compile under the strictest settings, run, and print what they say", async (t) => {
    const examples = examplesOf(page);
    assert.ok(examples.length >= 10, `${examples.length} examples`);
    const node = await TestNode.start({ sessions: [session("checkout")] });
    const folder = mkdtempSync(join(tmpdir(), "truba-docs-"));
    try {
      // The page has the well-known ports; these are free ones.
      const ran = new ExampleFolder(folder, examples, {
        "127.0.0.1:8765": node.address,
        "http://127.0.0.1:8080": await node.httpUrl(),
      });
      const [typeErrors, outcomes] = await Promise.all([ran.typeErrors(), ran.outcomes()]);
      assert.equal(typeErrors, "");
      for (const [i, { line, expected }] of examples.entries())
        await t.test(`line ${line}`, () => {
          const { printed, error } = outcomes[i] ?? { printed: [], error: "did not run" };
          assert.equal(error, undefined);
          assert.ok(expected.length > 0, "an example shows what comes of it");
          assert.deepEqual(printed, expected);
        });
    } finally {
      rmSync(folder, { recursive: true, force: true });
      await node.stop();
    }
  });
});

suite("the doors", () => {
  test("browsers get the names of Node but for what needs Node", () => {
    const [node = [], browser = []] = names;
    assert.deepEqual(node.filter((name) => !browser.includes(name)).sort(), [
      "Clock",
      "ConnectOptions",
      "MemoryOptions",
      "OpenOptions",
      "Timer",
      "TlsTrust",
      "VirtualClock",
      "open",
    ]);
    assert.deepEqual(browser.filter((name) => !node.includes(name)).sort(), [
      "Fetch",
      "HttpConnectOptions",
    ]);
  });

  for (const door of doors)
    test(`everything that ${door} exports has a docstring, its methods too`, () => {
      assert.deepEqual(undocumented(root, door), []);
    });
});
