/** What a machine adds to the load of a simulated cluster: what its clients do, and the checks of what they were told. */
import type { Random } from "../../src/base/random.ts";
import type { Partition } from "../../src/partition/partition.ts";
import type { Request } from "./request.ts";
import type { LogTimes } from "./log-times.ts";

export interface MachineWorkload {
  /** What a client does next: one request, or several at once, or its connections end. Draws from `random` only. */
  next(client: number, random: Random): readonly Request[] | "leave";
  /** The connections of a client have ended. */
  left?(client: number, random: Random): void;
  /** When all clients have ended: the reads that show what is there. All of them must be answered. */
  last(): readonly Request[];
  /** After these: takes what is left, by requests to whichever host it takes. */
  drain?(perform: (request: Request, done: () => void) => void, done: () => void): void;
  /** Throws SimulationError when the history cannot be. */
  check(end: EndState): CheckReport;
}

/** What is so when everything is over. */
export interface EndState {
  /** The full copies of a partition that have applied most. */
  replicas(partition: number): readonly Partition[];
  /** Log time by number, as it was seen; absent where nobody saw. */
  readonly times: LogTimes | undefined;
  /** Moment at which a life of a host ended; Infinity: it has not. */
  lifeEnded(life: number): number;
  /** When the connections of a client ended for the first time at a moment or later; Infinity: never. */
  leftAfter(client: number, moment: number): number;
}

/** How much was looked at. */
export interface CheckReport {
  readonly calls: number;
  readonly answered: number;
  readonly refused: number;
  readonly unknown: number;
  /** Histories that were searched for a linearization, and those of which the search was given up. */
  readonly histories: number;
  readonly undecided: number;
}
