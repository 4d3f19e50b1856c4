// SPDX-License-Identifier: Apache-2.0
// Closed-loop throughput, latency at low load, rate of new sessions, and watchers of one znode.
import type { BenchmarkServer } from "../lib/benchmark-server.ts";
import type { Report } from "../lib/report.ts";
import { alternate, rowOf, type Sample } from "../lib/rounds.ts";
import { medianOf } from "../lib/statistics.ts";
import { TimeBudget } from "../lib/time-budget.ts";
import { type Load, type LoadGenerator, type LoadResult, OPS_UNLIMITED } from "./load-generator.ts";
import { DATA_BYTES, type Plan, type RateCase, rateCaseName } from "./plan.ts";

/** What every phase works with. */
export interface Phase {
  readonly report: Report;
  readonly plan: Plan;
  readonly load: LoadGenerator;
  readonly servers: readonly BenchmarkServer[];
  /** Whether the user asked for this case. */
  readonly chosen: (caseName: string) => boolean;
}

/** Whether a case beside the closed loops is to be measured: asked for, and begun in time. */
export function wanted(phase: Phase, caseName: string): boolean {
  if (!phase.chosen(caseName)) return false;
  if (performance.now() < phase.plan.restEndMs) return true;
  phase.report.note(`${caseName} is left out: the time of this run is used up`);
  return false;
}

/** Runs a part of the suite; when it fails the others still count, but the suite ends with 1. */
export async function attempt(report: Report, part: string, task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    report.note(`${part} failed: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}

export const ROOT = "/bench";
const NODE = `${ROOT}/node`;
const PARENT = `${ROOT}/parent`;
const CHILDREN = 10;
const WATCHED = `${ROOT}/watched`;
/** Creates of one run: more would fill the servers in a run of full length. */
const CREATES_MAX = 60_000;
/** First guess of what a run costs beside its own time. */
const RUN_OVERHEAD_MS = 100;
const PACE_MS = 2;
const SESSION_CONCURRENCY = 64;

let folders = 0;

/** Makes the znodes that the cases read and set. */
export async function prepare(phase: Phase): Promise<void> {
  const children = Array.from({ length: CHILDREN }, (_, index) => `${PARENT}/child-${index}`);
  for (const server of phase.servers) {
    await phase.load.ensure(server, [ROOT, NODE, PARENT, ...children, WATCHED], DATA_BYTES);
  }
}

async function runCase(
  phase: Phase,
  server: BenchmarkServer,
  rateCase: RateCase,
  durationMs: number,
): Promise<LoadResult> {
  const { operation, dataBytes, connections, inFlight } = rateCase;
  const creates = operation === "create" || operation === "ephemeralSequential";
  let path = operation === "children" ? PARENT : NODE;
  if (creates) {
    path = `${ROOT}/run-${++folders}`;
    await phase.load.ensure(server, [path], 0);
  }
  await phase.load.open(server, connections);
  const opsMax = creates ? CREATES_MAX : OPS_UNLIMITED;
  const load: Load = { operation, path, dataBytes };
  const result = await phase.load.run(server, load, { inFlight, durationMs, opsMax });
  await phase.load.close();
  return result;
}

/** The server's CPU counts, not the generator's; the generator's share tells whether it was the limit. */
function serverSample(result: LoadResult): Sample {
  return { ...result, cpuUs: result.serverCpuUs };
}

export async function measureRates(phase: Phase): Promise<void> {
  const { plan, report, servers } = phase;
  const budget = new TimeBudget(plan.ratesEndMs);
  const cases = plan.cases.filter((rateCase) => phase.chosen(rateCaseName(rateCase)));
  for (const [index, rateCase] of cases.entries()) {
    if (budget.usedUp) {
      const names = cases.slice(index).map(rateCaseName);
      report.note(`left out, since the time of this run is used up: ${names.join(", ")}`);
      return;
    }
    const name = rateCaseName(rateCase);
    const durationMs = budget.runMs({
      runs: (cases.length - index) * servers.length * plan.rounds,
      guessMs: RUN_OVERHEAD_MS + (plan.warmUpMs + RUN_OVERHEAD_MS) / plan.rounds,
      minMs: 60,
      maxMs: plan.runMaxMs,
    });
    report.progress(`${name} (${durationMs} ms a run)`);
    await alternate(servers, 1, (server) =>
      runCase(phase, server, rateCase, Math.min(plan.warmUpMs, durationMs)),
    );
    const results = await alternate(servers, plan.rounds, async (server) => {
      const result = await runCase(phase, server, rateCase, durationMs);
      budget.ran(result.elapsedMs);
      return result;
    });
    for (const [server, of] of results) {
      report.add({
        ...rowOf(name, server.name, of.map(serverSample)),
        generatorBusy: medianOf(of, (result) => result.cpuUs / 1000 / result.elapsedMs),
      });
    }
  }
}

/** Latency of a server that has next to nothing to do. */
export async function measureLowLoad(phase: Phase): Promise<void> {
  const { plan, report, servers, load } = phase;
  for (const operation of ["get", "set"] as const) {
    const name = `${operation} at ${1000 / PACE_MS}/s`;
    if (!wanted(phase, name)) continue;
    report.progress(name);
    const results = await alternate(servers, plan.rounds, async (server) => {
      await load.open(server, 1);
      const work: Load = { operation, path: NODE, dataBytes: DATA_BYTES };
      const result = await load.paced(work, { intervalMs: PACE_MS, durationMs: plan.pacedMs });
      await load.close();
      return result;
    });
    for (const [server, of] of results) {
      const { p50Us, p99Us, rounds } = rowOf(name, server.name, of);
      report.add({ case: name, subject: server.name, p50Us, p99Us, rounds });
    }
  }
}

/** New sessions, each with its handshake and its logged transaction. */
export async function measureSessions(phase: Phase): Promise<void> {
  const { plan, report, servers, load } = phase;
  const name = `new sessions, ${SESSION_CONCURRENCY} at a time`;
  if (!wanted(phase, name)) return;
  report.progress(name);
  await alternate(servers, 1, (server) => load.connectRate(server, SESSION_CONCURRENCY, SESSION_CONCURRENCY));
  const results = await alternate(servers, plan.rounds, (server) =>
    load.connectRate(server, plan.sessions, SESSION_CONCURRENCY),
  );
  for (const [server, of] of results) {
    // The generator spends about as much on a connection as the server, so its CPU says nothing here.
    const { cpuUsPerOp: _generator, ...row } = rowOf(name, server.name, of);
    report.add({
      ...row,
      generatorBusy: medianOf(of, (result) => result.cpuUs / 1000 / result.elapsedMs),
    });
  }
}

export function watchersCaseName(watchers: number): string {
  return `${watchers.toLocaleString("en-US")} watchers of one znode`;
}

/** The time from a set to the last of its notifications, with a session of its own for each watcher. */
export async function measureWatchers(phase: Phase): Promise<void> {
  const { plan, report, servers, load } = phase;
  for (const watchers of plan.watchers) {
    const name = watchersCaseName(watchers);
    if (!wanted(phase, name)) continue;
    report.progress(name);
    // Ten thousand connections to each server at once would be too many for the generator, so the
    // servers take turns in whole blocks here, and the block's first round warms up.
    for (const server of servers) {
      await load.open(server, watchers + 1);
      const results: { lastEventMs: number; setReplyMs: number }[] = [];
      for (let round = 0; round <= plan.watcherRounds; round++) {
        const result = await load.fanOut(WATCHED, DATA_BYTES);
        if (round > 0) results.push(result);
      }
      await load.close();
      report.add({
        case: name,
        subject: server.name,
        lastEventMs: medianOf(results, (result) => result.lastEventMs),
        setReplyMs: medianOf(results, (result) => result.setReplyMs),
        rounds: results.length,
      });
    }
  }
}
