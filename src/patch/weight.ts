/**
 * How heavy a value is: the bytes of its canonical text in UTF-8, and one for each container that is not empty (a comma too many). So a limit on it is one on memory, disk and network; it is a function of
 * the value alone, and what a change adds to it is found without looking at the rest of the document.
 *
 *     null, true, false, numbers, strings    the bytes of their canonical text
 *     an array                               2 + for each element 1 + its weight
 *     an object                              2 + for each member 2 + the weights of its name and its value
 */
import { isArray } from "./canonical.ts";
import type { Json } from "./json.ts";

/** What an element adds beside its own weight. */
export const elementWeight = 1;

/** What a member adds beside its value's weight. */
export function nameWeight(name: string): number {
  return 2 + textWeight(name);
}

export function weightOf(value: Json): number {
  if (typeof value === "string") return textWeight(value);
  if (typeof value === "number") return numberWeight(value);
  if (typeof value !== "object" || value === null) return value === false ? 5 : 4;
  let weight = 2;
  if (isArray(value)) for (const element of value) weight += elementWeight + weightOf(element);
  else
    for (const name of Object.keys(value))
      weight += nameWeight(name) + weightOf(value[name] as Json);
  return weight;
}

/** Says whether the value is at most so heavy; looks at no more of it than it takes, but for the names of one object. */
export function isLighter(value: Json, max: number): boolean {
  return remainder(value, max) >= 0;
}

/** Levels of containers: 0 for a scalar, 1 for `[]`. */
export function depthOf(value: Json): number {
  if (typeof value !== "object" || value === null) return 0;
  let depth = 0;
  if (isArray(value)) for (const element of value) depth = Math.max(depth, depthOf(element));
  else for (const name of Object.keys(value)) depth = Math.max(depth, depthOf(value[name] as Json));
  return depth + 1;
}

/** What is left of `max`, negative when it is not enough. */
function remainder(value: Json, max: number): number {
  if (typeof value !== "object" || value === null) return max - weightOf(value);
  let left = max - 2;
  if (isArray(value)) {
    for (let at = 0; at < value.length && left >= 0; at++)
      left = remainder(value[at] as Json, left - elementWeight);
    return left;
  }
  for (const name of Object.keys(value)) {
    if (left < 0) break;
    left = remainder(value[name] as Json, left - nameWeight(name));
  }
  return left;
}

function numberWeight(value: number): number {
  // Most are small and whole; the sign of -0 is not written.
  if (value >= 0 && value < 1_000 && Number.isInteger(value))
    return value < 10 ? 1 : value < 100 ? 2 : 3;
  return String(value).length;
}

/** What is not one byte of its own in JSON. */
const unplain = /[^ !#-[\]-~]/;

/** A string between its quotes, as `JSON.stringify` writes it. */
function textWeight(text: string): number {
  // Most long ones are plain, and to look for anything else costs a third of going through them.
  if (text.length >= 32 && !unplain.test(text)) return 2 + text.length;
  let weight = 2 + text.length;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x80) {
      if (code < 0x20) weight += isShortEscape(code) ? 1 : 5;
      else if (code === 0x22 || code === 0x5c) weight += 1;
    } else if (code < 0x800) weight += 1;
    else if (code < 0xd800 || code > 0xdfff) weight += 2;
    else if (code < 0xdc00 && isLowSurrogate(text.charCodeAt(at + 1))) {
      // A pair is four bytes for two code units.
      weight += 2;
      at++;
    } else weight += 5;
  }
  return weight;
}

/** \b \t \n \f \r */
function isShortEscape(code: number): boolean {
  return code >= 0x08 && code <= 0x0d && code !== 0x0b;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
