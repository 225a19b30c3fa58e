/** Changes of the members as the trace shows them. */
import { changeKinds } from "../../src/raft/membership-change.ts";
import type { ConfigurationChange } from "../../src/raft/membership-change.ts";

const kindNames: ReadonlyMap<number, string> = new Map(
  Object.entries(changeKinds).map(([name, kind]) => [kind, name]),
);

export function textOfChange({ transition, changes }: ConfigurationChange): string {
  const words = changes.map(({ kind, replica }) => `${kindNames.get(kind) ?? "?"} r${replica}`);
  return `${transition} [${words.join(", ")}]`;
}
