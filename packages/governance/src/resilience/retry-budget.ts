// SPDX-License-Identifier: Apache-2.0
// A bound on how much load retries may add: every call deposits a fraction of a retry, every retry
// withdraws one, old entries expire (after Finagle's RetryBudget). One budget serves all calls to a
// service, so a failing service sees at most `ratio` more calls, however many callers retry.
import type { Clock } from "@meerkat/runtime";

/** Size of a budget. */
export interface RetryBudgetOptions {
  /** Retries allowed per call; default 0.2 (20 % extra load at most). */
  readonly ratio?: number | undefined;
  /** Retries per second that are always allowed, so that a quiet caller can retry at all; default 10. */
  readonly perSecondMin?: number | undefined;
  /** How long deposits and withdrawals count, ms; default 10,000. */
  readonly windowMs?: number | undefined;
}

const BUCKETS = 10;

/** See the head of the file. Allocates nothing after construction. */
export class RetryBudget {
  readonly #clock: Clock;
  readonly #ratio: number;
  readonly #reserve: number;
  readonly #bucketMs: number;
  readonly #deposits = new Float64Array(BUCKETS);
  readonly #withdrawals = new Float64Array(BUCKETS);
  #bucket = 0;
  #bucketEndMs: number;

  constructor(clock: Clock, options: RetryBudgetOptions = {}) {
    const { ratio = 0.2, perSecondMin = 10, windowMs = 10_000 } = options;
    this.#clock = clock;
    this.#ratio = ratio;
    this.#reserve = (perSecondMin * windowMs) / 1_000;
    this.#bucketMs = windowMs / BUCKETS;
    this.#bucketEndMs = clock.nowMs() + this.#bucketMs;
  }

  /** Retries that may be made at this moment. */
  get balance(): number {
    this.#roll();
    let balance = this.#reserve;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      balance += this.#deposits[bucket]! * this.#ratio - this.#withdrawals[bucket]!;
    }
    return balance;
  }

  /** Books one call (not one attempt). */
  deposit(): void {
    this.#roll();
    this.#deposits[this.#bucket]! += 1;
  }

  /** Takes one retry; false, and nothing taken, when the budget is spent. */
  tryWithdraw(): boolean {
    // A tolerance, since adding tenths is not exact.
    if (this.balance < 1 - 1e-9) return false;
    this.#withdrawals[this.#bucket]! += 1;
    return true;
  }

  /** Moves on to the bucket of this moment, emptying those that expired. */
  #roll(): void {
    const nowMs = this.#clock.nowMs();
    for (let steps = 0; nowMs >= this.#bucketEndMs; steps++) {
      if (steps === BUCKETS) {
        this.#bucketEndMs = nowMs + this.#bucketMs;
        return;
      }
      this.#bucket = (this.#bucket + 1) % BUCKETS;
      this.#deposits[this.#bucket] = 0;
      this.#withdrawals[this.#bucket] = 0;
      this.#bucketEndMs += this.#bucketMs;
    }
  }
}
