// SPDX-License-Identifier: Apache-2.0
// The recipes while connections are cut, delayed, half-closed and swallowed, sessions expire, processes die
// and servers are killed. `npm run chaos -- recipes --minutes N [--seed S]` runs longer.
import { timingMultiple, toolsAvailable } from "@meerkat/testkit";
import { describe, expect, it } from "vitest";
import { chaosReport } from "./report.ts";
import { runChaos } from "./run-chaos.ts";
import { type ChaosServers, EmbeddedProcess, Ensemble } from "./servers.ts";

const { CHAOS_MINUTES, CHAOS_SEED = "2181", CHAOS_ONLY } = process.env;
/** Each kind of server gets half of a long run. */
const DURATION_MS = CHAOS_MINUTES === undefined ? 8_000 : Number(CHAOS_MINUTES) * 30_000;
const CHECKS_MS: number = 180_000 * timingMultiple();
const SITES = 5;

async function prove(start: () => Promise<ChaosServers>): Promise<void> {
  await using servers = await start();
  const result = await runChaos({
    servers,
    seed: Number(CHAOS_SEED),
    durationMs: DURATION_MS,
    sites: SITES,
    only: CHAOS_ONLY === undefined ? undefined : new RegExp(CHAOS_ONLY),
  });
  const report = chaosReport(result);
  if (CHAOS_MINUTES !== undefined) process.stdout.write(`\n${report}\n`);
  expect(result.violations, report).toEqual([]);
}

describe("the recipes under faults", () => {
  const timeout = DURATION_MS + CHECKS_MS;

  it("keep their promises over the embedded server", { timeout }, () => prove(EmbeddedProcess.start));

  it.skipIf(!toolsAvailable("chaos over a real ensemble", "java-zookeeper"))(
    "keep their promises over an ensemble",
    { timeout },
    () => prove(Ensemble.start),
  );
});
