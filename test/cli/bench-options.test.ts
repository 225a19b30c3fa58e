import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { parseBenchOptions } from "../../src/cli/bench-options.ts";
import type { BenchTexts } from "../../src/cli/bench-options.ts";
import { CommandFailure } from "../../src/cli/command-failure.ts";

const standard: BenchTexts = {
  address: "127.0.0.1:8765",
  connections: "64",
  pipeline: "1",
  requests: "100000",
  valueBytes: "128",
  keys: "100000",
  test: "set,get",
  json: false,
};

function problems(given: Partial<BenchTexts>): readonly string[] {
  try {
    parseBenchOptions({ ...standard, ...given });
  } catch (error) {
    assert.ok(error instanceof CommandFailure);
    assert.equal(error.exitCode, 2);
    return error.message.split("\ntruba: ");
  }
  return [];
}

suite("options of truba bench", () => {
  test("are numbers, an address and words", () => {
    assert.deepEqual(parseBenchOptions({ ...standard, test: "mixed, set" }), {
      address: { host: "127.0.0.1", port: 8765 },
      connections: 64,
      pipeline: 1,
      requests: 100_000,
      valueBytes: 128,
      keys: 100_000,
      tests: ["mixed", "set"],
      json: false,
    });
  });

  for (const text of ["", "0", "-1", "1.5", "1e3", "0x10", " 1", "1000000000000000", "NaN"]) {
    test(`refuse "${text}" as a number, naming option, value and range`, () => {
      assert.deepEqual(problems({ connections: text }), [
        `--connections is "${text}"; it must be a whole number from 1 to 12,000`,
      ]);
    });
  }

  test("are refused all at once", () => {
    const found = problems({
      address: "x:y",
      pipeline: "0",
      valueBytes: "1048577",
      test: "set,,fly",
    });
    assert.equal(found.length, 5, found.join("\n"));
  });

  test("may not put more in flight than the limit", () => {
    const found = problems({ connections: "1000", pipeline: "1000", valueBytes: "1000" });
    assert.match(found[0] ?? "", /put 1,128,000,000 bytes in flight; the limit is 268,435,456/);
  });
});
