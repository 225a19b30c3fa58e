/** The one text of a JSON value (RFC 8785): members sorted by the UTF-16 code units of their names, no blanks, numbers as ECMAScript writes them. */
import type { Json, JsonArray, JsonObject } from "./json.ts";

/** Equal values have equal texts. `-0` is written `0`; half a surrogate pair is escaped. */
export function canonicalText(value: Json): string {
  if (typeof value === "string") return stringText(value);
  // String(-0) is "0".
  if (typeof value !== "object" || value === null) return String(value);
  return isArray(value) ? arrayText(value) : objectText(value);
}

/** RFC 6902 §4.6: numbers by value, objects whatever the order of their members. What it costs goes with the size of `a`, but for the names of one object of `b`. */
export function jsonEqual(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (isArray(a)) {
    if (!isArray(b) || a.length !== b.length) return false;
    for (let at = 0; at < a.length; at++)
      if (!jsonEqual(a[at] as Json, b[at] as Json)) return false;
    return true;
  }
  if (isArray(b)) return false;
  const names = Object.keys(a);
  for (const name of names) {
    if (!Object.hasOwn(b, name) || !jsonEqual(a[name] as Json, b[name] as Json)) return false;
  }
  return names.length === Object.keys(b).length;
}

/** `Array.isArray`, for types. */
export function isArray(value: JsonArray | JsonObject): value is JsonArray {
  return Array.isArray(value);
}

function arrayText(value: JsonArray): string {
  if (value.length === 0) return "[]";
  let text = "[";
  for (let at = 0; at < value.length; at++) {
    if (at > 0) text += ",";
    text += canonicalText(value[at] as Json);
  }
  return `${text}]`;
}

function objectText(value: JsonObject): string {
  const names = sortedNames(value);
  if (names.length === 0) return "{}";
  let text = "{";
  for (let at = 0; at < names.length; at++) {
    const name = names[at] as string;
    if (at > 0) text += ",";
    text += `${stringText(name)}:${canonicalText(value[name] as Json)}`;
  }
  return `${text}}`;
}

/** Many objects come with their names in order. */
function sortedNames(value: JsonObject): string[] {
  const names = Object.keys(value);
  for (let at = 1; at < names.length; at++) {
    // Both `>` and `sort` without a function compare code units.
    if ((names[at - 1] as string) > (names[at] as string)) return names.sort();
  }
  return names;
}

/** What has nothing to escape is not given to `JSON.stringify`, which takes twice as long for short strings. */
function stringText(text: string): string {
  return needsEscapes.test(text) ? JSON.stringify(text) : `"${text}"`;
}

/** Control characters, the quote, the backslash, surrogates. */
const needsEscapes = /[^ !#-[\]-\ud7ff\ue000-\uffff]/;
