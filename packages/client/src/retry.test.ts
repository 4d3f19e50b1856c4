// SPDX-License-Identifier: Apache-2.0
import { seededRandom, systemRuntime } from "@meerkat/runtime";
import { VirtualClock } from "@meerkat/testkit";
import { expect, test } from "vitest";
import { ZooKeeperError, type ZooKeeperErrorCode } from "./errors.ts";
import { isRetryable, retry } from "./retry.ts";

const error = (code: ZooKeeperErrorCode, effect: "none" | "unknown"): ZooKeeperError =>
  new ZooKeeperError(code, code, { effect });

test("only failures of the moment are worth another try, and only where it can do no harm", () => {
  expect(isRetryable(error("CONNECTION_LOSS", "none"))).toBe(true);
  expect(isRetryable(error("CONNECTION_LOSS", "unknown"))).toBe(false);
  expect(isRetryable(error("CONNECTION_LOSS", "unknown"), { idempotent: true })).toBe(true);
  for (const code of ["NO_NODE", "BAD_VERSION", "CLOSED", "AUTH_FAILED", "ABORTED", "TIMEOUT"] as const) {
    expect(isRetryable(error(code, "none"), { idempotent: true })).toBe(false);
  }
  expect(isRetryable(new Error("other"))).toBe(false);
});

test("tries with growing delays up to the limit, then rejects with the last error", async () => {
  const clock = new VirtualClock();
  const runtime = { ...systemRuntime, clock, random: seededRandom(3) };
  const attemptsMs: number[] = [];
  const failing = retry(
    runtime,
    () => {
      attemptsMs.push(clock.nowMs());
      return Promise.reject(error("THROTTLED_OP", "none"));
    },
    { attemptsMax: 4, initialMs: 100, maxMs: 150 },
  ).catch((thrown: unknown) => thrown);
  await clock.advance(1_000);
  expect(await failing).toMatchObject({ code: "THROTTLED_OP" });
  expect(attemptsMs).toHaveLength(4);
  expect(attemptsMs[3]).toBeLessThanOrEqual(400);
});

test("an abort ends it with the failure, not with the abort", async () => {
  const clock = new VirtualClock();
  const controller = new AbortController();
  const failing = retry({ ...systemRuntime, clock }, () => Promise.reject(error("SESSION_MOVED", "none")), {
    signal: controller.signal,
  }).catch((thrown: unknown) => thrown);
  await clock.settle();
  controller.abort();
  expect(await failing).toMatchObject({ code: "SESSION_MOVED" });
});
