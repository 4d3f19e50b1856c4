// SPDX-License-Identifier: Apache-2.0
// Which failures are worth another try, and a loop that tries.
import { Backoff, isCodedError, type Runtime, sleep } from "@meerkat/runtime";
import { isZooKeeperError, type ZooKeeperErrorCode } from "./errors.ts";

/** Failures of the moment: the same request may well succeed later. */
const transientCodes: ReadonlySet<ZooKeeperErrorCode> = new Set<ZooKeeperErrorCode>([
  "CONNECTION_LOSS",
  "SESSION_EXPIRED",
  "SESSION_MOVED",
  "OPERATION_TIMEOUT",
  "REQUEST_TIMEOUT",
  "THROTTLED_OP",
  "QUEUE_FULL",
  "NOT_READ_ONLY",
  "NEW_CONFIG_NO_QUORUM",
  "RECONFIG_IN_PROGRESS",
]);

/** How often and when to try again. */
export interface RetryOptions {
  /** Tries in all, the first included. Default 5. */
  readonly attemptsMax?: number | undefined;
  /** Bounds of the random delays, which double from `initialMs` (100) to `maxMs` (5,000). */
  readonly initialMs?: number | undefined;
  readonly maxMs?: number | undefined;
  /** Doing it twice does no harm, so failures of unknown effect are tried again too. Default false. */
  readonly idempotent?: boolean | undefined;
  /** Ends the loop; the last error is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * True when trying again may help and can do no harm: the failure is one of the moment, and the server
 * surely did not execute the request, or doing it twice is fine.
 */
export function isRetryable(
  error: unknown,
  options: { readonly idempotent?: boolean | undefined } = {},
): boolean {
  if (!isZooKeeperError(error) || !transientCodes.has(error.code)) return false;
  return (
    isCodedError(error) &&
    (error.effect === "none" || (error.effect === "unknown" && options.idempotent === true))
  );
}

/** Runs `task` until it succeeds, fails for good, or the tries are used up; rejects with the last error. */
export async function retry<T>(
  runtime: Runtime,
  task: (attempt: number) => Promise<T>,
  options: RetryOptions = {},
): Promise<T> {
  const { attemptsMax = 5, initialMs = 100, maxMs = 5_000, signal } = options;
  const backoff = new Backoff({ initialMs, maxMs }, runtime.random);
  for (let attempt = 1; ; attempt++) {
    try {
      return await task(attempt);
    } catch (error) {
      if (attempt >= attemptsMax || signal?.aborted || !isRetryable(error, options)) throw error;
      // An abort during the delay throws the failure, which says more than the abort.
      await sleep(runtime.clock, backoff.nextMs(), signal).catch(() => {
        throw error;
      });
    }
  }
}
