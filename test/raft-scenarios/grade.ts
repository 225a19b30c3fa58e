/**
 * Runs a scenario and compares. Two tiers: B, every command prints what the file says (Ready, messages, states; log lines of the published core are left out,
 * ours writes none); C, the commands that only look (`raft-log`, `raft-state`, `status`) do. Whoever fails C is in another state than the published core.
 */
import { isQuery, runCommand } from "./commands.ts";
import type { DatadrivenCase } from "./datadriven.ts";
import { Environment } from "./environment.ts";

export interface Difference {
  readonly line: number;
  /** The command with its arguments. */
  readonly command: string;
  readonly expected: string;
  readonly actual: string;
  /** A command that only looks. */
  readonly query: boolean;
}

export interface ScenarioGrade {
  readonly commands: number;
  readonly queries: number;
  readonly differences: readonly Difference[];
  /** What was thrown, and by which command; nothing was done after it. */
  readonly failure: string | undefined;
  readonly tierB: boolean;
  readonly tierC: boolean;
}

/** Does all commands of one file in one world. Throws nothing: what is thrown is the file's failure. */
export function gradeScenario(cases: readonly DatadrivenCase[]): ScenarioGrade {
  const world = new Environment();
  const differences: Difference[] = [];
  let queries = 0;
  let failure: string | undefined;
  for (const one of cases) {
    const query = isQuery(one.command);
    if (query) queries++;
    try {
      const actual = withoutLogLines(runCommand(world, one));
      const expected = withoutLogLines(one.expected);
      if (actual !== expected) {
        differences.push({ line: one.line, command: commandText(one), expected, actual, query });
      }
    } catch (error) {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      failure = `line ${one.line}: ${commandText(one)}: ${reason}`;
      break;
    }
  }
  return {
    commands: cases.length,
    queries,
    differences,
    failure,
    tierB: failure === undefined && differences.length === 0,
    tierC: failure === undefined && !differences.some(({ query }) => query),
  };
}

/** As it stands in the file, but for its spaces. */
function commandText({ command, args }: DatadrivenCase): string {
  const words = args.map(({ key, values }) => {
    if (values.length === 0) return key;
    return `${key}=${values.length === 1 ? values.join("") : `(${values.join(",")})`}`;
  });
  return [command, ...words].join(" ");
}

const logLine = /^\s*(DEBUG|INFO|WARN|ERROR|FATAL|PANIC) /;

/** What is left of an output without the lines of the published core's log; `ok` when nothing is. */
export function withoutLogLines(output: string): string {
  const lines = output.split("\n").map((line) => line.trimEnd());
  const kept = lines.filter((line) => !logLine.test(line)).join("\n");
  const text = kept.replaceAll(/^\n+|\n+$/g, "");
  return text === "" ? "ok" : text;
}
