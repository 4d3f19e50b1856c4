// SPDX-License-Identifier: Apache-2.0
// One run: contenders of every recipe at every site, faults for a while, then the end state.
import { ZooKeeperClient } from "@meerkat/client";
import { seededRandom } from "@meerkat/runtime";
import { timingMultiple } from "@meerkat/testkit";
import { History } from "./history.ts";
import { type FaultCounts, pauseFor, runSchedule } from "./schedule.ts";
import type { ChaosServers } from "./servers.ts";
import { Site } from "./site.ts";
import type { Workload, World } from "./workload.ts";
import { BarrierWorkload } from "./workloads/barrier.ts";
import { CacheWorkload } from "./workloads/caches.ts";
import {
  electionWorkload,
  latchWorkload,
  lockWorkload,
  readWriteWorkload,
  semaphoreWorkload,
} from "./workloads/exclusion.ts";
import { MembershipWorkload } from "./workloads/membership.ts";
import { counterWorkload, longWorkload } from "./workloads/numbers.ts";
import { QueueWorkload } from "./workloads/queues.ts";

/** How long contenders may take to be served after the last fault. */
const SERVE_TIMEOUT_MS: number = 60_000 * timingMultiple();

const WORKLOADS: Readonly<Record<string, (world: World, history: History) => Workload>> = {
  lock: lockWorkload,
  "read-write lock": readWriteWorkload,
  "semaphore (Curator's layout)": (world, history) => semaphoreWorkload(world, history, "curator"),
  "semaphore (Kazoo's layout)": (world, history) => semaphoreWorkload(world, history, "kazoo"),
  election: electionWorkload,
  latch: latchWorkload,
  "atomic long": longWorkload,
  counter: counterWorkload,
  queue: (world, history) => new QueueWorkload(world, history),
  "double barrier": (world, history) => new BarrierWorkload(world, history),
  "party and persistent node": (world, history) => new MembershipWorkload(world, history),
  caches: (world, history) => new CacheWorkload(world, history),
};

/** What to run. */
export interface ChaosOptions {
  readonly servers: ChaosServers;
  readonly seed: number;
  /** Of the faults; serving everyone and checking come on top. */
  readonly durationMs: number;
  readonly sites: number;
  /** Only the workloads whose name matches. */
  readonly only?: RegExp | undefined;
}

/** What came out. */
export interface ChaosResult {
  readonly title: string;
  readonly seed: number;
  readonly elapsedMs: number;
  readonly sites: number;
  readonly faults: FaultCounts;
  readonly histories: readonly History[];
  readonly violations: readonly string[];
}

/** Resolves with a rejection or a limit that passed as a violation of the history. */
async function within(history: History, what: string, task: Promise<void>): Promise<void> {
  const limit = new AbortController();
  const late = pauseFor(SERVE_TIMEOUT_MS, limit.signal).then(() => {
    if (!limit.signal.aborted) history.violation(`${what}: not within ${SERVE_TIMEOUT_MS / 1000} s`);
  });
  const done = task.catch((error: unknown) =>
    history.violation(`${what}: ${error instanceof Error ? error.stack : String(error)}`),
  );
  await Promise.race([done, late]);
  limit.abort();
}

/** Runs everything. Rejects only when the servers themselves cannot be had. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { servers, seed, durationMs } = options;
  const startMs = performance.now();
  const sites = await Promise.all(
    Array.from({ length: options.sites }, (_, at) => Site.open(`site-${at + 1}`, servers)),
  );
  const faultsOver = new AbortController();
  const ending = new AbortController();
  const world: World = { sites, ending: ending.signal, random: seededRandom(seed + 1) };
  const names = Object.keys(WORKLOADS).filter((name) => options.only?.test(name) ?? true);
  const workloads = names.map((name) => WORKLOADS[name]?.(world, new History(name, startMs)) as Workload);
  try {
    const contending = workloads.map((workload) => sites.map((site) => workload.contend(site)));
    for (const task of contending.flat()) task.catch(() => {});
    const timer = setTimeout(() => faultsOver.abort(), durationMs);
    const faults = await runSchedule({
      random: seededRandom(seed),
      servers,
      sites,
      signal: faultsOver.signal,
      onFault: (what) => {
        for (const { history } of workloads) history.note(what);
      },
    });
    clearTimeout(timer);
    ending.abort();
    for (const { history } of workloads) history.note("the faults are over");
    await Promise.all(
      workloads.map(({ history }, at) =>
        Promise.all(
          (contending[at] ?? []).map((task, of) =>
            within(history, `${sites[of]?.name} to be served after the faults`, task),
          ),
        ),
      ),
    );
    await using client = await ZooKeeperClient.connect(servers.connectString, { timeoutMs: 30_000 });
    await Promise.all(
      workloads.map((each) => within(each.history, "the check of the end state", each.settle(client))),
    );
    const histories = workloads.map(({ history }) => history);
    const violations = histories.flatMap(({ name, violations: all }) =>
      all.map((each) => `${name}: ${each}`),
    );
    const elapsedMs = performance.now() - startMs;
    return { title: servers.title, seed, elapsedMs, sites: sites.length, faults, histories, violations };
  } finally {
    faultsOver.abort();
    ending.abort();
    await Promise.all(sites.map((site) => site[Symbol.asyncDispose]()));
  }
}
