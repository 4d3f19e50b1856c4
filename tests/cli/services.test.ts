// SPDX-License-Identifier: Apache-2.0
// `services` and `call` over a registry with real servers in it.
import { ZooKeeperClient } from "@meerkat/client";
import { codecByName, Registry } from "@meerkat/governance";
import { arg, defineService, f32, InvalidOperation, i32, implement, RpcServer } from "@meerkat/rpc";
import { expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import { meerkat, startMeerkat } from "./support/meerkat.ts";

const Divide = defineService("divide", {
  divide: {
    args: { num1: arg(1, i32), num2: arg(2, i32, { default: 1 }) },
    result: f32,
    errors: [InvalidOperation],
    idempotent: true,
  },
});

/** A live divide server. */
function listen(): Promise<RpcServer> {
  return RpcServer.listen({
    services: [
      implement(Divide, {
        divide: ({ num1, num2 }) => {
          if (num2 === 0) throw new InvalidOperation("cannot divide by zero");
          return num1 / num2;
        },
      }),
    ],
  });
}

describeEachZooKeeper("services and call", (zk) => {
  test("an empty registry is an empty list", async () => {
    const text = await meerkat(["services", "-z", zk.hosts]);
    expect(text).toMatchObject({ code: 0, stdout: "", stderr: "no live servers\n" });
    expect((await meerkat(["services", "--json", "-z", zk.hosts])).stdout).toBe("[]\n");
  });

  test("live servers are listed, by service", async () => {
    await using registry = await Registry.connect({ hosts: zk.hosts });
    await registry.register({ host: "127.0.0.1", port: 8001 });
    await registry.register({ host: "127.0.0.1", port: 9001, weight: 2, zone: "a" }, { service: "users" });
    const { stdout } = await meerkat(["services", "-z", zk.hosts]);
    expect(stdout.split("\n").map((line) => line.split(/ +/))).toEqual([
      ["SERVICE", "ADDRESS", "WEIGHT", "ZNODE"],
      ["rpc", "127.0.0.1:8001", "1", expect.stringMatching(/^\/rpc\/server\d{10}$/)],
      ["users", "127.0.0.1:9001", "2", expect.stringMatching(/^\/services\/users\/server\d{10}$/)],
      [""],
    ]);
    const users = await meerkat(["services", "users", "--json", "-z", zk.hosts]);
    expect(JSON.parse(users.stdout)).toEqual([
      {
        service: "users",
        host: "127.0.0.1",
        port: 9001,
        id: "127.0.0.1:9001",
        weight: 2,
        path: expect.stringMatching(/^\/services\/users\/server\d{10}$/),
        metadata: { zone: "a" },
      },
    ]);
    expect((await meerkat(["services", "nobody", "--json", "-z", zk.hosts])).stdout).toBe("[]\n");
  });

  test("other layouts are listed and followed by --layout", async () => {
    const codec = codecByName("dubbo2");
    await using registry = await Registry.connect({ hosts: zk.hosts, codec });
    await using watching = startMeerkat(["services", "--watch", "--json", "-l", "dubbo2", "-z", zk.hosts]);
    await registry.register({ host: "10.0.0.5", port: 20_880, weight: 200 }, { service: "org.acme.Demo" });
    const row = { service: "org.acme.Demo", host: "10.0.0.5", port: 20_880, weight: 200 };
    expect(JSON.parse(await watching.line())).toMatchObject({ change: "added", ...row });
    const listed = await meerkat(["services", "--layout", "dubbo2", "--json", "-z", zk.hosts]);
    expect(JSON.parse(listed.stdout)).toMatchObject([{ ...row, metadata: { interface: "org.acme.Demo" } }]);
    const named = await meerkat(["services", "org.acme.Demo", "--layout", "dubbo2", "-z", zk.hosts]);
    expect(named.stdout).toContain("10.0.0.5:20880");
    const wrong = await meerkat(["services", "--layout", "consul", "-z", zk.hosts]);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining("use one of seed, nerve") });
  });

  test("--watch tells of servers that come and go, until it is interrupted", async () => {
    await using registry = await Registry.connect({ hosts: zk.hosts });
    await registry.register({ host: "127.0.0.1", port: 8001 });
    await using watching = startMeerkat(["services", "--watch", "--json", "-z", zk.hosts]);
    expect(JSON.parse(await watching.line())).toMatchObject({ change: "added", service: "rpc", port: 8001 });
    const second = await registry.register({ host: "127.0.0.1", port: 8002 });
    expect(JSON.parse(await watching.line())).toMatchObject({
      change: "added",
      port: 8002,
      path: second.path,
    });
    await second.close();
    expect(JSON.parse(await watching.line())).toMatchObject({ change: "removed", port: 8002 });
    await registry.register({ host: "127.0.0.1", port: 9001 }, { service: "late" });
    expect(JSON.parse(await watching.line())).toMatchObject({ change: "added", service: "late", port: 9001 });
    await watching.kill("SIGINT");
    expect(watching.exit).toEqual({ code: 0, signal: null });
  });

  test("call reaches a live server and prints its answer, or its refusal", async () => {
    await using server = await listen();
    await using registry = await Registry.connect({ hosts: zk.hosts });
    await registry.register({ host: server.host, port: server.port });
    const call = (...args: string[]) => meerkat(["call", ...args, "-z", zk.hosts]);
    expect(await call("rpc", "divide", "6", "3")).toMatchObject({ code: 0, stdout: "2\n" });
    expect(await call("rpc", "divide", '{"num1": -7, "num2": 2}')).toMatchObject({
      code: 0,
      stdout: "-3.5\n",
    });
    expect(await call("rpc", "divide", "-7")).toMatchObject({ code: 0, stdout: "-7\n" });
    expect(JSON.parse((await call("rpc", "divide", "1", "--json")).stdout)).toEqual({
      result: 1,
      server: `127.0.0.1:${server.port}`,
    });
    const refused = await call("rpc", "divide", "1", "0");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("cannot divide by zero");
    expect((await call("rpc", "divide", "half")).code).toBe(2);
    const nobody = await call("users", "divide", "1", "--timeout", "500");
    expect(nobody.code).toBe(1);
    expect(nobody.stderr).toContain("meerkat services");
  });

  test("an entry that others put there does no harm", async () => {
    const client = await ZooKeeperClient.connect(zk.hosts);
    await client.create("/rpc/junk", "\u001b[31mnot json", { createParents: true });
    await client.create("/rpc/empty");
    await client.close();
    const { code, stdout } = await meerkat(["services", "--json", "-z", zk.hosts]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "[]\n" });
  });
});
