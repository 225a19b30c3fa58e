/** Orders of transactions whose verdicts and documents the patch engine has made, and what is found among them. */
import { limits } from "../../src/base/limits.ts";
import { findConflicts } from "../../src/documents/conflicts.ts";
import { rejectionOf } from "../../src/documents/rejection.ts";
import type { Conflict, PlacedTransaction, VectorClock } from "../../src/documents/vocabulary.ts";
import type { Json } from "../../src/patch/json.ts";
import { decodePatch } from "../../src/patch/patch.ts";
import { Tree } from "../../src/patch/tree.ts";

export type Step = readonly [op: string, path: string, valueOrFrom?: Json];

export interface Given {
  readonly by: string;
  readonly seen?: VectorClock;
  readonly does: readonly Step[];
}

/** Runs them in this order, and gives what is found. */
export function conflicts(start: Json, given: readonly Given[]): readonly Conflict[] {
  const tree = new Tree(start);
  const transactions = given.map(({ by, seen, does }): PlacedTransaction => {
    const operations = does.map(operationOf);
    const failure = tree.apply(decodePatch(operations), undefined, {
      upsert: false,
      maxWeight: limits.documentMaxBytes,
    });
    return {
      ...placed(by, operations, seen),
      verdict: failure === undefined ? { kind: "ok" } : rejectionOf(failure),
    };
  });
  return findConflicts(transactions, tree.value);
}

function operationOf([op, path, more]: Step): Json {
  if (op === "remove") return { op, path };
  // Written as it reads: from there to there.
  if (op === "copy" || op === "move")
    return { op, from: path, path: typeof more === "string" ? more : "" };
  return { op, path, value: more ?? null };
}

export function placed(
  by: string,
  operations: readonly Json[],
  seen?: VectorClock,
): PlacedTransaction {
  const [source = "", id = ""] = by.split(":");
  return {
    source,
    id: Number(id),
    position: 1,
    stamp: { ms: 1, counter: 0 },
    operations,
    verdict: { kind: "ok" },
    final: true,
    kind: "patch",
    ...(seen === undefined ? {} : { seen }),
  };
}

export function brief(found: readonly Conflict[]): string[] {
  return found.map(({ kind, path, loser, winner }) => {
    const by = winner === undefined ? "" : ` by ${winner.source}:${winner.id}`;
    return `${kind} ${path} ${loser.source}:${loser.id}${by}`;
  });
}
