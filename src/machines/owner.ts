/**
 * Who holds leased tasks and active sessions: a connection of one run of one node (DESIGN: owners). When the connection ends, or the node starts again, what it held
 * goes back at once. What is *detached* belongs to nobody, and goes back only when its time is over.
 */
import type { Moment } from "./machine.ts";
import type { OperationReader, OperationWriter } from "./operation.ts";

export interface Owner {
  readonly node: number;
  /** No other run of any node has the same. */
  readonly run: number;
  /** From 1 on within the run. */
  readonly connection: number;
}

export const detached: Owner = { node: 0, run: 0, connection: 0 };

export function isDetached(owner: Owner): boolean {
  return owner.connection === 0;
}

/** Bytes of {@link writeOwner}. */
export const ownerBytes = 24;

/** f64 node, f64 run, f64 connection. */
export function writeOwner(writer: OperationWriter, owner: Owner): void {
  writer.f64(owner.node);
  writer.f64(owner.run);
  writer.f64(owner.connection);
}

export function readOwner(reader: OperationReader): Owner {
  return { node: reader.f64(), run: reader.f64(), connection: reader.f64() };
}

/** A machine of which owners hold rows. */
export interface Holder {
  /** Gives back up to `maxRows` of what an owner holds, lowest numbers first; returns how many. */
  release(owner: Owner, moment: Moment, maxRows: number): number;
  /** As {@link release}, for all owners of a node but those of `run`. */
  releaseEarlier(node: number, run: number, moment: Moment, maxRows: number): number;
}

/** What each owner holds, by number: an index beside a table, kept by its hook. */
export class Holdings {
  /** Node → run → connection → numbers. */
  readonly #nodes = new Map<number, Map<number, Map<number, Set<number>>>>();

  add(owner: Owner, number: number): void {
    const runs = getOrMake(
      this.#nodes,
      owner.node,
      () => new Map<number, Map<number, Set<number>>>(),
    );
    const connections = getOrMake(runs, owner.run, () => new Map<number, Set<number>>());
    getOrMake(connections, owner.connection, () => new Set<number>()).add(number);
  }

  remove(owner: Owner, number: number): void {
    const runs = this.#nodes.get(owner.node);
    const connections = runs?.get(owner.run);
    const numbers = connections?.get(owner.connection);
    if (runs === undefined || connections === undefined || numbers === undefined) return;
    numbers.delete(number);
    if (numbers.size > 0) return;
    connections.delete(owner.connection);
    if (connections.size > 0) return;
    runs.delete(owner.run);
    if (runs.size === 0) this.#nodes.delete(owner.node);
  }

  /** What an owner holds, rising, at most `maxCount`. */
  of(owner: Owner, maxCount: number): number[] {
    const numbers = this.#nodes.get(owner.node)?.get(owner.run)?.get(owner.connection);
    return lowest(numbers === undefined ? [] : [...numbers], maxCount);
  }

  /** What owners of a node hold, but those of `run`; rising, at most `maxCount`. */
  ofEarlier(node: number, run: number, maxCount: number): number[] {
    const found: number[] = [];
    for (const [each, connections] of this.#nodes.get(node) ?? []) {
      if (each === run) continue;
      for (const numbers of connections.values()) for (const number of numbers) found.push(number);
    }
    return lowest(found, maxCount);
  }
}

function lowest(numbers: number[], maxCount: number): number[] {
  return numbers.sort((a, b) => a - b).slice(0, maxCount);
}

function getOrMake<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
