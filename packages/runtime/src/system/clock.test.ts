// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { sleep } from "../wait.ts";
import { systemClock } from "./clock.ts";

describe("systemClock", () => {
  test("never fires before the time has come by its own count", async () => {
    for (const delayMs of [0, 0.3, 1, 1.7, 2.5, 3.9, 5.1]) {
      for (let round = 0; round < 10; round++) {
        const dueMs = systemClock.nowMs() + delayMs;
        await sleep(systemClock, delayMs);
        expect(systemClock.nowMs()).toBeGreaterThanOrEqual(dueMs);
      }
    }
  });

  test("takes negative delays for zero", async () => {
    await sleep(systemClock, -5);
  });

  test("a cancelled timer does not fire, and cancelling again or late does nothing", async () => {
    let fired = false;
    const timer = systemClock.after(1, () => {
      fired = true;
    });
    timer.cancel();
    timer.cancel();
    await sleep(systemClock, 5);
    expect(fired).toBe(false);
    const late = systemClock.after(0, () => {});
    await sleep(systemClock, 3);
    late.cancel();
  });

  test("does not fire at once for a delay beyond what Node's timers take", async () => {
    let fired = false;
    const timers = [2 ** 31, 1e12, Number.POSITIVE_INFINITY].map((delayMs) =>
      systemClock.after(delayMs, () => {
        fired = true;
      }),
    );
    await sleep(systemClock, 5);
    for (const timer of timers) timer.cancel();
    expect(fired).toBe(false);
  });

  test("the wall clock shows the time since 1970", () => {
    expect(Math.abs(systemClock.wallMs() - Date.now())).toBeLessThan(1000);
  });
});
