/** The table that recovery decides by and the page that people read say the same. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { decide, recoveryTable } from "../../src/wal/recovery-table.ts";

const page = readFileSync(new URL("../../docs/wal-format.md", import.meta.url), "utf8");

suite("the recovery table", () => {
  test("has the rows of docs/wal-format.md, both ways, word for word", () => {
    const recovery = page.slice(page.indexOf("## Recovery"));
    const written = [...recovery.matchAll(/^\| (\d+) \| (.+) \| (.+) \| (.+) \| (.+) \|$/gm)].map(
      (match) => match.slice(1),
    );
    const known = recoveryTable.map(({ row, foundWords, evidence, words, retireWords }) => [
      String(row),
      foundWords,
      evidence,
      words,
      retireWords,
    ]);
    assert.deepEqual(known, written);
  });

  test("numbers its rows without a gap and decides each case once", () => {
    assert.deepEqual(
      recoveryTable.map(({ row }) => row),
      recoveryTable.map((_, i) => i + 1),
    );
    const cases = recoveryTable.flatMap(({ found, evidence }) =>
      evidence === "yes" || evidence === "no"
        ? [`${found} ${evidence}`]
        : [`${found} yes`, `${found} no`],
    );
    assert.equal(new Set(cases).size, cases.length);
    for (const { found } of recoveryTable) {
      assert.equal(decide(found, true).found, found);
      assert.equal(decide(found, false).found, found);
    }
  });

  test("names the test of each row", () => {
    const tests = readFileSync(new URL("./recovery.test.ts", import.meta.url), "utf8");
    for (const { row } of recoveryTable) {
      assert.match(tests, new RegExp(`test\\("row ${row}:`), `row ${row} has no test`);
    }
  });
});
