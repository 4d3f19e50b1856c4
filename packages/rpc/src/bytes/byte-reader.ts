// SPDX-License-Identifier: Apache-2.0
// A bounds-checked cursor over the bytes of one frame.

/** A value goes beyond the end of its frame. Caught by the codec, never seen by users. */
export class TruncatedError extends Error {
  constructor() {
    super("the value goes beyond the end of its frame");
    this.name = "TruncatedError";
  }
}

/** Reads big-endian values. One reader is reused for many frames through `reset`. */
export class ByteReader {
  #bytes: Buffer = Buffer.alloc(0);
  #offset = 0;
  #end = 0;

  /** Points the reader at `bytes[start, end)`. */
  reset(bytes: Buffer, start: number, end: number): void {
    this.#bytes = bytes;
    this.#offset = start;
    this.#end = end;
  }

  /** Bytes left to read. */
  get remaining(): number {
    return this.#end - this.#offset;
  }

  u8(): number {
    return this.#bytes[this.#advance(1)] as number;
  }

  i32(): number {
    const offset = this.#advance(4);
    const bytes = this.#bytes;
    return (
      ((bytes[offset] as number) << 24) |
      ((bytes[offset + 1] as number) << 16) |
      ((bytes[offset + 2] as number) << 8) |
      (bytes[offset + 3] as number)
    );
  }

  f32(): number {
    return this.#bytes.readFloatBE(this.#advance(4));
  }

  #advance(bytes: number): number {
    const offset = this.#offset;
    if (bytes > this.#end - offset) throw new TruncatedError();
    this.#offset = offset + bytes;
    return offset;
  }
}
