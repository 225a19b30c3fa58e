/** A partition's machines as a replica runs them, for sessions: verbs in, outcomes out. */
import assert from "node:assert/strict";
import { must } from "../../../src/base/assert.ts";
import type { ErrorCode } from "../../../src/base/errors.ts";
import type { Moment } from "../../../src/machines/machine.ts";
import {
  type Operation,
  OperationReader,
  OperationWriter,
  operationCodes,
} from "../../../src/machines/operation.ts";
import type { Outcome } from "../../../src/machines/outcome.ts";
import { type Owner, detached, writeOwner } from "../../../src/machines/owner.ts";
import { recordOperation } from "../../../src/machines/records/record-request.ts";
import { type KindSettings, kindDefaults } from "../../../src/machines/sessions/kinds.ts";
import {
  type SessionVerb,
  kindsOperation,
  sessionOperation,
} from "../../../src/machines/sessions/session-operation.ts";
import { sessionResponse } from "../../../src/machines/sessions/session-response.ts";
import { MachineStack } from "../../../src/machines/stack.ts";
import type { RequestOf, ResponseOf, SessionInfo } from "../../../src/protocol/requests.ts";
import { State } from "../../../src/state/state.ts";
import { CheckedSlab } from "../../state/checked-slab.ts";

/** Log time at which these tests begin: a whole second. */
export const start = 1_700_000_000_000;

export const alice: Owner = { node: 1, run: 100, connection: 1 };
export const bob: Owner = { node: 1, run: 100, connection: 2 };
export const nobody = detached;

/** Without a spread, so that due times can be told; `number` 1 unless it is named. */
export function kind(name: string, settings: Partial<KindSettings> = {}): KindSettings {
  return { ...kindDefaults, name, number: 1, spreadMs: 0, ...settings };
}

/** An operation of the node itself. */
export const due: Operation = { code: operationCodes.due, slot: 0, encode: () => {} };

export function disconnected(owner: Owner): Operation {
  const encode = (writer: OperationWriter): void => writeOwner(writer, owner);
  return { code: operationCodes.disconnected, slot: 0, encode };
}

export function restarted(node: number, run: number): Operation {
  return {
    code: operationCodes.restarted,
    slot: 0,
    encode(writer) {
      writer.f64(node);
      writer.f64(run);
    },
  };
}

export const setRecord = (key: string, value: string): Operation =>
  recordOperation("record.set", { key, value: Buffer.from(value) });

export function bytes(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

export type Group = { readonly group: readonly Operation[] };

export class SessionReplica {
  readonly moment: Moment = { timestamp: start, position: 0, number: 0, seed: 0 };
  readonly state: State;
  readonly stack: MachineStack;
  readonly #writer = new OperationWriter();
  readonly #reader = new OperationReader();

  constructor(options: { indexSeed?: number; kinds?: readonly KindSettings[] } = {}) {
    this.state = new State(options.indexSeed ?? 7, new CheckedSlab());
    this.stack = new MachineStack(this.state, this.moment, { onceMaxBytes: 1_048_576 });
    if (options.kinds !== undefined) this.apply(kindsOperation(options.kinds));
  }

  /** Log time goes on. */
  pass(ms: number): void {
    this.moment.timestamp += ms;
  }

  /** Applies one operation, or a group, as a batch of its own. */
  apply(operation: Operation | Group, requestId?: string): Outcome {
    const id = requestId === undefined ? undefined : Buffer.from(requestId);
    const writer = this.#writer;
    if ("group" in operation) {
      writer.beginGroup(operation.group.length, id);
      for (const each of operation.group) this.#write(each, undefined);
      writer.endGroup();
    } else this.#write(operation, id);
    this.moment.position++;
    const batch = writer.take();
    this.#reader.open(batch, 0);
    return this.stack.apply(this.#reader, this.moment);
  }

  #write(operation: Operation, id: Buffer | undefined): void {
    this.#writer.begin(operation.code, id);
    operation.encode(this.#writer);
    this.#writer.end();
  }

  operation<V extends SessionVerb>(
    verb: V,
    request: RequestOf<V>,
    owner: Owner = alice,
  ): Operation {
    return sessionOperation(verb, request, { owner, tag: "t" });
  }

  /** The outcome of a verb. */
  outcome<V extends SessionVerb>(verb: V, request: RequestOf<V>, owner: Owner = alice): Outcome {
    return this.apply(this.operation(verb, request, owner));
  }

  /** The response to a verb, which must be none of an error. */
  call<V extends SessionVerb>(verb: V, request: RequestOf<V>, owner: Owner = alice): ResponseOf<V> {
    const outcome = this.outcome(verb, request, owner);
    if (outcome.kind === "error") assert.fail(`${verb}: ${outcome.code} ${outcome.text}`);
    return sessionResponse(verb, outcome);
  }

  /** A verb must be refused with this code and change nothing. Returns the text. */
  refused<V extends SessionVerb>(code: ErrorCode, verb: V, request: RequestOf<V>): string {
    const { digest, rows } = this.state;
    const outcome = this.outcome(verb, request);
    if (outcome.kind !== "error") assert.fail(`${verb} is not refused: ${outcome.kind}`);
    assert.equal(outcome.code, code, outcome.text);
    assert.equal(this.state.digest, digest, "a refused operation changes nothing");
    assert.equal(this.state.rows, rows, "a refused operation changes nothing");
    return outcome.text;
  }

  take(
    kinds: readonly string[],
    count = 10,
    owner: Owner = alice,
  ): ResponseOf<"session.take">["sessions"] {
    return this.call("session.take", { kinds, count }, owner).sessions;
  }

  get(session: string): SessionInfo & { readonly texts: readonly string[] } {
    const { records, ...info } = this.stack.sessions.read("session.get", { session });
    return { ...info, texts: records.map((record) => Buffer.from(record).toString("latin1")) };
  }

  list(request: RequestOf<"session.list"> = {}): string[] {
    return this.stack.sessions.read("session.list", request).sessions.map(({ session }) => session);
  }

  /** A session that is stored, due `afterMs` from now. */
  stored(afterMs: number, kindName = "mail"): string {
    const handle = this.call("session.new", { kind: kindName });
    assert.equal(this.call("session.store", { ...handle, afterMs }).status, "stored");
    return handle.session;
  }

  /** A session that is dead; its kind must have one repeat. */
  dead(kindName = "mail"): string {
    const session = this.stored(0, kindName);
    const taken = must(this.take([kindName], 1_000).find((each) => each.session === session));
    const { epoch } = taken;
    assert.equal(this.call("session.store", { session, epoch }).status, "dead");
    return session;
  }
}
