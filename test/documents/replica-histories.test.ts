/** Random histories: replicas that hold the same transactions hold the same document, the same verdicts and the same order (P6, I1 to I10), however they came to hold them. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { expected, World } from "./replica-world.ts";
import type { WorldOptions } from "./replica-world.ts";
import { sameEverywhere } from "./replica-invariants.ts";

/** `SEED=n` runs one history only, `HISTORIES=n` so many of each kind. */
const seedGiven = process.env["SEED"];
const histories = Number(process.env["HISTORIES"] ?? 25);

suite("random histories of replicas (P6)", () => {
  kind("members known to each other", {
    nodes: 3,
    plain: 0,
    steps: 60,
    lenient: false,
    known: true,
  });
  kind("with plain peers, in a lenient document", {
    nodes: 3,
    plain: 2,
    steps: 60,
    lenient: true,
    known: true,
  });
  kind("writers who meet late", { nodes: 4, plain: 1, steps: 60, lenient: false, known: false });
  kind("with a short tail", {
    nodes: 2,
    plain: 1,
    steps: 60,
    lenient: true,
    known: true,
    maxTail: 5,
  });
  kind("a member that is evicted and returns", {
    nodes: 3,
    plain: 1,
    steps: 60,
    lenient: false,
    known: false,
    evicted: 1,
  });
  kind("two of five that are evicted and return", {
    nodes: 5,
    plain: 1,
    steps: 80,
    lenient: true,
    known: false,
    evicted: 2,
    maxTail: 20,
  });
  kind("five nodes", { nodes: 5, plain: 2, steps: 80, lenient: false, known: true });
});

function kind(title: string, options: Omit<WorldOptions, "seed">): void {
  test(title, () => {
    const seeds =
      seedGiven === undefined
        ? Array.from({ length: histories }, (_, at) => at + 1)
        : [Number(seedGiven)];
    for (const seed of seeds) {
      try {
        runOne({ ...options, seed });
      } catch (error) {
        throw new Error(`history ${seed} of "${title}": ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
  });
}

function runOne(options: WorldOptions): void {
  const world = new World(options);
  world.run();
  world.heal();
  for (const node of world.nodes) node.look(true);
  const replicas = world.nodes.map(({ replica }) => replica);
  sameEverywhere(replicas);
  const [first] = world.nodes;
  assert.ok(first !== undefined);
  const valid = first.stored.filter(
    ({ source, id }) => id <= (first.replica.cutOf(source) ?? Infinity),
  );
  const telling = expected(valid, options.lenient);
  assert.equal(first.replica.text(), telling.text, "the document is what a simple telling gives");
  // Trimmed ones have left memory, at the front.
  const order = first.replica
    .placed(first.replica.firstPlaced, Infinity)
    .map(
      ({ source, id, verdict }) =>
        `${source}:${id} ${verdict.kind === "ok" ? "ok" : `${verdict.reason}@${verdict.operation}`}`,
    );
  assert.deepEqual(order, telling.order.slice(first.replica.firstPlaced - 1));
  for (const { replica, late } of world.nodes) {
    assert.equal(
      replica.final,
      replica.transactions,
      "I10: when all have heard all, all is final, plain peers' too",
    );
    if (options.known)
      assert.equal(late, 0, "I6: nothing comes at or before the frontier of known members");
  }
}
