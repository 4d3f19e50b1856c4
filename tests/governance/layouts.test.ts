// SPDX-License-Identifier: Apache-2.0
// The layouts over real znodes: registering, finding, changing, leaving, and who has a name.

import { ZooKeeperClient } from "@meerkat/client";
import {
  codecByName,
  curatorCodec,
  dubbo2Codec,
  type InstanceCodec,
  type InstanceFields,
  isInstanceCodec,
  layoutNames,
  Registrar,
  Registry,
  registerInLayouts,
  rewriteMember,
  serverSetCodec,
  serverSetWeightCodec,
  springCodec,
  ZooKeeperDirectory,
} from "@meerkat/governance";
import { EmbeddedServer } from "@meerkat/server";
import { awaitCondition, FaultProxy, startRealZooKeeper, toolsAvailable } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import { addresses, clientOptions, closing, connect, expireSession, members } from "./support.ts";

const codecs: readonly InstanceCodec[] = layoutNames.map((name) => codecByName(name)).filter(isInstanceCodec);
describeEachZooKeeper("layouts", (zk) => {
  const closed = closing();

  describe.each(codecs.map((codec) => [codec.name, codec] as const))("%s", (layout, codec) => {
    test("registers, is found, is changed without leaving the list, and goes", async () => {
      const registry = closed(new Registry(closed(await connect(zk)), { codec, root: "/default" }));
      const directory = closed(await registry.directory({ service: "orders" }));
      const weight = layout === "serverset" ? 1 : 7;
      const instance = { host: "10.0.0.5", port: 8080, id: "i-1", weight, zone: "a" };
      const registration = await registry.register(instance, { service: "orders" });
      await awaitCondition(() => directory.snapshot().endpoints.length === 1, { describe: "the instance" });
      expect(directory.snapshot().endpoints).toMatchObject([
        { host: "10.0.0.5", port: 8080, id: "i-1", weight, path: registration.path, metadata: { zone: "a" } },
      ]);
      let least = 1;
      directory.onChange((set) => {
        least = Math.min(least, set.endpoints.length);
      });
      await registration.updateInstance({ zone: "b" });
      await awaitCondition(() => directory.snapshot().endpoints[0]?.metadata["zone"] === "b", {
        describe: "the change",
      });
      expect(await members(registry.client, directory.root)).toHaveLength(1);
      expect(least).toBe(1);
      expect(await registry.services()).toMatchObject([
        { name: "orders", root: directory.root, instances: 1 },
      ]);
      await registration.close();
      await awaitCondition(() => directory.snapshot().endpoints.length === 0, { describe: "its end" });
    });

    test("skips and counts what it does not understand, and goes on with the rest", async () => {
      const client = closed(await connect(zk));
      const root = "/services/orders";
      await client.ensurePath(root);
      const deep = `{"host":"h","port":2,"x":${"[".repeat(30_000)}${"]".repeat(30_000)}}`;
      const named = layout === "dubbo2" ? "dubbo%3A%2F%2Fh%FF" : undefined;
      for (const [index, data] of ["{", deep, '{"host":7}'].entries()) {
        const name = named ?? (layout === "serverset" ? "member_" : "server");
        await client.create(`${root}/${name}${index}`, data);
      }
      await new Registrar({ client, root, codec }).register({ host: "h", port: 1, id: "i" });
      const directory = closed(await ZooKeeperDirectory.open(client, { root, codec }));
      expect(addresses(directory)).toEqual(["h:1"]);
      expect(directory.status().skipped).toBe(3);
    });
  });

  test("a process that is started again has its name at once, and the earlier one does not fight for it", async () => {
    const root = "/services/orders";
    const instance = { host: "h", port: 1, id: "i" };
    const earlier = closed(await connect(zk));
    const first = await new Registrar({ client: earlier, root, codec: curatorCodec() }).register(instance);
    const later = closed(await connect(zk));
    // Long enough for both events of the replacement to come in on a busy machine.
    const patient = { root, codec: curatorCodec(), coalesceMs: 400 };
    const directory = closed(await ZooKeeperDirectory.open(later, patient));
    let least = 1;
    directory.onChange((set) => {
      least = Math.min(least, set.endpoints.length);
    });
    const registrar = closed(new Registrar({ client: later, root, codec: curatorCodec() }));
    const second = await registrar.register({ ...instance, zone: "b" });
    expect(second.path).toBe(`${root}/i`);
    await awaitCondition(() => first.state === "suspended", { describe: "the earlier one to notice" });
    await awaitCondition(() => directory.snapshot().endpoints[0]?.metadata["zone"] === "b", {
      describe: "the later one",
    });
    await first.close();
    expect(await members(later, root)).toMatchObject([{ name: "i", owner: later.sessionId }]);
    expect([second.state, least]).toEqual(["up", 1]);
  });

  test("a persistent znode of that name is not touched", async () => {
    const client = closed(await connect(zk));
    const root = "/services/orders";
    await client.create(`${root}/i`, "static", { createParents: true });
    const registrar = closed(new Registrar({ client, root, codec: curatorCodec() }));
    await expect(registrar.register({ host: "h", port: 1, id: "i" })).rejects.toMatchObject({
      code: "REGISTRATION_FAILED",
      message: expect.stringContaining("persistent znode") as string,
    });
    expect((await client.get(`${root}/i`)).data.toString()).toBe("static");
  });

  test("a name of its own is registered again in a new session, by update in place or by another name", async () => {
    const proxy = closed(await FaultProxy.start({ target: { host: zk.host, port: zk.port } }));
    const hosts = `${proxy.connectString}${zk.chroot}`;
    const client = closed(await ZooKeeperClient.connect(clientOptions(hosts, 1_000)));
    const witness = closed(await connect(zk));
    const root = "/dubbo/i/providers";
    const registrar = closed(new Registrar({ client, root, codec: dubbo2Codec() }));
    const registration = await registrar.register({ host: "h", port: 1, weight: 5 });
    const name = registration.path;
    await expireSession(proxy, client, witness);
    await awaitCondition(() => registration.state === "up", { describe: "the instance to be up again" });
    // The time in the URL is that of the registration, so the name is still the same.
    expect(registration.path).toBe(name);
    await registration.updateInstance({ weight: 6 });
    expect(registration.path).toContain("weight%3D6");
    await awaitCondition(async () => (await members(witness, root)).length === 1, {
      describe: "the old name to go",
    });
    await registration.updateInstance({ weight: 5 });
    expect(registration.path).toBe(name);
    await registration.close();
    expect(await members(witness, root)).toEqual([]);
  });

  test("one process is in several layouts at once, and leaves all of them", async () => {
    const client = closed(await connect(zk));
    const instance: InstanceFields = { host: "10.0.0.5", port: 8080, id: "i-1", zone: "a", weight: 3 };
    const targets = [
      { registrar: closed(new Registrar({ client })) },
      { registrar: closed(new Registrar({ client, root: "/services/orders", codec: springCodec })) },
      {
        registrar: closed(new Registrar({ client, root: "/discovery/orders", codec: serverSetCodec() })),
        fields: { weight: undefined },
      },
      {
        registrar: closed(new Registrar({ client, root: "/discovery/orders", codec: serverSetWeightCodec })),
      },
    ];
    const registration = await registerInLayouts(targets, instance);
    expect(registration.state).toBe("up");
    const directories = await Promise.all(
      targets.slice(0, 3).map(async ({ registrar: { root } }, index) => {
        const codec = [undefined, springCodec, serverSetCodec()][index];
        return closed(await ZooKeeperDirectory.open(client, { root, codec }));
      }),
    );
    for (const directory of directories) {
      const expected = { id: "i-1", host: "10.0.0.5", port: 8080, weight: 3, metadata: { zone: "a" } };
      expect(directory.snapshot().endpoints, directory.root).toMatchObject([expected]);
    }
    await registration.updateInstance({ zone: "b", weight: 0.5 });
    for (const directory of directories) {
      await awaitCondition(
        () => {
          const [entry] = directory.snapshot().endpoints;
          return entry?.metadata["zone"] === "b" && entry.weight === 0.5;
        },
        { describe: `the change in ${directory.root}` },
      );
    }
    await registration.close();
    expect(registration.state).toBe("gone");
    for (const { registrar } of targets) expect(await members(client, registrar.root)).toEqual([]);
  });

  test("an instance that one layout refuses is in none", async () => {
    const client = closed(await connect(zk));
    const seed = closed(new Registrar({ client }));
    const curator = closed(new Registrar({ client, root: "/services/o", codec: curatorCodec() }));
    const targets = [{ registrar: seed }, { registrar: curator, fields: { id: "a/b" } }];
    await expect(registerInLayouts(targets, { host: "h", port: 1 })).rejects.toMatchObject({
      code: "INVALID_INSTANCE",
    });
    expect(await members(client)).toEqual([]);
    expect(seed.registrations).toEqual([]);
  });

  test("weights of a ServerSet come, change, hide and go", async () => {
    const client = closed(await connect(zk));
    const root = "/discovery/orders";
    const registrar = closed(new Registrar({ client, root, codec: serverSetCodec() }));
    await registrar.register({ host: "a", port: 1 });
    await registrar.register({ host: "b", port: 1 });
    const directory = closed(await ZooKeeperDirectory.open(client, { root, codec: serverSetCodec() }));
    const weights = (): Record<string, number> =>
      Object.fromEntries(directory.snapshot().endpoints.map(({ host, weight }) => [host, weight]));
    const become = (expected: Record<string, number>): Promise<void> =>
      awaitCondition(() => JSON.stringify(weights()) === JSON.stringify(expected), {
        describe: JSON.stringify(expected),
      });
    await become({ a: 1, b: 1 });
    const vector = `${root}/vector_1`;
    await client.create(vector, '{"vector":[{"select":"inet=a:1","weight":4.0}]}');
    await become({ a: 4, b: 1 });
    await client.create(`${root}/vector_2`, '{"vector":[{"select":"inet=a:1","weight":0.5}]}');
    await become({ a: 2, b: 1 });
    await client.set(vector, '{"vector":[{"select":"inet=a:1","weight":-1.0}]}');
    await become({ b: 1 });
    await client.delete(vector);
    await become({ b: 1, a: 0.5 });
    await client.set(`${root}/vector_2`, "nonsense");
    await become({ b: 1, a: 1 });
    expect(directory.status().skipped).toBe(1);
  });

  test("two who change one member at once both get their way", async () => {
    const client = closed(await connect(zk));
    const { path } = await client.create(
      "/rpc/server",
      '{"host": "h", "port": 1, "long": 9007199254740993}',
      {
        mode: "ephemeralSequential",
        createParents: true,
      },
    );
    const codec = codecByName("seed") as InstanceCodec;
    await Promise.all(
      ["a", "b", "c"].map((key) => rewriteMember(client, { path, codec, changes: { [key]: 1 } })),
    );
    const text = (await client.get(path)).data.toString();
    expect(text).toContain('"long": 9007199254740993');
    expect(JSON.parse(text)).toMatchObject({ host: "h", port: 1, a: 1, b: 1, c: 1 });
    const byName = { path, codec: dubbo2Codec(), changes: { a: 2 } };
    await expect(rewriteMember(client, byName)).rejects.toMatchObject({ code: "INVALID_INSTANCE" });
  });

  test("a layout to read only gives directories, but registers nothing", async () => {
    const client = closed(await connect(zk));
    const registry = closed(new Registry(client, { codec: codecByName("kratos") }));
    await client.create("/microservices/orders/i", '{"endpoints":["grpc://10.0.0.5:9000"]}', {
      createParents: true,
    });
    const directory = closed(await registry.directory({ service: "orders" }));
    expect(addresses(directory)).toEqual(["10.0.0.5:9000"]);
    await expect(registry.register({ host: "h", port: 1 }, { service: "orders" })).rejects.toMatchObject({
      code: "INVALID_INSTANCE",
    });
    expect(() => registry.rootOf()).toThrowError(/no default service/);
  });
});

/** Servers that look for empty containers all the time, instead of once a minute. */
const REAPING = [
  [
    "embedded",
    () =>
      EmbeddedServer.start({
        memory: true,
        reaper: { checkIntervalMs: 20, neverUsedMs: 0, perMinuteMax: 1_000 },
      }),
  ],
  ["real", () => startRealZooKeeper({ systemProperties: { "znode.container.checkIntervalMs": "50" } })],
] as const;

describe.each(
  REAPING.filter(([kind]) => kind === "embedded" || toolsAvailable("containers", "java-zookeeper")),
)("parents of Curator's layout, over the %s server", (_kind, start) => {
  test("are containers that go with the last instance, and come again with the next", async () => {
    await using server = await start();
    await using client = await ZooKeeperClient.connect(server.connectString);
    await using registrar = new Registrar({ client, root: "/base/orders", codec: curatorCodec() });
    for (let life = 0; life < 2; life++) {
      const registration = await registrar.register({ host: "h", port: 1 });
      await registration.close();
      await awaitCondition(async () => (await client.exists("/base")) === null, {
        describe: "the containers to go",
      });
    }
  });
});
