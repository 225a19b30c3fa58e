/** What the tests of the node share: a simulation with one shape, and operations that are short to write. */
import assert from "node:assert/strict";
import { silentLogger } from "../../src/base/logger.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { Node } from "../../src/node/node.ts";
import type { NodeOptions } from "../../src/node/node.ts";
import type { Outcome } from "../../src/machines/outcome.ts";
import { NodeSimulation, dataDirectory } from "../../simulator/node-simulation.ts";
import type { Issued } from "../../simulator/node-simulation.ts";
import type { PlainOperation } from "../../simulator/node-operations.ts";
import { SimulatedNetwork } from "../../simulator/simulated-network.ts";

export function keyOf(number: number): string {
  return `00000000000040008000${number.toString(16).padStart(12, "0")}`;
}

export function set(key: number, bytes = 10, expiryMs = 0): PlainOperation {
  const value = Buffer.alloc(bytes, key + 1);
  return { kind: "set", key: keyOf(key), value, condition: "none", version: 0, expiryMs };
}

/** A new node; a sync of more than 2 ms makes its log use the thread pool. */
export async function startNode(
  options: { partitions?: number; segmentBytes?: number; syncMs?: number } = {},
): Promise<NodeSimulation> {
  const { partitions = 2, segmentBytes = 65_536, syncMs = 0 } = options;
  const simulation = new NodeSimulation({
    seed: 1,
    partitions,
    segmentBytes,
    latencyMs: ({ kind }) => (kind === "sync" ? syncMs : 0),
  });
  assert.ok(await simulation.open());
  await simulation.clock.settle();
  return simulation;
}

/** Sets so many keys, a few at a time. */
export async function fill(
  simulation: NodeSimulation,
  count: number,
  bytes = 100,
): Promise<Issued[]> {
  const issued: Issued[] = [];
  for (let i = 0; i < count; i++) {
    issued.push(simulation.issue(i % simulation.options.partitions, set(i, bytes)));
    if (i % 8 === 7) await simulation.clock.settle();
  }
  await simulation.clock.settle();
  return issued;
}

/** The code of an answer that is an error, else its kind; "open" if there is none. */
export function codeOf({ outcome }: { readonly outcome: Outcome | undefined }): string {
  if (outcome === undefined) return "open";
  return outcome.kind === "error" ? outcome.code : outcome.kind;
}

/** Opens the directory as another process would; only to see it refused, or to look at it. */
export function openDirectly(
  simulation: NodeSimulation,
  options: Partial<NodeOptions> = {},
): Promise<Node> {
  const { clock, files } = simulation;
  const random = new SeededRandom(99);
  return clock.drive(
    Node.open(
      {
        clock,
        files,
        random,
        network: new SimulatedNetwork({ clock, random }),
        logger: silentLogger,
      },
      { dataDirectory, walSegmentBytes: simulation.options.segmentBytes, ...options },
    ),
  );
}

/** Contents of all files but spare segments, whose bytes mean nothing, as text to compare. */
export function contentsOf(simulation: NodeSimulation): Map<string, string> {
  const { files } = simulation;
  const paths = files.paths().filter((path) => !path.includes("/spare-"));
  return new Map(paths.map((path) => [path, Buffer.from(files.contents(path)).toString("latin1")]));
}
