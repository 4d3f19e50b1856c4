// SPDX-License-Identifier: Apache-2.0
// Our recipes through their public API. Answers the verbs of drivers/recipe-verbs.ts.
import { createHistogram, performance } from "node:perf_hooks";
import { ZooKeeperClient } from "@meerkat/client";
import { type Hold, LeaderElection, Lock, TreeCache } from "@meerkat/recipes";
import { deferred } from "@meerkat/runtime";
import { Meter } from "./meter.ts";
import type {
  CacheResult,
  CacheRun,
  ChangeRun,
  ContendRun,
  LeadRun,
  LockRun,
  RecipeConnect,
} from "./recipe-verbs.ts";
import { serveDriver } from "./serve.ts";

let client: ZooKeeperClient;
let cache: TreeCache | undefined;
/** Kept, so that the leadership is. */
const led: Hold[] = [];

async function connect({ hosts, sessionTimeoutMs }: RecipeConnect): Promise<undefined> {
  client = await ZooKeeperClient.connect({ hosts, sessionTimeoutMs });
  return undefined;
}

async function lock({ path, durationMs }: LockRun): Promise<object> {
  const mutex = new Lock(client, path);
  const meter = new Meter({ inFlight: 1, durationMs, opsMax: Number.MAX_SAFE_INTEGER });
  for (let index = meter.next(); index >= 0; index = meter.next()) {
    const begin = meter.begin(index);
    const hold = await mutex.acquire();
    await hold.release();
    meter.end(begin);
    // The meter looks at the clock now and then only, and a lock takes long.
    if (meter.elapsedMs >= durationMs) break;
  }
  return meter.result();
}

async function contend({ path, durationMs, contenders }: ContendRun): Promise<object> {
  const histogram = createHistogram();
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  let releasedMs = 0;
  let ops = 0;
  const contender = async (): Promise<void> => {
    const mutex = new Lock(client, path);
    while (performance.now() - startMs < durationMs) {
      const hold = await mutex.acquire();
      if (releasedMs > 0) histogram.record(Math.max(1, Math.round((performance.now() - releasedMs) * 1e6)));
      ops++;
      releasedMs = performance.now();
      await hold.release();
    }
  };
  await Promise.all(Array.from({ length: contenders }, contender));
  const { user, system } = process.cpuUsage(cpu);
  return {
    ops,
    elapsedMs: performance.now() - startMs,
    cpuUs: user + system,
    p50Us: histogram.percentile(50) / 1000,
    p99Us: histogram.percentile(99) / 1000,
  };
}

async function lead({ path }: LeadRun): Promise<object> {
  led.push(await new LeaderElection(client, path).campaign());
  return {};
}

async function openCache({ path, timeoutMs, count }: CacheRun): Promise<CacheResult> {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  cache = await TreeCache.open(client, path, { timeoutMs });
  const { user, system } = process.cpuUsage(cpu);
  if (cache.size < count) throw new Error(`the cache has ${cache.size} of ${count} znodes`);
  return { startMs: performance.now() - startMs, startCpuMs: (user + system) / 1000 };
}

async function change({ path, durationMs }: ChangeRun): Promise<object> {
  const meter = new Meter({ inFlight: 1, durationMs, opsMax: Number.MAX_SAFE_INTEGER });
  let told = deferred<void>();
  const stop = cache?.onChange(({ changes }) => {
    if (changes.some((each) => each.path === path)) told.resolve();
  });
  for (let index = meter.next(); index >= 0; index = meter.next()) {
    const begin = meter.begin(index);
    told = deferred();
    await client.set(path, String(index));
    await told.promise;
    meter.end(begin);
    if (meter.elapsedMs >= durationMs) break;
  }
  stop?.();
  return meter.result();
}

await serveDriver({ connect, lock, contend, lead, cache: openCache, change }, async () => {
  await cache?.close();
  await client.close();
});
