/**
 * What it takes to take a patch back: the steps that were done, each with what stood there before. One step is one object, so a patch of one operation costs some 150 bytes.
 *
 * Values that a step has taken out belong to the step; they share nothing with the document, but for what a `move` has put elsewhere.
 */
import { assert } from "../base/assert.ts";
import { isArray } from "./canonical.ts";
import { type Container, copyOf, type MutableArray, setMember } from "./container.ts";
import type { Json } from "./json.ts";
import type { Operation } from "./patch.ts";

/** What was done to the container at the key. */
export type StepKind =
  /** Another value stood there. */
  | "changed"
  /** Nothing did: a member was made, or an element put in. */
  | "added"
  /** A value was taken out: a member, or an element, behind which the others moved up. */
  | "removed";

export interface Step {
  readonly kind: StepKind;
  readonly container: Container;
  readonly key: string | number;
  /** What stood there; of `added` `undefined`. */
  readonly old: Json | undefined;
  /** Pointer of the operation; what is before its last token leads to the container. Empty: the whole document. */
  readonly path: readonly string[];
  readonly before: Step | undefined;
}

/** The document that steps were done to, as its undo sees it. */
export interface Weighed {
  setWeight(weight: number): void;
}

export class Undo {
  #last: Step | undefined;
  /** Of the document before. */
  #weight = 0;
  /** How many steps there are. */
  size = 0;

  /** For `Tree`: before its first step. */
  begin(weight: number): void {
    assert(this.#last === undefined, "one undo is for one patch");
    this.#weight = weight;
  }

  /** For `Tree`: a step was done. */
  did(
    kind: StepKind,
    container: Container,
    key: string | number,
    old: Json | undefined,
    path: readonly string[],
  ): void {
    this.#last = { kind, container, key, old, path, before: this.#last };
    this.size++;
  }

  /** Takes the patch back. It must be what was done to the tree last, of all that was not taken back. */
  revert(tree: Weighed): void {
    for (let step = this.#last; step !== undefined; step = step.before) takeBack(step);
    if (this.#last !== undefined) tree.setWeight(this.#weight);
    this.#last = undefined;
    this.size = 0;
  }

  /** A patch that leads back, and never fails; while the patch is what was done to the tree last. */
  inverse(): Operation[] {
    const operations: Operation[] = [];
    // A value is copied as it was at its step, so the steps are taken back one by one, and done again.
    const again: { step: Step; value: Json | undefined }[] = [];
    for (let step = this.#last; step !== undefined; step = step.before) {
      again.push({ step, value: step.kind === "removed" ? undefined : valueAt(step) });
      operations.push(inverseOf(step));
      takeBack(step);
    }
    for (const { step, value } of again.toReversed()) doAgain(step, value);
    return operations;
  }
}

function takeBack({ kind, container, key, old }: Step): void {
  if (Array.isArray(container)) {
    const elements = container;
    const at = key as number;
    if (kind === "changed") elements[at] = old as Json;
    else if (kind === "added") removeElement(elements, at);
    else insertElement(elements, at, old as Json);
    return;
  }
  if (kind === "added") delete container[key as string];
  else setMember(container, key as string, old as Json);
}

function doAgain({ kind, container, key }: Step, value: Json | undefined): void {
  if (Array.isArray(container)) {
    const elements = container;
    const at = key as number;
    if (kind === "changed") elements[at] = value as Json;
    else if (kind === "added") insertElement(elements, at, value as Json);
    else removeElement(elements, at);
    return;
  }
  if (kind === "removed") delete container[key as string];
  else setMember(container, key as string, value as Json);
}

function valueAt({ container, key }: Step): Json {
  return isArray(container) ? (container[key as number] as Json) : (container[key] as Json);
}

function inverseOf({ kind, key, old, path }: Step): Operation {
  const target = path.length === 0 ? path : [...path.slice(0, -1), String(key)];
  if (kind === "added") return { op: "remove", path: target };
  return { op: kind === "changed" ? "replace" : "add", path: target, value: copyOf(old as Json) };
}

/** The end, which is most common, costs no `splice`. */
export function removeElement(elements: MutableArray, at: number): void {
  if (at === elements.length - 1) elements.pop();
  else elements.splice(at, 1);
}

export function insertElement(elements: MutableArray, at: number, value: Json): void {
  if (at === elements.length) elements.push(value);
  else elements.splice(at, 0, value);
}
