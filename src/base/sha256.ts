/** SHA-256 (FIPS 180-4) of text. */
import { createHash } from "node:crypto";

/** Of the text's bytes in UTF-8; 64 hexadecimal digits in small letters. */
export function sha256Hex(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}
