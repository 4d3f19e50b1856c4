// SPDX-License-Identifier: Apache-2.0
// The verbs that every driver of the recipe suite knows. `kazoo_recipes.py` and `CuratorRecipes.java` answer
// the same ones with the same figures.

/** `connect`: a client with one session. */
export interface RecipeConnect {
  readonly hosts: string;
  readonly sessionTimeoutMs: number;
}

/** `lock`: one contender takes and releases a lock, again and again; an operation is both. */
export interface LockRun {
  readonly path: string;
  readonly durationMs: number;
}

/**
 * `contend`: so many contenders of one session pass a lock on. The latency is the time from the call of a
 * release to the grant of the next contender.
 */
export interface ContendRun extends LockRun {
  readonly contenders: number;
}

/** `lead`: answers when this process leads; it goes on leading. */
export interface LeadRun {
  readonly path: string;
}

/** `cache`: opens a cache of a tree and answers when it has all `count` znodes. */
export interface CacheRun {
  readonly path: string;
  readonly count: number;
  readonly timeoutMs: number;
}

/** What `cache` answers. */
export interface CacheResult {
  readonly startMs: number;
  /** CPU of this process from the call to the whole tree. */
  readonly startCpuMs: number;
}

/**
 * `change`: sets a znode of the cached tree and waits until the cache tells, again and again; an operation is
 * one change.
 */
export interface ChangeRun {
  readonly path: string;
  readonly durationMs: number;
}
