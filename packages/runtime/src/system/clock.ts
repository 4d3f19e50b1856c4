// SPDX-License-Identifier: Apache-2.0
// The real clock: `performance.now`, `Date.now` and Node's timers.
import { performance } from "node:perf_hooks";
import type { Clock, Timer } from "../clock.ts";

/** Longest delay that Node's timers take; a longer one would fire at once. */
const DELAY_MAX_MS = 0x7fffffff;

/** The process's monotonic and wall clocks. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs: number, callback: () => void): Timer {
    const dueMs = performance.now() + delayMs;
    const arm = (leftMs: number): NodeJS.Timeout =>
      setTimeout(fire, Math.min(Math.max(Math.ceil(leftMs), 0), DELAY_MAX_MS));
    // Node counts in whole milliseconds and may fire early by a part of one: whoever reads the clock in
    // the callback must find the time to have come.
    const fire = (): void => {
      const leftMs = dueMs - performance.now();
      if (leftMs > 0) handle = arm(leftMs);
      else callback();
    };
    let handle = arm(delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
