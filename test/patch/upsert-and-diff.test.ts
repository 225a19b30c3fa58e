/** Patches made by us: strict ones of lenient ones, and those that lead from one value to another. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { chance } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { limits } from "../../src/base/limits.ts";
import { canonicalText } from "../../src/patch/canonical.ts";
import { diffPatch } from "../../src/patch/diff.ts";
import type { Json } from "../../src/patch/json.ts";
import { decodePatch, operationJson, type Patch } from "../../src/patch/patch.ts";
import { Tree } from "../../src/patch/tree.ts";
import { upsertPatch } from "../../src/patch/upsert.ts";
import { randomJson, randomPatch, structuredCloneOf } from "./random-json.ts";

const strict = { upsert: false, maxWeight: limits.documentMaxBytes };
const lenient = { ...strict, upsert: true };

suite("replace that makes what is missing (the exercise)", () => {
  const example: readonly (readonly [title: string, document: Json, patch: Json, gives: Json])[] = [
    [
      "the exercise's own example",
      {},
      [
        { op: "replace", path: "/0", value: [] },
        { op: "add", path: "/0/-", value: "Hello" },
      ],
      ["add", "add"],
    ],
    [
      "what is there stays a replace",
      { a: 1 },
      [{ op: "replace", path: "/a", value: 2 }],
      ["replace"],
    ],
    [
      "what an operation before it took away is made again",
      { a: 1 },
      [
        { op: "remove", path: "/a" },
        { op: "replace", path: "/a", value: 2 },
        { op: "replace", path: "/a", value: 3 },
      ],
      ["remove", "add", "replace"],
    ],
    [
      "only the last token may be missing",
      {},
      [{ op: "replace", path: "/a/b", value: 2 }],
      ["replace"],
    ],
    ["no element is made", [], [{ op: "replace", path: "/0", value: 2 }], ["replace"]],
    [
      "an inherited member is missing",
      {},
      [{ op: "replace", path: "/toString", value: 2 }],
      ["add"],
    ],
  ];
  for (const [title, document, patch, ops] of example) {
    test(title, () => {
      const tree = new Tree(document);
      const made = upsertPatch(tree, decodePatch(patch));
      assert.deepEqual(
        made.map(({ op }) => op),
        ops,
      );
    });
  }

  test("the strict patch does strictly what the given one does leniently, and nothing is changed by asking", () => {
    let rewritten = 0;
    for (let seed = 1; seed <= 2_000; seed++) {
      const random = new SeededRandom(seed);
      const value = randomJson(random);
      const patch = missingRandomly(random, randomPatch(random, value));
      const asked = new Tree(structuredCloneOf(value));
      const made = upsertPatch(asked, patch);
      assert.equal(canonicalText(asked.value), canonicalText(value), `seed ${seed}`);
      if (made !== patch) rewritten++;

      const given = new Tree(structuredCloneOf(value));
      const fold = given.apply(patch, undefined, lenient);
      const failure = asked.apply(made, undefined, strict);
      assert.equal(failure?.operation, fold?.operation, `seed ${seed}`);
      assert.equal(canonicalText(asked.value), canonicalText(given.value), `seed ${seed}`);
    }
    assert.ok(rewritten > 100, `${rewritten} patches were changed`);
  });

  test("a patch that would fill the memory does not (P8)", () => {
    const tree = new Tree({ a: "0123456789" });
    const patch = decodePatch([
      { op: "replace", path: "/b", value: 1 },
      ...Array.from({ length: 60 }, (_, at) => ({ op: "copy", from: "", path: `/c${at}` })),
    ]);
    assert.equal(upsertPatch(tree, patch).length, 61);
    assert.equal(canonicalText(tree.value), '{"a":"0123456789"}');
  });
});

suite("from one value to another", () => {
  test("the patch leads there, strictly, whatever the two are", () => {
    for (let seed = 1; seed <= 2_500; seed++) {
      const random = new SeededRandom(seed);
      const from = randomJson(random, 4);
      const to = chance(random, 0.3) ? randomJson(random, 4) : changed(random, from);
      const patch = diffPatch(from, to);
      const told = decodePatch(JSON.parse(JSON.stringify(patch.map(operationJson))));
      const tree = new Tree(structuredCloneOf(from));
      assert.equal(tree.apply(told, undefined, strict), undefined, `seed ${seed}`);
      assert.equal(canonicalText(tree.value), canonicalText(to), `seed ${seed}`);
      if (canonicalText(from) === canonicalText(to)) assert.deepEqual(patch, []);
    }
  });

  const small: readonly (readonly [title: string, from: Json, to: Json, patch: Json])[] = [
    ["nothing for the same in another order", { a: 1, b: [2] }, { b: [2], a: 1 }, []],
    [
      "one member",
      { a: 1, b: { c: 2 } },
      { a: 1, b: { c: 3 } },
      [{ op: "replace", path: "/b/c", value: 3 }],
    ],
    ["an element in front", [1, 2, 3], [0, 1, 2, 3], [{ op: "add", path: "/0", value: 0 }]],
    ["an element in the middle goes", [1, 2, 3], [1, 3], [{ op: "remove", path: "/1" }]],
    [
      "an element changes inside",
      [{ a: 1 }, 2],
      [{ a: 2 }, 2],
      [{ op: "replace", path: "/0/a", value: 2 }],
    ],
    [
      "another kind",
      { a: [1] },
      { a: { "0": 1 } },
      [{ op: "replace", path: "/a", value: { "0": 1 } }],
    ],
    ["another document", [1], "x", [{ op: "replace", path: "", value: "x" }]],
    ["a member goes", { a: 1, b: 2 }, { b: 2 }, [{ op: "remove", path: "/a" }]],
    [
      "a name __proto__",
      {},
      JSON.parse('{"__proto__":1}') as Json,
      [{ op: "add", path: "/__proto__", value: 1 }],
    ],
  ];
  for (const [title, from, to, patch] of small) {
    test(`small: ${title}`, () => {
      assert.deepEqual(diffPatch(from, to).map(operationJson), patch);
    });
  }

  test("a value that is another altogether is replaced whole: the patch is at most twice as long, and a little", () => {
    for (let seed = 1; seed <= 1_000; seed++) {
      const random = new SeededRandom(seed);
      const many = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`name-${at}`, at]));
      const from = [many, { ...many, x: randomJson(random, 4) }];
      const to = [randomJson(random, 4), { x: randomJson(random, 4) }];
      const patch = JSON.stringify(diffPatch(from, to).map(operationJson));
      assert.ok(patch.length <= 2 * canonicalText(to).length + 600, `seed ${seed}: ${patch}`);
    }
  });

  test("more operations than a patch may have are one (P8)", () => {
    const from = Object.fromEntries(
      Array.from({ length: 30_000 }, (_, at) => [`k${at}`, `${"x".repeat(200)}${at}`]),
    );
    const to = Object.fromEntries(
      Object.entries(from).map(([name, value], at) => [name, at % 2 === 0 ? "" : value]),
    );
    assert.deepEqual(diffPatch(from, to), [{ op: "replace", path: [], value: to }]);
  });
});

/** Some `add`s become `replace`s, of what mostly is not there. */
function missingRandomly(random: SeededRandom, patch: Patch): Patch {
  return patch.map((operation) =>
    operation.op === "add" && chance(random, 0.5) ? { ...operation, op: "replace" } : operation,
  );
}

function changed(random: SeededRandom, value: Json): Json {
  const tree = new Tree(structuredCloneOf(value));
  for (const operation of randomPatch(random, value)) tree.apply([operation], undefined, strict);
  return tree.value;
}
