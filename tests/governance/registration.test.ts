// SPDX-License-Identifier: Apache-2.0
import { type ClientState, OPEN_ACL, Permission, READ_ONLY_ACL, ZooKeeperClient } from "@meerkat/client";
import { Registrar, type RegistrationState } from "@meerkat/governance";
import { awaitCondition, FaultProxy } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import { clientOptions, closing, connect, expireSession, members } from "./support.ts";

const INSTANCE = { host: "127.0.0.1", port: 8001 };

describeEachZooKeeper("registering", (zk) => {
  const closed = closing();

  /** A client behind a proxy, and one beside it that sees what the server has. */
  async function throughProxy(sessionTimeoutMs?: number): Promise<{
    proxy: FaultProxy;
    client: ZooKeeperClient;
    witness: ZooKeeperClient;
    states: ClientState[];
  }> {
    const proxy = closed(await FaultProxy.start({ target: { host: zk.host, port: zk.port } }));
    const hosts = `${proxy.connectString}${zk.chroot}`;
    const client = closed(await ZooKeeperClient.connect(clientOptions(hosts, sessionTimeoutMs)));
    const states: ClientState[] = [];
    client.onState((state) => states.push(state));
    return { proxy, client, witness: closed(await connect(zk)), states };
  }

  test("makes the root and an ephemeral sequential child exactly as the seed does", async () => {
    const client = closed(await connect(zk));
    const registrar = closed(new Registrar({ client }));
    const registration = await registrar.register(INSTANCE);
    expect(registration.state).toBe("up");
    expect(registration.path).toMatch(/^\/rpc\/server\d{10}$/);
    expect(await members(client)).toMatchObject([
      { name: "server0000000000", data: '{"host": "127.0.0.1", "port": 8001}', owner: client.sessionId },
    ]);
    expect((await client.get("/rpc")).data).toHaveLength(0);
  });

  test("deregisters on close, and closing twice is one closing", async () => {
    const client = closed(await connect(zk));
    const registrar = closed(new Registrar({ client }));
    const registration = await registrar.register(INSTANCE);
    await Promise.all([registration.close(), registration.close()]);
    expect(registration.state).toBe("gone");
    expect(registration.path).toBeUndefined();
    expect(await members(client)).toEqual([]);
    // The identity is free again.
    expect((await registrar.register(INSTANCE)).state).toBe("up");
  });

  test("refuses the same instance twice, and an instance nobody could call", async () => {
    const client = closed(await connect(zk));
    const registrar = closed(new Registrar({ client }));
    await registrar.register(INSTANCE);
    await expect(registrar.register(INSTANCE)).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(registrar.register({ host: "", port: 1 })).rejects.toMatchObject({
      code: "INVALID_INSTANCE",
    });
    await expect(registrar.register({ host: "h", port: 0 })).rejects.toMatchObject({
      code: "INVALID_INSTANCE",
    });
    expect(await members(client)).toHaveLength(1);
  });

  test("an update changes the data of the same znode", async () => {
    const client = closed(await connect(zk));
    const registrar = closed(new Registrar({ client }));
    const registration = await registrar.register({ ...INSTANCE, weight: 1, zone: "a" });
    const [before] = await members(client);
    await registration.updateInstance({ weight: 5, zone: undefined, version: "2" });
    const [after] = await members(client);
    expect(after).toMatchObject({
      name: before?.name,
      czxid: before?.czxid,
      data: '{"host": "127.0.0.1", "port": 8001, "weight": 5, "version": "2"}',
    });
    await expect(registration.updateInstance({ port: 9 })).rejects.toMatchObject({
      code: "INVALID_INSTANCE",
    });
  });

  test("says at once when ZooKeeper does not permit it", async () => {
    const client = closed(await connect(zk));
    await client.create("/readonly", null, { acl: READ_ONLY_ACL });
    const registrar = closed(new Registrar({ client, root: "/readonly" }));
    const startMs = performance.now();
    await expect(registrar.register(INSTANCE)).rejects.toMatchObject({
      code: "REGISTRATION_FAILED",
      cause: { code: "NO_AUTH" },
    });
    expect(performance.now() - startMs).toBeLessThan(5_000);
    expect(registrar.registrations).toEqual([]);
  });

  test("in the background it registers as soon as it may", async () => {
    const client = closed(await connect(zk));
    await client.create("/closed", null, {
      acl: [...READ_ONLY_ACL, { permissions: Permission.ADMIN, scheme: "world", id: "anyone" }],
    });
    const registrar = closed(new Registrar({ client, root: "/closed" }));
    const registration = await registrar.register(INSTANCE, { background: true });
    expect(registration.state).toBe("starting");
    await client.setAcl("/closed", OPEN_ACL);
    await awaitCondition(() => registration.state === "up");
    expect(await members(client, "/closed")).toHaveLength(1);
  });

  test("a mere reconnect neither deletes nor remakes the znode", async () => {
    const { proxy, client, witness, states } = await throughProxy();
    const registrar = closed(new Registrar({ client }));
    const registration = await registrar.register(INSTANCE);
    const before = await members(witness);
    const seen: RegistrationState[] = [];
    registration.onState((state) => seen.push(state));
    for (let cuts = 1; cuts <= 3; cuts++) {
      proxy.cut();
      await awaitCondition(() => seen.filter((state) => state === "up").length === cuts, {
        describe: "up again",
      });
    }
    expect(states.filter((state) => state === "suspended")).toHaveLength(3);
    expect(seen).toEqual(["suspended", "up", "suspended", "up", "suspended", "up"]);
    expect(await members(witness)).toEqual(before);
  });

  test("registers again after its session expired, and leaves one znode", async () => {
    const { proxy, client, witness } = await throughProxy(1_000);
    const registrar = closed(new Registrar({ client }));
    const registration = await registrar.register(INSTANCE);
    const [before] = await members(witness);
    await expireSession(proxy, client, witness);
    await awaitCondition(() => registration.state === "up", { describe: "the registration" });
    await awaitCondition(async () => {
      const [after, ...more] = await members(witness);
      return more.length === 0 && after?.owner === client.sessionId && after.czxid !== before?.czxid;
    });
  });

  test("makes the znode again when an operator deletes it", async () => {
    const client = closed(await connect(zk));
    const operator = closed(await connect(zk));
    const registrar = closed(new Registrar({ client }));
    const registration = await registrar.register(INSTANCE);
    for (let times = 0; times < 3; times++) {
      const path = registration.path ?? "";
      await operator.delete(path);
      await awaitCondition(() => registration.state === "up" && registration.path !== path);
    }
    expect(await members(operator)).toHaveLength(1);
  });

  test("makes the root again when an operator deletes the whole of it", async () => {
    const client = closed(await connect(zk));
    const operator = closed(await connect(zk));
    const registrar = closed(new Registrar({ client }));
    const registration = await registrar.register(INSTANCE);
    await operator.deleteRecursive("/rpc");
    await awaitCondition(async () => (await operator.exists("/rpc")) !== null && registration.state === "up");
    await awaitCondition(async () => (await members(operator)).length === 1);
  });

  test("restores its data when someone else overwrites them", async () => {
    const client = closed(await connect(zk));
    const operator = closed(await connect(zk));
    const registrar = closed(new Registrar({ client }));
    const registration = await registrar.register(INSTANCE);
    await operator.set(registration.path ?? "", "nonsense");
    await awaitCondition(
      async () => (await members(operator))[0]?.data === '{"host": "127.0.0.1", "port": 8001}',
    );
  });

  test("removes what a killed process of the same instance left behind, and nothing else", async () => {
    const killed = await connect(zk, 30_000);
    const earlier = await new Registrar({ client: killed }).register(INSTANCE);
    const other = await new Registrar({ client: killed }).register({ ...INSTANCE, id: "other" });
    killed.destroy();

    const client = closed(await connect(zk));
    const registrar = closed(new Registrar({ client }));
    const registration = await registrar.register(INSTANCE);
    const paths = (await members(client)).map((member) => `/rpc/${member.name}`);
    await awaitCondition(async () => (await client.exists(earlier.path ?? "")) === null);
    expect(paths).toContain(registration.path);
    expect((await members(client)).map((member) => `/rpc/${member.name}`)).toEqual(
      [other.path, registration.path].sort(),
    );
  });

  test("two processes with one identity by mistake do not fight over it", async () => {
    const first = closed(await connect(zk));
    const second = closed(await connect(zk));
    const witness = closed(await connect(zk));
    const one = await closed(new Registrar({ client: first })).register(INSTANCE);
    const original = one.path;
    const two = await closed(new Registrar({ client: second })).register(INSTANCE);
    // The second one takes the first one's znode for a relic, once; the first one comes back.
    await awaitCondition(() => one.path !== original && one.state === "up");
    expect(two.state).toBe("up");
    const settled = await members(witness);
    // Far more round trips than a reaction of either of them would take.
    for (let rounds = 0; rounds < 50; rounds++) {
      await Promise.all([first.sync("/rpc"), second.sync("/rpc"), witness.sync("/rpc")]);
    }
    expect(await members(witness)).toEqual(settled);
  });

  test("closing while the connection is gone leaves nothing once it is back", async () => {
    const { proxy, client, witness } = await throughProxy(20_000);
    const registrar = new Registrar({ client });
    await registrar.register(INSTANCE);
    await proxy.down();
    await awaitCondition(() => client.state === "suspended");
    const done = registrar.close();
    await proxy.restore();
    await done;
    expect(await members(witness)).toEqual([]);
  });

  test("whenever registering and closing race a breaking connection, nothing stays behind", async () => {
    const { proxy, client, witness } = await throughProxy(20_000);
    const registrar = new Registrar({ client });
    // Cuts come at a different point of the exchange each time.
    for (let round = 0; round < 40; round++) {
      const registering = registrar.register({ ...INSTANCE, port: 8_001 + round });
      registering.catch(() => {});
      for (let turns = 0; turns < round % 8; turns++) await new Promise((resolve) => setImmediate(resolve));
      proxy.cut();
      if (round % 2 === 0) await registering;
      for (let turns = 0; turns < round % 5; turns++) await new Promise((resolve) => setImmediate(resolve));
      if (round % 3 === 0) proxy.cut();
      await Promise.all(registrar.registrations.map((registration) => registration.close()));
    }
    await awaitCondition(async () => (await members(witness).catch(() => [])).length === 0, {
      describe: "all znodes to be gone",
    });
    // The session lives on, so it was not its end that removed them.
    expect(client.state === "connected" || client.state === "suspended").toBe(true);
  });

  test("a create whose reply is lost leaves one znode, not two", async () => {
    const { proxy, client, witness } = await throughProxy(20_000);
    await client.ensurePath("/rpc");
    const registrar = closed(new Registrar({ client }));
    for (let round = 0; round < 10; round++) {
      const port = 9_001 + round;
      // The request goes through, the reply does not.
      proxy.blackhole("toClient");
      const registering = registrar.register({ ...INSTANCE, port });
      await awaitCondition(async () =>
        (await members(witness)).some((member) => member.data.includes(String(port))),
      );
      proxy.cut();
      await proxy.restore();
      await registering;
    }
    await awaitCondition(async () => (await members(witness)).length === 10);
    expect(new Set((await members(witness)).map((member) => member.data)).size).toBe(10);
  });
});

describe("without a ZooKeeper", () => {
  test("registering gives up in time, says why, and keeps nothing to do", async () => {
    const client = new ZooKeeperClient("127.0.0.1:1");
    const registrar = new Registrar({ client });
    await expect(registrar.register(INSTANCE, { timeoutMs: 50 })).rejects.toMatchObject({
      code: "REGISTRATION_FAILED",
    });
    expect(registrar.registrations).toEqual([]);
    client.destroy();
  });
});
