/**
 * Runs the published tables of configuration changes (etcd-io/raft, confchange/testdata) against src/raft/members.ts. Cases of one file follow each other:
 *
 *     simple                          changes that alter one voter at most
 *     enter-joint [autoleave=true]    any changes
 *     leave-joint
 *
 * Input: v1 = add voter 1, l1 = learner, r1 = remove, u1 = touch; and w1 = witness, which the published ones do not have. The last index is 0 at first and
 * grows by one with every case, so that `next` shows when a progress began.
 */
import { TrubaError } from "../../src/base/errors.ts";
import { Members } from "../../src/raft/members.ts";
import { Progress } from "../../src/raft/progress.ts";
import { changesOf } from "./changes.ts";
import { runCases, valuesOf, type DatadrivenCase, type FileResult } from "./datadriven.ts";
import { ScenarioError } from "./transcript.ts";

export function runFile(path: string): FileResult {
  let lastIndex = 0;
  let members = Members.fromConfiguration(
    { voters: [], outgoing: [], learners: [], learnersNext: [], witnesses: [], autoLeave: false },
    () =>
      new Progress({
        next: Math.max(lastIndex, 1),
        maxInflightMessages: 10,
        maxInflightBytes: Infinity,
      }),
  );
  return runCases(path, (one) => {
    try {
      members = run(members, one);
      const progress = [...members.progress].map(([id, each]) => `${id}: ${each.describe()}`);
      return [members.describe(), ...progress].join("\n");
    } catch (error) {
      if (error instanceof ScenarioError) return error.message;
      if (error instanceof TrubaError && error.code === "BADCHANGE") return error.message;
      throw error;
    } finally {
      lastIndex++;
    }
  });
}

function run(members: Members, one: DatadrivenCase): Members {
  switch (one.command) {
    case "simple":
      return members.simple(changesOf(one.input));
    case "enter-joint":
      return members.enterJoint(autoLeaveOf(one), changesOf(one.input));
    case "leave-joint":
      if (one.input !== "") throw new ScenarioError("this command takes no input");
      return members.leaveJoint();
    default:
      throw new ScenarioError("unknown command");
  }
}

function autoLeaveOf(one: DatadrivenCase): boolean {
  const [text = "false"] = valuesOf(one, "autoleave") ?? [];
  if (text !== "true" && text !== "false") throw new Error(`neither true nor false: ${text}`);
  return text === "true";
}
