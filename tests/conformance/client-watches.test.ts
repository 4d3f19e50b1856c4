// SPDX-License-Identifier: Apache-2.0
// The client's watches, over both servers and over broken connections.
import { type WatchEvent, ZooKeeperClient } from "@meerkat/client";
import { awaitCondition, FaultProxy } from "@meerkat/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

/** Short, so that a broken connection is made anew at once. */
const RECONNECT = { initialMs: 5, maxMs: 50 };

describeEachZooKeeper("the client's watches", (zk) => {
  let proxy: FaultProxy;
  let watcher: ZooKeeperClient;
  let writer: ZooKeeperClient;
  beforeEach(async () => {
    proxy = await FaultProxy.start({ target: zk });
    watcher = await ZooKeeperClient.connect({
      hosts: `${proxy.connectString}${zk.chroot}`,
      sessionTimeoutMs: 20_000,
      reconnectDelayMs: RECONNECT,
    });
    writer = await ZooKeeperClient.connect(zk.hosts);
  });
  afterEach(async () => {
    await watcher.close();
    await writer.close();
    await proxy.close();
  });

  /** Cuts the watcher off, runs `meanwhile`, lets it back, and waits until it is connected again. */
  async function during(meanwhile: () => Promise<unknown>): Promise<void> {
    await proxy.down();
    await awaitCondition(() => watcher.state === "suspended");
    await meanwhile();
    await proxy.restore();
    await awaitCondition(() => watcher.state === "connected");
  }

  function recorder(): { readonly log: string[]; readonly watch: (event: WatchEvent) => void } {
    const log: string[] = [];
    return { log, watch: (event) => void log.push(`${event.type} ${event.path}`) };
  }

  test("one-shot watches fire once for what they are on", async () => {
    await writer.create("/a");
    const { log, watch } = recorder();
    await watcher.get("/a", { watch });
    await watcher.exists("/b", { watch });
    await watcher.children("/a", { watch });
    await writer.set("/a", "1");
    await writer.set("/a", "2");
    await writer.create("/b");
    await writer.create("/a/c");
    await watcher.sync();
    expect(log).toEqual(["dataChanged /a", "created /b", "childrenChanged /a"]);
  });

  test("an event comes before the reply that shows its change", async () => {
    await watcher.create("/a", "0");
    const { log, watch } = recorder();
    for (let round = 1; round <= 20; round++) {
      await watcher.get("/a", { watch });
      const changed = watcher.set("/a", String(round)).then(() => log.push("reply"));
      await changed;
    }
    expect(log).toEqual(Array.from({ length: 20 }, () => ["dataChanged /a", "reply"]).flat());
  });

  test("watches stay armed over a reconnect with the session kept", async () => {
    await writer.create("/a");
    const { sessionId } = watcher;
    const { log, watch } = recorder();
    await watcher.get("/a", { watch });
    await watcher.exists("/b", { watch });
    await watcher.children("/a", { watch });
    await during(() => Promise.resolve());
    expect(watcher.sessionId).toBe(sessionId);
    await watcher.sync();
    expect(log).toEqual([]);
    await writer.set("/a", "1");
    await writer.create("/b");
    await writer.create("/a/c");
    await awaitCondition(() => log.length === 3);
    expect(log).toEqual(["dataChanged /a", "created /b", "childrenChanged /a"]);
  });

  test("what happened while the connection was down is reported after it", async () => {
    for (const path of ["/changed", "/gone", "/grown"]) await writer.create(path);
    const { log, watch } = recorder();
    await watcher.get("/changed", { watch });
    await watcher.get("/gone", { watch });
    await watcher.exists("/come", { watch });
    await watcher.children("/grown", { watch });
    await during(async () => {
      await writer.set("/changed", "1");
      await writer.delete("/gone");
      await writer.create("/come");
      await writer.create("/grown/child");
    });
    await awaitCondition(() => log.length === 4);
    expect([...log].sort()).toEqual([
      ...["childrenChanged /grown", "created /come", "dataChanged /changed", "deleted /gone"],
    ]);
    await writer.set("/changed", "2");
    await watcher.sync();
    expect(log.length).toBe(4);
  });

  test("a persistent watch sees every change on its path until it is closed", async () => {
    const { log, watch } = recorder();
    const persistent = await watcher.addWatch("/p");
    persistent.onEvent(watch);
    await writer.create("/p");
    await writer.set("/p", "1");
    await writer.create("/p/c");
    await writer.set("/p/c", "1");
    await writer.deleteRecursive("/p");
    await watcher.sync();
    expect(log).toEqual([
      ...["created /p", "dataChanged /p", "childrenChanged /p", "childrenChanged /p", "deleted /p"],
    ]);
    await persistent.close();
    await writer.create("/p");
    await watcher.sync();
    expect(log.length).toBe(5);
  });

  test("a recursive watch sees everything below, and says when it may have missed something", async () => {
    const { log, watch } = recorder();
    const recursive = await watcher.addWatch("/p", { recursive: true });
    recursive.onEvent(watch);
    await writer.create("/p");
    await writer.create("/p/c");
    await watcher.sync();
    await during(() => writer.create("/p/missed"));
    await awaitCondition(() => log.includes("resync /p"));
    await writer.set("/p/c", "1");
    await awaitCondition(() => log.at(-1) === "dataChanged /p/c");
    expect(log).toEqual(["created /p", "created /p/c", "resync /p", "dataChanged /p/c"]);
    await recursive.close();
  });

  test("a persistent watch is read as an async iterable and ended by leaving the loop", async () => {
    const persistent = await watcher.addWatch("/p", { recursive: true });
    const seen: string[] = [];
    await writer.create("/p");
    await writer.create("/p/c");
    for await (const event of persistent) {
      seen.push(`${event.type} ${event.path}`);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual(["created /p", "created /p/c"]);
  });

  test("watches survive the loss of the session: a resync, then events again", async () => {
    const { log, watch } = recorder();
    await writer.create("/p");
    await watcher.close();
    watcher = await ZooKeeperClient.connect({
      hosts: `${proxy.connectString}${zk.chroot}`,
      sessionTimeoutMs: 800,
      reconnectDelayMs: RECONNECT,
    });
    const persistent = await watcher.addWatch("/p", { recursive: true });
    persistent.onEvent(watch);
    const { id, lost } = watcher.session;
    await watcher.create("/e", null, { mode: "ephemeral" });
    await proxy.down();
    await awaitCondition(async () => (await writer.exists("/e")) === null, { describe: "the expiry" });
    expect(lost.aborted).toBe(true);
    await proxy.restore();
    await awaitCondition(() => watcher.state === "connected" && watcher.sessionId !== id);
    await awaitCondition(() => log.includes("resync /p"));
    await writer.create("/p/new");
    await awaitCondition(() => log.at(-1) === "created /p/new");
  });

  test("a thousand watches are all armed again", async () => {
    const fired = new Set<string>();
    const paths = Array.from({ length: 1000 }, (_, index) => `/w-${index}`);
    await Promise.all(paths.map((path) => writer.create(path)));
    await Promise.all(paths.map((path) => watcher.get(path, { watch: (event) => fired.add(event.path) })));
    await during(() => Promise.resolve());
    await Promise.all(paths.map((path) => writer.set(path, "1")));
    await awaitCondition(() => fired.size === paths.length);
  });
});
