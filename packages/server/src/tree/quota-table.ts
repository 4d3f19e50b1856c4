// SPDX-License-Identifier: Apache-2.0
// Quotas: znodes under /zookeeper/quota that limit the number and the bytes of the znodes below a path. Only
// the arithmetic lives here; the tree keeps the text of the stats znodes in step. As in ZooKeeper that text is
// what counts: a path without a stats znode is not counted, and whoever writes one changes the count.

/** Where quotas are kept. */
export const QUOTA_ROOT = "/zookeeper/quota";
const LIMITS_SUFFIX = "/zookeeper_limits";
const STATS_SUFFIX = "/zookeeper_stats";

/** Limits of one path; -1 where there is none. Only the hard ones are ever enforced. */
export interface QuotaLimits {
  readonly count: number;
  readonly bytes: number;
  readonly countHard: number;
  readonly bytesHard: number;
}

/** One path with a quota. */
export interface Quota {
  readonly path: string;
  limits: QuotaLimits;
  /** There is a stats znode; without one nothing is counted or enforced. */
  isCounted: boolean;
  /** Znodes at and below the path, and the bytes of their data, as the stats znode has them. */
  count: number;
  bytes: number;
}

/** Reads `count=N,bytes=M=;byteHardLimit=X;countHardLimit=Y` in any order; what is missing or odd is -1. */
export function parseLimits(text: string): QuotaLimits {
  const values = new Map<string, number>();
  for (const part of text.split(/[,;]/)) {
    const match = /^=?([a-zA-Z]+)=(-?\d+)/.exec(part.trim());
    if (match?.[1] !== undefined) values.set(match[1], Number(match[2]));
  }
  return {
    count: values.get("count") ?? -1,
    bytes: values.get("bytes") ?? -1,
    countHard: values.get("countHardLimit") ?? -1,
    bytesHard: values.get("byteHardLimit") ?? -1,
  };
}

/** The text of a stats znode. */
export function statsText(quota: { readonly count: number; readonly bytes: number }): string {
  return `count=${quota.count},bytes=${quota.bytes}`;
}

/** The path that a limits or stats znode is about, or undefined for any other znode. */
export function quotaTarget(
  path: string,
): { readonly path: string; readonly part: "limits" | "stats" } | undefined {
  if (!path.startsWith(`${QUOTA_ROOT}/`)) return undefined;
  for (const [suffix, part] of [
    [LIMITS_SUFFIX, "limits"],
    [STATS_SUFFIX, "stats"],
  ] as const) {
    const target = path.slice(QUOTA_ROOT.length, -suffix.length);
    if (path.endsWith(suffix) && target !== "") return { path: target, part };
  }
  return undefined;
}

/** The stats znode of a path. */
export function statsPath(path: string): string {
  return `${QUOTA_ROOT}${path}${STATS_SUFFIX}`;
}

/** The paths that have a limits znode. */
export class QuotaTable {
  readonly #quotas = new Map<string, Quota>();

  get size(): number {
    return this.#quotas.size;
  }

  all(): Iterable<Quota> {
    return this.#quotas.values();
  }

  get(path: string): Quota | undefined {
    return this.#quotas.get(path);
  }

  set(path: string, limits: QuotaLimits): Quota {
    const known = this.#quotas.get(path);
    if (known !== undefined) {
      known.limits = limits;
      return known;
    }
    const quota = { path, limits, isCounted: false, count: 0, bytes: 0 };
    this.#quotas.set(path, quota);
    return quota;
  }

  delete(path: string): void {
    this.#quotas.delete(path);
  }

  clear(): void {
    this.#quotas.clear();
  }

  /** The quota of the longest prefix of a path, the path itself included. */
  covering(path: string): Quota | undefined {
    if (this.#quotas.size === 0) return undefined;
    for (let end = path.length; end > 0; end = path.lastIndexOf("/", end - 1)) {
      const quota = this.#quotas.get(path.slice(0, end));
      if (quota !== undefined) return quota;
    }
    return undefined;
  }
}

/** Whether a change would break a hard limit: the count first, then the bytes, these also by a smaller excess. */
export function exceedsQuota(quota: Quota, addedCount: number, addedBytes: number): boolean {
  if (!quota.isCounted) return false;
  const { countHard, bytesHard } = quota.limits;
  if (addedCount !== 0 && countHard > -1 && quota.count + addedCount > countHard) return true;
  return addedBytes !== 0 && bytesHard > -1 && quota.bytes + addedBytes > bytesHard;
}
