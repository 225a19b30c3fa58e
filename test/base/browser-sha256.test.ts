/** SHA-256 without parts of Node, against that of Node. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as fc from "fast-check";
import { sha256Hex } from "../../src/base/browser-sha256.ts";
import { sha256Hex as ofNode } from "../../src/base/sha256.ts";

suite("SHA-256 in browsers", () => {
  test("the examples of FIPS 180-4", () => {
    assert.equal(
      sha256Hex("abc"),
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    assert.equal(sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  test("every length around its blocks is as Node has it", () => {
    for (let length = 0; length < 300; length++)
      assert.equal(sha256Hex("x".repeat(length)), ofNode("x".repeat(length)), `${length}`);
  });

  test("any text is as Node has it, lone surrogates too", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), (text) => {
        assert.equal(sha256Hex(text), ofNode(text));
      }),
    );
    assert.equal(sha256Hex("\ud800"), ofNode("\ud800"));
  });
});
