import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { limits } from "../../src/base/limits.ts";
import type { Outcome } from "../../src/machines/outcome.ts";
import { type Request, Replica, due, get, group, remove, set, versionSeven } from "./replica.ts";

const start = 1_700_000_000_000;
const windowMs = limits.onceWindowMs;

function newReplica(onceMaxBytes?: number): Replica {
  return new Replica(
    onceMaxBytes === undefined ? { indexSeed: 3 } : { indexSeed: 3, onceMaxBytes },
  );
}

function codeOf(outcome: Outcome): string | undefined {
  return outcome.kind === "error" ? outcome.code : undefined;
}

function withId(id: string, request: Request): Request {
  return { ...request, id };
}

suite("once (DESIGN §8)", () => {
  test("P3: a repeat is answered as the first time, applies nothing and has a number of its own", () => {
    const replica = newReplica();
    const first = replica.one(start, withId("id", set("a", "one")));
    replica.one(start, set("a", "two"));
    const { digest } = replica.state;
    for (let i = 0; i < 3; i++) {
      assert.deepEqual(replica.one(start + i, withId("id", set("a", "one"))), first);
      assert.equal(replica.moment.number, 3 + i);
    }
    assert.equal(replica.read("a")?.value, "two");
    assert.equal(replica.state.digest, digest);
    assert.equal(replica.stack.once.count, 1);
  });

  test("P3: a repeat in the same batch is one too", () => {
    const replica = newReplica();
    const request = withId("id", set("a", "x", { condition: "nx" }));
    const outcomes = replica.apply({ timestamp: start, requests: [request, request] });
    assert.deepEqual(outcomes[1], outcomes[0]);
    assert.deepEqual(outcomes[0], { kind: "record", status: "created", version: 1 });
  });

  test("an outcome that a condition refused is remembered, though it would now succeed", () => {
    const replica = newReplica();
    const request = withId("id", set("a", "x", { condition: "xx" }));
    const refused = replica.one(start, request);
    replica.one(start, set("a", "y"));
    assert.deepEqual(replica.one(start, request), refused);
    assert.equal(replica.read("a")?.value, "y");
  });

  test("the same id with another operation is REQUESTREUSED, and neither is done nor takes the place of the first", () => {
    const replica = newReplica();
    const original = withId("id", set("a", "one"));
    const first = replica.one(start, original);
    const others = [set("a", "two"), set("b", "one"), remove("a"), group(set("a", "one"))];
    for (const other of others) {
      const outcome = replica.one(start, withId("id", other));
      assert.equal(codeOf(outcome), "REQUESTREUSED");
      assert.match(outcome.kind === "error" ? outcome.text : "", /\bid\b/);
    }
    assert.deepEqual(replica.one(start, original), first);
    assert.equal(replica.read("a")?.value, "one");
    assert.equal(replica.stack.records.count, 1);
  });

  test("get and delete of the same key are told apart, though their bodies are the same bytes", () => {
    const replica = newReplica();
    replica.one(start, set("a", "one"));
    replica.one(start, withId("id", get("a")));
    assert.equal(codeOf(replica.one(start, withId("id", remove("a")))), "REQUESTREUSED");
    assert.equal(replica.read("a")?.value, "one");
  });

  test("an id of version 7 may be 60,000 ms ahead of log time; one ms more is REQUESTAHEAD and is not remembered", () => {
    const replica = newReplica();
    const far = versionSeven(start + limits.requestAheadMaxMs + 1, 1);
    const near = versionSeven(start + limits.requestAheadMaxMs, 2);
    const outcome = replica.one(start, withId(far, set("a", "far")));
    assert.equal(codeOf(outcome), "REQUESTAHEAD");
    assert.match(outcome.kind === "error" ? outcome.text : "", /60001 ms ahead/);
    assert.equal(replica.read("a"), undefined);
    assert.equal(replica.stack.once.count, 0);
    assert.equal(replica.one(start, withId(near, set("a", "near"))).kind, "record");
    assert.equal(replica.one(start + 1, withId(far, set("a", "far"))).kind, "record");
    assert.equal(replica.read("a")?.value, "far");
  });

  test("a known id is answered however far its time is from log time", () => {
    const replica = newReplica();
    const id = versionSeven(start, 1);
    const first = replica.one(start, withId(id, set("a", "x")));
    // No `due` came in between: forgetting is late, not the answer wrong.
    assert.deepEqual(replica.one(start + 2 * windowMs, withId(id, set("a", "x"))), first);
  });

  test("P3: an outcome is known for ten minutes of log time; after them an id of version 7 is REQUESTTOOOLD", () => {
    const replica = newReplica();
    const id = versionSeven(start, 1);
    const request = withId(id, set("a", "x"));
    const first = replica.one(start, request);
    replica.one(start + windowMs, due);
    assert.equal(replica.stack.once.horizon, -1);
    assert.deepEqual(replica.one(start + windowMs, request), first);
    assert.ok(replica.stack.nextDue() > start + windowMs);
    assert.ok(replica.stack.nextDue() <= start + windowMs + 2_000);
    const { digest } = replica.state;
    replica.one(replica.stack.nextDue(), due);
    assert.equal(replica.stack.once.count, 0);
    assert.equal(replica.stack.nextDue(), Infinity);
    assert.ok(replica.stack.once.horizon >= start);
    assert.notEqual(replica.state.digest, digest);
    const late = replica.one(replica.moment.timestamp, request);
    assert.equal(codeOf(late), "REQUESTTOOOLD");
    assert.match(
      late.kind === "error" ? late.text : "",
      new RegExp(`${replica.stack.once.horizon}`),
    );
    assert.equal(replica.read("a")?.version, 1);
  });

  test("any other id is run again once it is forgotten, and not before", () => {
    const replica = newReplica();
    const ids = ["text", "0190a0b0-0000-4abc-8def-000000000000", "x".repeat(36), "i".repeat(64)];
    const requests = ids.map((id) => withId(id, set("a", id)));
    const first = replica.apply({ timestamp: start, requests });
    assert.deepEqual(replica.apply({ timestamp: start + windowMs, requests }), first);
    replica.one(start + windowMs + 1_200, due);
    assert.equal(replica.stack.once.count, 0);
    const again = replica.one(start + windowMs + 1_200, withId("text", set("a", "text")));
    assert.deepEqual(again, {
      kind: "record",
      status: "updated",
      version: replica.moment.number,
    });
  });

  test("P3: an operation that is remembered at the end of the ten minutes makes nobody forget", () => {
    const replica = newReplica();
    const requests = [versionSeven(start, 1), "text"].map((id) => withId(id, set(id, "x")));
    const first = replica.apply({ timestamp: start, requests });
    replica.one(start + 0.9 * windowMs, withId("nine minutes later", set("b", "x")));
    replica.one(start + windowMs, withId("ten minutes later", set("b", "y")));
    assert.deepEqual(replica.apply({ timestamp: start + windowMs, requests }), first);
    assert.equal(replica.stack.once.count, 4);
  });

  test("an id of version 7 that is old but above the horizon has not run: it runs", () => {
    const replica = newReplica();
    const id = versionSeven(start - 10 * windowMs, 1);
    assert.equal(replica.one(start, withId(id, set("a", "x"))).kind, "record");
    // It is older than the window, so it was forgotten at once, and is refused from now on.
    assert.equal(codeOf(replica.one(start, withId(id, set("a", "x")))), "REQUESTTOOOLD");
    assert.equal(replica.read("a")?.version, 1);
  });

  test("P3: over its share of memory the oldest ids go, in the order of their times; none of version 7 ever runs twice", () => {
    const maxBytes = 20_000;
    const replica = newReplica(maxBytes);
    const ids: string[] = [];
    for (let i = 0; i < 1_000; i++) {
      // Times go up and down by some seconds.
      const id = versionSeven(start + i * 10 + ((i * 7_919) % 5_000), i);
      ids.push(id);
      const outcome = replica.one(start + i * 10, withId(id, set(id.slice(-12), "x")));
      if (codeOf(outcome) === "REQUESTTOOOLD") {
        assert.ok(
          Number.parseInt(id.replace("-", "").slice(0, 12), 16) <= replica.stack.once.horizon,
        );
      } else assert.equal(outcome.kind, "record");
      assert.ok(replica.stack.once.count < 200);
    }
    const before = replica.stack.records.count;
    const known = replica.stack.once.count;
    assert.ok(known > 50, `${known} are known`);
    let answered = 0;
    for (const id of ids) {
      const outcome = replica.one(start + 10_000, withId(id, set(id.slice(-12), "x")));
      if (outcome.kind === "record") answered++;
      else assert.equal(codeOf(outcome), "REQUESTTOOOLD");
    }
    assert.equal(answered, known);
    assert.equal(replica.stack.records.count, before);
  });

  test("P8: after every operation the remembered outcomes are within their share, large outcomes of groups too", () => {
    const maxBytes = 60_000;
    const replica = newReplica(maxBytes);
    // What rows really hold, without what each costs beside them.
    const held = (): number => replica.state.liveBytes;
    for (let i = 0; i < 600; i++) {
      replica.one(start + i, withId(`small ${i}`, remove("nothing")));
      assert.ok(held() <= maxBytes);
    }
    const nothing = Array.from({ length: limits.groupMaxOperations }, () => remove("nothing"));
    for (let i = 0; i < 30; i++) {
      replica.one(start + 600 + i, withId(`large ${i}`, group(...nothing)));
      assert.ok(held() <= maxBytes, `${held()} bytes are held`);
    }
    assert.ok(replica.stack.once.count >= 4);
  });

  test("P8: one operation forgets at most 16 outcomes for their age, one `due` at most 1,024", () => {
    const replica = newReplica(16_777_216);
    const requests = Array.from({ length: 3_000 }, (_, i) => withId(`id ${i}`, remove("nothing")));
    replica.apply({ timestamp: start, requests });
    const later = start + windowMs + 60_000;
    replica.one(later, withId("next", remove("nothing")));
    assert.equal(replica.stack.once.count, 3_000 + 1 - 16);
    replica.one(later, due);
    assert.equal(replica.stack.once.count, 3_000 + 1 - 16 - 1_024);
    assert.ok(replica.stack.nextDue() <= later, "there is more to do");
    replica.one(later, due);
    replica.one(later, due);
    assert.equal(replica.stack.once.count, 1);
    assert.ok(replica.stack.nextDue() > later);
  });

  test("a `due` of outcomes and records handles at most 1,024 rows in all (P8)", () => {
    const replica = newReplica(16_777_216);
    const requests = Array.from({ length: 1_000 }, (_, i) =>
      withId(`id ${i}`, set(`${i}`, "", { expiryMs: 1_000 })),
    );
    replica.apply({ timestamp: start, requests });
    const rows = (): number => replica.stack.once.count + replica.stack.records.count;
    replica.one(start + windowMs + 60_000, due);
    assert.equal(rows(), 2_000 - limits.dueMaxRows);
    replica.one(start + windowMs + 60_000, due);
    assert.equal(rows(), 0);
  });

  test("P3: a group that was aborted stays so, with the same index and reason", () => {
    const replica = newReplica();
    const request = withId("id", group(set("a", "x"), set("b", "x", { condition: "xx" })));
    const first = replica.one(start, request);
    assert.deepEqual(first, {
      kind: "aborted",
      index: 1,
      code: "NOTFOUND",
      text: "the record does not exist",
    });
    replica.one(start, set("b", "now"));
    assert.deepEqual(replica.one(start, request), first);
    assert.equal(replica.read("a"), undefined);
  });

  test("P3: a group with reads answers its writes as before and reads again, at the places of the reads", () => {
    const replica = newReplica();
    replica.one(start, set("a", "one"));
    const request = withId("id", group(set("b", "x"), get("a"), remove("c"), get("b"), get("c")));
    const first = replica.one(start, request);
    replica.one(start, set("a", "two"));
    replica.one(start, set("b", "y"));
    const again = replica.one(start, request);
    assert.ok(first.kind === "group");
    assert.ok(again.kind === "group");
    for (const at of [0, 2]) assert.deepEqual(again.outcomes[at], first.outcomes[at]);
    const values = [1, 3, 4].map((at) => {
      const outcome = must(again.outcomes[at]);
      return outcome.kind === "value" ? outcome.value?.toString() : outcome.kind;
    });
    assert.deepEqual(values, ["two", "y", undefined]);
    assert.equal(replica.read("b")?.value, "y");
  });
});
