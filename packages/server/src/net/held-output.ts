// SPDX-License-Identifier: Apache-2.0
// Output of one connection that must not leave yet: it shows a state that is not on the disk.

/** What one turn put out. */
interface Segment {
  readonly zxid: number;
  readonly frames: Buffer[];
  readonly bytes: number;
  /** Replies in it, and when their requests arrived (monotonic ms): for the latency figures. */
  readonly replies: number;
  readonly arrivedMs: number;
  /** Bytes of large requests that it answers. */
  readonly largeBytes: number;
}

/** Segments in order, each with the last zxid it may show. */
export class HeldOutput {
  readonly #segments: Segment[] = [];
  #first = 0;
  #bytes = 0;
  #replies = 0;
  #largeBytes = 0;

  get isEmpty(): boolean {
    return this.#first === this.#segments.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get replies(): number {
    return this.#replies;
  }

  /** Bytes of the large requests whose replies are held. */
  get largeBytes(): number {
    return this.#largeBytes;
  }

  hold(segment: Segment): void {
    this.#segments.push(segment);
    this.#bytes += segment.bytes;
    this.#replies += segment.replies;
    this.#largeBytes += segment.largeBytes;
  }

  /** Takes out the first segment if it shows nothing after `durableZxid`. */
  release(durableZxid: number): Segment | undefined {
    const segment = this.#segments[this.#first];
    if (segment === undefined || segment.zxid > durableZxid) return undefined;
    this.#first++;
    if (this.#first === this.#segments.length) {
      this.#segments.length = 0;
      this.#first = 0;
    }
    this.#bytes -= segment.bytes;
    this.#replies -= segment.replies;
    this.#largeBytes -= segment.largeBytes;
    return segment;
  }
}
