/** Writes down what one call does to a document, as a patch for watchers, until that is too long to be of use. */
import { limits } from "../base/limits.ts";
import { operationJson } from "../patch/patch.ts";
import type { Operation, Patch } from "../patch/patch.ts";
import type { Tree } from "../patch/tree.ts";
import type { Undo } from "../patch/undo.ts";
import { upsertPatch } from "../patch/upsert.ts";
import type { Entry } from "./entry.ts";
import type { FoldChange } from "./fold-change.ts";
import { sameVerdict } from "./rejection.ts";
import type { Verdict, VerdictOf } from "./vocabulary.ts";

export class ChangeRecorder {
  /** How many were undone, to be done again. */
  undone = 0;
  #appendedOnly = true;
  #operations: Operation[] | undefined = [];
  readonly #verdicts: VerdictOf[] = [];
  readonly #moved = new Set<Entry>();

  /** So many operations are to be expected: there is no use in writing them down if they are too many. */
  expect(operations: number): void {
    if (operations > limits.documentChangeMaxOperations) this.#operations = undefined;
  }

  /** Something new comes to stand before something old. */
  insert(): void {
    this.#appendedOnly = false;
  }

  /** The patch as watchers, who are strict, must be told it; before it is applied. `undefined`: it is not written down. */
  shown(patch: Patch, tree: Tree, lenient: boolean): Patch | undefined {
    if (this.#operations === undefined) return undefined;
    return lenient && patch.some(({ op }) => op === "replace") ? upsertPatch(tree, patch) : patch;
  }

  did(patch: Patch): void {
    this.#write(patch);
  }

  /** About to be undone. */
  undid(undo: Undo): void {
    if (this.#operations !== undefined) this.#write(undo.inverse());
  }

  /** A new one is at its place. */
  fresh(entry: Entry): void {
    this.#verdicts.push(verdictOf(entry, false));
  }

  /** One of before is to move. */
  moved(entry: Entry): void {
    this.#moved.add(entry);
  }

  /** A new one, or one that moved, is at its place. */
  arrived(entry: Entry, before: Verdict): void {
    if (this.#moved.has(entry)) this.redid(entry, before);
    else this.fresh(entry);
  }

  redid(entry: Entry, before: Verdict): void {
    if (!sameVerdict(before, entry.verdict)) this.#verdicts.push(verdictOf(entry, false));
  }

  change(): FoldChange {
    return {
      undone: this.undone,
      appendedOnly: this.#appendedOnly,
      operations: this.#operations?.map(operationJson),
      verdicts: this.#verdicts,
    };
  }

  #write(patch: Patch): void {
    const operations = this.#operations;
    if (operations === undefined) return;
    for (const operation of patch) {
      // A test tells nothing.
      if (operation.op !== "test") operations.push(operation);
    }
    this.expect(operations.length);
  }
}

export function verdictOf(entry: Entry, final: boolean): VerdictOf {
  return { source: entry.source, id: entry.id, verdict: entry.verdict, final };
}
