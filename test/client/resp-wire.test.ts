/** Requests as words: what the client writes, the server's own decoder and parser read back. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as fc from "fast-check";
import { must } from "../../src/base/assert.ts";
import { RequestBuffer } from "../../src/client/request-buffer.ts";
import { secondsText, writeRequest } from "../../src/client/resp-requests.ts";
import { errorIn, responseIn } from "../../src/client/resp-responses.ts";
import type { AnyRequest } from "../../src/protocol/requests.ts";
import { RespDecoder } from "../../src/protocol/resp-decoder.ts";
import { RespReplyDecoder } from "../../src/protocol/resp-reply-decoder.ts";
import { RespError } from "../../src/protocol/resp-reply.ts";
import { RespWriter } from "../../src/protocol/resp-writer.ts";
import type { VerbField } from "../../src/protocol/verb-facts.ts";
import { wordVerbNames, wordVerbs } from "../../src/protocol/verbs.ts";
import { CallView } from "../../src/server/call.ts";
import { writeResponse } from "../../src/server/response-writer.ts";
import { VerbParser } from "../../src/server/verb-call.ts";

/** The words of the one request in the buffer. */
function wordsIn(out: RequestBuffer): { words: string[]; decoder: RespDecoder } {
  const decoder = new RespDecoder();
  decoder.push(out.take());
  assert.equal(decoder.next(), "command");
  const words = Array.from({ length: decoder.count }, (_, i) =>
    decoder.buffer.toString("latin1", decoder.start(i), decoder.end(i)),
  );
  return { words, decoder };
}

/** The words of a request. */
function write(request: AnyRequest, id?: string): string[] {
  const out = new RequestBuffer();
  writeRequest(out, request, id);
  return wordsIn(out).words;
}

/** What the client makes of an answer. */
function readBack(answer: (writer: RespWriter) => void): unknown {
  const writer = new RespWriter();
  writer.resp3 = true;
  answer(writer);
  const decoder = new RespReplyDecoder();
  for (const part of writer.takeParts())
    decoder.push(typeof part === "string" ? Buffer.from(part, "latin1") : part);
  assert.equal(decoder.next(), "reply");
  return responseIn(decoder.value);
}

const word = fc.string({
  unit: fc.constantFrom(..."abcz09{}.-".split("")),
  minLength: 1,
  maxLength: 300,
});

function valuesOf(field: VerbField): fc.Arbitrary<unknown> {
  switch (field.type) {
    case "queue":
    case "session":
    case "kind":
      return word;
    case "kinds":
      return fc.array(fc.constantFrom("a", "b", "long-name"), { minLength: 1, maxLength: 4 });
    case "document":
      return fc.stringMatching(/^[A-Za-z0-9._~-]{1,128}$/);
    case "json":
      return fc.json();
    case "text":
      return fc.string({ unit: "binary", minLength: 1, maxLength: 300 });
    case "bytes":
      return fc.uint8Array({ maxLength: 400 });
    case "int64":
      return fc
        .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
        .map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value));
    case "count":
      return fc.nat(Number.MAX_SAFE_INTEGER);
    case "seconds":
      return fc.nat(1_000_000_000_000);
    case "flag":
      return fc.constant(true);
    case "choice":
      return fc.constantFrom(...must(field.choices));
    case "leases": {
      const number = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
      return fc.array(fc.record({ task: number, lease: number }, { noNullPrototype: true }), {
        minLength: 1,
        maxLength: 40,
      });
    }
    default:
      return field.type satisfies never;
  }
}

suite("requests over RESP", () => {
  for (const verb of wordVerbNames) {
    test(`${verb.toUpperCase()}: the server reads what the client wrote`, () => {
      const fields: readonly VerbField[] = wordVerbs[verb].fields;
      const parser = new VerbParser(verb.toUpperCase(), fields);
      const required = fields
        .filter((field) => field.word === undefined)
        .map((field) => field.name);
      const request = fc.record(
        Object.fromEntries(
          fields.map((field) => {
            const values = valuesOf(field);
            return [
              field.name,
              field.nullable === true ? fc.option(values, { nil: null }) : values,
            ];
          }),
        ),
        { requiredKeys: required },
      );
      fc.assert(
        fc.property(request, (asked) => {
          const out = new RequestBuffer();
          // Those of documents are written by the same table.
          writeRequest(out, { verb, request: asked } as unknown as AnyRequest, undefined);
          const { words, decoder } = wordsIn(out);
          assert.equal(words[0], verb.toUpperCase());
          const read = parser.parse(
            new CallView(decoder, { nameIndex: 0, firstIndex: 1, end: decoder.count }),
          );
          const plain = Object.fromEntries(
            Object.entries(read).map(([name, value]) => [
              name,
              Buffer.isBuffer(value) ? new Uint8Array(value) : value,
            ]),
          );
          assert.deepEqual(plain, { ...asked });
        }),
        { numRuns: 40 },
      );
    });
  }

  test("a request id goes last; many requests stand behind one another, also across buffers", () => {
    const out = new RequestBuffer();
    const payload = new Uint8Array(40_000).fill(7);
    for (let i = 0; i < 5; i++)
      writeRequest(out, { verb: "queue.push", request: { queue: `q${i}`, payload } }, `id-${i}`);
    const decoder = new RespDecoder();
    decoder.push(out.take());
    for (let i = 0; i < 5; i++) {
      assert.equal(decoder.next(), "command");
      const text = (at: number): string =>
        decoder.buffer.toString("latin1", decoder.start(at), decoder.end(at));
      assert.deepEqual([text(1), text(3), text(4)], [`q${i}`, "REQUEST", `id-${i}`]);
      assert.equal(decoder.end(2) - decoder.start(2), payload.length);
    }
    assert.equal(decoder.next(), "none");
    assert.equal(out.bytes, 0);
  });

  test("records have the words of Redis", () => {
    const key = "{t}0d5d3807-5fbf-4228-a657-5a091c4e497f";
    const value = Buffer.from("v");
    assert.deepEqual(write({ verb: "record.get", request: { key } }), ["RECORD.GET", key]);
    assert.deepEqual(
      write({ verb: "record.set", request: { key, value, ifAbsent: true, expiryMs: 1_500 } }, "i"),
      ["RECORD.SET", key, "v", "NX", "PX", "1500", "REQUEST", "i"],
    );
    assert.deepEqual(write({ verb: "record.set", request: { key, value, ifVersion: 0 } }), [
      "RECORD.SET",
      key,
      "v",
      "IFVERSION",
      "0",
    ]);
    assert.deepEqual(write({ verb: "record.delete", request: { key, ifVersion: 9 } }, "i"), [
      "RECORD.DELETE",
      key,
      "IFVERSION",
      "9",
      "REQUEST",
      "i",
    ]);
    assert.deepEqual(write({ verb: "record.check", request: { key, ifVersion: 9 } }), [
      "RECORD.CHECK",
      key,
      "IFVERSION",
      "9",
    ]);
  });

  test("seconds have no exponent and no more decimals than there are milliseconds", () => {
    assert.deepEqual([0, 1, 10, 999, 1_000, 1_500, 315_576_000_000].map(secondsText), [
      "0",
      "0.001",
      "0.010",
      "0.999",
      "1",
      "1.500",
      "315576000",
    ]);
  });
});

suite("responses over RESP", () => {
  test("what the server writes, the client reads: bytes, text, 64-bit numbers, nothing, nested", () => {
    const response = {
      tasks: [
        {
          task: 1,
          lease: 2,
          priority: 9_223_372_036_854_775_807n,
          payload: Buffer.from([0, 255, 13, 10]),
        },
        { task: Number.MAX_SAFE_INTEGER, lease: 3, priority: -5, payload: Buffer.alloc(0) },
      ],
      records: [Buffer.from("a"), Buffer.from("é")],
      queue: "é",
      deadLetter: null,
      paused: true,
      nothingWeKnow: "x",
    };
    assert.deepEqual(
      readBack((writer) => writeResponse(response, writer)),
      response,
    );
  });

  test("errors have their code, when to come back, and of a group which operation", () => {
    const late = errorIn(new RespError("NOQUORUM no majority; retry after 250 ms"));
    assert.deepEqual(
      [late.code, late.message, late.retryAfterMs, late.retryable],
      ["NOQUORUM", "no majority", 250, true],
    );
    const aborted = errorIn(
      new RespError("EXECABORT LEASELOST 3 the lease of task 4 does not hold"),
    );
    assert.deepEqual(
      [aborted.code, aborted.cause],
      ["EXECABORT", { index: 3, code: "LEASELOST", text: "the lease of task 4 does not hold" }],
    );
    assert.equal(errorIn(new RespError("NOPROTO no")).code, "NOTSUPPORTED");
    assert.equal(errorIn(new RespError("WRONGTYPE no")).code, "ERR");
  });
});
