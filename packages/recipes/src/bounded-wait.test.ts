// SPDX-License-Identifier: Apache-2.0
import { type Clock, deferred } from "@meerkat/runtime";
import { expect, test } from "vitest";
import { waitForClosing } from "./bounded-wait.ts";

/** A clock whose timers fire when the test says so. */
function handClock(): { readonly clock: Clock; readonly timers: Set<() => void> } {
  const timers = new Set<() => void>();
  const after = (_delayMs: number, callback: () => void): { cancel(): void } => {
    timers.add(callback);
    return { cancel: () => timers.delete(callback) };
  };
  return { clock: { nowMs: () => 0, wallMs: () => 0, after }, timers };
}

test("waits for the work, and leaves no timer behind", async () => {
  const { clock, timers } = handClock();
  const work = deferred<void>();
  let over = false;
  const waiting = waitForClosing(clock, work.promise).then(() => {
    over = true;
  });
  await Promise.resolve();
  expect([over, timers.size]).toEqual([false, 1]);
  work.resolve();
  await waiting;
  expect(timers.size).toBe(0);
});

test("goes without the work when that takes too long", async () => {
  const { clock, timers } = handClock();
  const work = deferred<void>();
  const waiting = waitForClosing(clock, work.promise);
  for (const fire of timers) fire();
  await waiting;
  work.resolve();
});
