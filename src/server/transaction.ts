/** The commands between MULTI and EXEC: checked as they come, encoded as one group at EXEC. */
import { must } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import type { OperationWriter } from "../machines/operation.ts";
import type { Outcome } from "../machines/outcome.ts";
import { partitionOfSlot, slotOf } from "../placement/slots.ts";
import { tagOfKey, tagOfRecordKey } from "../placement/tags.ts";
import type { RespWriter } from "../protocol/resp-writer.ts";
import { type Call, CopiedCall, textOf } from "./call.ts";
import {
  type ManyCommand,
  type ReadCommand,
  type WriteCommand,
  type WriteContext,
  isFailure,
} from "./command.ts";
import { type Failure, failure } from "./failure.ts";
import type { Operation } from "../machines/operation.ts";
import type { Session } from "./session.ts";

export type Queueable = WriteCommand | ManyCommand | ReadCommand;

interface Queued {
  /** `undefined` stands for the request id, which is queued like a command. */
  readonly command: Queueable | undefined;
  readonly call: CopiedCall;
  readonly operations: number;
}

export class Transaction {
  readonly #queued: Queued[] = [];
  readonly #partitions: number;
  #partition: number | undefined;
  /** A tag of one of its keys: that of what names no key. */
  #tag: string | undefined;
  #operations = 0;
  #bytes = 0;
  requestId: Buffer | undefined;
  /** A command was refused while queueing: EXEC will not run. */
  broken = false;

  /** `partitions`: how many the node has. */
  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  get operations(): number {
    return this.#operations;
  }

  /** Checks a command and keeps a copy of it. A failure breaks the transaction. */
  queue(command: Queueable, call: Call, session: Session): Failure | undefined {
    const failed = this.#check(command, call, session);
    if (failed !== undefined) this.broken = true;
    return failed;
  }

  setRequestId(call: Call): void {
    const copy = new CopiedCall(call);
    this.#queued.push({ command: undefined, call: copy, operations: 0 });
    this.requestId = Buffer.from(copy.buffer.subarray(copy.start(1), copy.end(1)));
  }

  /** The partition of all of it. If nothing in it names a key, `newTag` decides. */
  place(newTag: () => string): number {
    this.#tag ??= newTag();
    this.#partition ??= partitionOfSlot(slotOf(Buffer.from(this.#tag, "utf8")), this.#partitions);
    return this.#partition;
  }

  /** Writes the group's operations; it must have been placed. */
  encode(writer: OperationWriter, session: Session): void {
    const context = { tag: must(this.#tag) };
    for (const { command, call, operations } of this.#queued) {
      for (let i = 0; i < operations; i++) {
        const parsed = parseOne(must(command), call, i, { session, context });
        if (isFailure(parsed)) throw new Error(`a queued command became invalid: ${parsed.text}`);
        writer.begin(parsed.code, undefined);
        parsed.encode(writer);
        writer.end();
      }
    }
  }

  /** EXEC's answer: one element for each queued command. */
  render(outcomes: readonly Outcome[], reply: RespWriter): void {
    reply.array(this.#queued.length);
    let at = 0;
    for (const { command, operations } of this.#queued) {
      if (command === undefined) reply.ok();
      else if (command.kind === "many") {
        const slice = outcomes.slice(at, at + operations);
        reply.integer(slice.filter((outcome) => command.counts(outcome)).length);
      } else command.render(must(outcomes[at]), reply);
      at += operations;
    }
  }

  #check(command: Queueable, call: Call, session: Session): Failure | undefined {
    const operations = command.kind === "many" ? call.count - 1 : 1;
    if (this.#operations + operations > limits.groupMaxOperations) {
      return failure("TOOLARGE", `the group has more than ${limits.groupMaxOperations} operations`);
    }
    for (let i = 0; i < operations; i++) {
      const parsed = parseOne(command, call, i, { session, context: {} });
      if (isFailure(parsed)) return parsed;
      const tag = tagOf(command, call, i);
      if (tag === undefined && command.keys[0] === 0) continue;
      this.#tag ??= tag;
      const partition = partitionOfSlot(parsed.slot, this.#partitions);
      if (this.#partition !== undefined && this.#partition !== partition) {
        return failure(
          "CROSSSLOT",
          "the keys of a group must be on one partition; give them one {tag}",
        );
      }
      this.#partition = partition;
    }
    const copy = new CopiedCall(call);
    this.#bytes += copy.buffer.length;
    if (this.#bytes > limits.multiMaxBytes) {
      return failure("TOOLARGE", `the group is more than ${limits.multiMaxBytes} bytes`);
    }
    this.#operations += operations;
    this.#queued.push({ command, call: copy, operations });
    return undefined;
  }
}

function parseOne(
  command: Queueable,
  call: Call,
  index: number,
  { session, context }: { session: Session; context: WriteContext },
): Operation | Failure {
  if (command.kind === "many") return command.parse(call, index + 1, session);
  return command.kind === "write"
    ? command.parse(call, session, context)
    : command.parse(call, session);
}

/** The tag of operation `index` of a command, or one of the same slot as its key; `undefined` if it has none. */
function tagOf(command: Queueable, call: Call, index: number): string | undefined {
  if (command.kind === "write" && command.tagOf !== undefined) return command.tagOf(call);
  const key = textOf(call, command.keys[0] + index);
  return command.group === "records" ? tagOfRecordKey(key) : tagOfKey(key);
}
