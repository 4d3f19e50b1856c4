// SPDX-License-Identifier: Apache-2.0
// Watches as values: first the present state, then every later one that a reader has time for. A slow
// reader misses states in between, never the last.
import { AsyncQueue, Backoff, type Runtime, sleep } from "@meerkat/runtime";
import { isZooKeeperError } from "../errors.ts";
import { isRetryable } from "../retry.ts";
import type { CallOptions, WatchListener } from "../session/request.ts";

const RETRY_INITIAL_MS = 50;
const RETRY_MAX_MS = 5_000;

/** What a state watch needs. */
export interface StateWatchOptions<T> {
  readonly runtime: Runtime;
  /** Reads the state and leaves a watch for its next change. */
  readonly read: (watch: WatchListener, call: CallOptions) => Promise<T>;
  /** Gives up the watch that `read` left. */
  readonly release: (watch: WatchListener) => Promise<void>;
  /** Ends the iteration. */
  readonly signal: AbortSignal | undefined;
}

/**
 * Iterates over states. It outlives lost connections and renewed sessions, and ends with `return`, the
 * signal, or an error that trying again does not help (the client is closed, the ACL forbids reading).
 */
export function watchStates<T>(options: StateWatchOptions<T>): AsyncIterableIterator<T> {
  const { signal } = options;
  const stop = new AbortController();
  const onAbort = (): void => queue.end();
  const queue = new AsyncQueue<T>({
    capacity: 1,
    merge: (_waiting, latest) => latest,
    onReturn: () => {
      signal?.removeEventListener("abort", onAbort);
      stop.abort();
    },
  });
  if (signal?.aborted) queue.end();
  else signal?.addEventListener("abort", onAbort, { once: true });
  // Reports through the queue; never rejects.
  void feed(options, queue, stop.signal);
  return queue;
}

async function feed<T>(
  options: StateWatchOptions<T>,
  queue: AsyncQueue<T>,
  stop: AbortSignal,
): Promise<void> {
  const { runtime, read, release } = options;
  const backoff = new Backoff({ initialMs: RETRY_INITIAL_MS, maxMs: RETRY_MAX_MS }, runtime.random);
  let wake: (() => void) | undefined;
  let changed = false;
  const onChange = (): void => {
    changed = true;
    wake?.();
  };
  stop.addEventListener("abort", onChange, { once: true });
  while (!stop.aborted) {
    changed = false;
    try {
      queue.push(await read(onChange, { signal: stop, timeoutMs: 0 }));
      backoff.reset();
    } catch (error) {
      if (stop.aborted) break;
      if (!isRetryable(error, { idempotent: true }) || isZooKeeperError(error, "SESSION_EXPIRED")) {
        queue.fail(error);
        return;
      }
      await sleep(runtime.clock, backoff.nextMs(), stop).catch(() => {});
      continue;
    }
    if (!changed) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  // Whatever it was that ended the client has ended the watch too.
  await release(onChange).catch(() => {});
}
