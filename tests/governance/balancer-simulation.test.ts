// SPDX-License-Identifier: Apache-2.0
// Balancers against a queueing model: Poisson arrivals, replicas that serve a few calls at once with
// exponential service times and queue the rest. Seeded, so every run is the same.
import {
  type AttemptVerdict,
  type Balancer,
  EndpointPool,
  emptyEndpointSet,
  endpoint,
  endpointDifference,
  leastLoadedBalancer,
  peakEwmaBalancer,
  randomBalancer,
} from "@meerkat/governance";
import { type Random, seededRandom } from "@meerkat/runtime";
import { expect, test } from "vitest";

const REPLICAS = 10;
const PARALLEL = 4;
const MEAN_MS = 10;
const CALLS = 40_000;
/** The first fifth is warm-up. */
const COUNTED_FROM = CALLS / 5;

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** Events by time, then by order of making. */
class Agenda {
  readonly #heap: Event[] = [];
  #order = 0;
  nowMs = 0;

  at(atMs: number, run: () => void): void {
    const heap = this.#heap;
    heap.push({ atMs, order: this.#order++, run });
    for (let index = heap.length - 1; index > 0; ) {
      const parent = (index - 1) >> 1;
      if (!this.#before(index, parent)) break;
      [heap[index], heap[parent]] = [heap[parent]!, heap[index]!];
      index = parent;
    }
  }

  run(): void {
    const heap = this.#heap;
    for (let next = heap[0]; next !== undefined; next = heap[0]) {
      const last = heap.pop()!;
      if (heap.length > 0) {
        heap[0] = last;
        for (let index = 0; ; ) {
          let child = 2 * index + 1;
          if (child >= heap.length) break;
          if (child + 1 < heap.length && this.#before(child + 1, child)) child++;
          if (!this.#before(child, index)) break;
          [heap[index], heap[child]] = [heap[child]!, heap[index]!];
          index = child;
        }
      }
      this.nowMs = next.atMs;
      next.run();
    }
  }

  #before(left: number, right: number): boolean {
    const one = this.#heap[left]!;
    const other = this.#heap[right]!;
    return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
  }
}

interface Scenario {
  /** Part of the whole capacity that calls ask for. */
  readonly load: number;
  readonly clients: number;
  /** How the first replica behaves. */
  readonly first: "like the others" | "twenty times slower" | "failing at once";
}

/** Runs a scenario; latencies in ms of the calls that succeeded, sorted. */
function simulate(make: (random: Random) => Balancer, scenario: Scenario) {
  const random = seededRandom(11);
  const agenda = new Agenda();
  const exponential = (meanMs: number): number => -Math.log(1 - random.float()) * meanMs;
  const endpoints = Array.from({ length: REPLICAS }, (_, index) => endpoint({ host: `${index}`, port: 1 }));
  const change = endpointDifference(emptyEndpointSet, { version: 1, endpoints, stale: false });
  const clients = Array.from({ length: scenario.clients }, () => {
    const pool = new EndpointPool();
    pool.apply(change);
    return { pool, picker: make(random).picker(pool) };
  });
  const busy = new Array<number>(REPLICAS).fill(0);
  const queues = Array.from({ length: REPLICAS }, (): (() => void)[] => []);
  const latencies: number[] = [];
  let toFirst = 0;
  let failed = 0;

  function call(number: number): void {
    const { pool, picker } = clients[number % clients.length]!;
    const slot = picker.pick({ tried: [] });
    const generation = pool.generationOf(slot);
    const replica = Number(pool.endpointAt(slot).host);
    const startMs = agenda.nowMs;
    const counted = number >= COUNTED_FROM;
    pool.begin(slot);
    const end = (verdict: AttemptVerdict): void => {
      pool.end(slot, generation, agenda.nowMs - startMs, agenda.nowMs, verdict);
      if (!counted) return;
      if (replica === 0) toFirst++;
      if (verdict === "failed") failed++;
      else latencies.push(agenda.nowMs - startMs);
    };
    if (replica === 0 && scenario.first === "failing at once") {
      agenda.at(startMs + 0.1, () => end("failed"));
      return;
    }
    const meanMs = replica === 0 && scenario.first === "twenty times slower" ? MEAN_MS * 20 : MEAN_MS;
    const serve = (): void => {
      busy[replica]!++;
      agenda.at(agenda.nowMs + exponential(meanMs), () => {
        busy[replica]!--;
        end("answered");
        queues[replica]!.shift()?.();
      });
    };
    if (busy[replica]! < PARALLEL) serve();
    else queues[replica]!.push(serve);
  }

  const gapMs = MEAN_MS / (scenario.load * REPLICAS * PARALLEL);
  let number = 0;
  const arrive = (): void => {
    call(number++);
    if (number < CALLS) agenda.at(agenda.nowMs + exponential(gapMs), arrive);
  };
  agenda.at(0, arrive);
  agenda.run();
  latencies.sort((left, right) => left - right);
  const counted = CALLS - COUNTED_FROM;
  return {
    p99: latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN,
    shareOfFirst: toFirst / counted,
    failedShare: failed / counted,
  };
}

test.each([1, 20])("peak EWMA, %i clients: one replica twenty times slower hardly shows", (clients) => {
  const fine = simulate(peakEwmaBalancer, { load: 0.7, clients, first: "like the others" });
  const slow = simulate(peakEwmaBalancer, { load: 0.7, clients, first: "twenty times slower" });
  expect(slow.p99).toBeLessThan(fine.p99 * 1.3);
  expect(slow.shareOfFirst).toBeLessThan(0.01);
  expect(fine.shareOfFirst).toBeGreaterThan(0.08);
  expect(fine.shareOfFirst).toBeLessThan(0.12);
  // What it is measured against: the seed's choice queues a tenth of all calls there without end.
  const random = simulate(randomBalancer, { load: 0.7, clients, first: "twenty times slower" });
  expect(random.p99).toBeGreaterThan(slow.p99 * 100);
});

test("peak EWMA gives an even load shorter queues than random choice does", () => {
  const scenario = { load: 0.8, clients: 1, first: "like the others" } as const;
  expect(simulate(peakEwmaBalancer, scenario).p99).toBeLessThan(simulate(randomBalancer, scenario).p99 * 0.9);
});

test("a replica that fails at once draws few calls, though it never has any in flight", () => {
  const scenario = { load: 0.7, clients: 1, first: "failing at once" } as const;
  expect(simulate(peakEwmaBalancer, scenario).failedShare).toBeLessThan(0.02);
  // Without latency in the measure, it looks idle and so gets more than its share.
  expect(simulate(leastLoadedBalancer, scenario).failedShare).toBeGreaterThan(0.1);
});
