// SPDX-License-Identifier: Apache-2.0
// The embedded server as the testkit gives it, and sessions that end behind the client's back.
import { type ClientState, ZooKeeperClient } from "@meerkat/client";
import { awaitCondition, expireSession, startEmbeddedZooKeeper } from "@meerkat/testkit";
import { expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

describeEachZooKeeper("expireSession", (zk) => {
  test("takes the ephemerals at once, and the client finds its session expired", async () => {
    await using client = await ZooKeeperClient.connect({ hosts: zk.hosts, sessionTimeoutMs: 20_000 });
    await using observer = await ZooKeeperClient.connect(zk.hosts);
    const states: ClientState[] = [];
    client.onState((state) => states.push(state));
    await client.create("/e", null, { mode: "ephemeral" });
    const { id, lost } = client.session;
    await expireSession(client);
    expect(await observer.exists("/e")).toBeNull();
    await awaitCondition(() => client.state === "connected" && client.sessionId !== id);
    expect(states).toContain("expired");
    expect(lost.aborted).toBe(true);
  });

  test("rejects when the client has no server", async () => {
    const client = new ZooKeeperClient(zk.hosts);
    await expect(expireSession(client)).rejects.toMatchObject({ code: "NOT_STARTED" });
    client.destroy();
  });
});

test("a durable embedded server keeps its data and port over a restart, one in memory its port", async () => {
  for (const durable of [true, false]) {
    await using zooKeeper = await startEmbeddedZooKeeper({ durable });
    await using client = await ZooKeeperClient.connect({
      hosts: zooKeeper.connectString,
      sessionTimeoutMs: 10_000,
    });
    await client.create("/kept", "x");
    const { port } = zooKeeper;
    await zooKeeper.stop();
    await zooKeeper.stop();
    await awaitCondition(() => client.state === "suspended");
    await zooKeeper.start();
    await zooKeeper.start();
    expect(zooKeeper.port).toBe(port);
    await using after = await ZooKeeperClient.connect(zooKeeper.connectString);
    expect((await after.exists("/kept")) !== null).toBe(durable);
  }
});
