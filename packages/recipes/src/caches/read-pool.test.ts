// SPDX-License-Identifier: Apache-2.0
import { deferred } from "@meerkat/runtime";
import { expect, test } from "vitest";
import { ReadPool } from "./read-pool.ts";

test("runs all tasks, also those that tasks add, never more than its bound at a time", async () => {
  const pool = new ReadPool(3);
  let active = 0;
  let activeMax = 0;
  let done = 0;
  const task = (depth: number) => async (): Promise<void> => {
    activeMax = Math.max(activeMax, ++active);
    await Promise.resolve();
    if (depth > 0) for (let count = 0; count < 3; count++) pool.add(task(depth - 1));
    active--;
    done++;
  };
  pool.add(task(3));
  await pool.drained();
  expect([done, activeMax]).toEqual([40, 3]);
  await pool.drained();
});

test("the first failure drops what has not started, and the pool works again afterwards", async () => {
  const pool = new ReadPool(2);
  const held = deferred<void>();
  let started = 0;
  pool.add(() => held.promise);
  pool.add(() => Promise.reject(new Error("no")));
  for (let count = 0; count < 5; count++) {
    pool.add(async () => {
      started++;
    });
  }
  const drained = pool.drained();
  await Promise.resolve();
  held.resolve();
  await expect(drained).rejects.toThrow("no");
  expect(started).toBe(0);
  pool.add(async () => {
    started++;
  });
  await pool.drained();
  expect(started).toBe(1);
});
