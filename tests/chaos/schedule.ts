// SPDX-License-Identifier: Apache-2.0
// The faults of a run, drawn from a seed: what, where, how long and in which order.
import { type Random, randomInt } from "@meerkat/runtime";
import type { Direction, Directions, FaultProxy } from "@meerkat/testkit";
import type { ChaosServers } from "./servers.ts";
import type { Site } from "./site.ts";

const DIRECTIONS: readonly Directions[] = ["toServer", "toClient", "both"];
const PAUSE_MAX_MS = 500;
/** Every so many faults one of a server. */
const SERVER_EVERY = 8;
/** Longer than the sessions: they end by themselves. */
const LONG_MS = 4_500;

interface SiteFault {
  readonly name: string;
  /** How often beside the others. */
  readonly weight: number;
  run(site: Site, random: Random, pause: (ms: number) => Promise<void>): Promise<void>;
}

function each(site: Site, apply: (proxy: FaultProxy) => void): void {
  for (const proxy of site.proxies) apply(proxy);
}

function oneOf<T>(random: Random, from: readonly T[]): T {
  return from[randomInt(random, from.length)] as T;
}

const SITE_FAULTS: readonly SiteFault[] = [
  {
    name: "cut",
    weight: 5,
    run: async (site, random) => each(site, (proxy) => proxy.cut(random.float() < 0.5 ? "reset" : "end")),
  },
  {
    name: "half-close",
    weight: 3,
    run: async (site, random) =>
      each(site, (proxy) => proxy.halfClose(oneOf<Direction>(random, ["toServer", "toClient"]))),
  },
  {
    name: "delay",
    weight: 4,
    run: async (site, random, pause) => {
      const byMs = 5 + randomInt(random, 300);
      const directions = oneOf(random, DIRECTIONS);
      each(site, (proxy) => proxy.delay(byMs, directions));
      await pause(200 + randomInt(random, 1_500));
    },
  },
  {
    name: "black hole",
    weight: 4,
    run: async (site, random, pause) => {
      const directions = oneOf(random, DIRECTIONS);
      each(site, (proxy) => proxy.blackhole(directions));
      await pause(200 + randomInt(random, 2_000));
      // Some of what was held goes on its way late, some never.
      if (random.float() < 0.5) each(site, (proxy) => proxy.cut());
    },
  },
  {
    name: "black hole beyond the session",
    weight: 1,
    run: async (site, random, pause) => {
      const directions = oneOf(random, DIRECTIONS);
      each(site, (proxy) => proxy.blackhole(directions));
      await pause(LONG_MS);
    },
  },
  {
    name: "outage",
    weight: 2,
    run: async (site, random, pause) => {
      await Promise.all(site.proxies.map((proxy) => proxy.down()));
      await pause(100 + randomInt(random, 2_000));
    },
  },
  { name: "expired session", weight: 3, run: (site) => site.expire() },
  { name: "crash", weight: 2, run: async (site) => site.crash() },
];
const WEIGHTS = SITE_FAULTS.reduce((sum, { weight }) => sum + weight, 0);

function drawSiteFault(random: Random): SiteFault {
  let left = randomInt(random, WEIGHTS);
  for (const fault of SITE_FAULTS) {
    left -= fault.weight;
    if (left < 0) return fault;
  }
  throw new RangeError("the weights do not add up");
}

/** What a schedule did: how often each fault struck. */
export type FaultCounts = Map<string, number>;

/**
 * Strikes until the signal aborts, then ends all faults. At most one fault of a site and one of the servers
 * at a time; those of different sites overlap. Resolves when everything is whole again.
 */
export async function runSchedule(options: {
  readonly random: Random;
  readonly servers: ChaosServers;
  readonly sites: readonly Site[];
  readonly signal: AbortSignal;
  readonly onFault: (what: string) => void;
}): Promise<FaultCounts> {
  const { random, servers, sites, signal, onFault } = options;
  const counts: FaultCounts = new Map();
  const pause = (ms: number): Promise<void> => pauseFor(ms, signal);
  const busy = new Map<object, Promise<void>>();
  const strike = (at: object, name: string, where: string, run: () => Promise<void>): void => {
    if (busy.has(at)) return;
    counts.set(name, (counts.get(name) ?? 0) + 1);
    onFault(`fault at ${where}: ${name}`);
    const done = run()
      // A fault may find nothing to break: no leader at the moment, a session that is gone already.
      .catch((error: unknown) =>
        onFault(`fault at ${where}: ${name} failed: ${String(error).split("\n")[0]}`),
      )
      .finally(() => busy.delete(at));
    busy.set(at, done);
  };
  for (let turn = 1; !signal.aborted; turn++) {
    if (turn % SERVER_EVERY === 0) {
      const fault = servers.fault(random);
      strike(servers, fault.name, "the servers", () => fault.run(pause));
    } else {
      const site = oneOf(random, sites);
      const fault = drawSiteFault(random);
      strike(site, fault.name, site.name, async () => {
        await fault.run(site, random, pause);
        await site.heal();
      });
    }
    await pause(randomInt(random, PAUSE_MAX_MS));
  }
  await Promise.all(busy.values());
  await Promise.all([servers.heal(), ...sites.map((site) => site.heal())]);
  return counts;
}

/** Waits, but not beyond the signal. */
export function pauseFor(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}
