import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { slotOf } from "../../src/placement/slots.ts";
import { tagOfKey, tagOfRecordKey } from "../../src/placement/tags.ts";

const uuid = "0B5DA5B0-9C5A-4E6F-8B0E-3F3C7A1D2E4F";
const slot = (text: string): number => slotOf(Buffer.from(text, "utf8"));

suite("tags of keys", () => {
  test("what stands in the first braces, as it is written", () => {
    assert.equal(tagOfKey("{Order-7}mail"), "Order-7");
    assert.equal(tagOfKey("a{b}c{d}"), "b");
    assert.equal(tagOfKey("{{b}"), "{b");
  });

  test("without one, a tag of the same slot: the whole key, if that can be a tag", () => {
    assert.equal(tagOfKey("mail"), "mail");
    assert.equal(tagOfKey("a{b"), "a{b");
    assert.equal(tagOfKey("{}mail"), undefined);
    assert.equal(tagOfKey("x".repeat(65)), undefined);
  });

  test("whatever the key: who uses the tag goes to the key's slot", () => {
    const key = fc.string({ unit: fc.constantFrom("a", "B", "{", "}", "é"), maxLength: 12 });
    fc.assert(
      fc.property(key, (text) => {
        const tag = tagOfKey(text);
        if (tag !== undefined && tag !== "") assert.equal(slot(`{${tag}}`), slot(text));
      }),
    );
  });

  test("a record's UUID counts in small letters, its tag as it is", () => {
    assert.equal(tagOfRecordKey(uuid), uuid.toLowerCase());
    assert.equal(tagOfRecordKey(`{Order-7}${uuid}`), "Order-7");
  });
});
