// SPDX-License-Identifier: Apache-2.0
// The live state of a service's endpoints, in columns: one small integer (the slot) names an endpoint,
// and everything that a pick reads sits in typed arrays, so that a pick allocates nothing and costs the
// same among ten endpoints as among a hundred thousand (`bench balancers`). Balancers, health and
// telemetry all read and write this one state. It knows neither clocks nor transports: times are given.
import { type DirectoryChange, type Endpoint, endpointKey } from "../endpoint.ts";

/** What stands for "no endpoint" where a slot is expected. */
export const NO_SLOT = -1;

/** Numbers kept for each slot: half a cache line, so that weighing a candidate is one memory access. */
const STRIDE = 4;
const COST = 0;
const STAMP_SCALE = 1;
const IN_FLIGHT = 2;
const WEIGHT = 3;

/** Load of an endpoint that has calls in flight but no latency yet: higher than any real one. */
const UNPROBED_LOAD = 1e200;
/** Time constants after which the scale of the averages starts over; e³⁰⁰ is well within a double. */
const SCALE_EXPONENT_MAX = 300;
/** Least part of its weight that an endpoint starts with, and how many steps lead to the whole (Envoy's idea). */
const SLOW_START_LEAST = 0.1;
const SLOW_START_STEPS = 20;

/** How fast old latencies are forgotten; see `EndpointPool`. */
export interface EndpointPoolOptions {
  /** Time constant of the latency average, ms; default 10,000 (Finagle's PeakEwma). */
  readonly decayMs?: number | undefined;
  /** Upper bound of the latency that a failing endpoint is charged with, ms; default 10,000. */
  readonly failureCostMaxMs?: number | undefined;
  /**
   * Time over which an endpoint that joins, or registers anew, grows from a tenth of its weight to all of
   * it, ms; default 0, at once. Counted from when this pool first saw it, since clocks of servers differ;
   * not applied when all endpoints are new.
   */
  readonly slowStartMs?: number | undefined;
}

/** How an attempt ended, as far as its endpoint is concerned. */
export type AttemptVerdict = "answered" | "failed" | "ignored";

/** What a balancer may read. */
export interface PoolView {
  /**
   * Counts changes of membership and of the weights that endpoints ask for; a balancer that precomputes
   * rebuilds when it moves. It does not move while an endpoint's weight grows in its slow start.
   */
  readonly version: number;
  /** Slots of all endpoints; only the first `memberCount` entries count. */
  readonly members: Int32Array;
  readonly memberCount: number;
  /** Slots to pick among: those that are up, or all when none is. First `candidateCount` entries. */
  readonly candidates: Int32Array;
  readonly candidateCount: number;
  /** Calls in flight to all of them. */
  readonly inFlightTotal: number;
  /** Whether all weights are the same, so that drawing may ignore them. */
  readonly uniform: boolean;
  readonly weightMax: number;
  readonly weightTotal: number;
  /** The endpoint of an occupied slot. */
  endpointAt(slot: number): Endpoint;
  isCandidate(slot: number): boolean;
  /** The weight as it counts now: less than the endpoint's own in its slow start. */
  weightOf(slot: number): number;
  inFlightOf(slot: number): number;
  /**
   * Peak EWMA load: expected latency times (calls in flight, for the endpoint's weight, + 1). 0 for one that
   * was never tried. Idle endpoints are thus told apart by latency alone. Loads mean something only beside
   * one another, at one moment.
   */
  latencyLoad(slot: number): number;
}

/**
 * See the head of the file. An average decays by e^(−t/τ) while nothing is heard. All of them decay alike,
 * so they are kept multiplied by e^(+t/τ) of their last change: then a comparison needs neither the time
 * nor an exponential (`bench balancers`).
 */
export class EndpointPool implements PoolView {
  readonly #decayMs: number;
  readonly #failureCostMaxMs: number;
  readonly #slowStartMs: number;
  /** When each slot in its slow start was first seen. */
  readonly #starting = new Map<number, number>();
  #nextStepMs = 0;
  readonly #slots = new Map<string, number>();
  readonly #free: number[] = [];
  #endpoints: (Endpoint | undefined)[] = [];
  #numbers = new Float64Array(0);
  /** Where the scale of the averages is 1; undefined before the first result. */
  #scaleFromMs: number | undefined;
  /** Bumped when a slot gets a new tenant, so that a late result is not booked on the wrong one. */
  #generations = new Uint32Array(0);
  #members = new Int32Array(0);
  #memberPositions = new Int32Array(0);
  #memberCount = 0;
  #up = new Int32Array(0);
  #upPositions = new Int32Array(0);
  #upCount = 0;
  /** 1 for a slot whose endpoint is thought to be dead. */
  #down = new Uint8Array(0);
  #version = 0;
  #uniform = true;
  #weightMax = 1;
  #weightTotal = 0;
  #weightMean = 1;
  #inFlightTotal = 0;

  constructor(options: EndpointPoolOptions = {}) {
    this.#decayMs = options.decayMs ?? 10_000;
    this.#failureCostMaxMs = options.failureCostMaxMs ?? 10_000;
    this.#slowStartMs = options.slowStartMs ?? 0;
  }

  get version(): number {
    return this.#version;
  }
  get members(): Int32Array {
    return this.#members;
  }
  get memberCount(): number {
    return this.#memberCount;
  }
  get candidates(): Int32Array {
    return this.#upCount > 0 ? this.#up : this.#members;
  }
  get candidateCount(): number {
    return this.#upCount > 0 ? this.#upCount : this.#memberCount;
  }
  get uniform(): boolean {
    return this.#uniform;
  }
  get weightMax(): number {
    return this.#weightMax;
  }
  get weightTotal(): number {
    return this.#weightTotal;
  }
  get inFlightTotal(): number {
    return this.#inFlightTotal;
  }
  /** Endpoints thought to be alive and willing. */
  get upCount(): number {
    return this.#upCount;
  }

  /** The slot of an endpoint, or `NO_SLOT`. */
  slotOf(endpoint: Endpoint): number {
    return this.#slots.get(endpointKey(endpoint)) ?? NO_SLOT;
  }

  endpointAt(slot: number): Endpoint {
    const endpoint = this.#endpoints[slot];
    if (endpoint === undefined) throw new RangeError(`slot ${slot} is not occupied`);
    return endpoint;
  }

  /** Names the present tenant of a slot together with the slot. */
  generationOf(slot: number): number {
    return this.#generations[slot]!;
  }

  isCandidate(slot: number): boolean {
    return this.#upCount > 0 ? this.#upPositions[slot]! >= 0 : this.#memberPositions[slot]! >= 0;
  }
  isDown(slot: number): boolean {
    return this.#down[slot] === 1;
  }
  weightOf(slot: number): number {
    return this.#numbers[slot * STRIDE + WEIGHT]!;
  }
  inFlightOf(slot: number): number {
    return this.#numbers[slot * STRIDE + IN_FLIGHT]!;
  }

  /** Takes over a difference of the directory. `nowMs` is needed for slow starts only. */
  apply(change: DirectoryChange, nowMs: number = 0): void {
    const slowly = this.#slowStartMs > 0 && this.#memberCount > change.removed.length;
    for (const endpoint of change.removed) this.#remove(endpoint);
    for (const endpoint of change.added) {
      const slot = this.#put(endpoint);
      if (slowly) this.#starting.set(slot, nowMs);
    }
    for (const endpoint of change.changed) {
      const before = this.#endpoints[this.slotOf(endpoint)];
      const slot = this.#put(endpoint);
      if (slowly && before?.path !== endpoint.path) this.#starting.set(slot, nowMs);
    }
    this.#version++;
    if (this.#starting.size > 0) this.#step(nowMs);
    else this.#measureWeights();
  }

  /** Lets weights grow that are in their slow start. Cheap when there are none; call it before a pick. */
  advance(nowMs: number): void {
    if (this.#starting.size > 0 && nowMs >= this.#nextStepMs) this.#step(nowMs);
  }

  /** Whether `advance` has something to do. */
  get starting(): boolean {
    return this.#starting.size > 0;
  }

  /** Says whether an endpoint is thought to be alive. */
  setDown(slot: number, down: boolean): void {
    this.#down[slot] = down ? 1 : 0;
    this.#place(slot);
  }

  /** Books the start of an attempt. */
  begin(slot: number): void {
    this.#numbers[slot * STRIDE + IN_FLIGHT]! += 1;
    this.#inFlightTotal++;
  }

  /**
   * Books the end of an attempt that `begin` booked. `generation` is that of the beginning: the result of
   * an endpoint that left meanwhile is dropped. A failure never counts as fast: it at least doubles the
   * expected latency, else an endpoint that fails at once would draw all calls.
   */
  end(slot: number, generation: number, latencyMs: number, nowMs: number, verdict: AttemptVerdict): void {
    if (this.#generations[slot] !== generation) return;
    const numbers = this.#numbers;
    const base = slot * STRIDE;
    numbers[base + IN_FLIGHT]! -= 1;
    this.#inFlightTotal--;
    if (verdict === "ignored") return;
    const scale = this.#scaleAt(nowMs);
    const cost = numbers[base + COST]! / scale;
    const charged =
      verdict === "failed"
        ? Math.min(Math.max(latencyMs, cost * 2, 1), Math.max(this.#failureCostMaxMs, latencyMs))
        : latencyMs;
    if (charged > cost) {
      numbers[base + COST] = charged * scale;
    } else {
      // `cost` has decayed already; the rest of the way to 0 is filled with what was just seen.
      const kept = numbers[base + STAMP_SCALE]! / scale;
      numbers[base + COST] = (charged * (1 - kept) + cost) * scale;
    }
    numbers[base + STAMP_SCALE] = scale;
  }

  latencyLoad(slot: number): number {
    const base = slot * STRIDE;
    const numbers = this.#numbers;
    const cost = numbers[base + COST]!;
    const inFlight = numbers[base + IN_FLIGHT]!;
    if (cost === 0 && inFlight > 0) return UNPROBED_LOAD * inFlight;
    if (this.#uniform) return cost * (inFlight + 1);
    const weight = numbers[base + WEIGHT]!;
    return cost * ((weight === 0 ? inFlight : (inFlight * this.#weightMean) / weight) + 1);
  }

  /** Expected latency of an endpoint, ms; 0 when it was never tried. Drifts to 0 while nothing is heard. */
  latencyOf(slot: number, nowMs: number): number {
    const cost = this.#numbers[slot * STRIDE + COST]!;
    return cost === 0 ? 0 : cost / Math.exp((nowMs - (this.#scaleFromMs ?? nowMs)) / this.#decayMs);
  }

  /** What averages of this moment are multiplied with; starts over before it gets too great. */
  #scaleAt(nowMs: number): number {
    this.#scaleFromMs ??= nowMs;
    const exponent = (nowMs - this.#scaleFromMs) / this.#decayMs;
    if (exponent <= SCALE_EXPONENT_MAX) return Math.exp(exponent);
    const factor = Math.exp(-exponent);
    const numbers = this.#numbers;
    for (let base = 0; base < numbers.length; base += STRIDE) {
      numbers[base + COST]! *= factor;
      numbers[base + STAMP_SCALE]! *= factor;
    }
    this.#scaleFromMs = nowMs;
    return 1;
  }

  #step(nowMs: number): void {
    for (const [slot, sinceMs] of this.#starting) {
      const part = Math.min(1, Math.max(SLOW_START_LEAST, (nowMs - sinceMs) / this.#slowStartMs));
      this.#numbers[slot * STRIDE + WEIGHT] = this.endpointAt(slot).weight * part;
      if (part === 1) this.#starting.delete(slot);
    }
    this.#nextStepMs = nowMs + this.#slowStartMs / SLOW_START_STEPS;
    this.#measureWeights();
  }

  #put(endpoint: Endpoint): number {
    const key = endpointKey(endpoint);
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = this.#free.pop() ?? this.#grow();
      this.#slots.set(key, slot);
      this.#generations[slot]! += 1;
      this.#numbers.fill(0, slot * STRIDE, (slot + 1) * STRIDE);
      this.#down[slot] = 0;
      this.#memberPositions[slot] = this.#memberCount;
      this.#members[this.#memberCount++] = slot;
    }
    this.#endpoints[slot] = endpoint;
    this.#numbers[slot * STRIDE + WEIGHT] = endpoint.weight;
    this.#place(slot);
    return slot;
  }

  #remove(endpoint: Endpoint): void {
    const key = endpointKey(endpoint);
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    this.#slots.delete(key);
    this.#starting.delete(slot);
    this.#endpoints[slot] = undefined;
    this.#inFlightTotal -= this.inFlightOf(slot);
    this.#generations[slot]! += 1;
    this.#memberCount = unlist(this.#members, this.#memberPositions, this.#memberCount, slot);
    this.#upCount = unlist(this.#up, this.#upPositions, this.#upCount, slot);
    this.#free.push(slot);
  }

  /** Keeps the list of those that are up in step with one slot. */
  #place(slot: number): void {
    const wanted = this.#down[slot] === 0 && this.#numbers[slot * STRIDE + WEIGHT]! > 0;
    const listed = this.#upPositions[slot]! >= 0;
    if (wanted && !listed) {
      this.#upPositions[slot] = this.#upCount;
      this.#up[this.#upCount++] = slot;
    } else if (!wanted && listed) {
      this.#upCount = unlist(this.#up, this.#upPositions, this.#upCount, slot);
    }
  }

  /** Makes room and returns the first new slot; the others become free. */
  #grow(): number {
    const before = this.#generations.length;
    const after = Math.max(8, before * 2);
    const numbers = new Float64Array(after * STRIDE);
    numbers.set(this.#numbers);
    this.#numbers = numbers;
    this.#generations = grown(this.#generations, new Uint32Array(after));
    this.#down = grown(this.#down, new Uint8Array(after));
    this.#members = grown(this.#members, new Int32Array(after));
    this.#up = grown(this.#up, new Int32Array(after));
    this.#memberPositions = grown(this.#memberPositions, new Int32Array(after).fill(NO_SLOT));
    this.#upPositions = grown(this.#upPositions, new Int32Array(after).fill(NO_SLOT));
    this.#endpoints.length = after;
    for (let slot = after - 1; slot > before; slot--) this.#free.push(slot);
    return before;
  }

  #measureWeights(): void {
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    let total = 0;
    for (let index = 0; index < this.#memberCount; index++) {
      const weight = this.weightOf(this.#members[index]!);
      if (weight === 0) continue;
      least = Math.min(least, weight);
      most = Math.max(most, weight);
      total += weight;
    }
    this.#uniform = most === 0 || most - least <= most * 1e-4;
    this.#weightMax = most === 0 ? 1 : most;
    this.#weightTotal = total;
    this.#weightMean = this.#memberCount === 0 ? 1 : total / this.#memberCount;
  }
}

function grown<T extends Int32Array | Uint32Array | Uint8Array>(old: T, fresh: T): T {
  fresh.set(old);
  return fresh;
}

/** Takes a slot out of a list by moving the last one into its place; returns the new length. */
function unlist(list: Int32Array, positions: Int32Array, count: number, slot: number): number {
  const position = positions[slot]!;
  if (position < 0) return count;
  const last = list[count - 1]!;
  list[position] = last;
  positions[last] = position;
  positions[slot] = NO_SLOT;
  return count - 1;
}
