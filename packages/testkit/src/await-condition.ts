// SPDX-License-Identifier: Apache-2.0
// Waiting in tests: poll a condition instead of sleeping for a guessed time.
import { TestkitError } from "./testkit-error.ts";

/** First pause between two checks; it doubles up to the longest one. */
const PAUSE_FIRST_MS = 1;
const PAUSE_MAX_MS = 40;
const TIMEOUT_DEFAULT_MS = 10_000;

/** How much longer than on an idle machine tests may take: `TIMING_MULTIPLE`, 1 when not set. */
export function timingMultiple(): number {
  const { TIMING_MULTIPLE = "1" } = process.env;
  const multiple = Number(TIMING_MULTIPLE);
  return Number.isFinite(multiple) && multiple > 0 ? multiple : 1;
}

/**
 * Resolves as soon as `check` gives true. A check that throws counts as false; its last error is the cause
 * of the `TIMEOUT`. `timeoutMs` (default 10 000) is multiplied by `TIMING_MULTIPLE`; `describe` completes
 * the sentence "waited N ms for …".
 */
export async function awaitCondition(
  check: () => boolean | Promise<boolean>,
  options: {
    readonly timeoutMs?: number | undefined;
    readonly describe?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<void> {
  const timeoutMs = (options.timeoutMs ?? TIMEOUT_DEFAULT_MS) * timingMultiple();
  const startMs = performance.now();
  let cause: unknown;
  for (let pauseMs = PAUSE_FIRST_MS; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS)) {
    options.signal?.throwIfAborted();
    try {
      if (await check()) return;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() - startMs > timeoutMs) {
      const what = options.describe ?? "a condition";
      throw new TestkitError("TIMEOUT", `waited ${Math.round(timeoutMs)} ms in vain for ${what}`, { cause });
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
