// SPDX-License-Identifier: Apache-2.0
import { Semaphore } from "@meerkat/recipes";
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

for (const layout of ["curator", "kazoo"] as const) {
  const leases = layout === "curator" ? "/s/leases" : "/s";
  const gate = layout === "curator" ? "/s/locks" : "/s-__lock__";

  describeEachZooKeeper(`Semaphore (layout ${layout})`, (zk) => {
    const connect = clients();

    test("gives as many leases as there are, the next when one is returned", async () => {
      const client = await connect(zk.hosts);
      const semaphore = new Semaphore(client, "/s", { permits: 2, layout, identity: "me" });
      const [first, second] = [await semaphore.acquire(), await semaphore.acquire()];
      expect(await semaphore.leases()).toHaveLength(2);
      expect((await semaphore.leases()).every(({ identity }) => identity === "me")).toBe(true);
      expect(await semaphore.tryAcquire()).toBeUndefined();
      let granted = false;
      const third = semaphore.acquire().then((hold) => {
        granted = true;
        return hold;
      });
      await awaitCount(client, gate, 1);
      await client.sync(leases);
      expect(granted).toBe(false);
      await first.release();
      const hold = await third;
      expect(hold.token).toBeGreaterThan(second.token);
      await awaitEmpty(client, gate);
      await hold.release();
      await second.release();
      expect(await names(client, leases)).toEqual([]);
    });

    test("takes several or none, and gives up in time", async () => {
      const client = await connect(zk.hosts);
      const semaphore = new Semaphore(client, "/s", { permits: 3, layout });
      const two = await semaphore.acquire({ permits: 2 });
      expect(await names(client, leases)).toHaveLength(2);
      expect(await failure(semaphore.acquire({ permits: 2, timeoutMs: 150 }))).toMatchObject({
        code: "TIMEOUT",
      });
      await awaitEmpty(client, gate);
      expect(await names(client, leases)).toHaveLength(2);
      await two.release();
      await using hold = await semaphore.acquire({ permits: 3 });
      hold.assertHeld();
      expect(await names(client, leases)).toHaveLength(3);
      expect(await failure(semaphore.acquire({ permits: 4 }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    });

    test("a lease ends with its session, and the next in line gets it", async () => {
      const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
      const hold = await new Semaphore(one, "/s", { permits: 1, layout }).acquire();
      const lost = aborted(hold.signal);
      const next = new Semaphore(two, "/s", { permits: 1, layout }).acquire();
      await awaitCount(two, gate, 1);
      await expire(one);
      expect(await lost).toMatchObject({ code: "LOST", context: { reason: "session" } });
      await (await next).release();
    });

    test("one at the gate whose session expires is served in the end", async () => {
      const [one, two] = [await connect(zk.hosts), await connect(zk.hosts)];
      const hold = await new Semaphore(one, "/s", { permits: 1, layout }).acquire();
      const next = new Semaphore(two, "/s", { permits: 1, layout }).acquire();
      await awaitCount(one, gate, 1);
      await expire(two);
      await hold.release();
      await (await next).release();
      await awaitEmpty(one, gate);
    });

    test("never lets in more than there are permits", async () => {
      const resource = new FencedResource(3);
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          const semaphore = new Semaphore(await connect(zk.hosts), "/s", { permits: 3, layout });
          for (let round = 0; round < 4; round++) {
            await semaphore.runWithLease(async (hold) => {
              expect(await resource.use(hold)).toBe(true);
            });
          }
        }),
      );
      expect(resource.uses).toBe(32);
      resource.verify();
    });
  });
}

describeEachZooKeeper("Semaphore", (zk) => {
  const connect = clients();

  test("follows a number of permits that changes", async () => {
    const client = await connect(zk.hosts);
    const listeners = new Set<() => void>();
    const source = {
      permits: 1,
      onChange: (listener: () => void) => {
        listeners.add(listener);
        return () => {
          listeners.delete(listener);
        };
      },
    };
    const semaphore = new Semaphore(client, "/s", { permits: source });
    await using _first = await semaphore.acquire();
    const waiting = semaphore.acquire();
    await awaitCount(client, "/s/locks", 1);
    source.permits = 2;
    for (const listener of listeners) listener();
    await (await waiting).release();
    expect(listeners.size).toBe(0);
  });

  test("of Kazoo's layout refuses another number than the stored one", async () => {
    const client = await connect(zk.hosts);
    await (await new Semaphore(client, "/s", { permits: 2, layout: "kazoo" }).acquire()).release();
    const other = new Semaphore(client, "/s", { permits: 3, layout: "kazoo" });
    expect(await failure(other.acquire())).toMatchObject({ code: "CONFLICT" });
    await client.set("/s", "about something else");
    await (await other.acquire()).release();
  });
});

describe("Semaphore", () => {
  test("refuses a number of permits that is none", () => {
    expect(() => new Semaphore({} as never, "/s", { permits: 0 })).toThrow("permits must be");
    expect(() => new Semaphore({} as never, "/s", { permits: 1.5 })).toThrow("permits must be");
  });
});
