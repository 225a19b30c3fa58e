/**
 * Power loss at any operation of the disk: one story with several documents, transactions of this node and of a peer, checkpoints and rotation of the log, cut off at every so-many-th
 * operation, and everything compared after the next start. `TRUBA_CRASH_POINTS=all` cuts it off at every one.
 */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { Environment } from "../../src/base/environment.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { HybridClock } from "../../src/documents/hybrid-clock.ts";
import { Replica } from "../../src/documents/replica.ts";
import type { WireTransaction } from "../../src/documents/exchange.ts";
import { compareStamps } from "../../src/documents/stamp.ts";
import { Node } from "../../src/node/node.ts";
import { loseAll, randomChooser, type CrashChooser } from "../../simulator/crash-chooser.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { SimulatedFileSystem } from "../../simulator/simulated-file-system.ts";
import { SimulatedNetwork } from "../../simulator/simulated-network.ts";

const names = ["one", "two", "default"];
/** Of the disk's operations of the story this many are left out between two that are tried. */
const stride = process.env["TRUBA_CRASH_POINTS"] === "all" ? 1 : 7;

class CrashWorld {
  readonly clock = new SimulatedClock();
  readonly files = new SimulatedFileSystem({ clock: this.clock, directories: ["/srv"] });
  /** What peers may have seen, by document, source and Id: it can never be another. */
  readonly seen = new Map<string, string>();
  /** Acknowledged, by document and source: the highest Id. */
  readonly acknowledged = new Map<string, number>();
  readonly #peers = new Map<string, Replica>();
  #sent = new Map<string, number>();
  #starts = 0;

  open(): Promise<Node> {
    this.#starts++;
    const environment: Environment = {
      clock: this.clock,
      random: new SeededRandom(this.#starts),
      files: this.files,
      network: new SimulatedNetwork({ clock: this.clock, random: new SeededRandom(1) }),
      logger: silentLogger,
    };
    return Node.open(environment, {
      dataDirectory: "/srv/data",
      name: "a",
      partitions: 1,
      walSegmentBytes: 16_384,
    });
  }

  /** What the peer `b` writes next of a document. */
  written(name: string, n: number): WireTransaction {
    let peer = this.#peers.get(name);
    if (peer === undefined) {
      const clock = new HybridClock(this.clock);
      peer = new Replica({ name, source: "b", lenient: name === "default", clock });
      peer.restored();
      this.#peers.set(name, peer);
    }
    const issued = peer.issue([{ op: "add", path: `/b${n % 5}`, value: n }]);
    assert(issued.kind === "issued");
    const [made] = issued.transactions;
    assert(made !== undefined);
    return { source: "b", id: made.id, payload: made.payload };
  }

  async play(node: Node): Promise<void> {
    const { documents } = node;
    for (const name of names) documents.met(name, "b");
    const rounds: Promise<boolean>[] = [];
    for (let n = 0; n < 24; n++) {
      const name = names[n % names.length] ?? "one";
      const value = "v".repeat((n % 4) * 400);
      const patch = JSON.stringify([{ op: "add", path: `/a${n % 7}`, value: `${n}${value}` }]);
      const [own] = await Promise.all([
        documents.patch(name, patch),
        documents.receive(name, [this.written(name, n)], { source: "b", kind: "truba" }),
      ]);
      assert(own.id !== undefined);
      this.#acknowledge(name, "a", own.id);
      this.#sent.set(name, (this.#sent.get(name) ?? 0) + 1);
      this.#acknowledge(name, "b", this.#sent.get(name) ?? 0);
      await this.#look(node, name);
      // Some while it goes on writing.
      if (n % 5 === 3) rounds.push(node.checkpoint());
      if (n % 10 === 8) await Promise.all(rounds);
    }
    await Promise.all(rounds);
  }

  /** Notes what links have got. */
  async #look(node: Node, name: string): Promise<void> {
    for (const source of ["a", "b"]) {
      for (const { id, payload } of await allOf(node, name, source))
        this.seen.set(`${name} ${source} ${id}`, payload);
    }
  }

  #acknowledge(name: string, source: string, id: number): void {
    const key = `${name} ${source}`;
    this.acknowledged.set(key, Math.max(this.acknowledged.get(key) ?? 0, id));
  }

  async check(node: Node): Promise<void> {
    const { documents } = node;
    for (const name of names) {
      const vclock = documents.head(name)?.vclock ?? {};
      const reference = new Replica({
        name,
        source: "reference",
        lenient: name === "default",
        clock: new HybridClock(this.clock),
      });
      reference.restored();
      for (const source of ["a", "b"]) {
        const least = this.acknowledged.get(`${name} ${source}`) ?? 0;
        const count = vclock[source] ?? 0;
        assert(count >= least, `${name} has ${count} of ${source}; ${least} were acknowledged`);
        const found = await allOf(node, name, source);
        assert.equal(found.length, count);
        for (const { id, payload } of found) {
          const seen = this.seen.get(`${name} ${source} ${id}`);
          if (seen !== undefined)
            assert.equal(payload, seen, `${name}: ${id} of ${source} is another`);
        }
        reference.receive(found, "truba");
      }
      if (Object.keys(vclock).length === 0) continue;
      const view = await documents.read(name);
      assert.equal(view.text, reference.text());
      const page = await documents.history(name, { count: 1_000 });
      const places = reference.placed(1, 1_000);
      assert.deepEqual(
        page.transactions.map(({ source, id, verdict }) => [source, id, verdict]),
        places.map(({ source, id, verdict }) => [source, id, verdict]),
      );
    }
    for (const name of names) {
      const highest = this.acknowledged.get(`${name} a`) ?? 0;
      const { id = 0 } = await documents.patch(name, '[{"op":"add","path":"/again","value":1}]');
      assert(id > highest, `Id ${id} was used before`);
      assert(!this.seen.has(`${name} a ${id}`), `Id ${id} was seen by peers`);
    }
  }
}

/** All durable transactions of a source, as a link asks for them. */
async function allOf(node: Node, name: string, source: string): Promise<WireTransaction[]> {
  const found: WireTransaction[] = [];
  for (;;) {
    const more = await node.documents.after(name, source, found.length, 1_000_000);
    if (more.length === 0) return found;
    found.push(...more);
  }
}

async function crashAt(point: number, choose: CrashChooser): Promise<boolean> {
  const world = new CrashWorld();
  const { clock, files } = world;
  files.failAfter(point);
  const attempt = async (): Promise<boolean> => {
    const node = await world.open();
    await world.play(node);
    await node.stop();
    return true;
  };
  const survived = await clock.drive(attempt().catch(() => false));
  if (survived) return false;
  await clock.advanceSettled(10);
  files.crash(choose);
  files.restart();
  const again = async (): Promise<void> => {
    const node = await world.open();
    await world.check(node);
    assert(await node.checkpoint());
    await world.check(node);
    await node.stop();
    const third = await world.open();
    await world.check(third);
    await third.stop();
  };
  await clock.drive(again());
  return true;
}

suite("documents and power loss (P1, P7)", () => {
  for (const kind of ["nothing unsynced is left", "some of what was unsynced is left"] as const) {
    test(`everything acknowledged is there and no Id is used twice, wherever the story is cut off: ${kind}`, async () => {
      let points = 0;
      for (let point = kind.startsWith("some") ? 5 : 0; ; point += stride) {
        const choose = kind.startsWith("some")
          ? randomChooser(new SeededRandom(point), 100)
          : loseAll;
        try {
          if (!(await crashAt(point, choose))) break;
        } catch (error) {
          throw new Error(`cut off at operation ${point}: ${String(error)}`, { cause: error });
        }
        points++;
      }
      assert(points > 20, `${points} points`);
    });
  }

  test("a checkpoint that fails loses nothing, and the next one has it all (P7)", async () => {
    for (const on of ["create", "write", "sync", "rename", "syncDirectory"] as const) {
      for (let skip = 0; skip < 4; skip++) {
        const world = new CrashWorld();
        const { clock, files } = world;
        const node = await clock.drive(world.open());
        await clock.drive(node.documents.patch("one", '[{"op":"add","path":"/a","value":1}]'));
        await clock.drive(node.checkpoint());
        await clock.drive(node.documents.patch("one", '[{"op":"add","path":"/b","value":2}]'));
        await clock.drive(node.documents.patch("two", '[{"op":"add","path":"/b","value":2}]'));
        files.fail({ on, code: "EIO", path: /documents/, skip });
        await clock.drive(node.checkpoint());
        files.clearFaults();
        if (skip % 2 === 0) await clock.drive(node.checkpoint());
        await clock.drive(node.documents.patch("one", '[{"op":"add","path":"/c","value":3}]'));
        files.crash(loseAll);
        files.restart();
        const after = await clock.drive(world.open());
        const { text } = await clock.drive(after.documents.read("one"));
        assert.equal(text, '{"a":1,"b":2,"c":3}', `${on} ${skip}`);
        assert.equal((await clock.drive(after.documents.read("two"))).text, '{"b":2}');
        const { transactions } = await clock.drive(after.documents.history("one"));
        assert.equal(transactions.length, 3);
        await clock.drive(after.stop());
      }
    }
  });

  test("what was promised of the clock holds after a crash, also when the wall clock has gone back meanwhile", async () => {
    const world = new CrashWorld();
    const { clock, files } = world;
    const before = await clock.drive(world.open());
    await clock.drive(before.documents.patch("one", '[{"op":"add","path":"/a","value":1}]'));
    for (let beat = 0; beat < 12; beat++) {
      before.documents.clockFor("one");
      await clock.advanceSettled(1_000);
    }
    const promised = before.documents.clockFor("one");
    assert(promised !== undefined);
    assert(promised.clock.ms >= clock.wallMs() - 1_000, "the promise follows the wall clock");
    assert.equal(promised.count, 1);
    files.crash(loseAll);
    files.restart();
    clock.jumpWall(-3_600_000);
    const after = await clock.drive(world.open());
    await clock.drive(after.documents.patch("one", '[{"op":"add","path":"/b","value":2}]'));
    await clock.drive(after.documents.patch("new", '[{"op":"add","path":"/b","value":2}]'));
    for (const name of ["one", "new"]) {
      const { transactions } = await clock.drive(after.documents.history(name));
      const stamp = transactions.at(-1)?.stamp;
      assert(stamp !== undefined && stamp !== null);
      assert(compareStamps(stamp, promised.clock) > 0, `${name}: a stamp at or before the promise`);
    }
    await clock.drive(after.stop());
  });
});
