import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { RowIndex } from "../../src/state/row-index.ts";
import { type Draws, forSeeds } from "./draws.ts";

/** The slot of the row with this hash and address; -1 if there is none. */
function slotOf(index: RowIndex, hash: number, address: number): number {
  for (
    let slot = index.probe(hash, index.home(hash));
    slot >= 0;
    slot = index.probe(hash, slot + 1)
  ) {
    if (index.addressAt(slot) === address) return slot;
  }
  return -1;
}

function remove(index: RowIndex, hash: number, address: number): void {
  const slot = slotOf(index, hash, address);
  assert.ok(slot >= 0, `row ${address} of hash ${hash} is not found`);
  index.removeAt(slot);
}

/** Address → hash, and the index it should equal. */
class Pair {
  readonly index = new RowIndex();
  readonly model = new Map<number, number>();
  #nextAddress = 1;

  insert(hash: number): number {
    const address = this.#nextAddress++;
    this.index.insert(hash, address);
    this.model.set(address, hash);
    return address;
  }

  remove(address: number): void {
    remove(this.index, must(this.model.get(address)), address);
    this.model.delete(address);
  }

  replace(address: number): void {
    const hash = must(this.model.get(address));
    const next = this.#nextAddress++;
    this.index.replaceAt(slotOf(this.index, hash, address), next);
    this.model.delete(address);
    this.model.set(next, hash);
  }

  anyAddress(draws: Draws): number {
    return draws.pick([...this.model.keys()]);
  }

  check(): void {
    const { index, model } = this;
    assert.equal(index.count, model.size);
    for (const [address, hash] of model)
      assert.ok(slotOf(index, hash, address) >= 0, `row ${address} of hash ${hash} is lost`);
    const met: number[] = [];
    index.each((address) => met.push(address));
    assert.deepEqual(
      met.sort((a, b) => a - b),
      [...model.keys()].sort((a, b) => a - b),
    );
    // Between one eighth and seven tenths full, but for the smallest.
    const slots = index.memoryBytes / 8;
    assert.ok(model.size <= slots * 0.7, `${model.size} rows in ${slots} slots`);
    assert.ok(slots === 16 || model.size * 8 >= slots, `${model.size} rows in ${slots} slots`);
  }
}

/** Hashes that crowd: few different ones, many at either end of the table. */
const crowds: readonly ((draws: Draws) => number)[] = [
  (draws) => draws.below(2 ** 32),
  (draws) => draws.pick([0, 1, 2, 0xffff_ffff, 0xffff_fffe]),
  (draws) => 0xffff_ffff - draws.below(40),
  (draws) => (draws.below(16) << 28) >>> 0,
  (draws) => (draws.oneIn(2) ? 0xf000_0000 : 0) + draws.below(2 ** 28),
];

function drawHash(draws: Draws, crowd: number): number {
  return must(crowds[crowd])(draws);
}

suite("row index", () => {
  test("rows of equal hash are all found, and only they", () => {
    const pair = new Pair();
    const same = Array.from({ length: 9 }, () => pair.insert(0xdead_beef));
    pair.insert(0xdead_bee0);
    const met: number[] = [];
    const { index } = pair;
    for (
      let slot = index.probe(0xdead_beef, index.home(0xdead_beef));
      slot >= 0;
      slot = index.probe(0xdead_beef, slot + 1)
    )
      met.push(index.addressAt(slot));
    assert.deepEqual(met, same);
    assert.equal(index.probe(0xdead_beee, index.home(0xdead_beee)), -1);
  });

  test("a crowd at the end of the slots goes on at their beginning, and comes back when there is room", () => {
    const pair = new Pair();
    const last = Array.from({ length: 4 }, () => pair.insert(0xffff_ffff));
    const first = Array.from({ length: 3 }, () => pair.insert(0));
    pair.check();
    for (const address of [must(last[0]), must(first[1]), must(last[3])]) {
      pair.remove(address);
      pair.check();
    }
  });

  test("addresses of all 32 bits are kept", () => {
    const index = new RowIndex();
    index.insert(5, 0xffff_ffff);
    assert.equal(index.addressAt(index.probe(5, index.home(5))), 0xffff_ffff);
  });

  test("an index that has been emptied is as small as a new one", () => {
    const pair = new Pair();
    const addresses = Array.from({ length: 10_000 }, (_, i) =>
      pair.insert((i * 2_654_435_761) >>> 0),
    );
    const grown = pair.index.memoryBytes;
    assert.ok(grown >= 8 * 10_000);
    for (const address of addresses) pair.remove(address);
    assert.equal(pair.index.memoryBytes, new RowIndex().memoryBytes);
    pair.check();
  });

  test("random histories equal a map, for hashes that crowd as for hashes that do not", () => {
    forSeeds(1, 150, (draws) => {
      const pair = new Pair();
      const crowd = draws.seed % crowds.length;
      const most = draws.pick([10, 60, 300]);
      let growing = true;
      for (let step = 0; step < 400; step++) {
        if (pair.model.size >= most) growing = false;
        if (pair.model.size === 0) growing = true;
        const insert = draws.below(5) < (growing ? 4 : 1);
        if (insert || pair.model.size === 0) pair.insert(drawHash(draws, crowd));
        else if (draws.oneIn(5)) pair.replace(pair.anyAddress(draws));
        else pair.remove(pair.anyAddress(draws));
        if (step % 10 === 0) pair.check();
      }
      pair.check();
    });
  });

  test("a scan meets what is there all the time exactly once, whatever comes, goes and resizes between its calls", () => {
    forSeeds(1_000, 400, (draws) => {
      const pair = new Pair();
      const crowd = draws.seed % crowds.length;
      for (let i = draws.below(200); i >= 0; i--) pair.insert(drawHash(draws, crowd));
      const atStart = new Set(pair.model.keys());
      const ever = new Set(pair.model.keys());
      const removed = new Set<number>();
      const met = new Map<number, number>();
      let cursor = 0;
      let calls = 0;
      do {
        const before = cursor;
        const count = draws.pick([0, 1, 1, 2, 7, 50]);
        cursor = pair.index.scan(cursor, count, (address) => {
          assert.ok(must(pair.model.get(address)) >= before, "a row below the cursor is met");
          met.set(address, (met.get(address) ?? 0) + 1);
        });
        assert.ok(cursor === 0 || cursor > before, "a scan goes forward");
        // Now and then most go or many come, so that the index shrinks or grows between two calls.
        const storm = draws.oneIn(6) ? 150 : draws.below(6);
        const coming = draws.oneIn(2);
        for (let i = 0; i < storm; i++) {
          if (coming) ever.add(pair.insert(drawHash(draws, crowd)));
          else if (pair.model.size > 0) {
            const address = pair.anyAddress(draws);
            removed.add(address);
            pair.remove(address);
          }
        }
        assert.ok(++calls < 100_000, "a scan ends");
      } while (cursor !== 0);
      for (const [address, times] of met) {
        assert.equal(times, 1, `row ${address} is met ${times} times`);
        assert.ok(ever.has(address));
      }
      for (const address of atStart)
        if (!removed.has(address)) assert.ok(met.has(address), `row ${address} is not met`);
    });
  });

  test("one call of a scan meets at least as many as it was asked for, if there are", () => {
    const pair = new Pair();
    for (let i = 0; i < 1_000; i++) pair.insert((i * 2_654_435_761) >>> 0);
    let total = 0;
    let cursor = 0;
    do {
      let met = 0;
      cursor = pair.index.scan(cursor, 10, () => met++);
      if (cursor !== 0) assert.ok(met >= 10 && met < 30, `${met} are met`);
      total += met;
    } while (cursor !== 0);
    assert.equal(total, 1_000);
  });
});
