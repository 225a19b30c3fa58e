/** Changes of the members as the published files write them: `v1 l2 r3 u4`, and ours `w5`. */
import type { MemberChange } from "../../src/raft/membership-change.ts";
import { toCount } from "./arguments.ts";
import { changeLetters } from "./describe.ts";
import { ScenarioError } from "./transcript.ts";

/** Throws ScenarioError. */
export function changesOf(text: string): MemberChange[] {
  const words = text.split(/\s+/).filter((word) => word !== "");
  return words.map((word) => {
    if (word.length < 2) throw new ScenarioError(`unknown token ${word}`);
    const kind = changeLetters.get(word.charAt(0));
    if (kind === undefined) throw new ScenarioError(`unknown input: ${word}`);
    return { kind, replica: toCount(word.slice(1)) };
  });
}
