/** JSON that somebody sends: what is refused before it is parsed, and numbers that a double does not hold. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { limits } from "../../src/base/limits.ts";
import { inexactNumber, parseJson } from "../../src/patch/json-text.ts";

suite("JSON as text", () => {
  test("an own member __proto__ stays one, and duplicate names count once, with the last value", () => {
    const value = parseJson('{"__proto__":{"x":1},"a":1,"a":2}', "it");
    assert.deepEqual(Object.entries(value as object), [
      ["__proto__", { x: 1 }],
      ["a", 2],
    ]);
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
  });

  test("what is no JSON is refused, and named", () => {
    for (const text of [
      "",
      "{",
      "[1,]",
      "{'a':1}",
      "NaN",
      "01",
      "undefined",
      '"\u0001"',
      "\ufeff1",
    ])
      assert.throws(() => parseJson(text, "the patch"), {
        code: "BADJSON",
        message: /^the patch /,
      });
  });

  test("numbers beyond a double's range are refused: they would become infinity, and null as text", () => {
    for (const text of ["1e999", "[-1E400]", '{"a":[1e309]}', `9${"0".repeat(400)}`])
      assert.throws(() => parseJson(text, "it"), { code: "BADJSON" });
    assert.deepEqual(parseJson('["1e999",1e308,1e-999]', "it"), ["1e999", 1e308, 0]);
  });

  test("depth is bounded before anything is parsed; brackets in strings do not count (P8)", () => {
    // A patch has two levels around its values.
    const max = limits.documentDepthMaxCount + 2;
    assert.ok(Array.isArray(parseJson(deep(max), "it")));
    assert.throws(() => parseJson(deep(max + 1), "it"), { code: "TOOLARGE" });
    assert.throws(() => parseJson("[".repeat(2_000_000), "it"), { code: "TOOLARGE" });
    assert.throws(() => parseJson('{"a":'.repeat(300), "it"), { code: "TOOLARGE" });
    const strings = [
      `"${"[".repeat(1_000)}"`,
      `"${'\\"['.repeat(1_000)}"`,
      `"${"\\\\".repeat(999)}"`,
    ];
    for (const text of strings) assert.equal(typeof parseJson(text, "it"), "string");
    assert.throws(() => parseJson(`["\\\\",${deep(max)}]`, "it"), { code: "TOOLARGE" });
  });

  test("length is bounded before anything is parsed (P8)", () => {
    const text = `"${"x".repeat(limits.documentMaxBytes)}"`;
    assert.throws(() => parseJson(text, "it"), { code: "TOOLARGE", message: /documentMaxBytes/ });
  });
});

suite("numbers that a double does not hold (RFC 8259 §6)", () => {
  const held = [
    "0",
    "-0",
    "-0.0e7",
    "1",
    "1.0",
    "100e-2",
    "0.1",
    "1e21",
    "1E+21",
    "123456789012345",
    "9007199254740992",
    "9007199254740994",
    "1.7976931348623157e308",
    "5e-324",
    "333333333.33333325",
    "0.000001000",
    "4.50",
  ];
  const lost = [
    "12345678901234567890",
    "-9007199254740993",
    "0.1000000000000000055511151231257827",
    "333333333.33333329",
    "1e400",
    "-1e400",
    "1e-400",
    "1.00000000000000001",
    "1e99999999999999999999",
  ];

  for (const text of held)
    test(`${text} is held`, () => assert.equal(inexactNumber(text), undefined));
  for (const text of lost)
    test(`${text} is not`, () => assert.equal(inexactNumber(`[${text}]`), text));

  test("the first one is named, wherever it stands", () => {
    assert.equal(
      inexactNumber('{"a":[0.1,-12345678901234567890],"b":98765432109876543210}'),
      "-12345678901234567890",
    );
  });

  test("digits in strings and names are text", () => {
    assert.equal(
      inexactNumber('{"12345678901234567890":"\\"12345678901234567890\\\\"}'),
      undefined,
    );
    assert.equal(inexactNumber('["\\\\",12345678901234567890]'), "12345678901234567890");
  });

  test("long texts take no long time: digits, zeros, escapes, quotes (P8)", () => {
    const started = performance.now();
    const zeros = `1${"0".repeat(1_000_000)}1`;
    assert.equal(inexactNumber(zeros), zeros);
    assert.equal(inexactNumber(`0.${"0".repeat(300)}${"10".repeat(300_000)}`)?.length, 600_302);
    assert.equal(inexactNumber(`["${'\\"'.repeat(1_000_000)}",1]`), undefined);
    assert.equal(inexactNumber(`["${"x".repeat(4_000_000)}",1]`), undefined);
    assert.ok(performance.now() - started < 10_000);
  });
});

function deep(levels: number): string {
  return "[".repeat(levels) + "]".repeat(levels);
}
