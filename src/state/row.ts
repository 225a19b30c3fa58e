/**
 * A row as a block of a slab. Rows are immutable once they are in a table: a change is a new block.
 *
 *      0  u32  bytes of the block that count: header, key and body
 *      4  u32  place in the table's list of changed rows
 *      8  u32  hash of key length, key and body: the row's share of the digest
 *     12  u8   flags: 1 deleted, 2 fresh (nothing on disk knew the key when the row came into that list), 4 heir (took its predecessor's place in it)
 *     13  u8   bytes of the key
 *     14  u16  zero
 *     16       key, body, zeros up to a multiple of 8
 */
export const rowHeaderBytes = 16;
export const rowKeyMaxBytes = 255;

export const rowDeleted = 1;
export const rowFresh = 2;
export const rowHeir = 4;

/** Hash of a key for a table's index (MurmurHash3, 32 bit, without its tail mix). The seed differs in each run, so that nobody can choose keys that collide. */
export function keyHash(source: Uint8Array, start: number, bytes: number, seed: number): number {
  let hash = seed ^ bytes;
  let at = start;
  const end = start + bytes;
  for (; at + 4 <= end; at += 4) {
    const word =
      (source[at] as number) |
      ((source[at + 1] as number) << 8) |
      ((source[at + 2] as number) << 16) |
      ((source[at + 3] as number) << 24);
    hash = mixWord(hash, word);
  }
  for (; at < end; at++) hash = mixWord(hash, source[at] as number);
  return finish(hash);
}

/** Hash of `bytes` bytes, which lie in `words` as whole words padded with zeros. Equal on every node. */
export function rowHash(words: Int32Array, firstWord: number, bytes: number, seed: number): number {
  let hash = seed ^ bytes;
  const end = firstWord + ((bytes + 3) >>> 2);
  for (let at = firstWord; at < end; at++) hash = mixWord(hash, words[at] as number);
  return finish(hash);
}

function mixWord(hash: number, word: number): number {
  let mixed = Math.imul(word, 0xcc9e2d51);
  mixed = (mixed << 15) | (mixed >>> 17);
  mixed = Math.imul(mixed, 0x1b873593) ^ hash;
  mixed = (mixed << 13) | (mixed >>> 19);
  return (Math.imul(mixed, 5) + 0xe6546b64) | 0;
}

function finish(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
