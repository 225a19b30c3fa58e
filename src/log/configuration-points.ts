/** The configurations of a group from its last checkpoint on: what a checkpoint of a later position must say of who takes part. */
import { must } from "../base/assert.ts";
import { TrubaError } from "../base/errors.ts";
import { Members } from "../raft/members.ts";
import type { ConfigurationChange } from "../raft/membership-change.ts";
import { Progress } from "../raft/progress.ts";
import type { Configuration, Index, ReplicaId } from "../raft/vocabulary.ts";
import type { LogToken } from "./log-token.ts";

export interface ConfigurationPoint {
  /** The configuration is the one after this entry. */
  readonly index: Index;
  readonly configuration: Configuration;
}

export class ConfigurationPoints {
  /** Oldest first; never empty. */
  #points: ConfigurationPoint[];

  constructor(first: ConfigurationPoint) {
    this.#points = [first];
  }

  get newest(): ConfigurationPoint {
    return must(this.#points.at(-1));
  }

  /** Returns whether it is one that was not known: a copy may have begun with a configuration later than its log. */
  add(point: ConfigurationPoint): boolean {
    if (point.index <= this.newest.index) return false;
    this.#points.push(point);
    return true;
  }

  /** The configuration that holds at `position`, or the oldest that is known. */
  at(position: Index): ConfigurationPoint {
    return this.#points.findLast(({ index }) => index <= position) ?? must(this.#points[0]);
  }

  /** Forgets those that no position from `position` on needs. */
  dropBelow(position: Index): void {
    const needed = this.at(position).index;
    this.#points = this.#points.filter(({ index }) => index >= needed);
  }
}

/** Begins with the configuration that a token names. */
export function pointsOf({ configuration, configurationIndex }: LogToken): ConfigurationPoints {
  return new ConfigurationPoints({ index: configurationIndex, configuration });
}

/** Of members that nobody sends anything to. */
const noProgress = (): Progress =>
  new Progress({ next: 1, maxInflightMessages: 1, maxInflightBytes: 1 });

/** What a change makes of a configuration when it is applied, as the core does it: one that is not possible where it stands changes nothing. */
export function configurationAfter(
  configuration: Configuration,
  change: ConfigurationChange,
): Configuration {
  try {
    return Members.fromConfiguration(configuration, noProgress).after(change).toConfiguration();
  } catch (error) {
    if (error instanceof TrubaError && error.code === "BADCHANGE") return configuration;
    throw error;
  }
}

export function isMember(configuration: Configuration, replica: ReplicaId): boolean {
  const { voters, outgoing, learners, learnersNext } = configuration;
  return [voters, outgoing, learners, learnersNext].some((members) => members.includes(replica));
}

/** Whether this copy alone decides. */
export function isSoleVoter({ voters, outgoing }: Configuration, replica: ReplicaId): boolean {
  return voters.length === 1 && voters[0] === replica && outgoing.length === 0;
}
