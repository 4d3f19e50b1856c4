// SPDX-License-Identifier: Apache-2.0
import { randomInt, seededRandom } from "@meerkat/runtime";
import { describe, expect, it } from "vitest";
import { blockBytes, SlabStore } from "./slab-store.ts";

describe("blockBytes", () => {
  it("is never less than asked, and at most an eighth more above 1 KiB", () => {
    for (let bytes = 1; bytes < 3_000_000; bytes += 1 + (bytes >> 6)) {
      const size = blockBytes(bytes);
      expect(size).toBeGreaterThanOrEqual(bytes);
      expect(size % 8).toBe(0);
      expect(size).toBeLessThanOrEqual(bytes <= 1024 ? bytes + 7 : bytes * 1.125 + 8);
      expect(blockBytes(size)).toBe(size);
    }
  });
});

describe("SlabStore", () => {
  it("never lets two blocks in use overlap", () => {
    const random = seededRandom(3);
    const store = new SlabStore();
    const blocks = new Map<number, { bytes: number; mark: number }>();
    for (let step = 0; step < 5000; step++) {
      if (randomInt(random, 3) > 0 || blocks.size === 0) {
        const bytes =
          randomInt(random, 150) === 0 ? randomInt(random, 5_000_000) + 1 : randomInt(random, 500) + 1;
        const location = store.allocate(bytes);
        expect(blocks.has(location)).toBe(false);
        const start = store.offset(location);
        store.slab(location).fill(step & 0xff, start, start + bytes);
        blocks.set(location, { bytes, mark: step & 0xff });
      } else {
        const [location, block] = [...blocks][randomInt(random, blocks.size)] as [
          number,
          { bytes: number; mark: number },
        ];
        const start = store.offset(location);
        const kept = store.slab(location).subarray(start, start + block.bytes);
        expect(kept.equals(Buffer.alloc(block.bytes, block.mark))).toBe(true);
        store.release(location, block.bytes);
        blocks.delete(location);
      }
    }
    for (const [location, { bytes }] of blocks) store.release(location, bytes);
    expect(store.usedBytes).toBe(0);
  });
});
