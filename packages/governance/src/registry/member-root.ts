// SPDX-License-Identifier: Apache-2.0
// Making the znode that members are registered under.
import { type Acl, isZooKeeperError, joinPath, type ZooKeeperClient } from "@meerkat/client";

/**
 * Makes the znode and its parents where they are missing. Containers, which the server removes some time
 * after their last child, become plain znodes on servers that know none (before ZooKeeper 3.5). @internal
 */
export async function makeRoot(
  client: ZooKeeperClient,
  root: string,
  options: {
    readonly mode?: "persistent" | "container" | undefined;
    readonly acl?: readonly Acl[] | undefined;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { acl, signal, mode } = options;
  const call = { signal, ...(acl && { acl }) };
  if (mode !== "container") return client.ensurePath(root, call);
  let path = "/";
  for (const part of root.split("/").filter((name) => name.length > 0)) {
    path = joinPath(path, part);
    try {
      if ((await client.exists(path, { signal })) === null)
        await client.create(path, null, { ...call, mode });
    } catch (error) {
      if (isZooKeeperError(error, "NODE_EXISTS")) continue;
      if (!isZooKeeperError(error, "UNIMPLEMENTED")) throw error;
      return client.ensurePath(root, call);
    }
  }
}
