/**
 * The core against scenarios: the published ones of etcd-io/raft, where they are at hand (RAFT_SCENARIOS), must end every query in the published state; our own
 * (test/raft/scenarios) must print every line that stands in them. `npm run raft-scenarios` tells the same as a list.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parseCases } from "../raft-scenarios/datadriven.ts";
import { gradeScenario } from "../raft-scenarios/grade.ts";
import { differencesText, own, published } from "../raft-scenarios/report.ts";

suite("published Raft scenarios (thesis chapters 3 to 6, 9, 10)", () => {
  const { files, skip } = published();
  if (skip !== false) test("the published files", { skip }, () => {});
  for (const file of files) {
    test(`${file.name} ends as published`, (t) => {
      const report = file.grade();
      t.diagnostic(`${report.grade}: ${report.counts}`);
      assert.ok(report.passed, `${report.name}\n${differencesText(report)}`);
    });
  }
});

suite("our own Raft scenarios", () => {
  for (const file of own()) {
    test(`${file.name} prints what stands there`, () => {
      const report = file.grade();
      assert.ok(report.passed, `${report.name}\n${differencesText(report)}`);
    });
  }
});

const grade = (text: string): ReturnType<typeof gradeScenario> =>
  gradeScenario(parseCases(text, "planted.txt"));

suite("the runner of the scenarios", () => {
  const setup = "log-level none\n----\nok\n\nadd-nodes 1 voters=(1) index=2\n----\nok\n";

  test("log lines are left out, and an output that was nothing else is ok", () => {
    const text = `${setup}\nlog-level debug\n----\nok\n\ncampaign 1\n----\nINFO 1 became candidate\n`;
    const { tierB, tierC, commands } = grade(text);
    assert.deepEqual({ tierB, tierC, commands }, { tierB: true, tierC: true, commands: 4 });
  });

  test("another output fails tier B, and tier C when the command only looks", () => {
    const wrong = grade(`${setup}\nlog-level debug\n----\nok\n\nprocess-ready 1\n----\nok\n`);
    assert.deepEqual([wrong.tierB, wrong.tierC], [false, true]);
    assert.equal(wrong.differences[0]?.actual, "<empty Ready>");
    const state = "1: StateLeader (Voter) Term:1 Lead:1";
    const other = grade(`${setup}\nlog-level debug\n----\nok\n\nraft-state\n----\n${state}\n`);
    assert.deepEqual([other.tierB, other.tierC], [false, false]);
    assert.equal(other.differences[0]?.actual, "1: StateFollower (Voter) Term:0 Lead:0");
  });

  test("what a command refuses is told even when quiet", () => {
    const text = `${setup}\npropose 1 x\n----\nraft proposal dropped\n\nforge 1\n----\nunknown command\n`;
    assert.deepEqual(grade(text).differences, []);
  });

  test("commands may stand below a command", () => {
    const text = `${setup}\ncampaign 1\nstabilize\nlog-level debug\nraft-state\n----\n1: StateLeader (Voter) Term:1 Lead:1\n`;
    assert.deepEqual(grade(text).differences, []);
  });

  test("what is thrown fails the file at that command", () => {
    const { failure, tierB, tierC } = grade(`${setup}\ncompact 1 9\n----\nok\n`);
    assert.match(failure ?? "", /^line 9: compact 1 9: .*compacted above its end/);
    assert.deepEqual([tierB, tierC], [false, false]);
  });
});
