// SPDX-License-Identifier: Apache-2.0
// Waiting for a state of znodes. Every wake-up, whatever its cause (a watch, a reconnect, a new session),
// only means "look again": so an event that was missed, or that was about something else, does no harm.
import {
  type CallOptions,
  isRetryable,
  isZooKeeperError,
  type WatchListener,
  type ZooKeeperClient,
} from "@meerkat/client";
import { Backoff, type Runtime, sleep } from "@meerkat/runtime";
import { onAbort } from "./on-abort.ts";
import type { WaitScope } from "./wait-scope.ts";

const RETRY_PAUSE = { initialMs: 20, maxMs: 2_000 } as const;
/** Longest wait for the server to forget watches that a waiter leaves behind. */
const RELEASE_TIMEOUT_MS = 1_000;

/** What is waited for, and how. */
export interface Reread<T> {
  readonly client: ZooKeeperClient;
  readonly runtime: Runtime;
  readonly scope: WaitScope;
  /** Reads, leaving `watch` on what decides; undefined means "not yet", a number "look again in so many ms". */
  readonly look: (
    watch: WatchListener,
    call: CallOptions,
  ) => Promise<{ readonly found: T } | undefined | number>;
  /** Gives up the watches that `look` left. */
  readonly release?: ((watch: WatchListener, call: CallOptions) => Promise<void>) | undefined;
  /** Another source of wake-ups; returns what takes the listener back. */
  readonly onWake?: ((wake: () => void) => () => void) | undefined;
}

/**
 * Looks until something is found. Failures of the moment are outlived. Rejects with the scope's reason when
 * it ends, and with what `look` failed with for good.
 */
export async function rereadUntil<T>(options: Reread<T>): Promise<T> {
  const { client, runtime, scope, look, release, onWake } = options;
  const backoff = new Backoff(RETRY_PAUSE, runtime.random);
  let woken = false;
  let wake = (): void => {};
  const onChange = (): void => {
    woken = true;
    wake();
  };
  const stops = [client.onState(onChange), onAbort(scope.signal, onChange)];
  if (onWake !== undefined) stops.push(onWake(onChange));
  let hasWatches = false;
  try {
    for (;;) {
      scope.check();
      woken = false;
      let pauseMs: number | undefined;
      try {
        hasWatches = true;
        const outcome = await look(onChange, scope.call);
        if (typeof outcome === "object") return outcome.found;
        pauseMs = outcome;
        backoff.reset();
      } catch (error) {
        if (scope.over) throw scope.signal.reason;
        if (!isRetryable(error, { idempotent: true })) throw error;
        await sleep(runtime.clock, backoff.nextMs(), scope.signal).catch(() => {});
        continue;
      }
      if (!woken) {
        await new Promise<void>((resolve) => {
          const timer = pauseMs === undefined ? undefined : runtime.clock.after(pauseMs, resolve);
          wake = () => {
            timer?.cancel();
            resolve();
          };
        });
        wake = () => {};
      }
    }
  } finally {
    for (const stop of stops) stop();
    if (hasWatches && release !== undefined) {
      // Whatever ended the client has ended the watches too.
      await release(onChange, { timeoutMs: RELEASE_TIMEOUT_MS }).catch(() => {});
    }
  }
}

/** Runs what may be done twice until it succeeds or fails for good. Rejects with the scope's reason when it ends. */
export function untilDone(
  options: Pick<Reread<void>, "client" | "runtime" | "scope">,
  task: (call: CallOptions) => Promise<unknown>,
): Promise<void> {
  return rereadUntil({
    ...options,
    look: async (_watch, call) => {
      await task(call);
      return { found: undefined };
    },
  });
}

/** What `read` gives, or undefined where there is no znode. */
export async function orAbsent<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (isZooKeeperError(error, "NO_NODE")) return undefined;
    throw error;
  }
}
