// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { ByteReader, TruncatedError } from "./bytes/byte-reader.ts";
import { ByteWriter } from "./bytes/byte-writer.ts";
import { f32, i32, type ValueType } from "./value-type.ts";

function roundTrip<T>(type: ValueType<T>, value: T): { hex: string; back: T } {
  const writer = new ByteWriter();
  type.write(writer, value);
  const bytes = writer.take();
  const reader = new ByteReader();
  reader.reset(bytes, 0, bytes.length);
  const back = type.read(reader);
  expect(reader.remaining).toBe(0);
  expect(bytes.length).toBe(type.bytes);
  return { hex: bytes.toString("hex"), back };
}

describe("i32", () => {
  it.each([
    [0, "00000000"],
    [200, "000000c8"],
    [-1, "ffffffff"],
    [2147483647, "7fffffff"],
    [-2147483648, "80000000"],
  ])("writes %d as %s and reads it back", (value, hex) => {
    expect(roundTrip(i32, value)).toEqual({ hex, back: value });
  });

  it.each([2147483648, -2147483649, 0.5, NaN, Infinity, "1", null, undefined, 1n, {}, true])(
    "refuses %s",
    (value) => {
      expect(i32.problem(value)).toMatch("is not an integer from -2147483648 to 2147483647");
    },
  );
});

describe("f32", () => {
  it.each([
    [2, "40000000", 2],
    [1 / 3, "3eaaaaab", 0.3333333432674408],
    [Infinity, "7f800000", Infinity],
    [-Infinity, "ff800000", -Infinity],
    [NaN, "7fc00000", NaN],
  ])("writes %d as %s", (value, hex, back) => {
    expect(f32.problem(value)).toBeUndefined();
    expect(roundTrip(f32, value)).toEqual({ hex, back });
  });

  it("refuses a finite number that would become infinite, as Python's struct does", () => {
    expect(f32.problem(3.4028234e38)).toBeUndefined();
    expect(f32.problem(3.4028236e38)).toMatch("beyond the range");
    expect(f32.problem(-1e300)).toMatch("beyond the range");
  });

  it("refuses what is not a number", () => {
    expect(f32.problem("2")).toBe("a value of type string is not a number");
    expect(f32.problem(undefined)).toBe("a value of type undefined is not a number");
    expect(f32.problem(2n)).toBe("2 is not a number");
  });
});

it("a value cut short is noticed before anything is read", () => {
  const reader = new ByteReader();
  reader.reset(Buffer.from([1, 2, 3]), 0, 3);
  expect(() => i32.read(reader)).toThrow(TruncatedError);
  expect(reader.remaining).toBe(3);
});
