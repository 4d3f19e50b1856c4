// SPDX-License-Identifier: Apache-2.0
import { deflateSync } from "node:zlib";
import { seededRandom } from "@meerkat/runtime";
import { describe, expect, it } from "vitest";
import { adler32 } from "./adler32.ts";

/** zlib appends the checksum of what it packed. */
function reference(bytes: Uint8Array): number {
  return deflateSync(bytes, { level: 0 }).readUInt32BE(deflateSync(bytes, { level: 0 }).length - 4);
}

describe("adler32", () => {
  it("agrees with zlib for every length around its loops and for the largest sums", () => {
    const random = seededRandom(1);
    for (const length of [0, 1, 7, 8, 9, 15, 16, 17, 3799, 3800, 3801, 7601, 100_000]) {
      const bytes = random.bytes(length);
      expect(adler32(bytes, 0, length)).toBe(reference(bytes));
      bytes.fill(0xff);
      expect(adler32(bytes, 0, length)).toBe(reference(bytes));
    }
  });

  it("can be continued, and looks at the given range only", () => {
    const bytes = seededRandom(2).bytes(10_000);
    const first = adler32(bytes, 100, 4321);
    expect(adler32(bytes, 4321, 9000, first)).toBe(reference(bytes.subarray(100, 9000)));
  });
});
