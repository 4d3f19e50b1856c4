// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import type { Clock } from "./clock.ts";
import { deferred } from "./deferred.ts";
import { sleep, untilAborted, withTimeout } from "./wait.ts";

/** A clock whose timers fire when the test says so. */
function manualClock(): Clock & { readonly delays: number[]; fire(): void } {
  const timers = new Map<object, () => void>();
  const delays: number[] = [];
  return {
    delays,
    nowMs: () => 0,
    wallMs: () => 0,
    after(delayMs, callback) {
      const key = {};
      delays.push(delayMs);
      timers.set(key, callback);
      return { cancel: () => timers.delete(key) };
    },
    fire() {
      const due = [...timers.values()];
      timers.clear();
      for (const callback of due) callback();
    },
  };
}

/** Counts the listeners that are left on a signal. */
function countingSignal(): { readonly controller: AbortController; listeners(): number } {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  return { controller, listeners: () => listeners };
}

describe("sleep", () => {
  test("ends when its timer fires and leaves nothing on the signal", async () => {
    const clock = manualClock();
    const { controller, listeners } = countingSignal();
    const asleep = sleep(clock, 50, controller.signal);
    expect(clock.delays).toEqual([50]);
    clock.fire();
    await asleep;
    expect(listeners()).toBe(0);
  });

  test("rejects with the signal's reason, before or while it sleeps", async () => {
    const reason = new Error("stop");
    const clock = manualClock();
    await expect(sleep(clock, 1, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(clock.delays).toEqual([]);
    const controller = new AbortController();
    const asleep = sleep(clock, 1, controller.signal);
    controller.abort(reason);
    await expect(asleep).rejects.toBe(reason);
  });
});

describe("untilAborted", () => {
  test("settles as the promise does", async () => {
    const { controller, listeners } = countingSignal();
    expect(await untilAborted(Promise.resolve(1), undefined)).toBe(1);
    expect(await untilAborted(Promise.resolve(2), controller.signal)).toBe(2);
    await expect(untilAborted(Promise.reject(new Error("own")), controller.signal)).rejects.toThrow("own");
    expect(listeners()).toBe(0);
  });

  test("rejects with the reason, and a later rejection of the promise is not unhandled", async () => {
    const reason = new Error("stop");
    const unhandled: unknown[] = [];
    const onUnhandled = (error: unknown): void => {
      unhandled.push(error);
    };
    process.on("unhandledRejection", onUnhandled);
    const before = deferred<void>();
    await expect(untilAborted(before.promise, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const during = deferred<void>();
    const waiting = untilAborted(during.promise, controller.signal);
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    before.reject(new Error("late"));
    during.reject(new Error("late"));
    await new Promise((resolve) => setImmediate(resolve));
    process.removeListener("unhandledRejection", onUnhandled);
    expect(unhandled).toEqual([]);
  });
});

describe("withTimeout", () => {
  const timeoutError = (): Error => new Error("too slow");

  test("gives the task's result and cancels its timer", async () => {
    const clock = manualClock();
    const { controller, listeners } = countingSignal();
    const { signal } = controller;
    expect(await withTimeout(clock, { timeoutMs: 5, signal, timeoutError }, async () => 7)).toBe(7);
    expect(listeners()).toBe(0);
    clock.fire();
  });

  test("rejects at the timeout and aborts the task with the same error", async () => {
    const clock = manualClock();
    let seen: AbortSignal | undefined;
    const result = withTimeout(clock, { timeoutMs: 5, timeoutError }, (signal) => {
      seen = signal;
      return new Promise<never>(() => {});
    });
    clock.fire();
    const error = await result.catch((thrown: unknown) => thrown);
    expect(error).toEqual(new Error("too slow"));
    expect(seen?.reason).toBe(error);
  });

  test("rejects with the caller's reason when the caller aborts first", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const result = withTimeout(manualClock(), { timeoutMs: 5, signal, timeoutError }, () => {
      return new Promise<never>(() => {});
    });
    controller.abort(new Error("changed my mind"));
    await expect(result).rejects.toThrow("changed my mind");
  });

  test("tells a task that starts after the abort", async () => {
    const signal = AbortSignal.abort(new Error("already over"));
    let abortedAtStart = false;
    const result = withTimeout(manualClock(), { timeoutMs: 5, signal, timeoutError }, async (own) => {
      abortedAtStart = own.aborted;
    });
    await expect(result).rejects.toThrow("already over");
    expect(abortedAtStart).toBe(true);
  });
});
