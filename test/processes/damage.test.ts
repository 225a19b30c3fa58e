/** Damage on the real file system: a stopped node's files are changed, and the next start refuses or accepts as the tables say (P7). */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { NodeFileSystem } from "../../src/base/node-file-system.ts";
import { randomBelow } from "../../src/base/random.ts";
import { SeededRandom } from "../../src/base/seeded-random.ts";
import { checkCheckpoints } from "../../src/state/checkpoint-check.ts";
import { kinds } from "../../src/wal/format.ts";
import { keyOf, textOf } from "./fixtures/client.ts";
import { commitOffset, fingerprint, StoppedNode } from "./fixtures/log-damage.ts";
import { notBuilt, run, ServerProcess, TemporaryDirectory, runServe } from "./fixtures/program.ts";

const flags = ["--partitions", "2", "--wal-segment-bytes", "16777216"];
const keys = Array.from({ length: 300 }, (_, number) => keyOf(number));

/** `clean`: stopped by SIGTERM, one segment, checkpoints with log behind them. `killed`: kill -9 in the second segment, everything still in the log. */
type Base = "clean" | "killed";

interface DamageCase {
  readonly title: string;
  readonly base: Base;
  readonly damage: (node: StoppedNode) => void;
  /** What the refusal says; `undefined`: the start is accepted. */
  readonly refused?: RegExp;
}

const rows: readonly DamageCase[] = [
  {
    title: "row 1 and 2: whole batches, then nothing: accepted",
    base: "clean",
    damage() {},
  },
  {
    title: "row 2: bits turned over behind the end of the log: accepted",
    base: "clean",
    damage(node) {
      const end = node.last.offset + node.last.bytes;
      for (const at of [0, 57, 4_096, 1_000_000]) node.flipLog(node.last, end + at);
    },
  },
  {
    title: "row 3: a batch is zeros and others follow: refused",
    base: "clean",
    damage: (node) => node.zero(node.middle),
    refused: /row 3\)/,
  },
  {
    title: "row 4: the last batch has no valid commit: dropped, nothing acknowledged is in a seal",
    base: "clean",
    damage: (node) => node.flipLog(node.last, commitOffset(node.last) + 20),
  },
  {
    title: "row 5: a record of the last batch is damaged, its commit is valid: dropped",
    base: "clean",
    damage: (node) => node.flipLog(node.last, node.last.offset + 20),
  },
  {
    title: "row 6: a damaged commit, others follow: refused",
    base: "clean",
    damage: (node) => node.flipLog(node.middle, commitOffset(node.middle) + 20),
    refused: /row 6\)/,
  },
  {
    title:
      "row 7: a damaged body, its commit valid, others follow: refused with the record's identity",
    base: "clean",
    damage: (node) => node.flipLog(node.middle, must(node.middle.records[0]).offset + 80),
    refused: /entry of group \d, index \d+, term 1.*row 7\)/,
  },
  {
    title: "row 8: a batch with a sequence out of turn: refused",
    base: "clean",
    damage: (node) => node.forge({ kind: kinds.trim, group: 0, index: 1 }, node.last.sequence + 5),
    refused: /row 8\)/,
  },
  {
    title: "row 9: a record kind of a newer Truba: refused with DATAVERSION",
    base: "clean",
    damage: (node) => node.giveKind(node.middle, 99),
    refused: /DATAVERSION: .*row 9\)/,
  },
  {
    title: "row 10: a link to a segment that is missing: refused",
    base: "killed",
    damage: (node) => fs.unlinkSync(node.segment(2)),
    refused: /row 10\)/,
  },
  {
    title: "row 10: a damaged header of the first segment: refused",
    base: "clean",
    damage: (node) => node.flip(node.segment(1), 30),
    refused: /row 10\)/,
  },
  {
    title: "row 11: a segment without a link to it: accepted, becomes a spare",
    base: "clean",
    damage: (node) => node.addUnlinked(),
  },
  {
    title: "row 12: a gap in the ids of the segments: refused",
    base: "killed",
    damage: (node) => fs.renameSync(node.segment(2), node.segment(3)),
    refused: /row 12\)/,
  },
  {
    title: "row 13: no segment, although checkpoints exist: refused",
    base: "clean",
    damage: (node) => fs.unlinkSync(node.segment(1)),
    refused: /wal holds no segment, although /,
  },
  {
    title: "row 13: no log at all, although checkpoints exist: refused",
    base: "clean",
    damage: (node) => fs.rmSync(join(node.data, "wal"), { recursive: true }),
    refused: /wal holds no segment, although /,
  },
  {
    title: "row 14: an entry behind a gap in its group's indexes: refused",
    base: "clean",
    damage: (node) => node.forge({ kind: kinds.entry, group: 0, index: 1_000_000 }),
    refused: /row 14\)/,
  },
  {
    title: "row 15: the segment with the oldest entries is missing: refused",
    base: "killed",
    damage: (node) => fs.unlinkSync(node.segment(1)),
    refused: /row 15\)/,
  },
  {
    title: "row 16: a restated record that is not so: refused",
    base: "clean",
    damage: (node) => node.forge({ kind: kinds.last, group: 0, index: 77, restated: true }),
    refused: /row 16\)/,
  },
  {
    title: "row 17: a segment that was cut off: refused",
    base: "clean",
    damage: (node) => fs.truncateSync(node.segment(1), 8_000_000),
    refused: /row 17\)/,
  },
  {
    title: "row 18: a segment under the name of another: refused",
    base: "killed",
    damage: (node) => fs.copyFileSync(node.segment(1), node.segment(2)),
    refused: /row 18\)/,
  },
];

const others: readonly DamageCase[] = [
  {
    title: "a run file that is missing",
    base: "clean",
    damage: (node) => fs.unlinkSync(must(node.checkpoints(/\.run$/)[0])),
    refused: /DATADAMAGED: .*\.run: the run file is missing/,
  },
  {
    title: "a run file that was cut off",
    base: "clean",
    damage: (node) => fs.truncateSync(must(node.checkpoints(/\.run$/)[0]), 100),
    refused: /DATADAMAGED: .*\.run: the run file has 100 bytes/,
  },
  {
    title: "a bit in a run's rows",
    base: "clean",
    damage: (node) => node.flip(must(node.checkpoints(/\.run$/)[0]), 1_000, 5),
    refused: /DATADAMAGED: .*\.run: block 0 at offset 32: /,
  },
  {
    title: "a bit in a manifest",
    base: "clean",
    damage: (node) => node.flip(must(node.checkpoints(/manifest$/)[0]), 50, 3),
    refused: /DATADAMAGED: .*manifest: the checksum/,
  },
  {
    title: "a manifest that is missing beside its runs",
    base: "clean",
    damage: (node) => fs.unlinkSync(must(node.checkpoints(/manifest$/)[0])),
    refused: /DATADAMAGED: .*manifest: the manifest is missing/,
  },
  {
    title: "a partition that is missing, its log trimmed",
    base: "clean",
    damage: (node) => fs.rmSync(join(node.data, "partitions", "0001"), { recursive: true }),
    refused: /DATADAMAGED: .*the log of partition 1 begins at entry/,
  },
  {
    title: "a bit in node.json",
    base: "clean",
    damage: (node) => node.flip(join(node.data, "node.json"), 20, 2),
    refused: /DATADAMAGED: .*node\.json is damaged/,
  },
  {
    title: "node.json that is missing",
    base: "clean",
    damage: (node) => fs.unlinkSync(join(node.data, "node.json")),
    refused: /DATADAMAGED: .*node\.json is missing/,
  },
];

suite("P7: damage on the real file system", { skip: notBuilt, concurrency: 2 }, () => {
  const bases = new TemporaryDirectory();
  before(async () => {
    await makeClean(join(bases.path, "clean"));
    await makeKilled(join(bases.path, "killed"));
  });
  after(() => bases[Symbol.dispose]());

  /** Damages a copy of the base and starts on it. */
  async function tryStart({ base, damage, refused }: DamageCase): Promise<void> {
    using place = new TemporaryDirectory();
    const data = join(place.path, "data");
    fs.cpSync(join(bases.path, base), data, { recursive: true });
    damage(new StoppedNode(data));
    if (refused === undefined) await mustAccept(data);
    else await mustRefuse(data, refused);
  }

  for (const damaged of rows) test(damaged.title, () => tryStart(damaged));
  for (const damaged of others)
    test(`${damaged.title}: refused, naming it`, () => tryStart(damaged));

  test("a bit anywhere in the used part of any file: refused with nothing changed, or everything is there", async (t) => {
    const seed = Date.now() % 1_000_000;
    t.diagnostic(`seed ${seed}`);
    const random = new SeededRandom(seed);
    let refusals = 0;
    for (let i = 0; i < 16; i++) {
      using place = new TemporaryDirectory();
      const data = join(place.path, "data");
      fs.cpSync(join(bases.path, "clean"), data, { recursive: true });
      const node = new StoppedNode(data);
      const wal = { path: node.segment(1), bytes: node.last.offset + node.last.bytes };
      const targets = [
        wal,
        wal,
        sized(must(node.checkpoints(/\.run$/)[i % 2])),
        sized(must(node.checkpoints(/manifest$/)[i % 2])),
      ];
      const { path, bytes } = must(targets[i % targets.length]);
      const offset = randomBelow(random, bytes);
      const bit = randomBelow(random, 8);
      node.flip(path, offset, bit);
      const about = `seed ${seed}, bit ${bit} of byte ${offset} in ${path}`;
      try {
        const unchanged = fingerprint(data);
        const start = await tryServe(data);
        if (typeof start === "string") {
          refusals++;
          assert.match(start, /DATADAMAGED|DATAVERSION/);
          assert.equal(fingerprint(data), unchanged, "a refused start changes nothing");
        } else await mustHold(start);
      } catch (error) {
        throw new Error(about, { cause: error });
      }
    }
    assert.ok(refusals > 8, `${refusals} of 16 were refused`);
  });
});

function sized(path: string): { path: string; bytes: number } {
  return { path, bytes: fs.statSync(path).size };
}

async function tryServe(data: string): Promise<ServerProcess | string> {
  try {
    return await ServerProcess.start({ data, flags });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Exit code 1, the file named, nothing changed; `truba log verify` says the same. */
async function mustRefuse(data: string, words: RegExp): Promise<void> {
  const unchanged = fingerprint(data);
  const ended = await runServe({ data, flags });
  assert.equal(ended.code, 1, ended.stderr);
  assert.match(ended.stderr, words);
  assert.match(ended.stderr, /truba: DATA(DAMAGED|VERSION): /);
  if (words.source.includes("row")) assert.match(ended.stderr, /\.wal at offset \d+: /);
  assert.equal(fingerprint(data), unchanged, "a refused start changes nothing");

  const verified = await run(["log", "verify", "--data", data, "--json"]);
  assert.equal(verified.code, 1, verified.stderr);
  const { damage } = JSON.parse(verified.stdout);
  assert.ok(damage.length > 0, verified.stdout);
  assert.equal(fingerprint(data), unchanged, "verify changes nothing");
}

async function mustAccept(data: string): Promise<void> {
  const verified = await run(["log", "verify", "--data", data]);
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  const start = await tryServe(data);
  if (typeof start === "string") assert.fail(start);
  await mustHold(start);
}

/** Everything that was acknowledged is there; then it goes on and stops. */
async function mustHold(server: ServerProcess): Promise<void> {
  await using running = server;
  using client = await running.connect();
  const values = await Promise.all(client.pipeline(keys.map((key) => ["GET", key])));
  for (const [at, key] of keys.entries())
    assert.equal(textOf(values[at] ?? null), `value of ${key}`);
  assert.equal(textOf(await client.call("SET", keyOf(999_999), "new")), "OK");
  assert.equal((await running.end("SIGTERM")).code, 0);
}

async function makeClean(data: string): Promise<void> {
  await using server = await ServerProcess.start({ data, flags });
  using client = await server.connect();
  for (const [at, key] of keys.entries()) {
    assert.equal(textOf(await client.call("SET", key, `value of ${key}`)), "OK");
    if (at === 150) assert.equal(textOf(await client.call("SAVE")), "OK");
  }
  assert.equal((await server.end("SIGTERM")).code, 0);
  const seal = new StoppedNode(data).last.records.map(({ kind }) => kind);
  assert.deepEqual(seal, [kinds.pad], "a clean stop seals the log");
}

/** Killed as soon as the log has gone on to its second segment, before a checkpoint lets go of the first. */
async function makeKilled(data: string): Promise<void> {
  await using server = await ServerProcess.start({ data, flags });
  using client = await server.connect();
  for (const key of keys)
    assert.equal(textOf(await client.call("SET", key, `value of ${key}`)), "OK");
  const filler = Buffer.alloc(65_536, ".");
  const second = join(data, "wal", "0000000000000002.wal");
  for (let i = 0; !fs.existsSync(second); i++)
    await client.call("SET", keyOf(1_000 + (i % 50)), filler);
  await server.end("SIGKILL");
  // What a checkpoint in progress has left is removed by every start, also by one that is refused later.
  for (const partition of [0, 1]) {
    const directory = join(data, "partitions", `000${partition}`);
    const files = new NodeFileSystem();
    const { leftovers } = await checkCheckpoints({ files, directory, partition });
    for (const name of leftovers) fs.unlinkSync(join(directory, name));
  }
}
