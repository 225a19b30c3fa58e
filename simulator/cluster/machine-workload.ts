/** What a machine adds to the load of a simulated cluster: what its clients do, and the checks of what they were told. */
import type { Random } from "../../src/base/random.ts";
import type { Request } from "./client.ts";

export interface MachineWorkload {
  /** What a client does next: one request, or several at once. Draws from `random` only. */
  next(client: number, random: Random): readonly Request[];
  /** When all clients have ended: the reads that show what is there. All of them must be answered. */
  last(): readonly Request[];
  /** Throws SimulationError when the history cannot be. */
  check(): CheckReport;
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
