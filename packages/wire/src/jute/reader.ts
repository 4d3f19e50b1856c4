// SPDX-License-Identifier: Apache-2.0
// Jute, ZooKeeper's serialisation, read side: a bounds-checked cursor over one frame.
import { WireFormatError } from "../wire-format-error.ts";

/**
 * A cursor over bytes that may be hostile. Every read checks the bound first; nothing is allocated in
 * proportion to a declared length before the bytes are known to be there. One reader may be reused for
 * many frames through `reset`.
 */
export class JuteReader {
  #bytes: Buffer;
  #start: number;
  #offset: number;
  #end: number;

  /** Reads `bytes[start, end)`. */
  constructor(bytes: Buffer, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#start = start;
    this.#offset = start;
    this.#end = end;
  }

  /** Points the reader at other bytes. */
  reset(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes;
    this.#start = start;
    this.#offset = start;
    this.#end = end;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#offset - this.#start;
  }

  /** Bytes left to read. */
  get remaining(): number {
    return this.#end - this.#offset;
  }

  /** byte: 1 byte, signed. */
  byte(): number {
    const offset = this.#advance(1);
    return ((this.#bytes[offset] as number) << 24) >> 24;
  }

  /** boolean: 1 byte; anything but 0 is true, as in Java's reader. */
  bool(): boolean {
    return this.#bytes[this.#advance(1)] !== 0;
  }

  /** int: 4 bytes, signed, big-endian. */
  int(): number {
    const offset = this.#advance(4);
    const bytes = this.#bytes;
    return (
      ((bytes[offset] as number) << 24) |
      ((bytes[offset + 1] as number) << 16) |
      ((bytes[offset + 2] as number) << 8) |
      (bytes[offset + 3] as number)
    );
  }

  /** long: 8 bytes, signed, big-endian. On hot paths read two `int`s instead. */
  long(): bigint {
    return this.#bytes.readBigInt64BE(this.#advance(8));
  }

  /** A long that must be a safe integer (a time, a zxid below 2^53), without a bigint. */
  longNumber(): number {
    const high = this.int();
    const value = high * 0x1_0000_0000 + (this.int() >>> 0);
    if (!Number.isSafeInteger(value)) {
      throw new WireFormatError(`${value} is beyond the integers that are exact here`, this.position - 8);
    }
    return value;
  }

  /** buffer: int length, then the bytes; null for length -1. **A view** of the frame's memory, not a copy. */
  buffer(): Buffer | null {
    const length = this.int();
    if (length === -1) return null;
    if (length < 0) throw new WireFormatError(`negative length ${length} of a buffer`, this.position - 4);
    const offset = this.#advance(length);
    return this.#bytes.subarray(offset, offset + length);
  }

  /** ustring: int length, then UTF-8; null for length -1. Malformed UTF-8 becomes U+FFFD. */
  ustring(): string | null {
    const length = this.int();
    if (length === -1) return null;
    if (length < 0) throw new WireFormatError(`negative length ${length} of a string`, this.position - 4);
    const offset = this.#advance(length);
    return this.#bytes.utf8Slice(offset, offset + length);
  }

  /** A ustring where the protocol allows no null. */
  text(): string {
    const value = this.ustring();
    if (value === null) throw new WireFormatError("null where a string is required", this.position - 4);
    return value;
  }

  /**
   * vector: int count, then the items; null for count -1. Every item takes at least `itemBytesMin` bytes,
   * so a count that cannot fit in what is left is refused before the list is allocated.
   */
  vector<T>(itemBytesMin: number, readItem: (reader: JuteReader) => T): T[] | null {
    const count = this.int();
    if (count === -1) return null;
    if (count < 0 || count * itemBytesMin > this.remaining) {
      throw new WireFormatError(`impossible count ${count} of a vector`, this.position - 4);
    }
    const items: T[] = [];
    for (let index = 0; index < count; index++) items.push(readItem(this));
    return items;
  }

  /** Skips `length` bytes. */
  skip(length: number): void {
    this.#advance(length);
  }

  /** Throws when bytes are left over: the record was longer than the format says. */
  expectEnd(): void {
    if (this.#offset !== this.#end) {
      throw new WireFormatError(`${this.remaining} bytes too many`, this.position);
    }
  }

  #advance(length: number): number {
    const offset = this.#offset;
    if (length > this.#end - offset) {
      throw new WireFormatError(`${length} bytes expected, ${this.#end - offset} left`, offset - this.#start);
    }
    this.#offset = offset + length;
    return offset;
  }
}
