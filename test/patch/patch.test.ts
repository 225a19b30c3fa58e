/** What is a JSON Patch and what is not (RFC 6902 §3, §4), and pointers (RFC 6901). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { TrubaError } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { decodePatch, operationJson } from "../../src/patch/patch.ts";
import { arrayIndex, parsePointer, pointerText } from "../../src/patch/pointer.ts";
import { randomJson, randomPatch } from "./random-json.ts";

suite("JSON Pointers (RFC 6901)", () => {
  test("the examples of §5", () => {
    const examples: readonly (readonly [string, readonly string[]])[] = [
      ["", []],
      ["/foo", ["foo"]],
      ["/foo/0", ["foo", "0"]],
      ["/", [""]],
      ["/a~1b", ["a/b"]],
      ["/c%d", ["c%d"]],
      ["/i\\j", ["i\\j"]],
      ['/k"l', ['k"l']],
      ["/ ", [" "]],
      ["/m~0n", ["m~n"]],
      ["/~01", ["~1"]],
      ["//", ["", ""]],
    ];
    for (const [text, tokens] of examples) {
      assert.deepEqual(parsePointer(text), tokens);
      assert.equal(pointerText(tokens), text);
    }
  });

  test("a pointer begins with a slash, and ~ stands before 0 or 1 (§3)", () => {
    for (const text of ["a", "a/b", " /a", "#/a", "/~", "/~2", "/a~/b", "/~~0"])
      assert.throws(() => parsePointer(text), SyntaxError, text);
  });

  test("an array index is 0 or has no leading zero (§4)", () => {
    for (const [token, index] of [
      ["0", 0],
      ["7", 7],
      ["10", 10],
      ["4294967295", 4294967295],
    ] as const)
      assert.equal(arrayIndex(token), index);
    for (const token of [
      "",
      "-",
      "-1",
      "+1",
      "00",
      "01",
      "1.0",
      "1e0",
      " 1",
      "1 ",
      "０",
      "99999999999",
    ])
      assert.equal(arrayIndex(token), -1, token);
  });
});

suite("what is a JSON Patch (RFC 6902 §3, §4)", () => {
  const bad: readonly (readonly [string, unknown, RegExp])[] = [
    ["an object is none", { op: "add", path: "", value: 1 }, /array/],
    ["null is none", null, /array/],
    ["text is none", "[]", /array/],
    ["an operation is an object", ["add"], /operation 0/],
    ["an operation is no array", [[]], /operation 0/],
    ["an operation has an op", [{ path: "" }], /operation 0 has no "op"/],
    ["an inherited op is none", [Object.create({ op: "remove", path: "/a" })], /no "op"/],
    [
      "an op is known",
      [
        { op: "remove", path: "/a" },
        { op: "spam", path: "" },
      ],
      /"op" of operation 1 is "spam"/,
    ],
    ["ops are spelled in small letters", [{ op: "ADD", path: "", value: 1 }], /"ADD"/],
    ["an op is text", [{ op: ["add"], path: "", value: 1 }], /"op" of operation 0/],
    ["a path is wanted", [{ op: "remove" }], /no "path"/],
    ["a path is text", [{ op: "remove", path: 1 }], /"path" of operation 0 is 1/],
    ["a path is no list of tokens", [{ op: "remove", path: ["a"] }], /"path"/],
    ["a path is a pointer", [{ op: "remove", path: "a" }], /begin with "\/"/],
    ["a value is wanted, of add", [{ op: "add", path: "" }], /no "value"/],
    ["a value is wanted, of replace", [{ op: "replace", path: "" }], /no "value"/],
    ["a value is wanted, of test", [{ op: "test", path: "" }], /no "value"/],
    ["undefined is no value", [{ op: "test", path: "", value: undefined }], /no "value"/],
    ["a source is wanted, of move", [{ op: "move", path: "/a" }], /no "from"/],
    ["a source is wanted, of copy", [{ op: "copy", path: "/a", value: 1 }], /no "from"/],
    ["a source is a pointer", [{ op: "copy", path: "/a", from: "b~" }], /"from" of operation 0/],
    ["NaN is no JSON", [{ op: "add", path: "", value: { a: [Number.NaN] } }], /NaN/],
    ["infinity is no JSON", [{ op: "add", path: "", value: -Infinity }], /-Infinity/],
    ["a date is no JSON", [{ op: "add", path: "", value: new Date(0) }], /not JSON/],
    ["a map is no JSON", [{ op: "add", path: "", value: [new Map()] }], /not JSON/],
    ["a bigint is no JSON", [{ op: "add", path: "", value: 1n }], /not JSON/],
    ["a function is no JSON", [{ op: "add", path: "", value: { toJSON: () => 1 } }], /not JSON/],
    ["undefined is no element", [{ op: "add", path: "", value: [1, undefined] }], /not JSON/],
  ];
  for (const [title, patch, words] of bad) {
    test(title, () => {
      assert.throws(
        () => decodePatch(patch),
        (error) =>
          error instanceof TrubaError && error.code === "BADPATCH" && words.test(error.message),
      );
    });
  }

  test("operations are counted (P8)", () => {
    const max = limits.documentPatchMaxOperations;
    assert.equal(decodePatch(removals(max)).length, max);
    assert.throws(() => decodePatch(removals(max + 1)), {
      code: "TOOLARGE",
      message: /10001.*10000/,
    });
  });

  test("a pointer has no more tokens than a document has levels (P8)", () => {
    const max = limits.documentDepthMaxCount;
    assert.equal(decodePatch([{ op: "remove", path: "/a".repeat(max) }]).length, 1);
    assert.throws(() => decodePatch([{ op: "remove", path: "/a".repeat(max + 1) }]), {
      code: "BADPATCH",
    });
  });

  test("the patch shares nothing with what it was made of", () => {
    const value = { a: [1] };
    const patch = decodePatch([{ op: "add", path: "", value }]);
    value.a.push(2);
    assert.deepEqual(patch, [{ op: "add", path: [], value: { a: [1] } }]);
  });

  test("a member that is undefined is left out, as its JSON would", () => {
    const patch = decodePatch([{ op: "add", path: "", value: { a: undefined, b: 1 } }]);
    assert.deepEqual(patch.map(operationJson), [{ op: "add", path: "", value: { b: 1 } }]);
  });

  test("members of other operations are not taken over", () => {
    const [operation] = decodePatch([{ op: "remove", path: "/a", from: "/b", value: 1, "~": {} }]);
    assert.deepEqual(operation, { op: "remove", path: ["a"] });
  });

  test("what is decoded is written as it was", () => {
    for (let seed = 1; seed <= 500; seed++) {
      const random = new SeededRandom(seed);
      const patch = randomPatch(random, randomJson(random));
      const json = patch.map(operationJson);
      assert.deepEqual(decodePatch(JSON.parse(JSON.stringify(json))), patch, `seed ${seed}`);
    }
  });
});

function removals(count: number): unknown {
  return Array.from({ length: count }, () => ({ op: "remove", path: "/a" }));
}
