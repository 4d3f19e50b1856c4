// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { mapConcurrently } from "./concurrently.ts";

test("keeps the order of the items and the limit", async () => {
  let running = 0;
  let most = 0;
  const results = await mapConcurrently([5, 1, 4, 2, 3], 2, async (item) => {
    running++;
    most = Math.max(most, running);
    for (let turn = 0; turn < item; turn++) await Promise.resolve();
    running--;
    return item * 10;
  });
  expect(results).toEqual([50, 10, 40, 20, 30]);
  expect(most).toBe(2);
});

test("stops at the first failure and rejects with it", async () => {
  const done: number[] = [];
  const failing = mapConcurrently([1, 2, 3, 4, 5, 6], 2, async (item) => {
    if (item === 2) throw new Error("no");
    await Promise.resolve();
    done.push(item);
  });
  await expect(failing).rejects.toThrow("no");
  expect(done.length).toBeLessThan(5);
});
