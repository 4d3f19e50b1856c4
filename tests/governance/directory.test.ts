// SPDX-License-Identifier: Apache-2.0
import { ZooKeeperClient } from "@meerkat/client";
import {
  type DirectoryChange,
  endpointKey,
  Registrar,
  type Registration,
  ZooKeeperDirectory,
} from "@meerkat/governance";
import { randomInt, seededRandom } from "@meerkat/runtime";
import { awaitCondition, FaultProxy } from "@meerkat/testkit";
import { expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import { addresses, clientOptions, closing, connect, expireSession } from "./support.ts";

const json = (port: number, more: object = {}): string =>
  JSON.stringify({ host: "127.0.0.1", port, ...more });

for (const recursiveWatch of [true, false]) {
  const kind = recursiveWatch ? "a recursive watch" : "child watches";
  describeEachZooKeeper(`a directory by ${kind}`, (zk) => {
    const closed = closing();

    async function open(
      client: ZooKeeperClient,
      options: Parameters<typeof ZooKeeperDirectory.open>[1] = {},
    ): Promise<ZooKeeperDirectory> {
      return closed(await ZooKeeperDirectory.open(client, { recursiveWatch, ...options }));
    }

    async function throughProxy(
      sessionTimeoutMs?: number,
    ): Promise<{ proxy: FaultProxy; client: ZooKeeperClient }> {
      const proxy = closed(await FaultProxy.start({ target: { host: zk.host, port: zk.port } }));
      const hosts = `${proxy.connectString}${zk.chroot}`;
      return { proxy, client: closed(await ZooKeeperClient.connect(clientOptions(hosts, sessionTimeoutMs))) };
    }

    test("opens on a root that does not exist, and sees it appear", async () => {
      const client = closed(await connect(zk));
      const directory = await open(client);
      expect(directory.snapshot()).toMatchObject({ endpoints: [], stale: false });
      await client.create("/rpc/server", json(8001), { mode: "ephemeralSequential", createParents: true });
      await awaitCondition(() => addresses(directory).length === 1);
      expect(directory.snapshot().endpoints[0]).toMatchObject({
        id: "127.0.0.1:8001",
        path: "/rpc/server0000000000",
        weight: 1,
      });
    });

    test("follows what comes, changes and goes, as differences between whole sets", async () => {
      const client = closed(await connect(zk));
      await client.ensurePath("/rpc");
      const directory = await open(client);
      const changes = directory.changes()[Symbol.asyncIterator]();
      const next = async (): Promise<DirectoryChange> => (await changes.next()).value;
      expect((await next()).set.endpoints).toEqual([]);

      const { path } = await client.create("/rpc/x", json(8001, { weight: 2 }));
      expect(await next()).toMatchObject({ added: [{ port: 8001, weight: 2 }], removed: [], changed: [] });
      await client.set(path, json(8001, { weight: 3, zone: "b" }));
      const change = await next();
      expect(change).toMatchObject({ added: [], changed: [{ weight: 3, metadata: { zone: "b" } }] });
      expect(change.previous.endpoints[0]?.weight).toBe(2);
      await client.delete(path);
      const last = await next();
      expect(last).toMatchObject({ removed: [{ port: 8001 }], set: { endpoints: [] } });
      expect(last.set.version).toBeGreaterThan(change.set.version);
      await directory.close();
      expect((await changes.next()).done).toBe(true);
    });

    test("skips and counts what is no instance, and ignores children without data", async () => {
      const client = closed(await connect(zk));
      await client.ensurePath("/rpc");
      for (const [name, data] of [
        ["good", json(8001)],
        ["empty", ""],
        ["text", "hello"],
        ["list", "[1]"],
        ["port", '{"host": "h", "port": "80"}'],
        ["host", '{"port": 80}'],
      ] as const) {
        await client.create(`/rpc/${name}`, data);
      }
      const directory = await open(client);
      expect(addresses(directory)).toEqual(["127.0.0.1:8001"]);
      expect(directory.status()).toMatchObject({ source: "/rpc", skipped: 4, ageMs: 0 });
      await client.set("/rpc/text", json(8002));
      await awaitCondition(() => addresses(directory).length === 2);
      expect(directory.status().skipped).toBe(3);
    });

    test("shows one address once, as the youngest of its znodes says", async () => {
      const client = closed(await connect(zk));
      await client.ensurePath("/rpc");
      const old = await client.create("/rpc/server", json(8001), { mode: "ephemeralSequential" });
      const directory = await open(client);
      const young = await client.create("/rpc/server", json(8001), { mode: "ephemeralSequential" });
      await awaitCondition(() => directory.snapshot().endpoints[0]?.path === young.path);
      expect(directory.snapshot().endpoints).toHaveLength(1);
      const { version } = directory.snapshot();
      await client.delete(old.path);
      await client.create("/rpc/server", json(8002), { mode: "ephemeralSequential" });
      await awaitCondition(() => addresses(directory).length === 2);
      // The relic's end was no change.
      expect(directory.snapshot().version).toBe(version + 1);
    });

    test("children that vanish while it reads do not disturb it", async () => {
      const client = closed(await connect(zk));
      const writer = closed(await connect(zk));
      await client.ensurePath("/rpc");
      await writer.create("/rpc/stays", json(9_999));
      const directory = await open(client, { coalesceMs: 0 });
      for (let round = 0; round < 30; round++) {
        const created = await Promise.all(
          Array.from({ length: 10 }, (_, index) =>
            writer.create(`/rpc/x${round}-${index}`, json(8_000 + index)),
          ),
        );
        await Promise.all(created.map(({ path }) => writer.delete(path)));
      }
      await writer.create("/rpc/last", json(9_998));
      await awaitCondition(() => addresses(directory).includes("127.0.0.1:9998"));
      expect(addresses(directory)).toEqual(["127.0.0.1:9998", "127.0.0.1:9999"]);
      expect(directory.status().lastError).toBeUndefined();
    });

    test("is exact after a gap in which members came, changed, left and were replaced", async () => {
      const { proxy, client } = await throughProxy(20_000);
      const writer = closed(await connect(zk));
      await writer.ensurePath("/rpc");
      await writer.create("/rpc/leaves", json(1));
      await writer.create("/rpc/changes", json(2));
      await writer.create("/rpc/replaced", json(3));
      const directory = await open(client, { removalGuard: { shareMax: 1 } });
      expect(addresses(directory)).toHaveLength(3);

      await proxy.down();
      await awaitCondition(() => directory.snapshot().stale);
      expect(addresses(directory)).toHaveLength(3);
      await writer.delete("/rpc/leaves");
      await writer.set("/rpc/changes", json(2, { weight: 7 }));
      await writer.delete("/rpc/replaced");
      await writer.create("/rpc/replaced", json(33));
      await writer.create("/rpc/comes", json(4));
      expect(directory.status().ageMs).toBeGreaterThan(0);
      await proxy.restore();
      await awaitCondition(() => !directory.snapshot().stale);
      expect(addresses(directory)).toEqual(["127.0.0.1:2", "127.0.0.1:33", "127.0.0.1:4"]);
      expect(directory.snapshot().endpoints.find(({ port }) => port === 2)?.weight).toBe(7);
      // And the watch is in place again.
      await writer.create("/rpc/later", json(5));
      await awaitCondition(() => addresses(directory).length === 4);
    });

    test("goes on in a new session after its own expired", async () => {
      const { proxy, client } = await throughProxy(1_000);
      const writer = closed(await connect(zk));
      await writer.ensurePath("/rpc");
      await writer.create("/rpc/a", json(1));
      const directory = await open(client, { removalGuard: { shareMax: 1 } });
      await expireSession(proxy, client, writer);
      await writer.create("/rpc/b", json(2));
      await awaitCondition(() => addresses(directory).length === 2 && !directory.snapshot().stale);
      await writer.delete("/rpc/a");
      await awaitCondition(() => addresses(directory).length === 1);
    });

    test("obeys a deliberate scale to zero at once", async () => {
      const client = closed(await connect(zk));
      await client.ensurePath("/rpc");
      await client.create("/rpc/a", json(1));
      const directory = await open(client);
      await client.delete("/rpc/a");
      await awaitCondition(() => addresses(directory).length === 0, { timeoutMs: 2_000 });
      expect(directory.snapshot().stale).toBe(false);
    });

    test("keeps a list that mostly vanished in a gap, and believes it after a while", async () => {
      const { proxy, client } = await throughProxy(20_000);
      const writer = closed(await connect(zk));
      await writer.ensurePath("/rpc");
      for (const port of [1, 2, 3, 4, 5]) await writer.create(`/rpc/s${port}`, json(port));
      const directory = await open(client, { removalGuard: { windowMs: 1_500 } });
      await proxy.down();
      await awaitCondition(() => client.state === "suspended");
      for (const port of [1, 2, 3]) await writer.delete(`/rpc/s${port}`);
      await writer.create("/rpc/s6", json(6));
      const restoredAtMs = performance.now();
      await proxy.restore();
      // What is new is taken at once, what is missing is kept.
      await awaitCondition(() => addresses(directory).length === 6);
      expect(directory.snapshot().stale).toBe(true);
      await awaitCondition(() => !directory.snapshot().stale);
      expect(performance.now() - restoredAtMs).toBeGreaterThan(1_400);
      expect(addresses(directory)).toEqual(["127.0.0.1:4", "127.0.0.1:5", "127.0.0.1:6"]);
    });

    test("believes what left in a gap at once when it is not the most of the list", async () => {
      const { proxy, client } = await throughProxy(20_000);
      const writer = closed(await connect(zk));
      await writer.ensurePath("/rpc");
      for (const port of [1, 2, 3, 4, 5]) await writer.create(`/rpc/s${port}`, json(port));
      const directory = await open(client);
      await proxy.down();
      await awaitCondition(() => client.state === "suspended");
      await writer.delete("/rpc/s1");
      await proxy.restore();
      await awaitCondition(() => !directory.snapshot().stale, { timeoutMs: 5_000 });
      expect(addresses(directory)).toHaveLength(4);
    });

    test("an emptiness after a gap that heals in time is never seen", async () => {
      const { proxy, client } = await throughProxy(20_000);
      const writer = closed(await connect(zk));
      await writer.ensurePath("/rpc");
      await writer.create("/rpc/a", json(1));
      await writer.create("/rpc/b", json(2));
      const directory = await open(client);
      const sizes = new Set<number>();
      directory.onChange((set) => sizes.add(set.endpoints.length));
      await proxy.down();
      await awaitCondition(() => client.state === "suspended");
      await writer.delete("/rpc/a");
      await writer.delete("/rpc/b");
      await proxy.restore();
      await awaitCondition(() => client.state === "connected");
      await client.sync("/rpc");
      await writer.create("/rpc/b2", json(2));
      await writer.create("/rpc/a2", json(1));
      await awaitCondition(() => !directory.snapshot().stale && addresses(directory).length === 2);
      expect([...sizes]).toEqual([2]);
      expect(directory.snapshot().endpoints.map(({ path }) => path)).toEqual(["/rpc/a2", "/rpc/b2"]);
    });

    test.runIf(recursiveWatch)(
      "one change in a service of 1,000 costs a watcher less than a kilobyte",
      async () => {
        const { proxy, client } = await throughProxy(20_000);
        const writer = closed(await connect(zk));
        await writer.ensurePath("/rpc");
        await Promise.all(
          Array.from({ length: 1_000 }, (_, index) =>
            writer.create("/rpc/server", json(1 + index), { mode: "ephemeralSequential" }),
          ),
        );
        const directory = await open(client);
        expect(addresses(directory)).toHaveLength(1_000);
        const bytes = (): number => {
          const [connection] = proxy.connections;
          return (connection?.bytesToClient ?? 0) + (connection?.bytesToServer ?? 0);
        };
        const before = bytes();
        const { path } = await writer.create("/rpc/server", json(2_000), { mode: "ephemeralSequential" });
        await awaitCondition(() => addresses(directory).length === 1_001);
        await writer.delete(path);
        await awaitCondition(() => addresses(directory).length === 1_000);
        expect(bytes() - before).toBeGreaterThan(0);
        expect(bytes() - before).toBeLessThan(1_024);
        expect(proxy.accepted).toBe(1);
      },
    );

    test("200 registrations come and go, and it ends up equal to the truth", async () => {
      const client = closed(await connect(zk));
      const registrars = await Promise.all(
        Array.from({ length: 4 }, async () => closed(new Registrar({ client: closed(await connect(zk)) }))),
      );
      const directory = await open(client);
      // At every moment the set is one that makes sense: no address twice, nothing unknown.
      const faults: string[] = [];
      directory.onChange((set) => {
        const keys = set.endpoints.map(endpointKey);
        if (new Set(keys).size !== keys.length) faults.push(`twice in ${set.version}`);
        if (set.endpoints.some(({ port }) => port < 10_000 || port >= 10_200)) faults.push("unknown");
      });
      const random = seededRandom(20);
      const alive = new Map<number, Registration>();
      await Promise.all(
        Array.from({ length: 200 }, async (_, index) => {
          const port = 10_000 + index;
          const registrar = registrars[index % registrars.length]!;
          const rounds = 1 + randomInt(random, 3);
          for (let round = 0; round < rounds; round++) {
            const registration = await registrar.register({ host: "127.0.0.1", port });
            if (round === rounds - 1 && index % 3 === 0) alive.set(port, registration);
            else await registration.close();
          }
        }),
      );
      const expected = [...alive.keys()].map((port) => `127.0.0.1:${port}`).sort();
      await awaitCondition(() => JSON.stringify(addresses(directory)) === JSON.stringify(expected));
      expect(faults).toEqual([]);
      expect((await client.children("/rpc")).children).toHaveLength(expected.length);
    });
  });
}
