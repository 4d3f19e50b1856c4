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
    const handle = setTimeout(callback, Math.min(Math.max(delayMs, 0), DELAY_MAX_MS));
    return { cancel: () => clearTimeout(handle) };
  },
};
