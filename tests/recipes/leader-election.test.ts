// SPDX-License-Identifier: Apache-2.0
import { LeaderElection, LeaderLatch, type Leadership } from "@meerkat/recipes";
import { awaitCondition } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import { aborted, awaitCount, awaitEmpty, clients, expire, failure, names } from "./exclusion-support.ts";

describeEachZooKeeper("LeaderElection", (zk) => {
  const connect = clients();

  test("the first leads, the next follows with a higher token, and both can be seen", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    const first = new LeaderElection(one, "/e", { identity: "one" });
    const second = new LeaderElection(two, "/e", { identity: "two" });
    expect(await first.leader()).toBeUndefined();
    const leadership = await first.campaign();
    const waiting = second.campaign();
    await awaitCount(one, "/e", 4);
    expect((await second.participants()).map(({ identity, holds }) => [identity, holds])).toEqual([
      ["one", true],
      ["two", false],
    ]);
    expect(await second.leader()).toMatchObject({ identity: "one", token: leadership.token });
    await leadership.resign();
    await using next = await waiting;
    expect(next.token).toBeGreaterThan(leadership.token);
    expect(await first.leader()).toMatchObject({ identity: "two" });
  });

  test("observers see every leader, and none, over an expiry of their own session", async () => {
    const [one, two, observer] = [await connect(zk.hosts), await connect(zk.hosts), await connect(zk.hosts)];
    const seen = new LeaderElection(observer, "/e").leaders();
    const next = async (): Promise<string | null | undefined> => (await seen.next()).value?.identity ?? null;
    expect(await next()).toBeNull();
    const leadership = await new LeaderElection(one, "/e", { identity: "one" }).campaign();
    expect(await next()).toBe("one");
    const waiting = new LeaderElection(two, "/e", { identity: "two" }).campaign();
    await awaitCount(one, "/e", 4);
    await expire(observer);
    await leadership.resign();
    expect(await next()).toBe("two");
    await (await waiting).resign();
    expect(await next()).toBeNull();
    await seen.return?.();
    expect(await seen.next()).toMatchObject({ done: true });
  });

  test("a task runs only while leading, and is run again after leadership was lost", async () => {
    const client = await connect(zk.hosts);
    const runs: Leadership[] = [];
    const result = new LeaderElection(client, "/e").runWhileLeading(async (leadership) => {
      runs.push(leadership);
      if (runs.length === 1) {
        await expire(client);
        await aborted(leadership.signal);
        throw leadership.signal.reason;
      }
      leadership.assertHeld();
      return "done";
    });
    expect(await result).toBe("done");
    expect(runs.map(({ isHeld }) => isHeld)).toEqual([false, false]);
    expect(runs[1]?.token).toBeGreaterThan(runs[0]?.token ?? 0n);
    await awaitEmpty(client, "/e");
  });

  test("re-election can be never or always", async () => {
    const client = await connect(zk.hosts);
    const election = new LeaderElection(client, "/e");
    const never = election.runWhileLeading(
      async (leadership) => {
        await client.deleteRecursive("/e");
        await aborted(leadership.signal);
        throw leadership.signal.reason;
      },
      { reelect: "never" },
    );
    expect(await failure(never)).toMatchObject({ code: "LOST", context: { reason: "deleted" } });
    const controller = new AbortController();
    let runs = 0;
    const always = election.runWhileLeading(
      async () => {
        if (++runs === 3) controller.abort();
      },
      { reelect: "always", signal: controller.signal },
    );
    expect(await failure(always)).toMatchObject({ code: "ABORTED" });
    expect(runs).toBe(3);
    await awaitEmpty(client, "/e");
  });

  test("the caller's signal ends the task through its leadership", async () => {
    const client = await connect(zk.hosts);
    const controller = new AbortController();
    const run = new LeaderElection(client, "/e").runWhileLeading(
      async (leadership) => {
        controller.abort();
        await aborted(leadership.signal);
        return "ended";
      },
      { signal: controller.signal },
    );
    expect(await run).toBe("ended");
    await awaitEmpty(client, "/e");
  });

  test("a task that fails ends the run, and the leadership", async () => {
    const client = await connect(zk.hosts);
    const run = new LeaderElection(client, "/e").runWhileLeading(async () => {
      throw new Error("broken");
    });
    expect(await failure(run)).toEqual(new Error("broken"));
    expect(await names(client, "/e")).toEqual([]);
  });
});

describeEachZooKeeper("LeaderLatch", (zk) => {
  const connect = clients();

  test("stands in the background and leads when its turn comes", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    const first = new LeaderLatch(one, "/e", { identity: "one" });
    const leadership = await first.whenLeader({ timeoutMs: 10_000 });
    await using second = new LeaderLatch(two, "/e", { identity: "two" });
    await awaitCount(one, "/e", 4);
    expect([first.isLeader, second.isLeader]).toEqual([true, false]);
    expect(await failure(second.whenLeader({ timeoutMs: 50 }))).toMatchObject({ code: "TIMEOUT" });
    expect((await second.participants()).map(({ identity }) => identity)).toEqual(["one", "two"]);
    const changes: (Leadership | undefined)[] = [];
    second.onChange((change) => changes.push(change));
    expect(await failure(second.whenLeader({ signal: AbortSignal.abort() }))).toMatchObject({
      code: "ABORTED",
    });
    await first.close();
    await first.close();
    expect([leadership.isHeld, first.isLeader]).toEqual([false, false]);
    expect(await failure(first.whenLeader())).toMatchObject({ code: "CLOSED" });
    await second.whenLeader({ timeoutMs: 10_000 });
    expect(changes).toEqual([second.leadership]);
  });

  test("stands again when its leadership is lost, at the end of the queue", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    await using first = new LeaderLatch(one, "/e");
    await first.whenLeader();
    await using second = new LeaderLatch(two, "/e");
    await awaitCount(two, "/e", 4);
    await expire(one);
    await second.whenLeader({ timeoutMs: 10_000 });
    await awaitCondition(() => !first.isLeader);
    await awaitCount(two, "/e", 4);
    await second.close();
    await first.whenLeader({ timeoutMs: 10_000 });
  });

  test("without rejoin it stays out after a loss", async () => {
    const client = await connect(zk.hosts);
    await using latch = new LeaderLatch(client, "/e", { rejoin: false });
    await latch.whenLeader();
    const ended = new Promise((resolve) => latch.onChange(resolve));
    await expire(client);
    expect(await ended).toBeUndefined();
    await client.sync("/");
    await awaitEmpty(client, "/e");
    expect(latch.isLeader).toBe(false);
  });

  test("closed while it waits, it leaves nothing", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    await using first = new LeaderLatch(one, "/e");
    await first.whenLeader();
    const second = new LeaderLatch(two, "/e");
    await awaitCount(one, "/e", 4);
    await second.close();
    await awaitCount(one, "/e", 2);
  });

  test("says why it no longer stands when the server refuses", async () => {
    const client = await connect(zk.hosts);
    await client.create("/closed", null, { acl: [{ permissions: 1, scheme: "world", id: "anyone" }] });
    await using latch = new LeaderLatch(client, "/closed");
    expect(await failure(latch.whenLeader({ timeoutMs: 10_000 }))).toMatchObject({ code: "NO_AUTH" });
    expect(latch.failure).toMatchObject({ code: "NO_AUTH" });
  });
});

describe("LeaderElection", () => {
  test("refuses an unknown layout", () => {
    expect(() => new LeaderElection({} as never, "/e", { layout: "zk" as never })).toThrow("layout");
  });
});
