// SPDX-License-Identifier: Apache-2.0
import type { ZooKeeperClient } from "@meerkat/client";
import {
  type CacheChange,
  type CachedNode,
  ChildrenCache,
  NodeCache,
  TreeCache,
  type ZnodeCache,
} from "@meerkat/recipes";
import { seededRandom } from "@meerkat/runtime";
import { awaitCondition } from "@meerkat/testkit";
import { expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import {
  awaitNoWatches,
  closing,
  connect,
  connectThroughProxy,
  cutting,
  untilState,
} from "./data-support.ts";
import { expire, failure } from "./exclusion-support.ts";

type Tree = Record<string, string>;

/** Path, data, czxid and mzxid of all that the server has under a root. */
async function serverTree(client: ZooKeeperClient, root: string, depthMax: number = 99): Promise<Tree> {
  const tree: Tree = {};
  const visit = async (path: string, depth: number): Promise<void> => {
    const found = await client.get(path).catch(() => undefined);
    if (found === undefined) return;
    tree[path] = `${found.data.toString()} ${found.stat.czxid} ${found.stat.mzxid}`;
    if (depth >= depthMax) return;
    const { children } = await client.children(path);
    await Promise.all(children.map((name) => visit(`${path}/${name}`, depth + 1)));
  };
  await client.sync();
  await visit(root, 0);
  return tree;
}

function treeOf(nodes: Iterable<CachedNode>): Tree {
  const tree: Tree = {};
  for (const { path, data, stat } of nodes) tree[path] = `${data.toString()} ${stat.czxid} ${stat.mzxid}`;
  return tree;
}

const cacheTree = (cache: ZnodeCache): Tree => treeOf(cache.snapshot().nodes.values());

async function untilEqual(
  cache: ZnodeCache,
  witness: ZooKeeperClient,
  root: string,
  depthMax?: number,
): Promise<void> {
  const expected = await serverTree(witness, root, depthMax);
  await awaitCondition(
    () => cache.synced && JSON.stringify(sorted(cacheTree(cache))) === JSON.stringify(sorted(expected)),
    { describe: "the cache to be the server's state", timeoutMs: 8_000 },
  ).catch(() => {
    expect(cacheTree(cache)).toEqual(expected);
    expect(cache.synced).toBe(true);
  });
}

function sorted(tree: Tree): [string, string][] {
  return Object.entries(tree).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Applies every change to a tree of its own and notes what does not fit. */
function follow(cache: ZnodeCache): {
  readonly nodes: Map<string, CachedNode>;
  readonly faults: string[];
  stop(): void;
} {
  const nodes = new Map<string, CachedNode>();
  const faults: string[] = [];
  const changes = cache.changes();
  const apply = ({ changes: all }: CacheChange): void => {
    for (const change of all) {
      const before = nodes.get(change.path);
      const previous = change.type === "added" ? undefined : change.previous;
      const [was, said] = [before, previous].map((node) => node && `${node.stat.czxid} ${node.stat.mzxid}`);
      if (was !== said) faults.push(`${change.type} ${change.path}`);
      if (change.type === "removed") nodes.delete(change.path);
      else nodes.set(change.path, change.node);
    }
  };
  void (async () => {
    for await (const change of changes) apply(change);
  })();
  return { nodes, faults, stop: () => void changes.return?.() };
}

const modes = [
  ["one recursive watch", { recursiveWatch: true, resyncJitterMs: 5 }],
  ["one-shot watches", { recursiveWatch: false, resyncJitterMs: 5 }],
] as const;

describeEachZooKeeper("caches", (zk) => {
  const closed = closing();

  test.each(modes)("have the exact initial state and follow every change, on %s", async (_name, options) => {
    const writer = closed(await connect(zk));
    const client = closed(await connect(zk));
    for (const path of ["/t", "/t/a", "/t/a/b", "/t/a/b/c", "/t/d"])
      await writer.create(path, `data of ${path}`);
    const tree = closed(await TreeCache.open(client, "/t", options));
    expect(cacheTree(tree)).toEqual(await serverTree(writer, "/t"));
    expect([tree.synced, tree.size, [...tree.names("/t")].sort()]).toEqual([true, 5, ["a", "d"]]);
    const before = tree.snapshot();
    const reader = follow(tree);

    await writer.set("/t/a/b", "new");
    await writer.create("/t/a/b/e", "e");
    await writer.deleteRecursive("/t/d");
    await writer.create("/t/d", "again");
    await untilEqual(tree, writer, "/t");
    await writer.deleteRecursive("/t/a");
    await untilEqual(tree, writer, "/t");
    expect(tree.get("/t/a/b")).toBeUndefined();
    await writer.deleteRecursive("/t");
    await untilEqual(tree, writer, "/t");
    await writer.create("/t", "reborn");
    await writer.create("/t/child", "of the reborn");
    await untilEqual(tree, writer, "/t");
    expect(tree.get("/t/child")?.data.toString()).toBe("of the reborn");
    // A snapshot stays what it was.
    expect([before.nodes.size, before.nodes.get("/t/a/b")?.data.toString()]).toEqual([5, "data of /t/a/b"]);
    await awaitCondition(
      () => JSON.stringify(sorted(treeOf(reader.nodes.values()))) === JSON.stringify(sorted(cacheTree(tree))),
    );
    expect(reader.faults).toEqual([]);
    reader.stop();
    await tree.close();
    await awaitNoWatches(zk);
  });

  test.each(modes)("of one znode and of children see no further, on %s", async (_name, options) => {
    const writer = closed(await connect(zk));
    const client = closed(await connect(zk));
    const node = closed(await NodeCache.open(client, "/t", options));
    const children = closed(await ChildrenCache.open(client, "/t", options));
    expect([node.node, children.size, node.synced]).toEqual([undefined, 0, true]);
    await writer.create("/t", "1");
    await writer.create("/t/a", "a");
    await writer.create("/t/a/deep", "deep");
    await writer.set("/t", "2");
    await untilEqual(node, writer, "/t", 0);
    await untilEqual(children, writer, "/t", 1);
    expect([node.size, node.node?.data.toString()]).toEqual([1, "2"]);
    expect([[...children.names], children.get("a")?.data.toString()]).toEqual([["a"], "a"]);
    await writer.deleteRecursive("/t");
    await untilEqual(node, writer, "/t", 0);
    await untilEqual(children, writer, "/t", 1);
    await Promise.all([node.close(), children.close()]);
    await awaitNoWatches(zk);
  });

  test.each(modes)(
    "see what was deleted and made again with version 0 while they were cut off, on %s",
    async (_name, options) => {
      const writer = closed(await connect(zk));
      const { proxy, client } = closed(await connectThroughProxy(zk));
      for (const path of ["/t", "/t/same", "/t/reborn", "/t/reborn/x", "/t/gone", "/t/gone/y"]) {
        await writer.create(path, "old");
      }
      const tree = closed(await TreeCache.open(client, "/t", options));
      const reader = follow(tree);
      const synced: boolean[] = [];
      tree.onChange((change) => synced.push(change.synced));
      await proxy.down();
      await untilState(client, "suspended");
      await awaitCondition(() => !tree.synced);
      expect(tree.get("/t/gone/y")?.data.toString()).toBe("old");
      await writer.deleteRecursive("/t/reborn");
      await writer.create("/t/reborn", "old");
      await writer.create("/t/reborn/z", "new");
      await writer.deleteRecursive("/t/gone");
      await writer.create("/t/new", "new");
      await writer.create("/t/new/deep", "new");
      await proxy.restore();
      await untilEqual(tree, writer, "/t");
      expect([synced[0], synced.at(-1)]).toEqual([false, true]);
      await awaitCondition(() => reader.nodes.size === tree.size);
      expect(reader.faults).toEqual([]);
      await writer.set("/t/new/deep", "seen");
      await untilEqual(tree, writer, "/t");
      await expire(client);
      await writer.set("/t/same", "after the new session");
      await untilEqual(tree, writer, "/t");
      await writer.create("/t/same/below", "again");
      await untilEqual(tree, writer, "/t");
      await tree.close();
      await awaitNoWatches(zk);
    },
  );

  test.each(modes)(
    "converge under random changes while connections break and sessions end, on %s",
    async (_name, options) => {
      const writer = closed(await connect(zk));
      const { proxy, client } = closed(await connectThroughProxy(zk));
      const random = seededRandom(42);
      const pick = (bound: number): number => Math.floor(random.float() * bound);
      await writer.create("/t", "root");
      const tree = closed(await TreeCache.open(client, "/t", options));
      const reader = follow(tree);
      const breaker = cutting(proxy);
      for (let step = 0; step < 400; step++) {
        let path = "/t";
        for (let depth = 1 + pick(3); depth > 0; depth--) path += `/${pick(4)}`;
        const action = pick(10);
        if (action < 5) await writer.create(path, String(step), { createParents: true }).catch(() => {});
        else if (action < 8) await writer.set(path, String(step)).catch(() => {});
        else await writer.deleteRecursive(path);
        if (step % 150 === 149) await expire(client);
      }
      breaker.stop();
      await untilEqual(tree, writer, "/t");
      expect(breaker.cuts()).toBeGreaterThan(3);
      await awaitCondition(
        () =>
          JSON.stringify(sorted(treeOf(reader.nodes.values()))) === JSON.stringify(sorted(cacheTree(tree))),
      );
      expect(reader.faults).toEqual([]);
      reader.stop();
      await tree.close();
      await awaitNoWatches(zk);
    },
  );

  test("a synced step is the server's state at one moment", async () => {
    const writer = closed(await connect(zk));
    const client = closed(await connect(zk));
    await writer.create("/t", "");
    await writer.create("/t/x", "0");
    await writer.create("/t/y", "0");
    const tree = closed(await TreeCache.open(client, "/t"));
    const torn: string[] = [];
    let steps = 0;
    tree.onChange(({ synced }) => {
      steps++;
      const [x, y] = ["/t/x", "/t/y"].map((path) => tree.get(path)?.data.toString());
      // Both are always written together.
      if (synced && x !== y) torn.push(`${x} ${y}`);
    });
    for (let value = 1; value <= 100; value++) {
      await writer.multi([
        { op: "set", path: "/t/x", data: String(value) },
        { op: "set", path: "/t/y", data: String(value) },
      ]);
      // Under a stream without pauses no moment need be shown.
      if (value % 5 === 0)
        await awaitCondition(() => tree.synced && tree.get("/t/x")?.stat.version === value);
    }
    await untilEqual(tree, writer, "/t");
    expect(steps).toBeGreaterThan(1);
    expect(torn).toEqual([]);
  });

  test("a slow reader gets several steps as one; reading ends with its signal and with the cache", async () => {
    const writer = closed(await connect(zk));
    await writer.create("/t", "0");
    const cache = closed(await NodeCache.open(closed(await connect(zk)), "/t"));
    const changes = cache.changes();
    expect((await changes.next()).value).toMatchObject({
      synced: true,
      changes: [{ type: "added", path: "/t" }],
    });
    for (const value of ["1", "2", "3"]) {
      await writer.set("/t", value);
      await awaitCondition(() => cache.node?.data.toString() === value);
    }
    const { value } = await changes.next();
    expect((value as CacheChange).changes).toMatchObject([{ type: "changed" }]);
    const [change] = (value as CacheChange).changes;
    if (change?.type !== "changed") throw new Error("a change was expected");
    expect([change.previous.data.toString(), change.node.data.toString()]).toEqual(["0", "3"]);
    const controller = new AbortController();
    const other = cache.changes({ signal: controller.signal });
    await other.next();
    controller.abort();
    expect((await other.next()).done).toBe(true);
    const last = changes.next();
    await cache.close();
    expect((await last).done).toBe(true);
    expect((await cache.changes().next()).done).toBe(false);
  });

  test("refuses more znodes than its limit, and ends when the client ends", async () => {
    const writer = closed(await connect(zk));
    for (const path of ["/t", "/t/a", "/t/b"]) await writer.create(path);
    const client = closed(await connect(zk));
    expect(await failure(TreeCache.open(client, "/t", { nodesMax: 2 }))).toMatchObject({ code: "LIMIT" });
    expect(await failure(TreeCache.open(client, "/t", { nodesMax: 0 }))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    const cache = closed(await TreeCache.open(client, "/t", { nodesMax: 3 }));
    const changes = cache.changes();
    await changes.next();
    const rest = failure(
      (async () => {
        for await (const _change of changes);
      })(),
    );
    await client.close();
    expect(await rest).toMatchObject({ code: "CLOSED" });
  });

  test("one change in a large directory costs one read", async () => {
    const writer = closed(await connect(zk));
    const { proxy, client } = closed(await connectThroughProxy(zk));
    await writer.create("/t");
    await Promise.all(Array.from({ length: 2_000 }, (_, index) => writer.create(`/t/n${index}`, "x")));
    const tree = closed(await TreeCache.open(client, "/t"));
    expect(tree.size).toBe(2_001);
    const bytes = (): number =>
      proxy.connections.reduce((sum, each) => sum + each.bytesToClient + each.bytesToServer, 0);
    const before = bytes();
    await writer.set("/t/n7", "y");
    await awaitCondition(() => tree.get("/t/n7")?.data.toString() === "y");
    expect(bytes() - before).toBeLessThan(600);
  });
});

describeEachZooKeeper(
  "caches over a killed server",
  (zk) => {
    const closed = closing();

    test("keep what they have and then converge", async () => {
      const client = closed(await connect(zk, 40_000));
      const writer = closed(await connect(zk, 40_000));
      await writer.create("/t", "1");
      const cache = closed(await TreeCache.open(client, "/t"));
      await zk.stop();
      await awaitCondition(() => !cache.synced);
      expect(cache.get("/t")?.data.toString()).toBe("1");
      await zk.start();
      await untilState(writer, "connected");
      await writer.set("/t", "2", { idempotent: true });
      await writer.create("/t/new", "3");
      await untilEqual(cache, writer, "/t");
      await cache.close();
    });
  },
  { durable: true },
);
