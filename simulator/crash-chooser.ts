/**
 * What survives a power loss. A chooser is asked for every sector that was written and not synced, in the order of the writes over the whole
 * disk, and for every unsynced change of names. So a test can enumerate torn points, and a seed can draw them.
 *
 * The choice is harsher than a page cache: of two unsynced writes to one sector the later may survive without the earlier.
 */
import { must } from "../src/base/assert.ts";
import { chance, randomBelow } from "../src/base/random.ts";
import type { Random } from "../src/base/random.ts";
import { sectorBytes } from "./disk-file.ts";
import type { DiskFile, PendingWrite } from "./disk-file.ts";
import type { NameChange, NameTree } from "./name-tree.ts";

/** The part of one unsynced write that lies in one sector. */
export interface SectorWrite {
  readonly path: string;
  /** In the file. */
  readonly position: number;
  /** Bytes that the write changes in the sector, 1 to 512. */
  readonly length: number;
}

export interface CrashChooser {
  /** Whether the sector survives; a number is a tear: only so many of its bytes, from the first on. */
  keep(index: number, sector: SectorWrite): boolean | number;
  /** Whether a change of names survives; asked only if all that it builds upon has. Default: all do. */
  keepName?(
    index: number,
    change: { readonly kind: NameChange["kind"]; readonly path: string },
  ): boolean;
  /** Whether a file is as long as it was written, with zeros where bytes were lost. Default: it ends with what survived. */
  keepLength?(path: string): boolean;
}

/** Nothing that was not synced survives. */
export const loseAll: CrashChooser = { keep: () => false, keepName: () => false };

/** All survives: as `kill`, but it is durable then. */
export const keepAll: CrashChooser = { keep: () => true };

/** The first `count` sectors survive and `tornBytes` of the next; all names do. */
export function keepFirst(count: number, tornBytes = 0): CrashChooser {
  return { keep: (index) => (index < count ? true : index === count ? tornBytes : false) };
}

/** Draws the style of the loss first, so that the pure ones (nothing, all, all up to a point) are met too, then each sector and name. */
export function randomChooser(random: Random, sectors: number): CrashChooser {
  const probabilities = [0, 0.1, 0.5, 0.9, 1] as const;
  const draw = (): number => must(probabilities[randomBelow(random, probabilities.length)]);
  const sectorProbability = draw();
  const nameProbability = draw();
  const inOrder = chance(random, 0.25);
  const end = randomBelow(random, sectors + 1);
  const tears = sectorProbability > 0 && chance(random, 0.5);
  return {
    keep(index, { length }) {
      if (inOrder && index !== end) return index < end;
      if (inOrder || (tears && chance(random, 1 / 16))) return randomBelow(random, length);
      return chance(random, sectorProbability);
    },
    keepName: () => chance(random, nameProbability),
    keepLength: () => chance(random, 0.25),
  };
}

/** Calls `visit` for every unsynced sector, in the order of the writes. */
export function visitSectors(
  files: readonly DiskFile[],
  visit: (file: DiskFile, write: PendingWrite, sector: SectorWrite, index: number) => void,
): void {
  const writes = files
    .flatMap((file) => file.pending.map((write) => ({ file, write })))
    .sort((a, b) => a.write.sequence - b.write.sequence);
  let index = 0;
  for (const { file, write } of writes) {
    const end = write.position + write.length;
    for (let position = write.position; position < end;) {
      const sectorEnd = (Math.floor(position / sectorBytes) + 1) * sectorBytes;
      const length = Math.min(end, sectorEnd) - position;
      visit(file, write, { path: file.path, position, length }, index++);
      position += length;
    }
  }
}

/** Lets the power go: what the chooser keeps is durable, all other unsynced writes and names are gone. */
export function losePower(tree: NameTree, choose: Random | CrashChooser): void {
  const files = tree.files();
  let sectors = 0;
  for (const { pending } of files) {
    for (const { position, length } of pending) sectors += sectorsOf(position, length);
  }
  const chooser = "u32" in choose ? randomChooser(choose, sectors) : choose;
  visitSectors(files, (file, write, sector, index) => {
    const kept = chooser.keep(index, sector);
    const keptBytes = Math.min(sector.length, kept === true ? sector.length : Number(kept));
    if (keptBytes > 0) {
      file.keepSector(write, { offset: sector.position - write.position, keptBytes });
    }
  });
  for (const file of files) file.loseRest(chooser.keepLength?.(file.path) ?? false);
  tree.crash((change, index) => chooser.keepName?.(index, change) ?? true);
}

function sectorsOf(position: number, length: number): number {
  return Math.floor((position + length - 1) / sectorBytes) - Math.floor(position / sectorBytes) + 1;
}
