import { suite, test } from "node:test";
import assert from "node:assert/strict";

import { delaysOf, ownFields, verdicts } from "../../bench/event-loop.ts";
import type { Phase } from "../../bench/event-loop.ts";
import { recordKey, recordValue } from "../../bench/load.ts";
import { percentile, spread } from "../../bench/measure.ts";
import { allCells } from "../../bench/records.ts";
import { benchmarkKey, benchmarkValue, parseReport } from "../../bench/redis.ts";
import { command, ReplyDecoder, ReplyError } from "../../bench/resp-client.ts";
import {
  figureOf,
  judge,
  markdownTable,
  ratioOf,
  recordsReport,
  TARGETS,
} from "../../bench/table.ts";
import type { RecordCell, Sample } from "../../bench/table.ts";

const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function sample(perSecond: number, other = 0): Sample {
  return { perSecond, p50Ms: 0.5, p99Ms: 2, maxMs: 3, cpu: { server: 90, client: 70, other } };
}

function cell(name: string, samples: RecordCell["samples"]): RecordCell {
  return { name, load: { command: "SET", valueBytes: 128, connections: 64, pipeline: 1 }, samples };
}

function verdictOn(max: number, checkpoints: number | undefined): string | undefined {
  const ping = { count: 1, p50: 1, p99: 1, p999: 1, max };
  const cpu = { server: 0, client: 0, other: 0 };
  const rest = { ping, proberMax: 0, writesPerSecond: 1, cpu, own: {}, checkpoints };
  const phase: Phase = { server: "truba", load: "overwriting", ...rest };
  return verdicts([phase])[0]?.split(":")[0];
}

suite("statistics of the benchmarks", () => {
  test("the median of an even number of runs lies between the middle two", () => {
    assert.deepEqual(spread([5, 1, 2, 4]), { median: 3, min: 1, max: 5, runs: 4 });
    assert.deepEqual(spread([9]), { median: 9, min: 9, max: 9, runs: 1 });
    assert.throws(() => spread([]), RangeError);
  });

  test("percentiles are nearest-rank", () => {
    const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
    assert.equal(percentile(hundred, 0.5), 50);
    assert.equal(percentile(hundred, 0.99), 99);
    assert.equal(percentile(hundred, 0.999), 100);
    assert.equal(percentile([7], 0.01), 7);
    assert.deepEqual(delaysOf([3, 1, 2]), { count: 3, p50: 2, p99: 3, p999: 3, max: 3 });
  });

  test("disturbed runs do not count beside a quiet one, and mark the figure if there is no other", () => {
    const mixed = figureOf([sample(100), sample(10, 31), sample(120, 30)]);
    assert.equal(mixed?.perSecond.median, 110);
    assert.equal(mixed?.noisy, false);
    const disturbed = figureOf([sample(10, 31)]);
    assert.equal(disturbed?.perSecond.median, 10);
    assert.equal(disturbed?.noisy, true);
    assert.equal(figureOf([]), undefined);
  });
});

suite("verdicts of the benchmarks", () => {
  test("every target names a cell that is run", () => {
    const names = new Set(allCells().flatMap((cells) => cells.map(({ name }) => name)));
    assert.equal(names.size, 12);
    for (const target of TARGETS) assert.ok(names.has(target.cell), target.cell);
  });

  test("a ratio at the target meets it, one below misses it, a server left out gives none", () => {
    const name = "SET 128 B, c=64";
    const target = { cell: name, of: "truba", to: "bare", atLeast: 0.85 } as const;
    const of = (truba: number): string | undefined =>
      judge([cell(name, { truba: [sample(truba)], bare: [sample(100)] })], [target])[0]?.verdict;
    assert.equal(of(85), "met");
    assert.equal(of(84.9), "missed");
    assert.equal(
      judge([cell(name, { bare: [sample(100)] })], [target])[0]?.verdict,
      "not measured",
    );
  });

  test("a short wait meets the target of the event loop only when a checkpoint ran meanwhile", () => {
    assert.equal(verdictOn(19, 2), "met");
    assert.equal(verdictOn(20.1, 2), "missed");
    assert.equal(verdictOn(20.1, undefined), "missed");
    assert.equal(verdictOn(1, 0), "unproven");
    assert.equal(verdictOn(1, undefined), "unproven");
  });
});

suite("ratios of the benchmarks", () => {
  test("runs are compared within their round, and only rounds that were quiet for both", () => {
    const pairs = cell("x", {
      bare: [sample(100), sample(10), sample(50), sample(80, 31)],
      redis: [sample(200), sample(20), sample(500, 31), sample(8)],
    });
    assert.deepEqual(ratioOf(pairs, "bare", "redis"), { value: 0.5, noisy: false });
    const crossed = cell("x", {
      bare: [sample(100), sample(1, 31)],
      redis: [sample(1, 31), sample(100)],
    });
    assert.equal(ratioOf(crossed, "bare", "redis")?.noisy, true);
    assert.equal(ratioOf(pairs, "truba", "redis"), undefined);
  });
});

suite("texts of the benchmarks", () => {
  test("tables have equal widths and mark figures without a quiet run", () => {
    const table = markdownTable([
      ["a", "bc"],
      ["long", "1"],
    ]);
    assert.equal(table, "| a    | bc |\n| ---- | -: |\n| long |  1 |");
    const report = recordsReport(
      [cell("x", { bare: [sample(1000, 99)], redis: [sample(500)] })],
      ["bare", "redis"],
    );
    assert.match(report, /~1,000 \[1,000-1,000\]/);
    assert.match(report, /~2\.00/);
    assert.match(report, /0\.500 \/ 2\.000/);
  });

  test("the report of redis-benchmark is read by the names of its columns", () => {
    const text =
      'WARNING: x\n"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"\n' +
      '"SET 0-__rand_int__ v","166666.67","0.017","0.000","0.015","0.031","0.039","0.063"\n';
    assert.deepEqual(parseReport(text), {
      perSecond: 166666.67,
      p50Ms: 0.015,
      p99Ms: 0.039,
      maxMs: 0.063,
    });
    assert.throws(() => parseReport("Error from server: -ERR\n"), /no rps/);
  });

  test("fields of INFO are found among others, and only there", () => {
    const info =
      "# Server\r\nuptime:5\r\nevent_loop_delay_max_us:812.5\r\ncheckpoints_completed:3\r\n";
    assert.deepEqual(ownFields(info), { event_loop_delay_max_us: 812.5, checkpoints_completed: 3 });
    assert.deepEqual(ownFields(new ReplyError("ERR unknown command")), {});
  });
});

suite("keys and values of the benchmarks", () => {
  test("record keys are different UUIDs of version 4 and follow from the seed", () => {
    const records = { seed: 1, count: 20_000, valueBytes: 128 };
    const keys = new Set<string>();
    for (let i = 0; i < records.count; i++) {
      const key = recordKey(records, i);
      assert.match(key, UUID4);
      keys.add(key);
    }
    assert.equal(keys.size, records.count);
    assert.equal(recordKey(records, 7), recordKey({ ...records }, 7));
    assert.notEqual(recordKey(records, 7), recordKey({ ...records, seed: 2 }, 7));
  });

  test("values have their length and change with every overwrite", () => {
    const records = { seed: 1, count: 2, valueBytes: 130 };
    assert.equal(recordValue(records, 0, 0).length, 130);
    assert.notEqual(recordValue(records, 0, 0), recordValue(records, 0, 1));
    assert.notEqual(recordValue(records, 0, 0), recordValue(records, 1, 0));
    assert.equal(benchmarkValue(1024).length, 1024);
    assert.match(benchmarkKey(99_999), UUID4);
  });

  test("replies are decoded however the bytes are cut", () => {
    const bytes = Buffer.from(
      "+OK\r\n$4\r\na\r\nb\r\n*2\r\n:12\r\n$-1\r\n-ERR no\r\n$0\r\n\r\n*0\r\n",
      "latin1",
    );
    const expected = ["OK", "a\r\nb", [12, null], new ReplyError("ERR no"), "", []];
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const decoder = new ReplyDecoder();
      const replies = [];
      for (let at = 0; at < bytes.length; at += size)
        replies.push(...decoder.push(bytes.subarray(at, at + size)));
      assert.deepEqual(replies, expected);
    }
    assert.throws(() => new ReplyDecoder().push(Buffer.from("HTTP/1.1 400\r\n")), /not RESP2/);
    assert.equal(command("GET", "k"), "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
  });
});
