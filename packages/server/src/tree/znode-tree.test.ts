// SPDX-License-Identifier: Apache-2.0
import { type Acl, ErrorCode, OPEN_ACL, OpCode, type Txn } from "@meerkat/wire";
import { describe, expect, it } from "vitest";
import type { SnapshotNode } from "../seam.ts";
import type { Identity } from "./access.ts";
import {
  prepareCheck,
  prepareCreate,
  prepareDelete,
  prepareSetAcl,
  prepareSetData,
  type WriteContext,
} from "./prepare.ts";
import { Replica } from "./replica.ts";
import { UndoLog } from "./undo-log.ts";
import type { Watcher } from "./watch-table.ts";
import { NO_ROW } from "./znode-table.ts";

const context: WriteContext = { identities: [], extendedTypes: true, enforceQuota: true };
const noData = Buffer.alloc(0);

/** A replica, the events it reported, and shorthands for changing it. */
class Bench {
  readonly events: (readonly [type: number, path: string, watchers: Watcher[]])[] = [];
  readonly replica = new Replica({
    onEvent: (type, path, _zxid, watchers) => this.events.push([type, path, [...watchers]]),
  });
  readonly tree = this.replica.tree;

  apply(prepared: Txn | ErrorCode, clientId = 0n): void {
    if (typeof prepared === "number") throw new Error(`refused with ${prepared}`);
    const header = { clientId, cxid: 0, zxid: this.tree.lastZxid + 1, timeMs: 1000, type: prepared.type };
    this.replica.applyTxn(header, prepared);
  }

  prepareCreate(path: string, flags = 0, acl: readonly Acl[] | null = OPEN_ACL): Txn | ErrorCode {
    return prepareCreate(this.tree, { type: OpCode.create, path, data: noData, acl, flags }, context);
  }

  create(path: string, flags = 0, clientId = 0n): void {
    this.apply(this.prepareCreate(path, flags), clientId);
  }

  set(path: string, data: Buffer): Txn | ErrorCode {
    return prepareSetData(this.tree, { path, data, version: -1 }, context);
  }

  dump(): SnapshotNode[] {
    return [...this.replica.nodes()]
      .map((node) => ({ ...node, data: node.data === null ? null : Buffer.from(node.data) }))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  }
}

describe("prepare", () => {
  it("finds the first fault in Apache's order", () => {
    const bench = new Bench();
    bench.create("/e", 1, 5n);
    const closed: Acl[] = [{ permissions: 1, scheme: "world", id: "anyone" }];
    bench.apply(bench.prepareCreate("/closed", 0, closed));
    const badAcl: Acl[] = [{ permissions: 1, scheme: "nope", id: "x" }];
    expect(bench.prepareCreate("/a", 9)).toBe(ErrorCode.BAD_ARGUMENTS);
    expect(bench.prepareCreate("a")).toBe(ErrorCode.BAD_ARGUMENTS);
    expect(bench.prepareCreate("/missing/a", 0, badAcl)).toBe(ErrorCode.INVALID_ACL);
    expect(bench.prepareCreate("/missing/a", 0, [])).toBe(ErrorCode.INVALID_ACL);
    expect(bench.prepareCreate("/missing/a")).toBe(ErrorCode.NO_NODE);
    expect(bench.prepareCreate("/closed/a")).toBe(ErrorCode.NO_AUTH);
    expect(bench.prepareCreate("/e/")).toBe(ErrorCode.BAD_ARGUMENTS);
    expect(bench.prepareCreate("/")).toBe(ErrorCode.NODE_EXISTS);
    expect(bench.prepareCreate("/e/a")).toBe(ErrorCode.NO_CHILDREN_FOR_EPHEMERALS);
    expect(prepareDelete(bench.tree, { path: "/zookeeper", version: -1 }, context)).toBe(
      ErrorCode.BAD_ARGUMENTS,
    );
    expect(prepareDelete(bench.tree, { path: "/closed/x", version: -1 }, context)).toBe(ErrorCode.NO_AUTH);
    expect(prepareDelete(bench.tree, { path: "/e", version: 3 }, context)).toBe(ErrorCode.BAD_VERSION);
    expect(bench.set("/closed", noData)).toBe(ErrorCode.NO_AUTH);
    expect(prepareCheck(bench.tree, { path: "/e", version: 1 }, context)).toBe(ErrorCode.BAD_VERSION);
    expect(prepareSetAcl(bench.tree, { path: "/none", acl: badAcl, version: -1 }, context)).toBe(
      ErrorCode.INVALID_ACL,
    );
  });

  it("takes containers and TTL znodes only through their own operations", () => {
    const bench = new Bench();
    const base = { path: "/x", data: noData, acl: OPEN_ACL };
    const prepare = (type: 1 | 15 | 19 | 21, flags: number, ttlMs?: bigint, extendedTypes = true) => {
      const operation = ttlMs === undefined ? { ...base, type, flags } : { ...base, type, flags, ttlMs };
      const result = prepareCreate(bench.tree, operation, { ...context, extendedTypes });
      return typeof result === "number" ? result : result.type;
    };
    expect(prepare(19, 4)).toBe(OpCode.createContainer);
    expect(prepare(21, 5, 1n)).toBe(OpCode.createTTL);
    expect(prepare(21, 5, 1n, false)).toBe(ErrorCode.UNIMPLEMENTED);
    expect(prepare(21, 5, 0n)).toBe(ErrorCode.BAD_ARGUMENTS);
    expect(prepare(21, 5, 1n << 40n)).toBe(ErrorCode.BAD_ARGUMENTS);
    expect(prepare(21, 0, -1n)).toBe(ErrorCode.BAD_ARGUMENTS);
    expect(prepare(1, 4)).toBe(ErrorCode.BAD_ARGUMENTS);
    expect(prepare(19, 0)).toBe(ErrorCode.BAD_ARGUMENTS);
    expect(prepare(15, 5)).toBe(ErrorCode.BAD_ARGUMENTS);
  });

  it("names sequential znodes by the creates under their parent, and stops at the end of int", () => {
    const bench = new Bench();
    bench.create("/q");
    bench.create("/q/a");
    bench.create("/q/s-", 2);
    bench.apply(prepareDelete(bench.tree, { path: "/q/a", version: -1 }, context));
    bench.create("/q/s-", 2);
    expect(bench.tree.table.findText("/q/s-0000000001")).not.toBe(NO_ROW);
    expect(bench.tree.table.findText("/q/s-0000000002")).not.toBe(NO_ROW);
    bench.tree.table.setCversion(bench.tree.table.findText("/q"), 0x7fffffff);
    bench.create("/q/s-", 2);
    expect(bench.tree.table.findText("/q/s-2147483647")).not.toBe(NO_ROW);
    expect(bench.prepareCreate("/q/s-", 2)).toBe(ErrorCode.NODE_EXISTS);
  });
});

describe("ZnodeTree", () => {
  it("announces a delete to data watchers, to other child watchers, then to the parent's", () => {
    const bench = new Bench();
    bench.create("/p");
    bench.create("/p/c");
    const [both, child, parent] = [{ identities: [] }, { identities: [] }, { identities: [] }];
    const { watches } = bench.tree;
    watches.data.add("/p/c", both, 1);
    watches.child.add("/p/c", both, 1);
    watches.child.add("/p/c", child, 1);
    watches.child.add("/p", parent, 1);
    bench.apply(prepareDelete(bench.tree, { path: "/p/c", version: -1 }, context));
    expect(bench.events).toEqual([
      [2, "/p/c", [both]],
      [2, "/p/c", [child]],
      [4, "/p", [parent]],
    ]);
    expect(watches.size).toBe(0);
  });

  it("withholds events of znodes that the watcher may not read, and uses up its watch", () => {
    const bench = new Bench();
    const bob: Identity = { scheme: "digest", id: "bob:hash" };
    const acl: Acl[] = [{ permissions: 31, scheme: "digest", id: "bob:hash" }];
    const [stranger, friend] = [{ identities: [] }, { identities: [bob] }];
    for (const watcher of [stranger, friend]) bench.tree.watches.data.add("/secret", watcher, 1);
    bench.apply(bench.prepareCreate("/secret", 0, acl));
    expect(bench.events).toEqual([[1, "/secret", [friend]]]);
    expect(bench.tree.watches.size).toBe(0);
  });

  it("removes the ephemerals of a session that ends, those that its list leaves out too", () => {
    const bench = new Bench();
    bench.create("/e1", 1, 7n);
    bench.create("/e2", 1, 7n);
    bench.create("/other", 1, 8n);
    bench.apply({ type: OpCode.closeSession, paths: ["/e2", "/other", "/gone"] }, 7n);
    expect(bench.tree.table.findText("/e1")).toBe(NO_ROW);
    expect(bench.tree.table.findText("/e2")).toBe(NO_ROW);
    expect(bench.tree.ephemeralPaths(8n)).toEqual(["/other"]);
  });

  it("applies a log over a snapshot that holds its effects already", () => {
    const live = new Bench();
    live.create("/a");
    const copy = new Bench();
    const txns: [number, Txn][] = [];
    const run = (txn: Txn | ErrorCode): void => {
      if (typeof txn === "number") throw new Error("refused");
      txns.push([live.tree.lastZxid + 1, txn]);
      live.apply(txn);
    };
    run(live.prepareCreate("/a/b"));
    run(live.set("/a/b", Buffer.from("x")));
    run(live.prepareCreate("/a/c"));
    run(prepareDelete(live.tree, { path: "/a/c", version: -1 }, context));
    for (const node of live.replica.nodes()) copy.replica.restoreNode(node);
    for (const [zxid, txn] of txns) {
      copy.replica.applyTxn({ clientId: 0n, cxid: 0, zxid, timeMs: 1000, type: txn.type }, txn);
    }
    expect(copy.dump()).toEqual(live.dump());
  });

  it("is the same after a snapshot: containers, TTL, ephemerals, ACLs and null data", () => {
    const bench = new Bench();
    const base = { data: null, acl: [{ permissions: 1, scheme: "ip", id: "10.0.0.0/8" }] };
    const container = { ...base, type: OpCode.createContainer, path: "/c", flags: 4 };
    const ttl = { ...base, type: OpCode.createTTL, path: "/t", flags: 5, ttlMs: 77n };
    for (const operation of [container, ttl]) bench.apply(prepareCreate(bench.tree, operation, context));
    bench.create("/e", 1, 9n);
    bench.apply({ type: OpCode.createSession, timeoutMs: 4000 }, 9n);
    const copy = new Bench();
    for (const [id, timeoutMs] of bench.replica.sessions()) copy.replica.restoreSession(id, timeoutMs);
    for (const node of bench.replica.nodes()) copy.replica.restoreNode(node);
    copy.replica.finishRecovery(bench.tree.lastZxid);
    expect(copy.dump()).toEqual(bench.dump());
    expect(copy.tree.kind(copy.tree.table.findText("/t"))).toEqual({ kind: "ttl", ttlMs: 77 });
    expect(copy.tree.kind(copy.tree.table.findText("/c"))).toEqual({ kind: "container" });
    expect(copy.tree.ephemeralPaths(9n)).toEqual(["/e"]);
    expect([...copy.replica.sessions()]).toEqual([[9n, 4000]]);
  });

  it("drops ephemerals of unknown sessions at the end of recovery", () => {
    const bench = new Bench();
    bench.create("/e", 1, 3n);
    bench.replica.finishRecovery(50);
    expect(bench.tree.table.findText("/e")).toBe(NO_ROW);
    expect(bench.tree.lastZxid).toBe(50);
  });

  it("keeps quota statistics in step and refuses what breaks a hard limit", () => {
    const bench = new Bench();
    bench.create("/q");
    bench.create("/q/a");
    bench.create("/zookeeper/quota/q");
    bench.create("/zookeeper/quota/q/zookeeper_limits");
    bench.create("/zookeeper/quota/q/zookeeper_stats");
    const limits = Buffer.from("count=-1,bytes=-1=;byteHardLimit=5;countHardLimit=3");
    bench.apply(bench.set("/zookeeper/quota/q/zookeeper_limits", limits));
    const stats = (): string | undefined =>
      bench.tree.table.data(bench.tree.table.findText("/zookeeper/quota/q/zookeeper_stats"))?.toString();
    bench.apply(bench.set("/q/a", Buffer.from("1234")));
    expect(stats()).toBe("count=2,bytes=4");
    expect(bench.set("/q/a", Buffer.from("123456"))).toBe(ErrorCode.QUOTA_EXCEEDED);
    bench.create("/q/b");
    expect(bench.prepareCreate("/q/c")).toBe(ErrorCode.QUOTA_EXCEEDED);
    bench.apply(prepareDelete(bench.tree, { path: "/q/a", version: -1 }, context));
    expect(stats()).toBe("count=2,bytes=0");
    // Above the limit by what a client wrote: a smaller excess is one too, and without stats nothing counts.
    bench.apply(bench.set("/q/b", Buffer.from("12345")));
    bench.apply(bench.set("/zookeeper/quota/q/zookeeper_stats", Buffer.from("count=1,bytes=99")));
    expect(bench.set("/q/b", Buffer.from("1"))).toBe(ErrorCode.QUOTA_EXCEEDED);
    const removal = { path: "/zookeeper/quota/q/zookeeper_stats", version: -1 };
    bench.apply(prepareDelete(bench.tree, removal, context));
    bench.apply(bench.set("/q/b", Buffer.from("1")));
  });
});

describe("UndoLog", () => {
  it("restores every field that the first operations of a multi changed", () => {
    const bench = new Bench();
    bench.create("/p");
    bench.create("/p/old");
    bench.create("/p/e", 1, 4n);
    bench.apply(bench.set("/p/old", Buffer.from("before")));
    const before = bench.dump();
    const undo = new UndoLog(bench.tree);
    const header = { clientId: 4n, cxid: 0, zxid: 99, timeMs: 5, type: OpCode.multi };
    const run = (txn: Txn | ErrorCode): void => {
      if (typeof txn === "number") throw new Error(`refused with ${txn}`);
      undo.record(txn);
      bench.tree.applyQuietly(header, txn);
    };
    run(bench.set("/p/old", Buffer.from("a much longer value than before")));
    run(bench.prepareCreate("/p/new"));
    run(bench.prepareCreate("/p/new/s", 2));
    run(prepareDelete(bench.tree, { path: "/p/e", version: -1 }, context));
    run(bench.prepareCreate("/p/e"));
    run(prepareDelete(bench.tree, { path: "/p/old", version: -1 }, context));
    undo.rollBack();
    bench.tree.dropEvents();
    expect(bench.dump()).toEqual(before);
    expect(bench.tree.ephemeralPaths(4n)).toEqual(["/p/e"]);
  });
});
