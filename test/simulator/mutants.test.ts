/** The planted bugs of simulator/mutants/: that each fits the source. That the simulator finds them, `npm run mutants` shows. */
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite, test } from "node:test";
import { applyMutant, parseMutant } from "../../simulator/mutation.ts";

const root = join(import.meta.dirname, "..", "..");
const folder = join(root, "simulator", "mutants");

suite("planted bugs", () => {
  for (const name of readdirSync(folder)) {
    test(`${name} fits the source`, () => {
      const mutant = parseMutant(name, readFileSync(join(folder, name), "utf8"));
      const copy = mkdtempSync(join(tmpdir(), "truba-mutant-"));
      try {
        for (const { file } of mutant.edits) {
          mkdirSync(dirname(join(copy, file)), { recursive: true });
          copyFileSync(join(root, file), join(copy, file));
        }
        applyMutant(mutant, copy);
        for (const { file } of mutant.edits)
          assert.notEqual(
            readFileSync(join(copy, file), "utf8"),
            readFileSync(join(root, file), "utf8"),
          );
      } finally {
        rmSync(copy, { recursive: true });
      }
    });
  }

  test("one that no longer fits is an error that names it and the lines", () => {
    const text = "nothing\n=== package.json\n--- find\nthis is not in it\n--- replace\nthat";
    assert.throws(() => applyMutant(parseMutant("old.patch", text), root), /old\.patch.*0 times/);
  });

  test("what is no patch is an error that names the line", () => {
    assert.throws(() => parseMutant("a.patch", "title"), /a\.patch: the patch changes nothing/);
    assert.throws(() => parseMutant("a.patch", "title\nloose"), /a\.patch:2/);
    assert.throws(() => parseMutant("a.patch", "title\n--- find\nx"), /a\.patch:2: no file/);
    assert.throws(() => parseMutant("a.patch", "title\n=== f\n--- replace\nx"), /a\.patch:3/);
  });
});
