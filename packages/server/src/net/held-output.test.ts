// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { HeldOutput } from "./held-output.ts";

describe("HeldOutput", () => {
  it("gives out segments in order, each only when all it may show is durable", () => {
    const held = new HeldOutput();
    for (const zxid of [5, 5, 9]) {
      held.hold({ zxid, frames: [Buffer.from([zxid])], bytes: 1, replies: 2, arrivedMs: 0, largeBytes: 3 });
    }
    expect(held.release(4)).toBeUndefined();
    expect(held.release(8)?.zxid).toBe(5);
    expect(held.release(8)?.zxid).toBe(5);
    expect(held.release(8)).toBeUndefined();
    expect([held.bytes, held.replies, held.largeBytes, held.isEmpty]).toEqual([1, 2, 3, false]);
    expect(held.release(9)?.zxid).toBe(9);
    expect([held.bytes, held.replies, held.largeBytes, held.isEmpty]).toEqual([0, 0, 0, true]);
  });
});
