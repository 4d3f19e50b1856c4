// SPDX-License-Identifier: Apache-2.0
// The primitive types, against bytes written by hand.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { WireFormatError } from "../wire-format-error.ts";
import { JuteReader } from "./reader.ts";
import { JuteWriter } from "./writer.ts";

function written(write: (writer: JuteWriter) => void, slabBytes?: number): Buffer {
  const writer = new JuteWriter(slabBytes);
  write(writer);
  return writer.take();
}

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");
const read = (text: string): JuteReader => new JuteReader(hex(text));

describe("JuteWriter and JuteReader", () => {
  test.each<[string, (writer: JuteWriter) => void, string]>([
    ["byte", (writer) => writer.byte(-2), "fe"],
    ["true", (writer) => writer.bool(true), "01"],
    ["false", (writer) => writer.bool(false), "00"],
    ["int", (writer) => writer.int(-103), "ffffff99"],
    ["long", (writer) => writer.long(-2n), "fffffffffffffffe"],
    ["long of a number", (writer) => writer.longNumber(2 ** 40 + 5), "0000010000000005"],
    ["negative long of a number", (writer) => writer.longNumber(-1), "ffffffffffffffff"],
    ["long of halves", (writer) => writer.longHalves(1, -1), "00000001ffffffff"],
    ["null buffer", (writer) => writer.buffer(null), "ffffffff"],
    ["empty buffer", (writer) => writer.buffer(Buffer.alloc(0)), "00000000"],
    ["buffer", (writer) => writer.buffer(hex("0aff")), "00000002 0aff"],
    ["null string", (writer) => writer.ustring(null), "ffffffff"],
    ["string", (writer) => writer.ustring("aé€😀"), "0000000a 61 c3a9 e282ac f09f9880"],
    ["null vector", (writer) => writer.vector(null, () => {}), "ffffffff"],
    [
      "vector",
      (writer) => writer.vector([1, 2], (item, value) => item.int(value)),
      "00000002 00000001 00000002",
    ],
    ["raw bytes", (writer) => writer.raw(hex("0102")), "0102"],
  ])("writes a %s as Jute lays it out", (_name, write, bytes) => {
    expect(written(write).toString("hex")).toBe(bytes.replaceAll(" ", ""));
  });

  test("reads what Jute lays out", () => {
    expect(read("fe").byte()).toBe(-2);
    expect(read("ffffff99").int()).toBe(-103);
    expect(read("fffffffffffffffe").long()).toBe(-2n);
    expect(read("0000010000000005").longNumber()).toBe(2 ** 40 + 5);
    expect(read("ffffffffffffffff").longNumber()).toBe(-1);
    expect(read("ffffffff").buffer()).toBeNull();
    expect(read("00000000").buffer()).toEqual(Buffer.alloc(0));
    expect(read("ffffffff").ustring()).toBeNull();
    expect(read("0000000a61c3a9e282acf09f9880").text()).toBe("aé€😀");
    expect(read("ffffffff").vector(1, (reader) => reader.byte())).toBeNull();
  });

  test("takes any byte but 0 for true, as Java does", () => {
    expect([read("00").bool(), read("01").bool(), read("ff").bool()]).toEqual([false, true, true]);
  });

  test.each<[string, string, (reader: JuteReader) => unknown]>([
    ["an int of three bytes", "000000", (reader) => reader.int()],
    ["a long of seven bytes", "00000000000000", (reader) => reader.long()],
    ["a string longer than the frame", "000000056162", (reader) => reader.ustring()],
    ["a string of length -2", "fffffffe", (reader) => reader.ustring()],
    ["a buffer longer than the frame", "7fffffff00", (reader) => reader.buffer()],
    ["a buffer of length -2", "fffffffe", (reader) => reader.buffer()],
    ["null where text is needed", "ffffffff", (reader) => reader.text()],
    [
      "a vector with more items than bytes",
      "00000003 0000",
      (reader) => reader.vector(1, (item) => item.byte()),
    ],
    ["a vector of count -2", "fffffffe", (reader) => reader.vector(1, (item) => item.byte())],
    ["a long beyond exact integers", "7fffffffffffffff", (reader) => reader.longNumber()],
    ["a skip past the end", "00", (reader) => reader.skip(2)],
    ["bytes left over", "00", (reader) => reader.expectEnd()],
  ])("refuses %s", (_name, bytes, readIt) => {
    expect(() => readIt(read(bytes))).toThrow(WireFormatError);
  });

  test("stays inside its part of a larger buffer", () => {
    const reader = new JuteReader(hex("ff 00000001 ff"), 1, 5);
    expect(reader.int()).toBe(1);
    expect(reader.remaining).toBe(0);
    expect(() => reader.byte()).toThrow(WireFormatError);
  });

  test("the error tells the offset in the frame, not in the buffer around it", () => {
    const reader = new JuteReader(hex("ffff 00000001 0000"), 2);
    reader.int();
    expect(() => reader.int()).toThrow(/at byte 4/);
  });

  test("gives buffers that are views of the frame, and copies nothing", () => {
    const bytes = hex("00000002 0102");
    const view = new JuteReader(bytes).buffer();
    bytes[4] = 9;
    expect(view).toEqual(hex("0902"));
  });

  test("turns malformed UTF-8 into replacement characters", () => {
    expect(read("00000002 c328").text()).toBe("\ufffd(");
  });

  test("keeps bytes intact that were taken before it grew", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 30 }), (parts) => {
        const writer = new JuteWriter(32);
        const taken = parts.map((part, index) => {
          writer.buffer(part);
          return index % 3 === 0 ? writer.take() : undefined;
        });
        taken.push(writer.take());
        const all = Buffer.concat(taken.filter((bytes) => bytes !== undefined));
        const plain = new JuteWriter(1 << 20);
        for (const part of parts) plain.buffer(part);
        expect(all).toEqual(plain.take());
      }),
    );
  });

  test("fills in frame lengths, also of a frame that outgrew the slab", () => {
    const writer = new JuteWriter(8);
    for (const length of [0, 3, 50]) {
      const frame = writer.beginFrame();
      writer.raw(Buffer.alloc(length, length));
      writer.endFrame(frame);
    }
    const bytes = writer.take();
    expect(bytes.readInt32BE(0)).toBe(0);
    expect(bytes.readInt32BE(4)).toBe(3);
    expect(bytes.readInt32BE(11)).toBe(50);
    expect(bytes.length).toBe(12 + 53);
    expect(writer.take().length).toBe(0);
  });

  test("forgets a half-written record", () => {
    const writer = new JuteWriter();
    writer.int(1);
    const { length } = writer;
    writer.ustring("lost");
    writer.truncate(length);
    writer.int(2);
    expect(writer.take().toString("hex")).toBe("0000000100000002");
  });

  test("shows what was written without giving it away, and starts over in the same memory", () => {
    const writer = new JuteWriter();
    writer.int(1);
    writer.int(2);
    expect(writer.peek(4).toString("hex")).toBe("00000002");
    const first = writer.take();
    expect(first.toString("hex")).toBe("0000000100000002");
    writer.recycle();
    writer.int(3);
    const second = writer.take();
    expect(second.toString("hex")).toBe("00000003");
    expect(second.buffer).toBe(first.buffer);
  });

  test("writes the same bytes for a string as UTF-8 itself, whatever its length", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        const bytes = written((writer) => writer.ustring(text), 16);
        expect(bytes.subarray(4)).toEqual(Buffer.from(text, "utf8"));
        expect(bytes.readInt32BE(0)).toBe(bytes.length - 4);
      }),
    );
  });

  test("claimed room is filled by the caller, across the end of a slab too", () => {
    const bytes = written((writer) => {
      for (let value = 1; value <= 5; value++) {
        writer.int(value);
        const at = writer.claim(7);
        writer.memory.fill(value, at, at + 7);
      }
    }, 16);
    const expected = [1, 2, 3, 4, 5].map((value) => `0000000${value}${`0${value}`.repeat(7)}`).join("");
    expect(bytes.toString("hex")).toBe(expected);
  });
});
