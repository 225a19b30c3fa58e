import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as fc from "fast-check";
import { AssertionError } from "../../src/base/assert.ts";
import { errorCodes } from "../../src/base/errors.ts";
import {
  type Outcome,
  abortReason,
  done,
  errorOutcome,
  recordStatuses,
  sessionStatuses,
} from "../../src/machines/outcome.ts";
import { decodeOutcome, encodeOutcome } from "../../src/machines/outcome-codec.ts";

const version = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const code = fc.constantFrom(...errorCodes);
const text = fc.string({ unit: "grapheme", maxLength: 200 });
/** Objects as the code makes them. */
const plain = { noNullPrototype: true } as const;
const record: fc.Arbitrary<Outcome> = fc.record(
  {
    kind: fc.constant("record" as const),
    status: fc.constantFrom(...recordStatuses),
    version,
  },
  plain,
);
/** As a stored one is: without what was read. */
const value: fc.Arbitrary<Outcome> = fc.constant({ kind: "value", version: 0, value: undefined });
const error: fc.Arbitrary<Outcome> = fc
  .tuple(code, text, fc.option(fc.nat(), { nil: undefined }))
  .map(([errorCode, why, retryAfterMs]) => errorOutcome(errorCode, why, retryAfterMs));
const aborted: fc.Arbitrary<Outcome> = fc.record(
  {
    kind: fc.constant("aborted" as const),
    index: fc.integer({ min: 0, max: 65_535 }),
    code,
    text,
  },
  plain,
);
const ofQueues: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({ kind: fc.constant("queue" as const), changed: fc.boolean() }, plain),
  fc.record(
    { kind: fc.constant("pushed" as const), task: version, duplicate: fc.boolean() },
    plain,
  ),
  fc.record(
    {
      kind: fc.constant("settled" as const),
      settled: fc.nat(),
      lost: fc.array(version, { maxLength: 20 }),
      leaseEndsAtMs: version,
    },
    plain,
  ),
  fc.record({ kind: fc.constant("count" as const), count: version }, plain),
);
const ofSessions: fc.Arbitrary<Outcome> = fc.record(
  {
    kind: fc.constant("session" as const),
    status: fc.constantFrom(...sessionStatuses),
    session: fc.constantFrom("{a}0000000000000001", "{tag of some length}00000000000000ff"),
    epoch: version,
    dueAtMs: version,
    recordsCount: version,
    bytes: version,
  },
  plain,
);
const flat = fc.oneof(
  record,
  value,
  error,
  aborted,
  ofQueues,
  ofSessions,
  fc.constant<Outcome>(done),
);
const group: fc.Arbitrary<Outcome> = fc.record(
  { kind: fc.constant("group" as const), outcomes: fc.array(flat, { maxLength: 30 }) },
  plain,
);

function hex(outcome: Outcome): string {
  return encodeOutcome(outcome).toString("hex");
}

function reason(outcome: Outcome): string | undefined {
  return abortReason(outcome)?.code;
}

suite("outcomes as bytes", () => {
  test("every outcome reads as it was stored", () => {
    fc.assert(
      fc.property(fc.oneof(flat, group), (outcome) => {
        assert.deepEqual(decodeOutcome(encodeOutcome(outcome)), outcome);
      }),
      { numRuns: 1_000 },
    );
  });

  test("what a read found is not stored", () => {
    const outcome: Outcome = { kind: "value", version: 9, value: Buffer.from("secret") };
    assert.equal(encodeOutcome(outcome).length, 1);
  });

  test("bytes that are cut or left over are refused", () => {
    fc.assert(
      fc.property(fc.oneof(flat, group), (outcome) => {
        const bytes = encodeOutcome(outcome);
        assert.throws(() => decodeOutcome(Buffer.concat([bytes, Buffer.of(0)])), AssertionError);
        if (bytes.length > 1) assert.throws(() => decodeOutcome(bytes.subarray(0, -1)));
      }),
    );
  });

  test("the bytes of stored outcomes, which checkpoints keep", () => {
    assert.equal(
      hex({ kind: "record", status: "created", version: 1 }),
      "0100000000000000f03f".padEnd(20, "0"),
    );
    assert.equal(hex({ kind: "record", status: "conflict", version: 0 }), "01060000000000000000");
    assert.equal(hex({ kind: "group", outcomes: [done] }), "03010006");
    assert.equal(
      hex({ kind: "aborted", index: 2, code: "EXISTS", text: "é" }),
      "040200064558495354530200c3a9",
    );
    assert.equal(hex(errorOutcome("ERR", "x")), "0503455252010078");
    assert.equal(hex(errorOutcome("ERR", "x", 2)), "07000000000000004003455252010078");
  });

  test("what aborts a group: conditions that did not hold, and errors", () => {
    const statuses = recordStatuses.map((status) => reason({ kind: "record", status, version: 3 }));
    assert.deepEqual(statuses, [
      undefined,
      undefined,
      undefined,
      undefined,
      "EXISTS",
      "NOTFOUND",
      "VERSIONCONFLICT",
      undefined,
    ]);
    assert.equal(reason({ kind: "settled", settled: 1, lost: [7], leaseEndsAtMs: 0 }), "LEASELOST");
    assert.equal(reason({ kind: "settled", settled: 2, lost: [], leaseEndsAtMs: 0 }), undefined);
    assert.equal(reason(errorOutcome("TOOLARGE", "too large")), "TOOLARGE");
    assert.equal(reason({ kind: "value", version: 0, value: undefined }), undefined);
    assert.equal(reason(done), undefined);
  });
});
