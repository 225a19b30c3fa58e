/** A RESP connection as commands see it. */
import type { RespWriter } from "../protocol/resp-writer.ts";
import type { Owner } from "../machines/owner.ts";
import type { Call } from "./call.ts";
import type { Failure } from "./failure.ts";
import type { ListedSession, ServerContext } from "./server-context.ts";
import type { Subscriptions } from "./subscriptions.ts";

export interface Session extends ListedSession {
  readonly context: ServerContext;
  /** Where commands that run in turn write their answer. */
  readonly reply: RespWriter;
  /** To whom belongs what this connection takes; made when first asked for, gone with the connection. */
  readonly owner: Owner;
  readonly subscriptions: Subscriptions;
  /** Whether MULTI is open. */
  readonly inTransaction: boolean;
  /** The transaction's own verbs. Their answers keep their place. */
  beginTransaction(): void;
  queueRequestId(call: Call): void;
  executeTransaction(): void;
  discardTransaction(): void;
  /** Takes a call as if it had come by itself: what FCALL stands for. */
  dispatch(call: Call): void;
  /** Answers a failure at its place. */
  refuse(failed: Failure): void;
  /** As {@link refuse}; inside MULTI, EXEC will refuse too. */
  reject(failed: Failure): void;
  /** Answers at its place. */
  answer(write: (reply: RespWriter) => void): void;
  /** Holds a place for an answer that is known later; the function that it returns must be called once, with what writes it. */
  answerLater(): (write: (reply: RespWriter) => void) => void;
  /** Something that {@link answerInTurn} began, or is to begin, is not answered. */
  readonly hasTurns: boolean;
  /** As {@link answerLater}, but begins when everything before it is answered. */
  answerInTurn(begin: (answer: (write: (reply: RespWriter) => void) => void) => void): void;
  /** Aborted when the connection is over. */
  readonly gone: AbortSignal;
  /** Answers +OK at its place, then closes. */
  quit(): void;
  /** Closes once what was answered and what is still to be answered is sent; takes no more requests. */
  closeAfterAnswers(): void;
  /** As a new connection, but for its id. */
  reset(): void;
}

/** Writes a failure as RESP has it. */
export function writeFailure(reply: RespWriter, failed: Failure): void {
  const { retryAfterMs } = failed;
  const text =
    retryAfterMs === undefined ? failed.text : `${failed.text}; retry after ${retryAfterMs} ms`;
  reply.error(failed.wire ?? failed.code, text);
}
