// SPDX-License-Identifier: Apache-2.0
import { utf8, type ZooKeeperClient } from "@meerkat/client";
import {
  curatorQueue,
  DelayQueue,
  kazooLockingQueue,
  kazooQueue,
  PriorityQueue,
  Queue,
  type QueueItem,
  type QueueLayout,
} from "@meerkat/recipes";
import { systemRuntime } from "@meerkat/runtime";
import { awaitCondition } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import { awaitNoWatches, closing, connect, connectThroughProxy, cutting } from "./data-support.ts";
import { aborted, expire, failure, names } from "./exclusion-support.ts";

const text = { codec: utf8 } as const;

async function drain(queue: Queue<string> | PriorityQueue<string> | DelayQueue<string>): Promise<string[]> {
  const values: string[] = [];
  for (;;) {
    const item = await queue.tryTake();
    if (item === undefined) return values;
    values.push(item.value);
    await item.ack();
  }
}

describeEachZooKeeper("queues", (zk) => {
  const closed = closing();

  test.each<[string, QueueLayout]>([
    ["Kazoo's LockingQueue", kazooLockingQueue("/q")],
    ["Kazoo's Queue", kazooQueue("/q")],
    ["Curator's with a lock path", curatorQueue("/q")],
    ["Curator's without one", curatorQueue("/q", { lockPath: false })],
  ])("give what was put, in its order, in the layout of %s", async (_name, layout) => {
    const client = closed(await connect(zk));
    const queue = closed(new Queue(client, layout, text));
    expect(await queue.tryTake()).toBeUndefined();
    const waiting = queue.take();
    await queue.put("first");
    const item = await waiting;
    expect(item.value).toBe("first");
    await item.ack();
    await queue.putAll(["a", "b"]);
    await queue.put("c");
    await queue.putAll([]);
    expect(await queue.size()).toBe(3);
    expect(await drain(queue)).toEqual(["a", "b", "c"]);
    expect(await queue.size()).toBe(0);
    await queue.close();
    if (layout.takenPath !== undefined) expect(await names(client, layout.takenPath)).toEqual([]);
    expect(await names(client, layout.witnessPath)).toEqual([]);
    await awaitNoWatches(zk);
  });

  test("give an item to one holder at a time, and again when it is given back", async () => {
    const queues = await Promise.all(
      [0, 1].map(async () => closed(new Queue(closed(await connect(zk)), "/q", text))),
    );
    const [first, second] = queues as [Queue<string>, Queue<string>];
    await first.putAll(["a", "b"]);
    const a = await first.take();
    const b = await second.take();
    expect([a.value, b.value]).toEqual(["a", "b"]);
    expect(await second.tryTake()).toBeUndefined();
    const waiting = second.take();
    await a.release();
    const again = await waiting;
    expect([again.value, again.token]).toEqual(["a", a.token]);
    expect(await failure(a.ack())).toMatchObject({ code: "RELEASED" });
    await again.ack();
    await again.ack();
    await again.release();
    {
      await using left = b;
      expect(left.signal.aborted).toBe(false);
    }
    expect((await first.take()).value).toBe("b");
  });

  test("an item goes to another when its holder's session ends, and the former cannot acknowledge it", async () => {
    const dying = closed(await connect(zk));
    const first = closed(new Queue(dying, "/q", text));
    const second = closed(new Queue(closed(await connect(zk)), "/q", text));
    await first.put("precious");
    const item = await first.take();
    const waiting = second.take();
    const lost = aborted(item.signal);
    await expire(dying);
    expect(await lost).toMatchObject({ code: "LOST" });
    const again = await waiting;
    expect(again.value).toBe("precious");
    // In its new session the client could delete the claim of the other one: it must not.
    expect(await failure(item.ack())).toMatchObject({ code: "LOST", effect: "none" });
    await item.release();
    expect(again.signal.aborted).toBe(false);
    await again.ack();
    expect(await second.size()).toBe(0);
  });

  test("an item of a consumer that is destroyed is not lost", async () => {
    const dying = await connect(zk, 1_000);
    const first = new Queue(dying, "/q", text);
    await first.put("precious");
    await first.take();
    dying.destroy();
    const second = closed(new Queue(closed(await connect(zk)), "/q", text));
    expect((await second.take({ timeoutMs: 20_000 })).value).toBe("precious");
  });

  test("waiting ends at the limit, by the signal and with the queue, and holds nothing", async () => {
    const client = closed(await connect(zk));
    const queue = closed(new Queue(client, "/q", text));
    expect(await failure(queue.take({ timeoutMs: 30 }))).toMatchObject({ code: "TIMEOUT" });
    const controller = new AbortController();
    const waiting = failure(queue.take({ signal: controller.signal }));
    controller.abort();
    expect(await waiting).toMatchObject({ code: "ABORTED" });
    const other = failure(queue.take());
    await queue.put("x");
    const held = await queue.tryTake();
    await queue.close();
    await other.catch(() => undefined);
    expect(await failure(queue.take())).toMatchObject({ code: "CLOSED" });
    expect(await failure(queue.put("y"))).toMatchObject({ code: "CLOSED" });
    if (held !== undefined) expect(await names(client, "/q/entries")).toHaveLength(1);
    expect(await names(client, "/q/taken")).toEqual([]);
    await awaitNoWatches(zk);
  });

  test("priorities go first, also when they come late", async () => {
    const client = closed(await connect(zk));
    const kazoo = closed(new PriorityQueue(client, "/k", text));
    const curator = closed(new PriorityQueue(client, curatorQueue("/c", { ordering: "priority" }), text));
    await kazoo.put("normal");
    await kazoo.put("late", { priority: 999 });
    const first = await kazoo.take();
    await kazoo.put("urgent", { priority: 1 });
    const urgent = await kazoo.take();
    expect([first.value, urgent.value]).toEqual(["normal", "urgent"]);
    await Promise.all([first.ack(), urgent.ack()]);
    expect(await drain(kazoo)).toEqual(["late"]);
    expect(await failure(kazoo.put("x", { priority: 1_000 }))).toMatchObject({ code: "INVALID_ARGUMENT" });
    for (const priority of [5, -2_000_000_000, 0, 2_000_000_000, -1]) {
      await curator.put(String(priority), { priority });
    }
    expect(await drain(curator)).toEqual(["-2000000000", "-1", "0", "5", "2000000000"]);
    expect(() => new PriorityQueue(client, curatorQueue("/c"))).toThrow(/no priorities/);
  });

  test("delayed items come at their time, by the server's clock whatever the own says", async () => {
    const client = closed(await connect(zk));
    const { clock } = systemRuntime;
    const hourAhead = {
      nowMs: () => clock.nowMs(),
      wallMs: () => clock.wallMs() + 3_600_000,
      after: (delayMs: number, callback: () => void) => clock.after(delayMs, callback),
    };
    const producer = closed(new DelayQueue(client, "/q", text));
    const consumer = closed(new DelayQueue(client, "/q", { ...text, runtime: { clock: hourAhead } }));
    const startMs = performance.now();
    await producer.put("late", { delayMs: 700 });
    await producer.put("soon", { delayMs: 250 });
    await producer.put("now");
    expect((await consumer.take()).value).toBe("now");
    expect(await consumer.tryTake()).toBeUndefined();
    expect((await consumer.take()).value).toBe("soon");
    expect(performance.now() - startMs).toBeGreaterThan(200);
    const late = consumer.take();
    await producer.put("between", { delayMs: 20 });
    expect((await late).value).toBe("between");
    expect((await consumer.take()).value).toBe("late");
    expect(performance.now() - startMs).toBeGreaterThan(650);
    expect(() => new DelayQueue(client, kazooQueue("/k"))).toThrow(/no times/);
  });

  test("consume acknowledges what was handled and gives back what failed", async () => {
    const client = closed(await connect(zk));
    const queue = closed(new Queue(client, "/q", text));
    await queue.putAll(["good", "bad", "fine"]);
    const handled: string[] = [];
    const errors: unknown[] = [];
    const controller = new AbortController();
    let failures = 2;
    await queue.consume(
      async (item) => {
        if (item.value === "bad" && failures-- > 0) throw new Error("not now");
        handled.push(item.value);
        if (handled.length === 3) setImmediate(() => controller.abort());
      },
      { signal: controller.signal, onError: (error) => errors.push(error) },
    );
    expect(handled.sort()).toEqual(["bad", "fine", "good"]);
    expect(errors).toHaveLength(2);
    await awaitCondition(async () => (await queue.size()) === 0);
  });

  test("what is no entry is left alone, and an entry of another layout does not block the queue", async () => {
    const client = closed(await connect(zk));
    const queue = closed(new Queue(client, curatorQueue("/q"), text));
    await client.ensurePath("/q");
    await client.create("/q/foreign", "x");
    await client.create("/q/queue-", "no item", { mode: "persistentSequential" });
    await queue.put("good");
    const raw = await queue.take();
    expect(raw.data.toString()).toBe("no item");
    await raw.ack();
    expect(await drain(queue)).toEqual(["good"]);
    expect(await names(client, "/q")).toEqual(["foreign"]);
  });

  test("go on when someone deletes the place of claims and witnesses", async () => {
    const client = closed(await connect(zk));
    const queue = closed(new Queue(client, "/q", text));
    await queue.putAll(["a", "b", "c"]);
    await (await queue.take()).ack();
    await client.deleteRecursive("/q/taken");
    const b = await queue.take({ timeoutMs: 10_000 });
    expect(b.value).toBe("b");
    await client.deleteRecursive("/q/taken");
    expect(await failure(b.ack())).toMatchObject({ code: "LOST", context: { reason: "deleted" } });
    await b.release();
    expect((await drain(queue)).sort()).toEqual(["b", "c"]);
    expect(await queue.size()).toBe(0);
  });

  test("lose nothing and give nothing twice after an acknowledgement, while connections break and sessions end", async () => {
    const producers = await Promise.all([0, 1].map(async () => closed(await connectThroughProxy(zk))));
    const consumers = await Promise.all([0, 1, 2].map(async () => closed(await connectThroughProxy(zk))));
    const breakers = [...producers, ...consumers].map(({ proxy }) => cutting(proxy));
    const put: string[] = [];
    const maybePut = new Set<string>();
    const acknowledged: string[] = [];
    const maybeAcknowledged = new Set<string>();
    const lateDeliveries: string[] = [];
    const done = new AbortController();

    const producing = producers.map(async ({ client }, who) => {
      const queue = new Queue(client, "/q", text);
      for (let count = 0; count < 40; count++) {
        const value = `${who}-${count}`;
        await queue.put(value, { timeoutMs: 30_000 }).then(
          () => put.push(value),
          (error: unknown) => {
            expect(error).toMatchObject({ effect: "unknown" });
            maybePut.add(value);
          },
        );
      }
      await queue.close();
    });
    const acknowledge = async (item: QueueItem<string>): Promise<void> => {
      const { value } = item;
      if (acknowledged.includes(value)) lateDeliveries.push(value);
      await item.ack().then(
        () => acknowledged.push(value),
        (error: { readonly effect?: string }) => {
          if (error.effect !== "none") maybeAcknowledged.add(value);
        },
      );
    };
    const consuming = consumers.map(async ({ client }) => {
      const queue = new Queue(client, "/q", text);
      for (let count = 1; !done.signal.aborted; count++) {
        const item = await queue.take({ signal: done.signal }).catch((error: unknown) => {
          if (!done.signal.aborted) throw error;
          return undefined;
        });
        if (item === undefined) break;
        if (count % 9 === 0) await item.release();
        else await acknowledge(item);
      }
      await queue.close();
    });
    const expiring = (async () => {
      for (let round = 0; round < 4; round++) {
        const before = acknowledged.length;
        await awaitCondition(() => acknowledged.length > before + 8, { timeoutMs: 30_000 });
        await expire(consumers[round % 3]?.client as ZooKeeperClient);
      }
    })();
    await Promise.all(producing);
    await expiring;
    for (const breaker of breakers) breaker.stop();
    const witness = closed(await connect(zk));
    await awaitCondition(async () => (await names(witness, "/q/entries")).length === 0, {
      timeoutMs: 30_000,
    });
    done.abort();
    await Promise.all(consuming);

    expect(breakers.reduce((sum, breaker) => sum + breaker.cuts(), 0)).toBeGreaterThan(20);
    expect(lateDeliveries).toEqual([]);
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
    const gone = new Set([...acknowledged, ...maybeAcknowledged]);
    for (const value of put) expect(gone.has(value), `${value} was lost`).toBe(true);
    for (const value of acknowledged) expect(put.includes(value) || maybePut.has(value)).toBe(true);
    expect(await names(witness, "/q/taken")).toEqual([]);
  });
});

describeEachZooKeeper(
  "a queue over a killed server",
  (zk) => {
    const closed = closing();

    test("has what was put and not acknowledged", async () => {
      const client = closed(await connect(zk, 40_000));
      const queue = new Queue(client, "/q", text);
      await queue.putAll(["a", "b", "c"]);
      await (await queue.take()).ack();
      const held = await queue.take();
      await zk.stop();
      const acknowledging = held.ack({ timeoutMs: 60_000 });
      await zk.start();
      await acknowledging;
      expect(await drain(queue)).toEqual(["c"]);
      await queue.close();
    });
  },
  { durable: true },
);

describe("a layout", () => {
  test("orders sequence numbers over the wrap of the server's counter", () => {
    const layout = kazooLockingQueue("/q");
    const ranks = ["entry-100-2147483647", "entry-100--2147483648", "entry-100--000000005"].map(
      (name) => layout.rank(name)?.sequence,
    );
    expect(ranks).toEqual([2_147_483_647, -2_147_483_648, -5]);
    expect(layout.rank("entry-100-12")).toBeUndefined();
    expect(curatorQueue("/q", { ordering: "priority" }).rank("queue-0FFFFFFFF0000000007")).toEqual({
      priority: -1,
      readyAtMs: 0,
      sequence: 7,
    });
    expect(curatorQueue("/q", { ordering: "delay" }).rank("queue-|18C2A5B3F00|0000000007")?.readyAtMs).toBe(
      0x18c2a5b3f00,
    );
  });
});
