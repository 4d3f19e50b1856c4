// SPDX-License-Identifier: Apache-2.0
// How a case is measured: all its subjects take turns, several times, and medians count. A machine that
// slows down for a while then slows all of them.
import type { Row } from "./report.ts";
import { median, medianOf, spread } from "./statistics.ts";

/** What one run of one subject gave. */
export interface Sample {
  readonly ops: number;
  readonly elapsedMs: number;
  /** CPU time of the process under measurement. */
  readonly cpuUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** Runs every subject once a round. The order turns by one each round, so that none is always first. */
export async function alternate<Subject, Result>(
  subjects: readonly Subject[],
  rounds: number,
  run: (subject: Subject, round: number) => Promise<Result | undefined>,
): Promise<Map<Subject, Result[]>> {
  const results = new Map<Subject, Result[]>(subjects.map((subject) => [subject, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < subjects.length; turn++) {
      const subject = subjects[(turn + round) % subjects.length] as Subject;
      const result = await run(subject, round);
      if (result !== undefined) results.get(subject)?.push(result);
    }
  }
  return results;
}

/** The row of one subject: medians of its samples. */
export function rowOf(caseName: string, subject: string, samples: readonly Sample[]): Row {
  const rates = samples.map((sample) => (sample.ops / sample.elapsedMs) * 1000);
  return {
    case: caseName,
    subject,
    opsPerSec: median(rates),
    p50Us: medianOf(samples, (sample) => sample.p50Us),
    p99Us: medianOf(samples, (sample) => sample.p99Us),
    cpuUsPerOp: medianOf(samples, (sample) => sample.cpuUs / sample.ops),
    rounds: samples.length,
    spread: spread(rates),
  };
}
