/** The style of the repository as checks over its sources. `test/tidy.test.ts` runs them on every file. */
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { checkCycles, checkFloors } from "./floors.ts";
import { checkSeams } from "./seams.ts";
import { Source } from "./source.ts";
import type { Finding } from "./source.ts";
import { checkStyle } from "./style.ts";

const folders = ["src", "simulator", "test", "bench", "scripts"];

/** All checks over all sources, in the order of files and lines. */
export function checkAll(sources: readonly Source[]): Finding[] {
  const findings = checkCycles(sources);
  for (const source of sources) {
    findings.push(...checkStyle(source), ...checkFloors(source), ...checkSeams(source));
  }
  return findings.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line));
}

/** `src/wal/segment.ts:12: rule: what to do` */
export function findingText(finding: Finding): string {
  return `${finding.path}:${finding.line}: ${finding.rule}: ${finding.text}`;
}

/** Reads the sources of the repository in `root`. */
export function readSources(root: string): Source[] {
  const sources: Source[] = [];
  for (const folder of folders) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      if (!/\.(ts|mjs)$/.test(name)) continue;
      const path = `${folder}/${name.split(sep).join("/")}`;
      sources.push(new Source(path, readFileSync(join(root, path), "utf8")));
    }
  }
  return sources.sort((a, b) => (a.path < b.path ? -1 : 1));
}
