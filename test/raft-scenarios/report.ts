/** All scenario files there are, graded: the published scenarios and tables where they are at hand, and our own. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runFile as runConfigurationTable } from "./configuration-tables.ts";
import { readCases, type FileResult } from "./datadriven.ts";
import { gradeScenario, type Difference } from "./grade.ts";
import { publishedFiles } from "./published-files.ts";
import { runFile as runQuorumTable } from "./quorum-tables.ts";

export interface FileReport {
  /** `interaction/campaign.txt` */
  readonly name: string;
  readonly passed: boolean;
  /** In one word or two: `B C`, `C`, `failed`, `passed`. */
  readonly grade: string;
  readonly counts: string;
  readonly differences: readonly Difference[];
  readonly failure: string | undefined;
}

/** A file to grade; nothing is read before it is. */
export interface Gradable {
  readonly name: string;
  grade(): FileReport;
}

export interface Published {
  readonly files: readonly Gradable[];
  /** Why there are none, or false. */
  readonly skip: string | false;
}

/** The published files. A file that passes need not print all that the published core prints, but must end each query in the same state. */
export function published(): Published {
  const scenarios = publishedFiles("interaction");
  const quorum = publishedFiles("quorum");
  const changes = publishedFiles("confchange");
  const files = [
    ...quorum.names.map((name) => table(`quorum/${name}`, quorum.pathOf(name), runQuorumTable)),
    ...changes.names.map((name) =>
      table(`confchange/${name}`, changes.pathOf(name), runConfigurationTable),
    ),
    ...scenarios.names.map((name) => scenario(`interaction/${name}`, scenarios.pathOf(name), "C")),
  ];
  return { files, skip: scenarios.skip };
}

const ownFolder = join(dirname(dirname(fileURLToPath(import.meta.url))), "raft", "scenarios");

/** Ours, in the same format. Every line must be as it stands there. */
export function own(): readonly Gradable[] {
  return ownPaths().map(({ name, path }) => scenario(`own/${name}`, path, "B"));
}

/** Writes what our own scenarios print now into their files; the difference is to be read. Returns the names of those that changed. */
export function rewriteOwn(): string[] {
  const changed: string[] = [];
  for (const { name, path } of ownPaths()) {
    const before = readFileSync(path, "utf8");
    const { differences, failure } = gradeScenario(readCases(path));
    if (failure !== undefined) throw new Error(`${name} cannot be rewritten: ${failure}`);
    const lines = before.split("\n");
    for (const { line, actual } of differences.toReversed()) {
      const start = lines.indexOf("----", line) + 1;
      const end = lines.findIndex((text, at) => at >= start && text.trim() === "");
      lines.splice(start, (end < 0 ? lines.length : end) - start, ...actual.split("\n"));
    }
    const after = lines.join("\n");
    if (after === before) continue;
    writeFileSync(path, after);
    changed.push(name);
  }
  return changed;
}

function ownPaths(): { readonly name: string; readonly path: string }[] {
  const names = readdirSync(ownFolder).filter((name) => name.endsWith(".txt"));
  return names.sort().map((name) => ({ name, path: join(ownFolder, name) }));
}

function scenario(name: string, path: string, needed: "B" | "C"): Gradable {
  const grade = (): FileReport => {
    const result = gradeScenario(readCases(path));
    const { commands, queries, differences, failure, tierB, tierC } = result;
    const tiers = [tierB ? "B" : "", tierC ? "C" : ""].join(" ").trim();
    return {
      name,
      passed: needed === "B" ? tierB : tierC,
      grade: tiers === "" ? "failed" : tiers,
      counts: `${commands} commands, ${queries} of them queries, ${differences.length} differ`,
      differences,
      failure,
    };
  };
  return { name, grade: () => guarded(name, grade) };
}

function table(name: string, path: string, run: (path: string) => FileResult): Gradable {
  const grade = (): FileReport => {
    const { cases, failures } = run(path);
    const passed = failures.length === 0;
    return {
      name,
      passed,
      grade: passed ? "passed" : "failed",
      counts: `${cases - failures.length} of ${cases} cases`,
      differences: failures.map(({ line, expected, found }) => {
        return { line, command: "case", expected, actual: found, query: true };
      }),
      failure: undefined,
    };
  };
  return { name, grade: () => guarded(name, grade) };
}

/** A file that cannot be run has failed; the others go on. */
function guarded(name: string, grade: () => FileReport): FileReport {
  try {
    return grade();
  } catch (error) {
    const failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { name, passed: false, grade: "failed", counts: "not run", differences: [], failure };
  }
}

/** What differs, to be read by people. */
export function differencesText({ differences, failure }: FileReport): string {
  const parts = differences.map(({ line, command, expected, actual }) => {
    return `line ${line}: ${command}\nexpected:\n${expected}\nfound:\n${actual}\n`;
  });
  if (failure !== undefined) parts.push(failure);
  return parts.join("\n");
}
