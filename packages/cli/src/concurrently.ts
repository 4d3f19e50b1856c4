// SPDX-License-Identifier: Apache-2.0

/** Requests under way at once while a subtree is read: enough to hide the round trips, no flood. */
export const REQUESTS_MAX = 64;

/**
 * Applies `task` to all items, at most `limit` at a time, and gives the results in the items' order.
 * Rejects with the first failure after the tasks under way have settled.
 */
export async function mapConcurrently<T, R>(
  items: readonly T[],
  limit: number,
  task: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array<R>(items.length);
  let next = 0;
  let isFailed = false;
  const worker = async (): Promise<void> => {
    while (next < items.length && !isFailed) {
      const index = next++;
      try {
        results[index] = await task(items[index] as T);
      } catch (error) {
        isFailed = true;
        throw error;
      }
    }
  };
  const workers = Array.from({ length: Math.min(limit, items.length) }, worker);
  const outcomes = await Promise.allSettled(workers);
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  return results;
}
