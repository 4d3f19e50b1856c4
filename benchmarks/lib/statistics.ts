// SPDX-License-Identifier: Apache-2.0

/** The middle value (the mean of the two middle ones for an even count); undefined of nothing. */
export function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** Median of one field over records, leaving out those that lack it. */
export function medianOf<T>(
  records: readonly T[],
  field: (record: T) => number | undefined,
): number | undefined {
  return median(records.map(field).filter((value) => value !== undefined));
}

/** Half of the distance between the extremes, as a share of the median: how far rounds disagree. */
export function spread(values: readonly number[]): number | undefined {
  const middle = median(values);
  if (middle === undefined || middle === 0 || values.length < 2) return undefined;
  return (Math.max(...values) - Math.min(...values)) / 2 / middle;
}
