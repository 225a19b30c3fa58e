/** One text for one value (RFC 8785), and equality as RFC 6902 §4.6 has it. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { sha256Hex } from "../../src/base/sha256.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { canonicalText, jsonEqual } from "../../src/patch/canonical.ts";
import type { Json } from "../../src/patch/json.ts";
import { isLighter, weightOf } from "../../src/patch/weight.ts";
import { randomJson } from "./random-json.ts";

suite("canonical JSON (RFC 8785)", () => {
  test("the example of §3.2.2 and §3.2.4", () => {
    const value = JSON.parse(
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    ) as Json;
    assert.equal(
      canonicalText(value),
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test("members are sorted by UTF-16 code units, as in the example of §3.2.3", () => {
    const value = JSON.parse(
      '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control","\\u00f6":"Latin Small Letter O With Diaeresis"}',
    ) as Json;
    assert.deepEqual(
      [...canonicalText(value).matchAll(/:"([^"]+)"/g)].map(([, text]) => text),
      [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
      ],
    );
  });

  test("names that look like numbers stand where their texts do", () => {
    assert.equal(canonicalText({ b: 1, "10": 2, "2": 3, a: 4 }), '{"10":2,"2":3,"a":4,"b":1}');
  });

  test("numbers are written as Appendix B wants", () => {
    const numbers: readonly (readonly [number, string])[] = [
      [0, "0"],
      [-0, "0"],
      [5e-324, "5e-324"],
      [-5e-324, "-5e-324"],
      [1.7976931348623157e308, "1.7976931348623157e+308"],
      [9007199254740992, "9007199254740992"],
      [295147905179352830000, "295147905179352830000"],
      [9.999999999999997e22, "9.999999999999997e+22"],
      [1e23, "1e+23"],
      [1.0000000000000001e23, "1.0000000000000001e+23"],
      [999999999999999700000, "999999999999999700000"],
      [1e21, "1e+21"],
      [9.999999999999997e-7, "9.999999999999997e-7"],
      [0.000001, "0.000001"],
      [333333333.33333325, "333333333.33333325"],
    ];
    for (const [number, text] of numbers) assert.equal(canonicalText(number), text);
  });

  test("half a surrogate pair is escaped, so that the text has a form in UTF-8", () => {
    assert.equal(canonicalText({ "\udc00": "a\ud800b" }), '{"\\udc00":"a\\ud800b"}');
    assert.equal(canonicalText("😀"), '"😀"');
  });

  test("a member __proto__ is a member", () => {
    const text = '{"__proto__":{"a":1},"constructor":2}';
    assert.equal(canonicalText(JSON.parse(text) as Json), text);
  });

  test("it is JSON, of the same value, whatever the order of members", () => {
    for (let seed = 1; seed <= 2_000; seed++) {
      const value = randomJson(new SeededRandom(seed));
      const text = canonicalText(value);
      const back = JSON.parse(text) as Json;
      assert.deepEqual(back, value, `seed ${seed}`);
      assert.equal(canonicalText(back), text);
      assert.equal(canonicalText(reversed(value)), text);
      assert.ok(jsonEqual(value, back) && jsonEqual(reversed(value), value));
    }
  });

  test("equal are those with one text, and no others", () => {
    let equal = 0;
    for (let seed = 1; seed <= 4_000; seed++) {
      const random = new SeededRandom(seed);
      const [a, b] = [randomJson(random, 1), randomJson(random, 1)];
      const same = canonicalText(a) === canonicalText(b);
      assert.equal(jsonEqual(a, b), same, `seed ${seed}`);
      if (same) equal++;
    }
    assert.ok(equal > 50, `${equal} pairs were equal`);
  });

  test("sha256 of the text's UTF-8 (FIPS 180-4, example B.1)", () => {
    const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert.equal(sha256Hex("abc"), abc);
    // From the bytes C3 A9.
    const accented = "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c";
    assert.equal(sha256Hex("é"), accented);
  });
});

suite("weight", () => {
  test("it is the bytes of the canonical text, and one for each container with something in it", () => {
    for (let seed = 1; seed <= 3_000; seed++) {
      const value = randomJson(new SeededRandom(seed));
      const bytes = Buffer.byteLength(canonicalText(value));
      assert.equal(weightOf(value), bytes + filled(value), `seed ${seed}`);
    }
  });

  test("all of Unicode's ends weigh what they are written in", () => {
    for (let code = 0; code <= 0xffff; code++) {
      const text = `${String.fromCharCode(code)}x`;
      const bytes = Buffer.byteLength(JSON.stringify(text));
      if (weightOf(text) !== bytes)
        assert.fail(`U+${code.toString(16)}: ${weightOf(text)}, not ${bytes}`);
    }
  });

  test("what is lighter is found without looking at all of it", () => {
    for (let seed = 1; seed <= 2_000; seed++) {
      const value = randomJson(new SeededRandom(seed));
      const weight = weightOf(value);
      assert.ok(isLighter(value, weight), `seed ${seed}`);
      assert.ok(!isLighter(value, weight - 1), `seed ${seed}`);
    }
  });
});

function reversed(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(reversed);
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, member]) => [name, reversed(member)]),
  ) as Json;
}

/** Containers that are not empty. */
function filled(value: Json): number {
  if (typeof value !== "object" || value === null) return 0;
  const inside = Object.values(value);
  return inside.reduce<number>((sum, one) => sum + filled(one), inside.length === 0 ? 0 : 1);
}
