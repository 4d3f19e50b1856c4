// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import { QuietWatch } from "./quiet-watch.ts";

it("calls something quiet only when it was so twice in a row", () => {
  const watch = new QuietWatch(0);
  expect(watch.isQuiet(99, 100)).toBe(false);
  expect(watch.isQuiet(100, 100)).toBe(false);
  expect(watch.isQuiet(105, 100)).toBe(true);
  watch.touch(106);
  expect(watch.isQuiet(107, 100)).toBe(false);
  expect(watch.isQuiet(300, 100)).toBe(false);
  expect(watch.isQuiet(301, 100)).toBe(true);
});

it("does not take the first look after a stall for an answer", () => {
  const watch = new QuietWatch(0);
  expect(watch.isQuiet(1_000, 100)).toBe(false);
  // What lay in the kernel meanwhile is read before the next look.
  watch.touch(1_001);
  expect(watch.isQuiet(1_005, 100)).toBe(false);
});
