/** Cursors: what a peer is sent next, from what it said and what it was sent. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { PeerCursors } from "../../../src/documents/links/peer-cursors.ts";

const document = "default";

function next(cursors: PeerCursors, held: Record<string, number>, nowMs = 0): string {
  const left: string[] = [];
  const behind = cursors.behind(document, held, "own", nowMs, () => left.push("left"));
  return [...behind.map(({ source, count }) => `${source} behind ${count}`), ...left].join(", ");
}

suite("cursors of a peer", () => {
  test("what it has not said to hold and was not sent comes next, for each source", () => {
    const cursors = new PeerCursors();
    cursors.said(document, { a: 3 }, 0);
    assert.equal(next(cursors, { a: 5, b: 2 }), "a behind 3, b behind 0");
    assert.ok(cursors.sent(document, "a", 3, 2, 0));
    assert.equal(next(cursors, { a: 5, b: 2 }), "b behind 0");
    assert.equal(cursors.backlog(document, { a: 5, b: 2 }), 2);
  });

  test("what was read from the log for a place where the cursor no longer stands is not sent", () => {
    const cursors = new PeerCursors();
    cursors.said(document, { a: 3 }, 0);
    next(cursors, { a: 9 });
    cursors.wanted(document, { a: 1 });
    assert.ok(!cursors.sent(document, "a", 3, 2, 0));
    assert.equal(next(cursors, { a: 9 }), "a behind 1");
  });

  test("a word of the peer only takes a cursor forward; what it wants takes it back", () => {
    const cursors = new PeerCursors();
    next(cursors, { a: 9 });
    cursors.sent(document, "a", 0, 9, 0);
    cursors.said(document, { a: 4 }, 100);
    assert.equal(next(cursors, { a: 9 }), "");
    assert.ok(cursors.unconfirmed(document));
    cursors.said(document, { a: 9 }, 200);
    assert.ok(!cursors.unconfirmed(document));
  });

  test("what stays unconfirmed is sent again after 2 s, then 4 s, 8 s …; progress begins anew", () => {
    const cursors = new PeerCursors();
    next(cursors, { a: 9 });
    cursors.sent(document, "a", 0, 9, 0);
    const times: number[] = [];
    for (let nowMs = 0; nowMs <= 40_000; nowMs += 500) {
      if (!cursors.said(document, { a: 0 }, nowMs)) continue;
      times.push(nowMs);
      cursors.sent(document, "a", 0, 9, nowMs);
    }
    assert.deepEqual(times, [2_000, 6_000, 14_000, 30_000]);
    cursors.said(document, { a: 1 }, 40_000);
    assert.ok(!cursors.said(document, { a: 1 }, 41_500));
    assert.ok(cursors.said(document, { a: 1 }, 42_000));
    assert.equal(next(cursors, { a: 9 }), "a behind 1");
  });

  test("a source that the peer is linked to is left to it for two heartbeats, and longer while it gets on", () => {
    const cursors = new PeerCursors();
    cursors.setDirect(["a", "own"]);
    assert.equal(next(cursors, { a: 5, own: 1 }, 0), "own behind 0, left");
    assert.equal(next(cursors, { a: 5 }, 1_999), "left");
    cursors.said(document, { a: 3 }, 1_999);
    assert.equal(next(cursors, { a: 5 }, 3_900), "left");
    assert.equal(next(cursors, { a: 5 }, 4_000), "a behind 3");
  });

  test("what the peer has sent it holds", () => {
    const cursors = new PeerCursors();
    cursors.holds(document, "a", 4, 0);
    assert.equal(next(cursors, { a: 4, b: 1 }), "b behind 0");
    assert.ok(cursors.holdsAny(document));
  });

  test("names that mean something to JavaScript are names", () => {
    const cursors = new PeerCursors();
    const names = ["constructor", "__proto__", "toString"];
    const held = Object.fromEntries(names.map((name) => [name, 2] as const));
    cursors.said(document, {}, 0);
    assert.equal(next(cursors, held), names.map((name) => `${name} behind 0`).join(", "));
    cursors.said(document, held, 0);
    assert.equal(next(cursors, held), "");
  });
});
