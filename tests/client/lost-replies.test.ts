// SPDX-License-Identifier: Apache-2.0
// Writes whose reply is lost, over real servers: the proxy lets the request through and cuts before the
// reply, so the write has happened and the client cannot know.
import { isZooKeeperError, json, ZooKeeperClient, type ZooKeeperError } from "@meerkat/client";
import { awaitCondition, FaultProxy } from "@meerkat/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

describeEachZooKeeper("a write whose reply is lost", (zk) => {
  let proxy: FaultProxy;
  let client: ZooKeeperClient;
  let witness: ZooKeeperClient;

  beforeEach(async () => {
    proxy = await FaultProxy.start({ target: { host: zk.host, port: zk.port } });
    const options = { sessionTimeoutMs: 10_000, reconnectDelayMs: { initialMs: 20, maxMs: 100 } };
    client = await ZooKeeperClient.connect({ ...options, hosts: `${proxy.connectString}${zk.chroot}` });
    witness = await ZooKeeperClient.connect({ ...options, hosts: zk.hosts });
    await client.create("/a", "0");
  });

  afterEach(async () => {
    await client.close();
    await witness.close();
    await proxy.close();
  });

  /** Makes a call whose request arrives and whose reply does not; `arrived` tells when to cut. */
  async function losing<T>(call: () => Promise<T>, arrived: () => Promise<boolean>): Promise<T> {
    proxy.blackhole("toClient");
    const result = call();
    result.catch(() => {});
    await awaitCondition(arrived, { describe: "the write to be applied" });
    await proxy.down();
    await proxy.restore();
    return result;
  }

  const names = async (): Promise<string[]> => (await witness.children("/")).children;
  const dataOfA = async (): Promise<string> => (await witness.get("/a")).data.toString();

  test("is reported with effect unknown when nothing else was asked for", async () => {
    const error = await losing(
      () => client.set("/a", "1"),
      async () => (await dataOfA()) === "1",
    ).catch((thrown: ZooKeeperError) => thrown);
    expect(error).toMatchObject({ code: "CONNECTION_LOSS", effect: "unknown" });
  });

  test("a protected create finds what it made", async () => {
    const created = await losing(
      () => client.create("/member-", "x", { mode: "ephemeralSequential", protected: true }),
      async () => (await names()).length === 2,
    );
    const { children } = await witness.children("/");
    expect(children).toHaveLength(2);
    expect(children).toContain(created.path.slice(1));
    expect(created.path).toMatch(/^\/_c_[0-9a-f-]{36}-member-\d{10}$/);
    expect(created.stat.ephemeralOwner).toBe(client.sessionId);
  });

  test("a protected create that is given up leaves nothing behind", async () => {
    const controller = new AbortController();
    const error = await losing(
      () =>
        client.create("/member-", "x", {
          mode: "ephemeralSequential",
          protected: true,
          signal: controller.signal,
        }),
      async () => {
        const made = (await names()).length === 2;
        if (made) controller.abort();
        return made;
      },
    ).catch((thrown: ZooKeeperError) => thrown);
    expect(error).toMatchObject({ code: "ABORTED", effect: "unknown" });
    await awaitCondition(async () => (await names()).length === 1, {
      describe: "the leftover to be deleted",
    });
  });

  test("an idempotent create takes its own znode for its own", async () => {
    const created = await losing(
      () => client.create("/b", "mine", { idempotent: true }),
      async () => (await names()).includes("b"),
    );
    expect(created.path).toBe("/b");
    await witness.create("/c", "theirs");
    const error = await client.create("/c", "mine", { idempotent: true }).catch((thrown: unknown) => thrown);
    expect(isZooKeeperError(error, "NODE_EXISTS")).toBe(true);
  });

  test("an idempotent set with a version is written once", async () => {
    const stat = await losing(
      () => client.set("/a", "1", { version: 0, idempotent: true }),
      async () => (await dataOfA()) === "1",
    );
    expect(stat.version).toBe(1);
    const stale = await client
      .set("/a", "2", { version: 0, idempotent: true })
      .catch((thrown: unknown) => thrown);
    expect(isZooKeeperError(stale, "BAD_VERSION")).toBe(true);
  });

  test("an idempotent delete counts a znode that is gone as deleted", async () => {
    await losing(
      () => client.delete("/a", { idempotent: true }),
      async () => (await names()).length === 0,
    );
    const again = await client.delete("/a", { idempotent: true }).catch((thrown: unknown) => thrown);
    expect(isZooKeeperError(again, "NO_NODE")).toBe(true);
  });

  test("an update is applied once, however its reply fares", async () => {
    const counter = client.znode("/counter", json<number>());
    await counter.create(0);
    const updated = counter.update((value) => {
      // The read has been answered; the reply to the write will not come.
      if (value === 0) proxy.blackhole("toClient");
      return (value ?? 0) + 1;
    });
    await awaitCondition(async () => (await witness.get("/counter")).data.toString() === "1");
    await proxy.down();
    await proxy.restore();
    expect((await updated)?.version).toBe(1);
    expect((await counter.get()).value).toBe(1);
    await Promise.all(Array.from({ length: 30 }, () => counter.update((value) => (value ?? 0) + 1)));
    expect((await counter.get()).value).toBe(31);
  });
});
