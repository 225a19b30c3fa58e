/**
 * `npm test`: every check of the repository, in order, up to the first that fails.
 *
 *   npm test                                 all steps
 *   npm test -- --only types,unit            some steps
 *   npm test -- --only processes crash       process suites whose path has the word
 *   npm test -- --list                       the names of the steps
 */
import "./node-version.mjs";

const { spawn } = await import("node:child_process");
const fs = await import("node:fs");
const path = await import("node:path");
const { prepare, PrepareError, root } = await import("./prepare.mjs");

/** @typedef {{ title: string, args: string[], limitMinutes: number }} Run */

const simulation = ["--import", "tsx", "--enable-source-maps"];
const tests = [...simulation, "--test-reporter=spec"];

/** @type {Record<string, (words: string[]) => Run[]>} */
const steps = {
  types: () => [
    tool("Types", "typescript/bin/tsc", "--noEmit"),
    tool("Types of the page", "typescript/bin/tsc", "--noEmit", "-p", "web"),
  ],
  lint: () => [tool("Lint", "oxlint/bin/oxlint", "--type-aware", "--deny-warnings")],
  format: () => [tool("Format", "oxfmt/bin/oxfmt", "--check", ".")],
  unused: () => [
    tool("Unused files, exports and dependencies", "knip/bin/knip.js", "--no-progress"),
  ],
  unit: (words) => [
    { title: "Unit suite", args: [...tests, "test/all.ts", ...words], limitMinutes: 8 },
  ],
  simulate: () => [
    {
      title: "Cluster simulation, 200 seeds",
      args: [...simulation, "simulator/main.ts", "--seed", "1", "--seeds", "200"],
      limitMinutes: 5,
    },
  ],
  build: () => [{ title: "Build", args: ["scripts/build.mjs"], limitMinutes: 2 }],
  processes: (words) =>
    processSuites(words).map((file) => ({
      title: `Processes: ${file}`,
      args: [...tests, file],
      limitMinutes: 5,
    })),
};

const chosen = readArguments(process.argv.slice(2));
const started = Date.now();
try {
  prepare({ build: false });
  for (const name of chosen.names) {
    for (const run of steps[name]?.(chosen.words) ?? []) await execute(run);
  }
} catch (error) {
  if (!(error instanceof PrepareError)) throw error;
  console.error(`\n${error.message}`);
  process.exit(1);
}
console.log(`\nAll of ${chosen.names.join(", ")} passed in ${seconds(started)}.`);

/** @param {string[]} given */
function readArguments(given) {
  const names = Object.keys(steps);
  if (given.includes("--list")) {
    console.log(names.join("\n"));
    process.exit(0);
  }
  const at = given.indexOf("--only");
  const asked = at < 0 ? names : (given[at + 1] ?? "").split(",");
  const rest = at < 0 ? given : given.toSpliced(at, 2);
  const wrong = [
    ...asked.filter((name) => !names.includes(name)),
    ...rest.filter((word) => word.startsWith("-") || at < 0),
  ];
  if (wrong.length > 0) {
    console.error(`Not known: ${wrong.join(" ")}. Use --only with some of ${names.join(",")}.`);
    process.exit(2);
  }
  return { names: names.filter((name) => asked.includes(name)), words: rest };
}

/**
 * @param {string} title
 * @param {string} file
 * @param {string[]} args
 * @returns {Run}
 */
function tool(title, file, ...args) {
  return { title, args: [path.join("node_modules", file), ...args], limitMinutes: 3 };
}

/** @param {string[]} words */
function processSuites(words) {
  const folder = path.join(root, "test", "processes");
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder)
    .filter((name) => name.endsWith(".test.ts"))
    .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
    .sort()
    .map((name) => `test/processes/${name}`);
}

/**
 * Runs Node on the arguments with the output of this process. Throws unless it succeeds in time. The child leads a group
 * of its own, so that what it started and left behind ends with it.
 * @param {Run} run
 */
async function execute({ title, args, limitMinutes }) {
  const start = Date.now();
  console.log(`\n── ${title} ${"─".repeat(Math.max(3, 90 - title.length))}`);
  const child = spawn(process.execPath, args, { cwd: root, stdio: "inherit", detached: true });
  const end = () => endGroup(child.pid);
  const stop = () => {
    end();
    process.exit(130);
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    end();
  }, limitMinutes * 60_000);
  const result = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(signal ?? code));
  });
  clearTimeout(timer);
  end();
  process.off("SIGINT", stop).off("SIGTERM", stop);
  if (late) {
    throw new PrepareError(`${title}: not done after ${limitMinutes} minutes, so it was ended.`);
  }
  if (result !== 0) {
    throw new PrepareError(`${title}: failed (${result}) after ${seconds(start)}.`);
  }
  console.log(`── ${title}: passed in ${seconds(start)}`);
}

/** @param {number | undefined} group */
function endGroup(group) {
  if (group === undefined) return;
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // The group is gone, as it should be.
  }
}

/** @param {number} since */
function seconds(since) {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}
