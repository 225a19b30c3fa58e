/**
 * Definitions: plain values that producers, consumers and the configuration of a node share. They name a queue, a kind of sessions or the records of a kind, and give
 * their values a type by a schema of zod, valibot, arktype or any other of Standard Schema (https://standardschema.dev).
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { slotOf } from "../placement/slots.ts";
import type { Int64, QueueOrder, QueueSettings } from "../protocol/requests.ts";
import { type Duration, durationMs } from "./duration.ts";
import { rawValues, SchemaValues, type ValueCodec } from "./values.ts";

/** What a definition without a schema takes. */
export type RawIn = Uint8Array | string;
type SchemaOrNone = StandardSchemaV1 | undefined;
/** The type that goes in, given the schema. */
export type InOf<S extends SchemaOrNone> = S extends StandardSchemaV1
  ? StandardSchemaV1.InferInput<S>
  : RawIn;
/** The type that comes out. */
export type OutOf<S extends SchemaOrNone> = S extends StandardSchemaV1
  ? StandardSchemaV1.InferOutput<S>
  : Uint8Array;

/** Settings of a queue, for {@link queue}. */
export interface QueueOptions<S extends SchemaOrNone = undefined> {
  /** What its tasks are. Without one they are bytes: pushed as Uint8Array or string, delivered as Uint8Array. */
  readonly schema?: S;
  /** Which priorities it takes: none (default; strictly first in, first out), any signed 64-bit number, or those from `min` to `max`. */
  readonly priorities?: "any" | { readonly min: Int64; readonly max: Int64 };
  /** Which priority goes first. Default lowest. In one priority tasks go in the order in which they were pushed. */
  readonly order?: QueueOrder;
  /** Tasks that wait, are delayed or are in hand, at most (QUEUEFULL). Default no limit. */
  readonly maxSize?: number;
  /** Bytes of one task, at most (PAYLOADTOOLARGE). */
  readonly maxPayload?: number;
  /** How long a task is lent to who takes it. Default 30 s, at least 100 ms. */
  readonly lease?: Duration;
  /** Deliveries after which a task is dead; 0 = never. Default 20. */
  readonly maxDeliveries?: number;
  /** Queue that dead tasks go to, in the same entry of the log; `true` = `{name}.dead`, which is on the same partition. Without one they stay, as dead. */
  readonly deadLetter?: string | true;
  /** How long the dedup id of a push is remembered. Default 5 min. */
  readonly dedupWindow?: Duration;
}

/** A queue, defined by {@link queue}. */
export interface QueueDefinition<In, Out> {
  readonly name: string;
  readonly settings: QueueSettings;
  readonly values: ValueCodec<In, Out>;
}

/**
 * Defines a queue. Nothing is made by it: `db.queue(definition).create()` does that.
 *
 * ```ts
 * const emails = queue("emails", { schema: z.object({ to: z.email() }), lease: "1m", deadLetter: true });
 * await db.queue(emails).push({ to: "ann@example.org" });
 * ```
 *
 * Throws TrubaError BADVALUE for a duration that is none, and for a dead-letter name that cannot be made.
 */
export function queue<S extends SchemaOrNone = undefined>(
  name: string,
  options: QueueOptions<S> = {},
): QueueDefinition<InOf<S>, OutOf<S>> {
  return {
    name,
    settings: queueSettings(name, options),
    values: codecOf(options.schema, `queue "${name}"`),
  };
}

/** Settings of a kind of sessions, for {@link session}. All but `record` are of the configuration: `open` takes them, `connect` leaves them to the node's. */
export interface SessionOptions<S extends SchemaOrNone = undefined> {
  /** What its records are. Without one they are bytes. */
  readonly record?: S;
  /** 0 to 4,294,967,295, no other kind's: sessions remember their kind by it, so the kind may change its name. Default: one that follows from the name. */
  readonly number?: number;
  /** After which time a session that was put off is handled again. Default 5 s. */
  readonly delay?: Duration;
  /** By how much of random time more, at most. Default 1 s. */
  readonly spread?: Duration;
  /** Deliveries after which a session is dead; 0 = never. Default 20. */
  readonly repeats?: number;
  /** Bytes of all its records, at most (SESSIONTOOLONG). Default 1 MiB. */
  readonly maxBytes?: number;
  /** Time without a sign of life after which its owner counts as hung. Default 30 s. */
  readonly silence?: Duration;
}

/** What a kind's definition sets; `undefined` = the default. */
export interface SessionSettings {
  readonly number?: number;
  readonly delayMs?: number;
  readonly spreadMs?: number;
  readonly maxRepeats?: number;
  readonly maxBytes?: number;
  readonly silenceMs?: number;
}

/** A kind of sessions, defined by {@link session}. */
export interface SessionDefinition<In, Out> {
  readonly kind: string;
  readonly settings: SessionSettings;
  readonly values: ValueCodec<In, Out>;
}

/**
 * Defines a kind of sessions.
 *
 * ```ts
 * const checkout = session("checkout", { record: z.object({ step: z.string() }), silence: "15s" });
 * const db = await open("./data", { sessions: [checkout] });
 * ```
 *
 * Throws TrubaError BADVALUE for a duration that is none.
 */
export function session<S extends SchemaOrNone = undefined>(
  kind: string,
  options: SessionOptions<S> = {},
): SessionDefinition<InOf<S>, OutOf<S>> {
  const { number, delay, spread, repeats, maxBytes, silence } = options;
  const name = `session kind "${kind}"`;
  const settings: SessionSettings = {
    ...(number === undefined ? {} : { number }),
    ...(delay === undefined ? {} : { delayMs: durationMs(delay, `delay of ${name}`) }),
    ...(spread === undefined ? {} : { spreadMs: durationMs(spread, `spread of ${name}`) }),
    ...(repeats === undefined ? {} : { maxRepeats: repeats }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(silence === undefined ? {} : { silenceMs: durationMs(silence, `silence of ${name}`) }),
  };
  return { kind, settings, values: codecOf(options.record, name) };
}

/** Records of one type, defined by {@link records}. */
export interface RecordDefinition<In, Out> {
  readonly values: ValueCodec<In, Out>;
}

/**
 * Defines records: values under keys, which are UUIDs of version 4, with a `{tag}` before them perhaps.
 *
 * ```ts
 * const orders = records({ schema: z.object({ total: z.number() }) });
 * await db.records(orders).set(crypto.randomUUID(), { total: 12 });
 * ```
 */
export function records<S extends SchemaOrNone = undefined>(
  options: { readonly schema?: S } = {},
): RecordDefinition<InOf<S>, OutOf<S>> {
  return { values: codecOf(options.schema, "a record") };
}

function codecOf<S extends SchemaOrNone>(
  schema: S | undefined,
  name: string,
): ValueCodec<InOf<S>, OutOf<S>> {
  const values = schema === undefined ? rawValues : new SchemaValues(schema, name);
  return values as ValueCodec<InOf<S>, OutOf<S>>;
}

function queueSettings(name: string, options: QueueOptions<SchemaOrNone>): QueueSettings {
  const { priorities, order, maxSize, maxPayload, lease, maxDeliveries, dedupWindow } = options;
  const { deadLetter } = options;
  const range = typeof priorities === "object" ? priorities : undefined;
  return {
    implementation: implementationOf(name, priorities),
    ...(order === undefined ? {} : { order }),
    ...(range === undefined ? {} : { priorityMin: range.min, priorityMax: range.max }),
    ...(maxSize === undefined ? {} : { maxSize }),
    ...(maxPayload === undefined ? {} : { maxPayloadBytes: maxPayload }),
    ...(lease === undefined ? {} : { leaseMs: durationMs(lease, `lease of queue "${name}"`) }),
    ...(maxDeliveries === undefined ? {} : { maxDeliveries }),
    ...(deadLetter === undefined
      ? {}
      : { deadLetter: deadLetter === true ? deadLetterOf(name) : deadLetter }),
    ...(dedupWindow === undefined
      ? {}
      : { dedupMs: durationMs(dedupWindow, `dedup window of queue "${name}"`) }),
  };
}

/** A small range is an array of queues; any other priorities are a heap. */
function implementationOf(
  name: string,
  priorities: QueueOptions["priorities"],
): "fifo" | "priority" | "range" {
  if (priorities === undefined) return "fifo";
  if (priorities === "any") return "priority";
  const { min, max } = priorities;
  for (const bound of [min, max]) {
    if (typeof bound === "bigint" || Number.isSafeInteger(bound)) continue;
    throw new TrubaError(
      "BADVALUE",
      `a priority of queue "${name}" is ${bound}; priorities are whole numbers, beyond 2^53 - 1 bigints`,
    );
  }
  const width = BigInt(max) - BigInt(min) + 1n;
  return width <= BigInt(limits.priorityRangeMaxCount) ? "range" : "priority";
}

/** A name for the dead tasks of a queue, on its slot. */
function deadLetterOf(name: string): string {
  const bytes = new TextEncoder();
  const slot = slotOf(bytes.encode(name));
  for (const candidate of [`{${name}}.dead`, `${name}.dead`])
    if (slotOf(bytes.encode(candidate)) === slot) return candidate;
  throw new TrubaError(
    "BADVALUE",
    `no name for the dead tasks of queue "${name}" follows from it, because of its braces; name a dead-letter queue with the same {tag}`,
  );
}
