// SPDX-License-Identifier: Apache-2.0
// What a run of transactions changes in a tree that is not at hand: the basis of snapshots that are made
// from files alone. Every transaction carries new values rather than operations, so the changes of one
// znode fold into one entry, whatever the tree held before.
import type { Acl, Txn, TxnHeader } from "@meerkat/wire";
import { OpCode } from "@meerkat/wire";
import type { SnapshotNode } from "../seam.ts";
import { CONTAINER_OWNER, isSessionOwner, ttlOwner } from "./snapshot-format.ts";

/** Fields of a znode that changed. */
interface Patch {
  kind: "patch";
  data?: Buffer | null;
  mzxid?: number;
  mtimeMs?: number;
  version?: number;
  acl?: readonly Acl[] | null;
  aversion?: number;
  /** Lower bounds: the tree may be ahead of the transactions when ZooKeeper wrote it. */
  cversionMin: number;
  pzxidMin: number;
}

/** A znode that was created by one of the transactions, so that everything about it is known. */
interface Whole {
  kind: "whole";
  node: { -readonly [Key in keyof SnapshotNode]: SnapshotNode[Key] };
}

interface Gone {
  kind: "gone";
}

/** How a znode differs from what the tree held. */
export type ZnodeChange = Patch | Whole | Gone;

const GONE: Gone = { kind: "gone" };
const INT_MIN = -0x8000_0000;

/** What the tree held before; owners and their ephemerals are needed when their sessions end. */
export interface DeltaBase {
  readonly sessions: ReadonlyMap<bigint, number>;
  readonly ephemerals: ReadonlyMap<bigint, ReadonlySet<string>>;
}

/** Folds transactions into changes. */
export class TxnDelta {
  /** Changes by path, the root's being "". Created znodes come after their parents. */
  readonly changes: Map<string, ZnodeChange> = new Map();
  readonly sessions: Map<bigint, number>;
  /** zxid applied last. */
  lastZxid: number;
  readonly #ephemerals = new Map<bigint, Set<string>>();

  constructor(base: DeltaBase, lastZxid: number) {
    this.sessions = new Map(base.sessions);
    for (const [owner, paths] of base.ephemerals) this.#ephemerals.set(owner, new Set(paths));
    this.lastZxid = lastZxid;
  }

  /** Applies a transaction; its buffers are copied. */
  apply(header: TxnHeader, txn: Txn): void {
    const { zxid } = header;
    if (zxid > this.lastZxid) this.lastZxid = zxid;
    if (txn.type === OpCode.createSession) {
      this.sessions.set(header.clientId, txn.timeoutMs);
    } else if (txn.type === OpCode.closeSession) {
      this.sessions.delete(header.clientId);
      for (const path of txn.paths) this.#delete(path, zxid);
      this.#endOwner(header.clientId, zxid);
    } else if (txn.type !== OpCode.multi) {
      this.#applyToTree(header, txn);
    } else if (!txn.txns.some((inner) => inner.type === OpCode.error)) {
      for (const inner of txn.txns) this.#applyToTree(header, inner);
    }
  }

  /**
   * Removes the ephemerals whose sessions are unknown, as a server does when it starts: their sessions
   * ended while ZooKeeper wrote the snapshot.
   */
  removeOrphans(): void {
    for (const owner of [...this.#ephemerals.keys()]) {
      if (!this.sessions.has(owner)) this.#endOwner(owner, this.lastZxid);
    }
  }

  /** The created znodes that still exist, parents before their children. */
  *created(): Generator<SnapshotNode> {
    for (const change of this.changes.values()) {
      if (change.kind === "whole") yield change.node;
    }
  }

  #applyToTree(header: TxnHeader, txn: Txn): void {
    switch (txn.type) {
      case OpCode.create:
      case OpCode.create2:
        this.#create(header, txn, txn.ephemeral ? header.clientId : 0n);
        return;
      case OpCode.createContainer:
        this.#create(header, txn, CONTAINER_OWNER);
        return;
      case OpCode.createTTL:
        this.#create(header, txn, ttlOwner(txn.ttlMs));
        return;
      case OpCode.delete:
      case OpCode.deleteContainer:
        this.#delete(txn.path, header.zxid);
        return;
      case OpCode.setData:
      case OpCode.reconfig:
        this.#setData(header, txn.path, txn.data, txn.version);
        return;
      case OpCode.setACL:
        this.#setAcl(txn.path, txn.acl, txn.version);
        return;
      case OpCode.error:
      case OpCode.check:
      case OpCode.createSession:
      case OpCode.closeSession:
      case OpCode.multi:
        // Errors and checks change no znode; the others are taken apart before.
        return;
    }
  }

  #create(
    { zxid, timeMs }: TxnHeader,
    txn: {
      readonly path: string;
      readonly data: Uint8Array | null;
      readonly acl: readonly Acl[] | null;
      readonly parentCVersion: number;
    },
    ephemeralOwner: bigint,
  ): void {
    const path = keyOf(txn.path);
    // Taken out first: the order of insertion is the order in which created znodes are written.
    this.changes.delete(path);
    this.changes.set(path, {
      kind: "whole",
      node: {
        path,
        data: copyOf(txn.data),
        acl: txn.acl,
        czxid: zxid,
        mzxid: zxid,
        ctimeMs: timeMs,
        mtimeMs: timeMs,
        version: 0,
        cversion: 0,
        aversion: 0,
        ephemeralOwner,
        pzxid: zxid,
      },
    });
    this.#touchParent(path, zxid, txn.parentCVersion);
    if (!isSessionOwner(ephemeralOwner)) return;
    const paths = this.#ephemerals.get(ephemeralOwner);
    if (paths === undefined) this.#ephemerals.set(ephemeralOwner, new Set([path]));
    else paths.add(path);
  }

  #delete(given: string, zxid: number): void {
    const path = keyOf(given);
    const change = this.changes.get(path);
    if (change?.kind === "whole") this.#ephemerals.get(change.node.ephemeralOwner)?.delete(path);
    this.changes.delete(path);
    this.changes.set(path, GONE);
    this.#touchParent(path, zxid, INT_MIN);
  }

  #setData({ zxid, timeMs }: TxnHeader, given: string, data: Uint8Array | null, version: number): void {
    const change = this.#changeOf(given);
    if (change.kind === "gone") return;
    const target = change.kind === "whole" ? change.node : change;
    target.data = copyOf(data);
    target.version = version;
    target.mzxid = zxid;
    target.mtimeMs = timeMs;
  }

  #setAcl(given: string, acl: readonly Acl[] | null, version: number): void {
    const change = this.#changeOf(given);
    if (change.kind === "gone") return;
    const target = change.kind === "whole" ? change.node : change;
    target.acl = acl;
    target.aversion = version;
  }

  #touchParent(path: string, zxid: number, cversion: number): void {
    if (path === "") return;
    const change = this.#changeOf(path.slice(0, path.lastIndexOf("/")));
    if (change.kind === "gone") return;
    if (change.kind === "whole") {
      const { node } = change;
      if (cversion > node.cversion) node.cversion = cversion;
      if (zxid > node.pzxid) node.pzxid = zxid;
      return;
    }
    if (cversion > change.cversionMin) change.cversionMin = cversion;
    if (zxid > change.pzxidMin) change.pzxidMin = zxid;
  }

  /** Ends what a session owned: of the tree, and of what the transactions created. */
  #endOwner(owner: bigint, zxid: number): void {
    const paths = this.#ephemerals.get(owner);
    if (paths === undefined) return;
    this.#ephemerals.delete(owner);
    for (const path of paths) {
      const change = this.changes.get(path);
      // A path that was deleted, or deleted and created anew by somebody else, is no longer the session's.
      if (change?.kind === "gone") continue;
      if (change?.kind === "whole" && change.node.ephemeralOwner !== owner) continue;
      this.#delete(path, zxid);
    }
  }

  #changeOf(given: string): ZnodeChange {
    const path = keyOf(given);
    const known = this.changes.get(path);
    if (known !== undefined) return known;
    const patch: Patch = { kind: "patch", cversionMin: INT_MIN, pzxidMin: 0 };
    this.changes.set(path, patch);
    return patch;
  }
}

/** The znode after the patch. */
export function patched(node: SnapshotNode, patch: Patch): SnapshotNode {
  return {
    ...node,
    data: patch.data === undefined ? node.data : patch.data,
    acl: patch.acl === undefined ? node.acl : patch.acl,
    mzxid: patch.mzxid ?? node.mzxid,
    mtimeMs: patch.mtimeMs ?? node.mtimeMs,
    version: patch.version ?? node.version,
    aversion: patch.aversion ?? node.aversion,
    cversion: Math.max(node.cversion, patch.cversionMin),
    pzxid: Math.max(node.pzxid, patch.pzxidMin),
  };
}

/** Snapshots call the root "", transactions "/". */
function keyOf(path: string): string {
  return path === "/" ? "" : path;
}

function copyOf(data: Uint8Array | null): Buffer | null {
  return data === null ? null : Buffer.from(data);
}
