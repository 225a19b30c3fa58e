/** Objects and arrays of a document, as their owner changes them. All names are names: what objects inherit is never seen, and `__proto__` is a member like any other. */
import { isArray } from "./canonical.ts";
import type { Json, JsonArray, JsonObject } from "./json.ts";

export type MutableArray = Json[];
export type MutableObject = Record<string, Json>;
export type Container = MutableArray | MutableObject;

export function isContainer(value: Json | undefined): value is JsonArray | JsonObject {
  return typeof value === "object" && value !== null;
}

/** The member's value; `undefined`: there is none. */
export function member(object: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

export function setMember(object: MutableObject, name: string, value: Json): void {
  if (name !== "__proto__") object[name] = value;
  else
    Object.defineProperty(object, name, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
}

/** A value that shares no container with this one. */
export function copyOf(value: Json): Json {
  if (!isContainer(value)) return value;
  if (isArray(value)) return value.map(copyOf);
  const copy: MutableObject = {};
  for (const name of Object.keys(value)) setMember(copy, name, copyOf(value[name] as Json));
  return copy;
}
