// SPDX-License-Identifier: Apache-2.0
import { utf8, type ZooKeeperClient } from "@meerkat/client";
import { AtomicInteger, AtomicLong, AtomicValue, Counter, Lock } from "@meerkat/recipes";
import { awaitCondition } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import { awaitNoWatches, closing, connect, connectThroughProxy, cutting } from "./data-support.ts";
import { expire, failure, names } from "./exclusion-support.ts";

describeEachZooKeeper("distributed numbers", (zk) => {
  const closed = closing();

  test("count, and lie in the tree as documented", async () => {
    const client = closed(await connect(zk));
    const counter = closed(new Counter(client, "/n/counter", { initial: 5 }));
    expect(await counter.get()).toBe(5);
    expect(await counter.increment()).toEqual({ previous: 5, value: 6 });
    expect(await counter.add(-8)).toEqual({ previous: 6, value: -2 });
    expect((await client.get("/n/counter")).data.toString()).toBe("-2");
    const long = closed(new AtomicLong(client, "/n/long"));
    expect(await long.add(0x0102_0304_0506_0708n)).toMatchObject({ previous: 0n });
    expect((await client.get("/n/long")).data.toString("hex")).toBe("0102030405060708");
    expect(await long.set(2n ** 63n - 1n)).toMatchObject({ value: 2n ** 63n - 1n });
    expect((await long.increment()).value).toBe(-(2n ** 63n));
    expect((await long.decrement()).value).toBe(2n ** 63n - 1n);
    const integer = closed(new AtomicInteger(client, "/n/integer", { initial: 2 ** 31 - 1 }));
    expect((await integer.increment()).value).toBe(-(2 ** 31));
    expect((await integer.decrement()).value).toBe(2 ** 31 - 1);
    expect((await client.get("/n/integer")).data.toString("hex")).toBe("7fffffff");
  });

  test("compare before they set, by value and by version", async () => {
    const client = closed(await connect(zk));
    const integer = closed(new AtomicInteger(client, "/n"));
    expect(await integer.compareAndSet(1, 2)).toBe(false);
    expect(await integer.compareAndSet(0, 2)).toBe(true);
    const reading = await integer.read();
    expect(await integer.trySet(reading, 3)).toBe(true);
    expect(await integer.trySet(reading, 4)).toBe(false);
    expect(await integer.update(() => undefined)).toBeUndefined();
    expect(await integer.get()).toBe(3);
    const text = closed(new AtomicValue(client, "/text", { codec: utf8, initial: "a" }));
    expect(await text.update((value) => `${value}b`)).toEqual({ previous: "a", value: "ab" });
  });

  test("refuse what is no number of theirs, and what they cannot hold", async () => {
    const client = closed(await connect(zk));
    await client.create("/n", "12345678901234567890");
    expect(await failure(closed(new Counter(client, "/n")).get())).toBeInstanceOf(RangeError);
    expect(await failure(closed(new AtomicLong(client, "/n")).get())).toBeInstanceOf(RangeError);
    expect(await failure(closed(new Counter(client, "/m")).set(2 ** 53))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    expect(await failure(closed(new AtomicInteger(client, "/i")).set(0.5))).toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  test("are watched: the present value, then the latest", async () => {
    const client = closed(await connect(zk));
    const other = closed(await connect(zk));
    const counter = closed(new Counter(client, "/n"));
    const seen: number[] = [];
    const watching = (async () => {
      for await (const value of counter.watch()) {
        seen.push(value);
        if (value === 20) return;
      }
    })();
    const writer = closed(new Counter(other, "/n"));
    await awaitCondition(() => seen.length === 1);
    for (let count = 0; count < 20; count++) await writer.increment();
    await watching;
    expect(seen[0]).toBe(0);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    await awaitNoWatches(zk);
  });

  test("are exact under contention, promoted to a lock when races are lost", async () => {
    const clients = await Promise.all(Array.from({ length: 5 }, () => connect(zk)));
    clients.forEach(closed);
    let promotions = 0;
    const counters = clients.map((client) => {
      const lock = new Lock(client, "/n-lock");
      return closed(
        new AtomicLong(client, "/n", {
          optimisticAttemptsMax: 1,
          lock: {
            acquire: (options) => {
              promotions++;
              return lock.acquire(options);
            },
          },
        }),
      );
    });
    await Promise.all(
      counters.map(async (counter) => {
        for (let count = 0; count < 20; count++) await counter.increment();
      }),
    );
    expect(await counters[0]?.get()).toBe(100n);
    expect(promotions).toBeGreaterThan(0);
  });

  test("are exact while connections break at any step, and leave nothing behind", async () => {
    const peers = await Promise.all(Array.from({ length: 3 }, () => connectThroughProxy(zk)));
    peers.forEach(closed);
    const breakers = peers.map(({ proxy }) => cutting(proxy));
    const counters = peers.map(({ client }) => new Counter(client, "/n"));
    await Promise.all(
      counters.map(async (counter) => {
        for (let count = 0; count < 60; count++) await counter.increment({ timeoutMs: 30_000 });
      }),
    );
    for (const breaker of breakers) breaker.stop();
    const cuts = breakers.reduce((sum, breaker) => sum + breaker.cuts(), 0);
    expect(cuts).toBeGreaterThan(10);
    expect(await counters[0]?.get()).toBe(180);
    for (const counter of counters) await counter.close();
    const witness = closed(await connect(zk));
    expect(await names(witness, "/n")).toEqual([]);
  });

  test("are exact over expired sessions, up to changes that said they do not know", async () => {
    const clients = await Promise.all(Array.from({ length: 2 }, () => connect(zk)));
    clients.forEach(closed);
    const counters = clients.map((client) => closed(new Counter(client, "/n")));
    let acknowledged = 0;
    let unknown = 0;
    let running = true;
    const work = counters.map(async (counter) => {
      while (running) {
        try {
          await counter.increment({ timeoutMs: 30_000 });
          acknowledged++;
        } catch (error) {
          expect(error).toMatchObject({ effect: "unknown" });
          unknown++;
        }
      }
    });
    for (let round = 0; round < 6; round++) {
      const before = acknowledged;
      await awaitCondition(() => acknowledged > before + 5);
      await expire(clients[round % 2] as ZooKeeperClient);
    }
    running = false;
    await Promise.all(work);
    const value = await (counters[0] as Counter).get();
    expect(value).toBeGreaterThanOrEqual(acknowledged);
    expect(value).toBeLessThanOrEqual(acknowledged + unknown);
  });
});

describeEachZooKeeper(
  "distributed numbers over a killed server",
  (zk) => {
    const closed = closing();

    test("go on where they were", async () => {
      const client = closed(await connect(zk, 40_000));
      const counter = new Counter(client, "/n");
      for (let count = 0; count < 5; count++) await counter.increment();
      await zk.stop();
      const pending = counter.increment({ timeoutMs: 60_000 });
      await zk.start();
      expect((await pending).value).toBe(6);
      expect(await counter.get()).toBe(6);
      await counter.close();
    });
  },
  { durable: true },
);

describe("a version that has wrapped to -1", () => {
  test("is not compared with", async () => {
    const client = {
      get: () => Promise.resolve({ data: Buffer.from("7"), stat: { version: -1, czxid: 1n } }),
    } as unknown as ZooKeeperClient;
    expect(await failure(new Counter(client, "/n").increment())).toMatchObject({ code: "CONFLICT" });
  });
});
