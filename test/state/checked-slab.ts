/**
 * A slab that watches over its blocks: none is given out or freed twice or looked at after it was freed, and all bytes of one are spoilt
 * when it is allocated and when it is freed.
 */
import { assert, must } from "../../src/base/assert.ts";
import { Slab } from "../../src/state/slab.ts";

export class CheckedSlab extends Slab {
  /** Address → bytes asked for. */
  readonly blocks = new Map<number, number>();

  override allocate(bytes: number): number {
    const address = super.allocate(bytes);
    assert(address > 0, "a block has an address");
    assert(!this.blocks.has(address), "a block is given out twice");
    this.blocks.set(address, bytes);
    const offset = this.offset(address);
    assert(offset % 8 === 0, "a block lies on a multiple of 8");
    assert(offset + bytes <= this.buffer(address).length, "a block lies in its chunk");
    this.#fill(address, 0xa5);
    return address;
  }

  override free(address: number): void {
    assert(this.blocks.has(address), `block ${address} is freed and is not in use`);
    this.#fill(address, 0xdb);
    this.blocks.delete(address);
    super.free(address);
  }

  override buffer(address: number): Buffer {
    assert(this.blocks.has(address), `block ${address} is looked at and is not in use`);
    return super.buffer(address);
  }

  override words(address: number): Int32Array {
    assert(this.blocks.has(address), `block ${address} is looked at and is not in use`);
    return super.words(address);
  }

  #fill(address: number, byte: number): void {
    const offset = this.offset(address);
    this.buffer(address).fill(byte, offset, offset + must(this.blocks.get(address)));
  }
}
