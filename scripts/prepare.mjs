/**
 * Makes a clone ready to run: installs the dependencies when node_modules does not hold what package-lock.json says, and
 * compiles src/ into dist/ when a source is newer. Nothing else needs to have been done before; when all is there, this
 * costs some milliseconds. Several starts at once wait for the first.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { finishDeclarations } from "./declarations.mjs";

/** The repository's folder. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const stamp = path.join(root, "dist", ".built");
const tsc = path.join(root, "node_modules", "typescript", "bin", "tsc");
const unreachable =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT|SELF_SIGNED_CERT|UNABLE_TO_/;

/** A problem whose text is for the user as it stands. */
export class PrepareError extends Error {}

/** Installs and builds what is missing. Throws {@link PrepareError}. */
export function prepare({ build = true } = {}) {
  if (installed() && (!build || built())) return;
  withLock(() => {
    if (!installed()) install();
    if (build && !built()) compile();
  });
}

/** Compiles src/ into an empty dist/. Throws {@link PrepareError}. */
export function compile() {
  fs.rmSync(path.join(root, "dist"), { recursive: true, force: true });
  const started = Date.now();
  // Editors show the comments of declarations; nobody reads those of the code, which would be half of the package.
  emit("--emitDeclarationOnly");
  emit("--declaration", "false", "--removeComments");
  finishDeclarations(path.join(root, "dist"));
  bundle(path.join(root, "dist"));
  // What changed while the compiler ran must count as newer than the build.
  fs.writeFileSync(stamp, "");
  fs.utimesSync(stamp, started / 1000, started / 1000);
}

/**
 * Runs the compiler. Throws {@link PrepareError}.
 * @param {string[]} options
 */
function emit(...options) {
  const result = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json", ...options], {
    cwd: root,
    encoding: "utf8",
  });
  if (result.status === 0) return;
  throw new PrepareError(`${result.stdout}${result.stderr}The sources do not compile: see above.`);
}

/**
 * Puts the browser's door and all that it leads to into one file, `truba.browser.js`, which a page loads as it is. Not as `import` at the head of this file: it may not be installed yet.
 * @param {string} dist
 */
export function bundle(dist) {
  const { buildSync } = createRequire(import.meta.url)("esbuild");
  buildSync({
    entryPoints: [path.join(dist, "browser.js")],
    outfile: path.join(dist, "truba.browser.js"),
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform: "browser",
    logLevel: "error",
  });
}

/** Whether node_modules holds the packages of package-lock.json, by npm's own list of what it installed. */
function installed() {
  const wanted = packagesOf(path.join(root, "package-lock.json"));
  const found = packagesOf(path.join(root, "node_modules", ".package-lock.json"));
  if (wanted === undefined) throw new PrepareError("package-lock.json is missing or is not JSON.");
  if (found === undefined) return false;
  for (const [name, entry] of Object.entries(wanted)) {
    if (name === "") continue;
    const there = found[name];
    if (there === undefined && (entry.optional === true || entry.peer === true)) continue;
    if (there?.version !== entry.version) return false;
  }
  return Object.entries(found).every(([name, entry]) => name in wanted || entry.optional === true);
}

/**
 * @param {string} file
 * @returns {Record<string, { version?: string, optional?: boolean, peer?: boolean }> | undefined}
 */
function packagesOf(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")).packages;
  } catch {
    return undefined;
  }
}

/**
 * Installs by `npm ci`. That refuses a lock file without the binaries of other platforms, which npm leaves out when the
 * registry that the lock was made from does not carry them; `npm install` takes the same pinned versions and finds the rest.
 */
function install() {
  process.stderr.write("Installing dependencies …\n");
  let result = npm("ci");
  if (result.failed && /code EUSAGE/.test(result.output)) result = npm("install", "--no-save");
  if (!result.failed) return;
  const advice = unreachable.test(result.output)
    ? "The npm registry cannot be reached, so the dependencies are not installed. Go online, or point npm at a mirror " +
      "(npm config set registry URL), or copy node_modules from a machine that has it; then run this again."
    : "npm could not install the dependencies: see above.";
  throw new PrepareError(`${result.output.trimEnd()}\n\n${advice}`);
}

/**
 * Runs npm, the very one that runs this script if one does, and keeps quiet about it.
 * @param {string[]} command
 */
function npm(...command) {
  const args = [...command, "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];
  const own = process.env["npm_execpath"];
  const result =
    own !== undefined && /npm-cli\.[cm]?js$/.test(own)
      ? spawnSync(process.execPath, [own, ...args], { cwd: root, encoding: "utf8" })
      : spawnSync("npm", args, {
          cwd: root,
          encoding: "utf8",
          shell: process.platform === "win32",
        });
  const output = `${result.stdout ?? ""}${result.stderr ?? ""}${result.error?.message ?? ""}`;
  return { failed: result.status !== 0, output };
}

function built() {
  const time = modified(stamp);
  if (time === undefined) return false;
  for (const name of ["tsconfig.json", "tsconfig.build.json", "package-lock.json"]) {
    if ((modified(path.join(root, name)) ?? Infinity) > time) return false;
  }
  return newest(path.join(root, "src")) <= time;
}

/** @param {string} file */
function modified(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs;
}

/**
 * When a file below the folder was last changed, added or removed (a folder's own time tells the last two).
 * @param {string} folder
 * @returns {number}
 */
function newest(folder) {
  let time = modified(folder) ?? Infinity;
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const name = path.join(folder, entry.name);
    time = Math.max(time, entry.isDirectory() ? newest(name) : (modified(name) ?? Infinity));
  }
  return time;
}

/**
 * Runs the task while no other process prepares the same folder. The lock names its owner, so that one left behind by a
 * killed process is seen and removed.
 * @param {() => void} task
 */
function withLock(task) {
  const id = createHash("sha256").update(root).digest("hex").slice(0, 16);
  const lock = path.join(os.tmpdir(), `truba-prepare-${os.userInfo().uid}-${id}.lock`);
  while (!taken(lock)) {
    if (!alive(lock)) fs.rmSync(lock, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  try {
    task();
  } finally {
    fs.rmSync(lock, { force: true });
  }
}

/** @param {string} lock */
function taken(lock) {
  const own = `${lock}.${process.pid}`;
  fs.writeFileSync(own, String(process.pid));
  try {
    // A link appears with its content in one step, so no one reads a lock without an owner.
    fs.linkSync(own, lock);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    fs.rmSync(own, { force: true });
  }
}

/** @param {string} lock */
function alive(lock) {
  let owner;
  try {
    owner = Number(fs.readFileSync(lock, "utf8"));
  } catch {
    return false;
  }
  try {
    process.kill(owner, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
