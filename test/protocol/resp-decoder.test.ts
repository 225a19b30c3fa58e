/** RESP requests: what they mean, however they are cut, what breaks them and what is too much. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as fc from "fast-check";
import { limits } from "../../src/base/limits.ts";
import { RespDecoder } from "../../src/protocol/resp-decoder.ts";
import { encodeRequest } from "../../src/protocol/resp-request-writer.ts";
import { anyCuts, cutAt, cutEvery, decodeAll } from "./streams.ts";
import type { Decoded } from "./streams.ts";

const latin1 = (text: string) => Buffer.from(text, "latin1");
const decode = (text: string) => decodeAll(new RespDecoder(), [latin1(text)]);
const decodeByByte = (text: string) => decodeAll(new RespDecoder(), cutEvery(latin1(text), 1));

/** What one text decodes to, whole and byte by byte. */
function assertDecodes(text: string, expected: readonly Decoded[]): void {
  assert.deepEqual(decode(text), expected, JSON.stringify(text));
  assert.deepEqual(decodeByByte(text), expected, `${JSON.stringify(text)}, byte by byte`);
}

const anyBytes = fc.uint8Array({ maxLength: 300 });
const anyCommand = fc.array(anyBytes, { minLength: 1, maxLength: 8 });
const anyCommands = fc.array(anyCommand, { minLength: 1, maxLength: 6 });

/** Bytes that often look like RESP. */
const nearlyResp = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "*",
        "$",
        "\r\n",
        "\r",
        "\n",
        "-",
        "0",
        "1",
        "2",
        "-1",
        '"',
        "'",
        "\\x4",
        " ",
      ),
      fc.constantFrom(
        "*1\r\n",
        "*2\r\n",
        "$3\r\nabc\r\n",
        "$0\r\n\r\n",
        "PING\r\n",
        "$2000000\r\n",
      ),
      fc.string({ maxLength: 4 }),
    ),
    { maxLength: 30 },
  )
  .map((pieces) => Buffer.from(pieces.join("")));

suite("RESP requests", () => {
  test("arrays of bulk strings are commands", () => {
    assertDecodes("*2\r\n$3\r\nGET\r\n$2\r\nab\r\n*1\r\n$4\r\nPING\r\n", [
      { command: ["GET", "ab"] },
      { command: ["PING"] },
    ]);
    assertDecodes("*2\r\n$0\r\n\r\n$4\r\n\r\n\0\xff\r\n", [{ command: ["", "\r\n\0\xff"] }]);
  });

  test("empty lines and arrays without elements are passed over, as in Redis", () => {
    assertDecodes("\r\n\n   \r\n*0\r\n*-1\r\n*-7\r\n*1\r\n$1\r\na\r\n\r\n", [{ command: ["a"] }]);
  });

  test("what breaks the protocol is named in the words of Redis, and is final", () => {
    const cases: readonly (readonly [string, string])[] = [
      ["*x\r\n", "Protocol error: invalid multibulk length"],
      ["*\r\n", "Protocol error: invalid multibulk length"],
      ["*+1\r\n", "Protocol error: invalid multibulk length"],
      ["*01\r\n", "Protocol error: invalid multibulk length"],
      ["*-0\r\n", "Protocol error: invalid multibulk length"],
      ["*1 \r\n", "Protocol error: invalid multibulk length"],
      ["*1\n", "Protocol error: invalid multibulk length"],
      ["*1\rx", "Protocol error: invalid multibulk length"],
      [`*${limits.respArgumentsMaxCount + 1}\r\n`, "Protocol error: invalid multibulk length"],
      ["*99999999999999999999999\r\n", "Protocol error: invalid multibulk length"],
      [`*${"9".repeat(500)}`, "Protocol error: invalid multibulk length"],
      ["*1\r\n$-1\r\n", "Protocol error: invalid bulk length"],
      ["*1\r\n$\r\n", "Protocol error: invalid bulk length"],
      ["*1\r\n$1x\r\n", "Protocol error: invalid bulk length"],
      ["*1\r\n$1\n", "Protocol error: invalid bulk length"],
      [`*1\r\n$${limits.respSkipMaxBytes + 1}\r\n`, "Protocol error: invalid bulk length"],
      ["*2\r\n$1\r\na\r\n$18446744073709551617\r\n", "Protocol error: invalid bulk length"],
      ["*1\r\n*1\r\n", "Protocol error: expected '$', got '*'"],
      ["*2\r\n$1\r\na\r\nx", "Protocol error: expected '$', got 'x'"],
      ["*1\r\n\r", "Protocol error: expected '$', got '\\x0d'"],
      ["*1\r\n$1\r\nab\r\n", "Protocol error: expected CRLF after bulk"],
      ["*1\r\n$1\r\na\rb", "Protocol error: expected CRLF after bulk"],
      ['GET "ab\r\n', "Protocol error: unbalanced quotes in request"],
    ];
    for (const [text, error] of cases) {
      assertDecodes(text, [{ error }]);
      const decoder = new RespDecoder();
      decodeAll(decoder, [latin1(text)]);
      assert.deepEqual(decodeAll(decoder, [latin1("*1\r\n$4\r\nPING\r\n")]), [{ error }]);
    }
  });

  test("commands before the broken one are given out", () => {
    assertDecodes("PING\r\n*1\r\n$1\r\na\r\n*1\r\n!", [
      { command: ["PING"] },
      { command: ["a"] },
      { error: "Protocol error: expected '$', got '!'" },
    ]);
  });

  test("P8: the most arguments are accepted", () => {
    const most = Array.from({ length: limits.respArgumentsMaxCount }, (_, i) => String(i));
    const decoder = new RespDecoder();
    const bytes = encodeRequest(most);
    assert.deepEqual(decodeAll(decoder, cutEvery(bytes, 1_000)), [{ command: most }]);
    assert.deepEqual(decodeAll(decoder, [bytes]), [{ command: most }]);
  });

  test("any commands, cut anywhere, are the same commands", () => {
    fc.assert(
      fc.property(anyCommands, anyCuts, (commands, cuts) => {
        const bytes = Buffer.concat(commands.map((command) => encodeRequest(command)));
        const expected = commands.map((command) => ({
          command: command.map((argument) => Buffer.from(argument).toString("latin1")),
        }));
        assert.deepEqual(decodeAll(new RespDecoder(), [bytes]), expected);
        assert.deepEqual(decodeAll(new RespDecoder(), cutAt(bytes, cuts)), expected);
        assert.deepEqual(decodeAll(new RespDecoder(), cutEvery(bytes, 1)), expected);
      }),
    );
  });

  test("whatever the bytes are, they end, and mean the same however they are cut", () => {
    fc.assert(
      fc.property(fc.oneof(anyBytes, nearlyResp), anyCuts, (bytes, cuts) => {
        const whole = decodeAll(new RespDecoder(), [bytes]);
        assert.deepEqual(decodeAll(new RespDecoder(), cutAt(bytes, cuts)), whole);
        assert.deepEqual(decodeAll(new RespDecoder(), cutEvery(bytes, 1)), whole);
      }),
      { numRuns: 1_000 },
    );
  });

  test("arguments of what is read in place stand in the chunk itself", () => {
    const chunk = encodeRequest(["SET", "key", "value"]);
    const decoder = new RespDecoder();
    decoder.push(chunk);
    assert.equal(decoder.next(), "command");
    assert.equal(decoder.buffer, chunk);
    assert.equal(decoder.count, 3);
    assert.equal(decoder.workBytes, 0);
    assert.throws(() => decoder.start(3), { name: "AssertionError" });
    assert.equal(decoder.next(), "none");
    assert.equal(decoder.buffer.length, 0);
  });

  test("a push before the last one was used up loses nothing", () => {
    const decoder = new RespDecoder();
    decoder.push(latin1("PING\r\n*1\r\n$3\r\nab"));
    assert.equal(decoder.next(), "command");
    decoder.push(latin1("c\r\nQUIT\r\n"));
    assert.deepEqual(decodeAll(decoder, [latin1("")]), [
      { command: ["abc"] },
      { command: ["QUIT"] },
    ]);
  });

  test("P8: partial says whether a command has begun and not ended", () => {
    const decoder = new RespDecoder();
    const pushed = (text: string) => {
      decodeAll(decoder, [latin1(text)]);
      return decoder.partial;
    };
    assert.equal(decoder.partial, false);
    assert.equal(pushed("*"), true);
    assert.equal(pushed("1\r\n$2000000\r\n"), true);
    assert.equal(pushed("x".repeat(2_000_000)), true);
    assert.equal(pushed("\r\n"), false);
    assert.equal(pushed("PING"), true);
    assert.equal(pushed("\r\nPI"), true);
    assert.equal(pushed("NG\r\n*0\r\n"), false);
  });
});

suite("memory of RESP requests (P8)", () => {
  test("what is held follows what has arrived, not what was announced", () => {
    const decoder = new RespDecoder();
    const stream = encodeRequest(["SET", "key", Buffer.alloc(1_000_000)]);
    let arrived = 0;
    for (const chunk of cutEvery(stream, 1_000)) {
      decodeAll(decoder, [chunk]);
      arrived += chunk.length;
      assert.ok(decoder.heldBytes <= arrived * 2 + 256, `${decoder.heldBytes} of ${arrived}`);
    }
    assert.equal(decoder.heldBytes, 0);
  });

  test("nothing is held between commands, while one is passed over, and after an error", () => {
    const decoder = new RespDecoder();
    const heldAfter = (text: string) => {
      decodeAll(decoder, [latin1(text)]);
      return decoder.heldBytes;
    };
    assert.equal(heldAfter("*1\r\n$1\r\na\r\nPING\r\n"), 0);
    assert.ok(heldAfter("*2\r\n$1\r\nb\r\n$20") > 0);
    assert.equal(heldAfter(`00000\r\n${"x".repeat(100_000)}`), 0);
    assert.equal(decoder.partial, true);
    assert.equal(heldAfter(`${"x".repeat(1_900_000)}\r\n`), 0);
    assert.equal(decoder.partial, false);
    assert.equal(heldAfter("*1\r\n!"), 0);
    assert.equal(heldAfter("more"), 0);
  });
});

suite("RESP inline requests", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["PING", ["PING"]],
    ["  SET \t key\vvalue ", ["SET", "key", "value"]],
    ['SET key "a b"', ["SET", "key", "a b"]],
    ["SET \"\" ''", ["SET", "", ""]],
    ['"\\n\\r\\t\\b\\a\\\\\\"\\q"', ['\n\r\t\b\x07\\"q']],
    ['"\\x00\\xfF\\x4g\\x"', ["\0\xffx4gx"]],
    ["'a\\'b\\n\"'", ["a'b\\n\""]],
    ['pre"fix ed" next', ["prefix ed", "next"]],
    ["back\\slash \xff\xfe", ["back\\slash", "\xff\xfe"]],
  ];
  for (const [line, command] of cases) {
    test(`${JSON.stringify(line)} is ${JSON.stringify(command)}`, () => {
      assertDecodes(`${line}\r\n`, [{ command }]);
      assertDecodes(`${line}\n`, [{ command }]);
    });
  }

  test("quotes that are open, or closed in the middle of a word, are errors", () => {
    for (const line of ['"', "'", '"a', "'a\\'", '"a\\"', '"a"b', "'a'b", '"a""b"', 'a"b"c']) {
      assertDecodes(`${line}\r\n`, [{ error: "Protocol error: unbalanced quotes in request" }]);
    }
  });

  test("P8: the longest line is accepted and one byte more is not, ended or not", () => {
    const longest = "x".repeat(limits.respInlineMaxBytes);
    const error = "Protocol error: too big inline request";
    for (const size of [1_000, 2 ** 20]) {
      const decodeCut = (text: string) =>
        decodeAll(new RespDecoder(), cutEvery(latin1(text), size));
      assert.deepEqual(decodeCut(`${longest}\r\n`), [{ command: [longest] }]);
      assert.deepEqual(decodeCut(`${longest}x\r\n`), [{ error }]);
      assert.deepEqual(decodeCut(`${longest}xx`), [{ error }]);
    }
  });

  test("P8: an inline command has no more arguments than another", () => {
    const most = "a ".repeat(limits.respArgumentsMaxCount);
    assert.equal(decode(`${most}\n`).length, 1);
    assert.deepEqual(decode(`${most}a\n`), [{ error: "Protocol error: too big inline request" }]);
  });
});

suite("RESP requests that are too large (P8)", () => {
  const ping: Decoded = { command: ["PING"] };

  test("one argument over its limit is passed over, and the next command is read", () => {
    const bytes = limits.respArgumentMaxBytes + 1;
    const stream = Buffer.concat([
      encodeRequest(["SET", "key", Buffer.alloc(bytes), "REQUEST", "id"]),
      encodeRequest(["PING"]),
    ]);
    const expected = [{ tooLarge: "SET", bytes, limitBytes: limits.respArgumentMaxBytes }, ping];
    for (const size of [stream.length, 65_536, 7]) {
      const decoder = new RespDecoder();
      assert.deepEqual(decodeAll(decoder, cutEvery(stream, size)), expected);
      assert.ok(decoder.workBytes < 10_000, `${decoder.workBytes} bytes copied`);
    }
  });

  test("the longest argument is accepted", () => {
    const longest = "x".repeat(limits.respArgumentMaxBytes);
    const stream = encodeRequest(["SET", longest]);
    assert.deepEqual(decodeAll(new RespDecoder(), cutEvery(stream, 65_536)), [
      { command: ["SET", longest] },
    ]);
  });

  test("a command of many arguments is passed over from the one on that is too much", () => {
    const argument = Buffer.alloc(1_000_000);
    const command = ["MSET", ...Array.from({ length: 20 }, () => argument)];
    const stream = Buffer.concat([encodeRequest(command), encodeRequest(["PING"])]);
    for (const size of [stream.length, 65_536]) {
      const [refused, next] = decodeAll(new RespDecoder(), cutEvery(stream, size));
      assert.ok(refused !== undefined && "tooLarge" in refused);
      assert.equal(refused.tooLarge, "MSET");
      assert.equal(refused.limitBytes, limits.respCommandMaxBytes);
      assert.ok(refused.bytes > limits.respCommandMaxBytes);
      assert.ok(refused.bytes < limits.respCommandMaxBytes + 1_000_100);
      assert.deepEqual(next, ping);
    }
  });

  test("the name is empty if it was too large itself or is no name", () => {
    const bytes = limits.respArgumentMaxBytes + 1;
    const large = Buffer.alloc(bytes);
    const refused = { tooLarge: "", bytes, limitBytes: limits.respArgumentMaxBytes };
    const stream = Buffer.concat([
      encodeRequest([large, "a"]),
      encodeRequest(["n".repeat(65), large]),
    ]);
    assert.deepEqual(decodeAll(new RespDecoder(), [stream]), [refused, refused]);
  });

  test("what is passed over must keep to the protocol", () => {
    const bytes = limits.respArgumentMaxBytes + 1;
    const head = `*2\r\n$${bytes}\r\n${"x".repeat(bytes)}`;
    const cases: readonly (readonly [string, string])[] = [
      ["xy", "Protocol error: expected CRLF after bulk"],
      ["\rx", "Protocol error: expected CRLF after bulk"],
      ["\r\n!", "Protocol error: expected '$', got '!'"],
      ["\r\n$-1\r\n", "Protocol error: invalid bulk length"],
      [`\r\n$${limits.respSkipMaxBytes + 1}\r\n`, "Protocol error: invalid bulk length"],
      [`\r\n$${"1".repeat(100)}`, "Protocol error: invalid bulk length"],
    ];
    for (const [tail, error] of cases) {
      assert.deepEqual(decodeAll(new RespDecoder(), [latin1(head + tail)]), [{ error }]);
    }
  });
});

/** Bytes copied for one value that arrives in pieces. */
function copied(valueBytes: number, chunkBytes: number): number {
  const decoder = new RespDecoder();
  const stream = encodeRequest(["SET", "key", Buffer.alloc(valueBytes)]);
  assert.equal(decodeAll(decoder, cutEvery(stream, chunkBytes)).length, 1);
  return decoder.workBytes;
}

suite("RESP requests that arrive in pieces cost linear time (P8)", () => {
  test("a value is copied less than three times whatever its size and its pieces", () => {
    for (const chunkBytes of [1, 1_000, 65_536]) {
      for (const valueBytes of [65_536, 131_072, 262_144, 1_048_576]) {
        const times = copied(valueBytes, chunkBytes) / valueBytes;
        assert.ok(times < 3, `${valueBytes} bytes by ${chunkBytes}: copied ${times} times`);
      }
    }
  });

  test("so are many small arguments, and many commands cut in pieces", () => {
    const command = Array.from({ length: 8_000 }, (_, i) => `argument ${i}`);
    const streams = [
      encodeRequest(command),
      Buffer.concat(command.map((name) => encodeRequest([name, "x"]))),
    ];
    for (const stream of streams) {
      for (const chunkBytes of [1, 13, 1_000]) {
        const decoder = new RespDecoder();
        decodeAll(decoder, cutEvery(stream, chunkBytes));
        assert.ok(decoder.workBytes < stream.length * 3);
      }
    }
  });

  test("an inline command that comes byte by byte is searched once and copied less than three times", () => {
    const decoder = new RespDecoder();
    decodeAll(decoder, cutEvery(latin1(`${"x".repeat(60_000)}\n`), 1));
    assert.ok(decoder.workBytes < 240_000);
  });
});
