/** Kinds of values that options and the sections of the file have: how each is read from text, and how it is described to a person. */
import { z } from "zod";
import { limits } from "../base/limits.ts";
import type { Address } from "../base/network.ts";
import type { PeerAddress } from "../documents/links/message-link.ts";
import { parseAddress } from "./address.ts";
import { parsePeerAddress } from "./peer-addresses.ts";

export interface ValueKind<Value = unknown> {
  /** Text to value; refuses what is not in range. */
  readonly schema: z.ZodType<Value, string>;
  /** What the schema takes, to finish "it must be …". */
  readonly range: string;
}

/** A schema from a function that gives the value, or `undefined` for what it refuses. */
function fromText<Value>(parse: (given: string) => Value | undefined): z.ZodType<Value, string> {
  return z.string().transform((given, context): Value => {
    const value = parse(given);
    if (value !== undefined) return value;
    context.addIssue({ code: "custom", message: "not in range" });
    return z.NEVER;
  });
}

export function whole({ min, max }: { min: number; max: number }) {
  return {
    range: `a whole number from ${min.toLocaleString("en-US")} to ${max.toLocaleString("en-US")}`,
    schema: fromText((given) => {
      if (!/^(0|[1-9]\d{0,14})$/.test(given)) return undefined;
      const value = Number(given);
      return value >= min && value <= max ? value : undefined;
    }),
  };
}

export function choice<const Word extends string, Value>(
  words: readonly Word[],
  to: (word: Word) => Value,
) {
  return {
    range: `one of ${words.join(", ")}`,
    schema: fromText((given) => {
      const word = words.find((one) => one === given);
      return word === undefined ? undefined : to(word);
    }),
  };
}

export function address({ portMin }: { portMin: number }) {
  return {
    range: `HOST:PORT, the port from ${portMin} to 65535, an IPv6 address in brackets ("[::1]:8765")`,
    schema: fromText((given) => {
      const value = parseAddress(given);
      return value !== undefined && value.port >= portMin ? value : undefined;
    }),
  };
}

/** Where to listen, or `off`. */
export function addressOrOff() {
  const { range, schema } = address({ portMin: 0 });
  return {
    range: `off or ${range}`,
    schema: fromText((given): Address | "off" | undefined => {
      const read = schema.safeParse(given);
      return given === "off" ? "off" : read.data;
    }),
  };
}

export function path() {
  return {
    range: `a path of 1 to ${limits.pathMaxBytes.toLocaleString("en-US")} bytes`,
    schema: fromText((given) => {
      if (given.includes("\0")) return undefined;
      return within(given, limits.pathMaxBytes) ? given : undefined;
    }),
  };
}

/** A name for people: words with spaces between them. */
export function humanName() {
  return {
    range: `1 to ${limits.nameMaxBytes} bytes of text without control characters or spaces around it`,
    schema: fromText((given) => {
      if (/\p{C}|\p{Zl}|\p{Zp}/u.test(given) || given !== given.trim()) return undefined;
      return within(given, limits.nameMaxBytes) ? given : undefined;
    }),
  };
}

/** A name for machines. */
export function machineName() {
  return {
    range: `1 to ${limits.nameMaxBytes} printable ASCII characters without spaces`,
    schema: fromText((given) => {
      if (!/^[!-~]+$/.test(given)) return undefined;
      return within(given, limits.nameMaxBytes) ? given : undefined;
    }),
  };
}

function within(given: string, maxBytes: number): boolean {
  return given !== "" && Buffer.byteLength(given) <= maxBytes;
}

/** Origins of pages as browsers send them (RFC 6454 §6.1): scheme, host, and port unless it is the scheme's own. */
export function origins() {
  return {
    range: `1 to ${limits.originsMaxCount} origins such as https://app.example:8443, separated by commas`,
    schema: fromText((given): readonly string[] | undefined => {
      const all = given.split(",").map((one) => one.trim());
      return all.length <= limits.originsMaxCount && all.every(isOrigin) ? all : undefined;
    }),
  };
}

function isOrigin(text: string): boolean {
  if (!/^https?:/.test(text) || !URL.canParse(text)) return false;
  return new URL(text).origin === text;
}

/** Seconds, of which the value is in whole milliseconds. */
export function seconds({ minMs, maxMs }: { minMs: number; maxMs: number }) {
  const [min, max] = [minMs, maxMs].map((ms) => (ms / 1_000).toLocaleString("en-US"));
  return {
    range: `seconds from ${min} to ${max}, with at most three digits behind the point`,
    schema: fromText((given) => {
      const [, digits, fraction = ""] = /^(0|[1-9]\d{0,11})(?:\.(\d{1,3}))?$/.exec(given) ?? [];
      if (digits === undefined) return undefined;
      const value = Number(digits) * 1_000 + Number(fraction.padEnd(3, "0"));
      return value >= minMs && value <= maxMs ? value : undefined;
    }),
  };
}

/** A SHA-256 in hexadecimal digits. */
export function sha256() {
  return {
    range: "the 64 hexadecimal digits of a SHA-256, as `truba token` prints them",
    schema: fromText((given) => (/^[0-9a-f]{64}$/i.test(given) ? given.toLowerCase() : undefined)),
  };
}

/** A word that lists of words separated by blanks or commas can hold. */
export function listedName({ maxBytes }: { maxBytes: number }) {
  return {
    range: `1 to ${maxBytes} printable ASCII characters without spaces and commas`,
    schema: fromText((given) => {
      if (!/^[!-+\--~]+$/.test(given)) return undefined;
      return within(given, maxBytes) ? given : undefined;
    }),
  };
}

const peerForms = "HOST:PORT, or HOST:PORT/d/NAME for one document, with wss:// before it for TLS";

/** A node to exchange documents with. */
export function peerAddress() {
  return { range: peerForms, schema: fromText(parsePeerAddress) };
}

/** Nodes to exchange documents with. */
export function peerAddresses() {
  return {
    range: `1 to ${limits.documentLinksMaxCount} peers, each once, separated by commas: ${peerForms}`,
    schema: fromText((given): readonly PeerAddress[] | undefined => {
      const texts = given.split(",").map((one) => one.trim());
      const peers = texts.map(parsePeerAddress).filter((one) => one !== undefined);
      const sound = peers.length === texts.length && peers.length <= limits.documentLinksMaxCount;
      return sound && new Set(texts).size === texts.length ? peers : undefined;
    }),
  };
}
