/**
 * Tables beside a model of what they should hold: rows by key, what changed since the last checkpoint, what is on disk. Every
 * change goes to both; `check` compares them.
 */
import assert from "node:assert/strict";
import { must } from "../../src/base/assert.ts";
import { DigestSum } from "../../src/state/digest-sum.ts";
import { FrozenRows } from "../../src/state/frozen-rows.ts";
import { rowHash } from "../../src/state/row.ts";
import { orderHash } from "../../src/state/run-format.ts";
import { Table } from "../../src/state/table.ts";
import { UndoList } from "../../src/state/undo-list.ts";
import type { Clock } from "../../src/base/clock.ts";
import { CheckedSlab } from "./checked-slab.ts";

/** A key as the index sees it: live, or deleted and not yet forgotten by a checkpoint. */
interface Entry {
  readonly body: Buffer | undefined;
  /** Changed since the last freeze. */
  readonly changed: boolean;
  /** No checkpoint knows the key. */
  readonly fresh: boolean;
  /** Still as it was frozen. */
  readonly frozen: boolean;
}

type Entries = Map<string, Entry>;
export type Bodies = ReadonlyMap<string, Buffer>;

/** One row of a run, in the order in which it was written. */
export interface RunRow {
  readonly table: number;
  readonly key: Buffer;
  readonly body: Buffer | undefined;
}

/** Key as the model writes it: every byte a character. */
function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString("latin1");
}

/** The share of the digest of one row, from nothing but table, key and body. */
function hashOf(table: number, key: Buffer, body: Buffer): number {
  const bytes = Buffer.alloc(Math.ceil((4 + key.length + body.length) / 4) * 4);
  bytes[1] = key.length;
  key.copy(bytes, 4);
  body.copy(bytes, 4 + key.length);
  const words = new Int32Array(bytes.length / 4);
  for (let i = 0; i < words.length; i++) words[i] = bytes.readInt32LE(i * 4);
  return rowHash(words, 0, 4 + key.length + body.length, table);
}

/** One table, its model, and a mirror that only the hook writes. */
export class TableWorld {
  readonly table: Table;
  readonly #world: World;
  #entries: Entries = new Map();
  #mirror = new Map<string, Buffer>();
  #before: Entries | undefined;
  #frozenKeys: readonly string[] = [];
  #frozenList: readonly number[] = [];
  #thawed = 0;

  constructor(world: World, id: number) {
    this.#world = world;
    const { slab, undo, sum, seed } = world;
    this.table = new Table({ id, slab, seed, undo, sum });
    this.table.onChange = (before, after) => this.#told(before, after);
  }

  put(key: Buffer, body: Buffer): void {
    const { table } = this;
    const address = table.prepare(key, 0, key.length, body.length);
    body.copy(table.slab.buffer(address), table.bodyStart(address));
    table.put(address);
    this.#change(nameOf(key), body);
  }

  /** Removes the row if there is one. */
  remove(key: Buffer, byAddress: boolean): void {
    const { table } = this;
    const name = nameOf(key);
    const there = this.#entries.get(name)?.body !== undefined;
    const address = table.find(key, 0, key.length);
    assert.equal(address !== 0, there);
    if (byAddress && there) table.removeAt(address);
    else assert.equal(table.remove(key, 0, key.length), there);
    if (there) this.#change(name, undefined);
  }

  beginGroup(): void {
    this.#before = new Map(this.#entries);
  }

  commitGroup(): void {
    this.#before = undefined;
    for (const name of this.#entries.keys()) this.#settle(name);
  }

  rollbackGroup(): void {
    this.#entries = must(this.#before);
    this.#before = undefined;
  }

  /** Counts some live rows as changed; returns where to go on, 0 at the end. */
  touch(fromHash: number, count: number): number {
    const { table } = this;
    const names: string[] = [];
    table.scan(fromHash, count, (address) => names.push(nameOf(this.#keyAt(address))));
    for (const name of names)
      this.#entries.set(name, { ...must(this.#entries.get(name)), changed: true });
    return table.touch(fromHash, count);
  }

  freeze(): readonly number[] {
    const { table } = this;
    this.#frozenList = table.freeze();
    this.#thawed = 0;
    this.#frozenKeys = this.#frozenList.map((address) =>
      address === 0 ? "" : nameOf(this.#keyAt(address)),
    );
    for (const [name, entry] of this.#entries)
      this.#entries.set(name, { ...entry, frozen: entry.changed, changed: false });
    return this.#frozenList;
  }

  /** Thaws up to `count` rows more; returns whether there are more. */
  thaw(durable: boolean, count: number): boolean {
    const from = this.#thawed;
    const to = Math.min(from + count, this.#frozenList.length);
    this.table.thaw({ durable, from, to });
    this.#thawed = to;
    for (let i = from; i < to; i++) {
      if (this.#frozenList[i] === 0) continue;
      const name = must(this.#frozenKeys[i]);
      const entry = this.#entries.get(name);
      if (entry?.frozen !== true) continue;
      const kept = { ...entry, frozen: false };
      if (!durable) this.#entries.set(name, { ...kept, changed: true });
      else if (entry.body === undefined) this.#entries.delete(name);
      else this.#entries.set(name, { ...kept, fresh: false });
    }
    return to < this.#frozenList.length;
  }

  load(rows: readonly RunRow[]): void {
    for (const { table, key, body } of rows) {
      if (table !== this.table.id) continue;
      const source = Buffer.concat([
        Buffer.from("??"),
        key,
        Buffer.from("?"),
        body ?? Buffer.alloc(0),
      ]);
      this.table.load(source, 2, key.length, key.length + 3, body?.length ?? 0, body === undefined);
      if (body === undefined) this.#entries.delete(nameOf(key));
      else this.#entries.set(nameOf(key), { body, changed: false, fresh: false, frozen: false });
    }
    this.#mirror = new Map(this.bodies());
  }

  /** What lives now. */
  bodies(): Bodies {
    const live = new Map<string, Buffer>();
    for (const [name, { body }] of this.#entries) if (body !== undefined) live.set(name, body);
    return live;
  }

  /** Cheap: counts. */
  checkCounts(): void {
    let live = 0;
    let changed = 0;
    for (const entry of this.#entries.values()) {
      if (entry.body !== undefined) live++;
      if (entry.changed) changed++;
    }
    assert.equal(this.table.count, live, "count");
    assert.equal(this.table.changedCount, changed, "changedCount");
  }

  /** Everything of this table; returns its share of digest and live bytes. */
  check(keys: readonly Buffer[]): { digest: number; liveBytes: number } {
    this.checkCounts();
    const { table } = this;
    const live = this.bodies();
    let digest = 0;
    let liveBytes = 0;
    for (const key of keys) {
      const body = live.get(nameOf(key));
      const address = table.find(key, 0, key.length);
      assert.equal(address !== 0, body !== undefined, "found or not");
      if (body === undefined) continue;
      assert.ok(this.#bodyAt(address).equals(body), "body");
      assert.ok(this.#keyAt(address).equals(key), "key");
      digest += hashOf(table.id, key, body);
      liveBytes += key.length + body.length;
    }
    assertSame(this.#mirror, live, "what the hook told");
    const each = new Map<string, Buffer>();
    table.each((address) => each.set(nameOf(this.#keyAt(address)), this.#bodyAt(address)));
    assertSame(each, live, "each");
    const scanned = new Map<string, Buffer>();
    let cursor = 0;
    do {
      cursor = table.scan(cursor, 3, (address) =>
        scanned.set(nameOf(this.#keyAt(address)), this.#bodyAt(address)),
      );
    } while (cursor !== 0);
    assertSame(scanned, live, "scan");
    return { digest, liveBytes };
  }

  /** Blocks that the table needs: one for each key in its index. */
  get blocks(): number {
    return this.#entries.size;
  }

  #change(name: string, body: Buffer | undefined): void {
    const entry = this.#entries.get(name);
    const fresh = entry === undefined || (entry.changed && entry.fresh);
    this.#entries.set(name, { body, changed: true, fresh, frozen: false });
    if (!this.#world.inGroup) this.#settle(name);
  }

  #settle(name: string): void {
    const entry = must(this.#entries.get(name));
    if (entry.body === undefined && entry.fresh && entry.changed) this.#entries.delete(name);
  }

  #told(before: number, after: number): void {
    assert.ok(before !== 0 || after !== 0, "a change of nothing");
    assert.notEqual(before, after, "a change to itself");
    if (before !== 0) {
      const name = nameOf(this.#keyAt(before));
      const held = this.#mirror.get(name);
      assert.ok(held?.equals(this.#bodyAt(before)), "the hook is told of a row that was not there");
      this.#mirror.delete(name);
    }
    if (after !== 0) {
      const name = nameOf(this.#keyAt(after));
      assert.ok(!this.#mirror.has(name), "the hook is not told what was replaced");
      this.#mirror.set(name, Buffer.from(this.#bodyAt(after)));
    }
  }

  #keyAt(address: number): Buffer {
    const start = this.table.keyStart(address);
    return this.table.slab.buffer(address).subarray(start, start + this.table.keyBytes(address));
  }

  #bodyAt(address: number): Buffer {
    const { table } = this;
    return table.slab.buffer(address).subarray(table.bodyStart(address), table.bodyEnd(address));
  }
}

export function assertSame(found: Bodies, expected: Bodies, what: string): void {
  assert.equal(found.size, expected.size, `${what}: rows`);
  for (const [name, body] of expected)
    assert.ok(found.get(name)?.equals(body), `${what}: row ${JSON.stringify(name)}`);
}

/** Two tables over one slab, one undo list and one digest, as a partition has them. */
export class World {
  readonly seed: number;
  readonly slab = new CheckedSlab();
  readonly undo = new UndoList();
  readonly sum = new DigestSum();
  readonly tables: readonly TableWorld[];
  inGroup = false;
  #frozen = false;

  constructor(seed: number) {
    this.seed = seed;
    this.tables = [new TableWorld(this, 1), new TableWorld(this, 200)];
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  begin(): void {
    this.undo.begin();
    this.inGroup = true;
    for (const table of this.tables) table.beginGroup();
  }

  commit(): void {
    this.undo.commit();
    this.inGroup = false;
    for (const table of this.tables) table.commitGroup();
  }

  rollback(): void {
    this.undo.rollback();
    this.inGroup = false;
    for (const table of this.tables) table.rollbackGroup();
  }

  freeze(): { rows: FrozenRows; bodies: readonly Bodies[] } {
    this.#frozen = true;
    const bodies = this.tables.map((table) => table.bodies());
    const parts = this.tables.map((world) => ({ table: world.table, addresses: world.freeze() }));
    return { rows: new FrozenRows(this.slab, parts), bodies };
  }

  /** Ends the freeze in slices of `sliceRows`, with `between` after each. */
  thaw(durable: boolean, sliceRows: number, between: () => void): void {
    for (const table of this.tables) {
      while (table.thaw(durable, sliceRows)) between();
      between();
      while (table.table.reclaim(sliceRows)) between();
    }
    this.#frozen = false;
  }

  load(runs: readonly (readonly RunRow[])[]): void {
    for (const run of runs) for (const table of this.tables) table.load(run);
  }

  check(keys: readonly Buffer[]): void {
    let digest = 0;
    let liveBytes = 0;
    for (const table of this.tables) {
      const share = table.check(keys);
      digest += share.digest;
      liveBytes += share.liveBytes;
    }
    assert.equal(this.sum.value, digest % 2 ** 48, "digest");
    assert.equal(this.sum.liveBytes, liveBytes, "live bytes");
    // Outside of groups and freezes nothing but the rows in the indexes holds memory.
    if (this.inGroup || this.#frozen) return;
    const needed = this.tables.reduce((sum, table) => sum + table.blocks, 0);
    assert.equal(this.slab.blocks.size, needed, "blocks in use");
  }
}

/** Sorts the frozen rows and copies them, checking their order; what they were is `rows`, oldest table first. */
export async function writeRun(frozen: FrozenRows, clock: Clock): Promise<RunRow[]> {
  await frozen.sort(clock);
  const rows: RunRow[] = [];
  let last: { table: number; hash: number; key: Buffer } | undefined;
  while (frozen.next()) {
    const { table, source, keyStart, keyBytes, bodyStart, bodyBytes } = frozen;
    const key = Buffer.from(source.subarray(keyStart, keyStart + keyBytes));
    const body = Buffer.from(source.subarray(bodyStart, bodyStart + bodyBytes));
    const hash = orderHash(key, 0, key.length);
    assert.equal(frozen.orderHash, hash, "order hash");
    if (frozen.deleted) assert.equal(body.length, 0, "a deletion has no body");
    if (last !== undefined) {
      const order = last.table - table || last.hash - hash || Buffer.compare(last.key, key);
      assert.ok(order < 0, "rows are out of order, or a key stands twice");
    }
    last = { table, hash, key };
    rows.push({ table, key, body: frozen.deleted ? undefined : body });
  }
  return rows;
}

/** What lives in table `id` after the runs, oldest first. */
export function bodiesOf(runs: readonly (readonly RunRow[])[], id: number): Bodies {
  const live = new Map<string, Buffer>();
  for (const run of runs) {
    for (const { table, key, body } of run) {
      if (table !== id) continue;
      if (body === undefined) live.delete(nameOf(key));
      else live.set(nameOf(key), body);
    }
  }
  return live;
}
