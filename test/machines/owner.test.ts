import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { OperationReader, OperationWriter } from "../../src/machines/operation.ts";
import {
  Holdings,
  type Owner,
  detached,
  isDetached,
  ownerBytes,
  readOwner,
  writeOwner,
} from "../../src/machines/owner.ts";
import { forSeeds } from "../state/draws.ts";

suite("owners (DESIGN §8)", () => {
  test("an owner is 24 bytes in an operation and reads back, as large as numbers get", () => {
    const most = Number.MAX_SAFE_INTEGER;
    for (const each of [
      detached,
      { node: 1, run: 2, connection: 3 },
      { node: most, run: most, connection: most },
    ]) {
      const writer = new OperationWriter();
      writer.begin(4, undefined);
      writeOwner(writer, each);
      writer.u8(7);
      writer.end();
      const reader = new OperationReader();
      reader.open(writer.take(), 0);
      assert.deepEqual(readOwner(reader), each);
      assert.equal(reader.at - reader.bodyStart, ownerBytes);
      assert.equal(reader.u8(), 7);
    }
  });

  test("only who has no connection is detached", () => {
    assert.equal(isDetached(detached), true);
    assert.equal(isDetached({ node: 0, run: 0, connection: 1 }), false);
    assert.equal(isDetached({ node: 1, run: 1, connection: 0 }), true);
  });
});

function owner(node: number, run: number, connection: number): Owner {
  return { node, run, connection };
}

suite("Holdings: what each owner holds", () => {
  test("of an owner: its numbers, rising, at most so many, and not those of any other", () => {
    const holdings = new Holdings();
    for (const number of [9, 3, 7]) holdings.add(owner(1, 1, 1), number);
    holdings.add(owner(1, 1, 2), 4);
    holdings.add(owner(1, 2, 1), 5);
    holdings.add(owner(2, 1, 1), 6);
    assert.deepEqual(holdings.of(owner(1, 1, 1), 10), [3, 7, 9]);
    assert.deepEqual(holdings.of(owner(1, 1, 1), 2), [3, 7]);
    assert.deepEqual(holdings.of(owner(1, 1, 1), 0), []);
    assert.deepEqual(holdings.of(owner(3, 1, 1), 10), []);
    assert.deepEqual(holdings.of(owner(1, 3, 1), 10), []);
    assert.deepEqual(holdings.of(owner(1, 1, 3), 10), []);
  });

  test("numbers rise as numbers, not as texts", () => {
    const holdings = new Holdings();
    for (const number of [100, 20, 3]) holdings.add(owner(1, 1, 1), number);
    assert.deepEqual(holdings.of(owner(1, 1, 1), 2), [3, 20]);
    assert.deepEqual(holdings.ofEarlier(1, 2, 2), [3, 20]);
  });

  test("of earlier runs: those of all connections of the node but of this run", () => {
    const holdings = new Holdings();
    holdings.add(owner(1, 1, 1), 5);
    holdings.add(owner(1, 1, 2), 2);
    holdings.add(owner(1, 2, 1), 4);
    holdings.add(owner(1, 3, 1), 1);
    holdings.add(owner(2, 1, 1), 3);
    assert.deepEqual(holdings.ofEarlier(1, 3, 10), [2, 4, 5]);
    assert.deepEqual(holdings.ofEarlier(1, 3, 2), [2, 4]);
    assert.deepEqual(holdings.ofEarlier(1, 9, 10), [1, 2, 4, 5]);
    assert.deepEqual(holdings.ofEarlier(3, 1, 10), []);
  });

  test("what was removed is held no more; removing what is not held changes nothing", () => {
    const holdings = new Holdings();
    holdings.add(owner(1, 1, 1), 5);
    holdings.add(owner(1, 1, 1), 6);
    holdings.remove(owner(1, 1, 1), 5);
    holdings.remove(owner(1, 1, 1), 99);
    holdings.remove(owner(1, 1, 2), 6);
    holdings.remove(owner(2, 1, 1), 6);
    assert.deepEqual(holdings.of(owner(1, 1, 1), 10), [6]);
    holdings.remove(owner(1, 1, 1), 6);
    assert.deepEqual(holdings.of(owner(1, 1, 1), 10), []);
    assert.deepEqual(holdings.ofEarlier(1, 2, 10), []);
    holdings.add(owner(1, 1, 1), 7);
    assert.deepEqual(holdings.ofEarlier(1, 2, 10), [7]);
  });

  test("whatever comes and goes, in whatever order, it holds what a plain list holds", () => {
    forSeeds(1, 30, (draws) => {
      const holdings = new Holdings();
      let held: { owner: Owner; number: number }[] = [];
      for (let i = 0; i < 200; i++) {
        const by = owner(1 + draws.below(3), 1 + draws.below(3), 1 + draws.below(3));
        const known = held[draws.below(Math.max(1, held.length))];
        if (known !== undefined && draws.oneIn(2)) {
          holdings.remove(known.owner, known.number);
          held = held.filter((each) => each !== known);
        } else {
          const number = draws.below(1_000) * 1_000 + i;
          holdings.add(by, number);
          held.push({ owner: by, number });
        }
        const count = draws.below(10);
        const numbers = (keep: (each: Owner) => boolean): number[] =>
          held
            .filter((each) => keep(each.owner))
            .map(({ number }) => number)
            .sort((a, b) => a - b)
            .slice(0, count);
        assert.deepEqual(
          holdings.of(by, count),
          numbers(
            (each) =>
              each.node === by.node && each.run === by.run && each.connection === by.connection,
          ),
        );
        assert.deepEqual(
          holdings.ofEarlier(by.node, by.run, count),
          numbers((each) => each.node === by.node && each.run !== by.run),
        );
      }
    });
  });
});
