// SPDX-License-Identifier: Apache-2.0
// What a cache holds, and how changes of it are told and added up.
import type { Stat } from "@meerkat/client";

/** A znode as a cache has it. Never changed in place. */
export interface CachedNode {
  readonly path: string;
  /** Not to be written into. */
  readonly data: Buffer;
  /**
   * As of the last reading of this znode. Counters that follow the children (`numChildren`, `cversion`,
   * `pzxid`) may lag behind the cache itself.
   */
  readonly stat: Stat;
}

/** What became of one znode. One that was deleted and made again in between has `changed` with another czxid. */
export type NodeChange =
  | { readonly type: "added"; readonly path: string; readonly node: CachedNode }
  | {
      readonly type: "changed";
      readonly path: string;
      readonly node: CachedNode;
      readonly previous: CachedNode;
    }
  | { readonly type: "removed"; readonly path: string; readonly previous: CachedNode };

/** One step of a cache from a version to the next. */
export interface CacheChange {
  /** Counts the steps. */
  readonly version: number;
  /** Whether the cache is the server's state as of now; false between a lost connection and the end of the comparison. */
  readonly synced: boolean;
  /** In no particular order; empty when only `synced` changed. */
  readonly changes: readonly NodeChange[];
}

/** What turns `before` into `after`; undefined when nothing does. */
export function nodeChange(
  path: string,
  before: CachedNode | undefined,
  after: CachedNode | undefined,
): NodeChange | undefined {
  if (after === undefined) return before && { type: "removed", path, previous: before };
  if (before === undefined) return { type: "added", path, node: after };
  if (before.stat.mzxid === after.stat.mzxid && before.stat.czxid === after.stat.czxid) return undefined;
  return { type: "changed", path, node: after, previous: before };
}

/** Two steps as one, for a reader that is slower than the cache. */
export function mergeChanges(first: CacheChange, second: CacheChange): CacheChange {
  const states = new Map<string, { before: CachedNode | undefined; after: CachedNode | undefined }>();
  for (const change of [...first.changes, ...second.changes]) {
    const before = change.type === "added" ? undefined : change.previous;
    const after = change.type === "removed" ? undefined : change.node;
    const state = states.get(change.path);
    if (state === undefined) states.set(change.path, { before, after });
    else state.after = after;
  }
  const changes: NodeChange[] = [];
  for (const [path, { before, after }] of states) {
    const change = nodeChange(path, before, after);
    if (change !== undefined) changes.push(change);
  }
  return { version: second.version, synced: second.synced, changes };
}
