/**
 * What went wrong among transactions whose authors did not know of each other: found on demand, by going through them in order once. Nothing of it is kept, nor needed for convergence.
 *
 * - `rejected`: a transaction changed nothing; the winner is the last one before it that wrote what it failed at, known to its author or not
 * - `shadowed`: one later in the order, whose author had not seen it, wrote the same place or one around it, and something else
 * - `drift`: an index of it means another element than its author saw: before it, elements were put in or taken out by one whom it had not seen
 *
 * Plain peers do not tell what they had seen, so they count as not having seen anything of others. What they overwrite may have been meant.
 */
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { copyOf } from "../patch/container.ts";
import type { Json } from "../patch/json.ts";
import { decodePatch, type Operation, type Patch } from "../patch/patch.ts";
import { parsePointer, pointerText } from "../patch/pointer.ts";
import { isLighter, weightOf } from "../patch/weight.ts";
import { sameOrNothing, valueAt, WriteMap, type LostWrite, type Write } from "./write-map.ts";
import type { Conflict, PlacedTransaction, Rejection } from "./vocabulary.ts";

/** Values of conflicts that are heavier are left out. */
const shownMaxWeight = 1_024;

/** Reference tokens that are gone through; transactions before these are left out. */
const tokensMaxCount = 50_000;

/** What the values that are gone through may weigh, of all of them; likewise. */
const valuesMaxBytes = 33_554_432;

/** Reasons for which a write may be to blame: of the others the patch itself is. */
const blamed: ReadonlySet<string> = new Set([
  "missing",
  "not-container",
  "bad-index",
  "out-of-range",
  "test-failed",
]);

/**
 * The conflicts among transactions that follow each other in the order, in this order; of many the last 1,000. `value` is the document behind the last. At most the last 1,000 transactions are looked at, and
 * fewer if they are large.
 */
export function findConflicts(transactions: readonly PlacedTransaction[], value: Json): Conflict[] {
  const search = new Search(value);
  for (const { transaction, patch } of affordable(transactions)) search.take(transaction, patch);
  return search.found.slice(-limits.documentHistoryMaxCount);
}

class Search {
  readonly found: Conflict[] = [];
  readonly #value: Json;
  readonly #map: WriteMap;
  /** How many transactions were taken. */
  #taken = 0;

  constructor(value: Json) {
    this.#value = value;
    this.#map = new WriteMap(value);
  }

  take(transaction: PlacedTransaction, patch: Patch): void {
    this.#taken++;
    const { verdict } = transaction;
    if (verdict.kind === "rejected") {
      this.#blame(transaction, verdict, patch);
      return;
    }
    for (const operation of patch) this.#do(transaction, operation);
  }

  #do(transaction: PlacedTransaction, { op, path, from, value }: Operation): void {
    const write = { transaction, at: this.#taken, path };
    switch (op) {
      case "add":
        this.#put(path, { ...write, value }, value);
        return;
      case "replace":
        this.#drift(write, path, false, value);
        this.#lose(this.#map.overwrite(path, { ...write, value }), { ...write, value }, path);
        return;
      case "remove":
        this.#drift(write, path, false);
        this.#lose(
          this.#takeOut(path, { ...write, value: undefined }),
          { ...write, value: undefined },
          path,
        );
        return;
      case "move": {
        const source = from ?? [];
        if (pointerText(source) === pointerText(path)) return;
        this.#drift(write, source, false);
        // It is not gone, but elsewhere; who wrote it there is not followed.
        this.#takeOut(source, { ...write, path: source, value: undefined });
        this.#put(path, write);
        return;
      }
      case "copy":
        this.#drift(write, from ?? [], false);
        this.#put(path, write);
        return;
      case "test":
        return;
      default:
        op satisfies never;
    }
  }

  /** As `add` does: into an array, or over what is there. */
  #put(path: readonly string[], write: Write, value?: Json): void {
    const inserts = this.#map.isElement(path);
    this.#drift(write, path, inserts, value);
    if (inserts) this.#map.insert(path, write);
    else this.#lose(this.#map.overwrite(path, write), write, path);
  }

  #takeOut(path: readonly string[], write: Write): readonly LostWrite[] {
    return this.#map.isElement(path)
      ? this.#map.takeOut(path, write)
      : this.#map.overwrite(path, write);
  }

  /** `write` has come over these. */
  #lose(lost: readonly LostWrite[], write: Write, path: readonly string[]): void {
    for (const { write: earlier, rest } of lost) {
      if (!areConcurrent(earlier.transaction, write.transaction)) continue;
      if (
        "value" in write &&
        "value" in earlier &&
        sameOrNothing(valueAt(write.value, rest), earlier.value)
      )
        continue;
      const over = rest.length === 0 ? "" : `, with all of ${quoted(path)}`;
      this.found.push({
        kind: "shadowed",
        path: pointerText(earlier.path),
        loser: nameOf(earlier.transaction),
        winner: nameOf(write.transaction),
        ...short("lost", earlier.value),
        ...short("kept", valueAt(this.#value, [...path, ...rest])),
        text: `${idOf(write.transaction)} ${isRemoval(write) ? "removed" : "wrote over"} ${quoted(earlier.path)} of ${idOf(earlier.transaction)}${over}; ${ignorance(write.transaction)}`,
      });
    }
  }

  #drift(write: Write, path: readonly string[], inserts: boolean, value?: Json): void {
    const { transaction } = write;
    const mover = this.#map.moverOf(path, inserts, (earlier) =>
      areConcurrent(earlier.transaction, transaction),
    );
    if (mover === undefined) return;
    const earlier = mover.write.transaction;
    this.found.push({
      kind: "drift",
      path: pointerText(path),
      loser: nameOf(transaction),
      winner: nameOf(earlier),
      ...short("lost", value),
      ...short("kept", valueAt(this.#value, path)),
      text: `elements of ${quoted(path.slice(0, mover.depth))} had been moved by ${idOf(earlier)} when ${idOf(transaction)} spoke of number ${path[mover.depth]}; ${ignorance(transaction)}`,
    });
  }

  #blame(transaction: PlacedTransaction, verdict: Rejection, patch: Patch): void {
    const path = tokensOf(verdict.path);
    const write =
      path !== undefined && blamed.has(verdict.reason) ? this.#map.lastAt(path) : undefined;
    const loser = nameOf(transaction);
    const lost = short("lost", patch[verdict.operation]?.value);
    const kept = path === undefined ? {} : short("kept", valueAt(this.#value, path));
    const common = { kind: "rejected", path: verdict.path, loser, ...lost, ...kept } as const;
    if (write === undefined) {
      this.found.push({ ...common, text: verdict.text });
      return;
    }
    const earlier = write.transaction;
    const known = areConcurrent(earlier, transaction)
      ? ignorance(transaction)
      : "its author had seen that";
    this.found.push({
      ...common,
      winner: nameOf(earlier),
      text: `${verdict.text}; ${idOf(earlier)} ${isRemoval(write) ? "removed" : "wrote"} ${quoted(write.path)} before; ${known}`,
    });
  }
}

/** Neither author had seen the other's. Of one author all know each other. */
function areConcurrent(a: PlacedTransaction, b: PlacedTransaction): boolean {
  return a.source !== b.source && !hasSeen(a, b) && !hasSeen(b, a);
}

function hasSeen({ seen }: PlacedTransaction, { source, id }: PlacedTransaction): boolean {
  return seen !== undefined && Object.hasOwn(seen, source) && (seen[source] ?? 0) >= id;
}

/** The last transactions, as far as going through them costs a bounded time. */
function affordable(
  transactions: readonly PlacedTransaction[],
): { readonly transaction: PlacedTransaction; readonly patch: Patch }[] {
  const taken: { readonly transaction: PlacedTransaction; readonly patch: Patch }[] = [];
  let tokens = 0;
  let bytes = 0;
  for (const transaction of transactions.slice(-limits.documentHistoryMaxCount).toReversed()) {
    if (transaction.kind === "record") continue;
    const patch = patchOf(transaction);
    for (const { path, from, value } of patch) {
      tokens += 1 + path.length + (from?.length ?? 0);
      if (value !== undefined) bytes += weightOf(value);
    }
    if (tokens > tokensMaxCount || bytes > valuesMaxBytes) break;
    taken.push({ transaction, patch });
  }
  return taken.toReversed();
}

/** Of what is malformed nothing is known. */
function patchOf({ operations }: PlacedTransaction): Patch {
  try {
    return decodePatch(operations);
  } catch (error) {
    if (!(error instanceof TrubaError)) throw error;
    return [];
  }
}

function tokensOf(pointer: string): readonly string[] | undefined {
  try {
    return parsePointer(pointer);
  } catch {
    return undefined;
  }
}

function nameOf({ source, id }: PlacedTransaction): Conflict["loser"] {
  return { source, id };
}

function idOf({ source, id }: PlacedTransaction): string {
  return `${source}:${id}`;
}

function isRemoval(write: Write): boolean {
  return "value" in write && write.value === undefined;
}

function ignorance({ seen }: PlacedTransaction): string {
  return seen === undefined
    ? "what its author had seen is not known"
    : "its author had not seen that";
}

function quoted(path: readonly string[]): string {
  const text = pointerText(path);
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

function short(name: "lost" | "kept", value: Json | undefined): { lost?: Json; kept?: Json } {
  return value === undefined || !isLighter(value, shownMaxWeight) ? {} : { [name]: copyOf(value) };
}
