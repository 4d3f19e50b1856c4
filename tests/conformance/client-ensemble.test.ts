// SPDX-License-Identifier: Apache-2.0
// The client on an ensemble of three Apache servers, of which one is lost at a time.
import { isZooKeeperError, ZooKeeperClient } from "@meerkat/client";
import {
  awaitCondition,
  type RealZooKeeper,
  type RealZooKeeperMember,
  startRealZooKeeper,
  toolsAvailable,
} from "@meerkat/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

describe.runIf(toolsAvailable("an ensemble", "java-zookeeper"))("the client on an ensemble", () => {
  let zooKeeper: RealZooKeeper;
  let client: ZooKeeperClient;
  beforeAll(async () => {
    zooKeeper = await startRealZooKeeper({ members: 3 });
  });
  afterAll(async () => {
    await zooKeeper?.stop();
  });
  beforeEach(async () => {
    client = await ZooKeeperClient.connect({
      hosts: zooKeeper.connectString,
      sessionTimeoutMs: 9000,
      requestTimeoutMs: 60_000,
    });
  });
  afterEach(async () => {
    await client.close();
    await Promise.all(zooKeeper.members.map((member) => member.start()));
  });

  function memberInUse(): RealZooKeeperMember {
    const member = zooKeeper.members.find(({ connectString }) => connectString === client.server);
    if (member === undefined) throw new Error(`the client uses no member: ${client.explain()}`);
    return member;
  }

  /** Makes an ephemeral and a watch, runs `lose`, and proves that both are still there on another member. */
  async function survives(
    path: string,
    lose: (member: RealZooKeeperMember) => Promise<unknown>,
  ): Promise<void> {
    const { sessionId } = client;
    const used = memberInUse();
    await client.create(path, "mine", { mode: "ephemeral" });
    const events: string[] = [];
    await client.get(path, { watch: (event) => events.push(event.type) });
    await lose(used);
    expect((await client.get(path)).stat.ephemeralOwner).toBe(sessionId);
    expect([client.sessionId, client.session.lost.aborted]).toEqual([sessionId, false]);
    await client.set(path, "still mine");
    expect(events).toEqual(["dataChanged"]);
  }

  test("moves to another member with its session when its own is killed", async () => {
    await survives("/killed", async (used) => {
      await used.kill();
      await awaitCondition(() => client.state === "connected" && client.server !== used.connectString, {
        timeoutMs: 30_000,
      });
    });
  });

  test("moves away from a member that falls silent, before the session ends", async () => {
    await survives("/silent", async (used) => {
      used.pause();
      try {
        await awaitCondition(() => client.state === "connected" && client.server !== used.connectString, {
          timeoutMs: 30_000,
        });
      } finally {
        used.resume();
      }
    });
  });

  test("waits out an election when the leader is killed", async () => {
    await survives("/election", async () => {
      const leader = await zooKeeper.leader();
      await leader.kill();
      // A write that met the loss of the connection says so; the next one must work.
      const options = { mode: "ephemeral", timeoutMs: 60_000 } as const;
      await client.create("/during", null, options).catch((error: unknown) => {
        if (!isZooKeeperError(error, "CONNECTION_LOSS")) throw error;
      });
      await client.create("/elected", null, options);
    });
  });

  test("reads its own writes on every member, after a sync", async () => {
    await client.create("/own", "0");
    const readers = await Promise.all(
      zooKeeper.members.map((member) => ZooKeeperClient.connect(member.connectString)),
    );
    try {
      for (let round = 1; round <= 10; round++) {
        await client.set("/own", String(round));
        for (const reader of readers) {
          await reader.sync("/own");
          expect((await reader.get("/own")).data.toString()).toBe(String(round));
        }
      }
    } finally {
      await Promise.all(readers.map((reader) => reader.close()));
    }
  });
});
