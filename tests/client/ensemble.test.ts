// SPDX-License-Identifier: Apache-2.0
// Three real servers: losing one, losing the majority, and a data directory that went back in time.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type ClientState, ZooKeeperClient, type ZooKeeperError } from "@meerkat/client";
import { awaitCondition, type RealZooKeeper, startRealZooKeeper, toolsAvailable } from "@meerkat/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const available = toolsAvailable("the client over an ensemble", "java-zookeeper");

describe.runIf(available)("over an ensemble of three", () => {
  let zooKeeper: RealZooKeeper;

  beforeAll(async () => {
    zooKeeper = await startRealZooKeeper({
      members: 3,
    });
  });

  afterAll(async () => {
    await zooKeeper?.stop();
  });

  const connect = (): Promise<ZooKeeperClient> =>
    ZooKeeperClient.connect({
      hosts: zooKeeper.connectString,
      sessionTimeoutMs: 8_000,
      reconnectDelayMs: { initialMs: 20, maxMs: 200 },
    });

  test("the session moves when its server dies, with ephemerals and watches", async () => {
    await using client = await connect();
    await using witness = await connect();
    const { sessionId } = client;
    await client.create("/moving", "1", { mode: "ephemeral" });
    const seen: string[] = [];
    await client.get("/moving", { watch: ({ type }) => seen.push(type) });
    const mine = zooKeeper.members.find((member) => client.server?.endsWith(`:${member.port}`));
    expect(mine).toBeDefined();
    await mine?.kill();
    try {
      await client.get("/moving");
      expect(client.sessionId).toBe(sessionId);
      expect(client.server?.endsWith(`:${mine?.port}`)).toBe(false);
      await awaitCondition(() => witness.state === "connected");
      await client.sync();
      await client.set("/moving", "2");
      await awaitCondition(() => seen.length === 1);
      expect(seen).toEqual(["dataChanged"]);
      await witness.sync();
      expect((await witness.get("/moving")).stat.ephemeralOwner).toBe(sessionId);
    } finally {
      await mine?.start();
    }
  });

  test("hundred writers through a change of leader: each write is done, or said not to be certain", async () => {
    await using client = await connect();
    await client.ensurePath("/writers");
    const outcomes = Promise.allSettled(
      Array.from({ length: 100 }, (_, index) =>
        client.create(`/writers/${index}`, "x", { idempotent: true }),
      ),
    );
    const leader = await zooKeeper.leader();
    await leader.kill();
    try {
      const failed = (await outcomes).filter((outcome) => outcome.status === "rejected");
      expect(failed.map((outcome) => String((outcome as PromiseRejectedResult).reason))).toEqual([]);
      await client.sync("/writers");
      expect((await client.children("/writers")).children).toHaveLength(100);
    } finally {
      await leader.start();
    }
  });
});

describe.runIf(available)("over an ensemble with read-only mode", () => {
  test("without a majority a read-only client reads, and moves on to a server that writes", async () => {
    await using zooKeeper = await startRealZooKeeper({
      members: 3,
      // Without local sessions a read-only server refuses even to make a session.
      config: { localSessionsEnabled: "true", localSessionsUpgradingEnabled: "true" },
      systemProperties: { "readonlymode.enabled": "true" },
    });
    {
      await using client = await ZooKeeperClient.connect(zooKeeper.connectString);
      await client.ensurePath("/read-only");
    }
    const [first, second, third] = zooKeeper.members;
    await first?.kill();
    await second?.kill();
    await awaitCondition(async () => (await third?.mode()) === "read-only", { timeoutMs: 30_000 });
    const states: ClientState[] = [];
    const client = new ZooKeeperClient({
      hosts: zooKeeper.connectString,
      sessionTimeoutMs: 8_000,
      readOnly: true,
      reconnectDelayMs: { initialMs: 20, maxMs: 200 },
    });
    client.onState((state) => states.push(state));
    try {
      await client.connect({ timeoutMs: 30_000 });
      expect(client.state).toBe("readOnly");
      expect(client.server?.endsWith(`:${third?.port}`)).toBe(true);
      expect(await client.exists("/read-only")).not.toBeNull();
      const error = await client.create("/no", "x").catch((thrown: ZooKeeperError) => thrown);
      expect(error).toMatchObject({ code: "NOT_READ_ONLY", effect: "none" });
    } finally {
      await Promise.all([first?.start(), second?.start()]);
    }
    await awaitCondition(() => client.state === "connected", { timeoutMs: 40_000 });
    await client.create("/yes", "x", { mode: "ephemeral" });
    expect(states.slice(0, 2)).toEqual(["connecting", "readOnly"]);
    await client.close();
  });
});

describe.runIf(available)("over an ensemble that may change", () => {
  test("a member is taken out and the configuration says so", async () => {
    await using zooKeeper = await startRealZooKeeper({
      members: 3,
      config: { reconfigEnabled: "true", skipACL: "yes" },
    });
    await using client = await ZooKeeperClient.connect(`${zooKeeper.connectString}/some/chroot`);
    const before = (await client.getConfig()).data.toString();
    expect(before.match(/^server\.\d+=/gm)).toHaveLength(3);
    const leader = await zooKeeper.leader();
    const follower = zooKeeper.members.find((member) => member !== leader);
    const changed: string[] = [];
    await client.getConfig({ watch: ({ type }) => changed.push(type) });
    const after = await client.reconfig({ leaving: [follower?.id ?? 0] });
    expect(after.data.toString().match(/^server\.\d+=/gm)).toHaveLength(2);
    await awaitCondition(() => changed.length === 1);
    const version = BigInt(`0x${/^version=(\w+)$/m.exec(before)?.[1]}`);
    const stale = await client
      .reconfig({ leaving: [leader.id], fromConfig: version })
      .catch((thrown: ZooKeeperError) => thrown);
    expect(stale).toMatchObject({ code: "BAD_VERSION" });
  });
});

describe.runIf(available)("over a server that lost its data", () => {
  test("the client learns that it is behind, says so, and begins anew", async () => {
    await using zooKeeper = await startRealZooKeeper();
    const [member] = zooKeeper.members;
    if (member === undefined) throw new Error("no member");
    const client = await ZooKeeperClient.connect({
      hosts: zooKeeper.connectString,
      sessionTimeoutMs: 1_500,
      reconnectDelayMs: { initialMs: 20, maxMs: 200 },
    });
    for (let index = 0; index < 5; index++) await client.create(`/${index}`);
    const { session } = client;
    await member.kill();
    await rm(join(member.dataDir, "version-2"), { recursive: true });
    await member.start();
    await awaitCondition(() => client.explain().includes("older than what this client saw"));
    await awaitCondition(() => client.state === "connected", { timeoutMs: 20_000 });
    expect(session.lost.aborted).toBe(true);
    expect(client.sessionId).not.toBe(session.id);
    expect((await client.children("/")).children).toEqual(["zookeeper"]);
    await client.close();
  });
});
