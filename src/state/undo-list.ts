/**
 * The changes of one atomic group, in order, so that a failing group can be taken back: tables, their hooks and their digest included.
 */
import { assert } from "../base/assert.ts";

/** What can take back a change of its rows: a table. */
export interface Undoable {
  undo(before: number, after: number): void;
  settle(before: number, after: number): void;
}

interface Change {
  readonly table: Undoable;
  readonly before: number;
  readonly after: number;
}

export class UndoList {
  #changes: Change[] = [];
  #active = false;

  /** Whether a group is open: replaced rows are then kept until it ends. */
  get active(): boolean {
    return this.#active;
  }

  begin(): void {
    assert(!this.#active, "groups do not nest");
    this.#active = true;
  }

  note(table: Undoable, before: number, after: number): void {
    this.#changes.push({ table, before, after });
  }

  /** The group stands. */
  commit(): void {
    assert(this.#active, "no group is open");
    this.#active = false;
    for (const { table, before, after } of this.#changes) table.settle(before, after);
    this.#changes = [];
  }

  /** The group never happened. */
  rollback(): void {
    assert(this.#active, "no group is open");
    this.#active = false;
    for (const { table, before, after } of this.#changes.toReversed()) table.undo(before, after);
    this.#changes = [];
  }
}
