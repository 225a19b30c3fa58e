/** A table of first bytes and the protocol they mean. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import * as fc from "fast-check";
import { limits } from "../../src/base/limits.ts";
import { protocolOf } from "../../src/protocol/first-bytes.ts";
import type { ClientProtocol } from "../../src/protocol/first-bytes.ts";

const latin1 = (text: string) => Buffer.from(text, "latin1");

/** The first verdict that is one, as a server gets it from bytes that arrive one at a time. */
function decidedBy(bytes: Uint8Array): ClientProtocol {
  for (let length = 0; length <= bytes.length; length++) {
    const protocol = protocolOf(bytes.subarray(0, length));
    if (protocol !== "more") return protocol;
  }
  return "more";
}

const key = "00000000-0000-4000-8000-000000000001";

const verdicts: readonly (readonly [string, ClientProtocol])[] = [
  ["*1\r\n$4\r\nPING\r\n", "resp"],
  ["*", "resp"],
  ["\x16\x03\x01", "tls"],
  ["PEER 1 cluster node\n", "peer"],
  ["PEER 2 cluster node\n", "line"],
  ["PEER 1\n", "line"],
  ["peer 1 x\n", "line"],
  // Commands by which Redis clients and health checks test a connection
  ["PING\r\n", "inline"],
  ["ping\r\n", "inline"],
  ["PING hello\r\n", "inline"],
  ["INFO server\r\n", "inline"],
  ["QUIT\r\n", "inline"],
  ["ECHO x\r\n", "inline"],
  ["HELLO 3\r\n", "inline"],
  ["COMMAND\r\n", "inline"],
  ["CLIENT LIST\r\n", "inline"],
  ["PING\n", "line"],
  ["INFO\n", "line"],
  ["PING\rx\n", "line"],
  ["PING \r \n", "line"],
  ["PINGS\r\n", "line"],
  ["COMMANDS\r\n", "line"],
  // The line protocol
  [`GET ${key}\n`, "line"],
  [`GET ${key}\r\n`, "line"],
  [`SET ${key} PING\r\n`, "line"],
  [`DELETE ${key}\n`, "line"],
  ["HEARTBEAT\r\n", "line"],
  ["REQUEST 1 SET a b\n", "line"],
  ["\r\n", "line"],
  ["\n", "line"],
  [" PING\r\n", "line"],
  ["get /\n", "line"],
  ["POST\n", "line"],
  ["\0\xff", "line"],
  // Browsers
  ["GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n", "http"],
  ["POST /v1 HTTP/1.1\r\n", "http"],
  ["PUT /x HTTP/1.1\r\n", "http"],
  ["DELETE /x HTTP/1.1\r\n", "http"],
  ["HEAD / HTTP/1.1\r\n", "http"],
  ["PATCH / HTTP/1.1\r\n", "http"],
  ["OPTIONS * HTTP/1.1\r\n", "http"],
  ["CONNECT x:1 HTTP/1.1\r\n", "http"],
  ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http"],
  ["Host: 127.0.0.1\r\n", "http"],
  // Not to be told yet
  ["", "more"],
  ["G", "more"],
  ["GET ", "more"],
  ["P", "more"],
  ["PEER 1", "more"],
  ["PING", "more"],
  ["PING\r", "more"],
  ["ECHO some text", "more"],
];

suite("the protocol of a connection, by its first bytes (DESIGN §11)", () => {
  for (const [text, protocol] of verdicts) {
    test(`${JSON.stringify(text)} is ${protocol}`, () => {
      assert.equal(protocolOf(latin1(text)), protocol);
      assert.equal(decidedBy(latin1(text)), protocol, "byte by byte");
    });
  }

  test("a value that follows at once does not delay the verdict", () => {
    assert.equal(protocolOf(latin1(`SET ${key} ${"x".repeat(100)}`)), "line");
    assert.equal(decidedBy(latin1("GET 0")), "line");
  });

  test("P8: without an end of line it is decided all the same", () => {
    const filler = "x".repeat(limits.firstBytesMaxBytes - 6);
    assert.equal(protocolOf(latin1(`PING ${filler}`)), "more");
    assert.equal(protocolOf(latin1(`PING ${filler}x`)), "line");
    assert.equal(protocolOf(latin1(`PING ${filler}${filler}${filler}\r\n`)), "line");
  });

  test("any bytes get one verdict, which does not depend on how they were cut", () => {
    const start = fc.constantFrom(
      "",
      "PING",
      "GET ",
      "PEER 1 ",
      "Host",
      "ECHO a",
      "POS",
      "\r",
      "*",
    );
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 1_100 }), (text, rest) => {
        const bytes = Buffer.concat([latin1(text), rest]);
        const whole = protocolOf(bytes);
        assert.equal(decidedBy(bytes), whole);
        if (bytes.includes(0x0a) || bytes.length >= limits.firstBytesMaxBytes) {
          assert.notEqual(whole, "more");
        }
      }),
      { numRuns: 500 },
    );
  });
});
