/** What comes in at the documents' addresses and is not as it should be: each is refused in words, nothing is changed, and nothing grows. */
import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import { limits } from "../../../src/base/limits.ts";
import type { Problem } from "../../../src/server/http/problem.ts";
import { type Answered, HttpWorld } from "./http-world.ts";

const patchType = { "content-type": "application/json-patch+json" };

const spaces = (length: number): Uint8Array => Buffer.alloc(length, " ");

const arrays = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

const objects = (depth: number): string => '{"a":'.repeat(depth) + "1" + "}".repeat(depth);

suite("HTTP: bad input for documents", () => {
  let world: HttpWorld;
  before(async () => {
    world = await HttpWorld.start();
    await world.good({ method: "PUT", path, json: { a: [1], o: {} } }, 201);
  });
  after(() => world.stop());

  const path = "/v1/documents/input";
  const patching = (bytes: string | Uint8Array) => ({
    method: "PATCH",
    path,
    headers: patchType,
    bytes,
  });
  const unchanged = async (): Promise<void> => {
    const { bytes, headers } = await world.good({ method: "GET", path });
    assert.equal(bytes.toString(), '{"a":[1],"o":{}}');
    assert.equal(headers["truba-vclock"], '{"test":1}');
  };
  const refused = async (asked: Parameters<HttpWorld["ask"]>[0]): Promise<Answered> => {
    const answered = await world.ask(asked);
    assert.equal(answered.status, 400, answered.bytes.toString().slice(0, 500));
    assert.ok((answered.json as Problem).detail.length > 10);
    return answered;
  };

  const names = [
    "a b",
    "é",
    "a/b",
    "a\\b",
    "a\0",
    "a\n",
    "a:b",
    "a%b",
    "*",
    "x".repeat(129),
    "x".repeat(5_000),
    "__proto__ ",
  ];
  for (const name of names)
    test(`the name ${JSON.stringify(name).slice(0, 40)} is BADDOCUMENTNAME at every address`, async () => {
      const at = `/v1/documents/${encodeURIComponent(name)}`;
      for (const word of ["", "/history", "/conflicts", "/status", "/events"])
        await world.problem({ method: "GET", path: `${at}${word}` }, "BADDOCUMENTNAME", 400);
      await world.problem({ method: "PUT", path: at, json: 1 }, "BADDOCUMENTNAME", 400);
      const patch = { method: "PATCH", path: at, headers: patchType, bytes: "[]" };
      await world.problem(patch, "BADDOCUMENTNAME", 400);
      const evict = { method: "POST", path: `${at}/evict`, json: { source: "b" } };
      await world.problem(evict, "BADDOCUMENTNAME", 400);
      for (const word of ["get", "vclock"])
        await world.problem(
          { method: "GET", path: `/d/${encodeURIComponent(name)}/${word}` },
          "BADDOCUMENTNAME",
          400,
        );
    });

  for (const name of ["x".repeat(128), "__proto__", "constructor", "...", "~", "-", "0"])
    test(`the name ${JSON.stringify(name).slice(0, 40)} is one (D5)`, async () => {
      const at = `/v1/documents/${name}`;
      await world.good({ method: "PUT", path: at, json: { name } }, 201);
      assert.deepEqual((await world.good({ method: "GET", path: at })).json, { name });
      const { json } = await world.good({ method: "GET", path: "/v1/documents?count=1000" });
      const { documents } = json as { documents: readonly { name: string }[] };
      assert.ok(documents.some((each) => each.name === name));
    });

  const noPatches: readonly (readonly [string, string])[] = [
    ["nothing", ""],
    ["blanks", " \n"],
    ["no JSON", "[{"],
    ["JSON with more behind it", "[] []"],
    ["a comment", "[] // x"],
    ["one operation without its array", '{"op":"remove","path":"/a"}'],
    ["null", "null"],
    ["text", '"[]"'],
    ["a number", "1"],
    ["an array of arrays", "[[]]"],
    ["null among operations", "[null]"],
    ["text among operations", '["remove"]'],
    ["an operation without members", "[{}]"],
    ["no op", '[{"path":"/a"}]'],
    ["an op that is none", '[{"op":"append","path":"/a","value":1}]'],
    ["an op in capitals", '[{"op":"ADD","path":"/a","value":1}]'],
    ["an op from the prototype", '[{"op":"constructor","path":"/a","value":1}]'],
    ["an op that is a number", '[{"op":1,"path":"/a"}]'],
    ["no path", '[{"op":"remove"}]'],
    ["a path that is null", '[{"op":"remove","path":null}]'],
    ["a path that is an array", '[{"op":"remove","path":["a"]}]'],
    ["a path without its slash", '[{"op":"remove","path":"a"}]'],
    ["a path as a URI fragment", '[{"op":"remove","path":"#/a"}]'],
    ["a path with a lone ~", '[{"op":"remove","path":"/~"}]'],
    ["a path with ~2", '[{"op":"remove","path":"/~2"}]'],
    ["add without value", '[{"op":"add","path":"/a"}]'],
    ["move without from", '[{"op":"move","path":"/a"}]'],
    ["copy with a from that is none", '[{"op":"copy","path":"/b","from":"a"}]'],
    ["Truba's own member", '[{"op":"add","path":"/b","value":1,"~":{"t":[1,1]}}]'],
    [
      "Truba's own member further back",
      '[{"op":"test","path":"/o","value":{}},{"op":"add","path":"/b","value":1,"~":0}]',
    ],
    [
      "a good operation before a bad one",
      '[{"op":"add","path":"/b","value":1},{"op":"x","path":""}]',
    ],
  ];
  for (const [title, text] of noPatches)
    test(`${title} is no patch: 400 (D4)`, async () => {
      await refused(patching(text));
      await refused({
        method: "POST",
        path: "/replace",
        headers: { accept: "application/json" },
        bytes: text,
      });
      await unchanged();
    });

  test("members that the RFC does not know are passed over (RFC 6902 §4)", async () => {
    const at = "/v1/documents/members";
    const bytes = '[{"op":"add","path":"/a","value":1,"from":"x","comment":{"why":[]},"~~":1}]';
    await world.good({ method: "PATCH", path: at, headers: patchType, bytes });
    assert.deepEqual((await world.good({ method: "GET", path: at })).json, { a: 1 });
  });

  for (const number of [
    "12345678901234567890",
    "9007199254740993",
    "1e400",
    "-1e400",
    "0.1234567890123456789",
  ])
    test(`${number} is not held exactly by a double: 400, in words that name it (D6)`, async () => {
      const add = `[{"op":"add","path":"/n","value":{"deep":[${number}]}}]`;
      for (const asked of [
        patching(add),
        { method: "PUT", path, headers: { "content-type": "application/json" }, bytes: number },
        { method: "POST", path: "/replace", headers: { accept: "application/json" }, bytes: add },
      ]) {
        const { json } = await refused(asked);
        const { detail } = json as Problem;
        assert.ok(detail.includes(number) || /too large for a double/.test(detail), detail);
      }
      await unchanged();
    });

  for (const number of [
    "0",
    "-0",
    "1.0",
    "1e2",
    "9007199254740991",
    "9007199254740992",
    "0.1",
    "1.7976931348623157e308",
    "5e-324",
    "100000000000000000000",
  ])
    test(`${number} is held exactly (D6)`, async () => {
      const at = "/v1/documents/numbers";
      const bytes = `[{"op":"add","path":"","value":[${number},"12345678901234567890"]}]`;
      await world.good({ method: "PATCH", path: at, headers: patchType, bytes });
      assert.deepEqual((await world.good({ method: "GET", path: at })).json, [
        Number(number) + 0,
        "12345678901234567890",
      ]);
    });

  const headersOf = { "content-type": "application/json" };
  for (const [title, bytes] of [
    ["nothing", ""],
    ["half an object", '{"a":'],
    ["a word", "undefined"],
    ["NaN", "NaN"],
    ["a number with a leading zero", "01"],
    ["a lone byte of UTF-8", Buffer.from([0x22, 0xff, 0x22])],
    ["UTF-16", Buffer.from('{"a":1}', "utf16le")],
  ] as const)
    test(`${title} is no JSON: 400`, async () => {
      await refused({ method: "PUT", path, headers: headersOf, bytes });
      await unchanged();
    });

  test("text with a lone surrogate is refused, or comes back as it was", async () => {
    const at = "/v1/documents/surrogate";
    const asked = { method: "PUT", path: at, headers: headersOf, bytes: '"\\ud800"' };
    const answered = await world.ask(asked);
    if (answered.status === 400) return;
    assert.equal(answered.status, 201);
    assert.equal((await world.good({ method: "GET", path: at })).json, "\ud800");
  });

  test("P8 a body over its limit is 413, told by its length or not", async () => {
    const over = spaces(limits.documentPatchMaxBytes + 1);
    await world.problem(patching(over), "TOOLARGE", 413);
    for (const word of ["replace", "post"]) {
      await world.problem({ method: "POST", path: `/${word}`, bytes: over }, "TOOLARGE", 413);
      await world.problem({ method: "PUT", path: `/d/x/${word}`, bytes: over }, "TOOLARGE", 413);
    }
    const length = String(limits.documentMaxBytes + 1);
    await world.problem(
      { method: "PUT", path, headers: { ...headersOf, "content-length": length }, bytes: "1" },
      "TOOLARGE",
      413,
    );
    await unchanged();
    assert.equal(world.context.heldBytes, 0);
  });

  test("P8 a bomb of depth is refused and harms nothing (D14)", async () => {
    for (const bomb of [arrays(257), arrays(500_000), objects(257), objects(100_000)]) {
      const add = `[{"op":"add","path":"/b","value":${bomb}}]`;
      for (const asked of [
        patching(add),
        { method: "PUT", path, headers: headersOf, bytes: bomb },
        { method: "POST", path: "/replace", headers: { accept: "application/json" }, bytes: add },
      ]) {
        const { status } = await world.ask(asked);
        assert.ok([400, 409, 413].includes(status), String(status));
      }
    }
    await unchanged();
    const at = "/v1/documents/deep";
    const headers = headersOf;
    // The patch itself takes two levels.
    await world.good({ method: "PUT", path: at, headers, bytes: arrays(254) }, 201);
    assert.equal((await world.good({ method: "GET", path: at })).bytes.toString(), arrays(254));
    // From inside is no way around it.
    const deeper = "/0".repeat(253);
    const bytes = JSON.stringify([{ op: "add", path: `${deeper}/-`, value: [[[]]] }]);
    await world.problem(
      { method: "PATCH", path: at, headers: patchType, bytes },
      "PATCHFAILED",
      409,
    );
    const copy = '[{"op":"copy","from":"","path":"/-"}]';
    for (let n = 0; n < 4; n++)
      await world.ask({ method: "PATCH", path: at, headers: patchType, bytes: copy });
    await world.good({ method: "GET", path: `${at}/status` });
  });

  test("P8 a path of many levels is refused or not found", async () => {
    const bytes = JSON.stringify([{ op: "add", path: "/a".repeat(100_000), value: 1 }]);
    const { status } = await world.ask(patching(bytes));
    assert.ok([400, 409, 413].includes(status), String(status));
    await unchanged();
  });

  test("P8 a patch has at most 10,000 operations", async () => {
    const operation = '{"op":"test","path":"/o","value":{}}';
    const of = (count: number): string => `[${Array(count).fill(operation).join(",")}]`;
    await world.good({
      ...patching(of(limits.documentPatchMaxOperations)),
      path: `${path}?dry-run=true`,
    });
    const { status } = await world.ask(patching(of(limits.documentPatchMaxOperations + 1)));
    assert.ok([400, 413].includes(status), String(status));
    await unchanged();
  });

  test("P8 a bomb of copies fails where the document would be too large, and memory does not grow with it (D14)", async () => {
    const at = "/v1/documents/bomb";
    const value = "x".repeat(1_000);
    await world.good({ method: "PUT", path: at, json: { a: [value] } }, 201);
    const copies = Array.from({ length: 40 }, (_, i) => ({
      op: "copy",
      from: i === 0 ? "/a" : `/b${i - 1}`,
      path: i === 0 ? "/b0/-" : `/b${i}`,
    }));
    // Each copies the whole document into itself: 2^40 times as much in the end.
    const doubling = Array.from({ length: 40 }, (_, i) => ({
      op: "copy",
      from: "",
      path: `/c${i}`,
    }));
    const heapBefore = process.memoryUsage().heapUsed;
    for (const operations of [copies, doubling]) {
      const bytes = JSON.stringify(operations);
      const { status, json } = await world.ask({
        method: "PATCH",
        path: at,
        headers: patchType,
        bytes,
      });
      assert.ok([409, 413].includes(status), String(status));
      assert.equal(typeof (json as Problem).detail, "string");
    }
    const grown = process.memoryUsage().heapUsed - heapBefore;
    assert.ok(grown < 200_000_000, `the heap grew by ${grown} bytes`);
    assert.deepEqual((await world.good({ method: "GET", path: at })).json, { a: [value] });
  });

  test("__proto__, constructor and prototype are plain members (D5)", async () => {
    const at = "/v1/documents/proto";
    const text = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"x":1}}}';
    await world.good({ method: "PUT", path: at, headers: headersOf, bytes: text }, 201);
    assert.equal((await world.good({ method: "GET", path: at })).bytes.toString(), text);
    const bytes = JSON.stringify([
      { op: "test", path: "/__proto__/polluted", value: 1 },
      { op: "add", path: "/__proto__/more", value: 2 },
      { op: "add", path: "/o", value: {} },
      { op: "copy", from: "/__proto__", path: "/o/__proto__" },
      { op: "replace", path: "/constructor/prototype/x", value: 3 },
      { op: "remove", path: "/__proto__/polluted" },
    ]);
    await world.good({ method: "PATCH", path: at, headers: patchType, bytes });
    assert.equal(
      (await world.good({ method: "GET", path: at })).bytes.toString(),
      '{"__proto__":{"more":2},"constructor":{"prototype":{"x":3}},"o":{"__proto__":{"more":2,"polluted":1}}}',
    );
    for (const operation of [
      { op: "add", path: "/o/toString/x", value: 1 },
      { op: "remove", path: "/hasOwnProperty" },
      { op: "test", path: "/o/constructor", value: null },
      { op: "copy", from: "/o/valueOf", path: "/v" },
    ])
      await world.problem(
        { method: "PATCH", path: at, headers: patchType, bytes: JSON.stringify([operation]) },
        "PATCHFAILED",
        409,
      );
    assert.equal(({} as { polluted?: number; x?: number; more?: number }).polluted, undefined);
    const { json } = await world.good({ method: "GET", path: `${at}/history` });
    const { transactions } = json as { transactions: readonly { operations: object[] }[] };
    assert.equal(transactions.length, 2);
  });
});
