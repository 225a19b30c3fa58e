/** Documents when connections break and nodes restart: subscriptions go on, and no change is made twice. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { TrubaError } from "../../src/base/errors.ts";
import { chance, randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import type { Json } from "../../src/base/json.ts";
import { RespChannel } from "../../src/client/resp-channel.ts";
import { Truba } from "../../src/client/truba.ts";
import { canonicalText } from "../../src/patch/canonical.ts";
import { ClientPort } from "../../src/server/client-port.ts";
import { CommandIndex } from "../../src/server/command-index.ts";
import { commandTable } from "../../src/server/command-table.ts";
import { TestServer } from "../server/test-server.ts";
import { documentWorld } from "./document-ways.ts";
import { until } from "./ways.ts";

async function pair(seed: number) {
  const server = await TestServer.start({ seed });
  const random = new SeededRandom(seed + 1);
  const { clock } = server;
  const port = new ClientPort(server.context, new CommandIndex(commandTable()));
  await clock.drive(port.listen(server.network.host("node"), { host: "node", port: 8_765 }));
  const network = server.network.host("client");
  const addresses = [{ host: "node", port: 8_765 }];
  const db = new Truba(new RespChannel({ network, clock, random, addresses }), { clock, random });
  return {
    db,
    clock,
    random,
    cut: () => server.network.cut("client", "node"),
    end: async () => {
      await clock.drive(db.close(), { maxMs: 60_000 });
      await clock.drive(port.close());
      await server.stop();
    },
  };
}

suite("documents over RESP, when connections break", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    test(`P3 no patch is made twice; of those whose answer was lost it is said that this is not known (P7) (seed ${seed})`, async () => {
      const { db, clock, random, cut, end } = await pair(seed);
      const doc = db.document("default");
      await clock.drive(doc.put({ list: [] }));
      const told = new Map<number, string>();
      const patches: Promise<void>[] = [];
      for (let n = 0; n < 150; n++) {
        const patch = doc.patch([{ op: "add", path: "/list/-", value: n }]);
        patches.push(
          patch.then(
            () => void told.set(n, "made"),
            (error: unknown) => void told.set(n, error instanceof TrubaError ? error.code : "?"),
          ),
        );
        if (chance(random, 0.2)) await clock.advanceSettled(randomBelow(random, 3));
        if (chance(random, 0.08)) cut();
      }
      await clock.drive(Promise.all(patches), { maxMs: 600_000 });
      const { value } = await clock.drive(doc.get());
      const list = (value as { list: readonly number[] }).list;
      assert.equal(new Set(list).size, list.length, `twice: ${list.join()}`);
      for (const [n, what] of told) {
        assert.match(what, /^(made|UNKNOWNOUTCOME)$/);
        if (what === "made") assert.ok(list.includes(n), `${n} was answered and is lost`);
      }
      const lost = [...told.values()].filter((what) => what === "UNKNOWNOUTCOME").length;
      assert.ok(lost > 0 && lost < 150, `${lost} answers were lost`);
      await end();
    });

    test(`a subscription goes on after every break, and ends with what the node holds (seed ${seed})`, async () => {
      const { db, clock, random, cut, end } = await pair(seed + 100);
      const doc = db.document("default");
      let last: Json = null;
      let snapshots = 0;
      const following = (async () => {
        for await (const { kind, value } of doc.subscribe()) {
          if (kind === "snapshot") snapshots++;
          last = structuredClone(value);
          if ((value as { end?: boolean }).end === true) break;
        }
      })();
      for (let n = 0; n < 100; n++) {
        const path = `/${randomBelow(random, 10)}`;
        await clock.drive(
          doc.patch([{ op: "add", path, value: n }]).catch(() => {}),
          { maxMs: 60_000 },
        );
        if (n < 95 && chance(random, 0.2)) cut();
      }
      await clock.drive(doc.patch([{ op: "add", path: "/end", value: true }]), { maxMs: 60_000 });
      await clock.drive(following, { maxMs: 60_000 });
      assert.ok(snapshots > 1, `${snapshots} snapshots`);
      assert.equal(canonicalText(last), canonicalText((await clock.drive(doc.get())).value));
      await end();
    });
  }
});

test("a subscription goes on when the node was away and is back; what happened meanwhile comes as a snapshot", async () => {
  await using world = await documentWorld("over RESP");
  const doc = world.db.document("default");
  const subscription = doc.subscribe();
  await subscription.next();
  await world.node.cut();
  await world.documents.put("default", '{"while":"away"}');
  const following = subscription.next();
  await world.node.listen();
  const { kind, value } = must((await following).value);
  assert.deepEqual([kind, value], ["snapshot", { while: "away" }]);
  await subscription.return();
});

test(
  "until final: what became final while the node was not reached is seen when it is",
  { timeout: 20_000 },
  async () => {
    await using world = await documentWorld("over RESP");
    world.documents.expect(1);
    const doc = world.db.document("default");
    const waiting = doc.put(1, { until: "final" });
    await until(() => world.watching() === 1, "it waits");
    await world.node.cut();
    world.documents.expect(0);
    await until(async () => (await world.documents.read("default")).final === 1, "it is final");
    await world.node.listen();
    assert.equal((await waiting).final, true);
  },
);
