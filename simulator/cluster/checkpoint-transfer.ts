/**
 * How a checkpoint goes from one host to another over the lossy network: the receiver asks for the list of files and then for one piece after the other, again
 * and again until it comes; the sender keeps the files for it and gives up after a while. Both ends belong to one life of a process.
 */
import type { Clock, Timer } from "../../src/base/clock.ts";
import type {
  CheckpointReceiver,
  ExportedCheckpoint,
  ReceivedCheckpoint,
} from "../../src/state/checkpoint-transfer.ts";

/** Asked by the receiver of a checkpoint. */
export type TransferRequest =
  | { readonly kind: "open"; readonly call: number; readonly partition: number }
  | {
      readonly kind: "read";
      readonly call: number;
      readonly session: number;
      readonly name: string;
      readonly offset: number;
      readonly length: number;
    }
  | { readonly kind: "close"; readonly call: number; readonly session: number };

/** `undefined` as content: what was asked for is not there. */
export interface TransferReply {
  readonly call: number;
  readonly content: OpenedTransfer | Buffer | "closed" | undefined;
}

export interface OpenedTransfer {
  readonly session: number;
  readonly manifest: Buffer;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
}

const chunkBytes = 32_768;
const callTimeoutMs = 250;
const attemptsMax = 12;
/** A session of which nobody has asked anything for so long is over. */
const idleMaxMs = 4_000;

export class TransferError extends Error {
  override readonly name = "TransferError";
}

interface Session {
  readonly exported: ExportedCheckpoint;
  idle: Timer;
}

/** The sending end. */
export class TransferServer {
  readonly #clock: Clock;
  readonly #open: (partition: number) => Promise<ExportedCheckpoint>;
  readonly #sessions = new Map<number, Session>();
  #nextSession = 1;

  constructor(clock: Clock, open: (partition: number) => Promise<ExportedCheckpoint>) {
    this.#clock = clock;
    this.#open = open;
  }

  /** Answers; whatever goes wrong is "not there". */
  async serve(request: TransferRequest): Promise<TransferReply> {
    const { call } = request;
    try {
      return { call, content: await this.#content(request) };
    } catch {
      return { call, content: undefined };
    }
  }

  async #content(request: TransferRequest): Promise<TransferReply["content"]> {
    if (request.kind === "open") return this.#begin(await this.#open(request.partition));
    const session = this.#sessions.get(request.session);
    if (session === undefined) return undefined;
    session.idle.cancel();
    if (request.kind === "close") {
      this.#end(request.session);
      return "closed";
    }
    session.idle = this.#idleTimer(request.session);
    const { name, offset, length } = request;
    return Buffer.from(await session.exported.read(name, offset, length));
  }

  #begin(exported: ExportedCheckpoint): OpenedTransfer {
    const session = this.#nextSession++;
    this.#sessions.set(session, { exported, idle: this.#idleTimer(session) });
    const files = exported.files.map(({ name, bytes }) => ({ name, bytes }));
    return { session, manifest: Buffer.from(exported.manifest), files };
  }

  #idleTimer(session: number): Timer {
    return this.#clock.after(idleMaxMs, () => this.#end(session));
  }

  #end(number: number): void {
    const session = this.#sessions.get(number);
    this.#sessions.delete(number);
    session?.idle.cancel();
    session?.exported.release();
  }
}

/** The receiving end: one transfer from one host. */
export class TransferClient {
  readonly #clock: Clock;
  readonly #send: (request: TransferRequest) => void;
  readonly #waiting = new Map<number, (content: TransferReply["content"]) => void>();
  /** Shared by all transfers of a process, so that a late reply finds nobody. */
  readonly #nextCall: () => number;

  constructor(parts: {
    clock: Clock;
    nextCall: () => number;
    send: (request: TransferRequest) => void;
  }) {
    this.#clock = parts.clock;
    this.#nextCall = parts.nextCall;
    this.#send = parts.send;
  }

  reply({ call, content }: TransferReply): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    waiting?.(content);
  }

  /** Fetches all files. Throws TransferError when the other end does not answer or has not got them. */
  async fetch(partition: number, receiver: CheckpointReceiver): Promise<ReceivedCheckpoint> {
    const opened = await this.#call((call) => ({ kind: "open", call, partition }));
    if (!isOpened(opened)) throw new TransferError("there is no checkpoint to fetch");
    const { session } = opened;
    await receiver.begin(opened.manifest);
    for (const { name, bytes } of opened.files) {
      for (let offset = 0; offset < bytes; offset += chunkBytes) {
        const length = Math.min(chunkBytes, bytes - offset);
        const chunk = await this.#call((call) => ({
          kind: "read",
          call,
          session,
          name,
          offset,
          length,
        }));
        if (!Buffer.isBuffer(chunk)) throw new TransferError(`file ${name} cannot be fetched`);
        await receiver.write(name, chunk);
      }
    }
    const received = await receiver.finish();
    await this.#call((call) => ({ kind: "close", call, session })).catch(() => undefined);
    return received;
  }

  async #call(request: (call: number) => TransferRequest): Promise<TransferReply["content"]> {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const call = this.#nextCall();
      const content = await new Promise<TransferReply["content"] | "silence">((resolve) => {
        const timer = this.#clock.after(callTimeoutMs, () => {
          this.#waiting.delete(call);
          resolve("silence");
        });
        this.#waiting.set(call, (answer) => {
          timer.cancel();
          resolve(answer);
        });
        this.#send(request(call));
      });
      if (content !== "silence") return content;
    }
    throw new TransferError("the sender of the checkpoint does not answer");
  }
}

function isOpened(content: TransferReply["content"]): content is OpenedTransfer {
  return typeof content === "object" && "session" in content;
}
