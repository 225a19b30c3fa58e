/**
 * What a command is, as data: dispatch, help, COMMAND, INFO and the reference page all read it.
 */
import type { Outcome } from "../machines/outcome.ts";
import type { RespWriter } from "../protocol/resp-writer.ts";
import type { OutcomeSink } from "../partition/answer.ts";
import type { NeededRole } from "./access.ts";
import type { Call } from "./call.ts";
import type { Failure } from "./failure.ts";
import type { Operation } from "../machines/operation.ts";
import type { ReadScope } from "./request-order.ts";
import type { Session } from "./session.ts";

export type CommandGroup =
  | "records"
  | "queues"
  | "sessions"
  | "documents"
  | "subscriptions"
  | "transactions"
  | "functions"
  | "connection"
  | "server"
  | "cluster";

export interface CommandFacts {
  /** In capitals, as users write it. */
  readonly name: string;
  /** As in Redis: the number of arguments with the name; negative = at least so many. */
  readonly arity: number;
  /** As in Redis' COMMAND: readonly, write, fast, loading, stale, noscript, … */
  readonly flags: readonly string[];
  /** What a connection must be allowed to, to use it; `none`: it stands before the door. */
  readonly role: NeededRole | "none";
  readonly group: CommandGroup;
  /** Version of Truba that brought it. */
  readonly since: string;
  /** Its arguments, as help shows them. */
  readonly usage: string;
  readonly help: string;
  /** Where its keys stand, as in Redis' COMMAND: first, last (negative = from the end), step; 0 0 0 = none. */
  readonly keys: readonly [first: number, last: number, step: number];
  /** The argument that says how many keys there are, for those whose keys stand behind it. */
  readonly keyCountAt?: number;
  /** What it answers, for people, if `help` does not say it. */
  readonly answer?: string;
  /** What its arguments mean, for people. */
  readonly arguments?: readonly ArgumentFacts[];
  /** If argument 1 names one of these. */
  readonly subcommands?: readonly Subcommand[];
}

export interface ArgumentFacts {
  /** As the usage line has it. */
  readonly usage: string;
  readonly help: string;
}

/** One of the commands that share a name, as CLIENT ID. Answers as a {@link PlainCommand} does. */
export interface Subcommand {
  /** In capitals, without the name that it stands behind. */
  readonly name: string;
  /** As in Redis; both names count. */
  readonly arity: number;
  /** Unless it is that of the command. */
  readonly role?: NeededRole;
  readonly usage: string;
  readonly help: string;
  /** Where its key stands, if it has one. */
  readonly key?: number;
  run(call: Call, session: Session, reply: RespWriter): void;
}

/** Answers by itself, from what the node knows now. */
export interface PlainCommand extends CommandFacts {
  readonly kind: "plain";
  run(call: Call, session: Session, reply: RespWriter): void;
}

/** What a write is to know that does not stand in its call. */
export interface WriteContext {
  readonly requestId?: string | undefined;
  /** Decides the slot of a write that names no key. */
  readonly tag?: string | undefined;
}

/** Becomes one operation; may carry a request id, may stand in MULTI. */
export interface WriteCommand extends CommandFacts {
  readonly kind: "write";
  /** Parses the call into an operation that is good until the next parse. */
  parse(call: Call, session: Session, context?: WriteContext): Operation | Failure;
  /** Of a write that may name no key, and then goes wherever a group goes: the tag that this call names all the same. */
  tagOf?(call: Call): string | undefined;
  render(outcome: Outcome, reply: RespWriter): void;
}

/** Becomes an operation for each of its keys, argument 1 and on; answers with how many of them did something. */
export interface ManyCommand extends CommandFacts {
  readonly kind: "many";
  parse(call: Call, index: number, session: Session): Operation | Failure;
  counts(outcome: Outcome): boolean;
}

/** A request that the log does in its own time, with one operation or several: takes, and what administers queues. Not in MULTI. */
export interface LogCommand extends CommandFacts {
  readonly kind: "log";
  readonly takesRequestId: boolean;
  prepare(call: Call, session: Session): PreparedRequest | Failure;
  render(outcome: Outcome, reply: RespWriter): void;
}

/** Holds nothing of the call. */
export interface PreparedRequest {
  readonly scope: ReadScope;
  /** It may wait for others; so it begins when everything before it is answered. */
  readonly waits: boolean;
  /** Its answer may be so large. */
  readonly answerMaxBytes: number;
  /** The outcome goes to the sink. Returns how to give up waiting. Throws TrubaError. */
  begin(requestId: string | undefined, sink: OutcomeSink, tag: number): (() => void) | undefined;
}

/** A read that may also stand in MULTI, where it sees what the group did before it. */
export interface ReadCommand extends CommandFacts {
  readonly kind: "read";
  run(call: Call, session: Session, reply: RespWriter): void;
  parse(call: Call, session: Session): Operation | Failure;
  render(outcome: Outcome, reply: RespWriter): void;
}

/** Changes how the next commands are taken: MULTI, EXEC, DISCARD, REQUEST, FCALL, QUIT, RESET. Runs at once; its answer keeps its place. */
export interface ControlCommand extends CommandFacts {
  readonly kind: "control";
  control(call: Call, session: Session): void;
}

export type Command =
  | PlainCommand
  | WriteCommand
  | ManyCommand
  | LogCommand
  | ReadCommand
  | ControlCommand;

/** Narrows what a parse gave. */
export function isFailure(parsed: Operation | PreparedRequest | Failure): parsed is Failure {
  return "text" in parsed;
}
