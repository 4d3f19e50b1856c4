// SPDX-License-Identifier: Apache-2.0
// A chaos run in words.
import type { ChaosResult } from "./run-chaos.ts";

const EVENTS_SHOWN = 60;
const VIOLATIONS_SHOWN = 10;

function counted(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([what, count]) => `${what} ${count}`).join(", ") || "nothing";
}

/** What was done, what came of it, and for every violation what led to it. */
export function chaosReport(result: ChaosResult): string {
  const { title, seed, elapsedMs, sites, faults, histories, violations } = result;
  const width = Math.max(...histories.map(({ name }) => name.length));
  const lines = [
    `${sites} contenders of each recipe over ${title}, seed ${seed}, ${Math.round(elapsedMs / 1000)} s`,
    `faults: ${counted(faults)}`,
    ...histories.map(
      ({ name, counts, violations: own }) =>
        `  ${own.length === 0 ? "ok      " : "VIOLATED"}  ${name.padEnd(width)}  ${counted(counts)}`,
    ),
  ];
  for (const { name, violations: own, events } of histories) {
    if (own.length === 0) continue;
    lines.push(
      "",
      `${name}: ${own.length} violations`,
      ...own.slice(0, VIOLATIONS_SHOWN).map((each) => `  ${each}`),
    );
    lines.push("  what led to the first:", ...events.slice(-EVENTS_SHOWN).map((event) => `    ${event}`));
  }
  lines.push(
    violations.length === 0 ? "no violation" : `${violations.length} violations; replay with --seed ${seed}`,
  );
  return lines.join("\n");
}
