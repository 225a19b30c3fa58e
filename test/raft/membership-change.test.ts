/** Changes of the configuration as bytes: pinned, back again, and what is refused. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import {
  changeKinds,
  decodeChange,
  encodeChange,
  leaveJoint,
  type ConfigurationChange,
} from "../../src/raft/membership-change.ts";

const plain = { noNullPrototype: true };
const change: fc.Arbitrary<ConfigurationChange> = fc.record(
  {
    transition: fc.constantFrom("auto" as const, "implicit" as const, "explicit" as const),
    changes: fc.array(
      fc.record(
        {
          kind: fc.constantFrom(...Object.values(changeKinds)),
          replica: fc.maxSafeNat(),
        },
        plain,
      ),
      { maxLength: 64 },
    ),
  },
  plain,
);

suite("changes of the configuration in the log (thesis chapter 4)", () => {
  test("bytes are for ever: logs hold them", () => {
    const bytes = encodeChange({
      transition: "explicit",
      changes: [
        { kind: changeKinds.addVoter, replica: 3 },
        { kind: changeKinds.remove, replica: 0x1_0203_0405 },
      ],
    });
    assert.equal(
      bytes.toString("hex"),
      [
        "02020200",
        "0100000000000000",
        "0300000000000000",
        "0400000000000000",
        "0504030201000000",
      ].join(""),
    );
    assert.equal(encodeChange(leaveJoint).toString("hex"), "02000000");
    assert.deepEqual(Object.values(changeKinds), [1, 2, 3, 4, 5]);
  });

  test("every change comes back", () => {
    fc.assert(
      fc.property(change, fc.constantFrom(1 as const, 2 as const), (one, form) => {
        assert.deepEqual(decodeChange(encodeChange(one, form)), { form, ...one });
      }),
    );
  });

  const good = encodeChange({ transition: "auto", changes: [{ kind: 1, replica: 7 }] });
  const withByte = (at: number, byte: number): Buffer => {
    const bytes = Buffer.from(good);
    bytes[at] = byte;
    return bytes;
  };
  for (const [title, bytes] of [
    ["nothing", Buffer.alloc(0)],
    ["half a header", good.subarray(0, 3)],
    ["a change cut off", good.subarray(0, good.length - 1)],
    ["a byte too many", Buffer.concat([good, Buffer.alloc(1)])],
    ["form 0", withByte(0, 0)],
    ["form 3", withByte(0, 3)],
    ["an unknown transition", withByte(1, 3)],
    ["a count that is too small", withByte(2, 0)],
    ["a count that is too large", withByte(2, 2)],
    ["65 changes", Buffer.concat([Buffer.from([2, 0, 65, 0]), Buffer.alloc(65 * 16, 1)])],
    ["kind 0", withByte(4, 0)],
    ["kind 6", withByte(4, 6)],
  ] as const) {
    test(`P7: ${title} is refused as damage`, () => {
      assert.throws(() => decodeChange(bytes), { code: "DATADAMAGED" });
    });
  }

  test("P7: any bytes are a change or damage, nothing else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          const { form, ...one } = decodeChange(Buffer.from(bytes));
          assert.equal(decodeChange(encodeChange(one, form)).changes.length, one.changes.length);
        } catch (error) {
          assert.equal((error as { code?: unknown }).code, "DATADAMAGED", String(error));
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
