/** What `truba bench` may be asked for; all that is wrong with it is told at once. */
import { limits } from "../base/limits.ts";
import type { Address } from "../base/network.ts";
import { parseAddress } from "./address.ts";
import { badUsageExitCode, CommandFailure } from "./command-failure.ts";
import { shown } from "../base/shown-value.ts";

/** As commander gives them. */
export interface BenchTexts {
  readonly address: string;
  readonly connections: string;
  readonly pipeline: string;
  readonly requests: string;
  readonly valueBytes: string;
  readonly keys: string;
  readonly test: string;
  readonly json: boolean;
}

export const benchTests = ["set", "get", "mixed"] as const;
export type BenchTest = (typeof benchTests)[number];

export interface BenchOptions {
  readonly address: Address;
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly pipeline: number;
  readonly requests: number;
  readonly valueBytes: number;
  readonly keys: number;
  readonly tests: readonly BenchTest[];
  readonly json: boolean;
}

/** What all connections may have in flight, so that the measuring process stays small. */
const inFlightMaxBytes = 268_435_456;

/** Throws CommandFailure with every problem. */
export function parseBenchOptions(given: BenchTexts): BenchOptions {
  const problems: string[] = [];
  const whole = (flag: string, text: string, min: number, max: number): number => {
    const value = /^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    const range = `${min.toLocaleString("en-US")} to ${max.toLocaleString("en-US")}`;
    problems.push(`--${flag} is ${shown(text)}; it must be a whole number from ${range}`);
    return min;
  };
  const address = parseAddress(given.address);
  if (address === undefined) {
    problems.push(
      `--address is ${shown(given.address)}; it must be HOST:PORT, an IPv6 address in brackets`,
    );
  }
  const options = {
    address: address ?? { host: "127.0.0.1", port: 0 },
    connections: whole("connections", given.connections, 1, limits.connectionsMaxCount),
    pipeline: whole("pipeline", given.pipeline, 1, limits.connectionPendingMaxCount),
    requests: whole("requests", given.requests, 1, 1_000_000_000),
    valueBytes: whole("value-bytes", given.valueBytes, 1, limits.valueMaxBytes),
    keys: whole("keys", given.keys, 1, 1_000_000_000),
    tests: parseTests(given.test, problems),
    json: given.json,
  };
  const inFlight = options.connections * options.pipeline * (options.valueBytes + 128);
  if (inFlight > inFlightMaxBytes) {
    problems.push(
      `--connections, --pipeline and --value-bytes together put ${inFlight.toLocaleString("en-US")} bytes in flight; ` +
        `the limit is ${inFlightMaxBytes.toLocaleString("en-US")}`,
    );
  }
  if (problems.length > 0) throw new CommandFailure(problems.join("\ntruba: "), badUsageExitCode);
  return options;
}

function parseTests(text: string, problems: string[]): readonly BenchTest[] {
  const tests: BenchTest[] = [];
  for (const word of text.split(",")) {
    const test = benchTests.find((one) => one === word.trim());
    if (test !== undefined) tests.push(test);
    else {
      const known = benchTests.join(", ");
      problems.push(`--test has ${shown(word)}; it must be some of ${known}, separated by commas`);
    }
  }
  return tests;
}
