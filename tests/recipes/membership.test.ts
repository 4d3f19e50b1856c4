// SPDX-License-Identifier: Apache-2.0
import { OPEN_ACL, READ_ONLY_ACL, type ZooKeeperClient } from "@meerkat/client";
import {
  type Allocation,
  Party,
  PersistentNode,
  type PersistentNodeState,
  SetPartitioner,
} from "@meerkat/recipes";
import { awaitCondition } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import { awaitNoWatches, closing, connect, connectThroughProxy, untilState } from "./data-support.ts";
import { expire, failure, names } from "./exclusion-support.ts";

describeEachZooKeeper("a persistent node", (zk) => {
  const closed = closing();

  test("is there with its data, over deletions, overwriting and expired sessions, until it is closed", async () => {
    const client = closed(await connect(zk));
    const operator = closed(await connect(zk));
    const node = closed(new PersistentNode(client, "/nodes/one", { data: "a" }));
    await node.ready();
    const found = await operator.get("/nodes/one");
    expect([found.data.toString(), found.stat.ephemeralOwner]).toEqual(["a", client.sessionId]);
    await node.setData("b");
    expect((await operator.get("/nodes/one")).data.toString()).toBe("b");
    await operator.set("/nodes/one", "nonsense");
    await awaitCondition(async () => (await operator.get("/nodes/one")).data.toString() === "b");
    await operator.deleteRecursive("/nodes");
    await awaitCondition(async () => (await operator.exists("/nodes/one")) !== null);
    await awaitCondition(() => node.state === "up");
    const states: PersistentNodeState[] = [];
    node.onState((state) => states.push(state));
    await expire(client);
    await awaitCondition(
      async () => (await operator.exists("/nodes/one"))?.ephemeralOwner === client.sessionId,
    );
    await awaitCondition(() => node.state === "up");
    expect(states).toContain("suspended");
    await Promise.all([node.close(), node.close()]);
    expect(await operator.exists("/nodes/one")).toBeNull();
    expect(node.state).toBe("closed");
    expect(await failure(node.setData("c"))).toMatchObject({ code: "CLOSED" });
    expect(await failure(node.ready())).toMatchObject({ code: "CLOSED" });
    await awaitNoWatches(zk);
  });

  test("stays the same znode over a lost connection", async () => {
    const { proxy, client } = closed(await connectThroughProxy(zk));
    const operator = closed(await connect(zk));
    const node = closed(new PersistentNode(client, "/n", { data: "a" }));
    await node.ready();
    const czxid = (await operator.exists("/n"))?.czxid;
    await proxy.down();
    await awaitCondition(() => node.state === "suspended");
    await proxy.restore();
    await awaitCondition(() => node.state === "up");
    expect((await operator.exists("/n"))?.czxid).toBe(czxid);
  });

  test("waits for another session's znode of this name to go", async () => {
    const first = closed(await connect(zk));
    const second = closed(await connect(zk));
    const one = closed(new PersistentNode(first, "/n", { data: "1" }));
    await one.ready();
    const two = closed(new PersistentNode(second, "/n", { data: "2" }));
    await awaitCondition(() => two.state === "blocked");
    expect(await failure(two.ready({ timeoutMs: 20 }))).toMatchObject({ code: "TIMEOUT" });
    await one.close();
    await two.ready();
    expect((await first.get("/n")).data.toString()).toBe("2");
  });

  test("of the persistent mode outlives the process, and is taken over by the next", async () => {
    const client = await connect(zk);
    const node = new PersistentNode(client, "/n", { data: "1", mode: "persistent" });
    await node.ready();
    client.destroy();
    const next = closed(await connect(zk));
    expect((await next.get("/n")).data.toString()).toBe("1");
    const after = new PersistentNode(next, "/n", { data: "2", mode: "persistent" });
    await after.ready();
    expect((await next.get("/n")).data.toString()).toBe("2");
    await after.close();
    expect(await next.exists("/n")).toBeNull();
  });

  test("whenever opening and closing race a breaking connection, nothing stays behind", async () => {
    const { proxy, client } = closed(await connectThroughProxy(zk));
    const operator = closed(await connect(zk));
    await operator.ensurePath("/nodes");
    for (let round = 0; round < 30; round++) {
      const node = new PersistentNode(client, `/nodes/${round}`);
      const ready = node.ready();
      ready.catch(() => {});
      for (let turns = 0; turns < round % 7; turns++) await new Promise((resolve) => setImmediate(resolve));
      proxy.cut();
      if (round % 2 === 0) await ready;
      for (let turns = 0; turns < round % 5; turns++) await new Promise((resolve) => setImmediate(resolve));
      if (round % 3 === 0) proxy.cut();
      await node.close();
    }
    await awaitCondition(async () => (await names(operator, "/nodes")).length === 0);
    await awaitNoWatches(zk);
  });

  test("says so when it may not be created", async () => {
    const client = closed(await connect(zk));
    await client.create("/guarded", null, { acl: READ_ONLY_ACL });
    const node = closed(new PersistentNode(client, "/guarded/n"));
    expect(await failure(node.ready())).toMatchObject({ code: "NO_AUTH" });
    await client.setAcl("/guarded", OPEN_ACL).catch(() => {});
  });
});

describeEachZooKeeper("a party", (zk) => {
  const closed = closing();

  test.each(["party", "shallow", "member"] as const)(
    "has those who joined and live, in the layout %s",
    async (layout) => {
      const clients = await Promise.all([connect(zk), connect(zk), connect(zk)]);
      clients.forEach(closed);
      const [first, second, observer] = clients as [ZooKeeperClient, ZooKeeperClient, ZooKeeperClient];
      const a = closed(new Party(first, "/p", { identifier: "a", layout }));
      const b = closed(new Party(second, "/p", { identifier: "b-2", layout }));
      const view = new Party(observer, "/p", { layout });
      expect(await view.members()).toEqual([]);
      const seen: string[] = [];
      const controller = new AbortController();
      const watching = (async () => {
        for await (const members of view.watch({ signal: controller.signal })) {
          seen.push(members.map(({ identifier }) => identifier).join());
        }
      })();
      await Promise.all([a.join(), b.join()]);
      await a.join();
      expect((await view.members()).map(({ identifier }) => identifier)).toEqual(["a", "b-2"]);
      await awaitCondition(() => seen.at(-1) === "a,b-2");
      await b.leave();
      await awaitCondition(() => seen.at(-1) === "a");
      await expire(first);
      await awaitCondition(() => a.member?.state === "up");
      await awaitCondition(async () => (await view.members()).length === 1);
      await a.leave();
      await awaitCondition(() => seen.at(-1) === "");
      controller.abort();
      await watching;
      expect(await names(observer, "/p")).toEqual([]);
      await awaitNoWatches(zk);
    },
  );

  test("a member with data says them, and an identifier that is no name is refused", async () => {
    const client = closed(await connect(zk));
    const member = closed(new Party(client, "/p", { identifier: "a", layout: "member", data: "payload" }));
    await member.join();
    expect((await member.members())[0]?.data.toString()).toBe("payload");
    expect(() => new Party(client, "/p", { identifier: "a/b", layout: "shallow" })).toThrow(/slash/);
    expect(() => new Party(client, "/p", { data: "x" })).toThrow(/only the layout member/);
    const late = new Party(closed(await connect(zk)), "/p", { identifier: "a", layout: "member" });
    expect(await failure(late.join({ timeoutMs: 30 }))).toMatchObject({ code: "TIMEOUT" });
    expect(await names(client, "/p")).toEqual(["a"]);
  });
});

/** A member of a partitioned set that works until it is told to stop, and what it has now. */
function worker(
  client: ZooKeeperClient,
  identifier: string,
  owners: Map<string, string>,
  faults: string[],
): { readonly share: () => readonly string[]; stop(): Promise<void> } {
  const partitioner = new SetPartitioner(client, "/s", {
    items: ["i0", "i1", "i2", "i3", "i4", "i5"],
    identifier,
    settleMs: 50,
  });
  const stop = new AbortController();
  let current: Allocation | undefined;
  const running = (async () => {
    for await (const allocation of partitioner.allocations({ signal: stop.signal })) {
      for (const item of allocation.items) {
        const owner = owners.get(item);
        if (owner !== undefined) faults.push(`${item} of ${owner} also to ${identifier}`);
        owners.set(item, identifier);
      }
      current = allocation;
      await new Promise<void>((resolve) => {
        if (allocation.signal.aborted) resolve();
        else allocation.signal.addEventListener("abort", () => resolve(), { once: true });
      });
      current = undefined;
      for (const item of allocation.items) owners.delete(item);
    }
  })();
  return {
    share: () => current?.items ?? [],
    stop: async () => {
      stop.abort();
      await running;
    },
  };
}

describeEachZooKeeper("a set partitioner", (zk) => {
  const closed = closing();

  test("gives every item to one member, and divides anew when members come, go and lose their sessions", async () => {
    const clients = await Promise.all([connect(zk), connect(zk), connect(zk)]);
    clients.forEach(closed);
    const [first, second, third] = clients as [ZooKeeperClient, ZooKeeperClient, ZooKeeperClient];
    const owners = new Map<string, string>();
    const faults: string[] = [];
    const a = worker(first, "a", owners, faults);
    await awaitCondition(() => a.share().length === 6, { describe: "all for the only one" });
    const b = worker(second, "b", owners, faults);
    await awaitCondition(() => a.share().length === 3 && b.share().length === 3, { describe: "halves" });
    expect(a.share()).toEqual(["i0", "i2", "i4"]);
    const c = worker(third, "c", owners, faults);
    await awaitCondition(() => [a, b, c].every((each) => each.share().length === 2), { describe: "thirds" });
    await expire(second);
    await awaitCondition(() => b.share().length !== 2, { describe: "the loss to be noticed" });
    await awaitCondition(() => [a, b, c].every((each) => each.share().length === 2), {
      describe: "thirds again",
      timeoutMs: 20_000,
    });
    await a.stop();
    await awaitCondition(() => [b, c].every((each) => each.share().length === 3), {
      describe: "halves again",
    });
    expect(faults).toEqual([]);
    await Promise.all([b.stop(), c.stop()]);
    expect(await names(first, "/s/party")).toEqual([]);
    for (const item of await names(first, "/s/locks"))
      expect(await names(first, `/s/locks/${item}`)).toEqual([]);
    await awaitNoWatches(zk);
  });

  test("goes on with its share over a lost connection", async () => {
    const { proxy, client } = closed(await connectThroughProxy(zk));
    const owners = new Map<string, string>();
    const faults: string[] = [];
    const a = worker(client, "a", owners, faults);
    await awaitCondition(() => a.share().length === 6);
    await proxy.down();
    await untilState(client, "suspended");
    await proxy.restore();
    await untilState(client, "connected");
    await awaitCondition(() => a.share().length === 6);
    await a.stop();
    expect(faults).toEqual([]);
  });
});

describe("a partitioner's own function", () => {
  test("is asked with all members and items", async () => {
    const asked: unknown[] = [];
    const partition = (...given: readonly unknown[]): readonly string[] => {
      asked.push(given);
      return [];
    };
    const { startEmbeddedZooKeeper } = await import("@meerkat/testkit");
    await using server = await startEmbeddedZooKeeper();
    const { ZooKeeperClient: Client } = await import("@meerkat/client");
    await using client = await Client.connect(server.connectString);
    const partitioner = new SetPartitioner(client, "/s", {
      items: ["x"],
      identifier: "me",
      settleMs: 10,
      partition,
    });
    for await (const { items, members } of partitioner.allocations()) {
      expect([items, members]).toEqual([[], ["me"]]);
      break;
    }
    expect(asked).toEqual([["me", ["me"], ["x"]]]);
  });
});
