/**
 * What a log must hold, as a plain model: every operation of the interface applied to maps in memory. Tests stage the same operations
 * into the model and into the log, and compare.
 */
import assert from "node:assert/strict";
import { randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import type { Wal, WalGroup } from "../../src/wal/wal.ts";

export type Operation =
  | { kind: "entry"; group: number; index: number; term: number; body: Buffer }
  | { kind: "hardState"; group: number; term: number; votedFor: number; commit: number }
  | { kind: "reset"; group: number; index: number; term: number; token: Buffer }
  | { kind: "trim"; group: number; index: number; term: number }
  | { kind: "removed"; group: number; term: number; votedFor: number };

interface ModelGroup {
  hardState?: { term: number; votedFor: number; commit: number } | undefined;
  reset?: { index: number; term: number; token: string } | undefined;
  removed?: { term: number; votedFor: number } | undefined;
  trimmedTo: { index: number; term: number };
  lastTerm: number;
  /** Entries above the trim, in order. */
  entries: { index: number; term: number; body: string }[];
}

export class WalModel {
  #groups = new Map<number, ModelGroup>();

  clone(): WalModel {
    const copy = new WalModel();
    copy.#groups = structuredClone(this.#groups);
    return copy;
  }

  group(id: number): ModelGroup {
    let group = this.#groups.get(id);
    if (group === undefined) {
      group = { trimmedTo: { index: 0, term: 0 }, lastTerm: 0, entries: [] };
      this.#groups.set(id, group);
    }
    return group;
  }

  last(id: number): number {
    const group = this.group(id);
    return group.entries.at(-1)?.index ?? group.trimmedTo.index;
  }

  apply(operation: Operation): void {
    const group = this.group(operation.group);
    switch (operation.kind) {
      case "entry": {
        const { index, term, body } = operation;
        group.entries = group.entries.filter((entry) => entry.index < index);
        group.entries.push({ index, term, body: body.toString("latin1") });
        group.lastTerm = term;
        break;
      }
      case "hardState": {
        const { term, votedFor, commit } = operation;
        group.hardState = { term, votedFor, commit };
        break;
      }
      case "reset": {
        const { index, term, token } = operation;
        group.reset = { index, term, token: token.toString("latin1") };
        group.trimmedTo = { index, term };
        group.lastTerm = term;
        group.entries = [];
        break;
      }
      case "trim":
        group.trimmedTo = { index: operation.index, term: operation.term };
        group.entries = group.entries.filter((entry) => entry.index > operation.index);
        break;
      case "removed":
        this.#groups.set(operation.group, {
          removed: { term: operation.term, votedFor: operation.votedFor },
          trimmedTo: { index: 0, term: 0 },
          lastTerm: 0,
          entries: [],
        });
        break;
    }
  }

  /** All of it as text that two equal models share. */
  describe(): string {
    const lines = [...this.#groups]
      .map(([id, group]) => [id, describeGroup(group, this.last(id))] as const)
      .filter(([, text]) => text !== nothing)
      .sort(([a], [b]) => a - b)
      .map(([id, text]) => `${id}: ${text}`);
    return lines.join("\n");
  }
}

function describeGroup(group: ModelGroup, last: number): string {
  const { hardState, reset, removed, trimmedTo, lastTerm, entries } = group;
  return JSON.stringify({
    hardState: hardState ?? null,
    reset: reset ?? null,
    removed: removed ?? null,
    trimmedTo,
    last,
    lastTerm,
    entries,
  });
}

const nothing = describeGroup({ trimmedTo: { index: 0, term: 0 }, lastTerm: 0, entries: [] }, 0);

/** What a log holds, in the words of {@link WalModel.describe}, with every entry read back from disk; of groups that are not damaged. */
export function describeWal(wal: Wal, readBytes = 1_000): string {
  const model = new WalModel();
  const lasts: string[] = [];
  for (const group of wal.groups()) {
    if (wal.damaged.has(group.id)) continue;
    const held = model.group(group.id);
    const { hardState, reset, removed } = group;
    held.hardState = hardState && {
      term: hardState.term,
      votedFor: hardState.votedFor,
      commit: hardState.commit,
    };
    held.reset = reset && {
      index: reset.index,
      term: reset.term,
      token: reset.token.toString("latin1"),
    };
    held.removed = removed && { term: removed.term, votedFor: removed.votedFor };
    held.trimmedTo = { index: group.trimmedTo.index, term: group.trimmedTo.term };
    held.lastTerm = group.lastTerm;
    checkTerms(group, held.trimmedTo);
    for (let index = group.firstIndex; index <= group.lastIndex;) {
      const entries = wal.read(group.id, index, readBytes);
      assert.ok(entries.length > 0, `group ${group.id} gives nothing at index ${index}`);
      for (const entry of entries) {
        assert.equal(entry.index, index);
        held.entries.push({ index, term: entry.term, body: entry.body.toString("latin1") });
        assert.equal(group.terms.termAt(index), entry.term, `term of ${group.id}/${index}`);
        index += 1;
      }
    }
    if (model.last(group.id) !== group.lastIndex)
      lasts.push(`group ${group.id} says that its last index is ${group.lastIndex}`);
  }
  return [model.describe(), ...lasts].join("\n");
}

/** The terms that the log keeps in memory begin at the trim point, whose own is known, and end at the last entry. */
function checkTerms(group: WalGroup, trimmedTo: { index: number; term: number }): void {
  const { terms } = group;
  assert.equal(terms.base, trimmedTo.index, `base of the terms of group ${group.id}`);
  assert.equal(terms.termAt(terms.base), trimmedTo.term, `term below group ${group.id}`);
  assert.equal(terms.last, group.lastIndex, `last of the terms of group ${group.id}`);
  assert.equal(terms.termAt(terms.last + 1), undefined);
  assert.equal(terms.termAt(terms.base - 1), undefined);
  for (const [i, run] of terms.runs.entries()) {
    const before = terms.runs[i - 1];
    assert.ok(before === undefined || (before.first < run.first && before.term < run.term));
  }
}

export function stageOperation(wal: Wal, operation: Operation): void {
  const { group } = operation;
  switch (operation.kind) {
    case "entry":
      wal.stageEntry(group, operation.index, operation.term, operation.body);
      break;
    case "hardState":
      wal.stageHardState(group, operation);
      break;
    case "reset":
      wal.stageReset(group, operation.index, operation.term, operation.token);
      break;
    case "trim":
      wal.stageTrim(group, operation.index, operation.term);
      break;
    case "removed":
      wal.stageRemoved(group, operation.term, operation.votedFor);
      break;
  }
}

/** A body that says whose it is, padded to a length. */
export function bodyOf(group: number, index: number, term: number, bytes: number): Buffer {
  return Buffer.from(`${group}/${index}/${term};`.padEnd(bytes, "x"));
}

function termOf(group: ModelGroup, index: number): number {
  return group.entries.find((entry) => entry.index === index)?.term ?? group.trimmedTo.term;
}

/** Draws an operation that makes sense for what the model holds. Trims are frequent enough for segments to be recycled. */
export function drawOperation(random: Random, model: WalModel, groups: number): Operation {
  const group = randomBelow(random, groups);
  const state = model.group(group);
  const last = model.last(group);
  const term = state.lastTerm + (randomBelow(random, 8) === 0 ? 1 : 0);
  const draw = randomBelow(random, 100);
  if (draw < 8) {
    const votedFor = randomBelow(random, 4);
    return { kind: "hardState", group, term, votedFor, commit: last };
  }
  if (draw < 24 && state.entries.length > 0) {
    const at = state.entries[randomBelow(random, state.entries.length)];
    if (at !== undefined) return { kind: "trim", group, index: at.index, term: at.term };
  }
  if (draw < 27) {
    const token = Buffer.alloc(randomBelow(random, 17), "t");
    return { kind: "reset", group, index: last + randomBelow(random, 20), term, token };
  }
  if (draw < 29) return { kind: "removed", group, term, votedFor: randomBelow(random, 4) };
  const above = Math.min(last, state.trimmedTo.index + randomBelow(random, 30));
  if (randomBelow(random, 10) === 0) {
    // A later leader's entry instead of that one: its term may lie below that of the last.
    const least = termOf(state, above);
    const later = least + randomBelow(random, term - least + 1);
    return {
      kind: "entry",
      group,
      index: above + 1,
      term: later,
      body: bodyOf(group, above + 1, later, 40),
    };
  }
  const index = last + 1;
  const sizes = [0, 1, 8, 20, 100, 300, 900, 2_000];
  const bytes = randomBelow(random, 1 + (sizes[randomBelow(random, sizes.length)] ?? 0));
  return { kind: "entry", group, index, term, body: bodyOf(group, index, term, bytes) };
}

/** What a log holds of each group that is not damaged, as text. */
export function groupLines(wal: Wal): Map<number, string> {
  const lines = new Map<number, string>();
  for (const line of describeWal(wal).split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) lines.set(Number(line.slice(0, colon)), line);
  }
  return lines;
}
