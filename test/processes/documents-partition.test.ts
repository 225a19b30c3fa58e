/** Documents on two machines whose cable is pulled: both go on writing, and agree when it is back (P6). */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { converged } from "./fixtures/replicating-nodes.ts";
import { eventually } from "./fixtures/eventually.ts";
import { TwoMachines, noNamespaces } from "./fixtures/namespaces.ts";
import { TemporaryDirectory, notBuilt } from "./fixtures/program.ts";

const add = (path: string, value: unknown) => ({ op: "add", path, value });
const isUp = ({ state }: { state: string }): boolean => state === "up";

suite("a partition by network namespaces (P6)", { skip: notBuilt || noNamespaces }, () => {
  test("writes on both sides while the cable is out: found out by both, healed, equal hash, equal verdicts", async () => {
    using directory = new TemporaryDirectory();
    using machines = new TwoMachines();
    await using a = await machines.node(0, directory.path);
    await using b = await machines.node(1, directory.path);
    await a.replace(add("/list", []), add("/owner", "nobody"));
    await converged([a, b]);
    machines.pull();
    for (let at = 0; at < 5; at++) {
      await a.replace(add("/list/-", `a${at}`));
      await b.replace(add("/list/-", `b${at}`));
    }
    // Only one of these can hold at its place: the other is rejected, on both nodes alike.
    await a.replace(...take("a"));
    await b.replace(...take("b"));
    assert.notEqual(await a.hash(), await b.hash());
    // Longer than the silence after which a link counts as lost.
    await eventually(
      async () => !(await a.links()).some(isUp) && !(await b.links()).some(isUp),
      () => "the links are not found to be lost",
    );
    await a.replace(add("/list/-", "a5"));
    await sleep(500);
    machines.plug();
    const held = (await converged([a, b])) as { list: string[]; owner: string };
    const words = ["a0", "a1", "a2", "a3", "a4", "a5", "b0", "b1", "b2", "b3", "b4"];
    assert.deepEqual(held.list.toSorted(), words);
    const rejected = (await a.history()).filter(({ verdict }) => verdict === "rejected");
    assert.equal(rejected.length, 1);
    assert.notEqual(rejected[0]?.source, held.owner);
  });
});

function take(name: string): readonly object[] {
  return [
    { op: "test", path: "/owner", value: "nobody" },
    { op: "replace", path: "/owner", value: name },
  ];
}
