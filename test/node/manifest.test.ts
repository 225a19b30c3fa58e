/** What stands in a manifest beside the runs (docs/checkpoint-format.md), and that data directories of early versions open. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { decodeToken } from "../../src/log/log-token.ts";
import { decodeManifest, encodeManifest } from "../../src/state/manifest.ts";
import type { Manifest } from "../../src/state/manifest.ts";
import { dataDirectory } from "../../simulator/node-simulation.ts";
import type { NodeSimulation } from "../../simulator/node-simulation.ts";
import { fill, openDirectly, startNode } from "./node-world.ts";

const path = `${dataDirectory}/partitions/0000/manifest`;

function manifestOf({ files }: NodeSimulation): Manifest {
  return decodeManifest(Buffer.from(files.contents(path)), path, 0);
}

/** Writes the manifest again with another state. */
function change(
  simulation: NodeSimulation,
  make: (state: Record<string, unknown>) => Record<string, unknown>,
): void {
  const manifest = manifestOf(simulation);
  const { files } = simulation;
  files.unlinkSync(path);
  const handle = files.openSync(path, "create");
  handle.writeSync(encodeManifest({ ...manifest, state: make({ ...manifest.state }) }), 0);
  handle.syncDataSync();
  handle.closeSync();
  files.syncDirectorySync(`${dataDirectory}/partitions/0000`);
}

/** As the first versions wrote it. */
function makeEarly(simulation: NodeSimulation): void {
  change(simulation, ({ token: _token, installed: _installed, ...early }) => early);
}

async function stoppedWithCheckpoint(): Promise<NodeSimulation> {
  const simulation = await startNode();
  await fill(simulation, 30);
  assert.ok(await simulation.clock.drive(simulation.node.checkpoint()));
  await fill(simulation, 10, 30);
  await simulation.stop();
  return simulation;
}

suite("the manifest's state", () => {
  test("names the term of its last entry, and carries the token of the log as of there", async () => {
    const simulation = await startNode();
    await fill(simulation, 10);
    await simulation.stop();
    assert.ok(await simulation.open());
    const { term, position } = { term: 2, position: must(simulation.node.partitions[0]).position };
    assert.ok(await simulation.clock.drive(simulation.node.checkpoint()));
    const state = must(manifestOf(simulation).state);
    assert.equal(state["position"], position);
    assert.equal(state["term"], term);
    assert.equal(state["installed"], 0);
    const token = decodeToken(Buffer.from(String(state["token"]), "hex"));
    assert.equal(token.term, term);
    assert.equal(token.replica, 1);
    assert.deepEqual(token.configuration.voters, [1]);
    await simulation.stop();
  });

  test("one without token and installed is that of an early version: it loads, and the next one has them", async () => {
    const simulation = await stoppedWithCheckpoint();
    makeEarly(simulation);
    assert.equal(must(manifestOf(simulation).state)["token"], undefined);
    // Compares with the model.
    assert.ok(await simulation.open());
    await fill(simulation, 5);
    assert.ok(await simulation.clock.drive(simulation.node.checkpoint()));
    assert.equal(typeof must(manifestOf(simulation).state)["token"], "string");
    await simulation.stop();
    assert.ok(await simulation.open());
    await simulation.stop();
  });

  test("a checkpoint of an early version is written anew before a peer gets it, though nothing has changed", async () => {
    const simulation = await stoppedWithCheckpoint();
    assert.ok(await simulation.open());
    assert.ok(await simulation.clock.drive(simulation.node.checkpoint()));
    await simulation.stop();
    makeEarly(simulation);
    assert.ok(await simulation.open());
    const exported = await simulation.clock.drive(simulation.node.exportCheckpoint(0));
    const manifest = decodeManifest(exported.manifest, path, 0);
    assert.match(String(must(manifest.state)["token"]), /^[0-9a-f]{80,}$/);
    exported.release();
    await simulation.stop();
  });

  for (const [field, value] of [
    ["token", "xyz"],
    ["token", 7],
    ["installed", 2],
    ["position", "1"],
    ["term", -0.5],
  ] as const) {
    test(`P7: ${field} = ${JSON.stringify(value)} is refused, with its name`, async () => {
      const simulation = await stoppedWithCheckpoint();
      change(simulation, (state) => ({ ...state, [field]: value }));
      await assert.rejects(openDirectly(simulation), {
        code: "DATADAMAGED",
        message: new RegExp(`partition 0 has ${field} = `),
      });
    });
  }

  test("P7: a log that ends before the checkpoint is damage, unless the checkpoint came from a peer", async () => {
    const simulation = await stoppedWithCheckpoint();
    change(simulation, (state) => ({ ...state, position: Number(state["position"]) + 1_000 }));
    await assert.rejects(openDirectly(simulation), {
      code: "DATADAMAGED",
      message: /the log of partition 0 ends at entry \d+, its checkpoint at \d+/,
    });
    change(simulation, (state) => ({ ...state, installed: 1 }));
    const node = await openDirectly(simulation);
    assert.ok(must(node.partitions[0]).position > 1_000);
    await simulation.clock.drive(node.stop());
  });
});
