/** Makes a patch strict that counts on `replace` making what is missing, as the patch libraries of some nodes do. */
import { limits } from "../base/limits.ts";
import type { Patch } from "./patch.ts";
import type { Tree } from "./tree.ts";
import { Undo } from "./undo.ts";

/**
 * The patch in which a `replace` of a member that its object does not have, after the operations before it, is an `add`. On this document it does strictly what the given one does leniently, or fails at the
 * same operation. The very patch given where there is no such `replace`. The tree is as before.
 */
export function upsertPatch(tree: Tree, patch: Patch): Patch {
  const [first] = patch;
  if (patch.length === 1 && first !== undefined && tree.find(first.path) !== undefined)
    return patch;
  if (!patch.some(({ op }) => op === "replace")) return patch;
  const upserted: number[] = [];
  const undo = new Undo();
  tree.apply(patch, undo, { upsert: true, maxWeight: limits.documentMaxBytes, upserted });
  undo.revert(tree);
  if (upserted.length === 0) return patch;
  const made = new Set(upserted);
  return patch.map((operation, at) => (made.has(at) ? { ...operation, op: "add" } : operation));
}
