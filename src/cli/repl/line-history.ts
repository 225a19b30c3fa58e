/**
 * The lines that were typed, in a file of the user's own, newest last. Lines with a token never get there, nor do lines that begin with a blank: what should
 * not be remembered can be typed so. A file that cannot be read or written is no reason not to work.
 */
import * as fs from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";

const keptMaxCount = 1_000;
const lineMaxBytes = 4_096;
/** The file is written anew when it holds more; it grows by a line at a time. */
const fileMaxBytes = 1_048_576;

const ownerOnly = 0o600;

/** `$XDG_STATE_HOME/truba/repl_history`, by default below `~/.local/state` (XDG Base Directory Specification). */
export function historyPath(environment: Readonly<Record<string, string | undefined>>): string {
  const given = environment["XDG_STATE_HOME"] ?? "";
  // The specification: a path that is not absolute is to be ignored.
  const state = isAbsolute(given) ? given : join(homedir(), ".local", "state");
  return join(state, "truba", "repl_history");
}

/** Whether a line may be remembered. */
export function isKept(line: string): boolean {
  if (line === "" || /^\s/.test(line) || Buffer.byteLength(line) > lineMaxBytes) return false;
  return !/\p{Cc}/u.test(line) && !/(^|\s)auth(\s|$)/i.test(line);
}

export class LineHistory {
  readonly maxCount = keptMaxCount;
  /** Those of earlier sessions, oldest first. */
  readonly lines: readonly string[];
  readonly #path: string | undefined;

  private constructor(path: string | undefined, lines: readonly string[]) {
    this.#path = path;
    this.lines = lines;
  }

  /** Reads the file, and makes it the user's own. */
  static open(path: string): LineHistory {
    try {
      fs.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      const file = fs.openSync(path, "a+", ownerOnly);
      try {
        fs.fchmodSync(file, ownerOnly);
        const text = fs.readFileSync(file, "utf8");
        const kept = text.split("\n").filter(isKept).slice(-keptMaxCount);
        if (Buffer.byteLength(text) > fileMaxBytes) replace(path, kept);
        return new LineHistory(path, kept);
      } finally {
        fs.closeSync(file);
      }
    } catch {
      return new LineHistory(undefined, []);
    }
  }

  /** Remembers a line, if it may be. */
  add(line: string): void {
    if (this.#path === undefined || !isKept(line)) return;
    try {
      fs.appendFileSync(this.#path, `${line}\n`, { mode: ownerOnly });
    } catch {
      // The disk is full or the folder is gone: the line is remembered as long as this runs.
    }
  }
}

/** In one step, so that a crash leaves the old file or the new one. */
function replace(path: string, lines: readonly string[]): void {
  const fresh = `${path}.${process.pid}`;
  fs.writeFileSync(fresh, lines.map((line) => `${line}\n`).join(""), { mode: ownerOnly });
  fs.renameSync(fresh, path);
}
