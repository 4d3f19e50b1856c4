// SPDX-License-Identifier: Apache-2.0
// Jute, ZooKeeper's serialisation, write side: appends into a slab, so that all frames of one turn of the
// event loop leave in one write without being copied together.

/** Strings up to this many UTF-16 units are written by a plain loop, which beats a native call. */
const SHORT_STRING_UNITS = 48;

/**
 * Appends jute values to memory it owns. `take` hands out what was written since the last `take`; the
 * writer never touches those bytes again, so they can go to a socket as they are.
 */
export class JuteWriter {
  readonly #slabBytes: number;
  #slab: Buffer;
  #start = 0;
  #offset = 0;

  /** `slabBytes` is how much memory is taken at a time. */
  constructor(slabBytes: number = 16 * 1024) {
    this.#slabBytes = slabBytes;
    this.#slab = Buffer.allocUnsafeSlow(slabBytes);
  }

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#offset - this.#start;
  }

  /** The bytes written since the last call; empty when there are none. Ownership passes to the caller. */
  take(): Buffer {
    const taken = this.#slab.subarray(this.#start, this.#offset);
    this.#start = this.#offset;
    return taken;
  }

  /** What was written since `length` was `from`, to look at (for a checksum); still the writer's own. */
  peek(from: number): Buffer {
    return this.#slab.subarray(this.#start + from, this.#offset);
  }

  /**
   * Starts over in the memory that was handed out already. Only for a caller who is done with everything
   * that `take` gave it; what was written since is dropped.
   */
  recycle(): void {
    this.#start = 0;
    this.#offset = 0;
  }

  /** Forgets what was written since `length` was `length` (a record that failed half-way). */
  truncate(length: number): void {
    this.#offset = this.#start + length;
  }

  /** Opens a frame: leaves room for its length. The result goes to `endFrame`. */
  beginFrame(): number {
    this.#reserve(4);
    const frame = this.length;
    this.#offset += 4;
    return frame;
  }

  /** Closes the frame opened at `frame`: fills in its length. */
  endFrame(frame: number): void {
    this.#putInt(this.#start + frame, this.length - frame - 4);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#slab[this.#offset++] = value;
  }

  bool(value: boolean): void {
    this.#reserve(1);
    this.#slab[this.#offset++] = value ? 1 : 0;
  }

  int(value: number): void {
    this.#reserve(4);
    this.#putInt(this.#offset, value);
    this.#offset += 4;
  }

  long(value: bigint): void {
    this.#reserve(8);
    this.#offset = this.#slab.writeBigInt64BE(BigInt.asIntN(64, value), this.#offset);
  }

  /** A long from its two halves, without a bigint: high word first. */
  longHalves(high: number, low: number): void {
    this.#reserve(8);
    this.#putInt(this.#offset, high);
    this.#putInt(this.#offset + 4, low);
    this.#offset += 8;
  }

  /** A long that is a safe integer (a time, a zxid below 2^53), without a bigint. */
  longNumber(value: number): void {
    this.longHalves(Math.floor(value / 0x1_0000_0000), value | 0);
  }

  /** buffer: length and bytes (copied); null is length -1. */
  buffer(value: Uint8Array | null): void {
    if (value === null) {
      this.int(-1);
      return;
    }
    this.#reserve(4 + value.length);
    this.#putInt(this.#offset, value.length);
    this.#slab.set(value, this.#offset + 4);
    this.#offset += 4 + value.length;
  }

  /** ustring: length in bytes and UTF-8; null is length -1. */
  ustring(value: string | null): void {
    if (value === null) {
      this.int(-1);
      return;
    }
    const units = value.length;
    // A UTF-16 unit takes three bytes at most.
    this.#reserve(4 + units * 3);
    const slab = this.#slab;
    const offset = this.#offset + 4;
    let written = 0;
    if (units <= SHORT_STRING_UNITS) {
      for (; written < units; written++) {
        const unit = value.charCodeAt(written);
        if (unit > 0x7f) break;
        slab[offset + written] = unit;
      }
    }
    if (written < units) written = slab.utf8Write(value, offset);
    this.#putInt(offset - 4, written);
    this.#offset = offset + written;
  }

  /** vector: count and items; null is count -1. */
  vector<T>(items: readonly T[] | null, writeItem: (writer: JuteWriter, item: T) => void): void {
    if (items === null) {
      this.int(-1);
      return;
    }
    this.int(items.length);
    for (const item of items) writeItem(this, item);
  }

  /** Bytes as they are, without a length (copied). */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#slab.set(bytes, this.#offset);
    this.#offset += bytes.length;
  }

  /**
   * Makes room for `length` bytes that the caller fills in itself at the returned offset of `memory`, before
   * anything else is written.
   */
  claim(length: number): number {
    this.#reserve(length);
    const offset = this.#offset;
    this.#offset = offset + length;
    return offset;
  }

  /** The memory that `claim` hands out offsets of. Changes with any write. */
  get memory(): Buffer {
    return this.#slab;
  }

  #putInt(offset: number, value: number): void {
    const slab = this.#slab;
    slab[offset] = value >>> 24;
    slab[offset + 1] = value >>> 16;
    slab[offset + 2] = value >>> 8;
    slab[offset + 3] = value;
  }

  #reserve(length: number): void {
    if (this.#offset + length > this.#slab.length) this.#grow(length);
  }

  /** Moves to a new slab; the bytes not yet taken come along, those taken stay where they are. */
  #grow(length: number): void {
    const pending = this.length;
    const needed = pending + length;
    const slab = Buffer.allocUnsafeSlow(
      needed > this.#slabBytes / 2 ? Math.max(needed * 2, this.#slabBytes) : this.#slabBytes,
    );
    this.#slab.copy(slab, 0, this.#start, this.#offset);
    this.#slab = slab;
    this.#start = 0;
    this.#offset = pending;
  }
}
