/** The tests that JSON Patch libraries share (json-patch/json-patch-tests), all that are not disabled. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { suite, test } from "node:test";
import { TrubaError } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { canonicalText } from "../../src/patch/canonical.ts";
import type { Json } from "../../src/patch/json.ts";
import { decodePatch, type Patch } from "../../src/patch/patch.ts";
import { Tree } from "../../src/patch/tree.ts";
import { Undo } from "../../src/patch/undo.ts";

interface Case {
  readonly comment?: string;
  readonly doc: Json;
  readonly patch: unknown;
  /** Absent together with `error`: the patch can be done, whatever comes of it. */
  readonly expected?: Json;
  readonly error?: string;
  readonly disabled?: boolean;
}

const folder = dirname(
  createRequire(import.meta.url).resolve("json-patch-test-suite/package.json"),
);

for (const file of ["tests.json", "spec_tests.json"]) {
  const cases = JSON.parse(readFileSync(join(folder, file), "utf8")) as readonly Case[];
  const enabled = cases.filter(({ disabled, patch }) => disabled !== true && patch !== undefined);

  suite(`json-patch-tests, ${file} (RFC 6902)`, () => {
    test("the file has its cases", () => {
      assert.ok(enabled.length >= 16, `${enabled.length} cases`);
    });

    for (const [at, one] of enabled.entries()) {
      const { comment, patch } = one;
      const name = comment ?? JSON.stringify(patch);
      test(`${at}: ${name}`, () => {
        for (const upsert of [false, true]) run(one, upsert);
      });
    }
  });
}

/** With `replace` as `add` all holds, too: the suite never has a `replace` of a missing member that it wants to fail. */
function run({ doc, patch, expected, error }: Case, upsert: boolean): void {
  const before = canonicalText(doc);
  const tree = new Tree(JSON.parse(JSON.stringify(doc)) as Json);
  const { weight } = tree;
  const undo = new Undo();
  const failed = !done(tree, patch, undo, upsert);
  assert.equal(failed, error !== undefined, error ?? canonicalText(tree.value));
  if (failed) assert.equal(canonicalText(tree.value), before, "a failed patch changes nothing");
  else if (expected !== undefined) {
    assert.equal(canonicalText(tree.value), canonicalText(expected));
    assert.deepEqual(tree.value, expected);
  }
  undo.revert(tree);
  assert.equal(canonicalText(tree.value), before);
  assert.equal(tree.weight, weight);
}

function done(tree: Tree, json: unknown, undo: Undo, upsert: boolean): boolean {
  let patch: Patch;
  try {
    patch = decodePatch(json);
  } catch (error) {
    assert.ok(error instanceof TrubaError && error.code === "BADPATCH", String(error));
    return false;
  }
  return tree.apply(patch, undo, { upsert, maxWeight: limits.documentMaxBytes }) === undefined;
}
