/** What the clients of a simulated cluster see of it: its nodes, and when one of them is gone. */
import type { SimulationError } from "../node-state.ts";
import type { LogTimes } from "./log-times.ts";
import type { Node } from "../../src/node/node.ts";

export interface ClusterPort {
  /** How many partitions there are; the same on every host. */
  readonly partitions: number;
  /** The numbers of all hosts, those that are down too. */
  readonly hosts: readonly number[];
  /** The node that runs on a host; `undefined` while the host is down or its node opens. */
  nodeOn(host: number): Node | undefined;
  /**
   * The process on a host has died: killed, out of power, or stopped by its own fatal error. Nothing that was asked of its node will be
   * answered any more. `nodeOn` gives `undefined` already.
   */
  onHostDown(listener: (host: number) => void): void;
  /** What only the simulator can know; absent where nobody does. */
  readonly oracle?: Oracle;
}

export interface Oracle {
  /** Up to here entries of a partition are known to be committed, by any of its copies: a read that is asked for now must see them. */
  committed(partition: number): number;
  /** Log time by the numbers of operations. */
  readonly times: LogTimes;
  violate(error: SimulationError): void;
}
