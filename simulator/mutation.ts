/**
 * A mutant: a small textual patch that plants one bug in a copy of the source, so that the shipped code carries no switch for it.
 *
 *     what is wrong with it, in a line
 *     === src/raft/copy.ts
 *     --- find
 *     the lines that are there, exactly once in that file
 *     --- replace
 *     the lines that come in their place
 *
 * Further `---` pairs of the same file and further files may follow. A patch whose lines are not found, or found twice, is out of date and an error.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must } from "../src/base/assert.ts";

interface Edit {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  readonly title: string;
  readonly edits: readonly Edit[];
}

const fileMark = "=== ";
const findMark = "--- find";
const replaceMark = "--- replace";

/** Throws an Error that names the patch and the line when it is not one. */
export function parseMutant(name: string, text: string): Mutant {
  const lines = text.replace(/\n$/, "").split("\n");
  const title = must(lines[0]);
  const edits: Edit[] = [];
  let file: string | undefined;
  let part: string[] | undefined;
  let find: string[] | undefined;
  const close = (): void => {
    if (part !== undefined && part !== find)
      edits.push({ file: must(file), find: must(find).join("\n"), replace: part.join("\n") });
    part = undefined;
  };
  for (const [at, line] of lines.entries()) {
    if (at === 0) continue;
    if (line.startsWith(fileMark)) {
      close();
      file = line.slice(fileMark.length);
    } else if (line === findMark) {
      close();
      if (file === undefined) throw new Error(`${name}:${at + 1}: no file was named before`);
      find = [];
      part = find;
    } else if (line === replaceMark) {
      if (part === undefined || part !== find)
        throw new Error(`${name}:${at + 1}: nothing to find stands before`);
      part = [];
    } else if (part !== undefined) part.push(line);
    else if (line !== "") throw new Error(`${name}:${at + 1}: this line belongs to no part`);
  }
  close();
  if (edits.length === 0) throw new Error(`${name}: the patch changes nothing`);
  return { name, title, edits };
}

/** Plants the bug in the copy under `root`. Throws an Error when the patch does not fit the source. */
export function applyMutant(mutant: Mutant, root: string): void {
  for (const { file, find, replace } of mutant.edits) {
    const path = join(root, file);
    const source = readFileSync(path, "utf8");
    const found = source.split(find).length - 1;
    if (found !== 1) {
      throw new Error(
        `${mutant.name}: what it replaces in ${file} is there ${found} times, not once; the patch must be brought up to date:\n${find}`,
      );
    }
    writeFileSync(
      path,
      source.replace(find, () => replace),
    );
  }
}
