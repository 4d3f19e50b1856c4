// SPDX-License-Identifier: Apache-2.0
// `npm run bench -- client`: our client beside its rivals, over the embedded server and over Apache
// ZooKeeper. Method and reading: `benchmarks/README.md`.
import { mkdirSync } from "node:fs";
import type { ClientOperation, ClientRun, WatchesRun } from "../drivers/client-verbs.ts";
import { ApacheServer, type BenchmarkServer, MeerkatServer } from "../lib/benchmark-server.ts";
import { type DriverCommand, DriverProcess } from "../lib/driver-process.ts";
import { boundGoal, ratioGoal } from "../lib/goals.ts";
import { driverPath, pythonDriverPath } from "../lib/locations.ts";
import { parseSuiteOptions, type SuiteOptions } from "../lib/options.ts";
import { type Peer, preparePeers } from "../lib/peers.ts";
import { type Goal, Report, type Row } from "../lib/report.ts";
import { alternate, rowOf, type Sample } from "../lib/rounds.ts";
import { TimeBudget } from "../lib/time-budget.ts";

type Subject = "meerkat" | Peer;

/** One row of the suite: an operation with so many in flight over one of the servers. */
interface Case {
  readonly name: string;
  readonly server: BenchmarkServer;
  readonly operation: ClientOperation;
  readonly inFlight: number;
}

const DATA_BYTES = 100;
const ROOT = "/bench";
const READ_PATH = `${ROOT}/read`;
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

function driverCommand(subject: Subject, options: SuiteOptions): DriverCommand {
  if (subject === "kazoo") {
    return { name: subject, program: "/usr/bin/python3", args: ["-u", pythonDriverPath("kazoo_driver")] };
  }
  const profile =
    options.profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${options.profileDir}`];
  return {
    name: subject,
    program: process.execPath,
    args: ["--expose-gc", ...profile, driverPath(subject)],
  };
}

function pair(subject: Subject, server: BenchmarkServer): string {
  return `${subject} over ${server.title}`;
}

/** The suite's processes: servers, the load generator that makes znodes, and a driver for each pair. */
class Bench {
  readonly report: Report;
  readonly #options: SuiteOptions;
  readonly #loader: DriverProcess;
  readonly #drivers = new Map<string, DriverProcess>();
  readonly #broken = new Set<string>();
  #folders = 0;

  constructor(options: SuiteOptions) {
    this.report = new Report("client", options);
    this.#options = options;
    this.#loader = new DriverProcess({
      name: "load",
      program: process.execPath,
      args: [driverPath("load")],
    });
  }

  async ensure(server: BenchmarkServer, paths: readonly string[], dataBytes: number): Promise<void> {
    const target = { host: server.host, port: server.port };
    await this.#loader.call("ensure", { target, paths, dataBytes });
  }

  /** A new driver, connected. */
  async connect(subject: Subject, server: BenchmarkServer): Promise<DriverProcess> {
    const driver = new DriverProcess(driverCommand(subject, this.#options));
    await driver.call("connect", { hosts: `${server.host}:${server.port}` });
    return driver;
  }

  /** Connects the driver that `run` uses for this pair, and lets its code get warm. */
  async prepare(subject: Subject, server: BenchmarkServer, warmUpMs: number): Promise<void> {
    await this.#orLeaveOut(subject, server, async () => {
      this.#drivers.set(pair(subject, server), await this.connect(subject, server));
    });
    for (const operation of ["get", "set"] as const) {
      const shape = { durationMs: warmUpMs, opsMax: Number.MAX_SAFE_INTEGER };
      await this.run(subject, { name: "warm-up", server, operation, inFlight: 256 }, shape);
    }
  }

  /** One run. */
  run(
    subject: Subject,
    wanted: Case,
    shape: { readonly durationMs: number; readonly opsMax: number },
  ): Promise<Sample | undefined> {
    return this.#orLeaveOut(subject, wanted.server, async () => {
      const driver = this.#drivers.get(pair(subject, wanted.server));
      const run: ClientRun = {
        ...shape,
        operation: wanted.operation,
        inFlight: wanted.inFlight,
        path: await this.#path(subject, wanted),
        dataBytes: DATA_BYTES,
      };
      const sample = await driver?.call<Sample>("run", run);
      return sample;
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#drivers.values(), this.#loader].map((driver) => driver.close()));
  }

  /** A peer that fails is reported and left out from then on; our own failure ends the suite. */
  async #orLeaveOut<T>(
    subject: Subject,
    server: BenchmarkServer,
    task: () => Promise<T>,
  ): Promise<T | undefined> {
    const key = pair(subject, server);
    if (this.#broken.has(key)) return undefined;
    try {
      return await task();
    } catch (error) {
      if (subject === "meerkat") throw error;
      this.#broken.add(key);
      this.report.note(`${key} is left out: ${String(error).split("\n")[0]}`);
      return undefined;
    }
  }

  /** Reads share a znode, each subject sets its own, and every run of creates gets an empty parent. */
  async #path(subject: Subject, wanted: Case): Promise<string> {
    if (wanted.operation === "get" || wanted.operation === "exists") return READ_PATH;
    const path = wanted.operation === "set" ? `${ROOT}/set-${subject}` : `${ROOT}/create-${++this.#folders}`;
    await this.ensure(wanted.server, [path], DATA_BYTES);
    return path;
  }
}

async function measureRates(
  bench: Bench,
  cases: readonly Case[],
  subjects: readonly Subject[],
  plan: Plan,
): Promise<void> {
  for (const server of new Set(cases.map((wanted) => wanted.server))) {
    for (const subject of subjects) await bench.prepare(subject, server, 2 * plan.warmUpMs);
  }
  const budget = new TimeBudget(plan.budgetMs);
  for (const [index, wanted] of cases.entries()) {
    const runMs = budget.runMs({
      runs: (cases.length - index) * subjects.length * plan.rounds,
      guessMs: RUN_OVERHEAD_MS + (plan.warmUpMs + RUN_OVERHEAD_MS) / plan.rounds,
      minMs: 40,
      maxMs: plan.runMaxMs,
    });
    bench.report.progress(`${wanted.name} (${runMs} ms a run)`);
    const opsMax = wanted.operation === "create" ? CREATES_MAX : Number.MAX_SAFE_INTEGER;
    await alternate(subjects, 1, (subject) =>
      bench.run(subject, wanted, { durationMs: plan.warmUpMs, opsMax: Math.min(opsMax, CREATES_MAX) }),
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
  bench: Bench,
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
  const bench = new Bench(options);
  const { report } = bench;
  const { peers, leftOut } = await preparePeers(plan.installTimeoutMs);
  for (const line of leftOut) report.note(line);
  const subjects: readonly Subject[] = ["meerkat", ...peers];

  await using embedded = await MeerkatServer.launch();
  await using apache = await ApacheServer.launch();
  if (apache === undefined) report.note("Apache ZooKeeper is left out: needs java and Debian's zookeeper");
  const cases: Case[] = plan.shapes.flatMap(([operation, inFlight]) =>
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
