// SPDX-License-Identifier: Apache-2.0
// The client's operations, over both servers.
import {
  CREATOR_ALL_ACL,
  digestId,
  isZooKeeperError,
  OPEN_ACL,
  ZooKeeperClient,
  type ZooKeeperErrorCode,
} from "@meerkat/client";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

async function codeOf(call: Promise<unknown>): Promise<ZooKeeperErrorCode | "no error" | "another error"> {
  try {
    await call;
    return "no error";
  } catch (error) {
    return isZooKeeperError(error) ? error.code : "another error";
  }
}

describeEachZooKeeper("the client", (zk) => {
  let client: ZooKeeperClient;
  beforeEach(async () => {
    client = await ZooKeeperClient.connect({ hosts: zk.hosts, sessionTimeoutMs: 10_000 });
  });
  afterEach(async () => {
    await client.close();
  });

  test("connects with the timeout that the server grants, and says so", async () => {
    expect([client.state, client.sessionTimeoutMs]).toEqual(["connected", 10_000]);
    expect(client.sessionId).not.toBe(0n);
    expect(client.session.id).toBe(client.sessionId);
    expect(client.session.lost.aborted).toBe(false);
  });

  test.each([
    ["persistent", "/n-", false],
    ["ephemeral", "/n-", true],
    ["persistentSequential", "/n-0000000000", false],
    ["ephemeralSequential", "/n-0000000000", true],
    ["container", "/n-", false],
    ["persistentTtl", "/n-", false],
    ["persistentSequentialTtl", "/n-0000000000", false],
  ] as const)("creates in mode %s", async (mode, path, ephemeral) => {
    const ttl = mode.endsWith("Ttl") ? { ttlMs: 60_000 } : {};
    const made = await client.create("/n-", "data", { mode, ...ttl });
    expect(made.path).toBe(path);
    expect(made.stat.ephemeralOwner).toBe(ephemeral ? client.sessionId : 0n);
    const { data, stat } = await client.get(path);
    expect(data.toString()).toBe("data");
    expect(stat.toObject()).toEqual(made.stat.toObject());
  });

  test("gets, sets, lists, looks for and deletes", async () => {
    await client.create("/a", "one");
    expect((await client.set("/a", Buffer.from("two"), { version: 0 })).version).toBe(1);
    expect((await client.get("/a")).data.toString()).toBe("two");
    await client.create("/a/b");
    const { children, stat } = await client.children("/a");
    expect([children, stat.numChildren]).toEqual([["b"], 1]);
    expect((await client.exists("/a"))?.version).toBe(1);
    expect(await client.exists("/none")).toBeNull();
    await client.delete("/a/b", { version: 0 });
    await client.delete("/a");
    expect((await client.children("/")).children).toEqual([]);
  });

  test("null data reads as empty, and any bytes come back", async () => {
    await client.create("/null", null);
    expect((await client.get("/null")).data).toEqual(Buffer.alloc(0));
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await client.create("/bytes", bytes);
    expect((await client.get("/bytes")).data.equals(bytes)).toBe(true);
  });

  test("maps the server's refusals to codes with no effect", async () => {
    await client.create("/a");
    await client.create("/a/b");
    await client.create("/e", null, { mode: "ephemeral" });
    expect(await codeOf(client.create("/a"))).toBe("NODE_EXISTS");
    expect(await codeOf(client.create("/none/x"))).toBe("NO_NODE");
    expect(await codeOf(client.create("/e/x"))).toBe("NO_CHILDREN_FOR_EPHEMERALS");
    expect(await codeOf(client.get("/none"))).toBe("NO_NODE");
    expect(await codeOf(client.set("/a", "x", { version: 5 }))).toBe("BAD_VERSION");
    expect(await codeOf(client.delete("/a"))).toBe("NOT_EMPTY");
    expect(await codeOf(client.create("/x", null, { acl: [] }))).toBe("INVALID_ACL");
    const error = await client.get("/none").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "NO_NODE", effect: "none", context: { path: "/none" } });
  });

  test("refuses malformed paths before anything is sent", async () => {
    for (const path of ["", "a", "/a/", "//", "/.", "/\u0000"]) {
      await expect(client.get(path)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", effect: "none" });
    }
  });

  test("answers calls in the order in which they were made", async () => {
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        await client.create("/s-", null, { mode: "persistentSequential" }).then(({ path }) => {
          expect(path).toBe(`/s-${String(index).padStart(10, "0")}`);
          order.push(index);
        });
      }),
    );
    expect(order).toEqual(Array.from({ length: 200 }, (_, index) => index));
  });

  test("makes and deletes whole trees", async () => {
    await client.ensurePath("/a/b/c");
    await client.ensurePath("/a/b/c");
    await client.create("/x/y/z", "deep", { createParents: true });
    expect((await client.get("/x/y/z")).data.toString()).toBe("deep");
    await client.deleteRecursive("/a");
    expect(await client.exists("/a")).toBeNull();
    expect(await client.exists("/x")).not.toBeNull();
  });

  test("a transaction applies all of its operations or none", async () => {
    const [made, sequential] = await client
      .transaction()
      .create("/a", "one")
      .create("/s-", null, { mode: "persistentSequential" })
      .set("/a", "two", { version: 0 })
      .check("/a", { version: 1 })
      .commit();
    expect([made.path, sequential.path]).toEqual(["/a", "/s-0000000001"]);
    expect((await client.get("/a")).data.toString()).toBe("two");
    const failed = client.transaction().create("/b").check("/a", { version: 9 }).delete("/a").commit();
    expect(await codeOf(failed)).toBe("BAD_VERSION");
    expect(await client.exists("/b")).toBeNull();
  });

  test("guards znodes with a digest", async () => {
    await using owner = await ZooKeeperClient.connect({
      hosts: zk.hosts,
      auth: [{ scheme: "digest", auth: "alice:secret" }],
    });
    await owner.create("/mine", "secret", { acl: CREATOR_ALL_ACL });
    expect((await owner.getAcl("/mine")).acl).toEqual([
      { permissions: 31, scheme: "digest", id: digestId("alice", "secret") },
    ]);
    expect(await codeOf(client.get("/mine"))).toBe("NO_AUTH");
    await client.addAuth("digest", "alice:secret");
    expect((await client.get("/mine")).data.toString()).toBe("secret");
    expect((await client.setAcl("/mine", OPEN_ACL, { version: 0 })).aversion).toBe(1);
    await using stranger = await ZooKeeperClient.connect(zk.hosts);
    expect((await stranger.get("/mine")).data.toString()).toBe("secret");
  });

  test("a client that closes takes its ephemerals along and refuses later calls", async () => {
    const other = await ZooKeeperClient.connect(zk.hosts);
    await other.create("/e", null, { mode: "ephemeral" });
    const { lost } = other.session;
    await other.close();
    expect(await client.exists("/e")).toBeNull();
    expect([other.state, lost.aborted]).toEqual(["closed", true]);
    expect(await codeOf(other.get("/"))).toBe("CLOSED");
  });

  describe("with a chroot", () => {
    test("sees its own part of the tree only, in arguments, results and events", async () => {
      await using whole = await ZooKeeperClient.connect(zk.address);
      await client.ensurePath("/");
      const { path } = await client.create("/a", "x");
      expect(path).toBe("/a");
      expect((await whole.get(`${zk.chroot}/a`)).data.toString()).toBe("x");
      const seen = new Promise<string>((resolve) => {
        client.exists("/b", { watch: (event) => resolve(event.path) }).catch(() => {});
      });
      await client.sync();
      await whole.create(`${zk.chroot}/b`);
      expect(await seen).toBe("/b");
      expect([...(await client.children("/")).children].sort()).toEqual(["a", "b"]);
    });

    test("ensurePath of / makes the chroot itself", async () => {
      await using nested = await ZooKeeperClient.connect(`${zk.hosts}/not/yet/there`);
      expect(await codeOf(nested.create("/a"))).toBe("NO_NODE");
      await nested.ensurePath("/");
      await nested.create("/a");
      expect(await client.exists("/not/yet/there/a")).not.toBeNull();
    });
  });
});
