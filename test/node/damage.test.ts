/** P7: damage to what is at rest. A start is refused, names what and where, and changes nothing; or nothing was lost. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { TrubaError } from "../../src/base/errors.ts";
import { dataDirectory } from "../../simulator/node-simulation.ts";
import type { NodeSimulation } from "../../simulator/node-simulation.ts";
import { contentsOf, fill, openDirectly, set, startNode } from "./node-world.ts";

/** A stopped node with two partitions, runs, a log that was trimmed and goes over two segments. */
async function stoppedNode(): Promise<NodeSimulation> {
  const simulation = await startNode({ segmentBytes: 32_768 });
  for (const round of [0, 1]) {
    await fill(simulation, 30, 60 + round);
    assert.ok(await simulation.clock.drive(simulation.node.checkpoint()));
    await simulation.clock.advanceSettled(100);
  }
  // What is behind the checkpoint stays in the log: no checkpoint can be written.
  simulation.files.fail({ on: "create", path: /\.run$/, code: "EIO", times: Infinity });
  for (let i = 0; i < 12; i++) {
    simulation.issue(i % 2, set(i, 3_000));
    await simulation.clock.settle();
  }
  await simulation.stop();
  simulation.files.clearFaults();
  return simulation;
}

function filesOf(simulation: NodeSimulation, pattern: RegExp): string[] {
  return simulation.files.paths().filter((path) => pattern.test(path));
}

/** Damages a copy and starts it; the refusal, or `undefined` if it came up with all that must be there. */
async function refusalOf(
  simulation: NodeSimulation,
  damage: (copy: NodeSimulation) => void,
): Promise<TrubaError | undefined> {
  const copy = simulation.fork();
  await copy.die("kill");
  damage(copy);
  const before = contentsOf(copy);
  try {
    // Compares with the model.
    assert.ok(await copy.open());
  } catch (error) {
    assert.ok(error instanceof TrubaError, String(error));
    assert.deepEqual(contentsOf(copy), before, "a refused start has changed the disk");
    await assert.rejects(openDirectly(copy), { code: error.code, message: error.message });
    return error;
  }
  await copy.die("kill");
  return undefined;
}

suite("P7: damage at rest", () => {
  test("a flipped bit anywhere in a run or a manifest is refused, with the file's name", async () => {
    const simulation = await stoppedNode();
    const paths = filesOf(simulation, /\.run$|manifest$/);
    assert.ok(paths.length >= 4, paths.join(" "));
    for (const path of paths) {
      const size = simulation.files.contents(path).length;
      for (let at = 0; at < size; at += path.endsWith("manifest") ? 5 : 37) {
        const error = await refusalOf(simulation, ({ files }) => files.flipBit(path, at, at % 8));
        assert.equal(error?.code, "DATADAMAGED", `byte ${at} of ${path}`);
        assert.ok(error?.message.includes(path), error?.message);
      }
    }
  });

  test("a flipped bit in the records of the log is refused, or what it hit is told by its copy", async () => {
    const simulation = await stoppedNode();
    const segments = filesOf(simulation, /[0-9a-f]{16}\.wal$/);
    assert.ok(segments.length >= 2, segments.join(" "));
    let flips = 0;
    let refused = 0;
    for (const path of segments) {
      const bytes = simulation.files.contents(path);
      const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
      for (let at = 0; at < end; at += 131) {
        flips++;
        const error = await refusalOf(simulation, ({ files }) => files.flipBit(path, at, at % 8));
        if (error === undefined) continue;
        refused++;
        assert.equal(error.code, "DATADAMAGED", `byte ${at} of ${path}`);
        assert.match(error.message, /[0-9a-f]{16}\.wal/);
      }
    }
    // What is not refused lies in the zeros between records, or in the seal.
    assert.ok(flips > 100 && refused > flips * 0.9, `${refused} of ${flips} refused`);
  });

  test("a file that is lost is missed: each segment, run, manifest, and the identity", async () => {
    const simulation = await stoppedNode();
    for (const path of filesOf(simulation, /\.wal$|\.run$|manifest$|node\.json$/)) {
      const error = await refusalOf(simulation, ({ files }) => files.loseFile(path));
      assert.equal(error?.code, "DATADAMAGED", path);
    }
  });

  for (const [name, pattern] of [
    ["the log", /\/wal\//],
    ["all partitions", /\/partitions\//],
    ["one partition", /\/partitions\/0001\//],
  ] as const) {
    test(`${name}, lost altogether, is missed`, async () => {
      const simulation = await stoppedNode();
      const error = await refusalOf(simulation, (copy) => {
        for (const path of filesOf(copy, pattern)) copy.files.loseFile(path);
      });
      assert.equal(error?.code, "DATADAMAGED");
      assert.match(must(error).message, /wal|partition/);
    });
  }

  test("a log that is lost before the first checkpoint is missed as well", async () => {
    const simulation = await startNode();
    await fill(simulation, 10);
    await simulation.stop();
    const error = await refusalOf(simulation, (copy) => {
      for (const path of filesOf(copy, /\/wal\//)) copy.files.loseFile(path);
    });
    assert.equal(error?.code, "DATADAMAGED");
    assert.match(must(error).message, /holds no segment, although .*node\.json is there/);
  });

  test("an identity of a later version is refused as such", async () => {
    const simulation = await stoppedNode();
    const path = `${dataDirectory}/node.json`;
    const { checksum } = await import("../../src/base/checksum.ts");
    const [line] = Buffer.from(simulation.files.contents(path)).toString("utf8").split("\n");
    const later = must(line).replace('"format":1', '"format":2');
    const sum = checksum(Buffer.from(later)).toString(16).padStart(8, "0");
    const error = await refusalOf(simulation, ({ files }) => {
      files.overwrite(path, 0, Buffer.from(`${later}\n${sum}\n`));
    });
    assert.equal(error?.code, "DATAVERSION");
  });
});
