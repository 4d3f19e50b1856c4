// SPDX-License-Identifier: Apache-2.0
// Memory for znode records, outside the garbage-collected heap: a million small Buffers would cost 100 bytes
// each and make every collection slow. Blocks are cut from large slabs and named by a 32-bit location.

/** Every slab but the first few and those of huge blocks has this size; untouched pages take no memory. */
const SLAB_BYTES = 16 * 1024 * 1024;
/** A small tree shall not reserve 16 MiB. */
const FIRST_SLAB_BYTES = 256 * 1024;
/** Blocks above this get a slab of their own, so that no slab wastes much at its end. */
const SHARED_BLOCK_BYTES_MAX = SLAB_BYTES / 4;
/** Blocks start at multiples of 8 bytes: 21 bits of a location address a 16 MiB slab, 11 bits name it. */
const OFFSET_BITS = 21;
const OFFSET_MASK = (1 << OFFSET_BITS) - 1;
const SLABS_MAX = 1 << (32 - OFFSET_BITS);
const EXACT_BYTES_MAX = 1024;

const noBytes = Buffer.alloc(0);

/**
 * Bytes that a block for `bytes` bytes occupies. Small ones are rounded to 8, larger ones to an eighth of
 * their power of two, so that freed blocks fit again; at most one byte in eight is lost.
 */
export function blockBytes(bytes: number): number {
  if (bytes <= EXACT_BYTES_MAX) return (bytes + 7) & ~7;
  const step = 1 << (28 - Math.clz32(bytes - 1));
  return Math.ceil(bytes / step) * step;
}

/** Allocates and frees blocks. Not cleared: a fresh block holds whatever was there. */
export class SlabStore {
  readonly #slabs: Buffer[] = [];
  /** Locations of freed blocks by block size. */
  readonly #free = new Map<number, number[]>();
  readonly #freeSlabs: number[] = [];
  #current = -1;
  #offset = 0;
  #usedBytes = 0;

  /** Bytes in blocks that are in use. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** The slab that a block lies in. */
  slab(location: number): Buffer {
    return this.#slabs[location >>> OFFSET_BITS] as Buffer;
  }

  /** Offset of a block in its slab. */
  offset(location: number): number {
    return (location & OFFSET_MASK) << 3;
  }

  /** A block of at least `bytes` bytes. Throws `RangeError` when the 32 GiB that can be addressed are used up. */
  allocate(bytes: number): number {
    const size = blockBytes(bytes);
    this.#usedBytes += size;
    const freed = this.#free.get(size)?.pop();
    if (freed !== undefined) return freed;
    if (size > SHARED_BLOCK_BYTES_MAX) return this.#addSlab(size) << OFFSET_BITS;
    const slab = this.#slabs[this.#current];
    if (slab === undefined || this.#offset + size > slab.length) {
      this.#current = this.#addSlab(this.#slabs.length === 0 ? Math.max(FIRST_SLAB_BYTES, size) : SLAB_BYTES);
      this.#offset = 0;
    }
    const location = ((this.#current << OFFSET_BITS) | (this.#offset >> 3)) >>> 0;
    this.#offset += size;
    return location;
  }

  /** Gives back a block that was allocated for `bytes` bytes. */
  release(location: number, bytes: number): void {
    const size = blockBytes(bytes);
    this.#usedBytes -= size;
    if (size > SHARED_BLOCK_BYTES_MAX) {
      const index = location >>> OFFSET_BITS;
      this.#slabs[index] = noBytes;
      this.#freeSlabs.push(index);
      return;
    }
    const list = this.#free.get(size);
    if (list === undefined) this.#free.set(size, [location]);
    else list.push(location);
  }

  #addSlab(bytes: number): number {
    const index = this.#freeSlabs.pop() ?? this.#slabs.length;
    if (index >= SLABS_MAX) throw new RangeError("the tree is full: 32 GiB of znode records");
    this.#slabs[index] = Buffer.allocUnsafeSlow(bytes);
    return index;
  }
}
