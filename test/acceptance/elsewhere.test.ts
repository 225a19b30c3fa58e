/** The list of what is tested elsewhere is true. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { elsewhere } from "./elsewhere.ts";

suite("checks of the sources that are tested elsewhere", () => {
  for (const [source, entries] of Object.entries(elsewhere))
    test(`${source}: each is where the list says`, () => {
      const missing = entries.filter(({ file, title }) => {
        const text = readFileSync(join(import.meta.dirname, "..", file), "utf8");
        return title === "" || !text.includes(title);
      });
      assert.deepEqual(missing, []);
    });
});
