// SPDX-License-Identifier: Apache-2.0
// Goals that compare our figure with others' in the same cases.
import type { Goal, Report, Row } from "./report.ts";

/** A figure of a row, such as `opsPerSec`. */
type Figure = keyof Row & string;

/** What a ratio goal asks of our figure divided by the rival's. */
export interface RatioGoal {
  readonly goal: string;
  readonly cases: readonly string[];
  readonly rivals: readonly string[];
  readonly figure: Figure;
  /** Our figure must be at least this multiple of the rival's … */
  readonly atLeast?: number;
  /** … or at most. */
  readonly atMost?: number;
}

function numberOf(row: Row | undefined, figure: Figure): number | undefined {
  const value = row?.[figure];
  return typeof value === "number" ? value : undefined;
}

function formatRatio(ratio: number): string {
  return ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(2);
}

/** Judges a ratio goal by its worst pair. The detail names that pair, and how many pairs fall short. */
export function ratioGoal(report: Report, wanted: RatioGoal): Goal {
  const pairs: { readonly ratio: number; readonly text: string }[] = [];
  for (const caseName of wanted.cases) {
    const ours = numberOf(report.find(caseName, "meerkat"), wanted.figure);
    for (const rival of wanted.rivals) {
      const theirs = numberOf(report.find(caseName, rival), wanted.figure);
      if (ours === undefined || theirs === undefined || theirs === 0) continue;
      pairs.push({ ratio: ours / theirs, text: `${caseName} against ${rival}` });
    }
  }
  const { goal, atLeast, atMost } = wanted;
  const fits = (ratio: number): boolean =>
    atLeast !== undefined ? ratio >= atLeast : ratio <= (atMost as number);
  pairs.sort((a, b) => (atLeast !== undefined ? a.ratio - b.ratio : b.ratio - a.ratio));
  const worst = pairs[0];
  if (worst === undefined) return { goal, reached: undefined, detail: "no pair to compare" };
  const short = pairs.filter((pair) => !fits(pair.ratio)).length;
  const bound = atLeast !== undefined ? `≥ ${atLeast}` : `≤ ${formatRatio(atMost as number)}`;
  return {
    goal,
    reached: short === 0,
    detail: `worst ${formatRatio(worst.ratio)} × (${bound}) at ${worst.text}; ${pairs.length - short} of ${pairs.length} pairs reach it`,
  };
}

/** Judges one figure of ours against a fixed bound. */
export function boundGoal(
  report: Report,
  wanted: {
    readonly goal: string;
    readonly case: string;
    readonly figure: Figure;
    readonly atMost: number;
    readonly unit: string;
  },
): Goal {
  const value = numberOf(report.find(wanted.case, "meerkat"), wanted.figure);
  if (value === undefined) return { goal: wanted.goal, reached: undefined, detail: "no figure" };
  return {
    goal: wanted.goal,
    reached: value <= wanted.atMost,
    detail: `${value.toPrecision(4)} ${wanted.unit} (≤ ${wanted.atMost})`,
  };
}
