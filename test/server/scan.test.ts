/** SCAN: whatever changes meanwhile, a record that stays is returned exactly once. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { TestServer, type Wire, keyOf, request } from "./test-server.ts";

interface Page {
  readonly cursor: string;
  readonly keys: readonly string[];
}

async function page(server: TestServer, wire: Wire, ...words: readonly string[]): Promise<Page> {
  const answer = await server.exchange(wire, request("SCAN", ...words));
  const lines = answer.split("\r\n");
  assert.equal(lines[0], "*2", answer);
  return { cursor: lines[2] ?? "", keys: lines.slice(4).filter((_, i) => i % 2 === 1) };
}

suite("SCAN", () => {
  test("returns every record that is there all the time exactly once, while others come, go and grow", async () => {
    for (let seed = 1; seed <= 15; seed++) {
      const random = new SeededRandom(seed);
      const server = await TestServer.start({ partitions: 1 + randomBelow(random, 5), seed });
      const wire = server.connect();
      const staying = Array.from({ length: 300 }, (_, i) => keyOf(i));
      const others = Array.from({ length: 300 }, (_, i) => keyOf(1_000 + i));
      const sets = [...staying, ...others.slice(0, 150)].map((key) => request("SET", key, "x"));
      await server.exchange(wire, sets.join(""));
      const seen: string[] = [];
      let cursor = "0";
      let pages = 0;
      do {
        const found = await page(
          server,
          wire,
          cursor,
          "COUNT",
          String(1 + randomBelow(random, 20)),
        );
        seen.push(...found.keys);
        cursor = found.cursor;
        pages++;
        const changes = Array.from({ length: randomBelow(random, 30) }, () => {
          const key = others[randomBelow(random, others.length)] ?? "";
          const stays = staying[randomBelow(random, staying.length)] ?? "";
          if (randomBelow(random, 3) === 0) return request("DEL", key);
          return request("SET", randomBelow(random, 2) === 0 ? key : stays, "y".repeat(pages));
        });
        await server.exchange(wire, changes.join(""));
      } while (cursor !== "0");
      const counts = new Map<string, number>();
      for (const key of seen) counts.set(key, (counts.get(key) ?? 0) + 1);
      const wrong = staying.filter((key) => counts.get(key) !== 1);
      assert.deepEqual(wrong, [], `seed ${seed}`);
      const known = new Set([...staying, ...others]);
      assert.deepEqual(
        seen.filter((key) => !known.has(key)),
        [],
        `seed ${seed}`,
      );
      await server.stop();
    }
  });

  test("does not return what was deleted or has expired before it began", async () => {
    const server = await TestServer.start();
    const wire = server.connect();
    for (let i = 0; i < 50; i++) wire.send(request("SET", keyOf(i), "x"));
    for (let i = 50; i < 100; i++) wire.send(request("SET", keyOf(i), "x", "PX", "100"));
    await server.clock.settle();
    for (let i = 0; i < 25; i++) wire.send(request("DEL", keyOf(i)));
    await server.clock.settle();
    await server.clock.advanceSettled(200);
    wire.take();
    const { cursor, keys } = await page(server, wire, "0", "COUNT", "1000");
    assert.equal(cursor, "0");
    assert.deepEqual(
      [...keys].sort(),
      Array.from({ length: 25 }, (_, i) => keyOf(i + 25)),
    );
    await server.stop();
  });

  test("MATCH filters the text of the key, tag and all", async () => {
    const server = await TestServer.start();
    const wire = server.connect();
    for (let i = 0; i < 30; i++) wire.send(request("SET", `{user-${i}}${keyOf(i)}`, "x"));
    await server.clock.settle();
    wire.take();
    const { keys } = await page(server, wire, "0", "MATCH", "{user-1[0-4]}*", "COUNT", "1000");
    assert.equal(keys.length, 5);
    await server.stop();
  });
});
