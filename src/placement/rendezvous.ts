/**
 * Highest-random-weight hashing (Thaler and Ravishankar, 1998): every (partition, node) pair has a weight, and a partition's copies go to
 * the nodes with the greatest. A node that leaves moves only the copies that it held, and the order needs nothing but the node ids.
 *
 * The weights place data: they must stay what they are for as long as clusters live. A test pins some of them.
 */

/** Two 32-bit halves, compared as one unsigned number of 64 bits. */
export interface Weight {
  readonly high: number;
  readonly low: number;
}

/** The node ids in the order of their weight for `partition`, greatest first. The order in which they are given does not matter. */
export function rendezvousOrder(partition: number, nodeIds: readonly string[]): string[] {
  const weighed = nodeIds.map((nodeId) => ({ nodeId, weight: weightOf(partition, nodeId) }));
  weighed.sort((a, b) => compare(b.weight, a.weight) || (a.nodeId < b.nodeId ? -1 : 1));
  return weighed.map((one) => one.nodeId);
}

/** The weight of a node for a partition: two chained multiply-rotate lanes over the UTF-8 bytes of the id, as MurmurHash3 x86 mixes them. */
export function weightOf(partition: number, nodeId: string): Weight {
  const bytes = new TextEncoder().encode(nodeId);
  let a = mix(partition ^ 0x9e3779b9);
  let b = mix(partition ^ 0x85ebca6b);
  for (const byte of bytes) {
    a = Math.imul(rotate(a ^ Math.imul(byte + 1, 0xcc9e2d51), 15), 5) + 0xe6546b64;
    b = Math.imul(rotate(b ^ Math.imul(byte + 1, 0x1b873593), 13), 9) + 0x38b34ae5;
  }
  // Each lane takes in the other, so that every bit of the weight hangs on all of the input.
  a = mix(a ^ bytes.length);
  b = mix(b ^ a);
  a = mix((a + b) | 0);
  return { high: a >>> 0, low: b >>> 0 };
}

/** The finalizer of MurmurHash3 (Appleby): each input bit turns each output bit with probability near one half. */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function compare(a: Weight, b: Weight): number {
  return a.high - b.high || a.low - b.low;
}
