// SPDX-License-Identifier: Apache-2.0
// Length-prefixed frames out of a byte stream: int length, then that many bytes of payload.
import { WireFormatError } from "./wire-format-error.ts";

/**
 * Called for each whole frame: the payload is `bytes[start, end)`, valid only during the call. Returning
 * false stops the decoder: the rest of the chunk is not looked at (see `push`).
 */
export type FrameSink = (bytes: Buffer, start: number, end: number) => boolean;

/** First allocation for a frame that arrives in pieces; it grows only as bytes really arrive. */
const PARTIAL_BYTES_FIRST = 4096;

/**
 * Cuts frames out of chunks. A frame that lies whole in a chunk is handed on without copying; one that is
 * spread over chunks is collected in a buffer whose size follows what has arrived, not what the peer
 * declares. One decoder belongs to one connection.
 */
export class FrameDecoder {
  readonly #frameBytesMax: number;
  readonly #sink: FrameSink;
  /** Bytes of an unfinished frame, its length prefix included. */
  #partial: Buffer | undefined;
  #partialBytes = 0;

  /** A frame that declares more than `frameBytesMax` bytes, or fewer than none, is refused. */
  constructor(frameBytesMax: number, sink: FrameSink) {
    this.#frameBytesMax = frameBytesMax;
    this.#sink = sink;
  }

  /** Bytes held for an unfinished frame. */
  get pendingBytes(): number {
    return this.#partialBytes;
  }

  /**
   * Feeds a chunk. Returns how many of its bytes were used: all of them, unless the sink stopped the decoder
   * (then up to the end of that frame). Throws `WireFormatError` when a declared length is out of bounds.
   */
  push(chunk: Buffer): number {
    let offset = 0;
    if (this.#partialBytes > 0) {
      offset = this.#completePartial(chunk);
      if (offset < 0) return ~offset;
    }
    const length = chunk.length;
    while (length - offset >= 4) {
      const frameBytes = this.#checkedLength(chunk, offset);
      const end = offset + 4 + frameBytes;
      if (end > length) break;
      if (!this.#sink(chunk, offset + 4, end)) return end;
      offset = end;
    }
    if (offset < length) this.#append(chunk, offset, length);
    return length;
  }

  /** Adds to the unfinished frame; the offset after it, or its complement when decoding stops there. */
  #completePartial(chunk: Buffer): number {
    let offset = 0;
    if (this.#partialBytes < 4) {
      offset = Math.min(4 - this.#partialBytes, chunk.length);
      this.#append(chunk, 0, offset);
      if (this.#partialBytes < 4) return ~offset;
    }
    const frameBytes = this.#checkedLength(this.#partial as Buffer, 0);
    const missing = 4 + frameBytes - this.#partialBytes;
    const end = Math.min(offset + missing, chunk.length);
    this.#append(chunk, offset, end);
    if (end - offset < missing) return ~end;
    const frame = this.#partial as Buffer;
    const frameEnd = this.#partialBytes;
    this.#partial = undefined;
    this.#partialBytes = 0;
    return this.#sink(frame, 4, frameEnd) ? end : ~end;
  }

  #append(chunk: Buffer, start: number, end: number): void {
    const needed = this.#partialBytes + (end - start);
    let partial = this.#partial;
    if (partial === undefined || partial.length < needed) {
      const grown = Buffer.allocUnsafe(Math.max(needed, (partial?.length ?? 0) * 2, PARTIAL_BYTES_FIRST));
      partial?.copy(grown, 0, 0, this.#partialBytes);
      this.#partial = grown;
      partial = grown;
    }
    chunk.copy(partial, this.#partialBytes, start, end);
    this.#partialBytes = needed;
  }

  #checkedLength(bytes: Buffer, offset: number): number {
    const length = bytes.readInt32BE(offset);
    if (length < 0 || length > this.#frameBytesMax) {
      throw new WireFormatError(
        `frame of ${length} bytes declared, the limit is ${this.#frameBytesMax}`,
        offset,
      );
    }
    return length;
  }
}
