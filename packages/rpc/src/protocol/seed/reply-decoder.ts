// SPDX-License-Identifier: Apache-2.0
// Replies out of a byte stream, for a client with one call at a time on a connection.
import { ByteQueue } from "../../bytes/byte-queue.ts";
import { ByteReader } from "../../bytes/byte-reader.ts";
import type { ValueType } from "../../value-type.ts";
import { REPLY_ERROR, REPLY_RESULT, SeedFormatError } from "./format.ts";

/** What to make of a reply that is neither a result nor an error: the seed's client reads an error. */
export type UnknownReplyPolicy = "error" | "text";

/**
 * Finds one reply after the other. Pure: no socket, no clock.
 *
 * Python servers of the seed count the text of an error in characters but send bytes, so a text that is
 * not ASCII declares too short a length and its tail follows as surplus. The first byte beyond ASCII is
 * always inside the declared length, so a text of ASCII alone is surely whole. After any other text the
 * connection is not trusted again, since the tail may still be on its way.
 */
export class SeedReplyDecoder {
  readonly #queue = new ByteQueue();
  readonly #reader = new ByteReader();
  readonly #textBytesMax: number;
  readonly #unknownReply: UnknownReplyPolicy;

  /** Whether the reply that `push` found is a result (`value`) or an error (`text`). */
  isResult = false;
  value: unknown;
  text = "";
  /** Whether another call may use the connection. */
  reusable = false;

  constructor(textBytesMax: number, unknownReply: UnknownReplyPolicy) {
    this.#textBytesMax = textBytesMax;
    this.#unknownReply = unknownReply;
  }

  /**
   * Feeds a chunk; true when a whole reply is there. Throws `SeedFormatError` when the bytes cannot be a
   * reply. Nothing of the chunk is kept beyond the call except by copy.
   */
  push(chunk: Buffer, type: ValueType<unknown>): boolean {
    const queue = this.#queue;
    queue.feed(chunk);
    const kind = queue.bytes[queue.start];
    if (kind === undefined) return false;
    const complete = kind === REPLY_RESULT ? this.#readResult(type) : this.#readError(kind);
    if (complete) queue.clear();
    else queue.keep();
    return complete;
  }

  #readResult(type: ValueType<unknown>): boolean {
    const queue = this.#queue;
    const bytes = 1 + type.bytes;
    if (queue.length < bytes) return false;
    this.#reader.reset(queue.bytes, queue.start + 1, queue.start + bytes);
    this.isResult = true;
    this.value = type.read(this.#reader);
    // There was one call, so there must be one reply.
    if (queue.length > bytes) throw new SeedFormatError("more bytes than the reply has");
    this.reusable = true;
    return true;
  }

  #readError(kind: number): boolean {
    const queue = this.#queue;
    if (kind !== REPLY_ERROR && this.#unknownReply === "error") {
      throw new SeedFormatError(`a reply of the unknown kind ${kind}`);
    }
    if (queue.length < 5) return false;
    const length = queue.bytes.readUInt32BE(queue.start + 1);
    if (length > this.#textBytesMax) {
      throw new SeedFormatError(
        `an error text of ${length} bytes declared, the limit is ${this.#textBytesMax}`,
      );
    }
    const start = queue.start + 5;
    const end = start + length;
    if (queue.end < end) return false;
    this.isResult = false;
    this.text = queue.bytes.toString("utf8", start, end);
    this.reusable = queue.end === end && isAscii(queue.bytes, start, end);
    if (queue.end > end) {
      // The tail of a text counted in characters has mostly come along: then the text can be made whole.
      const whole = queue.bytes.toString("utf8", start, queue.end);
      if ([...whole].length === length) this.text = whole;
    }
    return true;
  }
}

function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let index = start; index < end; index++) {
    if ((bytes[index] as number) > 0x7f) return false;
  }
  return true;
}
