/** What all sessions of a client port share. */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Address } from "../base/network.ts";
import type { Node } from "../node/node.ts";
import type { OutcomeSink } from "../partition/answer.ts";
import { Access } from "./access.ts";
import type { Admission } from "./admission.ts";
import { EventLoopDelay } from "./event-loop-delay.ts";
import type { Operation } from "../machines/operation.ts";
import { RecordOperation } from "./record-operation.ts";
import { RecordKeyParser } from "../machines/records/record-key.ts";

/** Counters since start, for INFO and metrics. */
export interface ServerCounters {
  connectionsReceived: number;
  connectionsRefused: number;
  commandsProcessed: number;
  /** Of these, those of the line protocol. */
  lineCommandsProcessed: number;
  errorsAnswered: number;
  bytesReceived: number;
}

/** What is known of the process; asked whenever a client asks. */
export interface ProcessFacts {
  readonly id: number;
  /** Operating system and architecture. */
  readonly system: string;
  /** In bytes. */
  memory(): {
    readonly residentBytes: number;
    readonly residentMaxBytes: number;
    readonly heapUsed: number;
    readonly heapTotal: number;
    readonly external: number;
  };
  cpu(): { readonly userSeconds: number; readonly systemSeconds: number };
}

interface ServerContextParts {
  readonly node: Node;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly advertised: Address;
  readonly version: string;
  /** Without it everybody may do everything. */
  readonly access?: Access;
  /** Without them INFO says nothing of the process. */
  readonly processFacts?: ProcessFacts;
}

export class ServerContext {
  readonly node: Node;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where clients reach this node. */
  readonly advertised: Address;
  readonly version: string;
  readonly access: Access;
  readonly processFacts: ProcessFacts | undefined;
  readonly counters: ServerCounters = {
    connectionsReceived: 0,
    connectionsRefused: 0,
    commandsProcessed: 0,
    lineCommandsProcessed: 0,
    errorsAnswered: 0,
    bytesReceived: 0,
  };
  /** Room for the request being parsed: a parsed operation is encoded before the next is parsed. */
  readonly operation = new RecordOperation();
  readonly key = new RecordKeyParser();
  /** Bytes of requests that have begun to arrive, in all connections. */
  heldBytes = 0;
  /** Runs while the client port listens. */
  readonly eventLoopDelay = new EventLoopDelay();
  /** Open sessions by id. */
  readonly sessions = new Map<number, ListedSession>();

  constructor(parts: ServerContextParts) {
    this.node = parts.node;
    this.clock = parts.clock;
    this.logger = parts.logger;
    this.advertised = parts.advertised;
    this.version = parts.version;
    this.access = parts.access ?? new Access([]);
    this.processFacts = parts.processFacts;
  }

  /** Hands a parsed operation to its partition; `sink` is told its outcome, a refusal at once. */
  submit(
    operation: Operation,
    sink: OutcomeSink,
    tag: number,
    requestId: Buffer | undefined,
  ): void {
    const partition = this.node.partitionOf(operation.slot);
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
}

/** What CLIENT LIST shows of a session. */
export interface ListedSession {
  readonly id: number;
  readonly protocol: "resp" | "line";
  /** Version of RESP that it speaks; 0 = none. */
  readonly respVersion: 0 | 2 | 3;
  readonly remote: Address;
  readonly connectedMs: number;
  /** What it has shown of itself, and what it may do. */
  readonly admission: Admission;
  /** CLIENT SETNAME; empty = none. */
  name: string;
  /** CLIENT SETINFO. */
  libraryName: string;
  libraryVersion: string;
  lastCommand: string;
  /** Closes the connection. */
  kill(): void;
}
