// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { UsageError } from "../usage-error.ts";
import { parseArguments } from "./call.ts";

test("integers are taken in the order of their numbers", () => {
  expect(parseArguments("anything", ["6", "-3"])).toEqual({ arg1: 6, arg2: -3 });
  expect(parseArguments("anything", [])).toEqual({});
});

test("a known method takes its arguments by name, and may do without those with a default", () => {
  expect(parseArguments("divide", ['{"num2":3,"num1":6}'])).toEqual({ arg1: 6, arg2: 3 });
  expect(parseArguments("divide", ['{"num1":6}'])).toEqual({ arg1: 6 });
});

test.each([
  ["divide", ["6.5"]],
  ["divide", ["2147483648"]],
  ["divide", ["six"]],
  ["divide", ['{"num3":1}']],
  ["divide", ["{num1"]],
  ["other", ['{"num1":1}']],
])("%s refuses %j", (method, words) => {
  expect(() => parseArguments(method, words)).toThrow(UsageError);
});
