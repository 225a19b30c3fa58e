/** The checkers of records against histories written by hand: nothing is found in good ones, and what is wrong in bad ones is named. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { SimulationError } from "../../simulator/node-state.ts";
import { RecordChecks } from "../../simulator/cluster/record-checks.ts";
import {
  Story,
  a,
  b,
  created,
  get,
  nothing,
  remove,
  set,
  status,
  updated,
  value,
} from "./record-story.ts";

const good: readonly (readonly [string, Story])[] = [
  [
    "writes, reads and deletes one after the other",
    new Story()
      .did(set(a, 1), created(1))
      .did(set(a, 2), updated(2))
      .read(a, value(2, 2))
      .did(remove(a), status("deleted", 2))
      .read(a, nothing)
      .did(remove(a), status("missing", 0))
      .did(set(a, 3), created(6))
      .end(a, value(3, 6)),
  ],
  [
    "conditions that hold and that do not",
    new Story()
      .did(set(a, 1, { condition: "xx" }), status("notfound", 0))
      .did(set(a, 2, { condition: "nx" }), created(2))
      .did(set(a, 3, { condition: "nx" }), status("exists", 2))
      .did(set(a, 4, { condition: "version", version: 7 }), status("conflict", 2))
      .did(set(a, 5, { condition: "version", version: 2 }), updated(5))
      .did(remove(a, 9), status("conflict", 5))
      .did(remove(a, 5), status("deleted", 5))
      .end(a, nothing),
  ],
  [
    "an unknown write that is read later, and one that is never",
    new Story()
      .lost([set(a, 1)])
      .read(a, nothing)
      .lost([set(a, 2)])
      .read(a, value(1, 3))
      .end(a, value(1, 3)),
  ],
  [
    "an unknown write that only the answer to another one tells of",
    new Story()
      .lost([set(a, 1)])
      .did(set(a, 2), updated(5))
      .end(a, value(2, 5)),
  ],
  [
    "a group of which a local read tells",
    new Story()
      .lost([set(a, 1), remove(b), set(b, 2)])
      .local(b, value(2, 6))
      .read(a, value(1, 4))
      .end(a, value(1, 4))
      .end(b, value(2, 6)),
  ],
  [
    "a record that expires, and is written anew",
    new Story()
      .did(set(a, 1, { expires: true }), created(1))
      .read(a, value(1, 1))
      .read(a, nothing)
      .did(set(a, 2, { condition: "nx", expires: true }), created(3))
      .end(a, nothing),
  ],
  [
    "groups that abort, on a condition of their own making too",
    new Story()
      .did(set(a, 1), created(1))
      .aborted([set(b, 2), set(a, 3, { condition: "nx" })], 1, "EXISTS")
      .aborted([remove(a), set(a, 4, { condition: "xx" })], 1, "NOTFOUND")
      .end(a, value(1, 1))
      .end(b, nothing),
  ],
  [
    "a group that reads what it writes",
    new Story()
      .did(set(a, 1), created(1))
      .group(
        [get(a), set(a, 2), get(a), set(b, 3)],
        [value(1, 1), updated(4), value(2, 4), created(6)],
      )
      .end(a, value(2, 4)),
  ],
  [
    "one request, answered twice alike",
    new Story().repeated(set(a, 1), [created(1), created(1)]).end(a, value(1, 1)),
  ],
  [
    "local reads that are old",
    new Story().did(set(a, 1), created(1)).did(set(a, 2), updated(2)).local(a, value(1, 1)),
  ],
];

suite("the checkers of records (P1, P2, P3), on what is right", () => {
  for (const [title, story] of good) {
    test(`nothing is found in ${title}`, () => {
      assert.equal(story.check().undecided, 0);
    });
  }
});

const bad: readonly (readonly [string, RegExp, Story])[] = [
  [
    "a stale read",
    /^P2: .* is not linearizable/,
    new Story().did(set(a, 1), created(1)).did(set(a, 2), updated(2)).read(a, value(1, 1)),
  ],
  [
    "a record that is missing though nobody deleted it",
    /^P2: .* is not linearizable/,
    new Story().did(set(a, 1), created(1)).read(a, nothing),
  ],
  [
    "a record that comes back after it had expired",
    /^P2: .* is not linearizable/,
    new Story()
      .did(set(a, 1, { expires: true }), created(1))
      .read(a, nothing)
      .read(a, value(1, 1)),
  ],
  [
    "an answer that says updated where there was no record",
    /^P2: .* is not linearizable/,
    new Story().did(set(a, 1), updated(1)),
  ],
  [
    "a condition that held and is refused",
    /^P2: .* is not linearizable/,
    new Story()
      .did(set(a, 1), created(1))
      .did(set(a, 2, { condition: "version", version: 1 }), status("conflict", 1)),
  ],
  [
    "two that compared one version and both wrote",
    /^P2: .* is not linearizable/,
    new Story()
      .did(set(a, 1), created(1))
      .did(set(a, 2, { condition: "version", version: 1 }), updated(2))
      .did(set(a, 3, { condition: "version", version: 1 }), updated(3))
      .since(3),
  ],
  [
    "a lost update: the last acknowledged write is not there at the end",
    /^P1: lost update|^P2: .* is not linearizable/,
    new Story().did(set(a, 1), created(1)).did(set(a, 2), updated(2)).end(a, value(1, 1)),
  ],
  [
    "a double effect: an unknown write is read with two versions",
    /^P3: double effect/,
    new Story()
      .lost([set(a, 1)])
      .read(a, value(1, 1))
      .did(set(a, 2), updated(2))
      .read(a, value(1, 3)),
  ],
  [
    "a double effect: a request is answered with two versions",
    /^P3: two answers to one request/,
    new Story().repeated(set(a, 1), [created(1), updated(2)]),
  ],
  [
    "a double effect: a delete that is repeated deletes what came after it",
    /^P2: .* is not linearizable/,
    new Story()
      .did(set(a, 1), created(1))
      .did(remove(a), status("deleted", 1), { requestId: "id-1", attempts: 2 })
      .did(set(a, 2), created(3))
      .read(a, nothing),
  ],
  [
    "half a group: one write is there and the other is not",
    /^P2: .* is not linearizable/,
    new Story()
      .lost([set(a, 1), set(b, 2)])
      .read(a, value(1, 1))
      .read(b, nothing),
  ],
  [
    "half a group: its writes do not have versions in a row",
    /^P2: half group/,
    new Story().group([set(a, 1), set(b, 2)], [created(1), created(5)]),
  ],
  [
    "a torn group: it reads of two keys what was never so at one moment",
    /^P2: torn group/,
    new Story()
      .did(set(a, 1), created(1))
      .did(set(b, 2), created(2))
      .did(set(a, 3), updated(3))
      .did(set(b, 4), updated(4))
      .group([get(a), get(b)], [value(1, 1), value(4, 4)])
      .since(1),
  ],
  [
    "a group that aborts for no reason",
    /^P2: .* is not linearizable/,
    new Story().aborted([set(a, 1), set(b, 2, { condition: "nx" })], 1, "EXISTS"),
  ],
  [
    "a phantom value that nobody wrote",
    /^P1: phantom value.*nobody wrote/,
    new Story().read(a, value(77, 1)),
  ],
  [
    "a phantom value: bytes that were damaged",
    /^P1: phantom value.*nobody wrote/,
    new Story().did(set(a, 1), created(1)).read(a, value(undefined, 1)),
  ],
  [
    "a phantom value that was refused",
    /^P1: phantom value.*refused/,
    new Story().refused(set(a, 1)).read(a, value(1, 1)),
  ],
  [
    "a phantom value of a group that aborted",
    /^P1: phantom value.*refused/,
    new Story()
      .did(set(b, 1), created(1))
      .aborted([set(a, 2), set(b, 3, { condition: "nx" })], 1, "EXISTS")
      .local(a, value(2, 3)),
  ],
  [
    "a value that is read before it is written",
    /^P1: phantom value.*later/,
    new Story().local(a, value(1, 1)).did(set(a, 1), created(1)),
  ],
  [
    "a value under another key than it was written to",
    /^P1: phantom value.*written to/,
    new Story().did(set(a, 1), created(1)).read(b, value(1, 1)),
  ],
  [
    "reordered writes: one has a lower version than one that was answered before it was asked for",
    /^P2: reordered/,
    new Story().did(set(a, 1), created(5)).did(set(b, 2), created(4)),
  ],
  [
    "two writes with one version",
    /^P2: two writes have version 1/,
    new Story().did(set(a, 1), created(1)).did(set(b, 2), created(1)),
  ],
  [
    "local reads of one copy that go back",
    /^P2: local reads of .* went back/,
    new Story()
      .did(set(a, 1), created(1))
      .did(set(a, 2), updated(2))
      .local(a, value(2, 2))
      .local(a, value(1, 1)),
  ],
  [
    "a read at the end that is not answered",
    /^liveness/,
    (() => {
      const story = new Story().lost([get(a)], { way: "barrier" });
      story.final.push(...story.calls);
      return story;
    })(),
  ],
];

suite("the checkers of records (P1, P2, P3), on what is wrong", () => {
  test("found without a search: a lost update", () => {
    for (const last of [nothing, value(1, 1)]) {
      const story = new Story().did(set(a, 1), created(1)).did(set(a, 2), updated(2)).end(a, last);
      assert.throws(() => new RecordChecks(story.calls, story.final, 0).run(), /P1: lost update/);
    }
  });

  for (const [title, finds, story] of bad) {
    test(`found: ${title}`, () => {
      assert.throws(
        () => story.check(),
        (error) => error instanceof SimulationError && finds.test(error.message),
      );
    });
  }
});
