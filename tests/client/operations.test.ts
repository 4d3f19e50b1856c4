// SPDX-License-Identifier: Apache-2.0
// What goes beyond the plain operations, over both servers.
import {
  bytes,
  isZooKeeperError,
  json,
  utf8,
  type WatchEvent,
  ZooKeeperClient,
  type ZooKeeperError,
} from "@meerkat/client";
import { awaitCondition } from "@meerkat/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

describeEachZooKeeper("the client", (zk) => {
  let client: ZooKeeperClient;

  beforeEach(async () => {
    client = await ZooKeeperClient.connect({ hosts: zk.hosts, sessionTimeoutMs: 10_000 });
  });

  afterEach(async () => {
    await client.close();
  });

  const fails = (call: Promise<unknown>): Promise<ZooKeeperError> =>
    call.then(
      () => Promise.reject(new Error("it did not fail")),
      (error: ZooKeeperError) => error,
    );

  test("makes missing parents, the chroot's too", async () => {
    await using other = await ZooKeeperClient.connect(`${zk.hosts}/not/yet/there`);
    await other.ensurePath("/");
    await other.create("/x/y/z", "deep", { createParents: true });
    expect((await client.get("/not/yet/there/x/y/z")).data.toString()).toBe("deep");
    await client.ensurePath("/not/yet/there");
  });

  test("deletes a subtree of hundreds, also while others add to it", async () => {
    for (let index = 0; index < 30; index++) {
      await client.ensurePath(`/tree/${index}/a/b`);
    }
    const adding = Promise.all(
      Array.from({ length: 30 }, (_, index) => client.create(`/tree/late-${index}`).catch(() => {})),
    );
    await client.deleteRecursive("/tree");
    await adding;
    await client.deleteRecursive("/tree");
    expect(await client.exists("/tree")).toBeNull();
    await client.deleteRecursive("/tree");
  });

  test("updates optimistically: fifty at once lose nothing", async () => {
    const other = await ZooKeeperClient.connect(zk.hosts);
    try {
      await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          (index % 2 === 0 ? client : other).update(
            "/n",
            (current) => String(Number(current?.data.toString() ?? "0") + 1),
            { create: true },
          ),
        ),
      );
      expect((await client.get("/n")).data.toString()).toBe("50");
      expect(await client.update("/n", () => undefined)).toMatchObject({ version: 49 });
      expect((await fails(client.update("/none", () => "x"))).code).toBe("NO_NODE");
    } finally {
      await other.close();
    }
  });

  test("checks, reads many at once, and names what failed in a transaction", async () => {
    await client.create("/a", "1");
    await client.check("/a", { version: 0 });
    expect((await fails(client.check("/a", { version: 3 }))).code).toBe("BAD_VERSION");
    const [a, children, none] = await client.multiRead([
      { op: "get", path: "/a" },
      { op: "children", path: "/" },
      { op: "get", path: "/none" },
    ]);
    expect(a.ok && a.data.toString()).toBe("1");
    expect(children.ok && children.children).toEqual(["a"]);
    expect(!none.ok && none.error.code).toBe("NO_NODE");
    const [made, set, gone] = await client
      .transaction()
      .create("/b-", "x", { mode: "persistentSequential" })
      .set("/a", "2", { version: 0 })
      .delete("/a", { version: 1 })
      .commit();
    expect([made.path, set.stat.version, gone]).toEqual(["/b-0000000001", 1, undefined]);
    const error = await fails(
      client.multi([
        { op: "create", path: "/c" },
        { op: "set", path: "/none", data: "x" },
        { op: "create", path: "/d" },
      ]),
    );
    expect(error.code).toBe("NO_NODE");
    expect(error.context).toMatchObject({ index: 1, path: "/none" });
    expect(error.context.results?.slice(0, 2)).toEqual(["OK", "NO_NODE"]);
    expect(await client.exists("/c")).toBeNull();
    expect(await client.multi([])).toEqual([]);
  });

  test("counts descendants, lists its ephemerals, says who it is", async () => {
    await client.ensurePath("/a/b/c");
    await client.create("/a/e", null, { mode: "ephemeral" });
    expect(await client.getAllChildrenNumber("/a")).toBe(3);
    expect(await client.getEphemerals("/a")).toEqual(["/a/e"]);
    await client.addAuth("digest", "ann:secret");
    expect(await client.whoAmI()).toContainEqual({ scheme: "digest", user: "ann" });
  });

  test("typed znodes carry values, and say what does not fit", async () => {
    interface Config {
      readonly limit: number;
    }
    const config = client.znode(
      "/config",
      json<Config>((value) => {
        if (typeof (value as Config).limit !== "number") throw new Error("limit must be a number");
        return value as Config;
      }),
    );
    await config.create({ limit: 3 });
    await config.update((value) => ({ limit: (value?.limit ?? 0) + 1 }));
    expect((await config.get()).value).toEqual({ limit: 4 });
    await client.set("/config", '{"limit":"many"}');
    const error = await fails(config.get());
    expect(error).toMatchObject({ code: "MARSHALLING_ERROR", cause: new Error("limit must be a number") });
    expect(error.message).toContain("/config");
    const text = client.znode("/text", utf8);
    await text.create("grüße");
    expect((await client.znode("/text", bytes).get()).value).toEqual(Buffer.from("grüße"));
    await client.set("/text", Buffer.from([0xff]));
    expect((await fails(text.get())).code).toBe("MARSHALLING_ERROR");
  });

  test("mistakes are rejected before anything is sent, with what is expected", async () => {
    const { inFlight } = client.pending;
    for (const call of [
      client.get("no-slash"),
      client.get("/a//b"),
      client.create("/a/../b"),
      client.create("/t", "x", { ttlMs: 5 }),
      client.create("/t", "x", { mode: "persistentTtl" }),
      client.set("/a", 5 as unknown as string),
      client.multi([{ op: "delete", path: "bad" }]),
      client.get(undefined as unknown as string),
    ]) {
      expect(await fails(call)).toMatchObject({ code: "INVALID_ARGUMENT", effect: "none" });
    }
    expect(client.pending.inFlight).toBe(inFlight);
    expect((await fails(client.create("/a/b/c"))).message).toContain("the parent /a/b does not exist");
    expect((await fails(client.create("/big", Buffer.alloc(1_100_000)))).message).toContain("jute.maxbuffer");
    expect(client.state).toBe("connected");
  });

  describe("watches as values", () => {
    test("a znode is followed from absence to absence, and the server forgets the watch", async () => {
      const states = client.watchNode("/w");
      const next = async (): Promise<string | null> => {
        const { value } = await states.next();
        return value === null ? null : value.data.toString();
      };
      expect(await next()).toBeNull();
      await client.create("/w", "1");
      expect(await next()).toBe("1");
      await client.set("/w", "2");
      expect(await next()).toBe("2");
      // A slow reader sees the last state, whatever happened in between.
      for (let version = 3; version <= 10; version++) await client.set("/w", String(version));
      await awaitCondition(async () => (await next()) === "10");
      await client.delete("/w");
      expect(await next()).toBeNull();
      await states.return?.();
      await awaitCondition(async () => !(await client.checkWatches("/w", "any")));
    });

    test("children are followed, and a signal ends it", async () => {
      await client.create("/p");
      const controller = new AbortController();
      const seen: string[][] = [];
      const done = (async () => {
        for await (const state of client.watchChildren("/p", controller)) {
          seen.push(state?.children.toSorted() ?? []);
          if (seen.length === 1) await client.create("/p/a");
          else if (seen.length === 2) await client.create("/p/b");
          else controller.abort();
        }
      })();
      await done;
      expect(seen).toEqual([[], ["a"], ["a", "b"]]);
      await awaitCondition(async () => !(await client.checkWatches("/p", "any")));
    });

    test("an iteration fails when reading is forbidden for good", async () => {
      await client.create("/secret", "x", { acl: [{ permissions: 2, scheme: "world", id: "anyone" }] });
      expect((await fails(client.watchNode("/secret").next())).code).toBe("NO_AUTH");
    });
  });

  test("plain and recursive persistent watches share a path, and one-shots survive their end", async () => {
    await client.create("/s");
    const plain = await client.addWatch("/s");
    const recursive = await client.addWatch("/s", { recursive: true });
    const events: string[] = [];
    plain.onEvent(({ type, path }) => events.push(`plain ${type} ${path}`));
    recursive.onEvent(({ type, path }) => events.push(`recursive ${type} ${path}`));
    const oneShot: WatchEvent[] = [];
    await client.get("/s", { watch: (event) => oneShot.push(event) });
    await client.create("/s/c");
    await client.sync();
    expect(events).toEqual(["recursive created /s/c", "plain childrenChanged /s"]);
    await recursive.close();
    events.length = 0;
    await client.create("/s/d");
    await client.sync();
    expect(events).toEqual(["plain childrenChanged /s"]);
    await plain.close();
    expect(oneShot).toEqual([]);
    await client.set("/s", "x");
    await client.sync();
    expect(oneShot).toEqual([{ type: "dataChanged", path: "/s" }]);
    expect(await client.checkWatches("/s", "any")).toBe(false);
  });

  test("the end of the client ends its iterations", async () => {
    const watch = await client.addWatch("/", { recursive: true });
    const states: string[] = [];
    const ended = Promise.all([
      (async () => {
        for await (const _event of watch) expect.unreachable();
      })(),
      (async () => {
        for await (const state of client.states()) states.push(state);
      })(),
    ]);
    await client.close();
    await ended;
    expect(states).toEqual(["connected", "closed"]);
    expect(isZooKeeperError(await fails(client.watchNode("/w").next()), "CLOSED")).toBe(true);
  });
});
