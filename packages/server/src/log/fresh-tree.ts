// SPDX-License-Identifier: Apache-2.0
// The tree of an empty directory. ZooKeeper cannot start on logs without a snapshot, so one of this tree is
// written before the first transaction.
import { type Acl, READ_ONLY_ACL } from "@meerkat/wire";
import type { SnapshotNode, SnapshotSource } from "../seam.ts";

function builtIn(path: string, acl: readonly Acl[] | null, aversion: number): SnapshotNode {
  return {
    path,
    data: new Uint8Array(0),
    acl,
    czxid: 0,
    mzxid: 0,
    ctimeMs: 0,
    mtimeMs: 0,
    version: 0,
    cversion: 0,
    aversion,
    ephemeralOwner: 0n,
    pzxid: 0,
  };
}

/** Root, quotas and configuration as ZooKeeper 3.5 and later make them. */
export const freshTree: SnapshotSource = {
  lastZxid: 0,
  sessions: () => [],
  nodes: () => [
    builtIn("", null, 0),
    builtIn("/zookeeper", null, 0),
    builtIn("/zookeeper/config", READ_ONLY_ACL, -1),
    builtIn("/zookeeper/quota", null, 0),
  ],
};
