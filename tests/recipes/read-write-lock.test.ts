// SPDX-License-Identifier: Apache-2.0
import type { Hold, LockLayout } from "@meerkat/recipes";
import { ReadWriteLock } from "@meerkat/recipes";
import { describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import { aborted, awaitCount, clients, expire, failure, names } from "./exclusion-support.ts";

describeEachZooKeeper("ReadWriteLock", (zk) => {
  const connect = clients();

  /** A wait and whether it is over. */
  function watched(waiting: Promise<Hold>): { readonly hold: Promise<Hold>; granted: boolean } {
    const state = { hold: waiting, granted: false };
    waiting.then(
      () => {
        state.granted = true;
      },
      () => {},
    );
    return state;
  }

  test("readers share, a writer waits for them, and a reader behind it waits for the writer", async () => {
    const client = await connect(zk.hosts);
    const lock = new ReadWriteLock(client, "/rw");
    const [first, second] = [await lock.read.acquire(), await lock.read.acquire()];
    const writer = watched(lock.write.acquire());
    await awaitCount(client, "/rw", 6);
    const late = watched(lock.read.acquire());
    await awaitCount(client, "/rw", 8);
    expect((await lock.contenders()).map(({ kind, holds }) => [kind, holds])).toEqual([
      ["shared", true],
      ["shared", true],
      ["exclusive", false],
      ["shared", false],
    ]);
    expect(await lock.read.tryAcquire()).toBeUndefined();
    await second.release();
    await client.sync("/rw");
    expect(writer.granted).toBe(false);
    await first.release();
    const hold = await writer.hold;
    await client.sync("/rw");
    expect(late.granted).toBe(false);
    await hold.release();
    await (await late.hold).release();
    expect(await names(client, "/rw")).toEqual([]);
  });

  for (const layout of ["both", "curator"] as const satisfies LockLayout[]) {
    test(`a writer steps back: readers come in, the next writer does not (layout ${layout})`, async () => {
      const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
      const each = layout === "both" ? 2 : 1;
      const lock = new ReadWriteLock(one, "/rw", { layout });
      const other = new ReadWriteLock(two, "/rw", { layout });
      const write = await lock.write.acquire();
      const reader = watched(other.read.acquire());
      await awaitCount(one, "/rw", 2 * each);
      const writer = watched(other.write.acquire());
      await awaitCount(one, "/rw", 3 * each);
      const read = await write.downgrade();
      expect(read.token).toBe(write.token);
      expect(write.signal.reason).toMatchObject({ code: "RELEASED" });
      expect(read.path).toMatch(/__READ__00000000000000000\d\d\d$/);
      const readerHold = await reader.hold;
      await two.sync("/rw");
      expect([read.isHeld, readerHold.isHeld, writer.granted]).toEqual([true, true, false]);
      await write.release();
      expect(await names(one, "/rw")).toHaveLength(3 * each);
      await readerHold.release();
      await two.sync("/rw");
      expect(writer.granted).toBe(false);
      await read.release();
      await (await writer.hold).release();
      expect(await names(one, "/rw")).toEqual([]);
    });
  }

  test("who stepped back keeps his place before a writer that waited already", async () => {
    const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
    const write = await new ReadWriteLock(one, "/rw").write.acquire();
    const writer = watched(new ReadWriteLock(two, "/rw").write.acquire());
    await awaitCount(one, "/rw", 4);
    const read = await write.downgrade();
    await two.sync("/rw");
    expect(writer.granted).toBe(false);
    await read.release();
    await (await writer.hold).release();
  });

  test("nobody steps back in the Kazoo layout, or with a second handle", async () => {
    const client = await connect(zk.hosts);
    {
      await using write = await new ReadWriteLock(client, "/k", { layout: "kazoo" }).write.acquire();
      expect(await failure(write.downgrade())).toMatchObject({ code: "CONFLICT" });
    }
    const lock = new ReadWriteLock(client, "/rw");
    await using write = await lock.write.acquire();
    {
      await using _second = await lock.write.acquire({ reenter: write });
      expect(await failure(write.downgrade())).toMatchObject({ code: "CONFLICT" });
    }
    await (await write.downgrade()).release();
    expect(await names(client, "/rw")).toEqual([]);
  });

  test("a read hold ends with its session", async () => {
    const client = await connect(zk.hosts);
    const hold = await new ReadWriteLock(client, "/rw").read.acquire();
    const lost = aborted(hold.signal);
    await expire(client);
    expect(await lost).toMatchObject({ code: "LOST" });
  });
});

describe("ReadWriteLock", () => {
  test("refuses an unknown layout", () => {
    expect(() => new ReadWriteLock({} as never, "/l", { layout: "zk" as never })).toThrow("layout");
  });
});
