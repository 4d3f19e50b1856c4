// SPDX-License-Identifier: Apache-2.0
import { Hold, Lock } from "@meerkat/recipes";
import { awaitCondition, FaultProxy } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import {
  aborted,
  awaitCount,
  awaitEmpty,
  clients,
  expire,
  FencedResource,
  failure,
  names,
} from "./exclusion-support.ts";

describeEachZooKeeper("Lock", (zk) => {
  const connect = clients();

  test("is taken, makes one pair of znodes, and leaves none after its release", async () => {
    const client = await connect(zk.hosts);
    const lock = new Lock(client, "/deep/lock", { identity: "me" });
    {
      await using hold = await lock.acquire();
      expect(hold).toBeInstanceOf(Hold);
      hold.assertHeld(500);
      expect(hold.isHeld).toBe(true);
      const found = await names(client, "/deep/lock");
      expect(found).toHaveLength(2);
      expect(found[0]).toMatch(/^_c_f[0-9a-f-]{35}-lock-0000000000$/);
      expect(found[1]).toMatch(/^f[0-9a-f]{31}__lock__0000000001$/);
      expect(await lock.contenders()).toEqual([
        {
          path: hold.path,
          identity: "me",
          kind: "exclusive",
          holds: true,
          token: hold.token,
          sessionId: client.sessionId,
        },
      ]);
      expect(await new Lock(client, "/deep/lock").tryAcquire()).toBeUndefined();
    }
    expect(await names(client, "/deep/lock")).toEqual([]);
  });

  test("goes to waiters in order of arrival, with rising tokens, each waking one", async () => {
    const resource = new FencedResource();
    const order: number[] = [];
    const holder = await new Lock(await connect(zk.hosts), "/l").acquire();
    const all: Promise<void>[] = [];
    for (let at = 0; at < 6; at++) {
      const lock = new Lock(await connect(zk.hosts), "/l", {
        layout: (["both", "curator", "kazoo"] as const)[at % 3],
      });
      const before = (await names(await connect(zk.hosts), "/l")).length;
      all.push(
        lock.runExclusive(async (hold) => {
          order.push(at);
          await resource.use(hold);
        }),
      );
      const watcher = await connect(zk.hosts);
      await awaitCount(watcher, "/l", before + (at % 3 === 0 ? 2 : 1));
    }
    await holder.release();
    await Promise.all(all);
    expect(order).toEqual([0, 1, 2, 3, 4, 5]);
    resource.verify();
  });

  test("a release wakes one waiter, and not those behind it", async () => {
    const quiet = { sessionTimeoutMs: 30_000 };
    const holder = await connect(zk.hosts, quiet);
    const first = await new Lock(holder, "/l").acquire();
    const second = new Lock(await connect(zk.hosts, quiet), "/l").acquire();
    await awaitCount(holder, "/l", 4);
    await using proxy = await FaultProxy.start({ target: zk });
    const last = await connect(`${proxy.connectString}${zk.chroot}`, quiet);
    const third = new Lock(last, "/l").acquire();
    await awaitCount(holder, "/l", 6);
    await awaitCondition(() => last.pending.inFlight + last.pending.waiting === 0);
    const [connection] = proxy.connections;
    const bytes = connection?.bytesToClient;
    await first.release();
    const hold = await second;
    await holder.sync("/l");
    expect(connection?.bytesToClient).toBe(bytes);
    await hold.release();
    await (await third).release();
  });

  test("gives up at the time limit over all, and by signal, and leaves nothing", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    await using _hold = await new Lock(one, "/l").acquire();
    const lock = new Lock(two, "/l");
    expect(await failure(lock.acquire({ timeoutMs: 150 }))).toMatchObject({
      code: "TIMEOUT",
      effect: "none",
      context: { path: "/l", timeoutMs: 150 },
    });
    await awaitCount(one, "/l", 2);
    const controller = new AbortController();
    const waiting = failure(lock.acquire({ signal: controller.signal }));
    await awaitCount(one, "/l", 4);
    controller.abort(new Error("enough"));
    expect(await waiting).toMatchObject({ code: "ABORTED", cause: new Error("enough") });
    await awaitCount(one, "/l", 2);
    expect(await failure(lock.acquire({ signal: AbortSignal.abort() }))).toMatchObject({ code: "ABORTED" });
    expect(await names(one, "/l")).toHaveLength(2);
  });

  test("a waiter that gives up does not let the one behind it in", async () => {
    const [one, two, three] = [await connect(zk.hosts), await connect(zk.hosts), await connect(zk.hosts)];
    const holder = await new Lock(one, "/l").acquire();
    const controller = new AbortController();
    const middle = failure(new Lock(two, "/l").acquire({ signal: controller.signal }));
    await awaitCount(one, "/l", 4);
    let granted = false;
    const last = new Lock(three, "/l").acquire().then((hold) => {
      granted = true;
      return hold;
    });
    await awaitCount(one, "/l", 6);
    controller.abort();
    await middle;
    await awaitCount(one, "/l", 4);
    await three.sync("/l");
    expect(granted).toBe(false);
    await holder.release();
    await (await last).release();
  });

  test("a hold is shown to acquire again, and the last handle gives the lock up", async () => {
    const client = await connect(zk.hosts);
    const lock = new Lock(client, "/l");
    const outer = await lock.acquire();
    const inner = await lock.acquire({ reenter: outer });
    expect(inner.token).toBe(outer.token);
    await outer.release();
    expect(outer.signal.reason).toMatchObject({ code: "RELEASED" });
    expect([outer.isHeld, inner.isHeld]).toEqual([false, true]);
    expect(await names(client, "/l")).toHaveLength(2);
    expect(() => outer.reenter()).toThrow("was released");
    await inner.release();
    expect(await names(client, "/l")).toEqual([]);
    const other = new Lock(client, "/other");
    await using hold = await other.acquire();
    expect(await failure(lock.acquire({ reenter: hold }))).toMatchObject({ code: "CONFLICT" });
  });

  test("an expired session ends the hold before the next holder gets it", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    const hold = await new Lock(one, "/l").acquire();
    const lost = aborted(hold.signal);
    const next = new Lock(two, "/l").acquire();
    await awaitCount(two, "/l", 4);
    await expire(one);
    expect(await lost).toMatchObject({ code: "LOST", context: { reason: "session" } });
    expect(() => hold.assertHeld()).toThrow("LOST");
    await using nextHold = await next;
    expect(nextHold.token).toBeGreaterThan(hold.token);
    expect(await failure(one.multi([hold.fence(), { op: "create", path: "/late" }]))).toMatchObject({
      code: "NO_NODE",
    });
    expect(await two.exists("/late")).toBeNull();
    await two.multi([nextHold.fence(), { op: "create", path: "/in-time" }]);
    await hold.release();
  });

  test("a waiter whose session expires enters anew and is served", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    const holder = await new Lock(one, "/l").acquire();
    const waiting = new Lock(two, "/l").acquire();
    await awaitCount(one, "/l", 4);
    const before = two.sessionId;
    await expire(two);
    await awaitCondition(() => two.state === "connected" && two.sessionId !== before);
    await awaitCount(one, "/l", 4);
    await holder.release();
    await using hold = await waiting;
    expect(hold.sessionId).toBe(two.sessionId);
  });

  test("a hold ends when its znode is deleted behind its back", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    const hold = await new Lock(one, "/l").acquire();
    const [, second = ""] = await names(two, "/l");
    await two.delete(`/l/${second}`);
    expect(await aborted(hold.signal)).toMatchObject({ code: "LOST", context: { reason: "deleted" } });
    await awaitEmpty(two, "/l");
  });

  test("foreign children neither block nor confuse", async () => {
    const client = await connect(zk.hosts);
    await client.ensurePath("/l/config");
    await client.create("/l/lock-12");
    await client.create("/l/zzz-", null, { mode: "persistentSequential" });
    await using hold = await new Lock(client, "/l").acquire({ timeoutMs: 5_000 });
    expect(hold.isHeld).toBe(true);
  });

  test("the root may vanish between two acquires", async () => {
    const client = await connect(zk.hosts);
    const lock = new Lock(client, "/gone/l");
    for (let round = 0; round < 3; round++) {
      await (await lock.acquire()).release();
      await client.deleteRecursive("/gone");
    }
  });

  test("closing the client ends the hold and the waits at once", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    const hold = await new Lock(one, "/l").acquire();
    const lost = aborted(hold.signal);
    const waiting = failure(new Lock(one, "/l").acquire());
    await awaitCount(two, "/l", 4);
    await one.close();
    expect(await lost).toMatchObject({ code: "LOST" });
    expect(await waiting).toMatchObject({ code: "CLOSED" });
    await awaitEmpty(two, "/l");
    await hold.release();
  });
});

describe("Lock", () => {
  test("refuses an unknown layout", () => {
    expect(() => new Lock({} as never, "/l", { layout: "zk" as never })).toThrow("layout must be");
  });
});
