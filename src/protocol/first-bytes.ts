/**
 * Tells by the first bytes of a connection which protocol its client speaks: one port serves them all. Patterns are data; the first that
 * the bytes start with decides, and while they could still become one nothing is decided.
 */

import { limits } from "../base/limits.ts";

/**
 * - `resp`: RESP commands as arrays.
 * - `inline`: RESP commands as lines, as health checks send them.
 * - `line`: the line protocol.
 * - `peer`: a node of a cluster.
 * - `tls`: a TLS handshake.
 * - `http`: a browser, perhaps led here by another site: to be closed without an answer.
 * - `more`: not to be told yet.
 */
export type ClientProtocol = "resp" | "inline" | "line" | "peer" | "tls" | "http" | "more";

interface Pattern {
  readonly start: Uint8Array;
  readonly protocol: ClientProtocol;
}

/**
 * Methods of HTTP are in capitals (RFC 9110 §9.1). `GET`, `DELETE` and others may be verbs of the line protocol too, but no key starts
 * with a slash.
 */
const httpStarts = [
  "GET /",
  "HEAD /",
  "POST ",
  "PUT /",
  "DELETE /",
  "PATCH /",
  "TRACE /",
  "OPTIONS ",
  "CONNECT ",
  "PRI * HTTP/",
  "Host:",
  "host:",
];

const patterns: readonly Pattern[] = [
  { start: Uint8Array.of(0x2a), protocol: "resp" },
  { start: Uint8Array.of(0x16), protocol: "tls" },
  { start: Buffer.from("PEER 1 "), protocol: "peer" },
  ...httpStarts.map((start): Pattern => ({ start: Buffer.from(start), protocol: "http" })),
];

/** Verbs by which a line that ends in CRLF is an inline command of RESP. */
const connectionVerbs = ["PING", "QUIT", "INFO", "ECHO", "HELLO", "COMMAND", "CLIENT"];
const verbMaxBytes = Math.max(...connectionVerbs.map((verb) => verb.length));

const blank = 0x20;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;

/** The protocol of a connection from all that it has sent so far. Never `more` after an LF or `firstBytesMaxBytes`. */
export function protocolOf(bytes: Uint8Array): ClientProtocol {
  let mayBecome = false;
  for (const { start, protocol } of patterns) {
    const shared = Math.min(bytes.length, start.length);
    if (!startsAlike(bytes, start, shared)) continue;
    if (shared === start.length) return protocol;
    mayBecome = true;
  }
  return mayBecome ? "more" : lineProtocolOf(bytes);
}

/** `inline`, `line` or `more` for bytes that start like nothing else. */
function lineProtocolOf(bytes: Uint8Array): ClientProtocol {
  let verbEnd = 0;
  while (verbEnd < bytes.length && verbEnd <= verbMaxBytes && !endsVerb(bytes[verbEnd])) verbEnd++;
  const verb = String.fromCharCode(...bytes.subarray(0, verbEnd)).toUpperCase();
  if (verbEnd === bytes.length) {
    return connectionVerbs.some((name) => name.startsWith(verb)) ? "more" : "line";
  }
  if (!connectionVerbs.includes(verb)) return "line";
  const newline = bytes.subarray(0, limits.firstBytesMaxBytes).indexOf(lineFeed);
  if (newline > 0) return bytes[newline - 1] === carriageReturn ? "inline" : "line";
  return bytes.length < limits.firstBytesMaxBytes ? "more" : "line";
}

function endsVerb(byte: number | undefined): boolean {
  return byte === blank || byte === carriageReturn || byte === lineFeed;
}

function startsAlike(bytes: Uint8Array, start: Uint8Array, count: number): boolean {
  for (let i = 0; i < count; i++) {
    if (bytes[i] !== start[i]) return false;
  }
  return true;
}
