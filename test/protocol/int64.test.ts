import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { int64Max, int64Min, parseInt64 } from "../../src/protocol/int64.ts";

suite("whole numbers of 64 bits as text", () => {
  test("every value has one form: a number up to 2^53 - 1, a bigint beyond", () => {
    for (const value of [0, 5, -5, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER])
      assert.equal(parseInt64(String(value)), value);
    for (const value of [2n ** 53n, -(2n ** 53n), int64Min, int64Max])
      assert.equal(parseInt64(String(value)), value);
    assert.ok(Object.is(parseInt64("-0"), 0));
    assert.equal(parseInt64("0005"), 5);
  });

  test("what is none, or goes beyond 64 bits, is refused", () => {
    for (const text of ["", "-", "+5", "1e3", "0x10", " 5", "5n", "1".repeat(65)])
      assert.equal(parseInt64(text), undefined, text);
    assert.equal(parseInt64(String(int64Max + 1n)), undefined);
    assert.equal(parseInt64(String(int64Min - 1n)), undefined);
  });
});
