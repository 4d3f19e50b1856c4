// SPDX-License-Identifier: Apache-2.0
// The seam between "who is there" and "who gets this call". A balancer is a recipe; bound to a pool it
// gives a picker. Pickers are synchronous and allocate nothing.
import { type Random, randomInt } from "@meerkat/runtime";
import { NO_SLOT, type PoolView } from "./endpoint-pool.ts";

/** What a pick may look at beside the pool. */
export interface PickRequest {
  /** Hash key of the call, for consistent hashing; other balancers ignore it. */
  readonly key?: string | undefined;
  /** Slots that this call has already tried: they are not picked again. */
  readonly tried: readonly number[];
}

/** Chooses endpoints of one pool. */
export interface Picker {
  /** The slot to try, one of `pool.candidates` and none of `request.tried`; `NO_SLOT` if there is none. */
  pick(request: PickRequest): number;
}

/** A way of choosing; may be bound to many pools. */
export interface Balancer {
  /** For people: "random", "peak-ewma". */
  readonly name: string;
  /** Binds to a pool. The pool changes under the picker; `pool.version` says when membership did. */
  picker(pool: PoolView): Picker;
}

/** Draws before giving up on a fair draw: enough for a weight 30 times below the greatest. */
const DRAWS_MAX = 32;
/** Draws that may hit an endpoint already tried, before looking at them one by one. */
const REDRAWS_MAX = 8;

/** A candidate drawn in proportion to weight, or `NO_SLOT`. Uniform when the weights are equal. */
export function drawCandidate(pool: PoolView, random: Random): number {
  const count = pool.candidateCount;
  if (count === 0) return NO_SLOT;
  const candidates = pool.candidates;
  let slot = candidates[randomInt(random, count)]!;
  if (pool.uniform) return slot;
  // Rejection sampling needs no table, so a change of weights costs nothing.
  for (let draws = 1; draws < DRAWS_MAX && random.float() * pool.weightMax >= pool.weightOf(slot); draws++) {
    slot = candidates[randomInt(random, count)]!;
  }
  return slot;
}

/** Like `drawCandidate`, but none of `tried`. */
export function drawUntried(pool: PoolView, random: Random, tried: readonly number[]): number {
  if (tried.length === 0) return drawCandidate(pool, random);
  for (let draws = 0; draws < REDRAWS_MAX; draws++) {
    const slot = drawCandidate(pool, random);
    if (slot === NO_SLOT || !tried.includes(slot)) return slot;
  }
  const count = pool.candidateCount;
  return firstUntried(pool, tried, count === 0 ? 0 : randomInt(random, count));
}

/** The first candidate at or after `start` (wrapping) that is none of `tried`, or `NO_SLOT`. */
export function firstUntried(pool: PoolView, tried: readonly number[], start: number): number {
  const count = pool.candidateCount;
  const candidates = pool.candidates;
  for (let step = 0; step < count; step++) {
    const slot = candidates[(start + step) % count]!;
    if (!tried.includes(slot)) return slot;
  }
  return NO_SLOT;
}
