/** Stores to send and to receive checkpoints, and what is found in them. */
import type { CheckpointStore } from "../../src/state/checkpoint-store.ts";
import type {
  ExportedCheckpoint,
  ReceivedCheckpoint,
} from "../../src/state/checkpoint-transfer.ts";
import { addRows, applied, loadRows, newWorld, openStore, rows, textOf } from "./run-rows.ts";
import type { Rows, World } from "./run-rows.ts";

export const first = rows({ "1/a": "a", "1/b": "b".repeat(3_000), "2/c": "c" });
export const second = rows({ "1/a": undefined, "1/d": "d".repeat(1_500) });
export const bulk = (body: string): Rows =>
  new Map(Array.from({ length: 90 }, (_, i) => [`1/${i}`, body.repeat(6_000)]));

export interface Copy {
  readonly world: World;
  readonly store: CheckpointStore;
}

export async function copyWith(...contents: readonly Rows[]): Promise<Copy> {
  const world = newWorld();
  const { store } = await openStore(world);
  for (const [i, content] of contents.entries())
    await addRows(world, store, content, { position: i + 1, installed: 0 });
  return { world, store };
}

/** What a sender gives, as a receiver gets it. */
export interface Sent {
  readonly manifest: Buffer;
  readonly files: readonly { readonly name: string; readonly content: Buffer }[];
}

export async function readAll(exported: ExportedCheckpoint, piece = 4_000): Promise<Sent> {
  const files = [];
  for (const { name, bytes } of exported.files) {
    const pieces = [];
    for (let at = 0; at < bytes; at += piece) pieces.push(await exported.read(name, at, piece));
    files.push({ name, content: Buffer.concat(pieces) });
  }
  return { manifest: Buffer.from(exported.manifest), files };
}

/** The checkpoint of a copy of some contents, as it is sent. */
export async function sentOf(...contents: readonly Rows[]): Promise<Sent> {
  const { world, store } = await copyWith(...contents);
  const sent = await world.clock.drive(store.exportFiles().then((exported) => readAll(exported)));
  await world.clock.drive(store.close());
  return sent;
}

export async function receive(
  store: CheckpointStore,
  sent: Sent,
  piece = 5_000,
): Promise<ReceivedCheckpoint> {
  const receiver = store.receive();
  try {
    await receiver.begin(sent.manifest);
    for (const { name, content } of sent.files)
      for (let at = 0; at < content.length; at += piece)
        await receiver.write(name, content.subarray(at, at + piece));
    return await receiver.finish();
  } catch (error) {
    await receiver.abandon();
    throw error;
  }
}

export async function take(store: CheckpointStore, sent: Sent): Promise<void> {
  await store.adopt(await receive(store, sent));
}

/** What a start finds after content was adopted as its `position`. */
export function adoptedText(position: number, ...contents: readonly Rows[]): string {
  const live = contents.reduce(applied, rows({}));
  return `{"installed":1,"position":${position}} ${textOf(live)}`;
}

export async function found({ world, store }: Copy): Promise<string> {
  return `${JSON.stringify(store.state)} ${textOf(await loadRows(world, store))}`;
}
