/** Names of documents: which there may be, and what their directories are called. */
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";

/** The document that plain peers share, and the one that is meant where none is named. */
export const defaultDocument = "default";

const allowed = /^[A-Za-z0-9._~-]+$/;
const digits = "abcdefghijklmnopqrstuvwxyz234567";

export function isDocumentName(value: unknown): value is string {
  return typeof value === "string" && isAllowed(value);
}

function isAllowed(name: string): boolean {
  return name.length <= limits.documentNameMaxBytes && allowed.test(name);
}

/** Throws TrubaError BADDOCUMENTNAME unless it is a name. */
export function checkDocumentName(name: string): void {
  if (isAllowed(name)) return;
  const shown = name.length > 200 ? `${name.slice(0, 200)}…` : name;
  throw new TrubaError(
    "BADDOCUMENTNAME",
    `a document's name is 1 to ${limits.documentNameMaxBytes} of A-Z a-z 0-9 . _ ~ -; ${JSON.stringify(shown)} is ${name.length} characters, or has others`,
  );
}

/** The directory of a document: base 32 of its name (RFC 4648 §6, small letters, without padding). At most 205 characters. */
export function directoryOf(name: string): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of Buffer.from(name, "latin1")) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += digits.charAt((held >>> bits) & 31);
    }
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + digits.charAt((held << (5 - bits)) & 31);
}

/** The name that a directory stands for; `undefined`: none. */
export function nameOfDirectory(directory: string): string | undefined {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const character of directory) {
    const digit = digits.indexOf(character);
    if (digit < 0) return undefined;
    held = (held << 5) | digit;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >>> bits) & 255);
    }
    held &= (1 << bits) - 1;
  }
  const name = Buffer.from(bytes).toString("latin1");
  return allowed.test(name) && directoryOf(name) === directory ? name : undefined;
}
