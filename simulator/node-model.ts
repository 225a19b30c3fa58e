/**
 * One partition's state machines once more, in plain JavaScript: what DESIGN §8 says of records, once and groups, without tables, slabs,
 * undo lists or checkpoints. It is fed the batches that are in the log; a node must answer and hold what the model does.
 */
import { must, unreachable } from "../src/base/assert.ts";
import { limits } from "../src/base/limits.ts";
import type { Outcome, RecordStatus } from "../src/machines/outcome.ts";
import { textOfOperation } from "./node-operations.ts";
import type {
  LoggedBatch,
  LoggedOperation,
  PlainDelete,
  PlainGroup,
  PlainRecordOperation,
  PlainSet,
} from "./node-operations.ts";

export interface ModelRecord {
  readonly version: number;
  /** Log time, 0 = never. */
  readonly expiry: number;
  readonly value: Buffer;
}

interface Remembered {
  readonly time: number;
  readonly number: number;
  readonly text: string;
  readonly outcome: Outcome;
}

/** Request ids are forgotten in steps of this much id time. */
const bucketMs = 100;
const forgetMaxRows = 16;

export class PartitionModel {
  number = 0;
  timestamp = 0;
  /** Position of the last entry fed. */
  position = 0;
  horizon = -1;
  /** Rows, those included that have expired and were not removed yet. */
  #records = new Map<string, ModelRecord>();
  #once = new Map<string, Remembered>();
  /** How often an operation with this request id took effect. */
  readonly effects: Map<string, number>;

  constructor(effects = new Map<string, number>()) {
    this.effects = effects;
  }

  clone(): PartitionModel {
    const copy = new PartitionModel(new Map(this.effects));
    copy.number = this.number;
    copy.timestamp = this.timestamp;
    copy.position = this.position;
    copy.horizon = this.horizon;
    copy.#records = new Map(this.#records);
    copy.#once = new Map(this.#once);
    return copy;
  }

  get rows(): number {
    return this.#records.size + this.#once.size;
  }

  /** The records that can be seen. */
  visible(): Map<string, ModelRecord> {
    return new Map([...this.#records].filter(([key]) => this.#find(key) !== undefined));
  }

  /** Applies the entry at the next position; returns the outcomes of its operations. */
  feed(batch: LoggedBatch | undefined): Outcome[] {
    this.position++;
    if (batch === undefined) return [];
    this.timestamp = Math.max(this.timestamp, batch.timestamp);
    return batch.operations.map((logged) => this.#apply(logged));
  }

  #apply(logged: LoggedOperation): Outcome {
    const { requestId } = logged;
    if (requestId === undefined) return this.#applyNew(logged);
    const text = textOfOperation(logged.operation);
    const known = this.#once.get(requestId);
    const time = versionSevenMs(requestId);
    if (known === undefined) {
      if (time !== undefined && time > this.timestamp + limits.requestAheadMaxMs)
        return this.#refuse("REQUESTAHEAD");
      if (time !== undefined && time <= this.horizon) return this.#refuse("REQUESTTOOOLD");
      const outcome = this.#applyNew(logged);
      this.effects.set(requestId, (this.effects.get(requestId) ?? 0) + 1);
      const row = { time: time ?? this.timestamp, number: this.number, text, outcome };
      this.#once.set(requestId, row);
      this.#forget(forgetMaxRows);
      return outcome;
    }
    if (known.text !== text) return this.#refuse("REQUESTREUSED");
    this.number++;
    return this.#readAgain(known.outcome, logged);
  }

  #refuse(code: "REQUESTAHEAD" | "REQUESTTOOOLD" | "REQUESTREUSED"): Outcome {
    this.number++;
    return { kind: "error", code, text: "" };
  }

  /** What a group read is not remembered. */
  #readAgain(outcome: Outcome, { operation }: LoggedOperation): Outcome {
    if (outcome.kind !== "group" || operation.kind !== "group") return outcome;
    const outcomes = outcome.outcomes.map((inner, index) => {
      const asked = must(operation.operations[index]);
      return inner.kind === "value" ? this.#applyRecord(asked) : inner;
    });
    return { kind: "group", outcomes };
  }

  #applyNew({ operation }: LoggedOperation): Outcome {
    this.number++;
    switch (operation.kind) {
      case "group":
        return this.#applyGroup(operation);
      case "due":
        this.#handleDue();
        return { kind: "done" };
      case "digest":
        return { kind: "done" };
      case "set":
      case "delete":
      case "get":
        return this.#applyRecord(operation);
      default:
        return unreachable(operation);
    }
  }

  #applyGroup(group: PlainGroup): Outcome {
    const before = new Map(this.#records);
    const outcomes: Outcome[] = [];
    for (const [index, operation] of group.operations.entries()) {
      this.number++;
      const outcome = this.#applyRecord(operation);
      const code = outcome.kind === "record" ? abortCodes[outcome.status] : undefined;
      if (code !== undefined) {
        this.#records = before;
        return { kind: "aborted", index, code, text: "" };
      }
      outcomes.push(outcome);
    }
    return { kind: "group", outcomes };
  }

  #applyRecord(operation: PlainRecordOperation): Outcome {
    const existing = this.#find(operation.key);
    if (operation.kind === "get")
      return { kind: "value", version: existing?.version ?? 0, value: existing?.value };
    const refused = refusal(operation, existing);
    if (refused !== undefined)
      return { kind: "record", status: refused, version: existing?.version ?? 0 };
    if (operation.kind === "delete") {
      if (existing === undefined) return { kind: "record", status: "missing", version: 0 };
      this.#records.delete(operation.key);
      return { kind: "record", status: "deleted", version: existing.version };
    }
    const { key, value, expiryMs } = operation;
    const expiry = expiryMs === 0 ? 0 : this.timestamp + expiryMs;
    this.#records.set(key, { version: this.number, expiry, value });
    const status = existing === undefined ? "created" : "updated";
    return { kind: "record", status, version: this.number };
  }

  #find(key: string): ModelRecord | undefined {
    const record = this.#records.get(key);
    const gone = record === undefined || (record.expiry !== 0 && record.expiry <= this.timestamp);
    return gone ? undefined : record;
  }

  #handleDue(): void {
    const left = limits.dueMaxRows - this.#forget(limits.dueMaxRows);
    const due = [...this.#records]
      .filter(([, { expiry }]) => expiry !== 0 && expiry <= this.timestamp)
      .sort(([, a], [, b]) => a.expiry - b.expiry || a.version - b.version);
    for (const [key] of due.slice(0, left)) this.#records.delete(key);
  }

  #forget(maxRows: number): number {
    const before = this.timestamp - limits.onceWindowMs;
    const old = [...this.#once]
      .filter(([, row]) => bucketOf(row) + bucketMs <= before)
      .sort(([, a], [, b]) => bucketOf(a) - bucketOf(b) || a.number - b.number)
      .slice(0, maxRows);
    for (const [id, row] of old) {
      this.#once.delete(id);
      this.horizon = Math.max(this.horizon, bucketOf(row) + bucketMs - 1);
    }
    return old.length;
  }
}

function bucketOf({ time }: Remembered): number {
  return Math.floor(time / bucketMs) * bucketMs;
}

const abortCodes: Partial<Record<RecordStatus, "EXISTS" | "NOTFOUND" | "VERSIONCONFLICT">> = {
  exists: "EXISTS",
  notfound: "NOTFOUND",
  conflict: "VERSIONCONFLICT",
};

/** The condition that does not hold, if one does not. */
function refusal(
  operation: PlainSet | PlainDelete,
  existing: ModelRecord | undefined,
): RecordStatus | undefined {
  const condition =
    operation.kind === "set"
      ? operation.condition
      : operation.version === undefined
        ? "none"
        : "version";
  if (condition === "nx") return existing === undefined ? undefined : "exists";
  if (condition === "xx") return existing === undefined ? "notfound" : undefined;
  if (condition === "none" || (existing?.version ?? 0) === operation.version) return undefined;
  return existing === undefined ? "notfound" : "conflict";
}

/** Time of a version 7 UUID's text, `undefined` for any other id. */
function versionSevenMs(id: string): number | undefined {
  const match = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.exec(
    id,
  );
  return match === null ? undefined : Number.parseInt(must(match[1]) + must(match[2]), 16);
}

/** Equal for outcomes that say the same; texts for people left out. */
export function textOfOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case "record":
      return `${outcome.status} ${outcome.version}`;
    case "value":
      return `value ${outcome.version} ${outcome.value?.toString("latin1") ?? "none"}`;
    case "group":
      return `group [${outcome.outcomes.map(textOfOutcome).join("; ")}]`;
    case "aborted":
      return `aborted ${outcome.index} ${outcome.code}`;
    case "error":
      return `error ${outcome.code}`;
    case "done":
      return "done";
    // Of queues and sessions, which this simulation does not play.
    case "queue":
    case "pushed":
    case "tasks":
    case "settled":
    case "count":
    case "session":
    case "sessions":
      return JSON.stringify(outcome);
    default:
      return unreachable(outcome);
  }
}
