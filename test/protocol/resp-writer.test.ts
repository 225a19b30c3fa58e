/** RESP answers and requests, to the byte, and read back by our own decoders. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as fc from "fast-check";
import { limits } from "../../src/base/limits.ts";
import type { Connection } from "../../src/base/network.ts";
import { RespDecoder } from "../../src/protocol/resp-decoder.ts";
import { RespReplyDecoder } from "../../src/protocol/resp-reply-decoder.ts";
import { RespError, RespPush } from "../../src/protocol/resp-reply.ts";
import type { RespReply } from "../../src/protocol/resp-reply.ts";
import { encodeRequest } from "../../src/protocol/resp-request-writer.ts";
import { RespWriter } from "../../src/protocol/resp-writer.ts";
import { decodeAll } from "./streams.ts";

/** The bytes of the parts, as a connection would send them. */
function bytesOf(parts: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(
    parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part)),
  );
}

/** What one answer is in RESP2 and in RESP3. */
function both(answer: (writer: RespWriter) => void): [string, string] {
  const texts = [false, true].map((resp3) => {
    const writer = new RespWriter();
    writer.resp3 = resp3;
    answer(writer);
    return bytesOf(writer.takeParts()).toString("latin1");
  });
  return [texts[0] ?? "", texts[1] ?? ""];
}

/** The one reply that the answer is to a client. */
function reread(resp3: boolean, answer: (writer: RespWriter) => void): RespReply {
  const writer = new RespWriter();
  writer.resp3 = resp3;
  answer(writer);
  const decoder = new RespReplyDecoder();
  decoder.push(bytesOf(writer.takeParts()));
  assert.equal(decoder.next(), "reply", decoder.errorText);
  const { value } = decoder;
  assert.equal(decoder.next(), "none");
  return value;
}

/** Writes down what it is told. */
class RecordingConnection implements Connection {
  readonly remote = { host: "127.0.0.1", port: 1 };
  readonly bufferedBytes = 0;
  readonly calls: string[] = [];
  readonly parts: (string | Buffer)[] = [];

  bind(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
  writeText(text: string): void {
    this.calls.push("text");
    this.parts.push(text);
  }
  writeBytes(bytes: Uint8Array): void {
    this.calls.push("bytes");
    this.parts.push(Buffer.from(bytes));
  }
  cork(): void {
    this.calls.push("cork");
  }
  uncork(): void {
    this.calls.push("uncork");
  }
}

const abc = Buffer.from("xabcx");

suite("RESP answers", () => {
  const answers: readonly (readonly [string, (writer: RespWriter) => void, string, string])[] = [
    ["ok", (w) => w.ok(), "+OK\r\n", "+OK\r\n"],
    ["a status", (w) => w.simple("QUEUED"), "+QUEUED\r\n", "+QUEUED\r\n"],
    ["an error", (w) => w.error("ERR", "no"), "-ERR no\r\n", "-ERR no\r\n"],
    ["an integer", (w) => w.integer(-7), ":-7\r\n", ":-7\r\n"],
    [
      "a 64-bit integer",
      (w) => w.integer(2n ** 63n - 1n),
      ":9223372036854775807\r\n",
      ":9223372036854775807\r\n",
    ],
    [
      "a big number",
      (w) => w.bigNumber(2n ** 70n),
      "$22\r\n1180591620717411303424\r\n",
      "(1180591620717411303424\r\n",
    ],
    ["a double", (w) => w.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"],
    ["infinity", (w) => w.double(-Infinity), "$4\r\n-inf\r\n", ",-inf\r\n"],
    ["not a number", (w) => w.double(Number.NaN), "$3\r\nnan\r\n", ",nan\r\n"],
    ["true", (w) => w.boolean(true), ":1\r\n", "#t\r\n"],
    ["false", (w) => w.boolean(false), ":0\r\n", "#f\r\n"],
    ["bytes", (w) => w.bulk(abc, 1, 4), "$3\r\nabc\r\n", "$3\r\nabc\r\n"],
    ["no bytes", (w) => w.bulk(abc, 1, 1), "$0\r\n\r\n", "$0\r\n\r\n"],
    ["text", (w) => w.bulkText("a\r\nb"), "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n"],
    ["text for people", (w) => w.verbatim("txt", "hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"],
    ["no value", (w) => w.nullBulk(), "$-1\r\n", "_\r\n"],
    ["no array", (w) => w.nullArray(), "*-1\r\n", "_\r\n"],
    ["an array", (w) => w.array(2), "*2\r\n", "*2\r\n"],
    ["a map", (w) => w.map(2), "*4\r\n", "%2\r\n"],
    ["a set", (w) => w.set(2), "*2\r\n", "~2\r\n"],
    ["a push", (w) => w.push(2), "*2\r\n", ">2\r\n"],
  ];
  for (const [title, answer, resp2, resp3] of answers) {
    test(`${title} is ${JSON.stringify(resp2)}, in RESP3 ${JSON.stringify(resp3)}`, () => {
      assert.deepEqual(both(answer), [resp2, resp3]);
    });
  }

  test("a line break in a text cannot forge an answer", () => {
    assert.deepEqual(
      both((w) => w.error("ERR", "unknown 'a\r\n+OK\r\n'"))[0],
      "-ERR unknown 'a  +OK  '\r\n",
    );
    assert.deepEqual(both((w) => w.simple("a\nb"))[0], "+a b\r\n");
  });

  test("text goes as UTF-8, and its length is that of its bytes", () => {
    for (const text of ["é", "труба 🐟"]) {
      assert.deepEqual(
        reread(false, (w) => w.bulkText(text)),
        Buffer.from(text),
      );
      assert.equal(
        reread(true, (w) => w.verbatim("txt", text)),
        text,
      );
      assert.equal(
        reread(false, (w) => w.simple(text)),
        text,
      );
      assert.deepEqual(
        reread(false, (w) => w.error("ERR", text)),
        new RespError(`ERR ${text}`),
      );
    }
  });

  test("an integer that is no safe whole number is a bug", () => {
    assert.throws(() => new RespWriter().integer(1.5), { name: "AssertionError" });
    assert.throws(() => new RespWriter().integer(2 ** 53), { name: "AssertionError" });
  });

  test("any bytes at any place come back as they were", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(20), (bytes, before) => {
        const source = Buffer.concat([Buffer.alloc(before, "x"), bytes, Buffer.from("y")]);
        const end = before + bytes.length;
        assert.deepEqual(
          reread(true, (w) => w.bulk(source, before, end)),
          Buffer.from(bytes),
        );
      }),
    );
  });

  test("any text in a map comes back as it was", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        fc.double(),
        fc.maxSafeInteger(),
        (text, double, integer) => {
          const reply = reread(true, (w) => {
            w.map(2);
            w.bulkText(text);
            w.double(double);
            w.integer(integer);
            w.push(0);
          });
          assert.ok(reply instanceof Map);
          const [first, second] = [...reply];
          assert.deepEqual(first, [Buffer.from(text), double === 0 ? 0 : double]);
          assert.deepEqual(second, [integer === 0 ? 0 : integer, new RespPush([])]);
        },
      ),
    );
  });

  test("DESIGN §11: the answers of a pipeline leave in one write", () => {
    const writer = new RespWriter();
    const connection = new RecordingConnection();
    writer.flushTo(connection);
    assert.deepEqual(connection.calls, []);
    for (let i = 0; i < 100; i++) writer.bulk(abc, 1, 4);
    assert.equal(writer.bufferedBytes, 900);
    writer.flushTo(connection);
    assert.deepEqual(connection.calls, ["text"]);
    assert.equal(bytesOf(connection.parts).toString(), "$3\r\nabc\r\n".repeat(100));
    assert.equal(writer.bufferedBytes, 0);
    writer.flushTo(connection);
    assert.deepEqual(connection.calls, ["text"]);
  });

  test("large values are copied, stand in their place, and leave corked", () => {
    const large = Buffer.alloc(limits.respAnswerTextMaxBytes, "L");
    const writer = new RespWriter();
    const connection = new RecordingConnection();
    writer.ok();
    writer.bulk(large, 0, large.length);
    writer.bulk(large, 1, large.length);
    writer.bulk(large, 0, large.length);
    const header = `$${large.length}\r\n`;
    const small = `$${large.length - 1}\r\n${"L".repeat(large.length - 1)}\r\n`;
    const expected = `+OK\r\n${header}${"L".repeat(large.length)}\r\n${small}${header}${"L".repeat(large.length)}\r\n`;
    assert.equal(writer.bufferedBytes, expected.length);
    large.fill("!");
    writer.flushTo(connection);
    assert.equal(bytesOf(connection.parts).toString("latin1"), expected);
    assert.deepEqual(connection.calls, [
      "cork",
      "text",
      "bytes",
      "text",
      "bytes",
      "text",
      "uncork",
    ]);
    assert.equal(writer.bufferedBytes, 0);
  });
});

suite("RESP requests of our client", () => {
  test("strings go as UTF-8, bytes as they are", () => {
    const bytes = encodeRequest(["SET", "ключ", Uint8Array.of(0, 13, 10, 255)]);
    assert.equal(
      bytes.toString("latin1"),
      `*3\r\n$3\r\nSET\r\n$8\r\n${Buffer.from("ключ").toString("latin1")}\r\n$4\r\n\0\r\n\xff\r\n`,
    );
  });

  test("any command is decoded to itself", () => {
    const argument = fc.oneof(fc.string({ unit: "binary" }), fc.uint8Array());
    fc.assert(
      fc.property(fc.array(argument, { minLength: 1 }), (command) => {
        const expected = command.map((one) =>
          Buffer.from(typeof one === "string" ? Buffer.from(one) : one).toString("latin1"),
        );
        assert.deepEqual(decodeAll(new RespDecoder(), [encodeRequest(command)]), [
          { command: expected },
        ]);
      }),
    );
  });
});
