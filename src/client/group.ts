/**
 * Atomic groups: operations on queues, sessions and records that are applied together or not at all. The callback of `db.atomic` only records them; they are sent as one
 * request afterwards, so there is nothing to await in it.
 */
import { assert } from "../base/assert.ts";
import { type ErrorCode, TrubaError } from "../base/errors.ts";
import { slotOf } from "../placement/slots.ts";
import type { AnyRequest } from "../protocol/requests.ts";
import type { Caller } from "./caller.ts";
import type { GroupRefusal } from "./channel.ts";
import {
  type QueueDefinition,
  queue,
  type RawIn,
  type RecordDefinition,
  records,
  type SessionDefinition,
  session,
} from "./definitions.ts";
import { type Duration, optionalMs } from "./duration.ts";
import {
  GroupQueue,
  GroupRecords,
  GroupSession,
  GroupSessions,
  type Recorded,
} from "./group-operations.ts";
import type { SessionDesk } from "./held-session.ts";
import type { Session } from "./session.ts";
import { Task } from "./task.ts";

/** What `db.atomic` hands to its callback. All keys must be on one partition: give queues, records and sessions one `{tag}`. */
export class Group {
  readonly #sessions: SessionDesk;
  #recorded: Recorded[] = [];
  #open = true;

  /** For `db.atomic`: applies what was recorded. */
  static commit(group: Group, caller: Caller, signal: AbortSignal | undefined): Promise<void> {
    return group.#commit(caller, signal);
  }

  /** For `db.atomic`: nothing of it was applied, and its tasks and sessions are as before. */
  static undo(group: Group, error: Error): void {
    group.#undo(error);
  }

  constructor(sessions: SessionDesk) {
    this.#sessions = sessions;
  }

  /** Pushes on a queue. */
  queue<In, Out>(definition: QueueDefinition<In, Out>): GroupQueue<In>;
  queue(name: string): GroupQueue<RawIn>;
  queue(definition: QueueDefinition<unknown, unknown> | string): GroupQueue<never> {
    return new GroupQueue(typeof definition === "string" ? queue(definition) : definition, (one) =>
      this.#record(one),
    );
  }

  /** The task is done. The group is not applied unless its lease holds. */
  ack(task: Task<unknown>): void {
    this.#settle(task, "acknowledged", (leases) => ({ verb: "queue.ack", request: leases }));
  }

  /** The task goes back, after a delay perhaps. The group is not applied unless its lease holds. */
  nack(task: Task<unknown>, options: { readonly delay?: Duration } = {}): void {
    const delayMs = optionalMs(options.delay, "delay");
    const delay = delayMs === undefined ? {} : { delayMs };
    this.#settle(task, "given back", (leases) => ({
      verb: "queue.nack",
      request: { ...leases, ...delay },
    }));
  }

  /** The group is not applied unless the task's lease holds. */
  check(task: Task<unknown>): void {
    const { held, desk } = Task.partsOf(task);
    held.mustBeHeld(desk.queue);
    this.#record({
      request: {
        verb: "queue.check",
        request: { queue: desk.queue, leases: [{ task: held.task, lease: held.lease }] },
      },
      key: { text: desk.queue, of: "queue" },
      done() {},
    });
  }

  /** Sets, deletes and checks records. */
  records<In, Out>(definition: RecordDefinition<In, Out>): GroupRecords<In>;
  records(): GroupRecords<RawIn>;
  records(definition: RecordDefinition<unknown, unknown> = records()): GroupRecords<never> {
    return new GroupRecords(definition, (one) => this.#record(one));
  }

  /** Opens sessions. */
  sessions<In, Out>(definition: SessionDefinition<In, Out>): GroupSessions<In, Out>;
  sessions(kind: string): GroupSessions<RawIn, Uint8Array>;
  sessions(
    definition: SessionDefinition<unknown, unknown> | string,
  ): GroupSessions<never, unknown> {
    const defined = typeof definition === "string" ? session(definition) : definition;
    return new GroupSessions(defined, this.#sessions, (one) => this.#record(one));
  }

  /** Writes to a session that you own. The group is not applied unless you still do. */
  session<In, Out>(owned: Session<In, Out>): GroupSession<In, Out> {
    return new GroupSession(owned, (one) => this.#record(one));
  }

  #settle(
    task: Task<unknown>,
    fate: "acknowledged" | "given back",
    request: (leases: { queue: string; leases: { task: number; lease: number }[] }) => AnyRequest,
  ): void {
    const { held, desk } = Task.partsOf(task);
    held.mustBeHeld(desk.queue);
    this.#record({
      request: request({
        queue: desk.queue,
        leases: [{ task: held.task, lease: held.lease }],
      }),
      key: { text: desk.queue, of: "queue" },
      done: () => desk.settledInGroup(held, fate),
      undone(code, error) {
        if (held.fate === "grouped") held.fate = "held";
        if (code === "LEASELOST") desk.lose(held, error);
      },
    });
    held.fate = "grouped";
  }

  #record(one: Recorded): void {
    if (!this.#open)
      throw new TrubaError(
        "CLOSED",
        "the atomic group is complete: its callback records operations before it returns",
      );
    this.#recorded.push(one);
  }

  async #commit(caller: Caller, signal: AbortSignal | undefined): Promise<void> {
    this.#open = false;
    const recorded = this.#recorded;
    if (recorded.length === 0) return;
    let responses: readonly unknown[];
    try {
      const requests = await Promise.all(recorded.map(async (one) => one.request));
      responses = await caller.atomic(requests, { signal });
    } catch (error) {
      this.#undo(error as Error);
      throw withKeys(error, recorded);
    }
    assert(responses.length === recorded.length, "a group has an answer for each operation");
    for (const [i, one] of recorded.entries()) await one.done(responses[i]);
  }

  #undo(error: Error): void {
    this.#open = false;
    const refusal = refusalOf(error);
    for (const [i, one] of this.#recorded.entries())
      one.undone?.(i === refusal?.index ? (refusal.code as ErrorCode) : undefined, error);
  }
}

/** Which operation kept a group from being applied, if one did. */
function refusalOf(error: unknown): GroupRefusal | undefined {
  if (!(error instanceof TrubaError) || error.code !== "EXECABORT") return undefined;
  const { cause } = error;
  return typeof cause === "object" && cause !== null && "index" in cause
    ? (cause as GroupRefusal)
    : undefined;
}

/** CROSSSLOT with the keys that are apart: what a person needs to mend it. */
function withKeys(error: unknown, recorded: readonly Recorded[]): unknown {
  if (!(error instanceof TrubaError) || error.code !== "CROSSSLOT") return error;
  const bytes = new TextEncoder();
  const bySlot = new Map<number, string>();
  for (const { key } of recorded) {
    if (key === undefined) continue;
    const slot = slotOf(bytes.encode(key.text));
    if (!bySlot.has(slot)) bySlot.set(slot, `${key.of} ${key.text} (slot ${slot})`);
  }
  const named = [...bySlot.values()].slice(0, 8).join(", ");
  const text = `${named} are not all on one partition; put one tag in braces into all names, as in {order-7}`;
  return new TrubaError("CROSSSLOT", text, { cause: error });
}
