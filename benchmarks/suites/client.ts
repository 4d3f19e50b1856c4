// SPDX-License-Identifier: Apache-2.0
// `npm run bench -- client`: our client beside its rivals, over the embedded server and over Apache
// ZooKeeper. Method and reading: `benchmarks/README.md`.
import { mkdirSync } from "node:fs";
import {
  ClientBench,
  type ClientCase,
  DATA_BYTES,
  READ_PATH,
  ROOT,
  type Subject,
} from "../client/client-bench.ts";
import type { ClientOperation, WatchesRun } from "../drivers/client-verbs.ts";
import { ApacheServer, type BenchmarkServer, MeerkatServer } from "../lib/benchmark-server.ts";
import { boundGoal, ratioGoal } from "../lib/goals.ts";
import { parseSuiteOptions } from "../lib/options.ts";
import { type Peer, preparePeers } from "../lib/peers.ts";
import type { Goal, Report, Row } from "../lib/report.ts";
import { alternate, rowOf } from "../lib/rounds.ts";
import { TimeBudget } from "../lib/time-budget.ts";

const WATCH_COUNT = 20_000;
const HEAP_CASE = "heap per one-shot watch";
const SERVER_NAMES = ["embedded", "apache"] as const;
/** Our creates would fill the server's memory in a run of full length. */
const CREATES_MAX = 40_000;
/** First guess of what a run costs beside its own time. */
const RUN_OVERHEAD_MS = 30;

/** Full run or quick run. */
interface Plan {
  readonly budgetMs: number;
  readonly rounds: number;
  readonly runMaxMs: number;
  readonly warmUpMs: number;
  readonly installTimeoutMs: number;
  readonly shapes: readonly (readonly [ClientOperation, number])[];
}

const ALL_OPERATIONS: readonly ClientOperation[] = ["get", "exists", "set", "create"];
const FULL: Plan = {
  budgetMs: 300_000,
  rounds: 3,
  runMaxMs: 1000,
  warmUpMs: 250,
  installTimeoutMs: 180_000,
  shapes: [1, 256, 1000].flatMap((inFlight) =>
    ALL_OPERATIONS.map((operation) => [operation, inFlight] as const),
  ),
};
const QUICK: Plan = {
  budgetMs: 44_000,
  rounds: 2,
  runMaxMs: 300,
  warmUpMs: 100,
  installTimeoutMs: 20_000,
  shapes: [
    ["get", 1],
    ["get", 256],
    ["set", 256],
    ["create", 256],
    ["get", 1000],
  ],
};

function caseName(
  operation: ClientOperation,
  inFlight: number,
  server: (typeof SERVER_NAMES)[number],
): string {
  return `${server}: ${operation} ${inFlight === 1 ? "sequential" : `×${inFlight}`}`;
}

async function measureRates(
  bench: ClientBench,
  cases: readonly ClientCase[],
  subjects: readonly Subject[],
  plan: Plan,
): Promise<void> {
  for (const server of new Set(cases.map((wanted) => wanted.server))) {
    for (const subject of subjects) await bench.prepare(subject, server, 2 * plan.warmUpMs);
  }
  const budget = new TimeBudget(plan.budgetMs);
  for (const [index, wanted] of cases.entries()) {
    if (budget.usedUp) {
      const names = cases.slice(index).map((left) => left.name);
      bench.report.note(`left out, since the time of this run is used up: ${names.join(", ")}`);
      return;
    }
    const runMs = budget.runMs({
      runs: (cases.length - index) * subjects.length * plan.rounds,
      guessMs: RUN_OVERHEAD_MS + (plan.warmUpMs + RUN_OVERHEAD_MS) / plan.rounds,
      minMs: 40,
      maxMs: plan.runMaxMs,
    });
    bench.report.progress(`${wanted.name} (${runMs} ms a run)`);
    const opsMax = wanted.operation === "create" ? CREATES_MAX : Number.MAX_SAFE_INTEGER;
    await alternate(subjects, 1, (subject) =>
      bench.run(subject, wanted, { durationMs: Math.min(plan.warmUpMs, runMs), opsMax }),
    );
    const samples = await alternate(subjects, plan.rounds, async (subject) => {
      const sample = await bench.run(subject, wanted, { durationMs: runMs, opsMax });
      if (sample !== undefined) budget.ran(sample.elapsedMs);
      return sample;
    });
    for (const [subject, of] of samples) {
      if (of.length > 0) bench.report.add(rowOf(wanted.name, subject, of));
    }
  }
}

/** Each subject in a fresh process, so that nothing of the earlier runs is counted. */
async function measureHeap(
  bench: ClientBench,
  server: BenchmarkServer,
  subjects: readonly Subject[],
): Promise<void> {
  bench.report.progress(HEAP_CASE);
  const parent = `${ROOT}/watched`;
  const paths = Array.from({ length: WATCH_COUNT }, (_, index) => `${parent}/${index}`);
  await bench.ensure(server, [parent, ...paths], 0);
  for (const subject of subjects) {
    try {
      await using driver = await bench.connect(subject, server);
      const run: WatchesRun = { parent, count: WATCH_COUNT };
      const figures = await driver.call<Partial<Row>>("watches", run);
      bench.report.add({ case: HEAP_CASE, subject, ...figures });
    } catch (error) {
      if (subject === "meerkat") throw error;
      bench.report.note(`${HEAP_CASE}: ${subject} is left out: ${String(error).split("\n")[0]}`);
    }
  }
}

function goals(report: Report, peers: readonly Peer[]): Goal[] {
  const named = (
    operations: readonly ClientOperation[],
    inFlight: readonly number[],
    servers: readonly (typeof SERVER_NAMES)[number][],
  ): string[] =>
    servers.flatMap((server) =>
      inFlight.flatMap((count) => operations.map((operation) => caseName(operation, count, server))),
    );
  return [
    ratioGoal(report, {
      goal: "pipelined get, set, create over the embedded server: operations per second ≥ 10 × every peer",
      cases: named(["get", "set", "create"], [256, 1000], ["embedded"]),
      rivals: peers,
      figure: "opsPerSec",
      atLeast: 10,
    }),
    ratioGoal(report, {
      goal: "client CPU per pipelined operation over the embedded server ≤ 1/10 of every peer",
      cases: named(ALL_OPERATIONS, [256, 1000], ["embedded"]),
      rivals: peers,
      figure: "cpuUsPerOp",
      atMost: 1 / 10,
    }),
    ratioGoal(report, {
      goal: "client CPU per pipelined operation over Apache ZooKeeper ≤ 1/2.5 of every peer",
      cases: named(ALL_OPERATIONS, [256, 1000], ["apache"]),
      rivals: peers,
      figure: "cpuUsPerOp",
      atMost: 1 / 2.5,
    }),
    ratioGoal(report, {
      goal: "client CPU per pipelined operation over Apache ZooKeeper ≤ 1/10 of Kazoo",
      cases: named(ALL_OPERATIONS, [256, 1000], ["apache"]),
      rivals: ["kazoo"],
      figure: "cpuUsPerOp",
      atMost: 1 / 10,
    }),
    ratioGoal(report, {
      goal: "sequential get over either server: latency p50 no worse than any peer",
      cases: named(["get"], [1], SERVER_NAMES),
      rivals: peers,
      figure: "p50Us",
      atMost: 1,
    }),
    boundGoal(report, {
      goal: "heap per one-shot watch",
      case: HEAP_CASE,
      figure: "heapBytesPerWatch",
      atMost: 200,
      unit: "bytes",
    }),
  ];
}

async function main(): Promise<void> {
  const options = parseSuiteOptions(process.argv.slice(2));
  const plan = options.quick ? QUICK : FULL;
  if (options.profileDir !== undefined) mkdirSync(options.profileDir, { recursive: true });
  const bench = new ClientBench(options);
  const { report } = bench;
  const { peers, leftOut } = await preparePeers(plan.installTimeoutMs);
  for (const line of leftOut) report.note(line);
  const subjects: readonly Subject[] = ["meerkat", ...peers];

  await using embedded = await MeerkatServer.launch();
  await using apache = await ApacheServer.launch();
  if (apache === undefined) report.note("Apache ZooKeeper is left out: needs java and Debian's zookeeper");
  const cases: ClientCase[] = plan.shapes.flatMap(([operation, inFlight]) =>
    [embedded, apache].flatMap((server, index) => {
      const name = caseName(operation, inFlight, SERVER_NAMES[index] as (typeof SERVER_NAMES)[number]);
      return server === undefined ? [] : [{ name, server, operation, inFlight }];
    }),
  );
  for (const server of [embedded, apache]) {
    if (server !== undefined) await bench.ensure(server, [ROOT, READ_PATH], DATA_BYTES);
  }
  const chosen = (name: string): boolean => options.only?.test(name) ?? true;
  if (chosen(HEAP_CASE)) await measureHeap(bench, embedded, subjects);
  await measureRates(
    bench,
    cases.filter((wanted) => chosen(wanted.name)),
    subjects,
    plan,
  );
  await bench.close();
  report.print(goals(report, peers));
}

await main();
