import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { AssertionError, must } from "../../src/base/assert.ts";
import { Slab } from "../../src/state/slab.ts";
import { type Draws, forSeeds } from "./draws.ts";

const chunkBytes = 65_536;

/** Sizes at and around the edges of the classes, and beyond them. */
const edges = [
  0, 1, 8, 23, 24, 25, 32, 33, 255, 256, 257, 264, 272, 273, 511, 512, 513, 544, 545, 4_096, 4_097,
  4_352, 4_353, 8_191, 8_192, 8_193, 65_535, 65_536, 65_537, 1_048_576,
];

/** Writes a pattern of the block's own over all of it. */
function mark(slab: Slab, address: number, bytes: number): void {
  const offset = slab.offset(address);
  slab.buffer(address).fill((address * 31 + bytes) & 0xff, offset, offset + bytes);
}

function assertMark(slab: Slab, address: number, bytes: number): void {
  const offset = slab.offset(address);
  const held = slab.buffer(address).subarray(offset, offset + bytes);
  assert.equal(held.length, bytes);
  const expected = Buffer.alloc(bytes, (address * 31 + bytes) & 0xff);
  assert.ok(held.equals(expected), `block ${address} of ${bytes} bytes was written over`);
}

function drawSize(draws: Draws): number {
  if (draws.oneIn(100)) return draws.pick(edges);
  return draws.oneIn(8) ? draws.below(8_193) : draws.below(300);
}

/** Bytes of a slab whose blocks are all free: at most one chunk for each size class. */
const retainedMaxBytes = 110 * chunkBytes;

suite("slab", () => {
  test("a block of every edge size holds its bytes, on a multiple of 8, none at address 0", () => {
    const slab = new Slab();
    const blocks = [...edges, ...edges].map((bytes) => ({ bytes, address: slab.allocate(bytes) }));
    for (const { address, bytes } of blocks) {
      assert.ok(address > 0);
      assert.equal(slab.offset(address) % 8, 0);
      mark(slab, address, bytes);
    }
    for (const { address, bytes } of blocks) assertMark(slab, address, bytes);
  });

  test("words and buffer of a block are the same memory", () => {
    const slab = new Slab();
    for (const bytes of [24, 40, 8_192, 100_000]) {
      slab.allocate(bytes);
      const address = slab.allocate(bytes);
      slab.buffer(address).writeInt32LE(0x1234_5678, slab.offset(address) + 4);
      assert.equal(slab.words(address)[(slab.offset(address) >> 2) + 1], 0x1234_5678);
    }
  });

  test("rounding loses at most 16 bytes below 257 bytes and 6.25 % above", () => {
    for (let bytes = 1; bytes <= 8_192; bytes++) {
      const slab = new Slab();
      const first = slab.allocate(bytes);
      const taken = slab.offset(slab.allocate(bytes)) - slab.offset(first);
      assert.ok(taken >= bytes, `${bytes} bytes got ${taken}`);
      if (bytes <= 256) assert.equal(taken, Math.max(24, Math.ceil(bytes / 8) * 8));
      else assert.ok(taken <= Math.ceil(bytes * 1.0625) + 8, `${bytes} bytes took ${taken}`);
    }
  });

  test("a chunk is filled to its end and not beyond", () => {
    for (const bytes of [24, 32, 40, 272, 1_000, 4_352, 7_000, 8_192]) {
      const slab = new Slab();
      const first = slab.allocate(bytes);
      const size = slab.offset(slab.allocate(bytes)) - slab.offset(first);
      const fits = Math.floor(chunkBytes / size);
      for (let i = 2; i < fits; i++) mark(slab, slab.allocate(bytes), bytes);
      assert.equal(slab.memoryBytes, chunkBytes, `${fits} blocks of ${bytes} bytes`);
      slab.allocate(bytes);
      assert.equal(slab.memoryBytes, 2 * chunkBytes);
    }
  });

  test("a large block is a chunk of its own and is given back at once", () => {
    const slab = new Slab();
    const address = slab.allocate(1_048_577);
    assert.equal(slab.memoryBytes, 1_048_640);
    slab.free(address);
    assert.equal(slab.memoryBytes, 0);
    assert.equal(slab.allocate(8_193), address, "its number is used again");
  });

  test("of the chunks of one class that hold no block, all but one are given back", () => {
    for (const order of ["first to last", "last to first", "odd before even"]) {
      const slab = new Slab();
      const addresses = Array.from({ length: 10_000 }, () => slab.allocate(64));
      assert.equal(slab.memoryBytes, 10 * chunkBytes);
      if (order === "last to first") addresses.reverse();
      if (order === "odd before even") addresses.sort((a, b) => (a & 8) - (b & 8) || a - b);
      for (const address of addresses) slab.free(address);
      assert.equal(slab.memoryBytes, chunkBytes, order);
    }
  });

  test("what was freed is used again before new memory is taken", () => {
    const slab = new Slab();
    const addresses = Array.from({ length: 5_000 }, () => slab.allocate(100));
    const taken = slab.memoryBytes;
    for (let round = 0; round < 20; round++) {
      for (let i = round % 3; i < addresses.length; i += 3) slab.free(must(addresses[i]));
      for (let i = round % 3; i < addresses.length; i += 3) addresses[i] = slab.allocate(97);
      assert.equal(slab.memoryBytes, taken);
    }
    assert.equal(new Set(addresses).size, addresses.length);
  });

  test("freeing the last block of a chunk twice is a bug that is found", () => {
    const slab = new Slab();
    const large = slab.allocate(10_000);
    const small = slab.allocate(24);
    slab.free(large);
    slab.free(small);
    assert.throws(() => slab.free(large), AssertionError);
    assert.throws(() => slab.free(small), AssertionError);
  });

  test("random histories: no block touches another, and nothing leaks", () => {
    forSeeds(1, 30, (draws) => {
      const slab = new Slab();
      // Every other history has one size class, whose many chunks come and go in any order.
      const oneClass = draws.seed % 2 === 0;
      const live: { address: number; bytes: number }[] = [];
      const dropOne = (): void => {
        const at = draws.below(live.length);
        const block = must(live[at]);
        const last = must(live.pop());
        if (at < live.length) live[at] = last;
        assertMark(slab, block.address, block.bytes);
        slab.free(block.address);
      };
      for (let step = 0; step < 3_000; step++) {
        // Grows in the first third, then stays, then shrinks.
        const grow = step < 1_000 ? 3 : step < 2_000 ? 2 : 1;
        if (live.length > 0 && draws.below(4) >= grow) dropOne();
        else {
          const bytes = oneClass ? 7_700 + draws.below(200) : drawSize(draws);
          const address = slab.allocate(bytes);
          mark(slab, address, bytes);
          live.push({ address, bytes });
        }
      }
      for (const { address, bytes } of live) assertMark(slab, address, bytes);
      if (oneClass) {
        const perChunk = Math.floor(chunkBytes / 7_936);
        const chunks = slab.memoryBytes / chunkBytes;
        assert.ok(chunks >= Math.ceil(live.length / perChunk));
        assert.ok(chunks <= live.length + 1, `${chunks} chunks for ${live.length} blocks`);
      }
      while (live.length > 0) dropOne();
      assert.ok(slab.memoryBytes <= retainedMaxBytes, `${slab.memoryBytes} bytes are left`);
      assert.equal(slab.memoryBytes % chunkBytes, 0, "only whole chunks of small blocks are left");
    });
  });
});
