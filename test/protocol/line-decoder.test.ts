/** The line protocol: bytes to lines, lines to requests. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as fc from "fast-check";
import { limits } from "../../src/base/limits.ts";
import { LineDecoder } from "../../src/protocol/line-decoder.ts";
import { LineRequest } from "../../src/protocol/line-request.ts";
import { anyCuts, cutAt, cutEvery } from "./streams.ts";

const latin1 = (text: string) => Buffer.from(text, "latin1");
const tooLong = Symbol("too long");

function decodeAll(
  decoder: LineDecoder,
  chunks: readonly Uint8Array[],
): (string | typeof tooLong)[] {
  const lines: (string | typeof tooLong)[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let event = decoder.next(); event !== "none"; event = decoder.next()) {
      const { buffer, start, end } = decoder;
      lines.push(event === "toolong" ? tooLong : buffer.toString("latin1", start, end));
    }
  }
  return lines;
}

const nearlyLines = fc
  .array(fc.oneof(fc.constantFrom("\n", "\r\n", "\r", " ", "GET"), fc.string({ maxLength: 5 })))
  .map((pieces) => Buffer.from(pieces.join("")));

suite("lines (DESIGN §11)", () => {
  test("LF or CRLF ends a line; every other byte belongs to it", () => {
    assert.deepEqual(decodeAll(new LineDecoder(), [latin1('a b\r\n\n "c" \0\xff\r\r\n\rd\ne')]), [
      "a b",
      "",
      ' "c" \0\xff\r',
      "\rd",
    ]);
  });

  test("whatever the bytes are and however they are cut, the lines are what stands between the LFs", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), nearlyLines), anyCuts, (bytes, cuts) => {
        const expected = Buffer.from(bytes)
          .toString("latin1")
          .split("\n")
          .slice(0, -1)
          .map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
        assert.deepEqual(decodeAll(new LineDecoder(), [bytes]), expected);
        assert.deepEqual(decodeAll(new LineDecoder(), cutAt(bytes, cuts)), expected);
        assert.deepEqual(decodeAll(new LineDecoder(), cutEvery(bytes, 1)), expected);
      }),
      { numRuns: 500 },
    );
  });

  test("P8: the longest line is accepted, a longer one told once and passed over", () => {
    const longest = "x".repeat(limits.lineMaxBytes);
    for (const size of [2 ** 23, 65_536, limits.lineMaxBytes, limits.lineMaxBytes + 1, 4_099]) {
      const decodeCut = (text: string) =>
        decodeAll(new LineDecoder(), cutEvery(latin1(text), size));
      assert.deepEqual(decodeCut(`${longest}\nnext\n`), [longest, "next"]);
      assert.deepEqual(decodeCut(`${longest}\r\nnext\n`), [longest, "next"]);
      assert.deepEqual(decodeCut(`${longest}x\nnext\n`), [tooLong, "next"]);
      assert.deepEqual(decodeCut(`${longest}\rx\nnext\n`), [tooLong, "next"]);
      assert.deepEqual(decodeCut(`${longest}x\r\nnext\n`), [tooLong, "next"]);
      assert.deepEqual(decodeCut(`a\n${longest}${longest}${longest}\r\nnext\n`), [
        "a",
        tooLong,
        "next",
      ]);
    }
  });

  test("P8: of a line that is too long nothing is kept", () => {
    const decoder = new LineDecoder();
    const chunk = Buffer.alloc(65_536, "x");
    for (let i = 0; i < 200; i++) decodeAll(decoder, [chunk]);
    assert.equal(decoder.heldBytes, 0);
    assert.ok(decoder.workBytes < limits.lineMaxBytes * 3);
    assert.equal(decoder.partial, true);
    assert.deepEqual(decodeAll(decoder, [latin1("\nok\n")]), [tooLong, "ok"]);
    assert.equal(decoder.partial, false);
  });

  test("P8: a line in pieces is copied less than three times, and a whole one not at all", () => {
    const decoder = new LineDecoder();
    const line = latin1(`${"x".repeat(200_000)}\n`);
    decodeAll(decoder, [line]);
    assert.equal(decoder.workBytes, 0);
    assert.equal(decoder.heldBytes, 0);
    for (const size of [1, 1_000, 65_536]) {
      const before = decoder.workBytes;
      decodeAll(decoder, cutEvery(line, size));
      assert.ok(decoder.workBytes - before < 3 * line.length);
      assert.equal(decoder.heldBytes, 0);
    }
  });

  test("a push before the last one was used up loses nothing", () => {
    const decoder = new LineDecoder();
    decoder.push(latin1("a\nb\nc"));
    assert.equal(decoder.next(), "line");
    decoder.push(latin1("d\n"));
    assert.deepEqual(decodeAll(decoder, [latin1("")]), ["b", "cd"]);
  });
});

interface Split {
  readonly id: string;
  readonly verb: string;
  readonly key: string;
  readonly rest: string | undefined;
}

/** The parts of a line that stands in the middle of a buffer. */
function split(line: string): Split | "empty" | "malformed" {
  const buffer = latin1(`x x${line}y y`);
  const request = new LineRequest();
  const shape = request.split(buffer, 3, buffer.length - 3);
  if (shape !== "request") return shape;
  const text = (start: number, end: number) => buffer.toString("latin1", start, end);
  return {
    id: text(request.idStart, request.idEnd),
    verb: request.verb,
    key: text(request.keyStart, request.keyEnd),
    rest: request.hasRest ? text(request.restStart, request.restEnd) : undefined,
  };
}

suite("requests of the line protocol (DESIGN §11)", () => {
  const plain = { id: "", verb: "SET", key: "k", rest: undefined };
  const cases: readonly (readonly [string, Split | "empty" | "malformed"])[] = [
    ["", "empty"],
    ["   ", "empty"],
    ["heartbeat", { ...plain, verb: "HEARTBEAT", key: "" }],
    ["GET ", { ...plain, verb: "GET", key: "" }],
    ["gEt  k", { ...plain, verb: "GET" }],
    [" SET k", plain],
    ["SET k ", { ...plain, rest: "" }],
    ['SET k  a "b" \' ', { ...plain, rest: ' a "b" \' ' }],
    ["SET k \0\xff\t\r", { ...plain, rest: "\0\xff\t\r" }],
    ["request 17 SET k v w", { ...plain, id: "17", rest: "v w" }],
    ["REQUEST  17  SET  k  v", { ...plain, id: "17", rest: " v" }],
    ["REQUEST 17 REQUEST 18 SET", { ...plain, id: "17", verb: "REQUEST", key: "18", rest: "SET" }],
    ["REQUEST", "malformed"],
    ["REQUEST ", "malformed"],
    ["REQUEST 17", "malformed"],
    ["REQUEST 17 ", "malformed"],
    ["REQUESTS 17", { ...plain, verb: "REQUESTS", key: "17" }],
  ];
  for (const [line, expected] of cases) {
    test(`${JSON.stringify(line)} is ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(split(line), expected);
    });
  }

  test("one object splits line after line: nothing of the line before stays", () => {
    const request = new LineRequest();
    request.split(latin1("REQUEST 17 SET k v"), 0, 18);
    request.split(latin1("GET"), 0, 3);
    assert.equal(request.idStart, request.idEnd);
    assert.equal(request.keyStart, request.keyEnd);
    assert.equal(request.hasRest, false);
  });

  test("any bytes split into parts that lie in order inside the line", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const request = new LineRequest();
        if (request.split(Buffer.from(bytes), 0, bytes.length) !== "request") return;
        const { idStart, idEnd, keyStart, keyEnd, restStart, restEnd } = request;
        const places = [0, idStart, idEnd, keyStart, keyEnd, restStart, restEnd, bytes.length];
        assert.deepEqual(
          places.toSorted((a, b) => a - b),
          places,
        );
      }),
    );
  });

  test("a verb without end is cut", () => {
    const result = split("v".repeat(1_000));
    assert.ok(typeof result === "object");
    assert.equal(result.verb, "V".repeat(64));
  });
});
