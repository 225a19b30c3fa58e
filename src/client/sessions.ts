/** Sessions of one kind as their users see them. */
import type { KindInfo, SessionInfo, SessionState, StoredResponse } from "../protocol/requests.ts";
import type { CallLimits } from "./caller.ts";
import type { Running } from "./consumer.ts";
import type { SessionDefinition } from "./definitions.ts";
import { type HandleOptions, Handling, type SessionHandler } from "./handling.ts";
import type { SessionDesk } from "./held-session.ts";
import { Session } from "./session.ts";

/** Options of `new`. */
export interface NewSessionOptions extends CallLimits {
  /** Puts the session on the partition of this `{tag}`, so that it can be in one atomic group with what has the same tag. 1 to 64 bytes, without braces. */
  readonly tag?: string;
  /** It does not end with the connection, only by its kind's silence. */
  readonly detached?: boolean;
}

/** A session that was looked at. */
export interface SeenSession<Out> extends SessionInfo {
  readonly records: readonly Out[];
}

/** Sessions of one kind. `In` is what is recorded, `Out` what is read. */
export class Sessions<In, Out> {
  readonly #definition: SessionDefinition<In, Out>;
  readonly #desk: SessionDesk;
  readonly #running: Set<Running>;

  constructor(definition: SessionDefinition<In, Out>, desk: SessionDesk, running: Set<Running>) {
    this.#definition = definition;
    this.#desk = desk;
    this.#running = running;
  }

  get kind(): string {
    return this.#definition.kind;
  }

  /**
   * Opens a session, with a first record perhaps. It is durable when this resolves: from then on it is finished by you or by the handler of its kind.
   *
   * ```ts
   * await using session = await db.sessions(checkout).new({ step: "reserved", sku });
   * await session.append({ step: "charged", charge: await pay() });
   * await session.delete();
   * ```
   */
  async new(data?: In, options: NewSessionOptions = {}): Promise<Session<In, Out>> {
    const { values } = this.#definition;
    const { tag, detached = false } = options;
    const bytes = data === undefined ? undefined : await values.encode(data);
    const request = {
      kind: this.kind,
      ...(bytes === undefined ? {} : { data: bytes }),
      ...(tag === undefined ? {} : { tag }),
      ...(detached ? { detached } : {}),
    };
    const { caller } = this.#desk;
    const createdAtMs = caller.channel.serverNowMs();
    const handle = await caller.call("session.new", request, options);
    const held = this.#desk.hold(handle, { detached });
    const records = bytes === undefined ? [] : [await values.decode(bytes)];
    const facts = { kind: this.kind, repeats: 0, createdAtMs, records };
    return new Session({ held, desk: this.#desk, values }, facts);
  }

  /**
   * Runs a handler for each session of this kind that is due: stored, abandoned by its owner or silent. It is given the session with all its records, and answers
   * the next operation until the session is deleted or stored.
   *
   * ```ts
   * await using handling = db.sessions(checkout).handle({ concurrency: 8 }, async (session, { signal }) => {
   *   if (session.records.at(-1)?.step === "reserved") return { append: { step: "charged", charge: await pay({ signal }) } };
   *   return { delete: true };
   * });
   * ```
   */
  handle(options: HandleOptions, handler: SessionHandler<In, Out>): Handling<In, Out> {
    const { values } = this.#definition;
    const parts = { desk: this.#desk, kind: this.kind, values, running: this.#running };
    return new Handling(parts, options, handler);
  }

  /** A session with its records, whoever has it. Rejects with NOSESSION. */
  async get(id: string, limits?: CallLimits): Promise<SeenSession<Out>> {
    const { caller } = this.#desk;
    const { records, ...info } = await caller.call("session.get", { session: id }, limits);
    const { values } = this.#definition;
    return { ...info, records: await Promise.all(records.map((one) => values.decode(one))) };
  }

  /** Sessions of this kind, by id behind `after`, those of one state perhaps. At most 1,000; default 100. */
  async list(
    options: {
      readonly state?: SessionState;
      readonly after?: string;
      readonly count?: number;
    } & CallLimits = {},
  ): Promise<readonly SessionInfo[]> {
    const { state, after, count } = options;
    const request = {
      kind: this.kind,
      ...(state === undefined ? {} : { state }),
      ...(after === undefined ? {} : { after }),
      ...(count === undefined ? {} : { count }),
    };
    return (await this.#desk.caller.call("session.list", request, options)).sessions;
  }

  /** A dead session is stored again, due at once, as if never repeated. */
  revive(id: string, limits?: CallLimits): Promise<StoredResponse> {
    return this.#desk.caller.call("session.revive", { session: id }, limits);
  }

  /** All kinds that the node knows, with their settings. */
  async kinds(limits?: CallLimits): Promise<readonly KindInfo[]> {
    return (await this.#desk.caller.call("session.kinds", {}, limits)).kinds;
  }
}
