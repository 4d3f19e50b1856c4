// SPDX-License-Identifier: Apache-2.0
// Time as a dependency. Everything in Meerkat that waits or measures takes a `Clock`, so that the same
// code runs under the virtual clock of the testkit. Nothing but `system/clock.ts` reads the real time.

/** A pending timer. `cancel` is idempotent and may be called after the timer fired. */
export interface Timer {
  cancel(): void;
}

/** Source of time. Durations and deadlines always come from `nowMs`, never from `wallMs`. */
export interface Clock {
  /** Monotonic milliseconds with a fractional part. Never goes back; its origin has no meaning. */
  nowMs(): number;
  /** Wall-clock milliseconds since 1970. May jump; only for values shown to people or stored. */
  wallMs(): number;
  /**
   * Calls `callback` once, `delayMs` milliseconds from now or later. Delays below zero count as zero.
   * A timer keeps the process alive until it fires or is cancelled.
   */
  after(delayMs: number, callback: () => void): Timer;
}
