// SPDX-License-Identifier: Apache-2.0
import type { Clock } from "@meerkat/runtime";

/**
 * Whole milliseconds since the client was made. Small integers cost no allocation when stored in a
 * request, which fractional times do. Rounded down, so that a time taken as "sent at" is never too late.
 */
export class TickClock {
  readonly #clock: Clock;
  readonly #originMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#originMs = clock.nowMs();
  }

  /** Now. */
  now(): number {
    return Math.floor(this.#clock.nowMs() - this.#originMs);
  }

  /** The tick of a monotonic time. */
  at(nowMs: number): number {
    return Math.floor(nowMs - this.#originMs);
  }
}
