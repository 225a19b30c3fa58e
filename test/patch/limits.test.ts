/** Patches that ask for more than they bring: copies of copies, depth, work without end. Each is refused as a whole, on all nodes alike. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TrubaError } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { canonicalText } from "../../src/patch/canonical.ts";
import type { PatchFailure } from "../../src/patch/failure.ts";
import type { Json } from "../../src/patch/json.ts";
import { decodePatch } from "../../src/patch/patch.ts";
import { Tree } from "../../src/patch/tree.ts";

const options = { upsert: false, maxWeight: limits.documentMaxBytes };

suite("hostile patches: limits (P8)", () => {
  test("30 copies of the document into itself fail at once, and change nothing", () => {
    const tree = treeOf('{"a":"0123456789"}');
    const patch = decodePatch(
      Array.from({ length: 30 }, (_, at) => ({ op: "copy", from: "", path: `/c${at}` })),
    );
    const started = performance.now();
    const failure = tree.apply(patch, undefined, options);
    assert.equal(failure?.reason, "too-large");
    assert.equal(canonicalText(tree.value), '{"a":"0123456789"}');
    assert.ok(performance.now() - started < 5_000);
  });

  test("thousands of copies over one and the same place fail, though the document stays small", () => {
    const tree = treeOf(JSON.stringify({ a: "x".repeat(1_000_000), b: 0 }));
    const again = Array.from({ length: 10_000 }, () => ({ op: "copy", from: "/a", path: "/b" }));
    const failure = tree.apply(decodePatch(again), undefined, options);
    assert.equal(failure?.reason, "too-large");
    assert.equal(failure?.operation, Math.floor(limits.documentMaxBytes / 1_000_002));
  });

  test("each patch has its own bound: what was copied before does not count", () => {
    const tree = treeOf(JSON.stringify({ a: "x".repeat(1_000_000), b: 0 }));
    const copy = decodePatch([{ op: "copy", from: "/a", path: "/b" }]);
    for (let patches = 0; patches < 40; patches++)
      assert.equal(tree.apply(copy, undefined, options), undefined);
  });

  test("thousands of elements at the front of a huge array fail; at its end they do not", () => {
    const array = JSON.stringify(Array.from({ length: 1_000_000 }, () => 0));
    assert.equal(failing(array, thousandAt("/0")).reason, "too-large");
    assert.equal(treeOf(array).apply(decodePatch(thousandAt("/-")), undefined, options), undefined);
  });

  test("thousands of moves of something large deeper and back fail", () => {
    const tree = treeOf(JSON.stringify({ a: { x: "y".repeat(1_000_000) }, b: {} }));
    const moves = Array.from({ length: 1_000 }, (_, at) =>
      at % 2 === 0
        ? { op: "move", from: "/a", path: "/b/a" }
        : { op: "move", from: "/b/a", path: "/a" },
    );
    assert.equal(tree.apply(decodePatch(moves), undefined, options)?.reason, "too-large");
  });

  test("the operation that makes the document too large fails, not the one before", () => {
    const grow = [
      { op: "add", path: "/a", value: "x".repeat(90) },
      { op: "add", path: "/b", value: "x".repeat(90) },
    ];
    const tree = treeOf("{}");
    const failure = tree.apply(decodePatch(grow), undefined, { upsert: false, maxWeight: 110 });
    assert.deepEqual([failure?.operation, failure?.reason, failure?.path], [1, "too-large", "/b"]);
    assert.equal(canonicalText(tree.value), "{}");
  });

  test("what is too large already may shrink, and stay", () => {
    const tree = treeOf(JSON.stringify({ a: "x".repeat(200), b: 1 }));
    const shrink = [
      { op: "replace", path: "/b", value: 2 },
      { op: "replace", path: "/a", value: "x".repeat(190) },
    ];
    const tight = { upsert: false, maxWeight: 100 };
    assert.equal(tree.apply(decodePatch(shrink), undefined, tight), undefined);
    const grow = [{ op: "add", path: "/c", value: 1 }];
    assert.equal(tree.apply(decodePatch(grow), undefined, tight)?.reason, "too-large");
  });

  test("a document nests 256 levels, by add, copy and move, and not one more", () => {
    const max = limits.documentDepthMaxCount;
    const add = (levels: number): unknown => [{ op: "add", path: "/x", value: nested(levels) }];
    assert.equal(treeOf("{}").apply(decodePatch(add(max - 1)), undefined, options), undefined);
    assert.equal(failing("{}", add(max)).reason, "too-deep");
    const half = JSON.stringify({ a: nested(max - 1), b: { c: {} } });
    assert.equal(failing(half, [{ op: "copy", from: "/a", path: "/b/d" }]).reason, "too-deep");
    assert.equal(failing(half, [{ op: "move", from: "/a", path: "/b/d" }]).reason, "too-deep");
    assert.equal(failing(half, [{ op: "move", from: "/a", path: "/b/c/d" }]).reason, "too-deep");
    const upsert = { upsert: true, maxWeight: limits.documentMaxBytes };
    const deep = decodePatch([{ op: "replace", path: "/b/d", value: nested(max - 1) }]);
    assert.equal(treeOf(half).apply(deep, undefined, upsert)?.reason, "too-deep");
  });

  test("a value of a patch nests 256 levels and not one more", () => {
    const max = limits.documentDepthMaxCount;
    assert.equal(decodePatch([{ op: "add", path: "", value: nested(max) }]).length, 1);
    assert.throws(
      () => decodePatch([{ op: "add", path: "", value: nested(max + 1) }]),
      (error) => error instanceof TrubaError && error.code === "TOOLARGE",
    );
  });

  test("what is said of a failed test is short, however large the values are", () => {
    const tree = treeOf(JSON.stringify({ big: Array.from({ length: 100_000 }, () => "x") }));
    const path = `/${"p".repeat(100_000)}`;
    const failed = tree.apply(
      decodePatch([{ op: "test", path: "/big", value: "y".repeat(100_000) }]),
      undefined,
      options,
    );
    assert.equal(failed?.reason, "test-failed");
    assert.ok(JSON.stringify(failed).length < 1_000);
    const missing = tree.apply(decodePatch([{ op: "remove", path }]), undefined, options);
    assert.ok(missing !== undefined && missing.text.length < 1_000);
  });

  test("a failed test says what it wanted and what was there, as it was then", () => {
    const tree = treeOf('{"a":{"b":[1]}}');
    const [wrong, change] = [
      decodePatch([{ op: "test", path: "/a", value: 7 }]),
      decodePatch([{ op: "add", path: "/a/b/-", value: 2 }]),
    ];
    const failure = tree.apply(wrong, undefined, options);
    tree.apply(change, undefined, options);
    assert.deepEqual(failure, {
      operation: 0,
      op: "test",
      path: "/a",
      reason: "test-failed",
      text: '"/a" is not what the test wants',
      expected: 7,
      actual: { b: [1] },
    });
    assert.deepEqual(failing('{"a":1}', [{ op: "test", path: "/b", value: 1 }]), {
      operation: 0,
      op: "test",
      path: "/b",
      reason: "missing",
      text: '"/b" does not exist: the document has no member "b"',
      expected: 1,
    });
  });
});

function treeOf(text: string): Tree {
  return new Tree(JSON.parse(text) as Json);
}

function failing(document: string, patch: unknown): PatchFailure {
  const tree = treeOf(document);
  const failure = tree.apply(decodePatch(patch), undefined, options);
  assert.ok(failure !== undefined, "the patch must fail");
  assert.equal(canonicalText(tree.value), canonicalText(JSON.parse(document) as Json));
  return failure;
}

function nested(levels: number): Json {
  let value: Json = 0;
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

function thousandAt(path: string): Json {
  return Array.from({ length: 1_000 }, () => ({ op: "add", path, value: 1 }));
}
