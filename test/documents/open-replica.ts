/** Replicas, patches and plain peers' transactions, in few words. */
import assert from "node:assert/strict";
import { VirtualClock } from "../../src/base/virtual-clock.ts";
import type { WireTransaction } from "../../src/documents/exchange.ts";
import { HybridClock } from "../../src/documents/hybrid-clock.ts";
import type { ReplicaBase } from "../../src/documents/replica-base.ts";
import { Replica } from "../../src/documents/replica.ts";
import type { Json } from "../../src/patch/json.ts";

interface Settings {
  readonly wallMs?: number;
  readonly lenient?: boolean;
  readonly maxTail?: number;
  readonly base?: ReplicaBase;
}

export function open(source: string, settings: Settings = {}): Replica {
  const { wallMs = 1_000, lenient = false, ...rest } = settings;
  const replica = unrestored(source, { wallMs, lenient, ...rest });
  replica.restored();
  return replica;
}

export function unrestored(
  source: string,
  { wallMs = 1_000, lenient = false, ...rest }: Settings,
): Replica {
  return new Replica({
    name: "d",
    source,
    lenient,
    clock: new HybridClock(new VirtualClock(wallMs)),
    ...rest,
  });
}

export function issue(replica: Replica, ...operations: Json[]): WireTransaction {
  const issued = replica.issue(operations);
  assert.equal(issued.kind, "issued");
  const [transaction] = issued.transactions;
  assert.ok(transaction !== undefined);
  return transaction;
}

export const add = (path: string, value: Json): Json => ({ op: "add", path, value });
export const replace = (path: string, value: Json): Json => ({ op: "replace", path, value });
export const plain = (source: string, id: number, ...operations: Json[]): WireTransaction => ({
  source,
  id,
  payload: JSON.stringify(operations),
});
