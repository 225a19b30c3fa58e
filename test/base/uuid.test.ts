/** UUIDs against RFC 9562: text, versions, times. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as fc from "fast-check";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import {
  formatUuid,
  isUuidV4,
  isUuidV7,
  makeUuidV4,
  makeUuidV7,
  parseUuid,
  uuidV7Ms,
} from "../../src/base/uuid.ts";

const example = "f81d4fae-7dec-41d0-a765-00a0c91e6bf6";

function parse(text: string): Uint8Array | undefined {
  const target = new Uint8Array(16);
  return parseUuid(Buffer.from(text, "latin1"), 0, target, 0) ? target : undefined;
}

suite("UUIDs (RFC 9562)", () => {
  test("the bytes are those of the text, whatever the case of its digits", () => {
    const expected = Buffer.from("f81d4fae7dec41d0a76500a0c91e6bf6", "hex");
    assert.deepEqual(Buffer.from(parse(example) ?? []), expected);
    assert.deepEqual(Buffer.from(parse(example.toUpperCase()) ?? []), expected);
  });

  test("text is read and bytes are written at the given offsets, and nowhere else", () => {
    const target = new Uint8Array(20).fill(0xee);
    assert.ok(parseUuid(Buffer.from(`key ${example} rest`), 4, target, 2));
    assert.equal(formatUuid(target, 2), example);
    assert.deepEqual([target[0], target[1], target[18], target[19]], [0xee, 0xee, 0xee, 0xee]);
  });

  test("every 16 bytes are what their text reads as", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        assert.deepEqual(parse(formatUuid(bytes)), bytes);
      }),
    );
  });

  test("one wrong character anywhere is refused", () => {
    for (let at = 0; at < 36; at++) {
      for (let code = 0; code < 256; code++) {
        const character = String.fromCharCode(code);
        const isHyphenPlace = example[at] === "-";
        const fits = isHyphenPlace ? character === "-" : /[0-9a-fA-F]/.test(character);
        const text = example.slice(0, at) + character + example.slice(at + 1);
        assert.equal(parse(text) !== undefined, fits, JSON.stringify(text));
      }
    }
  });

  test("text that ends too early is refused", () => {
    for (let length = 0; length < 36; length++)
      assert.equal(parse(example.slice(0, length)), undefined);
  });

  test("§5.4: version 4 has the version nibble 4 and the variant 8, 9, a or b", () => {
    for (const digit of "0123456789abcdef") {
      const version = parse(`f81d4fae-7dec-${digit}1d0-a765-00a0c91e6bf6`);
      assert.ok(version);
      assert.equal(isUuidV4(version), digit === "4");
      assert.equal(isUuidV7(version), digit === "7");
      const variant = parse(`f81d4fae-7dec-41d0-${digit}765-00a0c91e6bf6`);
      assert.ok(variant);
      assert.equal(isUuidV4(variant), "89ab".includes(digit));
    }
  });

  test("appendix A.6: the example of version 7 has the time that the RFC says", () => {
    const bytes = parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F");
    assert.ok(bytes);
    assert.ok(isUuidV7(bytes));
    assert.equal(uuidV7Ms(bytes), 1_645_557_742_000);
  });

  test("§5.7: a version 7 made for a time gives that time back, up to the last of 48 bits", () => {
    const random = new SeededRandom(7);
    for (const ms of [0, 1, 255, 256, 1_645_557_742_000, 2 ** 48 - 1]) {
      const bytes = makeUuidV7(ms, random);
      assert.ok(isUuidV7(bytes));
      assert.equal(uuidV7Ms(bytes), ms);
    }
  });

  test("made ids differ, and every random bit of them is used", () => {
    const random = new SeededRandom(4);
    for (const make of [() => makeUuidV4(random), () => makeUuidV7(0, random)]) {
      const seen = new Set<string>();
      const everSet = new Uint8Array(16);
      for (let i = 0; i < 1_000; i++) {
        const bytes = make();
        seen.add(formatUuid(bytes));
        for (let at = 0; at < 16; at++) everSet[at] = (everSet[at] ?? 0) | (bytes[at] ?? 0);
      }
      assert.equal(seen.size, 1_000);
      assert.equal(everSet[8], 0xbf);
      assert.ok(everSet.subarray(9).every((byte) => byte === 0xff));
    }
    assert.ok(isUuidV4(makeUuidV4(random)));
  });
});
