// SPDX-License-Identifier: Apache-2.0
// Numbers, queues and caches over a real ensemble whose leader is killed.
import { utf8, ZooKeeperClient } from "@meerkat/client";
import { Counter, Queue, TreeCache } from "@meerkat/recipes";
import { awaitCondition, startRealZooKeeper, toolsAvailable } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";

describe.runIf(toolsAvailable("data recipes over an ensemble", "java-zookeeper"))("over an ensemble", () => {
  test("a killed leader costs no increment and no item, and caches converge", async () => {
    await using ensemble = await startRealZooKeeper({ members: 3 });
    const connect = (): Promise<ZooKeeperClient> =>
      ZooKeeperClient.connect({
        hosts: ensemble.connectString,
        sessionTimeoutMs: 8_000,
        reconnectDelayMs: { initialMs: 20, maxMs: 200 },
      });
    const clients = await Promise.all([connect(), connect(), connect()]);
    let acknowledged = 0;
    let unknown = 0;
    let running = true;
    const put: string[] = [];
    const consumed: string[] = [];
    const maybe = new Set<string>();
    const known = (error: { readonly effect?: string }): void => {
      if (error.effect === "unknown") unknown++;
    };
    const work = clients.map(async (client, who) => {
      const counter = new Counter(client, "/n");
      const queue = new Queue(client, "/q", { codec: utf8 });
      for (let count = 0; running; count++) {
        await counter.increment().then(() => acknowledged++, known);
        const value = `${who}-${count}`;
        await queue.put(value).then(
          () => put.push(value),
          () => maybe.add(value),
        );
        const item = await queue.tryTake();
        if (item === undefined) continue;
        await item.ack().then(
          () => consumed.push(item.value),
          (error: { readonly effect?: string }) => error.effect === "unknown" && maybe.add(item.value),
        );
        await item.release();
      }
      await Promise.all([counter.close(), queue.close()]);
    });
    const witness = await connect();
    await awaitCondition(() => acknowledged > 30, { timeoutMs: 40_000, describe: "work before the kill" });
    const cache = await TreeCache.open(witness, "/q/entries");
    const modes = await Promise.all(ensemble.members.map((member) => member.mode()));
    const leader = ensemble.members[modes.indexOf("leader")];
    if (leader === undefined) throw new Error(`no leader among ${modes.join()}`);
    const before = acknowledged;
    await leader.kill();
    await awaitCondition(() => acknowledged > before + 30, {
      timeoutMs: 60_000,
      describe: "work after the kill",
    });
    running = false;
    await Promise.all(work);

    const rest = new Queue(witness, "/q", { codec: utf8 });
    await witness.sync("/");
    for (let item = await rest.tryTake(); item !== undefined; item = await rest.tryTake()) {
      await item.ack();
      consumed.push(item.value);
    }
    await rest.close();
    expect(new Set(consumed).size).toBe(consumed.length);
    const gone = new Set([...consumed, ...maybe]);
    expect(put.filter((value) => !gone.has(value))).toEqual([]);
    const value = await new Counter(witness, "/n").get();
    expect(value).toBeGreaterThanOrEqual(acknowledged);
    expect(value).toBeLessThanOrEqual(acknowledged + unknown);
    await awaitCondition(() => cache.synced && cache.size === 1, { describe: "the cache to be empty" });
    await cache.close();
    await Promise.all([...clients, witness].map((client) => client.close()));
  });
});
