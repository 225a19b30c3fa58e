import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { AssertionError } from "../../src/base/assert.ts";
import { limits } from "../../src/base/limits.ts";
import { OperationReader, OperationWriter } from "../../src/machines/operation.ts";
import { Replica, due, get, group, remove, set, writeRequest } from "./replica.ts";

function newReplica(): Replica {
  return new Replica({ indexSeed: 5 });
}

suite("machine stack (DESIGN §8)", () => {
  test("a group is all or nothing: the first operation that failed, why, and no trace of the others", () => {
    const replica = newReplica();
    replica.one(1, set("a", "old", { expiryMs: 1_000 }));
    replica.one(1, set("b", "old"));
    const { digest } = replica.state;
    const nextDue = replica.stack.nextDue();
    const { liveBytes } = replica.state;
    const failing = [
      [set("new", "x", { condition: "xx" }), "NOTFOUND", "the record does not exist"],
      [set("b", "x", { condition: "nx" }), "EXISTS", "the record exists with version 2"],
      [remove("b", 1), "VERSIONCONFLICT", "the record has version 2"],
    ] as const;
    for (const [last, code, text] of failing) {
      const outcome = replica.one(
        1,
        group(
          set("a", "new"),
          remove("a"),
          set("c", "new", { expiryMs: 5 }),
          get("a"),
          last,
          remove("b"),
        ),
      );
      assert.deepEqual(outcome, { kind: "aborted", index: 4, code, text });
      assert.equal(replica.state.digest, digest);
      assert.equal(replica.state.liveBytes, liveBytes);
      assert.equal(replica.stack.nextDue(), nextDue);
      assert.deepEqual(replica.scan(10), ["a", "b"]);
      assert.equal(replica.read("a")?.value, "old");
    }
    assert.equal(replica.slab.blocks.size, 2, "nothing of a group that failed holds memory");
  });

  test("P8: a group that reads more than one answer may hold is not applied, and neither is its repeat later", () => {
    const replica = newReplica();
    replica.one(1, set("big", "x".repeat(limits.valueMaxBytes)));
    const reads = Math.floor(limits.answerMaxBytes / limits.valueMaxBytes);
    const allowed = replica.one(1, group(...Array.from({ length: reads }, () => get("big"))));
    assert.equal(allowed.kind, "group");
    const outcome = replica.one(
      1,
      group(set("a", "1"), ...Array.from({ length: reads + 1 }, () => get("big"))),
    );
    const text = `the group reads more than ${limits.answerMaxBytes} bytes`;
    assert.deepEqual(outcome, { kind: "aborted", index: reads + 1, code: "TOOLARGE", text });
    assert.equal(replica.read("a"), undefined);

    replica.one(1, set("small", "x"));
    const repeated = {
      ...group(...Array.from({ length: reads + 1 }, () => get("small"))),
      id: "reads",
    };
    assert.equal(replica.one(1, repeated).kind, "group");
    replica.one(1, set("small", "x".repeat(limits.valueMaxBytes)));
    assert.deepEqual(replica.one(1, repeated), { kind: "error", code: "TOOLARGE", text });
  });

  test("a condition in a group sees what stands before it in the group", () => {
    const replica = newReplica();
    const outcome = replica.one(
      1,
      group(set("a", "1"), set("a", "2", { condition: "version", version: 2 }), remove("a", 3)),
    );
    assert.deepEqual(outcome, {
      kind: "group",
      outcomes: [
        { kind: "record", status: "created", version: 2 },
        { kind: "record", status: "updated", version: 3 },
        { kind: "record", status: "deleted", version: 3 },
      ],
    });
  });

  test("every operation has a number: the group itself, each in it, and those that change nothing", () => {
    const replica = newReplica();
    const numbers = (): number => replica.moment.number;
    replica.one(1, set("a", "1"));
    assert.equal(numbers(), 1);
    replica.one(1, group(get("a"), set("a", "2"), remove("x")));
    assert.equal(numbers(), 5);
    replica.one(1, group(get("a"), set("a", "3", { condition: "nx" }), remove("x")));
    assert.equal(numbers(), 8, "up to the one that failed");
    replica.one(1, due);
    assert.equal(numbers(), 9);
    replica.one(1, group());
    assert.equal(numbers(), 10);
    replica.one(1, { ...group(get("a")), id: "id" });
    assert.equal(numbers(), 12);
    replica.one(1, { ...group(get("a")), id: "id" });
    assert.equal(numbers(), 13, "a repeat is one operation");
  });

  test("a group of the most operations there may be is applied", () => {
    const replica = newReplica();
    const requests = Array.from({ length: limits.groupMaxOperations }, (_, i) => set(`${i}`, "x"));
    const outcome = replica.one(1, group(...requests));
    assert.equal(outcome.kind === "group" && outcome.outcomes.length, limits.groupMaxOperations);
    assert.equal(replica.stack.records.count, limits.groupMaxOperations);
  });

  test("an operation that only a later version knows is DATAVERSION", () => {
    const replica = newReplica();
    const writer = new OperationWriter();
    writer.begin(250, undefined);
    writer.end();
    const reader = new OperationReader();
    reader.open(writer.take(), 0);
    assert.throws(() => replica.stack.apply(reader, replica.moment), {
      code: "DATAVERSION",
      message: /code 250/,
    });
  });

  test("a group that holds more or fewer operations than it says is not applied", () => {
    for (const said of [1, 3]) {
      const replica = newReplica();
      const writer = new OperationWriter();
      writeRequest(writer, group(set("a", "1"), set("b", "2")));
      const bytes = writer.take();
      bytes.writeUInt16LE(said, 6);
      const reader = new OperationReader();
      reader.open(Buffer.concat([bytes, bytes]), 0);
      assert.throws(() => replica.stack.apply(reader, replica.moment), AssertionError);
    }
  });
});
