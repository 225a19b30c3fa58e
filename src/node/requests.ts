/**
 * Does requests on a node, for every surface: writes through the log, reads behind a barrier, takes that wait without polling, groups. HTTP and the embedded library
 * `call`; RESP, which answers in order, `submit`s.
 */
import { assert, must } from "../base/assert.ts";
import { checksum } from "../base/checksum.ts";
import type { Clock } from "../base/clock.ts";
import { TrubaError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type Random, randomHex } from "../base/random.ts";
import { badRequestId } from "../machines/once/request-id.ts";
import type { Operation } from "../machines/operation.ts";
import type { Outcome } from "../machines/outcome.ts";
import { type Owner, isDetached } from "../machines/owner.ts";
import type { OutcomeSink } from "../partition/answer.ts";
import { disconnected } from "../partition/own-operations.ts";
import type { Partition } from "../partition/partition.ts";
import { partitionOfSlot } from "../placement/slots.ts";
import { tagOfKey, tagOfRecordKey } from "../placement/tags.ts";
import type { AnyRequest, RequestOf, ResponseOf, Verb } from "../protocol/requests.ts";
import { kindOf, operationOf, responseOf } from "./request-operation.ts";
import { readOf, slotOfRequest } from "./request-read.ts";
import { Sweep } from "./sweep.ts";
import { Takes } from "./takes.ts";

export interface RequestContext {
  readonly owner: Owner;
  /** Of a write: exactly once (P3). */
  readonly requestId?: string | undefined;
  /** Gives up waiting. What is in the log already is done all the same. */
  readonly signal?: AbortSignal | undefined;
}

/** The node, as requests see it. */
export interface RequestedNode {
  /** By number; objects may be replaced, so it is asked for each time. */
  readonly partitions: () => readonly Partition[];
  readonly clock: Clock;
  readonly random: Random;
  readonly nodeId: number;
  readonly run: number;
}

export class Requests {
  readonly takes: Takes;
  readonly #node: RequestedNode;
  #connections = 0;
  /** Connection → partitions on which it may hold something. */
  readonly #held = new Map<number, Set<number>>();

  constructor(node: RequestedNode) {
    this.#node = node;
    this.takes = new Takes({
      clock: node.clock,
      partitions: node.partitions,
      submit: (operation, sink, tag) => this.#submit(operation, sink, tag, undefined),
      holds: (owner, partition) => this.#note(owner, partition),
    });
  }

  /** An owner for a connection that begins. */
  openOwner(): Owner {
    return { node: this.#node.nodeId, run: this.#node.run, connection: ++this.#connections };
  }

  /** The connection has ended: what it holds goes back, behind all its requests. Its takes that wait must have been given up. */
  closeOwner(owner: Owner): void {
    assert(!isDetached(owner), "what is detached has no owner to close");
    for (const partition of this.#held.get(owner.connection) ?? [])
      must(this.#node.partitions()[partition]).propose(disconnected(owner));
    this.#held.delete(owner.connection);
  }

  /** The owner may hold something on this slot from now on. */
  mayHold(owner: Owner, slot: number): void {
    this.#note(owner, partitionOfSlot(slot, this.#node.partitions().length));
  }

  /** Does one request. Rejects with TrubaError, or with the signal's reason. */
  async call<V extends Verb>(
    verb: V,
    request: RequestOf<V>,
    context: RequestContext,
  ): Promise<ResponseOf<V>>;
  async call(verb: Verb, request: RequestOf<Verb>, context: RequestContext): Promise<object> {
    const { signal } = context;
    signal?.throwIfAborted();
    if (kindOf(verb) === "read") {
      await this.#barrier(this.slot(verb, request));
      return this.read(verb, request);
    }
    return new Promise((resolve, reject) => {
      let giveUp: (() => void) | undefined;
      const abort = (): void => {
        giveUp?.();
        reject(signal?.reason as Error);
      };
      const settle = (_tag: number, outcome: Outcome): void => {
        signal?.removeEventListener("abort", abort);
        try {
          resolve(responseOf(verb, outcome));
        } catch (error) {
          reject(error);
        }
      };
      signal?.addEventListener("abort", abort, { once: true });
      giveUp = this.submit(verb, request, context, { settle }, 0);
    });
  }

  /** Does writes, and reads of single records, as one atomic group. Rejects with TrubaError; EXECABORT with a `GroupRefusal` as cause when nothing was applied. */
  async atomic(
    requests: readonly AnyRequest[],
    context: RequestContext,
  ): Promise<readonly object[]> {
    if (requests.length === 0) return [];
    const outcome = await new Promise<Outcome>((resolve) => {
      this.submitGroup(requests, context, { settle: (_tag, settled) => resolve(settled) }, 0);
    });
    if (outcome.kind === "aborted") {
      const { index, code, text } = outcome;
      const message = `operation ${index} was refused, nothing was applied: ${code} ${text}`;
      throw new TrubaError("EXECABORT", message, { cause: { index, code, text } });
    }
    if (outcome.kind === "group")
      return outcome.outcomes.map((each, i) => responseOf(must(requests[i]).verb, each));
    return [responseOf(must(requests[0]).verb, outcome)];
  }

  /** As {@link atomic}, without a promise: the outcome is `group`, `aborted` or `error`. Throws TrubaError for a bad request. */
  submitGroup(
    requests: readonly AnyRequest[],
    context: RequestContext,
    sink: OutcomeSink,
    tag: number,
  ): void {
    if (requests.length > limits.groupMaxOperations)
      throw new TrubaError(
        "TOOLARGE",
        `the group has ${requests.length} operations; the limit is ${limits.groupMaxOperations}`,
      );
    const operations = requests.map((each, index) =>
      this.#groupOperation(each, index, requests, context),
    );
    const partition = this.#onePartition(operations);
    const requestId = requestIdOf(context);
    if (requests.some((each) => each.verb === "session.new" && each.request.detached !== true))
      this.#note(context.owner, partition.id);
    const refusal = partition.admit();
    if (refusal !== undefined) {
      sink.settle(tag, refusal);
      return;
    }
    const writer = partition.open();
    writer.beginGroup(operations.length, requestId);
    for (const operation of operations) {
      writer.begin(operation.code, undefined);
      operation.encode(writer);
      writer.end();
    }
    writer.endGroup();
    partition.enqueue(sink, tag);
  }

  /**
   * Does a write or a take; the outcome goes to the sink, a refusal at once. Returns how to give up waiting, of a take that waits. Throws TrubaError for a bad
   * request.
   */
  submit(
    verb: Verb,
    request: RequestOf<Verb>,
    context: RequestContext,
    sink: OutcomeSink,
    tag: number,
  ): (() => void) | undefined {
    const asked = { verb, request } as AnyRequest;
    if (asked.verb === "queue.pop") return this.takes.pop(asked.request, context.owner, sink, tag);
    if (asked.verb === "session.take")
      return this.takes.take(asked.request, context.owner, sink, tag);
    const operation = this.operation(verb, request, context);
    const requestId = requestIdOf(context);
    if (asked.verb === "queue.purge" || asked.verb === "queue.revive") {
      const partition = this.#partitionOf(operation.slot);
      const submit = (next: Operation, to: OutcomeSink, id: Buffer | undefined): void =>
        this.#submit(next, to, 0, id);
      new Sweep({ asked, partition, submit, sink, tag }).begin(operation, requestId);
      return undefined;
    }
    if (asked.verb === "session.new" && asked.request.detached !== true)
      this.#note(context.owner, partitionOfSlot(operation.slot, this.#node.partitions().length));
    this.#submit(operation, sink, tag, requestId);
    return undefined;
  }

  /** A write, or a read of one record, as an operation. Throws TrubaError. */
  operation(verb: Verb, request: RequestOf<Verb>, context: RequestContext): Operation {
    return operationOf({ verb, request } as AnyRequest, {
      owner: context.owner,
      // Made for whom it is needed: nearly every operation goes without.
      tag: verb === "session.new" ? this.newTag(context) : "",
    });
  }

  /** `outcome` is that of the verb's operation. Throws TrubaError if it is an error. */
  response(verb: Verb, outcome: Outcome): object {
    return responseOf(verb, outcome);
  }

  /** Reads the state as it is here now. Throws TrubaError. */
  read(verb: Verb, request: RequestOf<Verb>): object {
    return readOf({ verb, request } as AnyRequest, this.#node.partitions());
  }

  /** The slot that a request touches. Throws TrubaError for a bad request. */
  slot(verb: Verb, request: RequestOf<Verb>): number | "all" {
    return slotOfRequest({ verb, request } as AnyRequest);
  }

  #submit(
    operation: Operation,
    sink: OutcomeSink,
    tag: number,
    requestId: Buffer | undefined,
  ): void {
    const partition = this.#partitionOf(operation.slot);
    const refusal = partition.admit();
    if (refusal !== undefined) {
      sink.settle(tag, refusal);
      return;
    }
    const writer = partition.open();
    writer.begin(operation.code, requestId);
    operation.encode(writer);
    writer.end();
    partition.enqueue(sink, tag);
  }

  #groupOperation(
    asked: AnyRequest,
    index: number,
    requests: readonly AnyRequest[],
    context: RequestContext,
  ): Operation {
    const kind = kindOf(asked.verb);
    if (kind !== "write" && asked.verb !== "record.get")
      throw new TrubaError(
        "NOTSUPPORTED",
        `request ${index} is ${asked.verb}, which cannot stand in a group`,
      );
    if (asked.verb === "session.new" && asked.request.tag === undefined) {
      const tag = requests.map(tagOfRequest).find((each) => each !== undefined);
      return operationOf(asked, { owner: context.owner, tag: tag ?? this.newTag(context) });
    }
    return this.operation(asked.verb, asked.request, context);
  }

  #onePartition(operations: readonly Operation[]): Partition {
    const partition = this.#partitionOf(must(operations[0]).slot);
    const other = operations.findIndex(({ slot }) => this.#partitionOf(slot) !== partition);
    if (other < 0) return partition;
    throw new TrubaError(
      "CROSSSLOT",
      `requests 0 and ${other} of the group are on different partitions; give their keys one {tag}`,
    );
  }

  #partitionOf(slot: number): Partition {
    const partitions = this.#node.partitions();
    return must(partitions[partitionOfSlot(slot, partitions.length)]);
  }

  /** Of a session without one: from the request id, so that a repeat goes to the same partition. */
  newTag({ requestId }: Pick<RequestContext, "requestId">): string {
    if (requestId === undefined) return randomHex(this.#node.random, 4);
    return checksum(Buffer.from(requestId, "utf8")).toString(16).padStart(8, "0");
  }

  #note(owner: Owner, partition: number): void {
    if (isDetached(owner)) return;
    const held = this.#held.get(owner.connection);
    if (held === undefined) this.#held.set(owner.connection, new Set([partition]));
    else held.add(partition);
  }

  async #barrier(slot: number | "all"): Promise<void> {
    if (slot !== "all") return this.#partitionOf(slot).barrier();
    await Promise.all(this.#node.partitions().map((partition) => partition.barrier()));
  }
}

function requestIdOf({ requestId }: RequestContext): Buffer | undefined {
  if (requestId === undefined) return undefined;
  const bytes = Buffer.from(requestId, "utf8");
  const bad = badRequestId(bytes);
  if (bad !== undefined) throw new TrubaError("BADVALUE", bad);
  return bytes;
}

/** The tag that a request's key has, or a tag of the same slot. */
function tagOfRequest({ request }: AnyRequest): string | undefined {
  if ("queue" in request) return tagOfKey(request.queue);
  if ("session" in request) return tagOfKey(request.session);
  return "key" in request ? tagOfRecordKey(request.key) : undefined;
}
