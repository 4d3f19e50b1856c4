// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { UsageError } from "../usage-error.ts";
import { modeOf } from "./create.ts";

test("flags add up to a mode", () => {
  expect(modeOf({})).toBe("persistent");
  expect(modeOf({ sequential: true })).toBe("persistentSequential");
  expect(modeOf({ ephemeral: true })).toBe("ephemeral");
  expect(modeOf({ ephemeral: true, sequential: true })).toBe("ephemeralSequential");
  expect(modeOf({ container: true })).toBe("container");
  expect(modeOf({ ttl: 5 })).toBe("persistentTtl");
  expect(modeOf({ ttl: 5, sequential: true })).toBe("persistentSequentialTtl");
  expect(modeOf({ mode: "persistentTtl", ttl: 5 })).toBe("persistentTtl");
});

test("flags that contradict each other are refused", () => {
  expect(() => modeOf({ ephemeral: true, ttl: 5 })).toThrow(UsageError);
  expect(() => modeOf({ container: true, sequential: true })).toThrow(UsageError);
  expect(() => modeOf({ container: true, ephemeral: true })).toThrow(UsageError);
  expect(() => modeOf({ mode: "ephemeral", sequential: true })).toThrow(UsageError);
  expect(() => modeOf({ mode: "persistentTtl" })).toThrow(UsageError);
  expect(() => modeOf({ mode: "ephemeral", ttl: 5 })).toThrow(UsageError);
});
