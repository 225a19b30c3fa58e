/**
 * What reaches the world: time, timers, randomness, files, the network, the process. Only the seams in src/base and the
 * surfaces on the upper floors may, so that the simulator can run everything else.
 */
import { Visitor } from "oxc-parser";
import type { Finding, Source } from "./source.ts";

type Reach = "time" | "timers" | "random" | "files" | "network" | "process" | "console";

const all: readonly Reach[] = [
  "time",
  "timers",
  "random",
  "files",
  "network",
  "process",
  "console",
];

/** Who may reach what: the longest matching path decides. Anything else below src/ reaches nothing. */
const allowed: Readonly<Record<string, readonly Reach[]>> = {
  "src/base/system-clock.ts": ["time", "timers"],
  "src/base/system-random.ts": ["random"],
  "src/base/node-file-system.ts": ["files", "network", "process"],
  "src/base/process-hold.ts": ["timers"],
  "src/base/virtual-clock.ts": ["timers"],
  "src/base/browser-clock.ts": ["time", "timers"],
  "src/base/browser-random.ts": ["random"],
  "src/base/browser-fetch.ts": ["network"],
  "src/base/node-network.ts": ["network", "process"],
  "src/base/node-tls.ts": ["network"],
  "src/base/node-tls-network.ts": ["network"],
  "src/server/": ["time", "timers", "random", "files", "network"],
  "src/cli/": all,
  // The simulator drives real event loop turns and may read files; what it decides must come from its seed.
  "simulator/": ["timers", "files", "process", "console"],
};

const modules: Readonly<Record<string, Reach>> = {
  fs: "files",
  "fs/promises": "files",
  net: "network",
  tls: "network",
  dgram: "network",
  dns: "network",
  "dns/promises": "network",
  http: "network",
  https: "network",
  http2: "network",
  timers: "timers",
  "timers/promises": "timers",
  perf_hooks: "time",
  process: "process",
  os: "process",
  child_process: "process",
  cluster: "process",
};

const globals: Readonly<Record<string, Reach>> = {
  setTimeout: "timers",
  setInterval: "timers",
  setImmediate: "timers",
  performance: "time",
  process: "process",
  console: "console",
  fetch: "network",
  WebSocket: "network",
};

const members: Readonly<Record<string, Reach>> = {
  "Date.now": "time",
  "Math.random": "random",
  "crypto.randomUUID": "random",
  "crypto.getRandomValues": "random",
};

const instead: Readonly<Record<Reach, string>> = {
  time: "take a Clock (src/base/clock.ts)",
  timers: "take a Clock (src/base/clock.ts)",
  random: "take a Random (src/base/random.ts)",
  files: "take a FileSystem (src/base/file-system.ts)",
  network: "take a Network (src/base/network.ts)",
  process: "pass the value in; only src/cli knows the process",
  console: "take a Logger (src/base/logger.ts)",
};

/** Uses of the world outside the seams. */
export function checkSeams(source: Source): Finding[] {
  if (!source.path.startsWith("src/") && !source.path.startsWith("simulator/")) return [];
  const may = reachOf(source.path);
  const findings: Finding[] = [];
  const report = (line: number, what: string, reach: Reach): void => {
    if (may.includes(reach)) return;
    const text = `${what} is for the seams; here, ${instead[reach]}`;
    findings.push({ path: source.path, line, rule: "seam", text });
  };

  for (const one of source.imports) {
    const reach = modules[one.specifier.replace(/^node:/, "")];
    if (reach !== undefined) report(one.line, one.specifier, reach);
    if (/^(node:)?crypto$/.test(one.specifier)) {
      const drawn = one.names.find((name) => name === "*" || /random|generate/i.test(name));
      if (drawn !== undefined) report(one.line, `${drawn} of ${one.specifier}`, "random");
    }
  }
  for (const { line, what, reach } of globalUses(source)) report(line, what, reach);
  return findings;
}

function reachOf(path: string): readonly Reach[] {
  let best = "";
  for (const prefix of Object.keys(allowed)) {
    if (path.startsWith(prefix) && prefix.length > best.length) best = prefix;
  }
  return allowed[best] ?? [];
}

interface Use {
  readonly line: number;
  readonly what: string;
  readonly reach: Reach;
}

function globalUses(source: Source): Use[] {
  const uses: Use[] = [];
  const names = new Map<number, { name: string; start: number }>();
  // Names behind a dot and keys are not references: `clock.setTimeout`, `{ process: 1 }`.
  const notReferences = new Set<number>();
  const key = (node: { computed: boolean; key: { start: number } }): void => {
    if (!node.computed) notReferences.add(node.key.start);
  };

  new Visitor({
    Identifier: (node) => void names.set(node.start, node),
    MemberExpression: (node) => {
      if (node.computed || node.property.type !== "Identifier") return;
      notReferences.add(node.property.start);
      if (node.object.type !== "Identifier") return;
      const what = `${node.object.name}.${node.property.name}`;
      const reach =
        members[what] ??
        (node.object.name === "globalThis" ? globals[node.property.name] : undefined);
      if (reach !== undefined) uses.push({ line: source.lineOf(node), what, reach });
    },
    NewExpression: (node) => {
      if (node.callee.type !== "Identifier" || node.callee.name !== "Date") return;
      if (node.arguments.length > 0) return;
      uses.push({ line: source.lineOf(node), what: "new Date()", reach: "time" });
    },
    CallExpression: (node) => {
      if (node.callee.type !== "Identifier" || node.callee.name !== "Date") return;
      uses.push({ line: source.lineOf(node), what: "Date()", reach: "time" });
    },
    Property: (node) => {
      if (!node.shorthand) key(node);
    },
    MethodDefinition: key,
    PropertyDefinition: key,
    TSMethodSignature: key,
    TSPropertySignature: key,
  }).visit(source.program);

  for (const node of names.values()) {
    const reach = Object.hasOwn(globals, node.name) ? globals[node.name] : undefined;
    if (reach === undefined || notReferences.has(node.start)) continue;
    uses.push({ line: source.lineOf(node), what: node.name, reach });
  }
  return uses;
}
