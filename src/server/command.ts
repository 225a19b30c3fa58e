/**
 * What a command is, as data: dispatch, help, COMMAND, INFO and the reference page all read it.
 */
import type { Outcome } from "../machines/outcome.ts";
import type { RespWriter } from "../protocol/resp-writer.ts";
import type { Call } from "./call.ts";
import type { Failure } from "./failure.ts";
import type { Operation } from "../machines/operation.ts";
import type { Session } from "./session.ts";

export type CommandGroup = "connection" | "server" | "cluster" | "records" | "transactions";

interface CommandFacts {
  /** In capitals, as users write it. */
  readonly name: string;
  /** As in Redis: the number of arguments with the name; negative = at least so many. */
  readonly arity: number;
  /** As in Redis' COMMAND: readonly, write, fast, loading, stale, noscript, … */
  readonly flags: readonly string[];
  readonly group: CommandGroup;
  /** Version of Truba that brought it. */
  readonly since: string;
  /** Its arguments, as help shows them. */
  readonly usage: string;
  readonly help: string;
  /** Where its keys stand, as in Redis' COMMAND: first, last (negative = from the end), step; 0 0 0 = none. */
  readonly keys: readonly [first: number, last: number, step: number];
  /** If argument 1 names one of these. */
  readonly subcommands?: readonly Subcommand[];
}

/** One of the commands that share a name, as CLIENT ID. Answers as a {@link PlainCommand} does. */
export interface Subcommand {
  /** In capitals, without the name that it stands behind. */
  readonly name: string;
  /** As in Redis; both names count. */
  readonly arity: number;
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

/** Becomes one operation; may carry a request id, may stand in MULTI. */
export interface WriteCommand extends CommandFacts {
  readonly kind: "write";
  /** Parses the call into an operation that is good until the next parse. */
  parse(call: Call, session: Session): Operation | Failure;
  render(outcome: Outcome, reply: RespWriter): void;
}

/** Becomes an operation for each of its keys, argument 1 and on; answers with how many of them did something. */
export interface ManyCommand extends CommandFacts {
  readonly kind: "many";
  parse(call: Call, index: number, session: Session): Operation | Failure;
  counts(outcome: Outcome): boolean;
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

export type Command = PlainCommand | WriteCommand | ManyCommand | ReadCommand | ControlCommand;

/** Narrows what a parse gave. */
export function isFailure(parsed: Operation | Failure): parsed is Failure {
  return "text" in parsed;
}
