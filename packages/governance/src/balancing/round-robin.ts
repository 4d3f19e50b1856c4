// SPDX-License-Identifier: Apache-2.0
// Turns: plain ones, and turns in proportion to weight by earliest deadline first, as gRPC's weighted
// round robin does it (proposal A58).
import { type Random, randomInt } from "@meerkat/runtime";
import { type Balancer, firstUntried, type Picker, type PickRequest } from "./balancer.ts";
import { NO_SLOT, type PoolView } from "./endpoint-pool.ts";

/** One after the other, from a random start, so that many clients do not march in step. Ignores weights. */
export function roundRobinBalancer(random: Random): Balancer {
  return {
    name: "round-robin",
    picker: (pool) => {
      let turn = randomInt(random, 0x4000_0000);
      return {
        pick: (request) => {
          const count = pool.candidateCount;
          if (count === 0) return NO_SLOT;
          turn = (turn + 1) % 0x4000_0000;
          return firstUntried(pool, request.tried, turn % count);
        },
      };
    },
  };
}

/**
 * A heap of slots by deadline, in virtual time: each endpoint's turns are 1/weight apart, so they are
 * spread evenly and not in bunches. A change of weights or members keeps the deadlines of those who stay:
 * starting over would feed the first ones again (a known fault of smooth weighted round robin).
 */
class WeightedTurns implements Picker {
  readonly #pool: PoolView;
  readonly #random: Random;
  #version = -1;
  #heap = new Int32Array(0);
  #size = 0;
  /** By slot. */
  #deadlines = new Float64Array(0);
  #time = 0;

  constructor(pool: PoolView, random: Random) {
    this.#pool = pool;
    this.#random = random;
  }

  pick(request: PickRequest): number {
    const pool = this.#pool;
    if (this.#version !== pool.version) this.#rebuild();
    const { tried } = request;
    if (tried.length > 0) return this.#earliest(tried);
    // Those that are down pass their turn, so that they do not come back with a debt.
    for (let passed = 0; passed < this.#size; passed++) {
      const slot = this.#heap[0]!;
      this.#time = this.#deadlines[slot]!;
      this.#deadlines[slot] = this.#time + 1 / pool.weightOf(slot);
      this.#sink(0);
      if (pool.isCandidate(slot)) return slot;
    }
    return firstUntried(pool, tried, 0);
  }

  /** For a second try: the next in turn that was not tried. Costs a look at all, so only failures use it. */
  #earliest(tried: readonly number[]): number {
    let best = NO_SLOT;
    for (let index = 0; index < this.#size; index++) {
      const slot = this.#heap[index]!;
      if (tried.includes(slot) || !this.#pool.isCandidate(slot)) continue;
      if (best === NO_SLOT || this.#deadlines[slot]! < this.#deadlines[best]!) best = slot;
    }
    return best === NO_SLOT ? firstUntried(this.#pool, tried, 0) : best;
  }

  #rebuild(): void {
    const pool = this.#pool;
    const known = new Set(this.#heap.subarray(0, this.#size));
    if (this.#deadlines.length < pool.members.length) {
      const deadlines = new Float64Array(pool.members.length);
      deadlines.set(this.#deadlines);
      this.#deadlines = deadlines;
      this.#heap = new Int32Array(pool.members.length);
    }
    this.#size = 0;
    for (let index = 0; index < pool.memberCount; index++) {
      const slot = pool.members[index]!;
      const weight = pool.weightOf(slot);
      if (weight === 0) continue;
      const period = 1 / weight;
      this.#deadlines[slot] = known.has(slot)
        ? Math.min(Math.max(this.#deadlines[slot]!, this.#time), this.#time + period)
        : this.#time + this.#random.float() * period;
      this.#heap[this.#size++] = slot;
    }
    for (let index = (this.#size >> 1) - 1; index >= 0; index--) this.#sink(index);
    this.#version = pool.version;
  }

  #sink(start: number): void {
    const heap = this.#heap;
    const deadlines = this.#deadlines;
    const slot = heap[start]!;
    const deadline = deadlines[slot]!;
    let index = start;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.#size) break;
      const right = child + 1;
      if (right < this.#size && deadlines[heap[right]!]! < deadlines[heap[child]!]!) child = right;
      if (deadlines[heap[child]!]! >= deadline) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = slot;
  }
}

/** Turns in proportion to weight, evenly spread. One pick costs the logarithm of the size. */
export function weightedRoundRobinBalancer(random: Random): Balancer {
  return { name: "weighted-round-robin", picker: (pool) => new WeightedTurns(pool, random) };
}
