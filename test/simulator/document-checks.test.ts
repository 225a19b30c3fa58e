/** The checks of documents see what they are for: hand-made histories, good ones and bad ones. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { checkDocument } from "../../simulator/cluster/document-checks.ts";
import type { DocumentStory } from "../../simulator/cluster/document-checks.ts";
import type { DocumentAtEnd } from "../../simulator/cluster/document-end.ts";
import type { DocumentWrite } from "../../simulator/cluster/document-write.ts";
import type { DocumentStatus, PlacedTransaction } from "../../src/documents/vocabulary.ts";

const ok = { kind: "ok" } as const;

function placed(
  position: number,
  source: string,
  id: number,
  operations: PlacedTransaction["operations"],
  more: Partial<PlacedTransaction> = {},
): PlacedTransaction {
  const stamp = { ms: 1_000 + position, counter: 0 };
  const rest = { verdict: ok, final: true, kind: "patch" } as const;
  return { source, id, position, stamp, operations, ...rest, ...more };
}

function set(word: string): PlacedTransaction["operations"] {
  return [{ op: "add", path: "/k1", value: word }];
}

function end(host: number, history: readonly PlacedTransaction[], text: string): DocumentAtEnd {
  // The checks do not look at it.
  const status = {} as DocumentStatus;
  return { host, text, status, history };
}

function written(word: string, more: Partial<DocumentWrite> = {}): DocumentWrite {
  const operations = [{ op: "add", path: "/k1", value: word }];
  return {
    word,
    document: "notes",
    host: 0,
    disk: "1.0",
    operations,
    fate: "acknowledged",
    ...more,
  };
}

const history = [placed(1, "a", 1, set("w-1")), placed(2, "b", 1, set("w-2"))];
const text = '{"k1":"w-2"}';

/** Two writes at two nodes, all well. */
function story(changes: Partial<DocumentStory> = {}): DocumentStory {
  return {
    name: "notes",
    ends: [end(0, history, text), end(1, history, text)],
    writes: [
      written("w-1", { source: "a", id: 1 }),
      written("w-2", { source: "b", id: 1, host: 1 }),
    ],
    plain: [],
    evicted: new Set(),
    finalsHold: true,
    isLost: () => false,
    ...changes,
  };
}

/** The same history on both nodes. */
function both(of: readonly PlacedTransaction[], document = text): readonly DocumentAtEnd[] {
  return [end(0, of, document), end(1, of, document)];
}

suite("the checks of documents", () => {
  test("a history in which all is well passes", () => {
    checkDocument(story());
  });

  test("a write of which nothing is known may be there or not", () => {
    checkDocument(
      story({ writes: [written("w-1", { fate: "unknown" }), written("w-2", { fate: "open" })] }),
    );
    const unknown = written("w-9", { fate: "unknown" });
    checkDocument(story({ writes: [...story().writes, unknown] }));
  });

  test("I1: two nodes have another order", () => {
    const swapped = [placed(1, "b", 1, set("w-2")), placed(2, "a", 1, set("w-1"))];
    const ends = [end(0, history, text), end(1, swapped, '{"k1":"w-1"}')];
    assert.throws(() => checkDocument(story({ ends })), /I1: in notes there is #1 a:1/);
  });

  test("I1: two nodes have other verdicts", () => {
    const rejected = { kind: "rejected", operation: 0, op: "add", path: "", reason: "", text: "" };
    const other = placed(2, "b", 1, set("w-2"), { verdict: { ...rejected, kind: "rejected" } });
    const ends = [end(0, history, text), end(1, [history[0] ?? other, other], text)];
    assert.throws(() => checkDocument(story({ ends })), /I1/);
  });

  test("I2: an Id is missing", () => {
    const gap = [placed(1, "a", 2, set("w-1")), placed(2, "b", 1, set("w-2"))];
    assert.throws(() => checkDocument(story({ ends: both(gap) })), /I2: a:2 comes/);
  });

  test("I3: the places do not follow the order", () => {
    const late = [placed(1, "a", 1, set("w-1"), { stamp: { ms: 9_000, counter: 0 } })];
    const ends = both([...late, ...history.slice(1)]);
    assert.throws(() => checkDocument(story({ ends })), /I3/);
  });

  test("P6: the document is not what its history gives", () => {
    const ends = both(history, '{"k1":"w-1"}');
    assert.throws(() => checkDocument(story({ ends })), /P6: notes is/);
  });

  test("P6: a patch that fails was taken for done", () => {
    const operations = [{ op: "replace", path: "/none", value: "w-1" }];
    const ends = both([placed(1, "a", 1, operations)], "{}");
    assert.throws(() => checkDocument(story({ ends })), /P6: #1 a:1/);
  });

  test("P1: an acknowledged write is not there", () => {
    const lost = written("w-3", { source: "a", id: 2 });
    const writes = [...story().writes, lost];
    assert.throws(() => checkDocument(story({ writes })), /P1: acknowledged and not there: w-3/);
    checkDocument(story({ writes, isLost: () => true }));
  });

  test("P1: another one stands under the Id of an acknowledged write", () => {
    const writes = [written("w-1", { source: "b", id: 1 }), written("w-2", { fate: "unknown" })];
    assert.throws(() => checkDocument(story({ writes })), /P1: acknowledged and not there: w-1/);
  });

  test("an Id is given out twice", () => {
    const writes = [...story().writes, written("w-3", { source: "a", id: 1 })];
    assert.throws(() => checkDocument(story({ writes })), /I7: one Id for two/);
  });

  test("a write is there twice; above the cut of an eviction it may be, under another name", () => {
    const again = [...history, placed(3, "c", 1, set("w-1"))];
    const ends = both(again, '{"k1":"w-1"}');
    assert.throws(() => checkDocument(story({ ends })), /P3: .* is there 2 times/);
    const out = both(
      [placed(1, "b", 1, set("w-2")), placed(2, "c", 1, set("w-1"))],
      '{"k1":"w-1"}',
    );
    checkDocument(story({ ends: out, evicted: new Set(["a"]) }));
  });

  test("a write that was refused is there; one that nobody wrote is there", () => {
    const [, second] = story().writes;
    assert.ok(second !== undefined);
    const refused = [written("w-1", { fate: "failed" }), second];
    assert.throws(() => checkDocument(story({ writes: refused })), /w-1 .* failed.* and is there/);
    assert.throws(() => checkDocument(story({ writes: [second] })), /nobody wrote #1/);
  });

  test("I6: what was told to be final has become otherwise", () => {
    const rejection = { kind: "rejected", operation: 0, op: "add", path: "/k1" } as const;
    const finalVerdict = { ...rejection, reason: "missing", text: "" };
    const [, second] = story().writes;
    assert.ok(second !== undefined);
    const writes = [written("w-1", { source: "a", id: 1, finalVerdict }), second];
    assert.throws(() => checkDocument(story({ writes })), /I6/);
    checkDocument(story({ writes, finalsHold: false }));
  });

  test("a transaction of the plain peer is not there", () => {
    const plain = ['[{"op":"add","path":"/k2","value":1}]'];
    const patches = story({ name: "default", plain });
    assert.throws(() => checkDocument(patches), /plain:1 is .* there is nothing/);
  });
});
