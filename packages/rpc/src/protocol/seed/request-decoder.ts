// SPDX-License-Identifier: Apache-2.0
// Requests out of a byte stream:
//   Request => nameLength:u32 name:UTF-8 argsLength:u32 args:bytes
import { isUtf8 } from "node:buffer";
import { ByteQueue } from "../../bytes/byte-queue.ts";
import { SeedFormatError, type SeedLimits } from "./format.ts";

type State = "nameLength" | "name" | "argsLength" | "args";

/**
 * Cuts requests out of whatever pieces the network delivers: any split of the same bytes gives the same
 * requests. Pure: no socket, no clock. Feed chunks to `queue`, then call `next` until it returns false.
 */
export class SeedRequestDecoder {
  readonly queue: ByteQueue = new ByteQueue();
  readonly #limits: SeedLimits;
  #state: State = "nameLength";
  /** Declared length of the block being waited for. */
  #length = 0;

  /** Method name of the request that `next` found. */
  name = "";
  /** Its arguments are `queue.bytes[argsStart, argsEnd)`, until the queue is fed or `next` is called. */
  argsStart = 0;
  argsEnd = 0;

  constructor(limits: SeedLimits) {
    this.#limits = limits;
  }

  /** True between two requests, where a peer may close without losing one. */
  get atBoundary(): boolean {
    return this.#state === "nameLength" && this.queue.length === 0;
  }

  /**
   * Goes on to the end of the next request; false when more bytes are needed. Throws `SeedFormatError` when
   * the stream cannot be followed any further.
   */
  next(): boolean {
    const { queue } = this;
    for (;;) {
      switch (this.#state) {
        case "nameLength":
          if (!this.#readLength("method name", this.#limits.nameBytesMax)) return false;
          this.#state = "name";
          break;
        case "name":
          if (queue.length < this.#length) return false;
          this.#readName();
          this.#state = "argsLength";
          break;
        case "argsLength":
          if (!this.#readLength("arguments", this.#limits.argumentBytesMax)) return false;
          this.#state = "args";
          break;
        case "args":
          if (queue.length < this.#length) return false;
          this.argsStart = queue.start;
          this.argsEnd = queue.start + this.#length;
          queue.consume(this.#length);
          this.#state = "nameLength";
          return true;
      }
    }
  }

  #readLength(what: string, max: number): boolean {
    const { queue } = this;
    if (queue.length < 4) return false;
    const length = queue.bytes.readUInt32BE(queue.start);
    if (length > max) throw new SeedFormatError(`${what} of ${length} bytes declared, the limit is ${max}`);
    queue.consume(4);
    this.#length = length;
    return true;
  }

  #readName(): void {
    const { bytes, start } = this.queue;
    const end = start + this.#length;
    const name = bytes.toString("utf8", start, end);
    // The replacement character may also have been sent as such, so it alone proves nothing.
    if (name.includes("\ufffd") && !isUtf8(bytes.subarray(start, end))) {
      throw new SeedFormatError("a method name that is not UTF-8");
    }
    this.name = name;
    this.queue.consume(this.#length);
  }
}
