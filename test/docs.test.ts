/** The reference pages say what the code does: the tables of errors and limits, checked both ways. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { documents, withTable } from "../scripts/docs-tables.ts";
import { errorCodes, errorTable } from "../src/base/errors.ts";
import { limits } from "../src/base/limits.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** The cells of every table row that begins with a name in backquotes. */
function rows(path: string): string[][] {
  return read(path)
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split(/(?<!\\)\|/).slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim().replaceAll("`", "")));
}

suite("the reference pages", () => {
  test("docs/errors.md lists exactly the codes of the table, with status and retry", () => {
    const listed = rows("docs/errors.md").map(([code, status, retry]) => ({ code, status, retry }));
    const wanted = errorCodes.map((code) => ({
      code,
      status: String(errorTable[code].status),
      retry: errorTable[code].retryable ? "yes" : "no",
    }));
    assert.deepEqual(listed, wanted, "the page and src/base/errors.ts differ: npm run docs");
  });

  test("docs/limits.md lists exactly the limits, with their values (P8)", () => {
    const listed = rows("docs/limits.md").map(([name = "", value = ""]) => [
      name,
      Number(value.replace(/ .*/, "").replaceAll(",", "")),
    ]);
    assert.deepEqual(
      listed,
      Object.entries(limits),
      "the page and src/base/limits.ts differ: npm run docs",
    );
  });

  for (const { path, source, table } of documents) {
    test(`${path} is what ${source} makes`, () => {
      const page = read(path);
      assert.equal(
        withTable(page, table(read(source))),
        page,
        `${path} is out of date: npm run docs`,
      );
    });
  }

  test("every limit and every error says what it means", () => {
    const silent = [...rows("docs/errors.md"), ...rows("docs/limits.md")]
      .filter((cells) => (cells.at(-1) ?? "").length < 8)
      .map(([name]) => name);
    assert.deepEqual(silent, [], "give each a doc comment in its source, then npm run docs");
  });

  test("a table replaces what stands between the markers and nothing else", () => {
    const page = withTable(read("docs/errors.md"), "first");
    assert.equal(withTable(page, "second"), page.replace("first", "second"));
    assert.throws(() => withTable("no markers", "x"), /has no/);
  });
});
