/**
 * Runs every test file below test/ in this one process, except test/processes/, whose suites start and kill real ones.
 *
 *   node --import tsx test/all.ts                            all
 *   node --import tsx test/all.ts wal cli/                   files whose path has one of the words
 *   node --import tsx --test-name-pattern=P7 test/all.ts     tests whose title matches
 */
import { readdirSync } from "node:fs";
import { dirname, sep } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));
const words = process.argv.slice(2);

const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .map((file) => file.split(sep).join("/"))
  .filter((file) => file.endsWith(".test.ts") && !file.startsWith("processes/"))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();

if (files.length === 0) {
  console.error(`No test file has ${words.join(" or ")} in its path.`);
  process.exitCode = 1;
}

for (const file of files) {
  try {
    await import(`./${file}`);
  } catch (error) {
    // One file that does not load must not hide the others, and must not pass.
    console.error(`test/${file} does not load:`, error);
    process.exitCode = 1;
  }
}
