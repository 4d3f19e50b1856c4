// SPDX-License-Identifier: Apache-2.0
// `npm run bench -- recipes`: our recipes beside Kazoo's and Curator's, over Apache ZooKeeper and over the
// embedded server. Method and reading: `benchmarks/README.md`.
import { missingTools } from "@meerkat/testkit";
import { ApacheServer, type BenchmarkServer, MeerkatServer } from "../lib/benchmark-server.ts";
import type { DriverCommand } from "../lib/driver-process.ts";
import { ratioGoal } from "../lib/goals.ts";
import { driverPath, pythonDriverPath } from "../lib/locations.ts";
import { parseSuiteOptions } from "../lib/options.ts";
import { type Goal, Report } from "../lib/report.ts";
import { TimeBudget } from "../lib/time-budget.ts";
import { compileCurator } from "../recipes/curator.ts";
import { RecipeBench, type RecipePlan } from "../recipes/recipe-bench.ts";

interface Plan extends RecipePlan {
  readonly budgetMs: number;
  readonly contenders: readonly number[];
  readonly trees: readonly number[];
}

const FULL: Plan = {
  budgetMs: 900_000,
  rounds: 3,
  runMs: 2_000,
  failoverRounds: 3,
  cacheRounds: 3,
  cacheTimeoutMs: 120_000,
  contenders: [2, 10, 100],
  trees: [10_000, 100_000],
};
/** Apache's server alone: fail-over takes the length of a session. */
const QUICK: Plan = {
  budgetMs: 34_000,
  rounds: 1,
  runMs: 500,
  failoverRounds: 1,
  cacheRounds: 1,
  cacheTimeoutMs: 5_000,
  contenders: [10, 100],
  trees: [10_000],
};

/** A case of the suite, and how it is run. */
interface Case {
  readonly name: string;
  readonly run: (bench: RecipeBench) => Promise<void>;
}

function casesOver(server: BenchmarkServer, plan: Plan): Case[] {
  const over = (what: string): string => `${server.name === "apache" ? "apache" : "embedded"}: ${what}`;
  const handOvers = plan.contenders.map((contenders) => {
    const name = over(`hand-over ×${contenders}`);
    return { name, run: (bench: RecipeBench) => bench.handOvers(name, server, contenders) };
  });
  const caches = plan.trees.map((count) => {
    const names = { start: over(`cache of ${count}`), change: over(`change in a cache of ${count}`) };
    return { name: names.start, run: (bench: RecipeBench) => bench.caches(names, server, count) };
  });
  const lock = over("lock");
  const failover = over("fail-over");
  return [
    { name: lock, run: (bench) => bench.locks(lock, server) },
    ...handOvers,
    { name: failover, run: (bench) => bench.failovers(failover, server) },
    ...caches,
  ];
}

function goals(report: Report, plan: Plan, rivals: readonly string[]): Goal[] {
  const servers = ["apache", "embedded"];
  const of = (names: readonly string[]): string[] =>
    servers.flatMap((server) => names.map((name) => `${server}: ${name}`));
  return [
    ratioGoal(report, {
      goal: "uncontended lock: latency p50 no worse than any peer",
      cases: of(["lock"]),
      rivals,
      figure: "p50Us",
      atMost: 1,
    }),
    ratioGoal(report, {
      goal: "hand-over of a contended lock: latency p50 no worse than any peer",
      cases: of(plan.contenders.map((contenders) => `hand-over ×${contenders}`)),
      rivals,
      figure: "p50Us",
      atMost: 1,
    }),
    ratioGoal(report, {
      goal: "cache start-up no slower than any peer",
      cases: of(plan.trees.map((count) => `cache of ${count}`)),
      rivals,
      figure: "startMs",
      atMost: 1,
    }),
    ratioGoal(report, {
      goal: "one change in a cache: latency p50 no worse than any peer",
      cases: of(plan.trees.map((count) => `change in a cache of ${count}`)),
      rivals,
      figure: "p50Us",
      atMost: 1,
    }),
  ];
}

async function main(): Promise<void> {
  const options = parseSuiteOptions(process.argv.slice(2));
  const plan = options.quick ? QUICK : FULL;
  const report = new Report("recipes", options);
  const profile =
    options.profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${options.profileDir}`];
  const commands = new Map<string, DriverCommand>([
    [
      "meerkat",
      { name: "meerkat", program: process.execPath, args: [...profile, driverPath("meerkat-recipes")] },
    ],
  ]);
  if (missingTools("python-kazoo").length === 0) {
    commands.set("kazoo", {
      name: "kazoo",
      program: "/usr/bin/python3",
      args: ["-u", pythonDriverPath("kazoo_recipes")],
    });
  } else report.note("kazoo is left out: /usr/bin/python3 has none (Debian: python3-kazoo)");
  const curator = await compileCurator();
  await using _compiled = typeof curator === "string" ? undefined : curator;
  if (typeof curator === "string") report.note(curator);
  else commands.set("curator", curator.command);

  await using apache = await ApacheServer.launch();
  if (apache === undefined) report.note("Apache ZooKeeper is left out: needs java and Debian's zookeeper");
  await using embedded = options.quick && apache !== undefined ? undefined : await MeerkatServer.launch();
  const bench = new RecipeBench({ report, plan, commands, budget: new TimeBudget(plan.budgetMs) });
  const cases = [apache, embedded].flatMap((server) => (server === undefined ? [] : casesOver(server, plan)));
  for (const { name, run } of cases) if (options.only?.test(name) ?? true) await run(bench);
  await bench.close();
  const rivals = [...commands.keys()].filter((name) => name !== "meerkat");
  report.print(goals(report, plan, rivals));
}

await main();
