/** The database as its users see it, whatever it speaks through: the node in this process, a connection, or HTTP. */
import { type Clock, nextTurn } from "../base/clock.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Random } from "../base/random.ts";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Json } from "../base/json.ts";
import type { QueueStats } from "../protocol/requests.ts";
import { Caller, type CallLimits } from "./caller.ts";
import type { Channel } from "./channel.ts";
import type { Running } from "./consumer.ts";
import {
  queue,
  type QueueDefinition,
  type RawIn,
  type RecordDefinition,
  records,
  session,
  type SessionDefinition,
} from "./definitions.ts";
import { SharedDocument } from "./document.ts";
import { anyJson, type DocumentValues, schemaValues } from "./document-values.ts";
import { type Duration, durationMs } from "./duration.ts";
import { Group } from "./group.ts";
import { SessionDesk } from "./held-session.ts";
import { Queue } from "./queue.ts";
import { Records } from "./records.ts";
import { Sessions } from "./sessions.ts";
import { TaskDesk } from "./task-desk.ts";

/** Options of every client, however it is connected. */
export interface TrubaOptions {
  /** How long a request is tried again that another attempt may mend. Default 30 s. What is under way then is waited for. */
  readonly timeout?: Duration;
}

/**
 * A database: queues, sessions and records, atomic groups over all three, and documents. `open` and `connect` make one. Close it, or declare it with `await using`.
 */
export class Truba implements AsyncDisposable {
  readonly #caller: Caller;
  readonly #sessionDesk: SessionDesk;
  readonly #taskDesks = new Map<string, TaskDesk>();
  readonly #running = new Set<Running>();
  #closing: Promise<void> | undefined;

  /** For who writes a channel; others take `open` or `connect`. The channel is closed with it. */
  constructor(
    channel: Channel,
    world: { clock: Clock; random: Random },
    options: TrubaOptions = {},
  ) {
    const { timeout = limits.clientTimeoutMs } = options;
    this.#caller = new Caller({ channel, ...world, timeoutMs: durationMs(timeout, "timeout") });
    this.#sessionDesk = new SessionDesk(this.#caller);
    channel.onLoss?.(() => this.#lose());
  }

  /**
   * A queue, by its definition, or by its name for tasks of bytes. Asks nothing and makes nothing.
   *
   * ```ts
   * await db.queue("default").push("hello");
   * ```
   */
  queue<In, Out>(definition: QueueDefinition<In, Out>): Queue<In, Out>;
  queue(name: string): Queue<RawIn, Uint8Array>;
  queue<In, Out>(definition: QueueDefinition<In, Out> | string): Queue<In, Out> {
    // Called with a name it is the overload for bytes.
    const defined =
      typeof definition === "string" ? (queue(definition) as QueueDefinition<In, Out>) : definition;
    const desk = this.#taskDesk(defined.name);
    return new Queue(defined, { caller: this.#caller, desk, running: this.#running });
  }

  /** Settings and counts of queues, by name behind `after`. At most 1,000; default 100. */
  async queues(
    options: { readonly after?: string; readonly count?: number } & CallLimits = {},
  ): Promise<readonly QueueStats[]> {
    const { after, count } = options;
    const request = {
      ...(after === undefined ? {} : { after }),
      ...(count === undefined ? {} : { count }),
    };
    return (await this.#caller.call("queue.list", request, options)).queues;
  }

  /** Sessions of a kind, by its definition, or by its name for records of bytes. */
  sessions<In, Out>(definition: SessionDefinition<In, Out>): Sessions<In, Out>;
  sessions(kind: string): Sessions<RawIn, Uint8Array>;
  sessions<In, Out>(definition: SessionDefinition<In, Out> | string): Sessions<In, Out> {
    const defined =
      typeof definition === "string"
        ? (session(definition) as SessionDefinition<In, Out>)
        : definition;
    return new Sessions(defined, this.#sessionDesk, this.#running);
  }

  /** Records of a type, or of bytes. */
  records<In, Out>(definition: RecordDefinition<In, Out>): Records<In, Out>;
  records(): Records<RawIn, Uint8Array>;
  records(definition: RecordDefinition<unknown, unknown> = records()): Records<never, unknown> {
    return new Records(definition, this.#caller);
  }

  /**
   * A JSON document that several nodes write, by its name: 1 to 128 of `A-Z a-z 0-9 . _ ~ -`. With a schema (https://standardschema.dev) what is read, and what is put, must fit it; patches are
   * what they are. Asks nothing and makes nothing.
   *
   * ```ts
   * await db.document("default").patch([{ op: "add", path: "/a", value: 1 }]);
   * ```
   */
  document(name: string): SharedDocument<unknown, Json>;
  document<S extends StandardSchemaV1>(
    name: string,
    schema: S,
  ): SharedDocument<StandardSchemaV1.InferInput<S>, StandardSchemaV1.InferOutput<S>>;
  document(name: string, schema?: StandardSchemaV1): SharedDocument<unknown, unknown> {
    const values: DocumentValues<unknown, unknown> =
      schema === undefined ? anyJson : schemaValues(schema, name);
    return new SharedDocument({ name, values, caller: this.#caller, running: this.#running });
  }

  /** Names of documents, sorted, behind `after`. At most 1,000; default 100. */
  async documents(
    options: { readonly after?: string; readonly count?: number } & CallLimits = {},
  ): Promise<readonly string[]> {
    const { signal, ...request } = options;
    return (await this.#caller.document("doc.list", request, { signal })).names;
  }

  /**
   * Does several writes as one entry of the log: all of them, or none. The callback records them and must not be asynchronous; what it returns is returned once they
   * are durable.
   *
   * ```ts
   * await db.atomic((group) => {
   *   group.ack(task);
   *   group.records(orders).set(key, order, { ifVersion: seen.version });
   *   group.queue(emails).push({ to });
   *   group.session(session).append({ step: "paid" });
   * });
   * ```
   *
   * Rejects with EXECABORT when nothing was applied, because a condition did not hold: its cause has `index`, `code` and `text` of the operation. Rejects with CROSSSLOT
   * when the keys are not on one partition; the text names them.
   */
  async atomic<T>(record: (group: Group) => T, options: CallLimits = {}): Promise<T> {
    const group = new Group(this.#sessionDesk);
    let result: T;
    try {
      result = record(group);
      if (result instanceof Promise) {
        result.catch(() => {});
        throw new TrubaError(
          "BADVALUE",
          "the callback of atomic() must not be asynchronous: it records operations, which are sent when it returns",
        );
      }
    } catch (error) {
      Group.undo(group, error as Error);
      throw error;
    }
    await Group.commit(group, this.#caller, options.signal);
    return result;
  }

  /** Stops consumers, workers and handlers, sends what was settled, gives back what is held, and closes the channel; embedded, the node too. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** As {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    for (const one of this.#running) one.close();
    // Handlers that heed their signals end now.
    await nextTurn(this.#caller.clock);
    await Promise.all([...this.#taskDesks.values()].map((desk) => desk.settled()));
    await this.#caller.channel.close();
    this.#release(new TrubaError("CLOSED", "the database was closed"));
  }

  #taskDesk(queueName: string): TaskDesk {
    let desk = this.#taskDesks.get(queueName);
    if (desk === undefined) {
      desk = new TaskDesk(this.#caller, queueName);
      this.#taskDesks.set(queueName, desk);
    }
    return desk;
  }

  #lose(): void {
    const text = "the connection through which it was held is lost, and it has gone back";
    for (const desk of this.#taskDesks.values()) desk.loseAll(new TrubaError("LEASELOST", text));
    this.#sessionDesk.loseConnected(new TrubaError("FENCED", text));
  }

  #release(error: TrubaError): void {
    for (const desk of this.#taskDesks.values()) desk.loseAll(error);
    this.#sessionDesk.loseAll(error);
  }
}
