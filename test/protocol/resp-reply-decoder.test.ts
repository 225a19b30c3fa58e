/** RESP replies to values, however they are cut. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as fc from "fast-check";
import { limits } from "../../src/base/limits.ts";
import { RespReplyDecoder } from "../../src/protocol/resp-reply-decoder.ts";
import { RespError, RespPush } from "../../src/protocol/resp-reply.ts";
import type { RespReply } from "../../src/protocol/resp-reply.ts";
import { anyCuts, cutAt, cutEvery } from "./streams.ts";

/** Replies, and after them the text of the error if there was one. */
interface Decoded {
  readonly replies: readonly RespReply[];
  readonly errorText: string;
}

function decodeAll(chunks: readonly Uint8Array[], decoder = new RespReplyDecoder()): Decoded {
  const replies: RespReply[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    while (decoder.next() === "reply") replies.push(decoder.value);
  }
  return { replies, errorText: decoder.errorText };
}

const latin1 = (text: string) => Buffer.from(text, "latin1");

const bytes = (text: string) => Buffer.from(text);

const replies: readonly (readonly [string, RespReply])[] = [
  ["+OK\r\n", "OK"],
  ["+\r\n", ""],
  [
    "-NOQUORUM no majority; retry after 50 ms\r\n",
    new RespError("NOQUORUM no majority; retry after 50 ms"),
  ],
  ["!10\r\nERR a\r\nbcd\r\n", new RespError("ERR a\r\nbcd")],
  [":-12\r\n", -12],
  [":9007199254740993\r\n", 9_007_199_254_740_993n],
  ["(123456789012345678901234567890\r\n", 123_456_789_012_345_678_901_234_567_890n],
  [",1.25\r\n", 1.25],
  [",1e+21\r\n", 1e21],
  [",inf\r\n", Infinity],
  [",-inf\r\n", -Infinity],
  [",nan\r\n", Number.NaN],
  ["#t\r\n", true],
  ["#f\r\n", false],
  ["_\r\n", null],
  ["$-1\r\n", null],
  ["*-1\r\n", null],
  ["$5\r\na\r\nbc\r\n", bytes("a\r\nbc")],
  ["$0\r\n\r\n", bytes("")],
  ["=7\r\ntxt:abc\r\n", "abc"],
  ["*0\r\n", []],
  ["*3\r\n:1\r\n*2\r\n+a\r\n*0\r\n$1\r\nb\r\n", [1, ["a", []], bytes("b")]],
  ["~2\r\n:1\r\n:2\r\n", [1, 2]],
  [
    "%2\r\n+a\r\n:1\r\n+__proto__\r\n%0\r\n",
    new Map<RespReply, RespReply>([
      ["a", 1],
      ["__proto__", new Map()],
    ]),
  ],
  [">2\r\n+message\r\n:1\r\n", new RespPush(["message", 1])],
  ["|1\r\n+ttl\r\n:5\r\n+value\r\n", "value"],
  ["*2\r\n|1\r\n+ttl\r\n:5\r\n:1\r\n|0\r\n:2\r\n", [1, 2]],
];

suite("RESP replies", () => {
  for (const [text, value] of replies) {
    test(`${JSON.stringify(text)} is read, whole and byte by byte`, () => {
      const expected = { replies: [value, value], errorText: "" };
      assert.deepEqual(decodeAll([latin1(text + text)]), expected);
      assert.deepEqual(decodeAll(cutEvery(latin1(text + text), 1)), expected);
    });
  }

  test("the code of an error is its first word", () => {
    assert.equal(new RespError("ERR no such thing").code, "ERR");
    assert.equal(new RespError("ERR no such thing").text, "no such thing");
    assert.equal(new RespError("LOADING").code, "LOADING");
    assert.equal(new RespError("LOADING").text, "");
  });

  test("what is no reply is an error that stays", () => {
    const broken = [
      "x\r\n",
      "\r\n",
      "+a\n",
      "\n",
      ":\r\n",
      ":1.5\r\n",
      ":99999999999999999999\r\n",
      "(x\r\n",
      ",x\r\n",
      ",\r\n",
      "#x\r\n",
      "_x\r\n",
      "$x\r\n",
      "$-2\r\n",
      "$?\r\n",
      "$99999999999\r\n",
      "$1\r\nabc\r\n",
      "*x\r\n",
      "*-2\r\n",
      "%-1\r\n",
      "*99999999999\r\n",
      "=3\r\nabc\r\n",
      "=4\r\nabcd\r\n",
      `+${"x".repeat(limits.lineMaxBytes + 1)}`,
    ];
    for (const text of broken) {
      const decoder = new RespReplyDecoder();
      const title = JSON.stringify(text.slice(0, 40));
      const decoded = decodeAll([latin1(`+before\r\n${text}`)], decoder);
      assert.deepEqual(decoded.replies, ["before"], title);
      assert.match(decoded.errorText, /^Protocol error: ./, title);
      assert.deepEqual(decodeAll([latin1("+after\r\n")], decoder).replies, [], title);
      assert.equal(decoder.next(), "error");
    }
  });

  test("P8: replies nest as deep as allowed and no deeper", () => {
    const deepest = `${"*1\r\n".repeat(limits.respReplyMaxDepth)}:1\r\n`;
    const { replies: read, errorText } = decodeAll([latin1(deepest)]);
    assert.equal(errorText, "");
    let [value] = read;
    let depth = 0;
    for (; Array.isArray(value); depth++) value = value[0];
    assert.equal(depth, limits.respReplyMaxDepth);
    assert.equal(value, 1);
    assert.match(decodeAll([latin1(`*1\r\n${deepest}`)]).errorText, /nested deeper than 32/);
  });

  test("P8: a reply whose announced parts are too long in all is refused before they come", () => {
    const part = `$${limits.respSkipMaxBytes}\r\n`;
    assert.equal(decodeAll([latin1(part)]).errorText, "");
    assert.match(decodeAll([latin1(`*2\r\n:1\r\n${part}`)]).errorText, /too long/);
  });

  test("P8: an announced count allocates nothing", () => {
    const before = process.memoryUsage().heapUsed;
    assert.deepEqual(decodeAll([latin1("*4000000000\r\n:1\r\n")]), { replies: [], errorText: "" });
    assert.ok(process.memoryUsage().heapUsed - before < 100_000_000);
  });

  test("any sequence of replies, cut anywhere, is the same", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...replies)), anyCuts, (sequence, cuts) => {
        const stream = latin1(sequence.map(([text]) => text).join(""));
        const expected = { replies: sequence.map(([, value]) => value), errorText: "" };
        assert.deepEqual(decodeAll([stream]), expected);
        assert.deepEqual(decodeAll(cutAt(stream, cuts)), expected);
        assert.deepEqual(decodeAll(cutEvery(stream, 1)), expected);
      }),
    );
  });

  test("whatever the bytes are, they end, and mean the same however they are cut", () => {
    const piece = fc.oneof(
      fc.constantFrom(..."+-:$*_#,(!=%~>|".split("")),
      fc.constantFrom(
        "\r\n",
        "1",
        "2",
        "-1",
        "txt:",
        "abc",
        "\r",
        "\n",
        "*1\r\n",
        "%1\r\n",
        "|1\r\n",
        ":1\r\n",
      ),
      fc.string({ maxLength: 3 }),
    );
    const nearly = fc.array(piece, { maxLength: 30 }).map((pieces) => Buffer.from(pieces.join("")));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), nearly), anyCuts, (stream, cuts) => {
        const whole = decodeAll([stream]);
        assert.deepEqual(decodeAll(cutAt(stream, cuts)), whole);
        assert.deepEqual(decodeAll(cutEvery(stream, 1)), whole);
      }),
      { numRuns: 1_000 },
    );
  });

  test("P8: a reply in pieces is searched once and copied less than three times", () => {
    const value = Buffer.alloc(1_000_000, "x");
    const large = Buffer.concat([latin1("*1\r\n$1000000\r\n"), value, latin1("\r\n")]);
    const many = latin1(`*50000\r\n${"$3\r\nabc\r\n".repeat(50_000)}`);
    const line = latin1(`+${"x".repeat(500_000)}\r\n`);
    for (const stream of [large, many, line]) {
      for (const size of [7, 1_000, 65_536]) {
        const decoder = new RespReplyDecoder();
        assert.equal(decodeAll(cutEvery(stream, size), decoder).replies.length, 1);
        const times = decoder.workBytes / stream.length;
        assert.ok(times < 4, `${stream.length} bytes by ${size}: ${times} times`);
      }
    }
  });

  test("a value given out does not change when more arrives", () => {
    const chunk = latin1("$3\r\nabc\r\n");
    const decoder = new RespReplyDecoder();
    const { replies: read } = decodeAll([chunk], decoder);
    chunk.fill("x");
    assert.deepEqual(read, [bytes("abc")]);
  });
});
