// SPDX-License-Identifier: Apache-2.0
// Reading a file front to back in bounded memory, whatever it is packed with.
import type { OpenFile } from "@meerkat/runtime";

/** Bytes in order. */
export interface ByteSource {
  /** Fills `into` as far as there are bytes; fewer only at the end. */
  read(into: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

/** Bytes read at a time: about 10 ms of parsing, so that other servers in the process keep going. */
const WINDOW_BYTES = 1024 * 1024;

/** A file's bytes from the start. Closing the source closes the file. */
export function fileSource(file: OpenFile): ByteSource {
  let position = 0;
  return {
    async read(into) {
      const count = await file.read(into, position);
      position += count;
      return count;
    },
    close: () => file.close(),
  };
}

/**
 * A window that moves over a source. Parsers look at `bytes[start, end)`, move `start` on, and ask for more
 * when a value is not whole. The memory is reused, so views of it are valid until the next `need`.
 */
export class ByteWindow {
  bytes: Buffer;
  start = 0;
  end = 0;
  readonly #source: ByteSource;
  /** Offset in the file of `bytes[0]`. */
  #base = 0;
  #ended = false;

  constructor(source: ByteSource, windowBytes: number = WINDOW_BYTES) {
    this.#source = source;
    this.bytes = Buffer.allocUnsafeSlow(windowBytes);
  }

  /** Offset in the file of `bytes[start]`. */
  get position(): number {
    return this.#base + this.start;
  }

  /** Bytes at hand. */
  get available(): number {
    return this.end - this.start;
  }

  /** Makes at least `count` bytes available; false when the source has fewer left. */
  async need(count: number): Promise<boolean> {
    if (this.available >= count) return true;
    if (this.#ended) return false;
    if (count > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(count * 2);
      this.bytes.copy(larger, 0, this.start, this.end);
      this.bytes = larger;
    } else {
      this.bytes.copyWithin(0, this.start, this.end);
    }
    this.#base += this.start;
    this.end -= this.start;
    this.start = 0;
    const wanted = this.bytes.length - this.end;
    const filled = await this.#source.read(this.bytes.subarray(this.end));
    this.end += filled;
    this.#ended = filled < wanted;
    return this.available >= count;
  }
}
