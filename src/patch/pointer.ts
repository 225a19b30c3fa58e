/** JSON Pointer (RFC 6901). */

/** Throws SyntaxError, in words. */
export function parsePointer(text: string): readonly string[] {
  if (text === "") return [];
  if (!text.startsWith("/"))
    throw new SyntaxError(`${JSON.stringify(text)} does not begin with "/" (RFC 6901 §3)`);
  const tokens = text.slice(1).split("/");
  return text.includes("~") ? tokens.map((token) => unescapeToken(token, text)) : tokens;
}

export function pointerText(tokens: readonly string[]): string {
  let text = "";
  for (const token of tokens) text += `/${escapeToken(token)}`;
  return text;
}

/** The number that an array index stands for (RFC 6901 §4: no sign, no leading zeros), or -1 when it is none. */
export function arrayIndex(token: string): number {
  if (token === "0") return 0;
  const { length } = token;
  if (length === 0 || length > 10 || token.startsWith("0")) return -1;
  let index = 0;
  for (let at = 0; at < length; at++) {
    const digit = token.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    index = index * 10 + digit;
  }
  return index;
}

function escapeToken(token: string): string {
  return /[~/]/.test(token) ? token.replaceAll("~", "~0").replaceAll("/", "~1") : token;
}

function unescapeToken(token: string, pointer: string): string {
  if (/~(?![01])/.test(token))
    throw new SyntaxError(
      `${JSON.stringify(pointer)} has a "~" that neither 0 nor 1 follows (RFC 6901 §3)`,
    );
  // In this order, so that "~01" becomes "~1" (RFC 6901 §4).
  return token.replaceAll("~1", "/").replaceAll("~0", "~");
}
