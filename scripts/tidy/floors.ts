/** The floors: which folder may import which. A file imports its own folder and lower floors; nothing imports in a circle. */
import type { Finding, ImportOf, Source } from "./source.ts";

/** The floor of each folder of src/. Folders on one floor do not import each other. */
const floors: Readonly<Record<string, number>> = {
  base: 0,
  raft: 1,
  protocol: 1,
  placement: 1,
  patch: 1,
  wal: 2,
  state: 2,
  client: 2,
  log: 3,
  machines: 3,
  partition: 4,
  documents: 4,
  cluster: 5,
  delivery: 5,
  node: 6,
  server: 7,
  cli: 8,
};

/** Folders that may import less than their floor allows. The client runs in browsers. */
const narrow: Readonly<Record<string, readonly string[]>> = {
  client: ["base", "protocol", "placement", "patch"],
};

/** src/index.ts and src/browser.ts, the users' doors, and simulator/ stand on the node. */
const nodeFloor = 6;
const doors = ["src/index.ts", "src/browser.ts"];

/** Folders beside src/ that may import anything. */
const free = ["test", "bench", "scripts"];

/** Imports that climb, cross a floor, or leave src/. */
export function checkFloors(source: Source): Finding[] {
  const findings: Finding[] = [];
  const [place = "", folder = ""] = source.path.split("/");
  if (free.includes(place)) return findings;
  if (place === "src" && !doors.includes(source.path) && floors[folder] === undefined) {
    const text = `src/${folder} has no floor; give it one in scripts/tidy/floors.ts, or move the file`;
    findings.push({ path: source.path, line: 1, rule: "floor", text });
    return findings;
  }
  for (const one of source.imports) {
    const text = one.target === undefined ? undefined : refusal(source.path, one.target);
    if (text !== undefined)
      findings.push({ path: source.path, line: one.line, rule: "floor", text });
  }
  return findings;
}

function refusal(from: string, to: string): string | undefined {
  const [fromPlace = "", fromFolder = ""] = from.split("/");
  const [toPlace = "", toFolder = ""] = to.split("/");
  if (toPlace !== "src") {
    if (fromPlace === toPlace) return undefined;
    return `${fromPlace}/ must not import ${toPlace}/; move what is needed into src/`;
  }
  const toFloor = floors[toFolder];
  if (toFloor === undefined) return `nothing imports ${to}; import the file that has the thing`;
  if (fromPlace !== "src" || doors.includes(from)) {
    if (toFloor <= nodeFloor) return undefined;
    return `${from} may import floors 0 to ${nodeFloor}; src/${toFolder} is on floor ${toFloor}`;
  }
  if (fromFolder === toFolder) return undefined;
  const only = narrow[fromFolder];
  if (only !== undefined && !only.includes(toFolder)) {
    return `src/${fromFolder} may import ${only.join(", ")} only, not src/${toFolder}`;
  }
  const fromFloor = floors[fromFolder] ?? 0;
  if (toFloor < fromFloor) return undefined;
  const how = toFloor === fromFloor ? "the same floor" : `the higher floor ${toFloor}`;
  return (
    `src/${fromFolder} (floor ${fromFloor}) must not import src/${toFolder} on ${how}; ` +
    `declare a port in src/${fromFolder}, or move the thing down`
  );
}

/** Circles of imports, type imports included; each is told once, with its whole way. */
export function checkCycles(sources: readonly Source[]): Finding[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const findings: Finding[] = [];
  const done = new Set<string>();
  const way: string[] = [];

  const visit = (source: Source): void => {
    way.push(source.path);
    for (const one of source.imports) {
      const next = one.target === undefined ? undefined : byPath.get(one.target);
      if (next === undefined || done.has(next.path)) continue;
      const at = way.indexOf(next.path);
      if (at >= 0) findings.push(cycle(source, one, [...way.slice(at), next.path]));
      else visit(next);
    }
    way.pop();
    done.add(source.path);
  };

  for (const source of sources) if (!done.has(source.path)) visit(source);
  return findings;
}

function cycle(source: Source, closing: ImportOf, way: readonly string[]): Finding {
  const text = `imports in a circle: ${way.join(" → ")}; move what both need into a file of its own`;
  return { path: source.path, line: closing.line, rule: "cycle", text };
}
