/**
 * What clients do with sessions in a run: they open some, take those that are due as their handlers, write to those in hand, put them off, delete them, fall silent or
 * lose their connections; and some do not understand that a session is theirs no more.
 */
import { must } from "../../src/base/assert.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import type { Random } from "../../src/base/random.ts";
import type { KindSettings } from "../../src/machines/sessions/kinds.ts";
import type { AnyRequest, SessionHandle } from "../../src/protocol/requests.ts";
import { pick } from "./queue-shape.ts";
import { drawSessionShape } from "./session-shape.ts";
import type { SessionShape } from "./session-shape.ts";
import type { StateBook } from "./state-book.ts";
import type { StateRequest } from "./state-request.ts";

export interface SessionWorkloadParts {
  readonly random: Random;
  readonly book: StateBook;
  readonly kinds: readonly KindSettings[];
  /** Overrides what is drawn. */
  readonly shape?: Partial<SessionShape> | undefined;
}

export class SessionWorkload {
  readonly shape: SessionShape;
  readonly kinds: ReadonlyMap<string, KindSettings>;
  readonly #parts: SessionWorkloadParts;
  readonly #hands = new Map<number, SessionHandle[]>();
  /** Sessions of which somebody was told that they are dead. */
  readonly #dead: string[] = [];

  constructor(parts: SessionWorkloadParts) {
    this.#parts = parts;
    this.shape = { ...drawSessionShape(parts.random), ...parts.shape };
    this.kinds = new Map(parts.kinds.map((kind) => [kind.name, kind]));
  }

  next(client: number, random: Random): readonly StateRequest[] | "leave" {
    const { shape } = this;
    if (chance(random, shape.leaves)) return "leave";
    if (this.#dead.length > 0 && chance(random, shape.revives))
      return [this.#revive(client, random)];
    const hands = this.#handsOf(client);
    if (hands.length > 0 && chance(random, 0.75)) return [this.#write(client, random, hands)];
    return [chance(random, shape.opens) ? this.#open(client, random) : this.#take(client, random)];
  }

  left(client: number, random: Random): void {
    if (chance(random, 0.6)) this.#hands.delete(client);
  }

  /** One of a client's sessions on a partition. */
  sessionOf(client: number, partition: number): SessionHandle | undefined {
    return this.#handsOf(client).find(
      ({ session }) => this.#parts.book.partitionOf(session) === partition,
    );
  }

  /** Takes whatever is due, of all kinds. */
  takeAll(
    client: number,
    count: number,
    waitMs: number,
    then: (request: StateRequest) => void,
  ): StateRequest {
    const kinds = [...this.kinds.keys()];
    const step: AnyRequest = { verb: "session.take", request: { kinds, count, waitMs } };
    return this.#parts.book.request({ client, partition: -1, steps: [step], detached: true }, then);
  }

  #handsOf(client: number): SessionHandle[] {
    const known = this.#hands.get(client);
    if (known !== undefined) return known;
    const fresh: SessionHandle[] = [];
    this.#hands.set(client, fresh);
    return fresh;
  }

  #open(client: number, random: Random): StateRequest {
    const { book, kinds } = this.#parts;
    const { recordMaxBytes, ids, detached } = this.shape;
    const partition = randomBelow(random, book.tags.length);
    const kind = pick(random, kinds).name;
    const data = book.stamped(random, recordMaxBytes);
    const tag = must(book.tags[partition]);
    const own = chance(random, detached) ? { detached: true } : {};
    const step: AnyRequest = { verb: "session.new", request: { kind, data, tag, ...own } };
    const requestId = chance(random, ids) ? book.requestId(random) : undefined;
    return book.request({ client, partition, requestId, steps: [step] }, ({ answers }) => {
      const outcome = answers[0]?.outcome;
      if (outcome?.kind !== "session") return;
      const { session, epoch } = outcome;
      this.#handsOf(client).push({ session, epoch });
    });
  }

  #take(client: number, random: Random): StateRequest {
    const { takeMaxCount, waits, waitMaxMs, detached } = this.shape;
    const names = [...this.kinds.keys()];
    const kinds = chance(random, 0.7) ? names : [pick(random, names)];
    const count = 1 + randomBelow(random, takeMaxCount);
    const waitMs = chance(random, waits) ? { waitMs: 1 + randomBelow(random, waitMaxMs) } : {};
    const step: AnyRequest = { verb: "session.take", request: { kinds, count, ...waitMs } };
    const own = chance(random, detached);
    return this.#parts.book.request(
      { client, partition: -1, steps: [step], detached: own },
      ({ answers }) => {
        const outcome = answers[0]?.outcome;
        if (outcome?.kind !== "sessions") return;
        for (const { session, epoch } of outcome.sessions)
          this.#handsOf(client).push({ session, epoch });
      },
    );
  }

  #revive(client: number, random: Random): StateRequest {
    const { book } = this.#parts;
    const [session] = this.#dead.splice(randomBelow(random, this.#dead.length), 1);
    const step: AnyRequest = { verb: "session.revive", request: { session: must(session) } };
    const requestId = chance(random, this.shape.ids) ? book.requestId(random) : undefined;
    const partition = book.partitionOf(must(session));
    return book.request({ client, partition, requestId, steps: [step] });
  }

  #write(client: number, random: Random, hands: SessionHandle[]): StateRequest {
    const { book } = this.#parts;
    const { shape } = this;
    const at = randomBelow(random, hands.length);
    const handle = must(hands[at]);
    const shares = [
      ["session.append", shape.appends],
      ["session.replace", shape.replaces],
      ["session.touch", shape.touches],
      ["session.store", shape.stores],
      ["session.delete", shape.deletes],
      ["hang", shape.hangs],
    ] as const;
    let dice = (random.u32() / 0x1_0000_0000) * shares.reduce((sum, [, share]) => sum + share, 0);
    const [chosen] = shares.find(([, share]) => (dice -= share) < 0) ?? shares[0];
    const ends = chosen === "session.store" || chosen === "session.delete" || chosen === "hang";
    // Now and then a client goes on with what it has given up.
    if (ends && !chance(random, 0.1)) hands.splice(at, 1);
    if (chosen === "hang") return this.#take(client, random);
    const step = this.#step(chosen, handle, random);
    const requestId = chance(random, shape.ids) ? book.requestId(random) : undefined;
    const partition = book.partitionOf(handle.session);
    return book.request({ client, partition, requestId, steps: [step] }, ({ answers }) => {
      const outcome = answers[0]?.outcome;
      const lost = outcome?.kind === "error" && outcome.code !== "SESSIONTOOLONG";
      if (lost && chance(random, 0.8)) this.#drop(client, handle);
      const limited = outcome?.kind === "error" && outcome.code === "REPEATLIMIT";
      if (limited || (outcome?.kind === "session" && outcome.status === "dead"))
        this.#dead.push(handle.session);
    });
  }

  #drop(client: number, { session, epoch }: SessionHandle): void {
    const hands = this.#handsOf(client);
    this.#hands.set(
      client,
      hands.filter((one) => one.session !== session || one.epoch !== epoch),
    );
  }

  #step(
    verb:
      | "session.append"
      | "session.replace"
      | "session.touch"
      | "session.store"
      | "session.delete",
    handle: SessionHandle,
    random: Random,
  ): AnyRequest {
    const { recordMaxBytes, ownTimes, afterMaxMs } = this.shape;
    if (verb === "session.append" || verb === "session.replace")
      return {
        verb,
        request: { ...handle, data: this.#parts.book.stamped(random, recordMaxBytes) },
      };
    if (verb !== "session.store" || !chance(random, ownTimes)) return { verb, request: handle };
    const afterMs = chance(random, 0.3) ? 0 : randomBelow(random, afterMaxMs);
    return { verb, request: { ...handle, afterMs } };
  }
}
