import assert from "node:assert/strict";
import { test } from "node:test";
import { CoreFuzz } from "./fuzz.ts";

test("thesis figure 3.2: the invariants hold under lost, doubled and reordered messages, slow disks, crashes and changes of members", () => {
  const first = Number(process.env["RAFT_FUZZ_SEED"] ?? 1);
  const seeds = Number(process.env["RAFT_FUZZ_SEEDS"] ?? 300);
  const total = { committed: 0, elections: 0, changes: 0, reads: 0, snapshots: 0 };
  for (let seed = first; seed < first + seeds; seed++) {
    try {
      const report = new CoreFuzz(seed).run(3_000);
      total.committed += report.committed;
      total.elections += report.elections;
      total.changes += report.changes;
      total.reads += report.reads;
      total.snapshots += report.snapshots;
    } catch (error) {
      throw new Error(
        `seed ${seed}: RAFT_FUZZ_SEED=${seed} RAFT_FUZZ_SEEDS=1 npm run unit -- raft/fuzz`,
        { cause: error },
      );
    }
  }
  // A run in which nothing happens proves nothing.
  const perSeed = Object.values(total).map((count) => count / seeds);
  assert.ok(Math.min(...perSeed) > 0.3, JSON.stringify(total));
});
