// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { compareSequences, formatSequence, sequenceAfter, sequenceOf } from "./sequence.ts";

describe("sequence numbers", () => {
  test.each([
    ["_c_0f0f-lock-0000000012", "lock-", 12],
    ["ab__lock__-000000001", "__lock__", -1],
    ["ab__lock__-2147483648", "__lock__", -2147483648],
    ["x-lock-2147483647", "lock-", 2147483647],
    ["lock-a-lock-0000000003", "lock-", 3],
  ])("%s after %s has number %d", (name, prefix, expected) => {
    expect(sequenceAfter(name, prefix)).toBe(expected);
  });

  test.each([
    ["lock-", "lock-"],
    ["lock-123", "lock-"],
    ["lock-x0000000001", "lock-"],
    ["foreign", "lock-"],
    ["0000000001", "lock-"],
  ])("%s after %s has none", (name, prefix) => {
    expect(sequenceAfter(name, prefix)).toBeUndefined();
  });

  test("the number behind a separator is found without knowing the name", () => {
    expect(sequenceOf("qn-0000000042")).toBe(42);
    expect(sequenceOf("entry-100-2147483647")).toBe(2147483647);
    expect(sequenceOf("entry-100--2147483648")).toBe(-2147483648);
    expect(sequenceOf("entry-100--000000001")).toBe(-1);
    expect(sequenceOf("config")).toBeUndefined();
  });

  test("order goes on over the wrap from the highest to the lowest 32-bit number", () => {
    const given = [2147483646, 2147483647, -2147483648, -2147483647];
    expect([...given].sort(compareSequences)).toEqual(given);
    expect([...given].reverse().sort(compareSequences)).toEqual(given);
    expect(compareSequences(-1, 0)).toBeLessThan(0);
    expect(compareSequences(5, 5)).toBe(0);
  });

  test("numbers are written as the server writes them", () => {
    for (const sequence of [0, 7, 2147483647, -1, -2147483648]) {
      expect(sequenceAfter(`lock-${formatSequence(sequence)}`, "lock-")).toBe(sequence);
    }
    expect([formatSequence(7), formatSequence(-1), formatSequence(-2147483648)]).toEqual([
      "0000000007",
      "-000000001",
      "-2147483648",
    ]);
  });
});
