import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { LatencyHistogram } from "../../src/cli/latency-histogram.ts";

suite("the histogram of latencies", () => {
  test("gives percentiles within a thousandth of those of the sorted list, over all magnitudes", () => {
    const random = new SeededRandom(5);
    const histogram = new LatencyHistogram();
    const all: number[] = [];
    for (let i = 0; i < 20_000; i++) {
      const us = Math.round(2 ** ((random.u32() / 2 ** 32) * 30));
      all.push(us / 1_000);
      histogram.record(us / 1_000);
    }
    all.sort((a, b) => a - b);
    for (const fraction of [0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = all[Math.ceil(all.length * fraction) - 1] ?? NaN;
      const found = histogram.percentileMs(fraction);
      assert.ok(found >= exact, `${fraction}: ${found} of ${exact}`);
      assert.ok(found <= exact * 1.001, `${fraction}: ${found} of ${exact}`);
    }
    assert.equal(histogram.maxMs, all.at(-1));
    assert.equal(histogram.count, 20_000);
  });

  test("is exact below 2 ms", () => {
    const histogram = new LatencyHistogram();
    for (const ms of [0, 0.001, 1.234, 2.047]) histogram.record(ms);
    assert.deepEqual(
      [0.25, 0.5, 0.75, 1].map((part) => histogram.percentileMs(part)),
      [0, 0.001, 1.234, 2.047],
    );
  });

  test("counts what is longer than it can hold as the longest", () => {
    const histogram = new LatencyHistogram();
    histogram.record(1e9);
    assert.equal(histogram.percentileMs(0.5), (2 ** 31 - 1) / 1_000);
  });

  test("says 0 when nothing was recorded", () => {
    assert.equal(new LatencyHistogram().percentileMs(0.5), 0);
  });
});
