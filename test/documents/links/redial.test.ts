/** When a peer is dialed again. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { SeededRandom } from "../../../src/base/seeded-random.ts";
import { limits } from "../../../src/base/limits.ts";
import { Redial } from "../../../src/documents/links/redial.ts";

/** The longest delay of many after ten failures and a link of so long. */
function longestAfter(upMs: number): number {
  let most = 0;
  for (let seed = 0; seed < 200; seed++) {
    const redial = new Redial(new SeededRandom(seed));
    for (let attempt = 0; attempt < 10; attempt++) redial.delayMs("soon", 0);
    most = Math.max(most, redial.delayMs("soon", upMs));
  }
  return most;
}

suite("dialing again (full jitter)", () => {
  test("anywhere between nothing and a bound that doubles up to 30 s", () => {
    const bounds = [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
    const most = bounds.map(() => 0);
    const least = bounds.map(() => Infinity);
    for (let seed = 0; seed < 500; seed++) {
      const redial = new Redial(new SeededRandom(seed));
      for (const at of bounds.keys()) {
        const delayMs = redial.delayMs("soon", 0);
        most[at] = Math.max(most[at] ?? 0, delayMs);
        least[at] = Math.min(least[at] ?? 0, delayMs);
      }
    }
    for (const [at, bound] of bounds.entries()) {
      assert.ok((most[at] ?? 0) <= bound + 20, `attempt ${at}: ${most[at]}`);
      assert.ok((most[at] ?? 0) > bound * 0.95, `attempt ${at}: ${most[at]}`);
      assert.ok((least[at] ?? 0) < bound * 0.05 + 20, `attempt ${at}: ${least[at]}`);
    }
  });

  test("begins anew after a link that lasted ten seconds, not after a shorter one", () => {
    assert.ok(longestAfter(10_000) <= limits.documentRedialMinMs + 20);
    assert.ok(longestAfter(9_999) > 10_000);
  });

  test("late and rarely are late, whatever was before", () => {
    const redial = new Redial(new SeededRandom(1));
    for (let attempt = 0; attempt < 50; attempt++) {
      assert.ok(redial.delayMs("late", 1e6) >= limits.documentRedialMaxMs / 2);
      assert.ok(redial.delayMs("rarely", 1e6) >= 10 * limits.documentRedialMaxMs);
    }
  });
});
