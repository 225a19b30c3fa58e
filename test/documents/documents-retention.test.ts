/** History that is given up after some days: when, what is said of it afterwards, and how a peer begins that needs it. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { Environment } from "../../src/base/environment.ts";
import { TrubaError } from "../../src/base/errors.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { MemoryFileSystem } from "../../src/base/memory-file-system.ts";
import { NodeNetwork } from "../../src/base/node-network.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { directoryOf } from "../../src/documents/document-name.ts";
import { Node } from "../../src/node/node.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";

const add = (path: string, value: unknown): string => JSON.stringify([{ op: "add", path, value }]);
const dayMs = 86_400_000;

class RetentionWorld {
  readonly clock = new SimulatedClock();
  readonly files = new MemoryFileSystem();

  open(name: string): Promise<Node> {
    const environment: Environment = {
      clock: this.clock,
      random: new SeededRandom(1),
      files: this.files,
      network: new NodeNetwork(),
      logger: silentLogger,
    };
    return this.clock.drive(
      Node.open(environment, {
        dataDirectory: name,
        name,
        partitions: 1,
        walSegmentBytes: 1_048_576,
        documents: { historyDays: 8 },
      }),
    );
  }

  /** Twenty days, each with some patches and a checkpoint. */
  async live(node: Node, days: number): Promise<void> {
    const { clock } = this;
    for (let day = 0; day < days; day++) {
      for (let n = 0; n < 5; n++)
        await clock.drive(node.documents.patch("notes", add(`/k${n}`, `${day}-${n}`)));
      await clock.drive(node.checkpoint());
      clock.elapse(dayMs);
      await clock.settle();
    }
  }

  historyFiles(name: string): number {
    const directory = `${name}/documents/${directoryOf("notes")}`;
    return this.files.listSync(directory).filter((file) => file.startsWith("history-")).length;
  }
}

function code(wanted: string): (error: unknown) => boolean {
  return (error) => error instanceof TrubaError && error.code === wanted;
}

suite("retention of history (DESIGN §10)", () => {
  test("what is older than asked for goes, the document stays, and what was given up is said (P7)", async () => {
    const world = new RetentionWorld();
    const { clock } = world;
    const first = await world.open("a");
    await world.live(first, 20);
    assert(world.historyFiles("a") < 14, `${world.historyFiles("a")} files of history`);
    const view = await clock.drive(first.documents.read("notes"));
    assert.equal(view.transactions, 100);
    await assert.rejects(
      clock.drive(first.documents.read("notes", { position: 3 })),
      code("HISTORYTRIMMED"),
    );
    await assert.rejects(
      clock.drive(first.documents.history("notes", { from: 1 })),
      code("HISTORYTRIMMED"),
    );
    await assert.rejects(
      clock.drive(first.documents.after("notes", "a", 0, 1_000)),
      code("HISTORYTRIMMED"),
    );
    await assert.rejects(
      clock.drive(first.documents.sequence("notes", 0, 1_000)),
      code("HISTORYTRIMMED"),
    );
    const page = await clock.drive(first.documents.history("notes", { count: 1_000 }));
    const [oldest] = page.transactions;
    assert(oldest !== undefined && oldest.position > 1 && oldest.position <= 65);
    assert.equal(page.transactions.length, 100 - oldest.position + 1);
    assert.equal((await clock.drive(first.documents.after("notes", "a", 90, 1))).at(0)?.id, 91);
    await clock.drive(first.stop());
    const second = await world.open("a");
    assert.equal((await clock.drive(second.documents.read("notes"))).text, view.text);
    assert.equal((await clock.drive(second.documents.patch("notes", add("/z", 1)))).id, 101);
    await clock.drive(second.stop());
  });

  test("nothing goes that a member may still need, or that a plain peer was ever seen with", async () => {
    for (const kind of ["member", "plain"] as const) {
      const world = new RetentionWorld();
      const { clock } = world;
      const node = await world.open("a");
      if (kind === "member") node.documents.met("notes", "b");
      else {
        const plain = { source: "p", id: 1, payload: add("/p", 1) };
        await clock.drive(node.documents.receive("notes", [plain], { source: null, kind }));
      }
      await world.live(node, 20);
      const page = await clock.drive(node.documents.history("notes", { count: 1_000 }));
      assert.equal(page.transactions[0]?.position, 1, kind);
      assert.equal(page.transactions.length, page.total);
      await clock.drive(node.stop());
    }
  });

  test("a peer without anything begins with the base, and goes on as all others (P6)", async () => {
    const world = new RetentionWorld();
    const { clock } = world;
    const a = await world.open("a");
    await world.live(a, 20);
    const base = await clock.drive(a.documents.base("notes"));
    assert(base !== undefined);
    const b = await world.open("b");
    const sender = { source: "a", kind: "truba" } as const;
    await assert.rejects(
      clock.drive(b.documents.installBase("notes", "{}", sender)),
      code("BADVALUE"),
    );
    assert(await clock.drive(b.documents.installBase("notes", base, sender)));
    assert.equal(await clock.drive(b.documents.installBase("notes", base, sender)), false, "once");
    await clock.drive(a.documents.patch("notes", add("/more", 1)));
    const count = b.documents.head("notes")?.vclock["a"] ?? 0;
    assert(count > 0);
    const rest = await clock.drive(a.documents.after("notes", "a", count, 1_000_000));
    await clock.drive(b.documents.receive("notes", rest, sender));
    await clock.drive(b.documents.patch("notes", add("/b", 1)));
    assert(await clock.drive(b.checkpoint()));
    await clock.drive(b.stop());
    const again = await world.open("b");
    const mine = await clock.drive(again.documents.read("notes"));
    const own = await clock.drive(again.documents.after("notes", "b", 0, 1_000_000));
    await clock.drive(a.documents.receive("notes", own, { source: "b", kind: "truba" }));
    assert.equal((await clock.drive(a.documents.read("notes"))).text, mine.text);
    assert.deepEqual({ ...again.documents.head("notes")?.vclock }, { a: 101, b: own.length });
    await clock.drive(a.stop());
    await clock.drive(again.stop());
  });
});
