/** `npm run docs`: writes the tables of the documents that are made from the code. */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { documents, withTable } from "./docs-tables.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

for (const { path, source, table } of documents) {
  const old = readFileSync(join(root, path), "utf8");
  const made = withTable(old, table(readFileSync(join(root, source), "utf8")));
  if (made !== old) writeFileSync(join(root, path), made);
  console.log(`${path}: ${made === old ? "unchanged" : "rewritten"}`);
}
