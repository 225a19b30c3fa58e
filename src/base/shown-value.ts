/** Values of the world in the texts of errors and problems: short, on one line, and safe for a terminal. */

/** Characters of a value that an error shows; the rest is an ellipsis. */
const shownMaxLength = 64;

/** Text in quotes, what JSON leaves of control characters escaped; of what has parts only what it is; all else as it is written. Never throws. */
export function shown(value: unknown): string {
  if (typeof value === "string") return shownText(value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) return "an object";
  return shortened(String(value));
}

function shownText(text: string): string {
  return JSON.stringify(shortened(text)).replace(/[\u007f-\u009f\u2028\u2029]/g, (c) => {
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

function shortened(text: string): string {
  return text.length > shownMaxLength ? `${text.slice(0, shownMaxLength)}…` : text;
}
