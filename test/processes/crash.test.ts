/** kill -9, over and over. `npm run crash -- --rounds 200` goes on for longer. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { runCrashRounds } from "./fixtures/crash-rounds.ts";
import { notBuilt, TemporaryDirectory } from "./fixtures/program.ts";

suite("kill -9 under mixed load", { skip: notBuilt }, () => {
  test("20 rounds: every acknowledged write is there (P1), none was applied twice (P3), no group is half there, equal digests (P5)", async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}; again with: npm run crash -- --rounds 20 --seed ${seed}`);
    using directory = new TemporaryDirectory();
    const summary = await runCrashRounds({
      rounds: 20,
      seed,
      directory: directory.path,
      loadMaxMs: 1_200,
      onRound() {},
    });
    t.diagnostic(JSON.stringify(summary));
    assert.ok(summary.steps > 5_000, "there was load");
    assert.ok(summary.repeats > 50, "requests were cut off and repeated");
    assert.ok(summary.killsDuringStart > 0);
    assert.ok(summary.digestsCompared > 0);
    assert.ok(summary.segments > 1, "the log went on to another segment");
    assert.ok(summary.runs > 1, "checkpoints were written");
  });
});
