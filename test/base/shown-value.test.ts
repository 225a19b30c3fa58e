import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { shown } from "../../src/base/shown-value.ts";

suite("values in the texts of errors", () => {
  test("text is in quotes, on one line, and holds nothing that a terminal obeys", () => {
    assert.equal(shown('a "b"\n'), String.raw`"a \"b\"\n"`);
    assert.equal(shown("\u001b[2J\u009b1m\u2028"), String.raw`"\u001b[2J\u009b1m\u2028"`);
    assert.equal(shown(""), '""');
  });

  test("what is longer than 64 characters ends in an ellipsis", () => {
    assert.equal(shown("x".repeat(64)), `"${"x".repeat(64)}"`);
    assert.equal(shown("x".repeat(65)), `"${"x".repeat(64)}…"`);
    assert.equal(shown(10n ** 70n).length, 65);
  });

  test("anything can be shown, also what has no text", () => {
    const values = [undefined, null, -0, NaN, 5n, true, [1, 2], Object.create(null), () => 1];
    const texts = [
      "undefined",
      "null",
      "0",
      "NaN",
      "5",
      "true",
      "a list of 2",
      "an object",
      "a function",
    ];
    assert.deepEqual(values.map(shown), texts);
    assert.equal(shown(Symbol("s")), "Symbol(s)");
  });
});
