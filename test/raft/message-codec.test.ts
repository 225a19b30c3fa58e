import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { TrubaError } from "../../src/base/errors.ts";
import { decodeMessage, encodeMessage, messageBytes } from "../../src/raft/message-codec.ts";
import { type Message, messageTypes } from "../../src/raft/vocabulary.ts";

/** Objects as the code makes them, to be compared with. */
function plain<T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(fields, { noNullPrototype: true });
}

const number = fc.maxSafeNat();
const ids = fc.array(fc.integer({ min: 1, max: 1_000 }), { maxLength: 7 });
const entry = plain({
  index: number,
  term: number,
  kind: fc.constantFrom(0 as const, 1 as const),
  data: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
});
const snapshot = plain({
  index: number,
  term: number,
  configurationIndex: number,
  configuration: plain({
    voters: ids,
    outgoing: ids,
    learners: ids,
    learnersNext: ids,
    witnesses: ids,
    autoLeave: fc.boolean(),
  }),
});
const message: fc.Arbitrary<Message> = plain({
  type: fc.constantFrom(...Object.values(messageTypes)),
  from: number,
  to: number,
  term: number,
  index: number,
  logTerm: number,
  commit: number,
  commitTerm: number,
  entries: fc.array(entry, { maxLength: 5 }),
  reject: fc.boolean(),
  rejectHint: number,
  context: number,
  trimLimit: number,
  snapshot: fc.option(snapshot, { nil: undefined }),
});

/** Either it is a message, which encodes to the same bytes, or a TrubaError. */
function isSoundOrRefused(bytes: Buffer): void {
  let decoded: Message;
  try {
    decoded = decodeMessage(bytes);
  } catch (error) {
    assert.ok(error instanceof TrubaError, String(error));
    return;
  }
  assert.deepEqual(encodeMessage(decoded), bytes);
}

suite("messages between copies as bytes", () => {
  test("every message comes back as it was", () => {
    fc.assert(
      fc.property(message, (one) => {
        const bytes = encodeMessage(one);
        assert.equal(bytes.length, messageBytes(one));
        assert.deepEqual(decodeMessage(bytes), one);
      }),
      { numRuns: 500 },
    );
  });

  test("the data of entries are views into the frame, not copies", () => {
    const one = fc.sample(
      message.filter(({ entries }) => (entries[0]?.data.length ?? 0) > 0),
      1,
    );
    for (const each of one) {
      const bytes = encodeMessage(each);
      assert.equal(decodeMessage(bytes).entries[0]?.data.buffer, bytes.buffer);
    }
  });

  test("whatever is cut, lengthened or changed is refused, or is another message", () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.nat({ max: 255 }), (one, place, value) => {
        const bytes = encodeMessage(one);
        isSoundOrRefused(bytes.subarray(0, place % bytes.length));
        isSoundOrRefused(Buffer.concat([bytes, Buffer.of(value)]));
        const changed = Buffer.from(bytes);
        changed[place % bytes.length] = value;
        isSoundOrRefused(changed);
      }),
      { numRuns: 2_000 },
    );
  });

  test("garbage is refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const garbage = Buffer.from(bytes);
        isSoundOrRefused(garbage);
        if (garbage.length > 8) {
          garbage.set([1, 2, 0, 0]);
          isSoundOrRefused(garbage);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("a message of another version is refused as such", () => {
    const bytes = Buffer.alloc(88);
    bytes[0] = 2;
    assert.throws(() => decodeMessage(bytes), { code: "DATAVERSION", message: /version 2/ });
  });
});
