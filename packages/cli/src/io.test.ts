// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { wantsColors } from "./io.ts";

test("colours are for terminals, unless the environment says otherwise", () => {
  expect(wantsColors(true, {})).toBe(true);
  expect(wantsColors(false, {})).toBe(false);
  expect(wantsColors(true, { NO_COLOR: "1" })).toBe(false);
  expect(wantsColors(true, { NO_COLOR: "" })).toBe(true);
  expect(wantsColors(true, { TERM: "dumb" })).toBe(false);
  expect(wantsColors(false, { FORCE_COLOR: "1", NO_COLOR: "1" })).toBe(true);
  expect(wantsColors(true, { FORCE_COLOR: "0" })).toBe(false);
});
