// SPDX-License-Identifier: Apache-2.0
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ZooKeeperClient } from "@meerkat/client";
import { type DirectoryCache, Registry, randomBalancer, ServiceCaller } from "@meerkat/governance";
import { seededRandom } from "@meerkat/runtime";
import { awaitCondition, scratchDir } from "@meerkat/testkit";
import { expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import { addresses, clientOptions, closing, members } from "./support.ts";

const PORTS = [8_001, 8_002, 8_003];
const ALL = PORTS.map((port) => `127.0.0.1:${port}`);

describeEachZooKeeper(
  "an outage of ZooKeeper",
  (zk) => {
    const closed = closing();

    for (const [what, sessionTimeoutMs, downMs] of [
      ["shorter than the sessions", 8_000, 500],
      ["longer than the sessions", 1_000, 3_000],
    ] as const) {
      test(`${what} loses no call, no registration, and leaves no duplicate`, async () => {
        const servers = await Promise.all(
          PORTS.map(async (port) => {
            const registry = closed(await Registry.connect(clientOptions(zk.hosts, sessionTimeoutMs)));
            return { registry, registration: await registry.register({ host: "127.0.0.1", port }) };
          }),
        );
        const registry = closed(await Registry.connect(clientOptions(zk.hosts, sessionTimeoutMs)));
        const directory = await registry.directory();
        const caller = closed(new ServiceCaller({ directory, balancer: randomBalancer(seededRandom(3)) }));
        const sizes = new Set<number>();
        directory.onChange((set) => sizes.add(set.endpoints.length));
        await awaitCondition(() => addresses(directory).length === 3);

        const stop = new AbortController();
        const failures: unknown[] = [];
        let calls = 0;
        const calling = (async () => {
          while (!stop.signal.aborted) {
            try {
              await caller.call((endpoint) => Promise.resolve(endpoint.port), { timeoutMs: 200 });
              calls++;
            } catch (error) {
              failures.push(error);
            }
            await new Promise((resolve) => setImmediate(resolve));
          }
        })();

        await zk.stop();
        await awaitCondition(() => directory.snapshot().stale, { describe: "the list to be marked stale" });
        // The outage itself must last: this is the one thing here that no condition stands for.
        const downUntilMs = performance.now() + downMs;
        await awaitCondition(() => performance.now() >= downUntilMs);
        expect(addresses(directory)).toEqual(ALL);
        await zk.start();
        await awaitCondition(
          () =>
            servers.every(({ registration }) => registration.state === "up") && !directory.snapshot().stale,
          { timeoutMs: 30_000, describe: "everything to be back" },
        );
        const witness = closed(await ZooKeeperClient.connect(clientOptions(zk.hosts)));
        const owners = servers.map(({ registry: { client } }) => client.sessionId).sort();
        await awaitCondition(
          async () => {
            const found = await members(witness);
            return (
              found.length === 3 &&
              JSON.stringify(found.map(({ owner }) => String(owner)).sort()) ===
                JSON.stringify(owners.map(String).sort())
            );
          },
          { timeoutMs: 20_000, describe: "one znode for each server, of its present session" },
        );
        await awaitCondition(() => JSON.stringify(addresses(directory)) === JSON.stringify(ALL));
        stop.abort();
        await calling;
        expect(failures).toEqual([]);
        expect(calls).toBeGreaterThan(100);
        expect(sizes.has(0)).toBe(false);

        // And all is in working order: one more comes, one goes.
        await servers[0]?.registration.close();
        await registry.register({ host: "127.0.0.1", port: 8_004 });
        await awaitCondition(
          () => addresses(directory).join() === [...ALL.slice(1), "127.0.0.1:8004"].join(),
        );
      });
    }

    test("a directory starts from its cache while ZooKeeper is away, and is exact once it is back", async () => {
      await using scratch = await scratchDir();
      const file = join(scratch.path, "directory.json");
      const cache: DirectoryCache = {
        load: () => readFile(file, "utf8").catch(() => undefined),
        save: async (text) => {
          await writeFile(`${file}.new`, text);
          await rename(`${file}.new`, file);
        },
      };
      const server = closed(await Registry.connect(clientOptions(zk.hosts, 8_000)));
      for (const port of PORTS) await server.register({ host: "127.0.0.1", port, zone: "a" });
      const before = await Registry.connect(clientOptions(zk.hosts));
      const first = await before.directory({ cache });
      await awaitCondition(() => addresses(first).length === 3);
      await before.close();

      await zk.stop();
      const client = closed(new ZooKeeperClient(clientOptions(zk.hosts)));
      client.connect().catch(() => {});
      const registry = closed(new Registry(client));
      const directory = await registry.directory({ cache, cacheAfterMs: 50 });
      expect(directory.snapshot().stale).toBe(true);
      expect(addresses(directory)).toEqual(ALL);
      expect(directory.snapshot().endpoints[0]?.metadata).toEqual({ zone: "a" });

      await zk.start();
      await awaitCondition(() => !directory.snapshot().stale, { timeoutMs: 30_000 });
      expect(addresses(directory)).toEqual(ALL);
      await server.register({ host: "127.0.0.1", port: 8_004 });
      await awaitCondition(() => addresses(directory).length === 4, { timeoutMs: 20_000 });
    });

    test("without a cache a directory says in time that there is no list", async () => {
      await zk.stop();
      const client = closed(new ZooKeeperClient(clientOptions(zk.hosts)));
      client.connect().catch(() => {});
      const registry = closed(new Registry(client));
      await expect(registry.directory({ timeoutMs: 200 })).rejects.toMatchObject({
        code: "DIRECTORY_UNAVAILABLE",
        context: { source: "/rpc" },
      });
      await zk.start();
    });
  },
  { durable: true },
);

describeEachZooKeeper(
  "a ZooKeeper that comes back without its data",
  (zk) => {
    const closed = closing();

    test("gets all registrations again, and no caller sees an empty list meanwhile", async () => {
      const servers = await Promise.all(
        PORTS.map(async (port) => {
          const registry = closed(await Registry.connect(clientOptions(zk.address, 1_000)));
          return registry.register({ host: "127.0.0.1", port });
        }),
      );
      const registry = closed(await Registry.connect(clientOptions(zk.address, 1_000)));
      const directory = await registry.directory();
      await awaitCondition(() => addresses(directory).length === 3);
      const sizes = new Set<number>();
      directory.onChange((set) => sizes.add(set.endpoints.length));
      await zk.stop();
      await zk.start();
      await awaitCondition(
        () => servers.every(({ state }) => state === "up") && !directory.snapshot().stale,
        { timeoutMs: 30_000 },
      );
      await awaitCondition(() => JSON.stringify(addresses(directory)) === JSON.stringify(ALL));
      expect(sizes.has(0)).toBe(false);
      expect(await members(registry.client)).toHaveLength(3);
    });
  },
  { only: "embedded" },
);

describeEachZooKeeper("a registry", (zk) => {
  const closed = closing();

  test("lists services: the default root first, then those under /services", async () => {
    const registry = closed(await Registry.connect(clientOptions(zk.hosts)));
    expect(await registry.services()).toEqual([]);
    await registry.register({ host: "h", port: 1 }, { service: "orders" });
    await registry.register({ host: "h", port: 2 }, { service: "billing" });
    await registry.register({ host: "h", port: 3 }, { service: "billing" });
    await registry.register({ host: "h", port: 4 });
    expect(await registry.services()).toEqual([
      { name: "rpc", root: "/rpc", instances: 1 },
      { name: "billing", root: "/services/billing", instances: 2 },
      { name: "orders", root: "/services/orders", instances: 1 },
    ]);
    const directory = await registry.directory({ service: "billing" });
    expect(addresses(directory)).toEqual(["h:2", "h:3"]);
    expect(registry.rootOf("rpc")).toBe("/rpc");
    expect(registry.rootOf("/elsewhere/x")).toBe("/elsewhere/x");
    expect(() => registry.rootOf("a/b")).toThrowError(/one word/);
  });
});
