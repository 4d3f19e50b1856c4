// SPDX-License-Identifier: Apache-2.0
// Delays between attempts: exponential growth with full jitter, after "Exponential Backoff And Jitter"
// (AWS Architecture Blog, 2015).
import type { Random } from "./random.ts";

/** Shape of a backoff. All times in milliseconds. */
export interface BackoffOptions {
  /** Upper bound of the first delay. */
  readonly initialMs: number;
  /** Upper bound that growth stops at. */
  readonly maxMs: number;
  /** Growth per attempt; 2 when left out. */
  readonly factor?: number;
  /** Lowest delay as a share of the bound, 0 (full jitter) to 1 (none); 0 when left out. */
  readonly floor?: number;
}

/** Hands out growing, jittered delays until `reset`. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #boundMs: number;

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#boundMs = Math.min(options.initialMs, options.maxMs);
  }

  /** The next delay in milliseconds. */
  nextMs(): number {
    const boundMs = this.#boundMs;
    const { factor = 2, floor = 0, maxMs } = this.#options;
    this.#boundMs = Math.min(boundMs * factor, maxMs);
    return boundMs * (floor + (1 - floor) * this.#random.float());
  }

  /** Starts over at `initialMs`; call it once the thing waited for works again. */
  reset(): void {
    this.#boundMs = Math.min(this.#options.initialMs, this.#options.maxMs);
  }
}
