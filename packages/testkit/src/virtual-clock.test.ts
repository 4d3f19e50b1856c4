// SPDX-License-Identifier: Apache-2.0
import { seededRandom, sleep } from "@meerkat/runtime";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "./virtual-clock.ts";

describe("VirtualClock", () => {
  test("stands still until it is advanced, and moves by exactly that much", async () => {
    const clock = new VirtualClock({ wallMs: 1000 });
    expect([clock.nowMs(), clock.wallMs()]).toEqual([0, 1000]);
    await clock.advance(12.5);
    expect([clock.nowMs(), clock.wallMs()]).toEqual([12.5, 1012]);
    clock.jumpWall(-500);
    expect([clock.nowMs(), clock.wallMs()]).toEqual([12.5, 512]);
  });

  test("fires timers in order of their time, ties in the order they were set", async () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    for (const [name, delayMs] of [
      ["late", 30],
      ["tie 1", 10],
      ["tie 2", 10],
      ["now", 0],
      ["past", -5],
      ["beyond", 31],
    ] as const) {
      clock.after(delayMs, () => fired.push(`${name} at ${clock.nowMs()}`));
    }
    await clock.advance(30);
    expect(fired).toEqual(["now at 0", "past at 0", "tie 1 at 10", "tie 2 at 10", "late at 30"]);
    expect([clock.timers, clock.nextTimerMs]).toEqual([1, 1]);
  });

  test("lets promises settle between two timers", async () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    const work = (async () => {
      for (let round = 1; round <= 3; round++) {
        await sleep(clock, 10);
        await Promise.resolve();
        seen.push(`slept to ${clock.nowMs()}`);
      }
    })();
    clock.after(15, () => seen.push("timer at 15"));
    await clock.advance(100);
    await work;
    expect(seen).toEqual(["slept to 10", "timer at 15", "slept to 20", "slept to 30"]);
  });

  test("does not fire cancelled timers, also those cancelled by an earlier timer", async () => {
    const clock = new VirtualClock();
    let fired = 0;
    const first = clock.after(1, () => fired++);
    const third = clock.after(3, () => fired++);
    clock.after(2, () => third.cancel());
    first.cancel();
    first.cancel();
    expect(clock.timers).toBe(2);
    await clock.advance(10);
    expect([fired, clock.timers, clock.nextTimerMs]).toEqual([0, 0, undefined]);
  });

  test("keeps any number of timers in order", async () => {
    const clock = new VirtualClock();
    const random = seededRandom(3);
    const fired: number[] = [];
    const timers = Array.from({ length: 300 }, () => {
      const delayMs = Math.floor(random.float() * 50);
      return { delayMs, timer: clock.after(delayMs, () => fired.push(delayMs)) };
    });
    const kept = timers.filter(({ timer }, index) => {
      if (index % 3 === 0) timer.cancel();
      return index % 3 !== 0;
    });
    await clock.advance(50);
    expect(fired).toEqual(kept.map(({ delayMs }) => delayMs).sort((left, right) => left - right));
  });

  test("advances from timer to timer", async () => {
    const clock = new VirtualClock();
    clock.after(7, () => {});
    expect(await clock.advanceToNext()).toBe(true);
    expect(clock.nowMs()).toBe(7);
    expect(await clock.advanceToNext()).toBe(false);
  });

  test("passes on what a timer's callback throws", async () => {
    const clock = new VirtualClock();
    clock.after(1, () => {
      throw new Error("in the callback");
    });
    await expect(clock.advance(1)).rejects.toThrow("in the callback");
  });
});
