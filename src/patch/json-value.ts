/** What a program hands over as JSON: checked, and copied, since it may be changed by whoever holds it. */
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { shown } from "../base/shown-value.ts";
import { setMember, type MutableObject } from "./container.ts";
import type { Json } from "./json.ts";

/**
 * The value as its JSON text would come back: members that are `undefined` are left out, as `JSON.stringify` does. `what` names it in errors. Throws TrubaError BADPATCH for what JSON cannot hold
 * (`JSON.stringify` would make `null` of NaN in silence), TOOLARGE for what nests deeper than `documentDepthMaxCount`.
 */
export function copiedJson(value: unknown, what: string): Json {
  return copied(value, what, limits.documentDepthMaxCount);
}

/** Says whether all numbers are finite: `JSON.parse` makes infinity of `1e999`. */
export function isFiniteJson(value: Json): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  return Object.values(value).every(isFiniteJson);
}

function copied(value: unknown, what: string, levels: number): Json {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (Array.isArray(value)) {
    const copy: Json[] = [];
    const inside = deeper(what, levels);
    // Holes are undefined, which JSON has not.
    for (const element of value as readonly unknown[]) copy.push(copied(element, what, inside));
    return copy;
  }
  if (typeof value === "object" && isPlain(value)) {
    const copy: MutableObject = {};
    const inside = deeper(what, levels);
    for (const [name, member] of Object.entries(value))
      if (member !== undefined) setMember(copy, name, copied(member, what, inside));
    return copy;
  }
  throw new TrubaError("BADPATCH", `${what} has ${shown(value)} in it, which is not JSON`);
}

function deeper(what: string, levels: number): number {
  if (levels > 0) return levels - 1;
  const max = limits.documentDepthMaxCount;
  throw new TrubaError(
    "TOOLARGE",
    `${what} nests deeper than ${max} levels (documentDepthMaxCount)`,
  );
}

/** Also of another realm. Dates, maps and instances of classes are not what their JSON would be. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
