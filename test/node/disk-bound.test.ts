import assert from "node:assert/strict";
import { test } from "node:test";
import { diskBound } from "../../simulator/node-disk-bound.ts";

test("P8: one record that is never touched beside 100,000 overwrites: log and runs stay below 3 × live bytes and a constant", async () => {
  const { diskMaxBytes, constantBytes, liveBytes, checkpoints } = await diskBound(100_000);
  assert.ok(checkpoints >= 5, `only ${checkpoints} checkpoints`);
  // Four live segments of 1 MiB, two spares, and the space that runs may take before they are merged.
  assert.ok(constantBytes < 8 * 1_048_576, `3 × ${liveBytes} + ${constantBytes} = ${diskMaxBytes}`);
});
