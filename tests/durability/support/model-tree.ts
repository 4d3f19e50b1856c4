// SPDX-License-Identifier: Apache-2.0
// ZooKeeper's tree as plainly as it can be written: what recovery and snapshots are checked against.
import type { RecoverySink, SnapshotNode, SnapshotSource } from "@meerkat/server/log";
import { type Acl, OpCode, type Txn, type TxnHeader } from "@meerkat/wire";

type Znode = { -readonly [Key in keyof SnapshotNode]: SnapshotNode[Key] };

const CONTAINER = -(2n ** 63n);

/** A tree with its sessions. */
export class ModelTree implements RecoverySink, SnapshotSource {
  lastZxid = 0;
  readonly znodes: Map<string, Znode> = new Map();
  readonly timeouts: Map<bigint, number> = new Map();

  sessions(): Iterable<readonly [id: bigint, timeoutMs: number]> {
    return this.timeouts;
  }

  /** Parents first: a shorter path is never a child of a longer one. */
  nodes(): Iterable<SnapshotNode> {
    return [...this.znodes.values()].sort((a, b) => a.path.length - b.path.length);
  }

  restoreSession(id: bigint, timeoutMs: number): void {
    this.timeouts.set(id, timeoutMs);
  }

  restoreNode(node: SnapshotNode): void {
    this.znodes.set(node.path, { ...node, data: copy(node.data) });
  }

  applyTxn(header: TxnHeader, txn: Txn): void {
    this.lastZxid = Math.max(this.lastZxid, header.zxid);
    if (txn.type === OpCode.createSession) this.timeouts.set(header.clientId, txn.timeoutMs);
    else if (txn.type === OpCode.closeSession) this.#closeSession(header, txn.paths);
    else if (txn.type !== OpCode.multi) this.#apply(header, txn);
    else if (!txn.txns.some((inner) => inner.type === OpCode.error)) {
      for (const inner of txn.txns) this.#apply(header, inner);
    }
  }

  /** What a server does at its start with ephemerals that nobody owns. */
  removeOrphans(): void {
    for (const znode of [...this.znodes.values()]) {
      const owner = znode.ephemeralOwner;
      const isSession = owner !== 0n && owner !== CONTAINER && BigInt.asUintN(64, owner) >> 56n !== 0xffn;
      if (isSession && !this.timeouts.has(owner)) this.#delete(znode.path, this.lastZxid);
    }
  }

  /** Everything, in an order of its own, for comparison. */
  dump(): { readonly sessions: unknown; readonly znodes: unknown } {
    return {
      sessions: [...this.timeouts].map(([id, ms]) => `${id} ${ms}`).sort(),
      znodes: [...this.znodes.values()]
        .map(({ data, acl, ephemeralOwner, ...stat }) => ({
          ...stat,
          ephemeralOwner: ephemeralOwner.toString(),
          data: data === null ? null : Buffer.from(data).toString("hex"),
          acl,
        }))
        .sort((a, b) => (a.path < b.path ? -1 : 1)),
    };
  }

  #closeSession(header: TxnHeader, paths: readonly string[]): void {
    this.timeouts.delete(header.clientId);
    for (const path of paths) this.#delete(path, header.zxid);
    for (const znode of [...this.znodes.values()]) {
      if (znode.ephemeralOwner === header.clientId) this.#delete(znode.path, header.zxid);
    }
  }

  #apply(header: TxnHeader, txn: Txn): void {
    switch (txn.type) {
      case OpCode.create:
      case OpCode.create2:
        this.#create(header, txn, txn.ephemeral ? header.clientId : 0n);
        return;
      case OpCode.createContainer:
        this.#create(header, txn, CONTAINER);
        return;
      case OpCode.createTTL:
        this.#create(header, txn, BigInt.asIntN(64, (0xffn << 56n) | BigInt(txn.ttlMs)));
        return;
      case OpCode.delete:
      case OpCode.deleteContainer:
        this.#delete(txn.path, header.zxid);
        return;
      case OpCode.setData:
      case OpCode.reconfig: {
        const znode = this.#find(txn.path);
        if (znode === undefined) return;
        Object.assign(znode, {
          data: copy(txn.data),
          version: txn.version,
          mzxid: header.zxid,
          mtimeMs: header.timeMs,
        });
        return;
      }
      case OpCode.setACL: {
        const znode = this.#find(txn.path);
        if (znode !== undefined) Object.assign(znode, { acl: txn.acl, aversion: txn.version });
        return;
      }
      case OpCode.error:
      case OpCode.check:
      case OpCode.createSession:
      case OpCode.closeSession:
      case OpCode.multi:
        return;
    }
  }

  #create(
    header: TxnHeader,
    txn: { path: string; data: Uint8Array | null; acl: readonly Acl[] | null; parentCVersion: number },
    ephemeralOwner: bigint,
  ): void {
    const parent = this.#parentOf(txn.path);
    if (parent === undefined) throw new Error(`${txn.path} has no parent`);
    if (txn.parentCVersion > parent.cversion) {
      parent.cversion = txn.parentCVersion;
      parent.pzxid = Math.max(parent.pzxid, header.zxid);
    }
    if (this.znodes.has(txn.path)) return;
    this.znodes.set(txn.path, {
      path: txn.path,
      data: copy(txn.data),
      acl: txn.acl,
      czxid: header.zxid,
      mzxid: header.zxid,
      ctimeMs: header.timeMs,
      mtimeMs: header.timeMs,
      version: 0,
      cversion: 0,
      aversion: 0,
      ephemeralOwner,
      pzxid: header.zxid,
    });
  }

  #delete(path: string, zxid: number): void {
    const parent = this.#parentOf(path);
    if (parent === undefined) return;
    parent.pzxid = Math.max(parent.pzxid, zxid);
    this.znodes.delete(path);
  }

  #find(path: string): Znode | undefined {
    return this.znodes.get(path === "/" ? "" : path);
  }

  #parentOf(path: string): Znode | undefined {
    return this.znodes.get(path.slice(0, path.lastIndexOf("/")));
  }
}

function copy(data: Uint8Array | null): Uint8Array | null {
  return data === null ? null : Uint8Array.from(data);
}
