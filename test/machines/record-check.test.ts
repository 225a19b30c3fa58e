/** `record.check`: a condition of an atomic group that changes nothing itself (DESIGN §8, conditions of records). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { operationCodes } from "../../src/machines/operation.ts";
import type { Outcome } from "../../src/machines/outcome.ts";
import { recordOperation, recordResponse } from "../../src/machines/records/record-request.ts";
import { SessionReplica, bytes } from "./sessions/session-replica.ts";

const key = "{t}0d5d3807-5fbf-4228-a657-5a091c4e497f";
const other = "{t}1d5d3807-5fbf-4228-a657-5a091c4e497f";

const check = (ifVersion: number) => recordOperation("record.check", { key, ifVersion });
const set = (value: string, expiryMs?: number) =>
  recordOperation("record.set", {
    key,
    value: bytes(value),
    ...(expiryMs === undefined ? {} : { expiryMs }),
  });

function record(status: string, version: number): object {
  return { kind: "record", status, version };
}

/** Why a group was not applied, or what became of it. */
function code(outcome: Outcome): string {
  return outcome.kind === "aborted"
    ? `${outcome.index} ${outcome.code} ${outcome.text}`
    : outcome.kind;
}

suite("record.check", () => {
  test("its code is 19, which stands in logs", () => {
    assert.equal(check(1).code, 19);
    assert.equal(check(1).code, operationCodes.recordCheck);
    assert.equal(check(1).slot, set("a").slot);
  });

  test("the table of conditions", () => {
    const cases = [
      // version asked for, without a record, with one of version 1
      [0, record("checked", 0), record("conflict", 1)],
      [1, record("notfound", 0), record("checked", 1)],
      [2, record("notfound", 0), record("conflict", 1)],
    ] as const;
    for (const [version, without, having] of cases) {
      assert.deepEqual(new SessionReplica().apply(check(version)), without);
      const replica = new SessionReplica();
      replica.apply(set("a"));
      const { digest } = replica.state;
      assert.deepEqual(replica.apply(check(version)), having);
      assert.equal(replica.state.digest, digest, "a check changes nothing");
    }
  });

  test("a record that has expired does not exist for it", () => {
    const replica = new SessionReplica();
    replica.apply(set("a", 1_000));
    replica.pass(999);
    assert.deepEqual(replica.apply(check(1)), record("checked", 1));
    replica.pass(1);
    assert.deepEqual(replica.apply(check(1)), record("notfound", 0));
    assert.deepEqual(replica.apply(check(0)), record("checked", 0));
  });

  test("in a group it lets the rest be done or not, and sees what came before it in the group", () => {
    const replica = new SessionReplica();
    const write = recordOperation("record.set", { key: other, value: bytes("b") });
    assert.equal(
      code(replica.apply({ group: [write, check(3)] })),
      "1 NOTFOUND the record does not exist",
    );
    assert.equal(replica.stack.records.count, 0);
    replica.apply(set("a"));
    const version = replica.moment.number;
    assert.equal(
      code(replica.apply({ group: [check(version - 1), write] })),
      `0 VERSIONCONFLICT the record has version ${version}`,
    );
    assert.equal(code(replica.apply({ group: [check(version), write] })), "group");
    const next = replica.moment.number + 2;
    assert.equal(code(replica.apply({ group: [set("c"), check(next), write] })), "group");
    assert.equal(code(replica.apply({ group: [check(next), write] })), "group");
  });

  test("repeated with its request id it answers as before, whatever became of the record", () => {
    const replica = new SessionReplica();
    replica.apply(set("a"));
    const group = { group: [check(1)] };
    const first = replica.apply(group, "request-1");
    replica.apply(set("b"));
    assert.deepEqual(replica.apply(group, "request-1"), first);
    assert.equal(first.kind, "group");
  });

  test("alone it answers the version, or is refused", () => {
    const replica = new SessionReplica();
    replica.apply(set("a"));
    assert.deepEqual(recordResponse("record.check", replica.apply(check(1))), { version: 1 });
    assert.throws(() => recordResponse("record.check", replica.apply(check(2))), {
      code: "VERSIONCONFLICT",
    });
    assert.throws(() => recordResponse("record.check", new SessionReplica().apply(check(1))), {
      code: "NOTFOUND",
    });
  });

  test("a version that is none and a key that is none are refused before the log", () => {
    for (const ifVersion of [-1, 0.5, 2 ** 53, Number.NaN])
      assert.throws(() => check(ifVersion), { code: "BADVALUE" }, `${ifVersion}`);
    assert.throws(() => recordOperation("record.check", { key: "12345", ifVersion: 1 }), {
      code: "BADKEY",
    });
  });
});
