// SPDX-License-Identifier: Apache-2.0
// The whole durable state: the tree and the sessions.
import { nodeName, OpCode, parentPath, type Txn, type TxnHeader } from "@meerkat/wire";
import type { SnapshotNode } from "../seam.ts";
import { BUILT_IN_ACL } from "./acl-table.ts";
import { kindOfOwner, ownerOfKind } from "./znode-kind.ts";
import { NO_ROW, ROOT_ROW } from "./znode-table.ts";
import { ZnodeTree, type ZnodeTreeOptions } from "./znode-tree.ts";

/** Tree and sessions; filled by recovery, read by snapshots: what storage calls its sink and its source. */
export class Replica {
  readonly tree: ZnodeTree;
  /** Timeouts of all sessions in ms, by id, as they were negotiated at their creation. */
  readonly timeouts: Map<bigint, number> = new Map();

  #parentPath = "/";
  #parent = ROOT_ROW;

  constructor(options: ZnodeTreeOptions = {}) {
    this.tree = new ZnodeTree(options);
  }

  get lastZxid(): number {
    return this.tree.lastZxid;
  }

  restoreSession(id: bigint, timeoutMs: number): void {
    this.timeouts.set(id, timeoutMs);
  }

  restoreNode(node: SnapshotNode): void {
    const { tree } = this;
    const { table } = tree;
    const isRoot = node.path === "" || node.path === "/";
    // Only built-in znodes can be there already, and looking is what takes the time.
    let row = isRoot ? ROOT_ROW : NO_ROW;
    if (!isRoot && node.path.startsWith("/zookeeper")) row = table.findText(node.path);
    if (row === NO_ROW) {
      const parent = this.#parentRow(parentPath(node.path));
      if (parent === NO_ROW) throw new Error(`the znode ${node.path} comes before its parent`);
      tree.insertRow(parent, nodeName(node.path), kindOfOwner(node.ephemeralOwner), node);
      return;
    }
    // One of the built-in znodes: give it the stored fields.
    tree.replaceData(row, isRoot ? "/" : node.path, node.data);
    table.restoreStat(row, node);
    const old = table.acl(row);
    table.setAcl(row, tree.acls.acquire(node.acl), node.aversion);
    tree.acls.release(old);
  }

  /** Siblings stand together in a snapshot, so the last parent is mostly the next one's too. */
  #parentRow(path: string): number {
    if (path !== this.#parentPath) {
      this.#parentPath = path;
      this.#parent = this.tree.table.findText(path);
    }
    return this.#parent;
  }

  applyTxn(header: TxnHeader, txn: Txn): void {
    if (txn.type === OpCode.createSession) this.timeouts.set(header.clientId, txn.timeoutMs);
    else if (txn.type === OpCode.closeSession) this.timeouts.delete(header.clientId);
    this.tree.apply(header, txn);
  }

  /**
   * Ends recovery: ephemerals of unknown sessions go, without a transaction, as in ZooKeeper; quotas are
   * counted. `lastZxid` may be beyond the last transaction that changed anything here.
   */
  finishRecovery(lastZxid: number): void {
    const { tree } = this;
    tree.lastZxid = Math.max(tree.lastZxid, lastZxid);
    for (const clientId of [...tree.ephemerals.keys()]) {
      if (this.timeouts.has(clientId)) continue;
      const type = OpCode.closeSession;
      tree.apply({ clientId, cxid: 0, zxid: tree.lastZxid, timeMs: 0, type }, { type, paths: [] });
    }
    tree.recountQuotas();
  }

  sessions(): Iterable<readonly [id: bigint, timeoutMs: number]> {
    return this.timeouts;
  }

  *nodes(): Iterable<SnapshotNode> {
    const { tree } = this;
    const { table } = tree;
    for (const row of tree.descendants(ROOT_ROW)) {
      const acl = table.acl(row);
      yield {
        path: row === ROOT_ROW ? "" : table.path(row),
        data: table.data(row),
        acl: acl === BUILT_IN_ACL ? null : tree.acls.list(acl),
        czxid: table.czxid(row),
        mzxid: table.mzxid(row),
        ctimeMs: table.ctimeMs(row),
        mtimeMs: table.mtimeMs(row),
        version: table.version(row),
        cversion: table.cversion(row),
        aversion: table.aversion(row),
        ephemeralOwner: ownerOfKind(tree.kind(row)),
        pzxid: table.pzxid(row),
      };
    }
  }
}
