/** What the tests of the codecs share: streams of bytes cut into chunks, and what the decoders made of them. */
import * as fc from "fast-check";
import type { RespDecoder } from "../../src/protocol/resp-decoder.ts";

/** The bytes in chunks of `size`. */
export function cutEvery(bytes: Uint8Array, size: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  // Copies: a decoder that reads outside its chunk must not find the neighbour there.
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.slice(at, at + size));
  return chunks;
}

/** The bytes cut at places that lie at these parts (0 to 1) of their length. */
export function cutAt(bytes: Uint8Array, parts: readonly number[]): Uint8Array[] {
  const places = parts.map((part) => Math.floor(part * bytes.length)).sort((a, b) => a - b);
  return [0, ...places].map((place, i) => bytes.slice(place, places[i] ?? bytes.length));
}

/** Places for {@link cutAt}. */
export const anyCuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });

export type Decoded =
  | { readonly command: readonly string[] }
  | { readonly tooLarge: string; readonly bytes: number; readonly limitBytes: number }
  | { readonly error: string };

/** Everything a decoder makes of the chunks; arguments as texts of bytes (latin1). */
export function decodeAll(decoder: RespDecoder, chunks: readonly Uint8Array[]): Decoded[] {
  const decoded: Decoded[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    if (!drain(decoder, decoded)) break;
  }
  return decoded;
}

/** Takes what the decoder has; false after an error. */
function drain(decoder: RespDecoder, decoded: Decoded[]): boolean {
  for (;;) {
    const event = decoder.next();
    if (event === "none") return true;
    if (event === "error") {
      decoded.push({ error: decoder.errorText });
      return false;
    }
    if (event === "toolarge") {
      const { tooLargeName, tooLargeBytes, tooLargeLimitBytes } = decoder;
      decoded.push({
        tooLarge: tooLargeName,
        bytes: tooLargeBytes,
        limitBytes: tooLargeLimitBytes,
      });
    } else {
      decoded.push({ command: argumentsOf(decoder) });
    }
  }
}

function argumentsOf(decoder: RespDecoder): string[] {
  const command: string[] = [];
  for (let i = 0; i < decoder.count; i++) {
    command.push(decoder.buffer.toString("latin1", decoder.start(i), decoder.end(i)));
  }
  return command;
}
