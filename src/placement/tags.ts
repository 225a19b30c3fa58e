/** Tags of keys: the part in braces that decides the slot, as in Redis Cluster. What names no key goes to the slot of others by their tag. */
import { limits } from "../base/limits.ts";

/** The tag of a key, or a tag of the same slot; `undefined` if there may be none. */
export function tagOfKey(key: string): string | undefined {
  const open = key.indexOf("{");
  const close = open < 0 ? -1 : key.indexOf("}", open);
  if (close > open + 1) return key.slice(open + 1, close);
  // A key without a tag is on the slot of its whole text, and so is a tag of that text.
  return key.includes("}") || key.length > limits.tagMaxBytes ? undefined : key;
}

/** The same of a record's key: its UUID counts in small letters, its tag as it is. */
export function tagOfRecordKey(key: string): string | undefined {
  return tagOfKey(key.includes("{") ? key : key.toLowerCase());
}
