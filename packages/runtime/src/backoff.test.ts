// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { Backoff } from "./backoff.ts";
import { type Random, seededRandom } from "./random.ts";

const highest: Random = { float: () => 1, bytes: (length) => new Uint8Array(length) };
const lowest: Random = { float: () => 0, bytes: (length) => new Uint8Array(length) };
const delays = (backoff: Backoff, count: number): number[] =>
  Array.from({ length: count }, () => backoff.nextMs());

describe("Backoff", () => {
  test("doubles its bound up to the longest and starts over after a reset", () => {
    const backoff = new Backoff({ initialMs: 10, maxMs: 50 }, highest);
    expect(delays(backoff, 5)).toEqual([10, 20, 40, 50, 50]);
    backoff.reset();
    expect(backoff.nextMs()).toBe(10);
  });

  test("grows by the factor it is given", () => {
    expect(delays(new Backoff({ initialMs: 1, maxMs: 1000, factor: 10 }, highest), 3)).toEqual([1, 10, 100]);
  });

  test("never exceeds the longest, not even at first or after a reset", () => {
    const backoff = new Backoff({ initialMs: 100, maxMs: 30 }, highest);
    expect(backoff.nextMs()).toBe(30);
    backoff.reset();
    expect(backoff.nextMs()).toBe(30);
  });

  test("jitters between the floor and the bound", () => {
    expect(new Backoff({ initialMs: 10, maxMs: 10 }, lowest).nextMs()).toBe(0);
    expect(new Backoff({ initialMs: 10, maxMs: 10, floor: 0.5 }, lowest).nextMs()).toBe(5);
    const drawn = delays(new Backoff({ initialMs: 10, maxMs: 10, floor: 0.5 }, seededRandom(1)), 1000);
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(5);
    expect(Math.max(...drawn)).toBeLessThan(10);
    expect(new Set(drawn).size).toBeGreaterThan(900);
  });
});
