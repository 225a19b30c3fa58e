/**
 * The rows of one table that changed since the last checkpoint, as a list of addresses in which each row knows its place. So a row is replaced
 * or taken out in constant time, and a checkpoint takes the whole list away.
 */
export class ChangedRows {
  /** 0 where a change was taken back. */
  #addresses: number[] = [];
  #holes: number[] = [];

  get count(): number {
    return this.#addresses.length - this.#holes.length;
  }

  /** The row at a place; `undefined` or another row's address if the place is one of an earlier list. */
  at(place: number): number | undefined {
    return this.#addresses[place];
  }

  /** Returns the row's place. */
  add(address: number): number {
    const place = this.#holes.pop() ?? this.#addresses.length;
    this.#addresses[place] = address;
    return place;
  }

  replaceAt(place: number, address: number): void {
    this.#addresses[place] = address;
  }

  removeAt(place: number): void {
    this.#addresses[place] = 0;
    this.#holes.push(place);
  }

  /** The list, with zeros in it; a new one begins. */
  take(): readonly number[] {
    const taken = this.#addresses;
    this.#addresses = [];
    this.#holes = [];
    return taken;
  }
}
