// SPDX-License-Identifier: Apache-2.0
// The three caches: of one znode, of a znode's children, of a whole subtree.
import { joinPath, type ZooKeeperClient } from "@meerkat/client";
import type { WaitOptions } from "../wait-scope.ts";
import type { CachedNode } from "./cache-change.ts";
import { type CacheOptions, ZnodeCache } from "./znode-cache.ts";

/** A cache of one znode (Curator: NodeCache; Kazoo: DataWatch). */
export class NodeCache extends ZnodeCache {
  private constructor(client: ZooKeeperClient, path: string, options: CacheOptions) {
    super(client, path, 0, options);
  }

  /** Resolves with the first exact state. Rejects with `TIMEOUT`, `ABORTED`, or as the client does. */
  static async open(
    client: ZooKeeperClient,
    path: string,
    options: CacheOptions & WaitOptions = {},
  ): Promise<NodeCache> {
    return ZnodeCache.opened(new NodeCache(client, path, options), options);
  }

  /** The znode, if it exists. */
  get node(): CachedNode | undefined {
    return this.nodeAt(this.root);
  }
}

/**
 * A cache of the children of a znode with their data, and of the znode itself (Curator: PathChildrenCache;
 * Kazoo: ChildrenWatch).
 */
export class ChildrenCache extends ZnodeCache {
  private constructor(client: ZooKeeperClient, path: string, options: CacheOptions) {
    super(client, path, 1, options);
  }

  /** Resolves with the first exact state. Rejects with `TIMEOUT`, `ABORTED`, or as the client does. */
  static async open(
    client: ZooKeeperClient,
    path: string,
    options: CacheOptions & WaitOptions = {},
  ): Promise<ChildrenCache> {
    return ZnodeCache.opened(new ChildrenCache(client, path, options), options);
  }

  /** Names of the children, in no particular order. */
  get names(): ReadonlySet<string> {
    return this.namesBelow(this.root);
  }

  /** A child by name. */
  get(name: string): CachedNode | undefined {
    return this.nodeAt(joinPath(this.root, name));
  }
}

/** A cache of a znode and all below it, as deep as is wanted (Curator: CuratorCache; Kazoo: TreeCache). */
export class TreeCache extends ZnodeCache {
  private constructor(client: ZooKeeperClient, path: string, options: TreeCacheOptions) {
    super(client, path, options.depthMax ?? Number.POSITIVE_INFINITY, options);
  }

  /** Resolves with the first exact state. Rejects with `TIMEOUT`, `ABORTED`, `LIMIT`, or as the client does. */
  static async open(
    client: ZooKeeperClient,
    path: string,
    options: TreeCacheOptions & WaitOptions = {},
  ): Promise<TreeCache> {
    return ZnodeCache.opened(new TreeCache(client, path, options), options);
  }

  /** A znode by its path. */
  get(path: string): CachedNode | undefined {
    return this.nodeAt(path);
  }

  /** Names of the children of a znode, in no particular order. */
  names(path: string): ReadonlySet<string> {
    return this.namesBelow(path);
  }
}

/** Options of a tree cache. */
export interface TreeCacheOptions extends CacheOptions {
  /** Levels below the root; default all. */
  readonly depthMax?: number | undefined;
}
