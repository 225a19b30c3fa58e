/** Warehouse 13, one of the sources of Truba: its acceptance checks as far as one node goes. `elsewhere.ts` says where the others are tested. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { connect, open, TrubaError } from "../../src/index.ts";
import { TestNode } from "../client/test-node.ts";
import { TestServer } from "../server/test-server.ts";
import { LossyProxy } from "./lossy-proxy.ts";
import { Place, textOf } from "./place.ts";

const key = "0d5d3807-5fbf-4228-a657-5a091c4e497f";
const comb = `'{"name": "Chapayev's Mustache comb"}'`;

suite("Warehouse 13: acceptance, as far as one node goes", () => {
  test("§4.2 transcript: each command and answer of it, with one replica in place of two", async () => {
    const server = await TestServer.start();
    const client = server.connect();
    const story: readonly [string, string][] = [
      [`SET 12345 ${comb}`, "Error: Key is not a proper UUID4"],
      [`SET ${key} ${comb}`, "Created (1 replicas)"],
      [`GET ${key}`, comb],
      [`DELETE ${key}`, "Deleted (1 replicas)"],
      [`GET ${key}`, "Not found"],
    ];
    for (const [command, answer] of story)
      assert.equal(await server.exchange(client, `${command}\n`), `${answer}\n`, command);
    await server.stop();
  });

  test("RF 3 with fewer nodes shows the warning in all clients", async () => {
    const server = await TestServer.start({ replicationFactor: 3 });
    for (const client of [server.connect(), server.connect()]) {
      const answer = await server.exchange(client, "HEARTBEAT\n");
      const { replicationFactor, nodes, warning } = JSON.parse(answer) as {
        replicationFactor: number;
        nodes: unknown[];
        warning: string;
      };
      assert.equal(replicationFactor, 3);
      assert.equal(nodes.length, 1);
      assert.equal(warning, "cluster size (1) is smaller than a replication factor (3)!");
    }
    await server.stop();
  });

  test("kill during SET → the client retries, and is told once that it created the record", async (t) => {
    const node = await TestNode.start();
    t.after(() => node.stop());
    await using proxy = await LossyProxy.before(node.address);
    await using db = await connect(proxy.address);
    proxy.loseAnswerTo(key);
    const { created, version } = await db.records().set(key, comb);
    assert.equal(proxy.lost, 1);
    assert.equal(created, true, "not Updated: the second attempt is the same write");
    assert.equal((await db.records().get(key))?.version, version);
  });

  test("a node that was stopped has what was acknowledged when it comes back; a deleted record stays deleted", async () => {
    using place = new Place();
    const other = crypto.randomUUID();
    {
      await using db = await open(place.data);
      await db.records().set(key, comb);
      await db.records().set(other, "x");
      await db.records().delete(other);
    }
    for (const data of [place.data, place.killed()]) {
      await using db = await open(data);
      const found = await db.records().get(key);
      assert.equal(found && textOf(found.value), comb);
      assert.equal(await db.records().get(other), undefined);
    }
  });

  test("a new SET is read after the write, an overwriting one as well", async () => {
    await using db = await open({ memory: true });
    for (let i = 0; i < 50; i++) {
      await db.records().set(key, String(i));
      const found = await db.records().get(key);
      assert.equal(found && textOf(found.value), String(i));
    }
  });

  test("only UUIDs of version 4 are keys: other versions, braces, urn: and forms without dashes are not (§4.4)", async () => {
    await using db = await open({ memory: true });
    const wrong = [
      "12345",
      "0d5d3807-5fbf-1228-a657-5a091c4e497f",
      "0d5d3807-5fbf-4228-c657-5a091c4e497f",
      "{0d5d3807-5fbf-4228-a657-5a091c4e497f}",
      "urn:uuid:0d5d3807-5fbf-4228-a657-5a091c4e497f",
      "0d5d38075fbf4228a6575a091c4e497f",
      "",
    ];
    for (const each of wrong)
      await assert.rejects(
        db.records().set(each, "x"),
        (error) => error instanceof TrubaError && error.code === "BADKEY",
        each,
      );
  });
});
