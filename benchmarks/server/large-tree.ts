// SPDX-License-Identifier: Apache-2.0
// A large tree: memory per znode, what a background snapshot does to requests, and the time of a restart.
import { readdirSync, statSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { type BenchmarkServer, MeerkatServer, type ServerMemory } from "../lib/benchmark-server.ts";
import { processCpuUs } from "../lib/process-cpu.ts";
import type { Row } from "../lib/report.ts";
import { LoadGenerator } from "./load-generator.ts";
import { DATA_BYTES } from "./plan.ts";
import { attempt, type Phase, wanted } from "./rates.ts";

const PATH = "/tree";
const SET_PATH = "/tree-set";
const LOAD_CONNECTIONS = 8;
const LOAD_IN_FLIGHT = 125;
/** Transactions between snapshots, ZooKeeper's default; it draws its next snapshot from the upper half. */
const SNAP_COUNT = 100_000;
const SNAPSHOT_TIMEOUT_MS = 60_000;
const QUIET_MS = 1000;
const QUIET_CPU_US = 50_000;
const PROBE_SLICE_MS = 500;
const AT_REST_MS = 3000;
const FILL_TIMEOUT_MS = 300_000;
const RESTART_TIMEOUT_MS = 120_000;

/** Names of the cases for a tree of that size. */
export function largeTreeCases(znodes: number): {
  readonly memory: string;
  readonly snapshot: string;
  readonly restart: string;
} {
  const size = `${znodes.toLocaleString("en-US")} znodes`;
  return {
    memory: `memory with ${size}`,
    snapshot: `background snapshot of ${size}`,
    restart: `restart with ${size}`,
  };
}

/** Names, sizes and number of the files in a data directory. */
function listing(server: BenchmarkServer): { readonly text: string; readonly snapshots: number } {
  const directory = `${server.dataDir}/version-2`;
  const files = readdirSync(directory).filter((name) => name.includes("snap"));
  const sizes = files.map((name) => {
    const file = statSync(`${directory}/${name}`, { throwIfNoEntry: false });
    return `${name} ${file?.size}`;
  });
  return {
    text: sizes.sort().join("\n"),
    snapshots: files.filter((name) => /^snapshot\./.test(name)).length,
  };
}

/**
 * Resolves when the server has rested for a second: no snapshot has grown, appeared or vanished, and next
 * to no processor time was used. A snapshot in the making holds memory while it only reads.
 */
async function quiet(server: BenchmarkServer, cpuUsMax: number = QUIET_CPU_US): Promise<void> {
  const endMs = performance.now() + SNAPSHOT_TIMEOUT_MS;
  for (;;) {
    const { text } = listing(server);
    const cpuUs = processCpuUs(server.pid);
    await pause(QUIET_MS);
    if (listing(server).text === text && processCpuUs(server.pid) - cpuUs < cpuUsMax) return;
    if (performance.now() > endMs) throw new Error(`${server.title} does not come to rest`);
  }
}

/** Fills an empty server and measures its memory before and after. */
async function fill(phase: Phase, server: BenchmarkServer, empty: ServerMemory): Promise<Row> {
  const { load, plan } = phase;
  await load.ensure(server, [SET_PATH], DATA_BYTES);
  await load.ensureSpread(server, PATH);
  await load.open(server, LOAD_CONNECTIONS);
  const result = await load.run(
    server,
    { operation: "createSpread", path: PATH, dataBytes: DATA_BYTES },
    { inFlight: LOAD_IN_FLIGHT, durationMs: FILL_TIMEOUT_MS, opsMax: plan.znodes },
  );
  await load.close();
  if (result.ops !== plan.znodes) throw new Error(`only ${result.ops} znodes were made in time`);
  await quiet(server);
  const full = await server.memory();
  return {
    case: largeTreeCases(plan.znodes).memory,
    subject: server.name,
    residentBytesPerZnode: (full.residentBytes - empty.residentBytes) / plan.znodes,
    liveBytesPerZnode:
      full.liveBytes === undefined || empty.liveBytes === undefined
        ? undefined
        : (full.liveBytes - empty.liveBytes) / plan.znodes,
    loadSeconds: result.elapsedMs / 1000,
  };
}

/**
 * Sets until the server takes a snapshot, while a second generator reads once a millisecond: its slowest
 * read is how long a client saw the server stand still.
 */
async function snapshotStop(phase: Phase, server: BenchmarkServer, prober: LoadGenerator): Promise<Row> {
  const { load, plan } = phase;
  await load.open(server, LOAD_CONNECTIONS);
  await prober.open(server, 1);
  const before = listing(server).snapshots;
  const read = { operation: "get", path: SET_PATH, dataBytes: DATA_BYTES } as const;
  const watched = server instanceof MeerkatServer ? server : undefined;
  // What the machine alone does to the event loop: the same reads, and no snapshot.
  await watched?.watchEventLoop();
  await prober.paced(read, { intervalMs: 1, durationMs: AT_REST_MS });
  const atRest = await watched?.eventLoopDelay();
  await watched?.watchEventLoop();
  let open = true;
  const probe = async (): Promise<number> => {
    let slowestUs = 0;
    while (open) {
      const { maxUs } = await prober.paced(read, { intervalMs: 1, durationMs: PROBE_SLICE_MS });
      slowestUs = Math.max(slowestUs, maxUs);
    }
    return slowestUs;
  };
  const probing = probe();
  const endMs = performance.now() + SNAPSHOT_TIMEOUT_MS;
  const work = { operation: "set", path: SET_PATH, dataBytes: DATA_BYTES } as const;
  for (let sets = 0; sets <= 2 * SNAP_COUNT && listing(server).snapshots <= before; sets += 2000) {
    if (performance.now() > endMs) break;
    await load.run(server, work, { inFlight: 8, durationMs: SNAPSHOT_TIMEOUT_MS, opsMax: 2000 });
  }
  while (listing(server).snapshots <= before && performance.now() < endMs) await pause(QUIET_MS / 10);
  // The prober keeps the server busy, so only the files tell here.
  await quiet(server, Number.POSITIVE_INFINITY);
  const taken = listing(server).snapshots > before;
  open = false;
  const slowestUs = await probing;
  const delay = await watched?.eventLoopDelay();
  await load.close();
  await prober.close();
  if (!taken) throw new Error(`${server.title} took no snapshot after ${2 * SNAP_COUNT} sets`);
  return {
    case: largeTreeCases(plan.znodes).snapshot,
    subject: server.name,
    slowestReadMs: slowestUs / 1000,
    loopStopMs: delay?.maxMs,
    loopStopAtRestMs: atRest?.maxMs,
  };
}

/** Ends the server the gentle way and waits for it to answer again, on the same data. */
async function restart(phase: Phase, server: BenchmarkServer, empty: ServerMemory): Promise<Row> {
  const { load, plan } = phase;
  const stopMs = performance.now();
  await server.stop();
  const startMs = performance.now();
  await server.start();
  await load.firstReply(server, RESTART_TIMEOUT_MS);
  const endMs = performance.now();
  const memory = await server.memory();
  return {
    case: largeTreeCases(plan.znodes).restart,
    subject: server.name,
    restartMs: endMs - startMs,
    stopMs: startMs - stopMs,
    residentBytesPerZnode: (memory.residentBytes - empty.residentBytes) / plan.znodes,
  };
}

/** Both servers, one after the other, each alone on the machine and on an empty directory. */
export async function measureLargeTree(
  phase: Phase,
  launchers: readonly (() => Promise<BenchmarkServer | undefined>)[],
): Promise<void> {
  const { report, plan } = phase;
  const cases = largeTreeCases(plan.znodes);
  const chosen = Object.values(cases).find((name) => phase.chosen(name));
  if (chosen === undefined || !wanted(phase, chosen)) return;
  await using prober = new LoadGenerator();
  for (const launch of launchers) {
    await using server = await launch();
    if (server === undefined) continue;
    await attempt(report, `${server.title}, large tree`, async () => {
      report.progress(`${cases.memory}: ${server.title}`);
      const empty = await server.memory();
      report.add(await fill(phase, server, empty));
      if (plan.snapshot && phase.chosen(cases.snapshot)) {
        report.progress(cases.snapshot);
        report.add(await snapshotStop(phase, server, prober));
      }
      report.progress(cases.restart);
      report.add(await restart(phase, server, empty));
    });
  }
}
