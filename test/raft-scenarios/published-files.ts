/** Where the published scenario files are: the folder that RAFT_SCENARIOS names, or `raft-scenarios` in a folder of shared data beside the project. */
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const folder = resolve(
  process.env["RAFT_SCENARIOS"] ?? join(dirname(root), "shared", "raft-scenarios"),
);

export interface PublishedFiles {
  /** Names of the .txt files, sorted; none when the folder is not there. */
  readonly names: readonly string[];
  readonly pathOf: (name: string) => string;
  /** For `test`: why they cannot be run, or false. */
  readonly skip: string | false;
}

export function publishedFiles(part: "quorum" | "confchange" | "interaction"): PublishedFiles {
  const path = join(folder, part);
  const names = existsSync(path)
    ? readdirSync(path)
        .filter((name) => name.endsWith(".txt"))
        .sort()
    : [];
  const skip = names.length === 0 ? `no published scenarios in ${path}; set RAFT_SCENARIOS` : false;
  return { names, pathOf: (name) => join(path, name), skip };
}
