// SPDX-License-Identifier: Apache-2.0
// The power of two choices: draw two, take the less loaded one (M. Mitzenmacher, 2001). Two measures of
// load: calls in flight, and Finagle's peak EWMA (expected latency times calls in flight plus one).
import { type Random, randomInt } from "@meerkat/runtime";
import { type Balancer, drawCandidate, drawUntried, type Picker, type PickRequest } from "./balancer.ts";
import { NO_SLOT, type PoolView } from "./endpoint-pool.ts";

/** Draws for a second candidate that is not the first one, where weights or tried ones are in the way. */
const SECOND_DRAWS_MAX = 8;

abstract class P2cPicker implements Picker {
  protected readonly pool: PoolView;
  readonly #random: Random;

  constructor(pool: PoolView, random: Random) {
    this.pool = pool;
    this.#random = random;
  }

  /** The slot that should get the call, of two different ones. */
  protected abstract lighter(first: number, second: number): number;

  pick(request: PickRequest): number {
    const { pool } = this;
    const random = this.#random;
    const tried = request.tried;
    const count = pool.candidateCount;
    if (pool.uniform && tried.length === 0 && count > 1) {
      const one = randomInt(random, count);
      const other = randomInt(random, count - 1);
      const candidates = pool.candidates;
      return this.lighter(candidates[one]!, candidates[other < one ? other : other + 1]!);
    }
    const first = drawUntried(pool, random, tried);
    if (first === NO_SLOT || count === 1) return first;
    for (let draws = 0; draws < SECOND_DRAWS_MAX; draws++) {
      const second = drawCandidate(pool, random);
      if (second === first || (tried.length > 0 && tried.includes(second))) continue;
      return this.lighter(first, second);
    }
    return first;
  }
}

class LeastLoadedPicker extends P2cPicker {
  protected lighter(first: number, second: number): number {
    const { pool } = this;
    // Cross-multiplied, so that a weight of 2 carries twice the calls without dividing by a weight of 0.
    const left = pool.inFlightOf(first) * pool.weightOf(second);
    const right = pool.inFlightOf(second) * pool.weightOf(first);
    return right < left ? second : first;
  }
}

class PeakEwmaPicker extends P2cPicker {
  protected lighter(first: number, second: number): number {
    const { pool } = this;
    return pool.latencyLoad(second) < pool.latencyLoad(first) ? second : first;
  }
}

/** Two draws by weight, the one with fewer calls in flight for its weight. */
export function leastLoadedBalancer(random: Random): Balancer {
  return { name: "least-loaded", picker: (pool) => new LeastLoadedPicker(pool, random) };
}

/**
 * Two draws by weight, the one with the lower expected latency times calls in flight. Reacts to a slow
 * endpoint with the first slow answer and forgives over `EndpointPoolOptions.decayMs` (after Finagle's
 * PeakEwma). One pick: no allocation, the same cost at every size.
 */
export function peakEwmaBalancer(random: Random): Balancer {
  return { name: "peak-ewma", picker: (pool) => new PeakEwmaPicker(pool, random) };
}
