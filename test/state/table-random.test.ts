/** Random histories of tables against their model; see table-world.ts for what is compared. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { keyHash } from "../../src/state/row.ts";
import { orderHash } from "../../src/state/run-format.ts";
import { type Draws, forSeedsAsync } from "./draws.ts";
import { RestlessClock } from "./restless-clock.ts";
import { type RunRow, World, assertSame, bodiesOf, writeRun } from "./table-world.ts";

/** Every world has this seed, so that {@link collidingKeys} collide in its indexes too. */
const indexSeed = 12_345;

/** Pairs of keys with equal hashes: the first two pairs of `hash` among short keys, found by trying. */
function collidingKeys(hashOf: (key: Buffer) => number): Buffer[] {
  const seen = new Map<number, Buffer>();
  const found: Buffer[] = [];
  for (let i = 0; found.length < 4; i++) {
    const key = Buffer.from((i * 2_654_435_761).toString(36));
    const value = hashOf(key);
    const other = seen.get(value);
    if (other === undefined) seen.set(value, key);
    else found.push(other, key);
  }
  return found;
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

/** One step of `keyHash`: a word of the key into the state before it. */
function mixed(state: number, word: number): number {
  const scrambled = Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
  return (Math.imul(rotate(scrambled ^ state, 13), 5) + 0xe6546b64) | 0;
}

/** The word that leads from one state to the other: that step backwards. */
function wordBetween(from: number, to: number): number {
  const scrambled = rotate(Math.imul(to - 0xe6546b64, inverse(5)), 19) ^ from;
  return Math.imul(rotate(Math.imul(scrambled, inverse(0x1b873593)), 17), inverse(0xcc9e2d51));
}

/** `whole` begins with `start` and has the same hash in an index of this seed. */
function prefixCollision(): { start: Buffer; whole: Buffer } {
  const start = Buffer.from("abcd");
  const word = start.readInt32LE();
  const whole = Buffer.alloc(8);
  start.copy(whole);
  whole.writeInt32LE(wordBetween(mixed(indexSeed ^ 8, word), mixed(indexSeed ^ 4, word)), 4);
  return { start, whole };
}

/** Of an odd number, modulo 2^32. */
function inverse(odd: number): number {
  let x = odd;
  for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(odd, x));
  return x;
}

function hashInIndex(key: Buffer): number {
  return keyHash(key, 0, key.length, indexSeed);
}

const prefix = prefixCollision();

const keyPool: readonly Buffer[] = [
  prefix.start,
  prefix.whole,
  ...collidingKeys((key) => orderHash(key, 0, key.length)),
  ...collidingKeys(hashInIndex),
  Buffer.alloc(0),
  Buffer.from([0]),
  Buffer.from([0, 0]),
  Buffer.alloc(254, 7),
  Buffer.alloc(255, 7),
  ...Array.from({ length: 27 }, (_, i) => Buffer.from(`key number ${i}`)),
];

function drawBody(draws: Draws): Buffer {
  if (draws.oneIn(4)) return Buffer.alloc(0);
  if (draws.oneIn(200)) return Buffer.alloc(1_048_576, draws.below(256));
  return draws.bytes(draws.below(draws.oneIn(10) ? 400 : 20));
}

class History {
  readonly draws: Draws;
  readonly keys: readonly Buffer[];
  world: World;
  /** Runs that a durable checkpoint has written, oldest first. */
  runs: RunRow[][] = [];
  #steps = 0;

  constructor(draws: Draws) {
    this.draws = draws;
    this.world = new World(indexSeed);
    const from = draws.below(keyPool.length);
    const count = draws.pick([1, 3, 10, keyPool.length]);
    this.keys = [...keyPool, ...keyPool].slice(from, from + count);
  }

  async run(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      if (this.draws.oneIn(25)) await this.checkpoint();
      else if (this.draws.oneIn(60)) this.restart();
      else this.act();
    }
    this.world.check(this.keys);
    await this.empty();
  }

  /** One change, or a group of some. */
  act(): void {
    const { draws, world } = this;
    if (!draws.oneIn(3)) this.#change();
    else {
      world.begin();
      for (let i = draws.below(8); i > 0; i--) {
        this.#change();
        for (const table of world.tables) table.checkCounts();
      }
      if (draws.oneIn(20)) world.check(this.keys);
      if (draws.oneIn(2)) world.commit();
      else world.rollback();
    }
    for (const table of world.tables) table.checkCounts();
    if (++this.#steps % 8 === 0) world.check(this.keys);
  }

  #change(): void {
    const { draws } = this;
    const table = draws.pick(this.world.tables);
    const key = draws.pick(this.keys);
    // The second half of the longer key as body of the shorter one: nothing but the keys' length tells them apart.
    if (key === prefix.start && draws.oneIn(2)) table.put(key, prefix.whole.subarray(4));
    else if (draws.oneIn(2)) table.put(key, drawBody(draws));
    else table.remove(key, draws.oneIn(2));
  }

  #someActs = (): void => {
    for (let i = this.draws.below(4); i > 0; i--) this.act();
  };

  /** A checkpoint with changes going on in between, which may fail; some hold all rows, whatever the runs before them hold. */
  async checkpoint(): Promise<void> {
    const { draws, world } = this;
    const whole = draws.oneIn(4);
    if (whole) this.#touchAll();
    const { rows, bodies } = world.freeze();
    this.#someActs();
    const clock = new RestlessClock(draws.pick([0.1, 1, 5]));
    clock.onTurn = this.#someActs;
    const run = await writeRun(rows, clock);
    this.#someActs();
    const runs = whole ? [run] : [...this.runs, run];
    for (const [at, { table }] of world.tables.entries())
      assertSame(bodiesOf(runs, table.id), bodies[at] ?? new Map(), "what the runs hold");
    const durable = !draws.oneIn(3);
    world.thaw(durable, draws.pick([1, 2, 1_024]), this.#someActs);
    if (durable) this.runs = runs;
    world.check(this.keys);
  }

  #touchAll(): void {
    const { draws, world } = this;
    for (const table of world.tables) {
      let hash = 0;
      do {
        hash = table.touch(hash, draws.pick([1, 3, 1_024]));
        this.#someActs();
      } while (hash !== 0);
    }
  }

  /** Another process loads what is durable. */
  restart(): void {
    const world = new World(indexSeed);
    world.load(this.runs);
    for (const { table } of world.tables) {
      const held = world.tables.find((other) => other.table === table);
      assertSame(held?.bodies() ?? new Map(), bodiesOf(this.runs, table.id), "what was loaded");
    }
    world.check(this.keys);
    this.world = world;
  }

  /** All rows go; after a checkpoint not one block may be left. */
  async empty(): Promise<void> {
    const { world } = this;
    for (const table of world.tables) for (const key of this.keys) table.remove(key, false);
    const { rows } = world.freeze();
    this.runs.push(await writeRun(rows, new RestlessClock(0.1)));
    world.thaw(true, 7, () => {});
    world.check(this.keys);
    if (world.slab.blocks.size > 0) throw new Error(`${world.slab.blocks.size} blocks are left`);
    for (const { table } of world.tables) {
      if (table.changedCount > 0) throw new Error("changes are left");
      if (table.indexBytes > 128) throw new Error("the index has not shrunk");
      if (bodiesOf(this.runs, table.id).size > 0) throw new Error("rows are left on disk");
    }
  }
}

suite("tables, random histories (DESIGN §7)", () => {
  test("the keys are such that their hashes collide", () => {
    assert.equal(hashInIndex(prefix.start), hashInIndex(prefix.whole));
    assert.equal(new Set(keyPool.map(hashInIndex)).size, keyPool.length - 3);
    assert.equal(
      new Set(keyPool.map((key) => orderHash(key, 0, key.length))).size,
      keyPool.length - 2,
    );
  });

  test("rows, digest, hooks, changes and memory equal the model, through groups, checkpoints, failures and restarts", async () => {
    await forSeedsAsync(1, 500, async (draws) => new History(draws).run(60));
  });

  test("the same over long lives", async () => {
    await forSeedsAsync(100_000, 3, async (draws) => new History(draws).run(2_000));
  });
});
