// SPDX-License-Identifier: Apache-2.0
// The tree as a state machine: `apply` takes a transaction, changes the state and reports watch events. It
// knows no sessions' sockets and no files, so the same code serves requests, replays logs at start and runs in
// the worker that writes snapshots. Applying is idempotent: a replayed log may overlap the snapshot.
import {
  type Acl,
  EventType,
  nodeName,
  OpCode,
  Permission,
  parentPath,
  type Txn,
  type TxnHeader,
} from "@meerkat/wire";
import { type AccessPolicy, defaultAccessPolicy, isAllowed } from "./access.ts";
import { type AclEntry, AclTable, BUILT_IN_ACL } from "./acl-table.ts";
import { parseLimits, QuotaTable, quotaTarget, statsPath, statsText } from "./quota-table.ts";
import { type Watcher, WatchTable } from "./watch-table.ts";
import type { ZnodeKind } from "./znode-kind.ts";
import { NO_ROW, ROOT_ROW, ZnodeTable } from "./znode-table.ts";

/** Gets each event and all whom it reaches, after the change is made. */
export type EventListener = (
  type: number,
  path: string,
  zxid: number,
  watchers: ReadonlySet<Watcher>,
) => void;

/** What differs between the serving tree and a replica. */
export interface ZnodeTreeOptions {
  /** Seed of the name hash; random in a server, so that clients cannot pick colliding names. */
  readonly seed?: number | undefined;
  readonly policy?: AccessPolicy | undefined;
  readonly onEvent?: EventListener | undefined;
}

/** A change of one kind, waiting to be announced. */
interface PendingEvent {
  readonly type: number;
  readonly path: string;
  readonly acl: AclEntry;
}

const CONFIG_ACL: readonly Acl[] = [{ permissions: Permission.READ, scheme: "world", id: "anyone" }];
const PERSISTENT: ZnodeKind = { kind: "persistent" };
const noEvents: EventListener = () => {};

/** Fields of a znode made at once, not by a create. */
const builtInFields = {
  czxid: 0,
  mzxid: 0,
  pzxid: 0,
  ctimeMs: 0,
  mtimeMs: 0,
  version: 0,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: 0n,
  acl: BUILT_IN_ACL,
} as const;

/** Znodes, their ACLs, ephemerals by session, quotas, watches. */
export class ZnodeTree {
  readonly table: ZnodeTable;
  readonly acls: AclTable = new AclTable();
  readonly watches: WatchTable = new WatchTable();
  readonly quotas: QuotaTable = new QuotaTable();
  readonly policy: AccessPolicy;
  /** Rows of ephemerals by their session. */
  readonly ephemerals: Map<bigint, Set<number>> = new Map();
  /** Rows of containers, and of TTL znodes with their time to live in ms. */
  readonly containers: Set<number> = new Set();
  readonly ttls: Map<number, number> = new Map();
  /** The last transaction applied. */
  lastZxid = 0;
  readonly #onEvent: EventListener;
  readonly #events: PendingEvent[] = [];

  constructor(options: ZnodeTreeOptions = {}) {
    this.policy = options.policy ?? defaultAccessPolicy;
    this.#onEvent = options.onEvent ?? noEvents;
    this.table = new ZnodeTable(options.seed ?? 0x5bd1e995, { ...builtInFields, data: Buffer.alloc(0) });
    this.#addBuiltIns();
  }

  /** The ACL of a znode. */
  acl(row: number): AclEntry {
    return this.acls.entry(this.table.acl(row));
  }

  kind(row: number): ZnodeKind {
    if (this.containers.has(row)) return { kind: "container" };
    const ttlMs = this.ttls.get(row);
    if (ttlMs !== undefined) return { kind: "ttl", ttlMs };
    const owner = this.table.ephemeralOwner(row);
    return owner === 0n ? PERSISTENT : { kind: "ephemeral", owner };
  }

  /** Paths of a session's ephemerals. */
  ephemeralPaths(owner: bigint): string[] {
    return [...(this.ephemerals.get(owner) ?? [])].map((row) => this.table.path(row));
  }

  /**
   * Applies a transaction and announces its events. Returns the row of the znode it made or changed, or NO_ROW.
   * What it needs is taken for granted: whoever makes transactions has checked it. Where a replayed log
   * overlaps a newer snapshot, what cannot be applied any more is skipped.
   */
  apply(header: TxnHeader, txn: Txn): number {
    const row = this.applyQuietly(header, txn);
    this.announce(header.zxid);
    return row;
  }

  /** Like `apply`, with the events kept until `announce`. */
  applyQuietly(header: TxnHeader, txn: Txn): number {
    if (header.zxid > this.lastZxid) this.lastZxid = header.zxid;
    switch (txn.type) {
      case OpCode.create:
      case OpCode.create2:
        return this.#create(
          header,
          txn,
          txn.ephemeral ? { kind: "ephemeral", owner: header.clientId } : PERSISTENT,
        );
      case OpCode.createContainer:
        return this.#create(header, txn, { kind: "container" });
      case OpCode.createTTL:
        return this.#create(header, txn, { kind: "ttl", ttlMs: txn.ttlMs });
      case OpCode.delete:
      case OpCode.deleteContainer:
        this.#delete(header.zxid, txn.path);
        return NO_ROW;
      case OpCode.setData:
      case OpCode.reconfig:
        return this.#setData(header, txn.path, txn.data, txn.version);
      case OpCode.setACL:
        return this.#setAcl(txn.path, txn.acl, txn.version);
      case OpCode.closeSession:
        this.#closeSession(header, txn.paths);
        return NO_ROW;
      case OpCode.multi:
        if (txn.txns.some((inner) => inner.type === OpCode.error)) return NO_ROW;
        for (const inner of txn.txns) this.applyQuietly(header, inner);
        return NO_ROW;
      case OpCode.check:
      case OpCode.createSession:
      case OpCode.error:
        return NO_ROW;
    }
  }

  /** Reports the events of everything applied since the last call, in order. */
  announce(zxid: number): void {
    const events = this.#events;
    if (events.length === 0) return;
    let deleted: Set<Watcher> | undefined;
    for (const { type, path, acl } of events) {
      if (type === EventType.nodeChildrenChanged) {
        this.#report(type, path, zxid, acl, this.watches.child.trigger(path, type));
        continue;
      }
      const reached = this.watches.data.trigger(path, type);
      this.#report(type, path, zxid, acl, reached);
      if (type !== EventType.nodeDeleted) continue;
      // The child table tells those who did not hear of the deletion from the data table.
      deleted = this.watches.child.trigger(path, type);
      if (deleted === undefined) continue;
      for (const watcher of reached ?? []) deleted.delete(watcher);
      this.#report(type, path, zxid, acl, deleted);
    }
    events.length = 0;
  }

  /** Forgets the events kept by `applyQuietly`: what caused them is being undone. */
  dropEvents(): void {
    this.#events.length = 0;
  }

  /** Removes a znode without a transaction of its own: undoing, or part of a larger change. */
  removeRow(row: number, path: string): void {
    this.#countInQuota(path, -1, -this.table.dataLength(row));
    const owner = this.table.ephemeralOwner(row);
    if (owner !== 0n) {
      const rows = this.ephemerals.get(owner);
      rows?.delete(row);
      if (rows?.size === 0) this.ephemerals.delete(owner);
    }
    this.containers.delete(row);
    this.ttls.delete(row);
    this.acls.release(this.table.acl(row));
    this.table.remove(row);
    const target = quotaTarget(path);
    if (target?.part === "limits") this.quotas.delete(target.path);
    else if (target?.part === "stats") this.#readStats(target.path);
  }

  /** Adds a znode as it is: from a snapshot, a create, or an undone delete. */
  insertRow(
    parent: number,
    name: string,
    kind: ZnodeKind,
    fields: {
      readonly path: string;
      readonly data: Uint8Array | null;
      readonly acl: readonly Acl[] | null;
      readonly czxid: number;
      readonly mzxid: number;
      readonly pzxid: number;
      readonly ctimeMs: number;
      readonly mtimeMs: number;
      readonly version: number;
      readonly cversion: number;
      readonly aversion: number;
    },
  ): number {
    const owner = kind.kind === "ephemeral" ? kind.owner : 0n;
    const row = this.table.insert(parent, name, {
      data: fields.data,
      czxid: fields.czxid,
      mzxid: fields.mzxid,
      pzxid: fields.pzxid,
      ctimeMs: fields.ctimeMs,
      mtimeMs: fields.mtimeMs,
      version: fields.version,
      cversion: fields.cversion,
      aversion: fields.aversion,
      ephemeralOwner: owner,
      acl: this.acls.acquire(fields.acl),
    });
    if (kind.kind === "ephemeral") {
      const rows = this.ephemerals.get(owner);
      if (rows === undefined) this.ephemerals.set(owner, new Set([row]));
      else rows.add(row);
    } else if (kind.kind === "container") {
      this.containers.add(row);
    } else if (kind.kind === "ttl") {
      this.ttls.set(row, kind.ttlMs);
    }
    this.#countInQuota(fields.path, 1, fields.data?.length ?? 0);
    this.#quotaChanged(fields.path, fields.data);
    return row;
  }

  /** Replaces data without touching the Stat's versions: undoing, quota statistics. */
  replaceData(row: number, path: string, data: Uint8Array | null): void {
    const before = this.table.dataLength(row);
    this.table.replaceData(row, data);
    this.#countInQuota(path, 0, (data?.length ?? 0) - before);
    this.#quotaChanged(path, data);
  }

  /** Counts all quotas anew: after recovery. */
  recountQuotas(): void {
    for (const { path } of this.quotas.all()) this.#recount(path);
  }

  #addBuiltIns(): void {
    const add = (parent: number, name: string, path: string): number =>
      this.insertRow(parent, name, PERSISTENT, { ...builtInFields, path, data: Buffer.alloc(0), acl: null });
    const zookeeper = add(ROOT_ROW, "zookeeper", "/zookeeper");
    add(zookeeper, "quota", "/zookeeper/quota");
    const config = add(zookeeper, "config", "/zookeeper/config");
    this.table.setAcl(config, this.acls.acquire(CONFIG_ACL), -1);
  }

  #create(
    header: TxnHeader,
    txn: Txn & {
      type:
        | typeof OpCode.create
        | typeof OpCode.create2
        | typeof OpCode.createContainer
        | typeof OpCode.createTTL;
    },
    kind: ZnodeKind,
  ): number {
    const { table } = this;
    const { path } = txn;
    const parent = table.findText(parentPath(path));
    if (parent === NO_ROW) return NO_ROW;
    const isNewer = txn.parentCVersion > table.cversion(parent);
    const existing = table.findChild(parent, path, path.lastIndexOf("/") + 1);
    if (existing !== NO_ROW) {
      // A replayed create whose effect the snapshot holds already; what the parent counts may be missing.
      this.#touchParent(parent, isNewer, txn.parentCVersion, header.zxid);
      this.#replaceAcl(existing, txn.acl, table.aversion(existing));
      return existing;
    }
    const row = this.insertRow(parent, nodeName(path), kind, {
      path,
      data: txn.data,
      acl: txn.acl,
      czxid: header.zxid,
      mzxid: header.zxid,
      pzxid: header.zxid,
      ctimeMs: header.timeMs,
      mtimeMs: header.timeMs,
      version: 0,
      cversion: 0,
      aversion: 0,
    });
    this.#touchParent(parent, isNewer, txn.parentCVersion, header.zxid);
    const target = quotaTarget(path);
    if (target?.part === "stats") this.#recount(target.path);
    if (this.watches.active) {
      this.#events.push({ type: EventType.nodeCreated, path, acl: this.acl(row) });
      this.#events.push({
        type: EventType.nodeChildrenChanged,
        path: parentPath(path),
        acl: this.acl(parent),
      });
    }
    return row;
  }

  #touchParent(parent: number, isNewer: boolean, cversion: number, zxid: number): void {
    if (!isNewer) return;
    this.table.setCversion(parent, cversion);
    this.table.setPzxid(parent, zxid);
  }

  #delete(zxid: number, path: string): void {
    const row = this.table.findText(path);
    if (row === NO_ROW || row === ROOT_ROW) return;
    const parent = this.table.parent(row);
    const acl = this.acl(row);
    this.removeRow(row, path);
    if (zxid > this.table.pzxid(parent)) this.table.setPzxid(parent, zxid);
    if (this.watches.active) {
      this.#events.push({ type: EventType.nodeDeleted, path, acl });
      this.#events.push({
        type: EventType.nodeChildrenChanged,
        path: parentPath(path),
        acl: this.acl(parent),
      });
    }
  }

  #setData(header: TxnHeader, path: string, data: Uint8Array | null, version: number): number {
    const row = this.table.findText(path);
    if (row === NO_ROW) return NO_ROW;
    this.replaceData(row, path, data);
    this.table.setModified(row, version, header.zxid, header.timeMs);
    if (this.watches.active) {
      this.#events.push({ type: EventType.nodeDataChanged, path, acl: this.acl(row) });
    }
    return row;
  }

  #setAcl(path: string, acl: readonly Acl[] | null, aversion: number): number {
    const row = this.table.findText(path);
    if (row !== NO_ROW) this.#replaceAcl(row, acl, aversion);
    return row;
  }

  #replaceAcl(row: number, acl: readonly Acl[] | null, aversion: number): void {
    const old = this.table.acl(row);
    this.table.setAcl(row, this.acls.acquire(acl), aversion);
    this.acls.release(old);
  }

  #closeSession(header: TxnHeader, paths: readonly string[]): void {
    const rows = this.ephemerals.get(header.clientId);
    if (rows === undefined) return;
    // The transaction's list first, in its order; then whatever it leaves out.
    for (const path of paths) {
      const row = this.table.findText(path);
      if (row !== NO_ROW && rows.has(row)) this.#delete(header.zxid, path);
    }
    for (const row of [...rows]) this.#delete(header.zxid, this.table.path(row));
  }

  #report(type: number, path: string, zxid: number, acl: AclEntry, watchers: Set<Watcher> | undefined): void {
    if (watchers === undefined) return;
    if ((acl.worldPermissions & Permission.READ) === 0) {
      for (const watcher of watchers) {
        if (!isAllowed(this.policy, acl, Permission.READ, watcher.identities)) watchers.delete(watcher);
      }
    }
    if (watchers.size > 0) this.#onEvent(type, path, zxid, watchers);
  }

  #countInQuota(path: string, count: number, bytes: number): void {
    const quota = this.quotas.covering(path);
    if (quota === undefined || !quota.isCounted) return;
    quota.count += count;
    quota.bytes += bytes;
    this.#writeStats(quota.path, quota);
  }

  /** Follows a create or change of a limits or stats znode. */
  #quotaChanged(path: string, data: Uint8Array | null): void {
    const target = quotaTarget(path);
    if (target === undefined) return;
    if (target.part === "limits") {
      this.quotas.set(target.path, parseLimits(Buffer.from(data ?? []).toString()));
    }
    this.#readStats(target.path);
  }

  /** Takes over what the stats znode of a path says. */
  #readStats(path: string): void {
    const quota = this.quotas.get(path);
    if (quota === undefined) return;
    const row = this.table.findText(statsPath(path));
    quota.isCounted = row !== NO_ROW;
    if (row === NO_ROW) return;
    const { count, bytes } = parseLimits(Buffer.from(this.table.data(row) ?? []).toString());
    quota.count = count;
    quota.bytes = bytes;
  }

  /** Counts what is at and below a path, and writes it into its stats znode. */
  #recount(path: string): void {
    let count = 0;
    let bytes = 0;
    const top = this.table.findText(path);
    if (top !== NO_ROW) {
      for (const row of this.descendants(top)) {
        count++;
        bytes += this.table.dataLength(row);
      }
    }
    this.#writeStats(path, { count, bytes });
    this.#readStats(path);
  }

  #writeStats(path: string, stats: { readonly count: number; readonly bytes: number }): void {
    const row = this.table.findText(statsPath(path));
    if (row !== NO_ROW) this.table.replaceData(row, Buffer.from(statsText(stats)));
  }

  /** The row and all below it, parents first. */
  *descendants(top: number): Iterable<number> {
    const { table } = this;
    let row = top;
    for (;;) {
      yield row;
      let next = table.firstChild(row);
      while (next === NO_ROW) {
        if (row === top) return;
        next = table.nextSibling(row);
        row = table.parent(row);
      }
      row = next;
    }
  }
}
