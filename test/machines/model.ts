/**
 * What one partition must do, written as plainly as can be: maps that are copied, lists that are sorted. It knows of the real machines
 * only how many bytes a stored outcome has.
 */
import { must } from "../../src/base/assert.ts";
import { type ErrorOutcome, type Outcome, type RecordStatus } from "../../src/machines/outcome.ts";
import { encodeOutcome } from "../../src/machines/outcome-codec.ts";
import type { Batch, Body, GroupRequest, Request, SimpleRequest } from "./replica.ts";

interface Row {
  readonly value: string;
  readonly version: number;
  readonly expiry: number;
}

interface Remembered {
  readonly id: string;
  readonly step: number;
  readonly number: number;
  readonly body: string;
  readonly outcome: Outcome;
  readonly cost: number;
}

const windowMs = 600_000;
const stepMs = 100;

export class Model {
  records = new Map<string, Row>();
  once: Remembered[] = [];
  horizon = -1;
  number = 0;
  timestamp = 0;
  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  apply(batch: Batch): Outcome[] {
    this.timestamp = Math.max(this.timestamp, batch.timestamp);
    return batch.requests.map((request) => this.#request(request));
  }

  /** What a client reads now. */
  read(key: string): Row | undefined {
    const row = this.records.get(key);
    return row === undefined || (row.expiry !== 0 && row.expiry <= this.timestamp)
      ? undefined
      : row;
  }

  #request({ id, ...body }: Request): Outcome {
    this.number++;
    if (id === undefined) return this.#body(body);
    const text = JSON.stringify(body);
    const known = this.once.find((one) => one.id === id);
    if (known !== undefined) {
      if (known.body === text) return this.#recalled(body, known.outcome);
      return error("REQUESTREUSED");
    }
    const time = timeOf(id);
    if (time !== undefined && time > this.timestamp + 60_000) return error("REQUESTAHEAD");
    if (time !== undefined && time <= this.horizon) return error("REQUESTTOOOLD");
    const outcome = this.#body(body);
    const step = Math.floor((time ?? this.timestamp) / stepMs);
    const cost = 16 + id.length + 20 + encodeOutcome(outcome).length + 48;
    this.once.push({ id, step, number: this.number, body: text, outcome, cost });
    this.once.sort((a, b) => a.step - b.step || a.number - b.number);
    this.#forget(16);
    return outcome;
  }

  #forget(most: number): number {
    let count = 0;
    for (;;) {
      const oldest = this.once[0];
      if (oldest === undefined) return count;
      const full = this.once.reduce((sum, { cost }) => sum + cost, 0) > this.#maxBytes;
      const old = (oldest.step + 1) * stepMs <= this.timestamp - windowMs;
      if (!(full && count < 256) && !(old && count < most)) return count;
      this.once.shift();
      this.horizon = Math.max(this.horizon, (oldest.step + 1) * stepMs - 1);
      count++;
    }
  }

  #recalled(body: Body, outcome: Outcome): Outcome {
    if (outcome.kind === "value") return this.#simple(body as SimpleRequest);
    if (outcome.kind !== "group") return outcome;
    const { requests } = body as GroupRequest;
    return {
      kind: "group",
      outcomes: outcome.outcomes.map((one, at) =>
        one.kind === "value" ? this.#simple(must(requests[at])) : one,
      ),
    };
  }

  #body(body: Body): Outcome {
    if (body.kind === "due") {
      let left = 1_024 - this.#forget(1_024);
      const rows = [...this.records].sort(
        ([, a], [, b]) => a.expiry - b.expiry || a.version - b.version,
      );
      for (const [key, { expiry }] of rows)
        if (expiry !== 0 && expiry <= this.timestamp && left-- > 0) this.records.delete(key);
      return { kind: "done" };
    }
    return body.kind === "group" ? this.#group(body) : this.#simple(body);
  }

  #group({ requests }: GroupRequest): Outcome {
    const before = new Map(this.records);
    const outcomes: Outcome[] = [];
    for (const [index, request] of requests.entries()) {
      this.number++;
      const outcome = this.#simple(request);
      const reason = reasonOf(outcome);
      if (reason !== undefined) {
        this.records = before;
        return { kind: "aborted", index, ...reason };
      }
      outcomes.push(outcome);
    }
    return { kind: "group", outcomes };
  }

  #simple(request: SimpleRequest): Outcome {
    const row = this.read(request.key);
    const version = row?.version ?? 0;
    if (request.kind === "get") {
      return {
        kind: "value",
        version,
        value: row === undefined ? undefined : Buffer.from(row.value),
      };
    }
    if (request.kind === "delete") {
      if (request.version !== undefined && request.version !== version)
        return record(row === undefined ? "notfound" : "conflict", version);
      if (row !== undefined) this.records.delete(request.key);
      return record(row === undefined ? "missing" : "deleted", version);
    }
    const { condition, version: required, expiryMs } = request.options;
    if (condition === "nx" && row !== undefined) return record("exists", version);
    if (condition === "xx" && row === undefined) return record("notfound", 0);
    if (condition === "version" && required !== version)
      return record(row === undefined ? "notfound" : "conflict", version);
    const expiry = expiryMs === 0 ? 0 : this.timestamp + expiryMs;
    this.records.set(request.key, { value: request.value, version: this.number, expiry });
    return record(row === undefined ? "created" : "updated", this.number);
  }
}

/** The text too: it counts among the bytes that are remembered. */
function reasonOf(outcome: Outcome): Pick<ErrorOutcome, "code" | "text"> | undefined {
  if (outcome.kind !== "record") return undefined;
  const { status, version } = outcome;
  if (status === "exists")
    return { code: "EXISTS", text: `the record exists with version ${version}` };
  if (status === "notfound") return { code: "NOTFOUND", text: "the record does not exist" };
  if (status === "conflict")
    return { code: "VERSIONCONFLICT", text: `the record has version ${version}` };
  return undefined;
}

function record(status: RecordStatus, version: number): Outcome {
  return { kind: "record", status, version };
}

function error(code: ErrorOutcome["code"]): Outcome {
  return { kind: "error", code, text: "" };
}

/** Time of a version 7 id; `undefined` for any other. */
function timeOf(id: string): number | undefined {
  const hex = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.exec(id);
  return hex === null ? undefined : Number.parseInt(`${hex[1]}${hex[2]}`, 16);
}
