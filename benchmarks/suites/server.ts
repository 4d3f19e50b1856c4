// SPDX-License-Identifier: Apache-2.0
// `npm run bench -- server`: the embedded server beside Apache ZooKeeper, both syncing every write, under
// one load generator. Method and reading: `benchmarks/README.md`.
import { mkdirSync } from "node:fs";
import type { LoadOperation } from "../drivers/load-frames.ts";
import { ApacheServer, type BenchmarkServer, MeerkatServer } from "../lib/benchmark-server.ts";
import { boundGoal, ratioGoal } from "../lib/goals.ts";
import { parseSuiteOptions } from "../lib/options.ts";
import { type Goal, Report } from "../lib/report.ts";
import { largeTreeCases, measureLargeTree } from "../server/large-tree.ts";
import { LoadGenerator } from "../server/load-generator.ts";
import {
  FULL,
  LARGE_CASES,
  PIPELINED_SHAPES,
  QUICK,
  READ_OPERATIONS,
  rateCaseName,
  rateCases,
  type Shape,
  SINGLE_SHAPES,
  WRITE_OPERATIONS,
} from "../server/plan.ts";
import {
  attempt,
  measureLowLoad,
  measureRates,
  measureSessions,
  measureWatchers,
  type Phase,
  prepare,
  watchersCaseName,
} from "../server/rates.ts";

const RIVALS = ["apache"];

function named(operations: readonly LoadOperation[], shapes: readonly Shape[]): string[] {
  return rateCases(operations, shapes).map(rateCaseName);
}

/** Rows of the closed loops. */
function rateGoals(report: Report): Goal[] {
  const large = LARGE_CASES.map(rateCaseName);
  const all: readonly LoadOperation[] = [...READ_OPERATIONS, ...WRITE_OPERATIONS, "mix"];
  const goal = (
    text: string,
    cases: readonly string[],
    figure: string,
    bound: { readonly atLeast: number } | { readonly atMost: number },
  ): Goal => ratioGoal(report, { goal: text, cases, rivals: RIVALS, figure, ...bound });
  const singleReads = named(READ_OPERATIONS, SINGLE_SHAPES);
  const singleWrites = named(WRITE_OPERATIONS, SINGLE_SHAPES);
  const pipelined = [...named(all, PIPELINED_SHAPES), ...large];
  return [
    goal("pipelined reads ≥ 10 ×", named(READ_OPERATIONS, PIPELINED_SHAPES), "opsPerSec", { atLeast: 10 }),
    goal(
      "pipelined durable writes of 100 bytes ≥ 5 ×",
      named(WRITE_OPERATIONS, PIPELINED_SHAPES),
      "opsPerSec",
      {
        atLeast: 5,
      },
    ),
    goal("pipelined durable writes of 1 KiB ≥ 2.5 ×", large, "opsPerSec", { atLeast: 2.5 }),
    goal("one outstanding request: reads ≥ 2 ×", singleReads, "opsPerSec", { atLeast: 2 }),
    goal("one outstanding request: durable writes ≥ 1.2 ×", singleWrites, "opsPerSec", { atLeast: 1.2 }),
    goal("one outstanding request: p99 no worse", [...singleReads, ...singleWrites], "p99Us", { atMost: 1 }),
    goal(
      "server CPU per operation ≤ 1/2 in every row",
      [...named(all, SINGLE_SHAPES), ...pipelined],
      "cpuUsPerOp",
      {
        atMost: 1 / 2,
      },
    ),
    goal("server CPU per pipelined operation ≤ 1/8", pipelined, "cpuUsPerOp", { atMost: 1 / 8 }),
    goal("time to the last of the watchers ≤ 0.6 ×", [1000, 10_000].map(watchersCaseName), "lastEventMs", {
      atMost: 0.6,
    }),
  ];
}

/** Rows of the large tree. Quick runs hold a smaller one, which decides nothing. */
function largeTreeGoals(report: Report): Goal[] {
  const cases = largeTreeCases(FULL.znodes);
  return [
    boundGoal(report, {
      goal: "resident bytes per znode at 1,000,000 znodes of 100 bytes",
      case: cases.memory,
      figure: "residentBytesPerZnode",
      atMost: 300,
      unit: "bytes",
    }),
    ratioGoal(report, {
      goal: "restart with 1,000,000 znodes no slower",
      cases: [cases.restart],
      rivals: RIVALS,
      figure: "restartMs",
      atMost: 1,
    }),
    boundGoal(report, {
      goal: "longest stop of the event loop during a background snapshot of 1,000,000 znodes",
      case: cases.snapshot,
      figure: "loopStopMs",
      atMost: 20,
      unit: "ms",
    }),
  ];
}

async function main(): Promise<void> {
  const options = parseSuiteOptions(process.argv.slice(2));
  const report = new Report("server", options);
  let profile: string[] = [];
  if (options.profileDir !== undefined) {
    mkdirSync(options.profileDir, { recursive: true });
    profile = ["--cpu-prof", `--cpu-prof-dir=${options.profileDir}`];
  }
  const launchMeerkat = (): Promise<BenchmarkServer> => MeerkatServer.launch(profile);
  const launchApache = (): Promise<BenchmarkServer | undefined> => ApacheServer.launch();
  await using load = new LoadGenerator();
  const common = {
    report,
    plan: options.quick ? QUICK : FULL,
    load,
    chosen: (name: string) => options.only?.test(name) ?? true,
  };
  {
    await using meerkat = await launchMeerkat();
    await using apache = await launchApache();
    if (apache === undefined) report.note("Apache ZooKeeper is left out: needs java and Debian's zookeeper");
    const phase: Phase = { ...common, servers: apache === undefined ? [meerkat] : [meerkat, apache] };
    await prepare(phase);
    await attempt(report, "closed loops", () => measureRates(phase));
    await attempt(report, "low load", () => measureLowLoad(phase));
    await attempt(report, "new sessions", () => measureSessions(phase));
    await attempt(report, "watchers", () => measureWatchers(phase));
  }
  await measureLargeTree({ ...common, servers: [] }, [launchMeerkat, launchApache]);
  report.print([...rateGoals(report), ...largeTreeGoals(report)]);
}

await main();
