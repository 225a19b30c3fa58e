import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { limits } from "../../src/base/limits.ts";
import type { Outcome, RecordStatus } from "../../src/machines/outcome.ts";
import { Replica, due, get, group, remove, set } from "./replica.ts";

function record(status: RecordStatus, version: number): Outcome {
  return { kind: "record", status, version };
}

function newReplica(): Replica {
  return new Replica({ indexSeed: 7 });
}

suite("records machine (DESIGN §8)", () => {
  test("SET creates, then updates; the version is the number of the operation", () => {
    const replica = newReplica();
    assert.deepEqual(replica.one(1, set("a", "one")), record("created", 1));
    assert.deepEqual(replica.one(2, set("b", "")), record("created", 2));
    assert.deepEqual(replica.one(3, set("a", "two")), record("updated", 3));
    assert.deepEqual(replica.read("a"), { value: "two", version: 3, expiry: 0 });
    assert.deepEqual(replica.read("b"), { value: "", version: 2, expiry: 0 });
    assert.equal(replica.stack.records.count, 2);
  });

  test("DELETE says which version it deleted, and that there was none", () => {
    const replica = newReplica();
    replica.one(1, set("a", "one"));
    assert.deepEqual(replica.one(2, remove("a")), record("deleted", 1));
    assert.deepEqual(replica.one(3, remove("a")), record("missing", 0));
    assert.equal(replica.read("a"), undefined);
  });

  test("the table of conditions: SET", () => {
    const cases = [
      // condition, version, without a record, with one of version 1
      ["nx", 0, record("created", 1), record("exists", 1)],
      ["xx", 0, record("notfound", 0), record("updated", 2)],
      ["version", 0, record("created", 1), record("conflict", 1)],
      ["version", 1, record("notfound", 0), record("updated", 2)],
      ["version", 2, record("notfound", 0), record("conflict", 1)],
    ] as const;
    for (const [condition, version, without, having] of cases) {
      const options = { condition, version };
      assert.deepEqual(newReplica().one(1, set("a", "new", options)), without, condition);
      const replica = newReplica();
      replica.one(1, set("a", "old"));
      assert.deepEqual(replica.one(2, set("a", "new", options)), having, condition);
      const changed = having.kind === "record" && having.status === "updated";
      assert.equal(replica.read("a")?.value, changed ? "new" : "old");
    }
  });

  test("the table of conditions: DELETE with IFVERSION", () => {
    const cases = [
      [0, record("missing", 0), record("conflict", 1)],
      [1, record("notfound", 0), record("deleted", 1)],
      [2, record("notfound", 0), record("conflict", 1)],
    ] as const;
    for (const [version, without, having] of cases) {
      assert.deepEqual(newReplica().one(1, remove("a", version)), without);
      const replica = newReplica();
      replica.one(1, set("a", "old"));
      assert.deepEqual(replica.one(2, remove("a", version)), having);
    }
  });

  test("a condition and an expiry stand together", () => {
    const replica = newReplica();
    replica.one(1_000, set("a", "one"));
    const options = { condition: "version", version: 1, expiryMs: 500 } as const;
    assert.deepEqual(replica.one(1_000, set("a", "two", options)), record("updated", 2));
    assert.deepEqual(replica.read("a"), { value: "two", version: 2, expiry: 1_500 });
  });

  test("an expired record is gone for everyone from the first batch whose log time has reached it", () => {
    const replica = newReplica();
    replica.one(1_000, set("a", "one", { expiryMs: 500 }));
    replica.one(1_499, set("other", ""));
    assert.equal(replica.read("a")?.value, "one");
    assert.deepEqual(replica.scan(10), ["a", "other"]);
    replica.one(1_500, set("other", ""));
    assert.equal(replica.read("a"), undefined);
    assert.deepEqual(replica.scan(10), ["other"]);
    assert.deepEqual(replica.one(1_500, remove("a")), record("missing", 0));
    assert.deepEqual(replica.one(1_500, set("a", "x", { condition: "xx" })), record("notfound", 0));
    assert.deepEqual(
      replica.one(1_500, set("a", "x", { condition: "version", version: 1 })),
      record("notfound", 0),
    );
    assert.deepEqual(replica.one(1_500, group(get("a"))), {
      kind: "group",
      outcomes: [{ kind: "value", version: 0, value: undefined }],
    });
    const again = replica.one(1_500, set("a", "new", { condition: "nx" }));
    assert.deepEqual(again, record("created", replica.moment.number));
    assert.equal(replica.stack.nextDue(), Infinity, "the new record does not expire");
  });

  test("log time of a batch that is behind does not bring a record back", () => {
    const replica = newReplica();
    replica.one(1_000, set("a", "one", { expiryMs: 500 }));
    replica.one(1_500, set("b", ""));
    replica.one(1_100, set("b", ""));
    assert.equal(replica.read("a"), undefined);
  });

  test("the first deadline follows overwriting, deleting and groups that are rolled back", () => {
    const replica = newReplica();
    const { stack } = replica;
    assert.equal(stack.nextDue(), Infinity);
    replica.one(0, set("a", "", { expiryMs: 100 }));
    replica.one(0, set("b", "", { expiryMs: 200 }));
    assert.equal(stack.nextDue(), 100);
    replica.one(0, set("a", "", { expiryMs: 300 }));
    assert.equal(stack.nextDue(), 200);
    const aborted = replica.one(
      0,
      group(remove("b"), set("a", "", { expiryMs: 50 }), set("a", "", { condition: "nx" })),
    );
    assert.equal(aborted.kind, "aborted");
    assert.equal(stack.nextDue(), 200);
    replica.one(0, remove("b"));
    assert.equal(stack.nextDue(), 300);
    replica.one(0, set("a", ""));
    assert.equal(stack.nextDue(), Infinity);
  });

  test("`due` removes what is due, earliest first, at most 1,024 rows, and nothing else (P8)", () => {
    const replica = newReplica();
    const count = limits.dueMaxRows + 10;
    const requests = Array.from({ length: count }, (_, i) =>
      set(`${i}`, "", { expiryMs: 1_000 + i }),
    );
    replica.apply({ timestamp: 0, requests });
    replica.one(0, set("stays", ""));
    replica.one(999, due);
    assert.equal(replica.stack.records.count, count + 1);
    replica.one(1_004, due);
    assert.equal(replica.stack.records.count, count + 1 - 5);
    replica.one(10_000, due);
    assert.equal(replica.stack.records.count, 1 + 5);
    assert.equal(replica.stack.nextDue(), 1_000 + count - 5);
    replica.one(10_000, due);
    assert.equal(replica.stack.records.count, 1);
    assert.deepEqual(replica.scan(1), ["stays"]);
    assert.equal(replica.stack.nextDue(), Infinity);
  });

  test("a read in a group sees the group's own writes, and its value is a copy", () => {
    const replica = newReplica();
    replica.one(1, set("a", "before"));
    const outcome = replica.one(
      2,
      group(get("a"), set("a", "during"), get("a"), remove("a"), get("a"), set("a", "after")),
    );
    assert.deepEqual(outcome, {
      kind: "group",
      outcomes: [
        { kind: "value", version: 1, value: Buffer.from("before") },
        record("updated", 4),
        { kind: "value", version: 4, value: Buffer.from("during") },
        record("deleted", 4),
        { kind: "value", version: 0, value: undefined },
        record("created", 8),
      ],
    });
  });

  test("a value of 1 MiB is kept to the byte", () => {
    const replica = newReplica();
    const value = "0123456789abcdef".repeat(limits.valueMaxBytes / 16);
    replica.one(1, set("a", value));
    assert.equal(replica.read("a")?.value, value);
  });
});
