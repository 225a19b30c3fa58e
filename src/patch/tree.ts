/**
 * A document that patches change in place (RFC 6902): all operations of a patch, or none. Nothing is copied but what a patch brings in, so a patch on an object of 23,000 members costs what
 * one on an object of three does.
 *
 * The outcome depends on the document's value and the patch alone: not on the order of members, on time, or on what was undone before. Replicas rely on it.
 *
 * What RFC 6902 leaves open: the root can be replaced, not removed; a move to where the value is does nothing.
 */
import { must } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import { isArray, jsonEqual } from "./canonical.ts";
import {
  copyOf,
  isContainer,
  member,
  setMember,
  type Container,
  type MutableObject,
} from "./container.ts";
import type { PatchFailure } from "./failure.ts";
import type { Json } from "./json.ts";
import type { Operation, Patch } from "./patch.ts";
import { arrayIndex, pointerText } from "./pointer.ts";
import { intoItself, mismatch, noPlace, tooDeep, tooLarge, tooMuchWork } from "./problem.ts";
import type { Problem } from "./problem.ts";
import { insertElement, removeElement, Undo } from "./undo.ts";
import { depthOf, elementWeight, nameWeight, weightOf } from "./weight.ts";

export interface ApplyOptions {
  /** A `replace` of a missing member of an object makes it. */
  readonly upsert: boolean;
  /** An operation that makes the document heavier fails, and so does one by which the patch has copied and moved more than that. */
  readonly maxWeight: number;
  /** Gets the numbers of the operations for which `upsert` was needed. */
  readonly upserted?: number[];
}

const rootKey = "root";

/** Elements that make way for another one, in the work of a patch: so many are as much as one byte copied. */
const shiftedPerByte = 16;

export class Tree {
  /** The document is a member of this, so that it is changed as all else. */
  readonly #holder: MutableObject;
  #weight: number;
  /** Of the patch at hand: what it has copied from the document, looked through, and made way for. A patch of some bytes could ask for hours of it. */
  #work = 0;

  /** The value belongs to the tree from now on. It nests at most `documentDepthMaxCount` levels. */
  constructor(value: Json) {
    this.#holder = { [rootKey]: value };
    this.#weight = weightOf(value);
  }

  /** Not to be changed, and not to be kept over a change. */
  get value(): Json {
    return this.#holder[rootKey] as Json;
  }

  /** See `weight.ts`. */
  get weight(): number {
    return this.#weight;
  }

  /** For `Undo`. */
  setWeight(weight: number): void {
    this.#weight = weight;
  }

  /** What is at the pointer's tokens, not to be changed; `undefined`: nothing. */
  find(path: readonly string[]): Json | undefined {
    return this.#walk(path, path.length);
  }

  /** Does all of the patch, so that `undo`, a fresh one, takes it back; or nothing of it, and answers why. */
  apply(patch: Patch, undo: Undo | undefined, options: ApplyOptions): PatchFailure | undefined {
    const steps = undo ?? new Undo();
    steps.begin(this.#weight);
    this.#work = 0;
    for (let at = 0; at < patch.length; at++) {
      const operation = must(patch[at]);
      const problem = this.#do(operation, at, steps, options);
      if (problem === undefined) continue;
      steps.revert(this);
      const { path, ...rest } = problem;
      return { operation: at, op: operation.op, path: pointerText(path), ...rest };
    }
    return undefined;
  }

  #do(operation: Operation, at: number, undo: Undo, options: ApplyOptions): Problem | undefined {
    const { op, path, value } = operation;
    switch (op) {
      case "add":
        return this.#bring(path, value as Json, undo, options);
      case "replace":
        return this.#replace(path, value as Json, at, undo, options);
      case "remove":
        return this.#remove(path, undo, options);
      case "test":
        return this.#test(path, value as Json);
      case "copy":
        return this.#copy(must(operation.from), path, undo, options);
      case "move":
        return this.#move(must(operation.from), path, undo, options);
      default:
        return op satisfies never;
    }
  }

  #bring(
    path: readonly string[],
    value: Json,
    undo: Undo,
    options: ApplyOptions,
  ): Problem | undefined {
    if (!isContainer(value)) return this.#add(path, value, weightOf(value), undo, options);
    if (isTooDeep(path, value)) return tooDeep(path);
    return this.#add(path, copyOf(value), weightOf(value), undo, options);
  }

  /** Puts a value that nothing else holds at its place; `weight` is what it adds to the document. */
  #add(
    path: readonly string[],
    value: Json,
    weight: number,
    undo: Undo,
    options: ApplyOptions,
  ): Problem | undefined {
    const container = this.#containerOf(path);
    if (container === undefined) return noPlace(this.value, path);
    const token = path.length === 0 ? rootKey : (path[path.length - 1] as string);
    if (Array.isArray(container)) {
      const { length } = container;
      const at = token === "-" ? length : arrayIndex(token);
      if (at < 0 || at > length) return noPlace(this.value, path);
      const problem =
        this.#grow(elementWeight + weight, path, options) ??
        this.#labour((length - at) / shiftedPerByte, path, options);
      if (problem !== undefined) return problem;
      insertElement(container, at, value);
      undo.did("added", container, at, undefined, path);
      return undefined;
    }
    const old = member(container, token);
    const more = old === undefined ? nameWeight(token) + weight : weight - weightOf(old);
    const problem = this.#grow(more, path, options);
    if (problem !== undefined) return problem;
    setMember(container, token, value);
    undo.did(old === undefined ? "added" : "changed", container, token, old, path);
    return undefined;
  }

  #replace(
    path: readonly string[],
    value: Json,
    at: number,
    undo: Undo,
    options: ApplyOptions,
  ): Problem | undefined {
    const container = this.#containerOf(path);
    if (container === undefined) return noPlace(this.value, path);
    const token = path.length === 0 ? rootKey : (path[path.length - 1] as string);
    if (!Array.isArray(container)) {
      if (!Object.hasOwn(container, token)) {
        if (!options.upsert) return noPlace(this.value, path);
        options.upserted?.push(at);
      }
      return this.#bring(path, value, undo, options);
    }
    const index = arrayIndex(token);
    const old = index < 0 ? undefined : container[index];
    if (old === undefined) return noPlace(this.value, path);
    if (isTooDeep(path, value)) return tooDeep(path);
    const problem = this.#grow(weightOf(value) - weightOf(old), path, options);
    if (problem !== undefined) return problem;
    container[index] = copyOf(value);
    undo.did("changed", container, index, old, path);
    return undefined;
  }

  #remove(path: readonly string[], undo: Undo, options: ApplyOptions): Problem | undefined {
    const value = this.find(path);
    if (value === undefined || path.length === 0) return noPlace(this.value, path);
    this.#weight -= weightOf(value);
    return this.#takeOut(path, value, undo, options);
  }

  #test(path: readonly string[], value: Json): Problem | undefined {
    const found = this.find(path);
    if (found !== undefined && jsonEqual(value, found)) return undefined;
    return mismatch(this.value, path, value, found);
  }

  #copy(
    from: readonly string[],
    path: readonly string[],
    undo: Undo,
    options: ApplyOptions,
  ): Problem | undefined {
    const value = this.find(from);
    if (value === undefined) return noPlace(this.value, from);
    const weight = weightOf(value);
    // Before anything is copied: a few copies of a document into itself would fill the memory.
    const problem = this.#labour(weight, path, options);
    if (problem !== undefined) return problem;
    if (isTooDeep(path, value)) return tooDeep(path);
    return this.#add(path, copyOf(value), weight, undo, options);
  }

  /** The value itself goes; it is not copied, and its weight stays. */
  #move(
    from: readonly string[],
    path: readonly string[],
    undo: Undo,
    options: ApplyOptions,
  ): Problem | undefined {
    const value = this.find(from);
    if (value === undefined) return noPlace(this.value, from);
    if (isPrefix(from, path))
      return from.length === path.length ? undefined : intoItself(from, path);
    if (path.length > from.length && isContainer(value)) {
      const problem = this.#labour(weightOf(value), path, options);
      if (problem !== undefined) return problem;
      if (isTooDeep(path, value)) return tooDeep(path);
    }
    return this.#takeOut(from, value, undo, options) ?? this.#add(path, value, 0, undo, options);
  }

  /** Takes a value out that is there and is not the root; its own weight is for the caller to count. */
  #takeOut(
    path: readonly string[],
    value: Json,
    undo: Undo,
    options: ApplyOptions,
  ): Problem | undefined {
    const container = must(this.#containerOf(path));
    const token = must(path[path.length - 1]);
    if (Array.isArray(container)) {
      const at = arrayIndex(token);
      const problem = this.#labour((container.length - 1 - at) / shiftedPerByte, path, options);
      if (problem !== undefined) return problem;
      this.#weight -= elementWeight;
      removeElement(container, at);
      undo.did("removed", container, at, value, path);
      return undefined;
    }
    this.#weight -= nameWeight(token);
    delete container[token];
    undo.did("removed", container, token, value, path);
    return undefined;
  }

  /** Makes room for so much, or says that there is none. What is over its limit may still shrink. */
  #grow(more: number, path: readonly string[], { maxWeight }: ApplyOptions): Problem | undefined {
    const weight = this.#weight + more;
    if (weight > maxWeight && more > 0) return tooLarge(path, weight, maxWeight);
    this.#weight = weight;
    return undefined;
  }

  #labour(more: number, path: readonly string[], { maxWeight }: ApplyOptions): Problem | undefined {
    this.#work += more;
    return this.#work > maxWeight ? tooMuchWork(path, maxWeight) : undefined;
  }

  /** What holds the last token's value, if it is an object or array. */
  #containerOf(path: readonly string[]): Container | undefined {
    if (path.length === 0) return this.#holder;
    const container = this.#walk(path, path.length - 1);
    return isContainer(container) ? (container as Container) : undefined;
  }

  #walk(path: readonly string[], length: number): Json | undefined {
    let value: Json | undefined = this.value;
    for (let at = 0; at < length; at++) {
      if (!isContainer(value)) return undefined;
      const token = path[at] as string;
      // `elements[-1]` is undefined: arrays of documents have no other members.
      value = isArray(value) ? value[arrayIndex(token)] : member(value, token);
    }
    return value;
  }
}

function isTooDeep(path: readonly string[], value: Json): boolean {
  return isContainer(value) && path.length + depthOf(value) > limits.documentDepthMaxCount;
}

/** Says whether `path` is `from`, or leads into it. */
function isPrefix(from: readonly string[], path: readonly string[]): boolean {
  for (let at = 0; at < from.length; at++) if (from[at] !== path[at]) return false;
  return true;
}
