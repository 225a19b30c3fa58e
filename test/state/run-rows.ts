/** Rows for the tests of run files: a plain map as the model, sources made of it, and a disk of their own. */
import { must } from "../../src/base/assert.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { CheckpointStore } from "../../src/state/checkpoint-store.ts";
import type { Manifest } from "../../src/state/manifest.ts";
import { orderHash } from "../../src/state/run-format.ts";
import type { RowSource } from "../../src/state/run-format.ts";
import { SimulatedClock } from "../../simulator/simulated-clock.ts";
import { SimulatedFileSystem } from "../../simulator/simulated-file-system.ts";

export const directory = "/data/partitions/0007";
export const partition = 7;

/** Bodies by `<table>/<key>`; `undefined` where the row is deleted. */
export type Rows = ReadonlyMap<string, string | undefined>;

interface Row {
  readonly table: number;
  readonly hash: number;
  readonly key: Buffer;
  readonly body: string | undefined;
}

/** The rows in the order of a run. Every other row has its body apart from its key. */
export class SortedRows implements RowSource {
  readonly #rows: readonly Row[];
  #at = -1;
  table = 0;
  orderHash = 0;
  source: Buffer = Buffer.alloc(0);
  keyStart = 0;
  keyBytes = 0;
  bodyStart = 0;
  bodyBytes = 0;
  deleted = false;

  constructor(content: Rows) {
    this.#rows = [...content].map(([name, body]) => rowOf(name, body)).sort(inOrder);
  }

  next(): boolean {
    const row = this.#rows[++this.#at];
    if (row === undefined) return false;
    const gap = Buffer.alloc(this.#at % 2 === 0 ? 0 : 3, 0xee);
    this.source = Buffer.concat([gap, row.key, gap, Buffer.from(row.body ?? "", "latin1")]);
    this.table = row.table;
    this.orderHash = row.hash;
    this.keyStart = gap.length;
    this.keyBytes = row.key.length;
    this.bodyStart = gap.length + row.key.length + gap.length;
    this.bodyBytes = this.source.length - this.bodyStart;
    this.deleted = row.body === undefined;
    return true;
  }
}

function rowOf(name: string, body: string | undefined): Row {
  const slash = name.indexOf("/");
  const key = Buffer.from(name.slice(slash + 1), "latin1");
  return { table: Number(name.slice(0, slash)), hash: orderHash(key, 0, key.length), key, body };
}

function inOrder(a: Row, b: Row): number {
  return a.table - b.table || a.hash - b.hash || Buffer.compare(a.key, b.key);
}

/** What lives after the changes, as `load` would tell it. */
export function applied(before: Rows, changes: Rows): Rows {
  const after = new Map(before);
  for (const [name, body] of changes) {
    if (body === undefined) after.delete(name);
    else after.set(name, body);
  }
  return after;
}

export function rows(content: Readonly<Record<string, string | undefined>>): Rows {
  return new Map(Object.entries(content));
}

/** Bytes of the live rows as the store wants them counted. */
export function liveBytesOf(live: Rows): number {
  let bytes = 0;
  for (const [name, body] of live)
    bytes += name.length - name.indexOf("/") - 1 + 10 + must(body).length;
  return bytes;
}

/** Equal text for equal rows. */
export function textOf(content: Rows): string {
  return JSON.stringify([...content].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export interface World {
  readonly clock: SimulatedClock;
  readonly disk: SimulatedFileSystem;
}

export function newWorld(): World {
  const clock = new SimulatedClock();
  return { clock, disk: new SimulatedFileSystem({ clock, directories: ["/data"] }) };
}

/** The same disk before another process. */
export function cloneWorld({ clock, disk }: World): World {
  return { clock, disk: disk.clone() };
}

export async function openStore(
  world: World,
): Promise<{ store: CheckpointStore; manifest: Manifest | undefined }> {
  const { clock, disk } = world;
  const options = { files: disk, clock, logger: silentLogger, directory, partition };
  return clock.drive(CheckpointStore.open(options));
}

export async function addRows(
  { clock }: World,
  store: CheckpointStore,
  content: Rows,
  state: object = {},
): Promise<void> {
  await clock.drive(store.addDelta(new SortedRows(content), state));
}

/** All rows as a partition would see them after `load`. */
export async function loadRows({ clock }: World, store: CheckpointStore): Promise<Rows> {
  const live = new Map<string, string>();
  await clock.drive(
    store.load((table, buffer, keyStart, keyBytes, bodyStart, bodyBytes, deleted) => {
      const name = `${table}/${buffer.toString("latin1", keyStart, keyStart + keyBytes)}`;
      if (deleted) live.delete(name);
      else live.set(name, buffer.toString("latin1", bodyStart, bodyStart + bodyBytes));
    }),
  );
  return live;
}

/** What a process that starts on this disk finds: its state and rows as text. */
export async function restartedOn(world: World): Promise<string> {
  const { store } = await openStore(world);
  const found = `${JSON.stringify(store.state)} ${textOf(await loadRows(world, store))}`;
  await store.close();
  return found;
}

/** File names in the partition's directory. */
export function filesOf({ disk }: World): string[] {
  return disk.paths().map((path) => path.slice(directory.length + 1));
}
