// SPDX-License-Identifier: Apache-2.0
// Reading a whole subtree, level by level, with many requests under way.
import {
  type CallOptions,
  isZooKeeperError,
  joinPath,
  type Stat,
  type ZooKeeperClient,
} from "@meerkat/client";
import { mapConcurrently, REQUESTS_MAX } from "./concurrently.ts";

/** A znode and what is under it; children sorted by name. */
export interface TreeNode {
  readonly path: string;
  readonly name: string;
  readonly stat: Stat;
  readonly children: TreeNode[];
}

/**
 * Reads `path` and everything below to `depth` levels. It is not a snapshot: znodes that vanish while it
 * runs are left out. Rejects with NO_NODE only when `path` itself is missing.
 */
export async function readTree(
  client: ZooKeeperClient,
  path: string,
  depth: number,
  call: CallOptions,
): Promise<TreeNode> {
  const top = await client.children(path, call);
  const root: TreeNode = { path, name: path, stat: top.stat, children: [] };
  let level: { readonly parent: TreeNode; readonly names: readonly string[] }[] = [
    { parent: root, names: top.children },
  ];
  for (let levelsLeft = depth; levelsLeft > 0 && level.length > 0; levelsLeft--) {
    const places = level.flatMap(({ parent, names }) =>
      [...names].sort().map((name) => ({ parent, name, path: joinPath(parent.path, name) })),
    );
    const replies = await mapConcurrently(places, REQUESTS_MAX, async (place) => {
      try {
        return await client.children(place.path, call);
      } catch (error) {
        if (isZooKeeperError(error, "NO_NODE")) return undefined;
        throw error;
      }
    });
    level = [];
    for (const [index, place] of places.entries()) {
      const reply = replies[index];
      if (reply === undefined) continue;
      const child: TreeNode = { path: place.path, name: place.name, stat: reply.stat, children: [] };
      place.parent.children.push(child);
      level.push({ parent: child, names: reply.children });
    }
  }
  return root;
}

/** All znodes below `node`, each before its children. */
export function* descendants(node: TreeNode): Generator<TreeNode> {
  for (const child of node.children) {
    yield child;
    yield* descendants(child);
  }
}
