/** Slots against the published values of Redis Cluster; partitions against what they must cover. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import {
  crc16,
  partitionOfSlot,
  slotOf,
  slotOfUuid,
  slotRange,
  slotsCount,
} from "../../src/placement/slots.ts";

const slot = (key: string) => slotOf(Buffer.from(key));

suite("slots (DESIGN §9, Redis Cluster specification)", () => {
  test("CRC16 is XMODEM's: its check value is the published one", () => {
    assert.equal(crc16(Buffer.from("123456789")), 0x31c3);
    assert.equal(crc16(Buffer.from("")), 0);
    assert.equal(crc16(Buffer.from("xx123456789y"), 2, 11), 0x31c3);
  });

  test("a UUID is in the slot of its text in small letters, however it is written", () => {
    const text = "0d5d3807-5fbf-4228-a657-5a091c4e497f";
    for (const written of [text, text.toUpperCase(), text.replace("d", "D")]) {
      assert.equal(slotOfUuid(Buffer.from(`xx${written}`), 2), slot(text));
    }
  });

  test("keys are in the slots that Redis says", () => {
    assert.equal(slot("foo"), 12_182);
    assert.equal(slot("bar"), 5_061);
    assert.equal(slot("123456789"), 0x31c3);
    assert.equal(slot("somekey"), 11_058);
    assert.equal(slot("foo{hash_tag}"), 2_515);
  });

  test("only the tag counts: between the first { and the } after it, if anything is there", () => {
    assert.equal(slot("{user1000}.following"), slot("{user1000}.followers"));
    assert.equal(slot("{user1000}.following"), slot("user1000"));
    assert.equal(slot("foo{{bar}}zap"), slot("{bar"));
    assert.equal(slot("foo{bar}{zap}"), slot("bar"));
    assert.equal(slot("}foo{bar}"), slot("bar"));
  });

  test("without a whole, non-empty tag all of the key counts", () => {
    for (const key of ["foo{}{bar}", "foo{bar", "foo}bar{", "{", "{}", "foo{"]) {
      assert.equal(slot(key), crc16(Buffer.from(key)) % slotsCount, key);
    }
  });

  test("a key's slot does not depend on where it stands", () => {
    const bytes = Buffer.from("}{a}xx{user1000}.following}y");
    assert.equal(slotOf(bytes, 6, 26), slot("{user1000}.following"));
    assert.equal(slotOf(bytes, 6, 12), slot("{user1"));
  });

  test("every slot belongs to the one partition whose range holds it, for any number of partitions", () => {
    for (const partitions of [1, 2, 3, 7, 16, 1_000, 1_024, slotsCount]) {
      let next = 0;
      const sizes = new Set<number>();
      for (let partition = 0; partition < partitions; partition++) {
        const { first, last } = slotRange(partition, partitions);
        assert.equal(first, next);
        next = last + 1;
        sizes.add(next - first);
        for (let at = first; at <= last; at++) {
          assert.equal(partitionOfSlot(at, partitions), partition);
        }
      }
      assert.equal(next, slotsCount);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `${partitions} partitions`);
    }
  });

  test("a range of a partition that is not there is a bug", () => {
    assert.throws(() => slotRange(16, 16), { name: "AssertionError" });
    assert.throws(() => slotRange(-1, 16), { name: "AssertionError" });
  });
});
