// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { type Random, randomInt, randomUuid, seededRandom } from "./random.ts";
import { systemRandom } from "./system/random.ts";

describe.each<[string, () => Random]>([
  ["seeded", () => seededRandom(42)],
  ["system", () => systemRandom],
])("%s randomness", (_name, make) => {
  test("draws evenly from the range", () => {
    const random = make();
    const counts = [0, 0, 0, 0, 0];
    for (let draws = 0; draws < 10_000; draws++) {
      const drawn = randomInt(random, counts.length);
      counts[drawn] = (counts[drawn] ?? 0) + 1;
    }
    expect(counts.length).toBe(5);
    // The expected count is 2000 with a standard deviation of 40.
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(300);
  });

  test("gives as many bytes as asked for, all values among them", () => {
    const bytes = make().bytes(10_000);
    expect(bytes.length).toBe(10_000);
    expect(new Set(bytes).size).toBe(256);
  });

  test("makes version 4 UUIDs that differ", () => {
    const random = make();
    const uuids = Array.from({ length: 50 }, () => randomUuid(random));
    for (const uuid of uuids) {
      expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
    expect(new Set(uuids).size).toBe(50);
  });
});

test("the same seed repeats the same draws, another seed does not", () => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed);
    return [random.float(), random.float(), ...random.bytes(4)];
  };
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
});
