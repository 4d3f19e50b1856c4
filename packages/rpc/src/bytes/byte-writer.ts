// SPDX-License-Identifier: Apache-2.0
// Big-endian values appended to a slab. Frames written one after the other leave in one piece.

/** Memory is taken from the system in steps of this size. */
const SLAB_BYTES = 16 * 1024;

/**
 * Appends values to memory it owns. `take` hands out what was written since the last `take`; those bytes
 * are never touched again, so they can go to a socket without a copy. One writer serves any number of
 * connections, as long as each takes what it wrote before another one writes.
 */
export class ByteWriter {
  #slab: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #start = 0;
  #end = 0;

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** The bytes written since the last call, owned by the caller from now on. */
  take(): Buffer {
    const taken = this.#slab.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return taken;
  }

  /** Forgets what was written since `length` was `length`. */
  truncate(length: number): void {
    this.#end = this.#start + length;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#slab[this.#end++] = value;
  }

  /** A 32-bit integer; signed and unsigned have the same bytes. */
  u32(value: number): void {
    this.#reserve(4);
    this.#put(this.#end, value);
    this.#end += 4;
  }

  f32(value: number): void {
    this.#reserve(4);
    this.#end = this.#slab.writeFloatBE(value, this.#end);
  }

  /** Bytes as they are (copied). */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#slab.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Leaves room for a u32 that `patch` fills in later; returns its place. */
  hole(): number {
    const place = this.length;
    this.u32(0);
    return place;
  }

  /** Fills the hole at `place` with the number of bytes written after it. */
  patch(place: number): void {
    this.#put(this.#start + place, this.length - place - 4);
  }

  #put(offset: number, value: number): void {
    const slab = this.#slab;
    slab[offset] = value >>> 24;
    slab[offset + 1] = value >>> 16;
    slab[offset + 2] = value >>> 8;
    slab[offset + 3] = value;
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes > this.#slab.length) this.#grow(bytes);
  }

  /** Moves to a new slab; bytes not yet taken come along, taken ones stay with their owner. */
  #grow(bytes: number): void {
    const pending = this.length;
    const slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, (pending + bytes) * 2));
    this.#slab.copy(slab, 0, this.#start, this.#end);
    this.#slab = slab;
    this.#start = 0;
    this.#end = pending;
  }
}

/** `first` then `second` as one buffer; without a copy when they lie side by side in one slab. */
export function joinBytes(first: Buffer, second: Buffer): Buffer {
  if (first.buffer === second.buffer && first.byteOffset + first.length === second.byteOffset) {
    return Buffer.from(first.buffer, first.byteOffset, first.length + second.length);
  }
  return Buffer.concat([first, second]);
}
