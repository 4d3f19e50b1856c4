// SPDX-License-Identifier: Apache-2.0
// Equal keys to equal endpoints, with little moving when members change: ring, Maglev table, rendezvous.
// A key's endpoint that is down or tried hands over to the next in that key's own order, so the others'
// keys stay where they are. With a load factor no endpoint gets more than that share above its due
// (V. Mirrokni et al., "Consistent Hashing with Bounded Loads", 2016). Calls without a key go anywhere.
import type { Random } from "@meerkat/runtime";
import { type Balancer, drawUntried, firstUntried, type Picker, type PickRequest } from "./balancer.ts";
import { NO_SLOT, type PoolView } from "./endpoint-pool.ts";
import { hash32, mix32 } from "./hash.ts";

/** Options of all consistent hashing. */
export interface ConsistentHashOptions {
  /** For calls without a key. */
  readonly random: Random;
  /**
   * Most calls in flight at one endpoint, as a multiple of its due share of all; 1.25 is a good value.
   * Without it keys alone decide.
   */
  readonly loadFactor?: number | undefined;
}

abstract class HashPicker implements Picker {
  protected readonly pool: PoolView;
  readonly #random: Random;
  readonly #loadFactor: number | undefined;
  #version = -1;

  constructor(pool: PoolView, options: ConsistentHashOptions) {
    this.pool = pool;
    this.#random = options.random;
    this.#loadFactor = options.loadFactor;
  }

  /**
   * Prepares for the present members. By the weights that endpoints ask for, not by those of a slow start:
   * a key should move once.
   */
  protected abstract rebuild(): void;

  /** The first slot in the order of this hash that `accepts`, or `NO_SLOT`. */
  protected abstract find(hash: number, tried: readonly number[], bounded: boolean): number;

  pick(request: PickRequest): number {
    const { pool } = this;
    if (request.key === undefined) return drawUntried(pool, this.#random, request.tried);
    if (pool.candidateCount === 0) return NO_SLOT;
    if (this.#version !== pool.version) {
      this.rebuild();
      this.#version = pool.version;
    }
    const hash = hash32(request.key);
    if (this.#loadFactor !== undefined) {
      const slot = this.find(hash, request.tried, true);
      if (slot !== NO_SLOT) return slot;
    }
    const slot = this.find(hash, request.tried, false);
    // Only where all weights are 0 is there a candidate that no table has.
    return slot === NO_SLOT ? firstUntried(pool, request.tried, 0) : slot;
  }

  /** Whether a slot may be taken. */
  protected accepts(slot: number, tried: readonly number[], bounded: boolean): boolean {
    const { pool } = this;
    if (!pool.isCandidate(slot) || tried.includes(slot)) return false;
    if (!bounded) return true;
    const share = pool.weightOf(slot) / pool.weightTotal;
    return pool.inFlightOf(slot) < Math.ceil(this.#loadFactor! * (pool.inFlightTotal + 1) * share);
  }
}

function ownWeights(pool: PoolView): number[] {
  return Array.from(pool.members.subarray(0, pool.memberCount), (slot) => pool.endpointAt(slot).weight);
}

/** Points of the ring for each endpoint of average weight, where the ring has room for it. */
const POINTS_PER_ENDPOINT = 160;
/** Points of a whole ring: more would make a change of members stall the process. */
const RING_POINTS_MAX = 1 << 18;
/** Numbers below this stand for an endpoint when points are sorted; with 32 bits of hash they fill a double. */
const MEMBERS_MAX = 1 << 21;

class RingPicker extends HashPicker {
  #hashes = new Uint32Array(0);
  #slots = new Int32Array(0);

  protected rebuild(): void {
    const { pool } = this;
    const count = pool.memberCount;
    const target = Math.min(Math.max(1_024, count * POINTS_PER_ENDPOINT), RING_POINTS_MAX);
    const points: number[] = [];
    const weightTotal = ownWeights(pool).reduce((total, weight) => total + weight, 0);
    for (let index = 0; index < Math.min(count, MEMBERS_MAX); index++) {
      const slot = pool.members[index]!;
      const weight = pool.endpointAt(slot).weight;
      if (weight === 0) continue;
      const own = hash32(pool.endpointAt(slot).id);
      const copies = Math.max(1, Math.round((target * weight) / weightTotal));
      for (let copy = 0; copy < copies; copy++) {
        points.push(mix32(own + Math.imul(copy, 0x9e3779b9)) * MEMBERS_MAX + index);
      }
    }
    const sorted = Float64Array.from(points).sort();
    this.#hashes = Uint32Array.from(sorted, (point) => Math.floor(point / MEMBERS_MAX));
    this.#slots = Int32Array.from(sorted, (point) => pool.members[point % MEMBERS_MAX]!);
  }

  protected find(hash: number, tried: readonly number[], bounded: boolean): number {
    const hashes = this.#hashes;
    const length = hashes.length;
    let low = 0;
    for (let high = length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (hashes[middle]! < hash) low = middle + 1;
      else high = middle;
    }
    for (let step = 0; step < length; step++) {
      const slot = this.#slots[(low + step) % length]!;
      if (this.accepts(slot, tried, bounded)) return slot;
    }
    return NO_SLOT;
  }
}

/** Primes for the table: Maglev wants a hundred times the members (Eisenbud et al., NSDI 2016). */
const MAGLEV_SIZES = [65_537, 655_373] as const;

class MaglevPicker extends HashPicker {
  #table = new Int32Array(0);

  protected rebuild(): void {
    const { pool } = this;
    const count = pool.memberCount;
    const size = count * 100 <= MAGLEV_SIZES[0] ? MAGLEV_SIZES[0] : MAGLEV_SIZES[1];
    const table = new Int32Array(size).fill(NO_SLOT);
    // In the order of their names, so that all clients fill the same table.
    const slots = Array.from(pool.members.subarray(0, count))
      .filter((slot) => pool.endpointAt(slot).weight > 0)
      .sort((left, right) => (pool.endpointAt(left).id < pool.endpointAt(right).id ? -1 : 1));
    const next = slots.map((slot) => hash32(pool.endpointAt(slot).id, 1) % size);
    const skip = slots.map((slot) => (hash32(pool.endpointAt(slot).id, 2) % (size - 1)) + 1);
    const weights = slots.map((slot) => pool.endpointAt(slot).weight);
    const weightMax = weights.reduce((most, weight) => Math.max(most, weight), 0);
    const credit = new Float64Array(slots.length);
    for (let filled = 0; filled < size && slots.length > 0; ) {
      for (let index = 0; index < slots.length && filled < size; index++) {
        // An endpoint of half the greatest weight takes every second turn.
        credit[index]! += weights[index]! / weightMax;
        if (credit[index]! < 1) continue;
        credit[index]! -= 1;
        let position = next[index]!;
        while (table[position] !== NO_SLOT) position = (position + skip[index]!) % size;
        table[position] = slots[index]!;
        next[index] = position;
        filled++;
      }
    }
    this.#table = table;
  }

  protected find(hash: number, tried: readonly number[], bounded: boolean): number {
    const table = this.#table;
    const size = table.length;
    const start = hash % size;
    for (let step = 0; step < size; step++) {
      const slot = table[(start + step) % size]!;
      if (slot !== NO_SLOT && this.accepts(slot, tried, bounded)) return slot;
    }
    return NO_SLOT;
  }
}

class RendezvousPicker extends HashPicker {
  /** By slot. */
  #hashes = new Uint32Array(0);

  protected rebuild(): void {
    const { pool } = this;
    this.#hashes = new Uint32Array(pool.members.length);
    for (let index = 0; index < pool.memberCount; index++) {
      const slot = pool.members[index]!;
      this.#hashes[slot] = hash32(pool.endpointAt(slot).id);
    }
  }

  protected find(hash: number, tried: readonly number[], bounded: boolean): number {
    const { pool } = this;
    let best = NO_SLOT;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let index = 0; index < pool.candidateCount; index++) {
      const slot = pool.candidates[index]!;
      if (!this.accepts(slot, tried, bounded)) continue;
      const uniform = (mix32(hash ^ mix32(this.#hashes[slot]!)) + 0.5) / 0x1_0000_0000;
      const score = -pool.endpointAt(slot).weight / Math.log(uniform);
      // Ties are broken by the hash, not by the slot: slots differ from client to client.
      if (score > bestScore || (score === bestScore && this.#hashes[slot]! > this.#hashes[best]!)) {
        best = slot;
        bestScore = score;
      }
    }
    return best;
  }
}

/** A ring of points. Cheap to change; uneven by some ten percent. */
export function ringHashBalancer(options: ConsistentHashOptions): Balancer {
  return { name: "ring-hash", picker: (pool) => new RingPicker(pool, options) };
}

/** A Maglev table. The most even, and one memory access a pick; a change moves a few keys more. */
export function maglevBalancer(options: ConsistentHashOptions): Balancer {
  return { name: "maglev", picker: (pool) => new MaglevPicker(pool, options) };
}

/** The highest of all scores. Exact and without any table, for up to some hundred endpoints. */
export function rendezvousBalancer(options: ConsistentHashOptions): Balancer {
  return { name: "rendezvous", picker: (pool) => new RendezvousPicker(pool, options) };
}
