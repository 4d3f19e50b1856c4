// SPDX-License-Identifier: Apache-2.0
import { type ClientState, ZooKeeperError, type ZooKeeperErrorCode } from "@meerkat/client";
import { seededRandom, silentLogger } from "@meerkat/runtime";
import { expect, test } from "vitest";
import type { RegistrarShared } from "./registrar.ts";
import { Withdrawal } from "./withdrawal.ts";

const error = (code: ZooKeeperErrorCode): ZooKeeperError => new ZooKeeperError(code, code);

/** Timers fire when told to, in the order they were set. */
function fakeClock() {
  const timers = new Set<{ readonly delayMs: number; readonly callback: () => void }>();
  return {
    timers,
    nowMs: () => 0,
    wallMs: () => 0,
    after: (delayMs: number, callback: () => void) => {
      const timer = { delayMs, callback };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    async fire(match: (delayMs: number) => boolean): Promise<void> {
      for (const timer of [...timers]) {
        if (!match(timer.delayMs)) continue;
        timers.delete(timer);
        timer.callback();
      }
      await turn();
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function withdrawal(state: ClientState, remove: () => Promise<void>) {
  const clock = fakeClock();
  const session = new AbortController();
  const client = { state, session: { lost: session.signal } };
  const runtime = { clock, random: seededRandom(1), logger: silentLogger };
  const shared = { client, root: "/rpc", runtime } as unknown as RegistrarShared;
  let finished = false;
  let waited = false;
  const done = new Withdrawal(shared, remove)
    .run(() => {
      finished = true;
    })
    .then(() => {
      waited = true;
    });
  return { clock, session, done, finished: () => finished, waited: () => waited };
}

/** Waits of the one who closes are a second or more; pauses between tries start far below. */
const isPause = (delayMs: number): boolean => delayMs < 1_000;

test("is repeated for as long as the connection breaks", async () => {
  let tries = 0;
  const { clock, done, finished } = withdrawal("connected", () =>
    ++tries < 3 ? Promise.reject(error("CONNECTION_LOSS")) : Promise.resolve(),
  );
  await turn();
  await clock.fire(isPause);
  expect(finished()).toBe(false);
  await clock.fire(isPause);
  await done;
  expect([tries, finished(), clock.timers.size]).toEqual([3, true, 0]);
});

test("is not waited for longer than allowed, and goes on", async () => {
  let away = true;
  const { clock, done, finished, waited } = withdrawal("suspended", () =>
    away ? Promise.reject(error("TIMEOUT")) : Promise.resolve(),
  );
  await turn();
  expect(waited()).toBe(false);
  await clock.fire((delayMs) => delayMs === 1_000);
  await done;
  expect(finished()).toBe(false);
  away = false;
  await clock.fire(isPause);
  expect(finished()).toBe(true);
});

test("ends when the session is lost, since it takes its ephemerals along", async () => {
  const { clock, session, finished } = withdrawal("connected", () =>
    Promise.reject(error("CONNECTION_LOSS")),
  );
  await turn();
  session.abort();
  await clock.fire(isPause);
  expect(finished()).toBe(true);
});

test("a refusal is final", async () => {
  let tries = 0;
  const { done, finished } = withdrawal("connected", () => {
    tries++;
    return Promise.reject(error("NO_AUTH"));
  });
  await done;
  expect([tries, finished()]).toEqual([1, true]);
});
