// SPDX-License-Identifier: Apache-2.0
import { seededRandom } from "@meerkat/runtime";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type EndpointSet, emptyEndpointSet, endpoint, endpointDifference } from "../endpoint.ts";
import type { Balancer, Picker } from "./balancer.ts";
import { maglevBalancer, rendezvousBalancer, ringHashBalancer } from "./consistent-hash.ts";
import { EndpointPool, type EndpointPoolOptions, NO_SLOT } from "./endpoint-pool.ts";
import { leastLoadedBalancer, peakEwmaBalancer } from "./p2c.ts";
import { randomBalancer } from "./random.ts";
import { roundRobinBalancer, weightedRoundRobinBalancer } from "./round-robin.ts";

/** Time as the pool is told of it. */
const clock = { now: 0 };

/** A pool whose members can be replaced; weights by name. */
class Service {
  readonly pool: EndpointPool;
  #set: EndpointSet = emptyEndpointSet;

  constructor(weights: Readonly<Record<string, number>>, options?: EndpointPoolOptions) {
    this.pool = new EndpointPool(options);
    this.become(weights);
  }

  become(weights: Readonly<Record<string, number>>): void {
    const endpoints = Object.entries(weights).map(([host, weight]) => endpoint({ host, port: 1, weight }));
    const set = { version: this.#set.version + 1, endpoints, stale: false };
    this.pool.apply(endpointDifference(this.#set, set), clock.now);
    this.#set = set;
  }

  slot(host: string): number {
    return this.pool.slotOf(endpoint({ host, port: 1 }));
  }

  pick(picker: Picker, key?: string, tried: readonly number[] = []): string | undefined {
    const slot = picker.pick({ key, tried });
    return slot === NO_SLOT ? undefined : this.pool.endpointAt(slot).host;
  }

  /** How often each is picked, without any load arising. */
  counts(
    picker: Picker,
    picks: number,
    key: (pick: number) => string | undefined = () => undefined,
  ): Record<string, number> {
    const counts: Record<string, number> = {};
    for (let pick = 0; pick < picks; pick++) {
      const host = this.pick(picker, key(pick)) ?? "none";
      counts[host] = (counts[host] ?? 0) + 1;
    }
    return counts;
  }
}

const balancers: Record<string, () => Balancer> = {
  random: () => randomBalancer(seededRandom(1)),
  "round-robin": () => roundRobinBalancer(seededRandom(1)),
  "weighted-round-robin": () => weightedRoundRobinBalancer(seededRandom(1)),
  "least-loaded": () => leastLoadedBalancer(seededRandom(1)),
  "peak-ewma": () => peakEwmaBalancer(seededRandom(1)),
  "ring-hash": () => ringHashBalancer({ random: seededRandom(1) }),
  maglev: () => maglevBalancer({ random: seededRandom(1) }),
  rendezvous: () => rendezvousBalancer({ random: seededRandom(1) }),
  "ring-hash, bounded": () => ringHashBalancer({ random: seededRandom(1), loadFactor: 1.25 }),
};

describe.each(Object.entries(balancers))("%s", (_name, make) => {
  test("picks from nothing give nothing", () => {
    const service = new Service({});
    expect(service.pick(make().picker(service.pool), "key")).toBeUndefined();
  });

  test("picks only what may be picked, whatever happens to the pool", () => {
    const hosts = ["a", "b", "c", "d", "e"];
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("members"),
        weights: fc.dictionary(fc.constantFrom(...hosts), fc.integer({ min: 0, max: 3 })),
      }),
      fc.record({ kind: fc.constant("health"), host: fc.constantFrom(...hosts), down: fc.boolean() }),
      fc.record({
        kind: fc.constant("pick"),
        key: fc.option(fc.string(), { nil: undefined }),
        tried: fc.subarray(hosts),
      }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const service = new Service({});
        const picker = make().picker(service.pool);
        const down = new Set<string>();
        let weights: Record<string, number> = {};
        for (const entry of steps) {
          if ("weights" in entry) {
            for (const host of down) if (!(host in entry.weights)) down.delete(host);
            weights = { ...entry.weights };
            service.become(weights);
          } else if ("down" in entry) {
            if (!(entry.host in weights)) continue;
            service.pool.setDown(service.slot(entry.host), entry.down);
            if (entry.down) down.add(entry.host);
            else down.delete(entry.host);
          } else {
            const all = Object.keys(weights);
            const up = all.filter((host) => weights[host] !== 0 && !down.has(host));
            const candidates = up.length > 0 ? up : all;
            const tried = entry.tried.filter((host) => host in weights);
            const allowed = candidates.filter((host) => !tried.includes(host));
            const picked = service.pick(
              picker,
              entry.key,
              tried.map((host) => service.slot(host)),
            );
            if (allowed.length === 0) expect(picked).toBeUndefined();
            else expect(allowed).toContain(picked);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe.each([
  "random",
  "weighted-round-robin",
  "least-loaded",
  "peak-ewma",
  "ring-hash",
  "maglev",
  "rendezvous",
])("%s", (name) => {
  test("shares by weight", () => {
    const service = new Service({ one: 1, two: 2, five: 5 });
    const picker = balancers[name]!().picker(service.pool);
    const counts = service.counts(picker, 8_000, (pick) => `key ${pick}`);
    for (const [host, due] of [
      ["one", 1_000],
      ["two", 2_000],
      ["five", 5_000],
    ] as const) {
      expect(counts[host]).toBeGreaterThan(due * 0.8);
      expect(counts[host]).toBeLessThan(due * 1.2);
    }
  });
});

test.each(["least-loaded", "peak-ewma"])("%s carries calls in flight in proportion to weight", (name) => {
  const service = new Service({ one: 1, two: 2, five: 5 });
  const { pool } = service;
  const picker = balancers[name]!().picker(pool);
  clock.now = 0;
  for (const host of ["one", "two", "five"]) {
    const slot = service.slot(host);
    pool.begin(slot);
    pool.end(slot, pool.generationOf(slot), 5, 0, "answered");
  }
  for (let calls = 0; calls < 800; calls++) pool.begin(picker.pick({ tried: [] }));
  expect(pool.inFlightTotal).toBe(800);
  for (const [host, due] of [
    ["one", 100],
    ["two", 200],
    ["five", 500],
  ] as const) {
    expect(Math.abs(pool.inFlightOf(service.slot(host)) - due)).toBeLessThan(due * 0.1);
  }
});

test("random is uniform when there are no weights", () => {
  const service = new Service({ a: 1, b: 1, c: 1, d: 1 });
  const counts = service.counts(randomBalancer(seededRandom(5)).picker(service.pool), 10_000);
  // 4 standard deviations of a binomial(10,000, 1/4).
  for (const host of ["a", "b", "c", "d"]) expect(Math.abs((counts[host] ?? 0) - 2_500)).toBeLessThan(174);
});

test("round robin gives each its turn, and those who are down lose theirs", () => {
  const service = new Service({ a: 1, b: 1, c: 1 });
  const picker = roundRobinBalancer(seededRandom(5)).picker(service.pool);
  expect(service.counts(picker, 9)).toEqual({ a: 3, b: 3, c: 3 });
  service.pool.setDown(service.slot("b"), true);
  expect(service.counts(picker, 10)).toEqual({ a: 5, c: 5 });
});

test("weighted turns are spread, not bunched, and a change of weights starts nothing over", () => {
  const service = new Service({ heavy: 3, light: 1 });
  const picker = weightedRoundRobinBalancer(seededRandom(5)).picker(service.pool);
  const order = Array.from({ length: 400 }, () => service.pick(picker));
  for (let start = 0; start + 4 <= order.length; start += 4) {
    expect(order.slice(start, start + 4).filter((host) => host === "light").length).toBeLessThanOrEqual(2);
  }
  expect(order.filter((host) => host === "light")).toHaveLength(100);
  // Weights that creep up one by one must not favour anyone.
  let light = 0;
  for (let round = 0; round < 100; round++) {
    service.become({ heavy: 3 + round * 1e-3, light: 1 });
    for (let pick = 0; pick < 4; pick++) if (service.pick(picker) === "light") light++;
  }
  expect(light).toBeGreaterThanOrEqual(95);
  expect(light).toBeLessThanOrEqual(105);
});

test("a server that comes back from being down is owed nothing", () => {
  const service = new Service({ a: 1, b: 1 });
  const picker = weightedRoundRobinBalancer(seededRandom(5)).picker(service.pool);
  service.pool.setDown(service.slot("a"), true);
  expect(service.counts(picker, 100)).toEqual({ b: 100 });
  service.pool.setDown(service.slot("a"), false);
  expect(service.counts(picker, 10)).toEqual({ a: 5, b: 5 });
});

describe("two choices", () => {
  test("least loaded evens out what is in flight", () => {
    const service = new Service(
      Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`h${index}`, 1])),
    );
    const picker = leastLoadedBalancer(seededRandom(5)).picker(service.pool);
    for (let pick = 0; pick < 1_000; pick++) service.pool.begin(picker.pick({ tried: [] }));
    const loads = Array.from({ length: 50 }, (_, index) =>
      service.pool.inFlightOf(service.slot(`h${index}`)),
    );
    expect(Math.max(...loads)).toBeLessThanOrEqual(23);
    expect(Math.min(...loads)).toBeGreaterThanOrEqual(15);
  });

  test("peak EWMA leaves a slow endpoint alone after its first slow answer, and forgives with time", () => {
    clock.now = 0;
    const service = new Service({ slow: 1, fast: 1, quick: 1 });
    const { pool } = service;
    const picker = peakEwmaBalancer(seededRandom(5)).picker(pool);
    const answer = (host: string, latencyMs: number): void => {
      const slot = service.slot(host);
      pool.begin(slot);
      pool.end(slot, pool.generationOf(slot), latencyMs, clock.now, "answered");
    };
    for (const [host, latencyMs] of [
      ["slow", 200],
      ["fast", 5],
      ["quick", 5],
    ] as const)
      answer(host, latencyMs);
    expect(service.counts(picker, 300)).not.toHaveProperty("slow");
    // The others keep answering; nothing is heard of the slow one.
    for (clock.now = 0; clock.now < 60_000; clock.now += 100) {
      answer("fast", 5);
      answer("quick", 5);
    }
    const { slow = 0 } = service.counts(picker, 300);
    expect(slow).toBeGreaterThan(50);
  });

  test("averages are right over hours, through every restart of their scale", () => {
    const service = new Service({ a: 1, b: 1 });
    const { pool } = service;
    const observe = (host: string, latencyMs: number, nowMs: number): void => {
      const slot = service.slot(host);
      pool.begin(slot);
      pool.end(slot, pool.generationOf(slot), latencyMs, nowMs, "answered");
    };
    let expected = 0;
    let lastMs = 0;
    const random = seededRandom(9);
    for (let nowMs = 0; nowMs < 8 * 3_600_000; nowMs += random.float() * 20_000) {
      const latencyMs = 1 + random.float() * 50;
      const kept = Math.exp((lastMs - nowMs) / 10_000);
      const decayed = expected * kept;
      expected = latencyMs > decayed ? latencyMs : latencyMs * (1 - kept) + expected * kept;
      lastMs = nowMs;
      observe("a", latencyMs, nowMs);
      expect(pool.latencyOf(service.slot("a"), nowMs)).toBeCloseTo(expected, 6);
    }
    expect(pool.latencyOf(service.slot("a"), lastMs + 10_000)).toBeCloseTo(expected / Math.E, 6);
    expect(pool.latencyOf(service.slot("b"), lastMs)).toBe(0);
  });

  test("failing at once does not look like being fast", () => {
    clock.now = 0;
    const service = new Service({ broken: 1, fine: 1 });
    const { pool } = service;
    const picker = peakEwmaBalancer(seededRandom(5)).picker(pool);
    for (let calls = 0; calls < 20; calls++) {
      for (const [host, latencyMs, verdict] of [
        ["broken", 0.1, "failed"],
        ["fine", 10, "answered"],
      ] as const) {
        const slot = service.slot(host);
        pool.begin(slot);
        pool.end(slot, pool.generationOf(slot), latencyMs, clock.now, verdict);
      }
    }
    expect(service.counts(picker, 100)).toEqual({ fine: 100 });
  });

  test("a new endpoint is tried by one call at first, not by all", () => {
    clock.now = 0;
    const service = new Service({ old: 1, new: 1 });
    const { pool } = service;
    const picker = peakEwmaBalancer(seededRandom(5)).picker(pool);
    const old = service.slot("old");
    pool.begin(old);
    pool.end(old, pool.generationOf(old), 5, 0, "answered");
    const picked = Array.from({ length: 20 }, () => {
      const slot = picker.pick({ tried: [] });
      pool.begin(slot);
      return pool.endpointAt(slot).host;
    });
    expect(picked.filter((host) => host === "new")).toHaveLength(1);
  });
});

describe.each(["ring-hash", "maglev", "rendezvous"])("%s", (name) => {
  const names = Array.from({ length: 20 }, (_, index) => `host${index}`);
  const equal = (hosts: readonly string[]): Record<string, number> =>
    Object.fromEntries(hosts.map((host) => [host, 1]));
  const KEYS = 5_000;

  function mapping(service: Service, picker: Picker): (string | undefined)[] {
    return Array.from({ length: KEYS }, (_, key) => service.pick(picker, `user/${key}`));
  }

  test("sends a key to the same endpoint in every process, whatever the order of joining", () => {
    const one = new Service(equal(names));
    const other = new Service(equal(names.slice(7)));
    other.become(equal([...names].reverse()));
    expect(mapping(other, balancers[name]!().picker(other.pool))).toEqual(
      mapping(one, balancers[name]!().picker(one.pool)),
    );
  });

  test("moves few keys when one endpoint leaves, and all of them back when it returns", () => {
    const service = new Service(equal(names));
    const picker = balancers[name]!().picker(service.pool);
    const before = mapping(service, picker);
    service.become(equal(names.slice(1)));
    const after = mapping(service, picker);
    const moved = before.filter((host, key) => host !== after[key]).length;
    const lost = before.filter((host) => host === "host0").length;
    // Maglev moves a little more than the leaver's own keys.
    expect(moved - lost).toBeLessThanOrEqual(name === "maglev" ? KEYS * 0.03 : 0);
    service.become(equal(names));
    expect(mapping(service, picker)).toEqual(before);
  });

  test("keys of an endpoint that is down go to others, nobody else's move", () => {
    const service = new Service(equal(names));
    const picker = balancers[name]!().picker(service.pool);
    const before = mapping(service, picker);
    service.pool.setDown(service.slot("host3"), true);
    const after = mapping(service, picker);
    for (const [key, host] of before.entries()) {
      if (host === "host3") expect(after[key]).not.toBe("host3");
      else expect(after[key]).toBe(host);
    }
  });

  test("is even enough", () => {
    const service = new Service(equal(names));
    const counts = new Map<string | undefined, number>();
    for (const host of mapping(service, balancers[name]!().picker(service.pool))) {
      counts.set(host, (counts.get(host) ?? 0) + 1);
    }
    expect(Math.max(...counts.values()) / (KEYS / names.length)).toBeLessThan(1.4);
    expect(Math.min(...counts.values()) / (KEYS / names.length)).toBeGreaterThan(0.6);
  });
});

test("a bound on the load spreads a hot key", () => {
  const service = new Service({ a: 1, b: 1, c: 1, d: 1 });
  const { pool } = service;
  const picker = maglevBalancer({ random: seededRandom(1), loadFactor: 1.25 }).picker(pool);
  for (let calls = 0; calls < 100; calls++) pool.begin(picker.pick({ key: "hot", tried: [] }));
  const loads = ["a", "b", "c", "d"].map((host) => pool.inFlightOf(service.slot(host)));
  expect(Math.max(...loads)).toBeLessThanOrEqual(32);
  // The first in the key's order are used up before the next ones.
  expect(Math.min(...loads)).toBeLessThan(15);
});

describe("slow start", () => {
  test("a newcomer's share grows over the time, the others' does not change at all", () => {
    clock.now = 0;
    const service = new Service({ a: 2, b: 2 }, { slowStartMs: 10_000 });
    const { pool } = service;
    // All were new: nobody to spare.
    expect(pool.starting).toBe(false);
    service.become({ a: 2, b: 2, c: 2 });
    const { version } = pool;
    const picker = randomBalancer(seededRandom(3)).picker(pool);
    const share = (): number =>
      (new Map(Object.entries(service.counts(picker, 4_000))).get("c") ?? 0) / 4_000;
    expect(share()).toBeCloseTo(0.1 / 2.1, 1);
    clock.now = 5_000;
    pool.advance(clock.now);
    expect(pool.weightOf(service.slot("c"))).toBe(1);
    expect(share()).toBeCloseTo(0.5 / 2.5, 1);
    expect([pool.weightOf(service.slot("a")), pool.version]).toEqual([2, version]);
    clock.now = 10_000;
    pool.advance(clock.now);
    expect([pool.weightOf(service.slot("c")), pool.starting, pool.uniform]).toEqual([2, false, true]);
  });

  test("one that leaves in its slow start leaves no trace in its slot", () => {
    clock.now = 0;
    const service = new Service({ a: 1 }, { slowStartMs: 10_000 });
    service.become({ a: 1, b: 1 });
    service.become({ a: 1 });
    expect(service.pool.starting).toBe(false);
    clock.now = 20_000;
    service.become({ a: 1, c: 1 });
    expect(service.pool.weightOf(service.slot("c"))).toBe(0.1);
  });

  test("keys of consistent hashing move once, not with every step", () => {
    clock.now = 0;
    for (const name of ["ring-hash", "maglev", "rendezvous"]) {
      const service = new Service({ a: 1, b: 1, c: 1 }, { slowStartMs: 10_000 });
      const picker = balancers[name]!().picker(service.pool);
      service.become({ a: 1, b: 1, c: 1, d: 1 });
      const keys = Array.from({ length: 500 }, (_, key) => `k${key}`);
      const atFirst = keys.map((key) => service.pick(picker, key));
      service.pool.advance(clock.now + 20_000);
      expect(keys.map((key) => service.pick(picker, key))).toEqual(atFirst);
      expect(new Set(atFirst).size).toBe(4);
    }
  });
});
