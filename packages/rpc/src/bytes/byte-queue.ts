// SPDX-License-Identifier: Apache-2.0
// The bytes of a connection that no decoder has consumed yet.

const EMPTY: Buffer = Buffer.alloc(0);

/** First allocation for bytes that must be kept. */
const STORAGE_BYTES_FIRST = 256;

/**
 * A first-in first-out queue of bytes in one contiguous piece, `bytes[start, end)`. A chunk that meets an
 * empty queue is only borrowed: most frames come whole and are decoded where they lie. What is left over
 * when the chunk's memory goes back to the socket is copied once, by `keep`. Storage doubles as bytes
 * really arrive, whatever length the peer declares, and is given up as soon as the queue is empty.
 */
export class ByteQueue {
  bytes: Buffer = EMPTY;
  start = 0;
  end = 0;
  #borrowed = false;

  get length(): number {
    return this.end - this.start;
  }

  /** Adds a chunk. Call `keep` before the chunk's memory is reused. */
  feed(chunk: Buffer): void {
    if (this.start === this.end) {
      this.bytes = chunk;
      this.start = 0;
      this.end = chunk.length;
      this.#borrowed = true;
      return;
    }
    if (this.#borrowed) this.keep();
    this.#append(chunk);
  }

  /** Drops the first `count` bytes; they stay readable until the next `feed` or `keep`. */
  consume(count: number): void {
    this.start += count;
  }

  /** Makes the queue independent of the chunk fed last. */
  keep(): void {
    if (this.start === this.end) {
      this.clear();
      return;
    }
    if (!this.#borrowed) return;
    const { bytes, start, end } = this;
    this.#borrowed = false;
    this.bytes = Buffer.allocUnsafe(Math.max(end - start, STORAGE_BYTES_FIRST));
    this.start = 0;
    this.end = bytes.copy(this.bytes, 0, start, end);
  }

  /** Drops everything and the storage. */
  clear(): void {
    this.bytes = EMPTY;
    this.start = 0;
    this.end = 0;
    this.#borrowed = false;
  }

  #append(chunk: Buffer): void {
    const waiting = this.length;
    const needed = waiting + chunk.length;
    if (this.end + chunk.length > this.bytes.length) {
      const target =
        needed > this.bytes.length ? Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2)) : this.bytes;
      this.bytes.copy(target, 0, this.start, this.end);
      this.bytes = target;
      this.start = 0;
      this.end = waiting;
    }
    this.end += chunk.copy(this.bytes, this.end);
  }
}
