// SPDX-License-Identifier: Apache-2.0
// Locks, semaphores and elections while connections break, sessions end and servers die.
import { ZooKeeperClient as Client, type ZooKeeperClient } from "@meerkat/client";
import { type Hold, LeaderElection, Lock, ReadWriteLock, Semaphore } from "@meerkat/recipes";
import { seededRandom } from "@meerkat/runtime";
import { awaitCondition, type Direction, expireSession, FaultProxy } from "@meerkat/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { describeEachZooKeeper, type ZooKeeperUnderTest } from "../support/zookeepers.ts";
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

/** A proxy that does something once, at the n-th chunk that goes a way. */
interface Trap {
  readonly proxy: FaultProxy;
  readonly client: ZooKeeperClient;
  arm(direction: Direction, nth: number, action: () => void): void;
  disarm(): void;
}

function traps(): (zk: ZooKeeperUnderTest) => Promise<Trap> {
  const open: AsyncDisposable[] = [];
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
  });
  return async (zk) => {
    let armed: { readonly direction: Direction; left: number; readonly action: () => void } | undefined;
    const proxy = await FaultProxy.start({
      target: zk,
      tap: (_connection, direction) => {
        if (armed?.direction !== direction || --armed.left > 0) return;
        const { action } = armed;
        armed = undefined;
        action();
      },
    });
    const client = await Client.connect({
      hosts: `${proxy.connectString}${zk.chroot}`,
      sessionTimeoutMs: 4_000,
      reconnectDelayMs: { initialMs: 5, maxMs: 50 },
    });
    open.push(proxy, client);
    return {
      proxy,
      client,
      arm: (direction, nth, action) => {
        armed = { direction, left: nth, action };
      },
      disarm: () => {
        armed = undefined;
      },
    };
  };
}

interface Kind {
  readonly what: string;
  readonly roots: readonly string[];
  readonly znodes: number;
  readonly acquire: (
    client: ZooKeeperClient,
    options?: { signal?: AbortSignal; timeoutMs?: number },
  ) => Promise<Hold>;
}

const kinds: readonly Kind[] = [
  {
    what: "Lock",
    roots: ["/r"],
    znodes: 2,
    acquire: (client, options) => new Lock(client, "/r").acquire(options),
  },
  {
    what: "Lock with one znode",
    roots: ["/r"],
    znodes: 1,
    acquire: (client, options) => new Lock(client, "/r", { layout: "curator" }).acquire(options),
  },
  {
    what: "Semaphore",
    roots: ["/r/locks", "/r/leases"],
    znodes: 1,
    acquire: (client, options) => new Semaphore(client, "/r", { permits: 1 }).acquire(options),
  },
  {
    what: "Semaphore of Kazoo's layout",
    roots: ["/r-__lock__", "/r"],
    znodes: 1,
    acquire: (client, options) =>
      new Semaphore(client, "/r", { permits: 1, layout: "kazoo" }).acquire(options),
  },
  {
    what: "LeaderElection",
    roots: ["/r"],
    znodes: 2,
    acquire: (client, options) => new LeaderElection(client, "/r").campaign(options),
  },
];

const PHASES = [1, 2, 3, 4, 5, 6] as const;
const DIRECTIONS = ["toServer", "toClient"] as const;

describeEachZooKeeper("under faults", (zk) => {
  const connect = clients();
  const trapped = traps();

  describe.each(kinds)("$what", ({ acquire, roots, znodes }) => {
    const left = async (client: ZooKeeperClient): Promise<number> => {
      const counts = await Promise.all(roots.map(async (root) => (await names(client, root)).length));
      return counts.reduce((sum, count) => sum + count, 0);
    };

    test("a connection cut in any phase of acquire or release leaves no ghost", async () => {
      const observer = await connect(zk.hosts);
      const trap = await trapped(zk);
      const { sessionId } = trap.client;
      for (const direction of DIRECTIONS) {
        for (const phase of PHASES) {
          trap.arm(direction, phase, () => trap.proxy.cut());
          const hold = await acquire(trap.client, { timeoutMs: 20_000 });
          trap.disarm();
          await awaitCondition(async () => (await left(observer)) === znodes, {
            describe: "one holder's znodes",
          });
          hold.assertHeld();
          trap.arm(direction, phase % 2, () => trap.proxy.cut());
          await hold.release();
          trap.disarm();
          await awaitCondition(async () => (await left(observer)) === 0, { describe: "no ghost" });
        }
      }
      expect(trap.client.sessionId).toBe(sessionId);
    });

    test("given up in any phase, with or without a cut, it leaves no ghost", async () => {
      const observer = await connect(zk.hosts);
      const trap = await trapped(zk);
      const { sessionId } = trap.client;
      for (const direction of DIRECTIONS) {
        for (const phase of PHASES) {
          for (const isCut of [false, true]) {
            const controller = new AbortController();
            trap.arm(direction, phase, () => {
              controller.abort();
              if (isCut) trap.proxy.cut();
            });
            const outcome = await acquire(trap.client, { signal: controller.signal }).catch(
              (error: unknown) => error,
            );
            trap.disarm();
            // The phase may come after the grant.
            if (outcome instanceof Error) expect(outcome).toMatchObject({ code: "ABORTED" });
            else await (outcome as Hold).release();
            await awaitCondition(async () => (await left(observer)) === 0, { describe: "no ghost" });
          }
        }
      }
      expect(trap.client.sessionId).toBe(sessionId);
    });

    test("a session that ends in any phase of acquire is replaced, and the wait goes on", async () => {
      const observer = await connect(zk.hosts);
      const trap = await trapped(zk);
      for (const phase of PHASES) {
        let expired: Promise<void> | undefined;
        await awaitCondition(() => trap.client.state === "connected");
        const { session } = trap.client;
        trap.arm("toServer", phase, () => {
          expired = expire(trap.client);
        });
        const hold = await acquire(trap.client, { timeoutMs: 20_000 });
        trap.disarm();
        await expired;
        // When it ended after the grant, the hold must say so; else it stands on the new session.
        if (expired !== undefined) await awaitCondition(() => session.lost.aborted);
        if (hold.sessionId === session.id && expired !== undefined) {
          expect(hold.signal.reason).toMatchObject({ code: "LOST" });
        } else {
          hold.assertHeld();
          expect(await left(observer)).toBe(znodes);
        }
        await hold.release();
        await awaitCondition(async () => (await left(observer)) === 0, { describe: "no ghost" });
      }
    });
  });

  test("a hold outlives a lost connection, unless the policy says otherwise", async () => {
    const observer = await connect(zk.hosts);
    const trap = await trapped(zk);
    const lax = await new Lock(trap.client, "/lax").acquire();
    const strict = await new Lock(trap.client, "/strict", { loseAt: "suspended" }).acquire();
    const lost = aborted(strict.signal);
    trap.proxy.cut();
    expect(await lost).toMatchObject({ code: "LOST", context: { reason: "suspended" } });
    await awaitEmpty(observer, "/strict");
    await awaitCondition(() => trap.client.state === "connected");
    lax.assertHeld();
    expect(lax.signal.aborted).toBe(false);
    await lax.release();
    await awaitEmpty(observer, "/lax");
    expect(await failure(Promise.resolve().then(() => strict.assertHeld()))).toMatchObject({ code: "LOST" });
  });

  test("a holder in a black hole knows that it lost the lock before the next has it", async () => {
    const next = await connect(zk.hosts);
    const trap = await trapped(zk);
    const hold = await new Lock(trap.client, "/l").acquire();
    const order: string[] = [];
    void aborted(hold.signal).then(() => order.push("lost"));
    const waiting = new Lock(next, "/l").acquire({ timeoutMs: 30_000 }).then((granted) => {
      order.push("granted");
      return granted;
    });
    await awaitCount(next, "/l", 4);
    trap.proxy.blackhole();
    await using granted = await waiting;
    expect(order).toEqual(["lost", "granted"]);
    expect(granted.token).toBeGreaterThan(hold.token);
    await trap.proxy.restore();
    await awaitCount(next, "/l", 2);
  });

  test("znodes of a former session that are still there are not taken for ours", async () => {
    const observer = await connect(zk.hosts);
    const trap = await trapped(zk);
    await observer.create("/l");
    const { session } = trap.client;
    // The create arrives, its reply does not, and by its own clock the client gives the session up first.
    trap.proxy.blackhole("toClient");
    await trap.proxy.refuse();
    const waiting = new Lock(trap.client, "/l").acquire({ timeoutMs: 30_000 });
    await awaitCount(observer, "/l", 2);
    const former = await names(observer, "/l");
    await aborted(session.lost);
    expect(await names(observer, "/l")).toEqual(former);
    await trap.proxy.restore();
    await using hold = await waiting;
    expect(hold.sessionId).toBe(trap.client.sessionId);
    expect(hold.sessionId).not.toBe(session.id);
    expect(former.some((name) => hold.path.endsWith(name))).toBe(false);
    await awaitCondition(async () => (await names(observer, "/l")).every((name) => !former.includes(name)));
    expect(await names(observer, "/l")).toHaveLength(2);
    hold.assertHeld();
  });

  test("a holder that stood still too long is told so at its first step, before any signal", async () => {
    const client = await connect(zk.hosts, { sessionTimeoutMs: 600 });
    const hold = await new Lock(client, "/l").acquire();
    hold.assertHeld();
    const stopped = new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(stopped, 0, 0, 700);
    expect([hold.signal.aborted, hold.isHeld]).toEqual([false, false]);
    expect(() => hold.assertHeld()).toThrow("LOST");
    await hold.release();
  });

  test("a writer's step back survives a cut in any phase", async () => {
    const observer = await connect(zk.hosts);
    const trap = await trapped(zk);
    for (const direction of DIRECTIONS) {
      for (const phase of [1, 2, 3]) {
        const lock = new ReadWriteLock(trap.client, "/rw");
        const write = await lock.write.acquire();
        trap.arm(direction, phase, () => trap.proxy.cut());
        const read = await write.downgrade({ timeoutMs: 20_000 });
        trap.disarm();
        read.assertHeld();
        await using reader = await new ReadWriteLock(observer, "/rw").read.acquire({ timeoutMs: 10_000 });
        reader.assertHeld();
        await awaitCount(observer, "/rw", 4);
        await read.release();
        await reader.release();
        await awaitEmpty(observer, "/rw");
      }
    }
  });

  for (const layout of ["curator", "kazoo"] as const) {
    test(`no lease is taken by one who lost the gate after it counted (layout ${layout})`, async () => {
      const other = await connect(zk.hosts);
      const trap = await trapped(zk);
      const theirs = new Semaphore(other, "/s", { permits: 1, layout });
      const ours = new Semaphore(trap.client, "/s", { permits: 1, layout });
      for (const semaphore of [theirs, ours]) await (await semaphore.acquire()).release();
      const { session } = trap.client;
      const leases = layout === "curator" ? "/s/leases" : "/s";
      // The third reply says that no lease is in use; what follows it, the create, gets nowhere.
      const counted = new Promise<void>((resolve) => {
        trap.arm("toClient", 3, () => {
          trap.proxy.blackhole("toServer");
          resolve();
        });
      });
      const waiting = ours.acquire({ timeoutMs: 30_000 });
      await counted;
      expect(await names(other, leases)).toEqual([]);
      const next = theirs.acquire({ timeoutMs: 30_000 });
      await awaitCount(other, layout === "curator" ? "/s/locks" : "/s-__lock__", 2);
      await expireSession({ server: zk.address, sessionId: session.id } as ZooKeeperClient);
      const hold = await next;
      await trap.proxy.restore();
      trap.proxy.cut();
      await awaitCount(other, layout === "curator" ? "/s/locks" : "/s-__lock__", 1);
      await other.sync("/s");
      expect(await names(other, leases)).toHaveLength(1);
      hold.assertHeld();
      await hold.release();
      await (await waiting).release();
    });
  }

  for (const [what, permits] of [
    ["lock", 1],
    ["semaphore", 3],
  ] as const) {
    test(`contenders for a ${what} whose connections and sessions break never exceed it, and all are served`, async () => {
      const random = seededRandom(permits);
      const resource = new FencedResource(permits);
      const contenders = await Promise.all(Array.from({ length: 6 }, () => trapped(zk)));
      let running = contenders.length;
      const work = contenders.map(async ({ client }) => {
        const acquire = (): Promise<Hold> =>
          permits === 1
            ? new Lock(client, "/x").acquire({ timeoutMs: 30_000 })
            : new Semaphore(client, "/x", { permits }).acquire({ timeoutMs: 30_000 });
        for (let served = 0; served < 12; ) {
          await using hold = await acquire();
          // A hold may be lost between its grant and here; one lost inside does not count as served.
          if (hold.isHeld && (await resource.use(hold))) served++;
        }
        running--;
      });
      const trouble = (async (): Promise<void> => {
        while (running > 0) {
          const at = contenders[Math.floor(random.float() * contenders.length)];
          if (at !== undefined && at.client.state === "connected") {
            if (random.float() < 0.25) await expire(at.client).catch(() => {});
            else at.proxy.cut(random.float() < 0.5 ? "reset" : "end");
          }
          await new Promise((resolve) => setTimeout(resolve, random.float() * 40));
        }
      })();
      await Promise.all(work);
      await trouble;
      resource.verify();
      expect(resource.uses).toBeGreaterThanOrEqual(72);
      const observer = await connect(zk.hosts);
      for (const root of permits === 1 ? ["/x"] : ["/x/locks", "/x/leases"]) await awaitEmpty(observer, root);
    });
  }
});

describeEachZooKeeper(
  "over a restart",
  (zk) => {
    const connect = clients();

    test("a server that is killed and started again: holders keep or know, waiters are served", async () => {
      const resource = new FencedResource();
      const own = await Promise.all(
        Array.from({ length: 4 }, () => connect(zk.hosts, { sessionTimeoutMs: 10_000 })),
      );
      const holder = own[0] as ZooKeeperClient;
      const hold = await new Lock(holder, "/l").acquire();
      const waiting = own
        .slice(1)
        .map((client) =>
          new Lock(client, "/l").runExclusive((granted) => resource.use(granted), { timeoutMs: 50_000 }),
        );
      await awaitCount(holder, "/l", 8);
      await zk.stop();
      await awaitCondition(() => holder.state !== "connected");
      const released = hold.release();
      await zk.start();
      await released;
      expect(await Promise.all(waiting)).toEqual([true, true, true]);
      resource.verify();
      await awaitEmpty(holder, "/l");
    });

    test("a hold survives a restart within its session's time", async () => {
      const client = await connect(zk.hosts, { sessionTimeoutMs: 20_000 });
      await using hold = await new Lock(client, "/l").acquire();
      await zk.stop();
      await awaitCondition(() => client.state === "suspended");
      hold.assertHeld();
      await zk.start();
      await awaitCondition(() => client.state === "connected", { timeoutMs: 15_000 });
      hold.assertHeld();
      expect(await names(client, "/l")).toHaveLength(2);
    });
  },
  { durable: true },
);
