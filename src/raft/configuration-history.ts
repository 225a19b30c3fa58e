/** All configurations that a group has had, for the invariants: the same after the same entry everywhere, and each one step from the one before (thesis chapter 4). */
import type { Configuration, Index, ReplicaId } from "./vocabulary.ts";

interface Noted {
  readonly index: Index;
  readonly configuration: Configuration;
  readonly text: string;
}

export class ConfigurationHistory {
  readonly #violated: (invariant: string, text: string) => Error;
  /** Rising indices. */
  readonly #noted: Noted[] = [];

  constructor(violated: (invariant: string, text: string) => Error) {
    this.#violated = violated;
  }

  /** A copy has this configuration. Unless `complete`, others may have been between it and the last one. Throws what the constructor was given. */
  note(
    copy: {
      readonly id: ReplicaId;
      readonly configuration: Configuration;
      readonly configurationIndex: Index;
    },
    complete: boolean,
  ): void {
    const { id, configuration, configurationIndex: index } = copy;
    const text = textOf(configuration);
    const newest = this.#noted.at(-1);
    if (newest !== undefined && index <= newest.index) {
      const known = this.#noted.find((noted) => noted.index === index);
      if (known === undefined || known.text === text) return;
      throw this.#violated(
        "Configuration Safety (thesis 4.1)",
        `after entry ${index} copy ${id} has ${text}; another one had ${known.text}`,
      );
    }
    if (complete && newest !== undefined && !isOneStep(newest.configuration, configuration)) {
      throw this.#violated(
        "One Change At A Time (thesis 4.1, 4.3)",
        `copy ${id} has ${text} after entry ${index}, which is not one step from ${newest.text} after entry ${newest.index}`,
      );
    }
    this.#noted.push({ index, configuration, text });
  }
}

/** Whether a majority of the voters, and of those that go if there are such, answers yes. Without voters nobody does. */
export function majorityHolds(
  { voters, outgoing }: Configuration,
  holds: (member: ReplicaId) => boolean,
): boolean {
  const isMajority = (members: readonly ReplicaId[]): boolean =>
    members.filter(holds).length > members.length / 2;
  return isMajority(voters) && (outgoing.length === 0 || isMajority(outgoing));
}

/** Whether any majority of one shares a member with any majority of the other, by the ways that the thesis knows. */
function isOneStep(before: Configuration, after: Configuration): boolean {
  const wasJoint = before.outgoing.length > 0;
  const isJoint = after.outgoing.length > 0;
  if (wasJoint) {
    if (isJoint && !sameMembers(before.outgoing, after.outgoing)) return false;
    return sameMembers(before.voters, after.voters);
  }
  if (isJoint) return sameMembers(before.voters, after.outgoing);
  return difference(before.voters, after.voters) + difference(after.voters, before.voters) <= 1;
}

function sameMembers(a: readonly ReplicaId[], b: readonly ReplicaId[]): boolean {
  return difference(a, b) + difference(b, a) === 0;
}

/** How many of `a` are not in `b`. */
function difference(a: readonly ReplicaId[], b: readonly ReplicaId[]): number {
  return a.filter((member) => !b.includes(member)).length;
}

function textOf(configuration: Configuration): string {
  const { voters, outgoing, learners, learnersNext, witnesses, autoLeave } = configuration;
  const lists = [
    ["voters", voters],
    ["outgoing", outgoing],
    ["learners", learners],
    ["learners next", learnersNext],
    ["witnesses", witnesses],
  ] as const;
  const parts = lists
    .filter(([, members]) => members.length > 0)
    .map(([name, members]) => `${name} ${[...members].sort((a, b) => a - b).join(" ")}`);
  return `(${parts.join("; ")}${autoLeave ? "; auto" : ""})`;
}
