// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "@meerkat/runtime";
import { expect, test } from "vitest";
import { RetryBudget } from "./retry-budget.ts";

function clockAt(): Clock & { now: number } {
  return {
    now: 0,
    nowMs() {
      return this.now;
    },
    wallMs: () => 0,
    after: () => ({ cancel: () => {} }),
  };
}

function withdrawAll(budget: RetryBudget): number {
  let taken = 0;
  while (budget.tryWithdraw()) taken++;
  return taken;
}

test("allows the reserve and a share of the calls, and no more", () => {
  const budget = new RetryBudget(clockAt(), { ratio: 0.1, perSecondMin: 2, windowMs: 5_000 });
  expect(withdrawAll(budget)).toBe(10);
  for (let calls = 0; calls < 100; calls++) budget.deposit();
  expect(withdrawAll(budget)).toBe(10);
  expect(budget.tryWithdraw()).toBe(false);
});

test("what was taken comes back, and what was earned expires, when the window has passed", () => {
  const clock = clockAt();
  const budget = new RetryBudget(clock, { ratio: 0.5, perSecondMin: 1, windowMs: 10_000 });
  for (let calls = 0; calls < 10; calls++) budget.deposit();
  expect(withdrawAll(budget)).toBe(15);
  clock.now = 9_999;
  expect(withdrawAll(budget)).toBe(0);
  clock.now = 10_000;
  expect(withdrawAll(budget)).toBe(10);
  clock.now = 1_000_000;
  expect(withdrawAll(budget)).toBe(10);
});

test("without a reserve a caller that never called may not retry", () => {
  expect(new RetryBudget(clockAt(), { perSecondMin: 0 }).tryWithdraw()).toBe(false);
});
