/** The parts of the documents' page that need no browser: patches, differences, mistakes, rows of the tree, events. What it looks like is tested in processes/. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { canonicalText } from "../../src/patch/canonical.ts";
import type { Json } from "../../src/patch/json.ts";
import { decodePatch } from "../../src/patch/patch.ts";
import { Tree } from "../../src/patch/tree.ts";
import { differenceOf, isEqual } from "../../web/documents/difference.js";
import { EventLines } from "../../web/documents/event-lines.js";
import { find } from "../../web/documents/find.js";
import { checkPatch, elementRanges } from "../../web/documents/patch-check.js";
import {
  type Operation,
  applied,
  pointerOf,
  tokensOf,
  valueAt,
} from "../../web/documents/patching.js";
import { TreeRows, childrenStep } from "../../web/documents/tree-rows.js";
import { briefJson } from "../../web/documents/words.js";

const names = ["a", "b", "__proto__", "constructor", "x/y", "~", "", "0", "ü"];

function randomValue(random: SeededRandom, depth = 0): Json {
  const kind = randomBelow(random, depth > 3 ? 4 : 6);
  if (kind === 0) return randomBelow(random, 7) - 3;
  if (kind === 1) return ["", "text", "<img src=x onerror=alert(1)>"][randomBelow(random, 3)] ?? "";
  if (kind === 2) return randomBelow(random, 2) === 1;
  if (kind === 3) return null;
  const size = randomBelow(random, 5);
  if (kind === 4) return Array.from({ length: size }, () => randomValue(random, depth + 1));
  const members = Array.from(
    { length: size },
    () =>
      `${JSON.stringify(pick(random, names))}:${JSON.stringify(randomValue(random, depth + 1))}`,
  );
  return JSON.parse(`{${members.join(",")}}`) as Json;
}

function pick<T>(random: SeededRandom, among: readonly T[]): T {
  const picked = among[randomBelow(random, among.length)];
  assert.ok(picked !== undefined);
  return picked;
}

const copy = (value: Json): Json => JSON.parse(JSON.stringify(value)) as Json;

function pointers(value: Json, at: readonly string[] = []): string[] {
  const own = pointerOf(at);
  if (typeof value !== "object" || value === null) return [own];
  return [own, ...Object.entries(value).flatMap(([key, each]) => pointers(each, [...at, key]))];
}

function randomOperation(random: SeededRandom, value: Json): Operation {
  const places = pointers(value);
  const path = pick(random, places);
  const other = pick(random, places);
  const added =
    randomBelow(random, 2) === 0 ? `${other}/-` : `${other}/${pick(random, ["a", "0", "x~1y"])}`;
  const op = pick(random, ["add", "remove", "replace", "move", "copy", "test"]);
  if (op === "add") return { op, path: added, value: randomValue(random, 2) };
  if (op === "replace") return { op, path, value: randomValue(random, 2) };
  if (op === "move" || op === "copy") return { op, from: path, path: added };
  return op === "test" ? { op, path, value: valueAt(value, tokensOf(path)) ?? null } : { op, path };
}

suite("the documents' page without a browser", () => {
  test("changes that the node tells make the same document here as there, whatever names are in it", () => {
    const seed = 20_261;
    const random = new SeededRandom(seed);
    let done = 0;
    for (let round = 0; round < 3_000; round++) {
      const value = randomValue(random);
      const operation = randomOperation(random, value);
      const tree = new Tree(copy(value));
      const failure = tree.apply(decodePatch([operation]), undefined, {
        upsert: false,
        maxWeight: 1e9,
      });
      if (failure !== undefined) continue;
      done++;
      const here = applied(copy(value), [operation]);
      const what = `seed ${seed}, round ${round}: ${JSON.stringify(operation)}`;
      // Removing the whole document leaves null on both sides.
      assert.equal(canonicalText(here), canonicalText(tree.value), what);
    }
    assert.ok(done > 1_000, `${done} operations could be done`);
    assert.equal(({} as Record<string, unknown>)["a"], undefined, "no prototype was changed");
  });

  test("a difference leads from one document to the other, by the node's engine", () => {
    const seed = 7;
    const random = new SeededRandom(seed);
    for (let round = 0; round < 2_000; round++) {
      const [from, to] = [randomValue(random), randomValue(random)];
      const operations = differenceOf(from, to);
      const tree = new Tree(copy(from));
      const failure = tree.apply(decodePatch(operations), undefined, {
        upsert: false,
        maxWeight: 1e9,
      });
      const what = `seed ${seed}, round ${round}: ${JSON.stringify(operations)}`;
      assert.equal(failure, undefined, what);
      assert.equal(canonicalText(tree.value), canonicalText(to), what);
      assert.equal(isEqual(from, to), operations.length === 0, what);
    }
  });

  test("a change of one member of many is a difference of one operation", () => {
    const from = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`n${i}`, { i }]));
    const to = { ...from, n500: { i: -1 } };
    assert.deepEqual(differenceOf(from, to), [{ op: "replace", path: "/n500/i", value: -1 }]);
    assert.deepEqual(differenceOf([1, 2, 3, 4], [1, 3, 4]), [{ op: "remove", path: "/1" }]);
  });

  const mistakes: readonly (readonly [string, readonly (string | RegExp)[]])[] = [
    [`[{"op":"add","path":"/a","value":null}]`, []],
    ["", [/Write a JSON Patch/]],
    ["{}", [/a list of operations/]],
    ["[x]", [/Not JSON/]],
    ["[", [/Not JSON at line 1, column 2/]],
    ["[3]", [/Operation 0: it must be an object/]],
    [
      `[{"op":"test","path":""},{"op":"ad","path":"a"}]`,
      [/0: "value" is missing/, /1: "op" is "ad"/, /1: "path" is "a"/],
    ],
    [`[{"op":"add","path":"/a~2","value":1}]`, [/neither ~0/]],
    [`[{"op":"move","from":"/a","path":"/a/b"}]`, [/into itself/]],
    [`[{"op":"copy","path":"/a"}]`, [/"from" is missing/]],
    [`[{"op":"remove","path":"/a","~":{}}]`, [/own member/]],
  ];
  for (const [text, expected] of mistakes)
    test(`the composer says what is wrong with ${text === "" ? "nothing" : text}`, () => {
      const found = checkPatch(text).mistakes.map((each) => each.text);
      assert.equal(found.length, expected.length, found.join("\n"));
      found.forEach((each, i) => assert.match(each, new RegExp(expected[i] ?? /^$/)));
    });

  test("operations are found in the text, whatever stands in their strings", () => {
    const text = ` [ {"op":"add","path":"/a","value":[1,{"x":"]\\""}]} ,\n 3, "x,]" , [[]], {} ] `;
    assert.deepEqual(
      elementRanges(text).map(({ from, to }) => text.slice(from, to)),
      [`{"op":"add","path":"/a","value":[1,{"x":"]\\""}]}`, "3", `"x,]"`, "[[]]", "{}"],
    );
    assert.deepEqual(elementRanges("[]"), []);
  });

  test("a tree of 23,000 members shows some at once and more when asked, sorted, and opens no more than can be looked at", () => {
    const value = Object.fromEntries(
      Array.from({ length: 23_000 }, (_, i) => [
        `k${(i * 7_919) % 23_000}`.padStart(6, "0"),
        { i },
      ]),
    );
    const rows = new TreeRows();
    rows.begin(value);
    const first = rows.rows(value);
    assert.equal(first.length, 1 + childrenStep + 1);
    assert.equal(first.at(-1)?.kind, "more");
    const keys = first.slice(1, -1).map(({ key }) => String(key));
    assert.deepEqual(keys, [...keys].sort());
    rows.more("");
    assert.equal(rows.rows(value).length, 1 + 2 * childrenStep + 1);
    assert.equal(new TreeRows().openAll(value), false);
  });

  test("the tree follows members that come and go, and names like __proto__", () => {
    const rows = new TreeRows();
    const value = JSON.parse(`{"b":1,"__proto__":{"x":[]}}`) as Json;
    rows.begin(value);
    const shown = (now: Json): string[] => rows.rows(now).map(({ pointer }) => pointer);
    assert.deepEqual(shown(value), ["", "/__proto__", "/__proto__/x", "/b"]);
    const next = applied(
      value,
      [
        { op: "add", path: "/a", value: 2 },
        { op: "remove", path: "/b" },
        { op: "add", path: "/__proto__/x/-", value: "y" },
      ],
      (container) => rows.touched(container),
    );
    assert.deepEqual(shown(next), ["", "/__proto__", "/__proto__/x", "/__proto__/x/0", "/a"]);
  });

  test("finds names and values in the order of the tree, from what is chosen on and round again", () => {
    const value = { b: ["Ada", { ada: 1 }], a: "ADA", "x/y": null, "1": true };
    const round: (string | undefined)[] = [];
    let at = "";
    for (let i = 0; i < 4; i++) {
      const { pointer, count, place } = find(value, "ada", at);
      assert.equal(count, 3);
      assert.equal(place, (i % 3) + 1);
      round.push(pointer);
      at = pointer ?? "";
    }
    assert.deepEqual(round, ["/a", "/b/0", "/b/1/ada", "/a"]);
    assert.equal(find(value, "NULL", "").pointer, "/x~1y");
    assert.deepEqual(find(value, "none", ""), { pointer: undefined, count: 0, place: 1 });
  });

  test("what is found far down in a long list is among the rows", () => {
    const value = { list: Array.from({ length: 20_000 }, (_, i) => ({ i })) };
    const rows = new TreeRows();
    rows.begin(value);
    rows.reveal(["list", "12345", "i"], value);
    assert.ok(rows.rows(value).some(({ pointer }) => pointer === "/list/12345/i"));
  });

  test("events are read however their text is cut", () => {
    const text = `: hello\r\n\r\nevent: snapshot\ndata: {"a":"ü"}\n\nevent:change\r\ndata: 1\r\ndata: 2\r\n\r\nevent: none\n\ndata: last\r\r`;
    const expected = [
      ["snapshot", `{"a":"ü"}`],
      ["change", "1\n2"],
      ["message", "last"],
    ];
    for (const step of [1, 2, 3, 7, text.length]) {
      const told: string[][] = [];
      const lines = new EventLines((event, data) => told.push([event, data]));
      for (let at = 0; at < text.length; at += step) lines.take(text.slice(at, at + step));
      assert.deepEqual(told, expected, `in pieces of ${step}`);
    }
  });

  test("what is shown of a large value is cut without writing all of it", () => {
    const value = Array.from({ length: 1_000_000 }, () => "x".repeat(100));
    const startedAt = performance.now();
    assert.equal(briefJson(value, 60).length, 60);
    assert.ok(performance.now() - startedAt < 50);
    assert.equal(briefJson({ a: [1, null, "b"] }, 60), `{"a": [1, null, "b"]}`);
  });
});
