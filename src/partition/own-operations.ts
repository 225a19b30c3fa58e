/**
 * Operations that the node itself has for a partition: connections that ended, a start after a run that held something, kinds of sessions that the configuration has
 * changed. They are proposed as soon as the partition leads and may, and again until they are done.
 */
import { must } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import { type OperationWriter, operationCodes } from "../machines/operation.ts";
import type { Outcome } from "../machines/outcome.ts";
import { type Owner, writeOwner } from "../machines/owner.ts";
import type { OutcomeSink } from "./answer.ts";
import type { Led } from "./led.ts";

export interface OwnOperation {
  readonly code: number;
  encode(writer: OperationWriter): void;
}

export class OwnOperations implements OutcomeSink {
  #waiting: OwnOperation[] = [];
  readonly #proposed = new Map<number, OwnOperation>();
  #nextTag = 1;

  /** Done before anything else in the term that begins. */
  #first = new Set<OwnOperation>();

  /** Whether all that has to be done first is done. */
  get begun(): boolean {
    return this.#first.size === 0;
  }

  add(operation: OwnOperation): void {
    this.#waiting.push(operation);
  }

  /** As {@link add}, before anybody else's operations; what an earlier term had to do first is forgotten. */
  begin(operations: readonly OwnOperation[]): void {
    this.#waiting = [
      ...operations,
      ...this.#waiting.filter((operation) => !this.#first.has(operation)),
    ];
    this.#first = new Set(operations);
  }

  /** Proposes all that waits. */
  propose(led: Led): void {
    if (this.#waiting.length === 0) return;
    for (const operation of this.#waiting.splice(0)) {
      const tag = this.#nextTag++;
      this.#proposed.set(tag, operation);
      const writer = led.open();
      writer.begin(operation.code, undefined);
      operation.encode(writer);
      writer.end();
      led.enqueue(this, tag);
    }
  }

  /** What was not done, or not all of it, comes again. */
  settle(tag: number, outcome: Outcome): void {
    const operation = must(this.#proposed.get(tag));
    this.#proposed.delete(tag);
    const isDone =
      outcome.kind === "count" ? outcome.count < limits.sweepMaxRows : outcome.kind !== "error";
    if (isDone) this.#first.delete(operation);
    else this.#waiting.push(operation);
  }
}

/** A connection has ended: what it holds goes back. Body: the owner. */
export function disconnected(owner: Owner): OwnOperation {
  return { code: operationCodes.disconnected, encode: (writer) => writeOwner(writer, owner) };
}

/** A node has started: what its earlier runs hold goes back. Body: f64 node, f64 run. */
export function restarted(node: number, run: number): OwnOperation {
  return {
    code: operationCodes.restarted,
    encode(writer) {
      writer.f64(node);
      writer.f64(run);
    },
  };
}
