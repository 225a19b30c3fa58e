/**
 * Requests for sessions as operations, checked completely, with the bytes of their bodies.
 *
 *     id               u8 bytes of the tag, tag, f64 number
 *     new              owner, u8 flags (1 data, 2 detached), u8 bytes of the tag, tag, u8 bytes of the kind, kind, [data]
 *     append, replace  id, f64 epoch, data
 *     touch, delete    id, f64 epoch
 *     store            id, f64 epoch, f64 after ms (-1 = as the kind says, -2 = at once, not handled)
 *     take             owner, u16 count, u16 kinds, for each u8 bytes, name
 *     revive           id
 *     kinds            see kind-rows.ts
 *
 * The owner of `new` stands first, where `once` leaves it out when it compares: whoever repeats a request may come by another connection.
 */
import { assert } from "../../base/assert.ts";
import { TrubaError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { shown } from "../../base/shown-value.ts";
import { slotOf } from "../../placement/slots.ts";
import type { RequestOf, SessionHandle, Verb } from "../../protocol/requests.ts";
import { checkedCount } from "../checked-count.ts";
import { type Operation, type OperationWriter, operationCodes } from "../operation.ts";
import { type Owner, writeOwner } from "../owner.ts";
import { encodeKinds } from "./kind-rows.ts";
import { type KindSettings, checkKinds, isKindName } from "./kinds.ts";
import { type SessionId, checkedTag, parseSessionId } from "./session-id.ts";
import { asKindSays, notHandled } from "./store-times.ts";

export type SessionVerb = Extract<Verb, `session.${string}`>;

/** Of {@link NewSession}: it has a first record. */
export const flagData = 1;
/** Of {@link NewSession}: it belongs to nobody, whatever owner stands before. */
export const flagDetached = 2;

/**
 * The operation of a write, take or admin verb. `tag`: for a session that is opened without one. Throws TrubaError BADVALUE, BADSESSION, TOOLARGE, and NOTSUPPORTED for a verb
 * that reads.
 */
export function sessionOperation<V extends SessionVerb>(
  verb: V,
  request: RequestOf<V>,
  context: { readonly owner: Owner; readonly tag: string },
): Operation;
export function sessionOperation(
  verb: SessionVerb,
  request: object,
  context: { readonly owner: Owner; readonly tag: string },
): Operation {
  switch (verb) {
    case "session.new":
      return new NewSession(request as RequestOf<"session.new">, context);
    case "session.append":
      return new DataOperation(
        operationCodes.sessionAppend,
        request as RequestOf<"session.append">,
      );
    case "session.replace":
      return new DataOperation(
        operationCodes.sessionReplace,
        request as RequestOf<"session.replace">,
      );
    case "session.touch":
      return new HeldOperation(operationCodes.sessionTouch, request as RequestOf<"session.touch">);
    case "session.delete":
      return new HeldOperation(
        operationCodes.sessionDelete,
        request as RequestOf<"session.delete">,
      );
    case "session.store":
      return storeOperation(request as RequestOf<"session.store">);
    case "session.take":
      return new TakeOperation(request as RequestOf<"session.take">, context.owner);
    case "session.revive":
      return new ReviveOperation(request as RequestOf<"session.revive">);
    case "session.get":
    case "session.list":
    case "session.kinds":
      throw new TrubaError("NOTSUPPORTED", `${verb} reads; it is no operation of the log`);
    default:
      return verb satisfies never;
  }
}

/** Gives back a session that nobody has seen: it is due at once, as if it had never been taken. Throws TrubaError as {@link sessionOperation}. */
export function giveBackOperation(handle: SessionHandle): Operation {
  return new StoreOperation(handle, notHandled);
}

function storeOperation(request: RequestOf<"session.store">): Operation {
  const { afterMs } = request;
  const checked =
    afterMs === undefined ? asKindSays : checkedCount("afterMs", afterMs, 0, limits.delayMaxMs);
  return new StoreOperation(request, checked);
}

/** Makes these the kinds of a partition; all others are closed. They must have passed {@link checkKinds}. */
export function kindsOperation(kinds: readonly KindSettings[]): Operation {
  assert(checkKinds(kinds).length === 0, "the kinds of sessions were not checked");
  const encode = (writer: OperationWriter): void => encodeKinds(writer, kinds);
  return { code: operationCodes.sessionKinds, slot: 0, encode };
}

class NewSession implements Operation {
  readonly code = operationCodes.sessionNew;
  readonly slot: number;
  readonly #owner: Owner;
  readonly #tag: Buffer;
  readonly #kind: Buffer;
  readonly #data: Buffer | undefined;
  readonly #detached: boolean;

  constructor(request: RequestOf<"session.new">, context: { owner: Owner; tag: string }) {
    const { kind, data, tag, detached } = request;
    this.#kind = checkedKind("kind", kind);
    this.#data = data === undefined ? undefined : checkedData(data);
    this.#tag = checkedTag(tag ?? context.tag);
    if (detached !== undefined && typeof detached !== "boolean")
      throw new TrubaError("BADVALUE", `detached is ${shown(detached)}; it must be true or false`);
    this.#detached = detached === true;
    this.#owner = context.owner;
    this.slot = slotOf(this.#tag);
  }

  encode(writer: OperationWriter): void {
    writeOwner(writer, this.#owner);
    writer.u8((this.#data === undefined ? 0 : flagData) | (this.#detached ? flagDetached : 0));
    encodeShort(writer, this.#tag);
    encodeShort(writer, this.#kind);
    if (this.#data !== undefined) writer.bytesOf(this.#data, 0, this.#data.length);
  }
}

/** An operation of whoever has the session. */
class HeldOperation implements Operation {
  readonly code: number;
  readonly slot: number;
  readonly #id: SessionId;
  readonly #epoch: number;

  constructor(code: number, { session, epoch }: { session: string; epoch: number }) {
    this.code = code;
    this.#id = parseSessionId(session);
    this.#epoch = checkedCount("epoch", epoch, 0, Number.MAX_SAFE_INTEGER);
    this.slot = slotOf(this.#id.tag);
  }

  encode(writer: OperationWriter): void {
    encodeId(writer, this.#id);
    writer.f64(this.#epoch);
  }
}

class DataOperation extends HeldOperation {
  readonly #data: Buffer;

  constructor(code: number, request: RequestOf<"session.append">) {
    super(code, request);
    this.#data = checkedData(request.data);
  }

  override encode(writer: OperationWriter): void {
    super.encode(writer);
    writer.bytesOf(this.#data, 0, this.#data.length);
  }
}

class StoreOperation extends HeldOperation {
  readonly #afterMs: number;

  /** `afterMs`: checked, or one of store-times.ts. */
  constructor(handle: { session: string; epoch: number }, afterMs: number) {
    super(operationCodes.sessionStore, handle);
    this.#afterMs = afterMs;
  }

  override encode(writer: OperationWriter): void {
    super.encode(writer);
    writer.f64(this.#afterMs);
  }
}

class TakeOperation implements Operation {
  readonly code = operationCodes.sessionTake;
  /** It asks each partition that it is sent to. */
  readonly slot = 0;
  readonly #owner: Owner;
  readonly #count: number;
  readonly #kinds: readonly Buffer[];

  constructor({ kinds, count }: RequestOf<"session.take">, owner: Owner) {
    this.#owner = owner;
    this.#count = checkedCount("count", count ?? 1, 1, limits.takeMaxCount);
    if (!Array.isArray(kinds) || kinds.length < 1 || kinds.length > limits.kindsMaxCount)
      throw new TrubaError(
        "BADVALUE",
        `kinds must be a list of 1 to ${limits.kindsMaxCount} names of kinds`,
      );
    this.#kinds = [...new Set(kinds)].map((kind) => checkedKind("kinds", kind));
  }

  encode(writer: OperationWriter): void {
    writeOwner(writer, this.#owner);
    writer.u16(this.#count);
    writer.u16(this.#kinds.length);
    for (const kind of this.#kinds) encodeShort(writer, kind);
  }
}

class ReviveOperation implements Operation {
  readonly code = operationCodes.sessionRevive;
  readonly slot: number;
  readonly #id: SessionId;

  constructor({ session }: RequestOf<"session.revive">) {
    this.#id = parseSessionId(session);
    this.slot = slotOf(this.#id.tag);
  }

  encode(writer: OperationWriter): void {
    encodeId(writer, this.#id);
  }
}

function encodeId(writer: OperationWriter, { number, tag }: SessionId): void {
  encodeShort(writer, tag);
  writer.f64(number);
}

function encodeShort(writer: OperationWriter, bytes: Buffer): void {
  writer.u8(bytes.length);
  writer.bytesOf(bytes, 0, bytes.length);
}

function checkedKind(field: string, kind: unknown): Buffer {
  if (isKindName(kind)) return Buffer.from(kind, "latin1");
  throw new TrubaError(
    "BADVALUE",
    `${field} has ${shown(kind)}; the name of a kind is 1 to ${limits.kindNameMaxBytes} characters of printable ASCII without blanks and commas`,
  );
}

function checkedData(data: unknown): Buffer {
  if (!(data instanceof Uint8Array))
    throw new TrubaError("BADVALUE", `data must be bytes, not ${typeof data}`);
  if (data.length > limits.valueMaxBytes)
    throw new TrubaError(
      "TOOLARGE",
      `data is ${data.length} bytes; the limit is ${limits.valueMaxBytes}`,
    );
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
