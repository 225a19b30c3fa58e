/** Conflicts among transactions whose authors did not know of each other. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { findConflicts } from "../../src/documents/conflicts.ts";
import type { PlacedTransaction } from "../../src/documents/vocabulary.ts";
import { brief, conflicts, placed } from "./conflicts-world.ts";

suite("conflicts (DESIGN §10)", () => {
  test("a value that was written over by one who had not seen it is shadowed", () => {
    const found = conflicts({ x: 0 }, [
      { by: "a:1", seen: {}, does: [["replace", "/x", 1]] },
      { by: "b:1", seen: {}, does: [["replace", "/x", 2]] },
    ]);
    assert.deepEqual(found, [
      {
        kind: "shadowed",
        path: "/x",
        loser: { source: "a", id: 1 },
        winner: { source: "b", id: 1 },
        lost: 1,
        kept: 2,
        text: 'b:1 wrote over "/x" of a:1; its author had not seen that',
      },
    ]);
  });

  test("what its author had seen is no conflict, nor what the same author writes twice", () => {
    assert.deepEqual(
      conflicts({ x: 0 }, [
        { by: "a:1", seen: {}, does: [["replace", "/x", 1]] },
        { by: "a:2", seen: {}, does: [["replace", "/x", 2]] },
        { by: "b:1", seen: { a: 2 }, does: [["replace", "/x", 3]] },
      ]),
      [],
    );
  });

  test("the same value twice is no conflict, nor a removal twice over", () => {
    assert.deepEqual(
      conflicts({ x: { y: 1 }, z: 1 }, [
        { by: "a:1", seen: {}, does: [["replace", "/z", [1, { k: 2 }]]] },
        { by: "b:1", seen: {}, does: [["replace", "/z", [1.0, { k: 2 }]]] },
        { by: "a:2", seen: {}, does: [["remove", "/x/y"]] },
        { by: "b:2", seen: {}, does: [["remove", "/x"]] },
      ]),
      [],
    );
  });

  test("a write around it shadows, unless it has the same there; a write below it does not", () => {
    const below = conflicts({}, [
      { by: "a:1", seen: {}, does: [["add", "/m", { x: 1 }]] },
      { by: "b:1", seen: {}, does: [["add", "/m/y", 2]] },
    ]);
    assert.deepEqual(below, []);
    const around = conflicts({ m: {} }, [
      { by: "a:1", seen: {}, does: [["add", "/m/x", 1]] },
      { by: "a:2", seen: {}, does: [["add", "/m/y", 2]] },
      { by: "b:1", seen: {}, does: [["replace", "/m", { x: 1 }]] },
    ]);
    assert.deepEqual(brief(around), ["shadowed /m/y a:2 by b:1"]);
    assert.deepEqual([around[0]?.lost, around[0]?.kept], [2, undefined]);
    assert.match(around[0]?.text ?? "", /with all of "\/m"/);
  });

  test("a removal shadows, and is shadowed", () => {
    const found = conflicts({ x: 0, y: 0 }, [
      {
        by: "a:1",
        seen: {},
        does: [
          ["replace", "/x", 1],
          ["remove", "/y"],
        ],
      },
      {
        by: "b:1",
        seen: {},
        does: [
          ["remove", "/x"],
          ["add", "/y", 5],
        ],
      },
    ]);
    assert.deepEqual(brief(found), ["shadowed /x a:1 by b:1", "shadowed /y a:1 by b:1"]);
    assert.match(found[0]?.text ?? "", /b:1 removed "\/x" of a:1/);
    assert.deepEqual([found[1]?.lost, found[1]?.kept], [undefined, 5]);
  });

  test("who wrote over it knowing it has taken its place", () => {
    const found = conflicts({ x: 0 }, [
      { by: "a:1", seen: {}, does: [["replace", "/x", 1]] },
      { by: "c:1", seen: { a: 1 }, does: [["replace", "/x", 2]] },
      { by: "b:1", seen: {}, does: [["replace", "/x", 3]] },
    ]);
    assert.deepEqual(brief(found), ["shadowed /x c:1 by b:1"]);
  });

  test("one in front that had seen the one behind it, which was adopted late, is no conflict", () => {
    assert.deepEqual(
      conflicts({ x: 0 }, [
        { by: "a:1", seen: { p: 1 }, does: [["replace", "/x", 1]] },
        { by: "p:1", does: [["replace", "/x", 2]] },
      ]),
      [],
    );
  });

  test("of a plain peer it is said that what it had seen is not known", () => {
    const found = conflicts({ x: 0 }, [
      { by: "a:1", seen: {}, does: [["replace", "/x", 1]] },
      { by: "p:1", does: [["replace", "/x", 2]] },
    ]);
    assert.deepEqual(brief(found), ["shadowed /x a:1 by p:1"]);
    assert.match(found[0]?.text ?? "", /what its author had seen is not known/);
  });

  test("copies and moves write over as well; what was moved away is not lost", () => {
    const found = conflicts({ v: 6, x: 0, y: 9, z: 8 }, [
      {
        by: "a:1",
        seen: {},
        does: [
          ["replace", "/v", 1],
          ["replace", "/x", 2],
          ["replace", "/z", 3],
        ],
      },
      {
        by: "b:1",
        seen: {},
        does: [
          ["copy", "/y", "/x"],
          ["move", "/v", "/z"],
        ],
      },
    ]);
    assert.deepEqual(brief(found), ["shadowed /x a:1 by b:1", "shadowed /z a:1 by b:1"]);
    assert.deepEqual([found[1]?.lost, found[1]?.kept], [3, 1]);
  });

  test("an index that others have moved drifts", () => {
    const found = conflicts({ l: [10, 20, 30] }, [
      { by: "a:1", seen: {}, does: [["add", "/l/1", 15]] },
      { by: "b:1", seen: {}, does: [["replace", "/l/2", 31]] },
    ]);
    assert.deepEqual(found, [
      {
        kind: "drift",
        path: "/l/2",
        loser: { source: "b", id: 1 },
        winner: { source: "a", id: 1 },
        lost: 31,
        kept: 31,
        text: 'elements of "/l" had been moved by a:1 when b:1 spoke of number 2; its author had not seen that',
      },
    ]);
  });

  test("an index in front of what was moved stays, and so does the end", () => {
    assert.deepEqual(
      conflicts({ l: [10, 20, 30] }, [
        {
          by: "a:1",
          seen: {},
          does: [
            ["add", "/l/2", 15],
            ["add", "/l/-", 40],
          ],
        },
        {
          by: "b:1",
          seen: {},
          does: [
            ["replace", "/l/1", 21],
            ["add", "/l/2", 5],
            ["add", "/l/-", 50],
          ],
        },
        { by: "c:1", seen: { a: 1, b: 1 }, does: [["remove", "/l/2"]] },
      ]),
      [],
    );
  });

  test("a removal moves what is behind it; on the way to a place, an index drifts too, and where a value comes from", () => {
    const found = conflicts({ l: [{ n: 1 }, { n: 2 }, { n: 3 }], m: 0 }, [
      { by: "a:1", seen: {}, does: [["remove", "/l/0"]] },
      { by: "b:1", seen: {}, does: [["replace", "/l/1/n", 7]] },
      { by: "c:1", seen: {}, does: [["copy", "/m", "/l/0/n"]] },
      { by: "d:1", seen: { a: 1, c: 1 }, does: [["replace", "/l/0/n", 8]] },
    ]);
    assert.deepEqual(brief(found), ["drift /l/1/n b:1 by a:1", "drift /l/0/n c:1 by a:1"]);
  });

  test("what a move takes out of an array moves what is behind it, and what it puts in too", () => {
    const found = conflicts({ l: [10, 20], m: [30, 40], x: 0 }, [
      { by: "a:1", seen: {}, does: [["move", "/l/0", "/x"]] },
      { by: "c:1", seen: {}, does: [["move", "/x", "/m/0"]] },
      {
        by: "b:1",
        seen: {},
        does: [
          ["replace", "/l/0", 5],
          ["replace", "/m/1", 6],
        ],
      },
    ]);
    assert.deepEqual(brief(found), ["drift /l/0 b:1 by a:1", "drift /m/1 b:1 by c:1"]);
  });

  test("a name that looks like an index does not drift", () => {
    assert.deepEqual(
      conflicts({ "0": 1, o: { "1": 2 } }, [
        {
          by: "a:1",
          seen: {},
          does: [
            ["remove", "/0"],
            ["remove", "/o/1"],
          ],
        },
        {
          by: "b:1",
          seen: { a: 1 },
          does: [
            ["add", "/1", 5],
            ["add", "/o/2", 3],
          ],
        },
      ]),
      [],
    );
  });

  test("a place is followed when elements move: it is shadowed where it is now", () => {
    const found = conflicts({ l: [{ x: 1 }, { x: 2 }] }, [
      { by: "a:1", seen: {}, does: [["replace", "/l/1/x", 5]] },
      { by: "b:1", seen: { a: 1 }, does: [["add", "/l/0", { x: 0 }]] },
      { by: "c:1", seen: { b: 1 }, does: [["replace", "/l/1/x", 6]] },
      { by: "c:2", seen: { b: 1 }, does: [["replace", "/l/2/x", 7]] },
    ]);
    assert.deepEqual(brief(found), ["shadowed /l/1/x a:1 by c:2"]);
    assert.deepEqual([found[0]?.lost, found[0]?.kept], [5, 7]);
  });

  test("an element that was taken out unseen takes what was written in it along", () => {
    const found = conflicts({ l: [{ x: 1 }] }, [
      { by: "a:1", seen: {}, does: [["replace", "/l/0/x", 5]] },
      { by: "b:1", seen: {}, does: [["remove", "/l/0"]] },
    ]);
    assert.deepEqual(brief(found), ["shadowed /l/0/x a:1 by b:1"]);
  });

  test("whoever wrote last what a transaction failed at is to blame", () => {
    const found = conflicts({ x: { y: 1 }, t: 1 }, [
      { by: "a:1", seen: {}, does: [["replace", "/t", 2]] },
      { by: "a:2", seen: {}, does: [["remove", "/x"]] },
      { by: "b:1", seen: {}, does: [["replace", "/x/y", 3]] },
      {
        by: "b:2",
        seen: { a: 1 },
        does: [
          ["test", "/t", 1],
          ["replace", "/t", 9],
        ],
      },
    ]);
    assert.deepEqual(found, [
      {
        kind: "rejected",
        path: "/x/y",
        loser: { source: "b", id: 1 },
        winner: { source: "a", id: 2 },
        lost: 3,
        text: '"/x/y" does not exist: the document has no member "x"; a:2 removed "/x" before; its author had not seen that',
      },
      {
        kind: "rejected",
        path: "/t",
        loser: { source: "b", id: 2 },
        winner: { source: "a", id: 1 },
        lost: 1,
        kept: 2,
        text: '"/t" is not what the test wants; a:1 wrote "/t" before; its author had seen that',
      },
    ]);
  });

  test("a test of what is around a write fails because of it; an index out of range because of who moved", () => {
    const found = conflicts({ x: { y: { z: 1 } }, l: [1, 2] }, [
      { by: "a:1", seen: {}, does: [["replace", "/x/y/z", 2]] },
      { by: "c:1", seen: {}, does: [["remove", "/l/0"]] },
      { by: "b:1", seen: {}, does: [["test", "/x", { y: { z: 1 } }]] },
      { by: "b:2", seen: {}, does: [["replace", "/l/1", 5]] },
    ]);
    assert.deepEqual(brief(found), ["rejected /x b:1 by a:1", "rejected /l/1 b:2 by c:1"]);
  });

  test("where nobody is to blame nobody is named, and what failed has written nothing", () => {
    const found = conflicts({ x: 1 }, [
      { by: "b:1", seen: {}, does: [["replace", "/y", 3]] },
      { by: "a:1", seen: {}, does: [["replace", "/x", 2]] },
      {
        by: "b:2",
        seen: {},
        does: [
          ["replace", "/x", 3],
          ["move", "/q", "/x"],
        ],
      },
      { by: "c:1", seen: {}, does: [["add", "/y", 3]] },
    ]);
    assert.deepEqual(brief(found), ["rejected /y b:1", "rejected /q b:2"]);
  });

  test("records and what is malformed are no writes; what is malformed is told as rejected", () => {
    const record: PlacedTransaction = {
      ...placed("a:1", [{ op: "add", path: "/x", value: 1 }]),
      kind: "record",
    };
    const malformed: PlacedTransaction = {
      ...placed("b:1", ["no operation"]),
      verdict: {
        kind: "rejected",
        operation: 0,
        op: "",
        path: "",
        reason: "malformed",
        text: "not JSON",
      },
    };
    const after = placed("c:1", [{ op: "add", path: "/x", value: 2 }]);
    const found = findConflicts([record, malformed, after], { x: 2 });
    assert.deepEqual(brief(found), ["rejected  b:1"]);
    assert.equal(found[0]?.text, "not JSON");
  });

  test("names that objects inherit are names, of members and of sources", () => {
    const found = conflicts({}, [
      {
        by: "__proto__:1",
        seen: {},
        does: [
          ["add", "/constructor", 1],
          ["add", "/__proto__", 1],
        ],
      },
      {
        by: "constructor:1",
        seen: {},
        does: [
          ["add", "/constructor", 2],
          ["add", "/__proto__", 2],
        ],
      },
    ]);
    assert.deepEqual(brief(found), [
      "shadowed /constructor __proto__:1 by constructor:1",
      "shadowed /__proto__ __proto__:1 by constructor:1",
    ]);
  });
});
