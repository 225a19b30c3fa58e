/** What can be recorded in an atomic group: operations on queues, records and sessions. */
import { type ErrorCode, TrubaError } from "../base/errors.ts";
import type { AnyRequest, SessionHandle, StoredResponse } from "../protocol/requests.ts";
import type { QueueDefinition, RecordDefinition, SessionDefinition } from "./definitions.ts";
import { type Duration, optionalMs } from "./duration.ts";
import type { SessionDesk } from "./held-session.ts";
import { type Pushed, type PushOptions, pushRequest } from "./queue.ts";
import { type SetOptions, setRequest } from "./records.ts";
import { Session } from "./session.ts";

/** What an operation of a group answers: known once `db.atomic` has resolved. */
export class Later<T> {
  #known: { readonly value: T } | undefined;

  /** For atomic groups. */
  static settle<U>(later: Later<U>, value: U): void {
    later.#known = { value };
  }

  /** Throws TrubaError CLOSED before the group is applied, and if it was not. */
  get value(): T {
    if (this.#known !== undefined) return this.#known.value;
    throw new TrubaError("CLOSED", "the atomic group was not applied, or is not yet");
  }
}

/** One recorded operation. */
export interface Recorded {
  readonly request: AnyRequest | Promise<AnyRequest>;
  /** The key that decides its partition, and what it is called; `undefined` = the group's own. */
  readonly key: { readonly text: string; readonly of: string } | undefined;
  done(response: unknown): void | Promise<void>;
  /** The group was not applied; `code` if because of this operation. */
  undone?(code: ErrorCode | undefined, error: Error): void;
}

export type RecordOne = (one: Recorded) => void;

/** A queue in a group. */
export class GroupQueue<In> {
  readonly #definition: QueueDefinition<In, unknown>;
  readonly #record: RecordOne;

  constructor(definition: QueueDefinition<In, unknown>, record: RecordOne) {
    this.#definition = definition;
    this.#record = record;
  }

  /** As `push` of a queue. */
  push(value: In, options: Omit<PushOptions, "signal"> = {}): Later<Pushed> {
    const { name, values } = this.#definition;
    const request = withBytes(values.encode(value), (payload) => ({
      verb: "queue.push",
      request: pushRequest(name, payload, options),
    }));
    const later = new Later<Pushed>();
    this.#record({
      request,
      key: { text: name, of: "queue" },
      done: (response) => Later.settle(later, response as Pushed),
    });
    return later;
  }
}

/** Records in a group. A condition that does not hold keeps the whole group from being applied. */
export class GroupRecords<In> {
  readonly #definition: RecordDefinition<In, unknown>;
  readonly #record: RecordOne;

  constructor(definition: RecordDefinition<In, unknown>, record: RecordOne) {
    this.#definition = definition;
    this.#record = record;
  }

  /** Answers the record's version. */
  set(key: string, value: In, options: SetOptions = {}): Later<{ readonly version: number }> {
    const request = withBytes(this.#definition.values.encode(value), (bytes) => ({
      verb: "record.set",
      request: setRequest(key, bytes, options),
    }));
    const later = new Later<{ readonly version: number }>();
    this.#record({
      request,
      key: recordKey(key),
      done: (response) => Later.settle(later, response as { version: number }),
    });
    return later;
  }

  /** Answers whether there was one. */
  delete(key: string, options: { readonly ifVersion?: number } = {}): Later<boolean> {
    const later = new Later<boolean>();
    this.#record({
      request: { verb: "record.delete", request: { key, ...options } },
      key: recordKey(key),
      done: (response) =>
        Later.settle(later, (response as { status: string }).status === "deleted"),
    });
    return later;
  }

  /** The group is not applied unless the record has this version; 0 = unless there is none. */
  check(key: string, version: number): void {
    this.#record({
      request: { verb: "record.check", request: { key, ifVersion: version } },
      key: recordKey(key),
      done() {},
    });
  }
}

/** Sessions of a kind in a group. */
export class GroupSessions<In, Out> {
  readonly #definition: SessionDefinition<In, Out>;
  readonly #desk: SessionDesk;
  readonly #record: RecordOne;

  constructor(definition: SessionDefinition<In, Out>, desk: SessionDesk, record: RecordOne) {
    this.#definition = definition;
    this.#desk = desk;
    this.#record = record;
  }

  /** Opens a session, on the group's partition unless a tag is named. */
  new(
    data?: In,
    options: { readonly tag?: string; readonly detached?: boolean } = {},
  ): Later<Session<In, Out>> {
    const { kind, values } = this.#definition;
    const { tag, detached = false } = options;
    const rest = { kind, ...(tag === undefined ? {} : { tag }), ...(detached ? { detached } : {}) };
    const encoded = data === undefined ? undefined : values.encode(data);
    const request: Recorded["request"] =
      encoded === undefined
        ? { verb: "session.new", request: rest }
        : withBytes(encoded, (bytes) => ({
            verb: "session.new",
            request: { ...rest, data: bytes },
          }));
    const later = new Later<Session<In, Out>>();
    const desk = this.#desk;
    this.#record({
      request,
      key: tag === undefined ? undefined : { text: `{${tag}}`, of: "session tag" },
      async done(response) {
        const held = desk.hold(response as SessionHandle, { detached });
        const bytes = await encoded;
        const known = bytes === undefined ? [] : [await values.decode(bytes)];
        const createdAtMs = desk.caller.channel.serverNowMs();
        const facts = { kind, repeats: 0, createdAtMs, records: known };
        Later.settle(later, new Session({ held, desk, values }, facts));
      },
    });
    return later;
  }
}

/** An owned session in a group. */
export class GroupSession<In, Out> {
  readonly #session: Session<In, Out>;
  readonly #record: RecordOne;

  constructor(owned: Session<In, Out>, record: RecordOne) {
    this.#session = owned;
    this.#record = record;
  }

  /** Adds a record. */
  append(record: In): void {
    this.#write("session.append", record, (known) => [...this.#session.records, known]);
  }

  /** Drops the records so far and keeps this one. */
  replace(record: In): void {
    this.#write("session.replace", record, (known) => [known]);
  }

  /** A condition: the group is not applied unless the session is still yours. */
  touch(): void {
    const { held } = this.#parts();
    const { session: id, epoch } = held;
    this.#record({
      request: { verb: "session.touch", request: { session: id, epoch } },
      key: { text: id, of: "session" },
      done() {},
      undone: (code, error) => this.#refused(code, error),
    });
  }

  /** The session is done; it goes. */
  delete(): void {
    const { held } = this.#parts();
    const { session: id, epoch } = held;
    this.#end({ verb: "session.delete", request: { session: id, epoch } }, "deleted");
  }

  /** As `store` of a session. */
  store(after?: Duration): Later<StoredResponse> {
    const { held } = this.#parts();
    const { session: id, epoch } = held;
    const afterMs = optionalMs(after, "after");
    const later = new Later<StoredResponse>();
    const request = { session: id, epoch, ...(afterMs === undefined ? {} : { afterMs }) };
    this.#end({ verb: "session.store", request }, "stored", (response) =>
      Later.settle(later, response as StoredResponse),
    );
    return later;
  }

  #parts(): ReturnType<typeof Session.partsOf<In, Out>> {
    const parts = Session.partsOf(this.#session);
    parts.held.mustBeHeld();
    return parts;
  }

  #write(
    verb: "session.append" | "session.replace",
    record: In,
    next: (known: Out) => readonly Out[],
  ): void {
    const { held, values } = this.#parts();
    const { session: id, epoch } = held;
    const encoded = values.encode(record);
    this.#record({
      request: withBytes(encoded, (data) => ({ verb, request: { session: id, epoch, data } })),
      key: { text: id, of: "session" },
      done: async () => Session.remember(this.#session, next(await values.decode(await encoded))),
      undone: (code, error) => this.#refused(code, error),
    });
  }

  #end(
    request: AnyRequest,
    fate: "deleted" | "stored",
    answered: (response: unknown) => void = () => {},
  ): void {
    const { held, desk } = this.#parts();
    this.#record({
      request,
      key: { text: held.session, of: "session" },
      done(response) {
        desk.endedInGroup(held, fate);
        answered(response);
      },
      undone: (code, error) => {
        if (held.fate === "grouped") held.fate = "held";
        this.#refused(code, error);
      },
    });
    held.fate = "grouped";
  }

  #refused(code: ErrorCode | undefined, error: Error): void {
    const { held, desk } = Session.partsOf(this.#session);
    if (code === "FENCED" || code === "NOSESSION" || code === "REPEATLIMIT") desk.lose(held, error);
  }
}

function recordKey(key: string): { text: string; of: string } {
  return { text: key.toLowerCase(), of: "record" };
}

function withBytes(
  bytes: Uint8Array | Promise<Uint8Array>,
  make: (bytes: Uint8Array) => AnyRequest,
): AnyRequest | Promise<AnyRequest> {
  return bytes instanceof Promise ? bytes.then(make) : make(bytes);
}
