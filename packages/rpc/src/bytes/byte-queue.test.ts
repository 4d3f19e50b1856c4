// SPDX-License-Identifier: Apache-2.0
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteQueue } from "./byte-queue.ts";

describe("a byte queue", () => {
  it("borrows a chunk that meets an empty queue, without a copy", () => {
    const queue = new ByteQueue();
    const chunk = Buffer.from("abc");
    queue.feed(chunk);
    expect(queue.bytes).toBe(chunk);
  });

  it("copies what is left when the chunk goes back to its owner", () => {
    const queue = new ByteQueue();
    const chunk = Buffer.from("abc");
    queue.feed(chunk);
    queue.consume(1);
    queue.keep();
    chunk.fill(0);
    expect(queue.bytes.toString("latin1", queue.start, queue.end)).toBe("bc");
  });

  it("gives up its storage when it is empty", () => {
    const queue = new ByteQueue();
    queue.feed(Buffer.alloc(10_000));
    queue.keep();
    expect(queue.bytes.length).toBe(10_000);
    queue.consume(10_000);
    queue.keep();
    expect(queue.bytes.length).toBe(0);
  });

  it("gives bytes out in the order they came, for any feeding and consuming", () => {
    const step = fc.record({
      feed: fc.uint8Array({ maxLength: 700 }),
      take: fc.nat(900),
      keep: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const queue = new ByteQueue();
        let fed = Buffer.alloc(0);
        let taken = 0;
        for (const { feed, take, keep } of steps) {
          const chunk = Buffer.from(feed);
          queue.feed(chunk);
          fed = Buffer.concat([fed, chunk]);
          const count = Math.min(take, queue.length);
          if (keep) {
            queue.keep();
            chunk.fill(0xee);
          }
          expect(queue.bytes.subarray(queue.start, queue.start + count)).toEqual(
            fed.subarray(taken, taken + count),
          );
          queue.consume(count);
          taken += count;
          queue.keep();
          chunk.fill(0xee);
          expect(queue.length).toBe(fed.length - taken);
        }
      }),
    );
  });
});
