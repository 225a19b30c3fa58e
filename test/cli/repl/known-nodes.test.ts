/** Which nodes are tried, in which order, and which are left out of the list. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { addressText } from "../../../src/cli/address.ts";
import { KnownNodes } from "../../../src/cli/repl/known-nodes.ts";

const list = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"];
const lostForMs = 1_000;

function tried(known: KnownNodes, nowMs: number): string[] {
  return known.candidates(nowMs).map(addressText);
}

suite("the nodes that a client knows", () => {
  test("where it began is tried last but for the lost, and always", () => {
    const known = new KnownNodes("node.example:1", lostForMs);
    assert.deepEqual(tried(known, 0), ["node.example:1"]);
    known.learn(list, 0);
    assert.deepEqual(tried(known, 0), [...list.toReversed(), "node.example:1"]);
  });

  test("a node is lost under its name and under what that stands for", () => {
    const known = new KnownNodes("localhost:1", lostForMs);
    known.learn(list, 0);
    known.lose({ address: "localhost:1", remote: "127.0.0.1:1" }, 0);
    assert.deepEqual(known.alive(["localhost:1", ...list], 0), list.slice(1));
    assert.deepEqual(tried(known, 0), ["127.0.0.1:3", "127.0.0.1:2", "localhost:1", "127.0.0.1:1"]);
    known.found({ address: "localhost:1", remote: "127.0.0.1:1" });
    assert.deepEqual(known.alive(["localhost:1", ...list], 0), ["localhost:1", ...list]);
  });

  test("a lost node is back in the list after some time, or when the cluster has dropped it and lists it again", () => {
    const lost = { address: "127.0.0.1:1", remote: "127.0.0.1:1" };
    const known = new KnownNodes("127.0.0.1:1", lostForMs);
    known.learn(list, 0);
    known.lose(lost, 0);
    known.learn(list, 900);
    assert.deepEqual(known.alive(list, 1_000), list.slice(1));
    assert.deepEqual(known.alive(list, 1_001), list);
    known.learn(list.slice(1), 950);
    known.learn(list, 960);
    assert.deepEqual(known.alive(list, 970), list);
  });

  test("what is no address is not tried", () => {
    const known = new KnownNodes("127.0.0.1:1", lostForMs);
    known.learn(["", "nonsense", "127.0.0.1:99999", "[::1]:2"], 0);
    assert.deepEqual(tried(known, 0), ["[::1]:2", "127.0.0.1:1"]);
  });
});
