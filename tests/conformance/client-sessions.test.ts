// SPDX-License-Identifier: Apache-2.0
// The client's session through broken connections, expiry and restarts of the server.
import { type ClientState, isZooKeeperError, ZooKeeperClient } from "@meerkat/client";
import { awaitCondition, FaultProxy } from "@meerkat/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

const RECONNECT = { initialMs: 5, maxMs: 50 };

describeEachZooKeeper("the client's session", (zk) => {
  let proxy: FaultProxy;
  let observer: ZooKeeperClient;
  const opened: ZooKeeperClient[] = [];
  beforeEach(async () => {
    proxy = await FaultProxy.start({ target: zk });
    observer = await ZooKeeperClient.connect(zk.hosts);
  });
  afterEach(async () => {
    for (const client of opened.splice(0)) client.destroy();
    await observer.close();
    await proxy.close();
  });

  async function open(sessionTimeoutMs: number, renewSession = true): Promise<ZooKeeperClient> {
    const hosts = `${proxy.connectString}${zk.chroot}`;
    const client = await ZooKeeperClient.connect({
      ...{ hosts, sessionTimeoutMs, renewSession, reconnectDelayMs: RECONNECT },
    });
    opened.push(client);
    return client;
  }

  test("outlives a connection that is reset, with its ephemerals, and tells its states", async () => {
    const client = await open(20_000);
    const states: ClientState[] = [];
    client.onState((state) => states.push(state));
    await client.create("/e", null, { mode: "ephemeral" });
    const { id, lost } = client.session;
    proxy.cut();
    await awaitCondition(() => states.at(-1) === "connected");
    expect(states).toEqual(["suspended", "connected"]);
    expect([client.sessionId, lost.aborted]).toEqual([id, false]);
    expect((await client.exists("/e"))?.ephemeralOwner).toBe(id);
    expect(proxy.accepted).toBe(2);
  });

  test("outlives a connection that the server's side ends", async () => {
    const client = await open(20_000);
    const { sessionId } = client;
    proxy.halfClose("toClient");
    await awaitCondition(() => proxy.accepted === 2 && client.state === "connected");
    expect(client.sessionId).toBe(sessionId);
  });

  test("notices a silent connection by itself, well before the session ends", async () => {
    const client = await open(2000);
    const { sessionId } = client;
    await client.create("/e", null, { mode: "ephemeral" });
    proxy.blackhole();
    await awaitCondition(() => client.state === "suspended");
    await proxy.restore();
    await awaitCondition(() => client.state === "connected");
    expect(client.sessionId).toBe(sessionId);
    expect(await client.exists("/e")).not.toBeNull();
  });

  test("is kept by pings while the client is idle", async () => {
    const client = await open(600);
    const { sessionId } = client;
    await client.create("/e", null, { mode: "ephemeral" });
    const startMs = performance.now();
    await awaitCondition(() => performance.now() - startMs > 2500);
    expect([client.state, client.sessionId]).toEqual(["connected", sessionId]);
    expect(await observer.exists("/e")).not.toBeNull();
  });

  test("reads that were under way are answered after the reconnect", async () => {
    const client = await open(20_000);
    await client.create("/a", "x");
    proxy.blackhole("toClient");
    const reads = Array.from({ length: 20 }, () => client.get("/a"));
    await awaitCondition(() => client.pending.inFlight >= 20);
    proxy.cut();
    await proxy.restore();
    const results = await Promise.all(reads);
    expect(new Set(results.map(({ data }) => data.toString()))).toEqual(new Set(["x"]));
  });

  test("a write whose reply was lost rejects with CONNECTION_LOSS and unknown effect", async () => {
    const client = await open(20_000);
    proxy.blackhole("toClient");
    const write = client.create("/a", "x").catch((error: unknown) => error);
    await awaitCondition(async () => (await observer.exists("/a")) !== null);
    proxy.cut();
    await proxy.restore();
    const error = await write;
    expect(isZooKeeperError(error, "CONNECTION_LOSS")).toBe(true);
    expect(error).toMatchObject({ effect: "unknown" });
  });

  test("calls made while the connection is down wait for it", async () => {
    const client = await open(20_000);
    await proxy.down();
    await awaitCondition(() => client.state === "suspended");
    const created = client.create("/late", "x");
    const read = client.get("/late");
    await proxy.restore();
    expect((await created).path).toBe("/late");
    expect((await read).data.toString()).toBe("x");
  });

  test("a call gives up after its own timeout or at its signal, and says what it did", async () => {
    const client = await open(20_000);
    await proxy.down();
    await awaitCondition(() => client.state === "suspended");
    const late = client.create("/a", null, { timeoutMs: 50 });
    await expect(late).rejects.toMatchObject({ code: "TIMEOUT", effect: "none" });
    const controller = new AbortController();
    const aborted = client.create("/a", null, { signal: controller.signal });
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: "ABORTED", effect: "none" });
    await proxy.restore();
    await client.sync();
    expect(await client.exists("/a")).toBeNull();
  });

  test("expires with its ephemerals when the connection stays down, and is renewed", async () => {
    const client = await open(800);
    const states: ClientState[] = [];
    client.onState((state) => states.push(state));
    await client.create("/e", null, { mode: "ephemeral" });
    const { id, lost } = client.session;
    await proxy.down();
    await awaitCondition(async () => (await observer.exists("/e")) === null);
    expect(lost.aborted).toBe(true);
    await proxy.restore();
    await awaitCondition(() => client.state === "connected");
    expect(client.sessionId).not.toBe(id);
    expect(client.session.lost.aborted).toBe(false);
    expect(states).toContain("expired");
    await client.create("/e", null, { mode: "ephemeral" });
  });

  test("stays expired when it is not to be renewed", async () => {
    const client = await open(800, false);
    await client.create("/e", null, { mode: "ephemeral" });
    await proxy.down();
    await awaitCondition(async () => (await observer.exists("/e")) === null);
    await proxy.restore();
    await awaitCondition(() => client.state === "expired");
    await expect(client.get("/")).rejects.toMatchObject({ code: "SESSION_EXPIRED" });
    await client.connect();
    expect(await client.exists("/e")).toBeNull();
  });

  test("survives bytes that are harmed on the way: the connection is made anew", async () => {
    const client = await open(20_000);
    const { sessionId } = client;
    await client.create("/a", "x");
    // The first byte of a frame's length makes the frame impossibly long.
    proxy.corrupt("toClient", (bytes) => Buffer.concat([Buffer.of(0x7f), bytes.subarray(1)]));
    const read = client.get("/a");
    await awaitCondition(() => client.state === "suspended");
    await proxy.restore();
    expect((await read).data.toString()).toBe("x");
    expect(client.sessionId).toBe(sessionId);
  });

  test("works over a connection that hands on single bytes", async () => {
    const client = await open(20_000);
    proxy.fragment(1);
    await client.create("/a", "some data that takes a few segments");
    expect((await client.get("/a")).data.toString()).toBe("some data that takes a few segments");
  });
});

describeEachZooKeeper(
  "the client's session over a restart",
  (zk) => {
    test("comes back with its ephemerals and watches when the server does", async () => {
      await using client = await ZooKeeperClient.connect({
        ...{ hosts: zk.hosts, sessionTimeoutMs: 30_000, reconnectDelayMs: RECONNECT },
      });
      await client.create("/e", "mine", { mode: "ephemeral" });
      await client.create("/p", "0");
      const { sessionId } = client;
      const events: string[] = [];
      await client.get("/p", { watch: (event) => events.push(event.type) });
      await zk.stop();
      await awaitCondition(() => client.state === "suspended");
      const waiting = client.get("/e");
      await zk.start();
      expect((await waiting).data.toString()).toBe("mine");
      expect(client.sessionId).toBe(sessionId);
      expect((await client.get("/e")).stat.ephemeralOwner).toBe(sessionId);
      await client.set("/p", "1");
      expect(events).toEqual(["dataChanged"]);
    });
  },
  { durable: true },
);
