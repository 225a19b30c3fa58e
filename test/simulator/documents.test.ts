/** Documents in the simulated cluster (P1, P6): runs that must find nothing, and one that must. One seed is one run, to the byte. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { runSeed } from "../../simulator/cluster/run.ts";
import { drawDocuments } from "../../simulator/cluster/document-shape.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";

const seeds = [1, 2, 4];

suite("documents of a simulated cluster", () => {
  for (const seed of seeds)
    test(`seed ${seed}: all nodes come to one order, one document and one verdict for each`, async () => {
      const { violation, patches } = await runSeed(seed, { documents: true });
      assert.equal(violation?.text, undefined);
      assert.ok(patches > 0);
    });

  test("the same seed is the same run", async () => {
    const [one, other] = [
      await runSeed(1, { documents: true }),
      await runSeed(1, { documents: true }),
    ];
    assert.equal(one.hash, other.hash);
    assert.equal(one.events, other.events);
  });

  test("about two runs in five have documents, a third of these a plain peer", () => {
    const shapes = Array.from({ length: 1_000 }, (_, seed) =>
      drawDocuments(new SeededRandom(seed), 3),
    ).filter((shape) => shape !== undefined);
    assert.ok(shapes.length > 340 && shapes.length < 460, `${shapes.length} of 1000`);
    const plain = shapes.filter((shape) => shape.plain !== undefined);
    assert.ok(plain.length > 80 && plain.length < 170, `${plain.length} of ${shapes.length}`);
  });
});
