/**
 * Latencies in a fixed amount of memory, however many are recorded. Microseconds in buckets that grow with the value: 1 µs wide up to 2 ms, and never
 * wider than a thousandth of what they hold.
 */
import { assert } from "../base/assert.ts";

const exactBuckets = 2_048;
const bucketsPerDoubling = 1_024;
/** 2^31 µs, 36 minutes: longer ones are counted as that. */
const longestUs = 2 ** 31 - 1;

export class LatencyHistogram {
  readonly #counts = new Uint32Array(exactBuckets + 20 * bucketsPerDoubling);
  #count = 0;
  #maxUs = 0;

  get count(): number {
    return this.#count;
  }

  get maxMs(): number {
    return this.#maxUs / 1_000;
  }

  record(ms: number): void {
    const us = Math.min(longestUs, Math.max(0, Math.round(ms * 1_000)));
    const bucket = bucketOf(us);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count++;
    if (us > this.#maxUs) this.#maxUs = us;
  }

  /** The least latency that `fraction` (above 0, at most 1) of all do not exceed, in ms; 0 when none was recorded. */
  percentileMs(fraction: number): number {
    assert(fraction > 0, "a percentile is above 0");
    assert(fraction <= 1, "a percentile is at most 1");
    const rank = Math.ceil(this.#count * fraction);
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= rank && count > 0) return Math.min(upperUs(bucket), this.#maxUs) / 1_000;
    }
    return 0;
  }
}

function bucketOf(us: number): number {
  if (us < exactBuckets) return us;
  const shift = 21 - Math.clz32(us);
  return exactBuckets + (shift - 1) * bucketsPerDoubling + (us >>> shift) - bucketsPerDoubling;
}

/** The largest value of a bucket. */
function upperUs(bucket: number): number {
  if (bucket < exactBuckets) return bucket;
  const above = bucket - exactBuckets;
  const shift = Math.floor(above / bucketsPerDoubling) + 1;
  return ((above % bucketsPerDoubling) + bucketsPerDoubling + 1) * 2 ** shift - 1;
}
