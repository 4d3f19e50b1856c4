// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "@meerkat/runtime";
import { describe, expect, test } from "vitest";
import { WaitScope } from "./wait-scope.ts";

/** A clock with one timer, which fires when the test says so. */
function oneTimer(): Clock & { readonly armed: boolean; fire(): void } {
  let pending: (() => void) | undefined;
  return {
    get armed() {
      return pending !== undefined;
    },
    nowMs: () => 0,
    wallMs: () => 0,
    after(_delayMs, callback) {
      pending = callback;
      return {
        cancel: () => {
          pending = undefined;
        },
      };
    },
    fire() {
      const callback = pending;
      pending = undefined;
      callback?.();
    },
  };
}

describe("WaitScope", () => {
  test("ends at its limit, with a reason that says what was given up", () => {
    const clock = oneTimer();
    const scope = new WaitScope(clock, { timeoutMs: 50 }, "waiting for /l", "/l");
    scope.check();
    expect(scope.explain("failure")).toBe("failure");
    clock.fire();
    expect(scope.over).toBe(true);
    expect(scope.signal.reason).toMatchObject({
      code: "TIMEOUT",
      message: "gave up waiting for /l after 50 ms (TIMEOUT)",
      context: { path: "/l", timeoutMs: 50 },
    });
    expect(() => scope.check()).toThrow("gave up waiting for /l");
    expect(scope.explain("failure")).toBe(scope.signal.reason);
  });

  test("ends with the caller's signal, also one that has aborted before", () => {
    for (const isEarly of [true, false]) {
      const clock = oneTimer();
      const controller = new AbortController();
      if (isEarly) controller.abort("enough");
      const { signal } = controller;
      const scope = new WaitScope(clock, { timeoutMs: 50, signal }, "waiting", "/l");
      if (!isEarly) controller.abort("enough");
      expect(scope.signal.reason).toMatchObject({ code: "ABORTED", cause: "enough" });
      scope.end();
      expect(clock.armed).toBe(false);
    }
  });

  test("without a limit it arms no timer, and after its end nothing reaches it", () => {
    const clock = oneTimer();
    const controller = new AbortController();
    const scope = new WaitScope(clock, { timeoutMs: 0, signal: controller.signal }, "waiting", "/l");
    expect(clock.armed).toBe(false);
    scope.end();
    controller.abort();
    expect(scope.over).toBe(false);
  });

  test("refuses a limit that is none", () => {
    expect(() => new WaitScope(oneTimer(), { timeoutMs: Number.NaN }, "waiting", "/l")).toThrow(
      "timeoutMs must",
    );
    expect(() => new WaitScope(oneTimer(), { timeoutMs: -1 }, "waiting", "/l")).toThrow("timeoutMs must");
  });
});
