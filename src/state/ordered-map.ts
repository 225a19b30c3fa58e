/**
 * An ordered map from pairs of numbers, for deadlines: (due, number) → row address. A thin coat over `sorted-btree`, so that one file knows it.
 */
import sortedBtree from "sorted-btree";

const BTree = sortedBtree.default;

type Pair = readonly [number, number];

export class OrderedMap {
  readonly #tree = new BTree<Pair, number>(undefined, (a, b) => a[0] - b[0] || a[1] - b[1]);

  get size(): number {
    return this.#tree.size;
  }

  set(first: number, second: number, value: number): void {
    this.#tree.set([first, second], value);
  }

  delete(first: number, second: number): void {
    this.#tree.delete([first, second]);
  }

  /** The lowest first number; Infinity if the map is empty. */
  lowest(): number {
    return this.#tree.minKey()?.[0] ?? Infinity;
  }

  /** The value of the lowest pair. */
  lowestValue(): number | undefined {
    const key = this.#tree.minKey();
    return key === undefined ? undefined : this.#tree.get(key);
  }
}
