// SPDX-License-Identifier: Apache-2.0
import { seededRandom } from "@meerkat/runtime";
import { describe, expect, it } from "vitest";
import type { ByteSource } from "./byte-source.ts";
import { snappySource, unpackSnappyBlock } from "./snappy.ts";

function sourceOf(bytes: Buffer): ByteSource {
  let at = 0;
  return {
    async read(into) {
      const count = bytes.copy(into, 0, at);
      at += count;
      return count;
    },
    async close() {},
  };
}

async function unpackAll(bytes: Buffer): Promise<string> {
  const into = Buffer.alloc(1000);
  return into.subarray(0, await snappySource(sourceOf(bytes)).read(into)).toString();
}

/** A literal "abcd", then a copy of 8 bytes from 4 back, which overlaps what it writes. */
const OVERLAPPING = Buffer.from([12, (4 - 1) << 2, ...Buffer.from("abcd"), ((8 - 4) << 2) | 1, 4]);

describe("snappy", () => {
  it("unpacks literals and copies, also ones that overlap themselves", () => {
    expect(unpackSnappyBlock(OVERLAPPING).toString()).toBe("abcdabcdabcd");
  });

  it("unpacks long literals and two-byte and four-byte distances", () => {
    const literal = Buffer.alloc(300, "x");
    const head = Buffer.from([0xb4, 0x02, 61 << 2, (300 - 1) & 0xff, (300 - 1) >> 8]);
    const copies = Buffer.from([((4 - 1) << 2) | 2, 0x2c, 0x01, ((4 - 1) << 2) | 3, 0x2c, 0x01, 0, 0]);
    expect(unpackSnappyBlock(Buffer.concat([head, literal, copies])).toString()).toBe("x".repeat(308));
  });

  it("refuses whatever bytes it gets without reading or writing out of bounds", () => {
    const random = seededRandom(5);
    for (let round = 0; round < 2000; round++) {
      const bytes = Buffer.from(random.bytes(1 + Math.floor(random.float() * 40)));
      bytes[0] = (bytes[0] as number) & 0x7f;
      try {
        expect(unpackSnappyBlock(bytes).length).toBe(bytes[0]);
      } catch (error) {
        expect(String(error)).toMatch(/snappy/);
      }
    }
  });

  it("reads the blocks of snappy-java's container", async () => {
    const container = Buffer.from([0x82, ...Buffer.from("SNAPPY"), 0, 0, 0, 0, 1, 0, 0, 0, 1]);
    const block = Buffer.concat([Buffer.from([0, 0, 0, OVERLAPPING.length]), OVERLAPPING]);
    expect(await unpackAll(Buffer.concat([container, block, block]))).toBe("abcdabcdabcdabcdabcdabcd");
    await expect(unpackAll(Buffer.concat([container, block.subarray(0, -1)]))).rejects.toThrow(/cut off/);
    await expect(unpackAll(block)).rejects.toThrow(/not a snappy-java stream/);
  });
});
