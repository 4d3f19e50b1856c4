// SPDX-License-Identifier: Apache-2.0
import { Lock, MultiLock, RevocableLock, requestRevocation } from "@meerkat/recipes";
import { awaitCondition } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import { aborted, awaitCount, awaitEmpty, clients, expire, failure, names } from "./exclusion-support.ts";

describeEachZooKeeper("RevocableLock", (zk) => {
  const connect = clients();

  test("a holder is asked, decides, and the one who asked gets the lock", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    const hold = await new RevocableLock(one, "/l").acquire();
    const asked = aborted(hold.revoked).then(() => hold.release());
    await using next = await new RevocableLock(two, "/l").acquire({ revoke: true, timeoutMs: 10_000 });
    await asked;
    expect(next.token).toBeGreaterThan(hold.token);
    expect(next.revoked.aborted).toBe(false);
  });

  test("one asked while it waited knows it when it holds, and the limit spans asking and waiting", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    const hold = await new RevocableLock(one, "/l").acquire();
    const other = new RevocableLock(two, "/l");
    expect(await failure(other.acquire({ revoke: true, timeoutMs: 150 }))).toMatchObject({ code: "TIMEOUT" });
    await awaitCount(one, "/l", 2);
    const waiting = other.acquire();
    await awaitCount(one, "/l", 4);
    const [, waiter] = await other.contenders();
    expect(await requestRevocation(one, waiter?.path ?? "")).toBe(true);
    await two.sync("/l");
    await hold.release();
    const next = await waiting;
    await awaitCondition(() => next.revoked.aborted);
    await next.release();
  });

  test("being asked takes nothing away, and other data in the znode asks nothing", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    const lock = new RevocableLock(one, "/l");
    const hold = await lock.acquire();
    await two.set(hold.path, "something else");
    await two.set(hold.path, "another thing");
    expect(hold.revoked.aborted).toBe(false);
    const other = new RevocableLock(two, "/l");
    expect(await other.revoke()).toBe(true);
    await awaitCondition(() => hold.revoked.aborted);
    expect(hold.isHeld).toBe(true);
    expect(await other.tryAcquire()).toBeUndefined();
    await hold.release();
    expect(await other.revoke()).toBe(false);
    expect(await requestRevocation(two, hold.path)).toBe(false);
  });
});

describeEachZooKeeper("MultiLock", (zk) => {
  const connect = clients();
  const paths = ["/m/a", "/m/b", "/m/c"];

  test("takes all in order of their paths, whatever the order given", async () => {
    const client = await connect(zk.hosts);
    const lock = new MultiLock([...paths].reverse().map((path) => new Lock(client, path)));
    expect(lock.paths).toEqual(paths);
    const hold = await lock.acquire();
    hold.assertHeld(100);
    expect(hold.holds.map((each) => each.path.slice(0, 4))).toEqual(paths);
    await client.multi([...hold.fence(), { op: "create", path: "/done" }]);
    await hold.release();
    expect(hold.isHeld).toBe(false);
    for (const path of paths) expect(await names(client, path)).toEqual([]);
  });

  test("two that want the same in opposite order do not block each other", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    const locks = [
      new MultiLock(paths.map((path) => new Lock(one, path))),
      new MultiLock([...paths].reverse().map((path) => new Lock(two, path))),
    ];
    let inside = 0;
    await Promise.all(
      locks.map(async (lock) => {
        for (let round = 0; round < 5; round++) {
          await using _hold = await lock.acquire({ timeoutMs: 20_000 });
          expect(++inside).toBe(1);
          await new Promise((resolve) => setImmediate(resolve));
          inside--;
        }
      }),
    );
  });

  test("gives everything back when one is not to be had, at once or in time", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    await using _last = await new Lock(two, "/m/c").acquire();
    const lock = new MultiLock(paths.map((path) => new Lock(one, path)));
    expect(await lock.tryAcquire()).toBeUndefined();
    expect(await failure(lock.acquire({ timeoutMs: 200 }))).toMatchObject({ code: "TIMEOUT" });
    await awaitEmpty(two, "/m/a");
    await awaitEmpty(two, "/m/b");
    await awaitCount(two, "/m/c", 2);
  });

  test("is lost when one of them is lost", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    const lock = new MultiLock([new Lock(one, "/m/a"), new Lock(two, "/m/b")]);
    const hold = await lock.acquire();
    const lost = aborted(hold.signal);
    await expire(two);
    expect(await lost).toMatchObject({ code: "LOST" });
    expect(() => hold.assertHeld()).toThrow("LOST");
    await hold.release();
    await awaitEmpty(one, "/m/a");
  });
});

describe("MultiLock", () => {
  test("refuses none, and two with one path", () => {
    const lock = new Lock({} as never, "/l");
    expect(() => new MultiLock([])).toThrow("at least one");
    expect(() => new MultiLock([lock, new Lock({} as never, "/l")])).toThrow("have the path /l");
  });
});
