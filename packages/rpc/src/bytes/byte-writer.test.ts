// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { ByteWriter, joinBytes } from "./byte-writer.ts";

describe("a byte writer", () => {
  it("hands out what was written since the last time, and never touches it again", () => {
    const writer = new ByteWriter();
    writer.u8(1);
    writer.u32(0xfffffffe);
    const first = writer.take();
    writer.f32(2);
    writer.raw(Buffer.from("ab"));
    expect(writer.take().toString("hex")).toBe("400000006162");
    for (let count = 0; count < 10_000; count++) writer.u32(count);
    expect(first.toString("hex")).toBe("01fffffffe");
  });

  it("keeps what is written across the end of its memory in one piece", () => {
    const writer = new ByteWriter();
    const text = Buffer.alloc(10_000, "x");
    writer.raw(text);
    writer.take();
    writer.u32(7);
    writer.raw(text);
    writer.raw(Buffer.alloc(40_000, "y"));
    const taken = writer.take();
    expect(taken.length).toBe(50_004);
    expect(taken.readUInt32BE()).toBe(7);
    expect(taken.subarray(4, 10_004).equals(text)).toBe(true);
  });

  it("fills in lengths and forgets what is taken back", () => {
    const writer = new ByteWriter();
    const hole = writer.hole();
    writer.raw(Buffer.from("abc"));
    writer.patch(hole);
    const length = writer.length;
    writer.u32(9);
    writer.truncate(length);
    expect(writer.take().toString("hex")).toBe("00000003616263");
  });
});

describe("joining bytes", () => {
  it("makes no copy of pieces that lie side by side", () => {
    const writer = new ByteWriter();
    writer.u32(1);
    const first = writer.take();
    writer.u32(2);
    const second = writer.take();
    const joined = joinBytes(first, second);
    expect(joined.toString("hex")).toBe("0000000100000002");
    expect(joined.buffer).toBe(first.buffer);
  });

  it("copies pieces that do not", () => {
    expect(joinBytes(Buffer.from("ab"), Buffer.from("cd")).toString()).toBe("abcd");
    const bytes = Buffer.from("abcd");
    expect(joinBytes(bytes.subarray(2), bytes.subarray(0, 2)).toString()).toBe("cdab");
  });
});
