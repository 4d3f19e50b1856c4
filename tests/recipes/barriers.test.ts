// SPDX-License-Identifier: Apache-2.0
import type { ZooKeeperClient } from "@meerkat/client";
import { Barrier, DoubleBarrier } from "@meerkat/recipes";
import { awaitCondition } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";
import { describeEachZooKeeper } from "../support/zookeepers.ts";
import { awaitNoWatches, closing, connect, connectThroughProxy, untilState } from "./data-support.ts";
import { expire, failure } from "./exclusion-support.ts";

/** Counts those that are through. */
function counting(waits: readonly Promise<unknown>[]): () => number {
  let done = 0;
  for (const wait of waits) {
    wait.then(
      () => done++,
      () => {},
    );
  }
  return () => done;
}

const members = async (client: ZooKeeperClient, path: string): Promise<string[]> =>
  (await client.children(path).catch(() => ({ children: [] }))).children;

describeEachZooKeeper("a barrier", (zk) => {
  const closed = closing();

  test("lets nobody pass while it stands, and everybody when it is removed", async () => {
    const clients = await Promise.all([connect(zk), connect(zk), connect(zk)]);
    clients.forEach(closed);
    const [first, second, third] = clients.map((client) => new Barrier(client, "/gates/one"));
    await first?.wait();
    await first?.create();
    await first?.create();
    const waits = [second?.wait(), third?.wait(), third?.wait()] as Promise<void>[];
    const through = counting(waits);
    await clients[2]?.sync();
    expect(through()).toBe(0);
    expect(await first?.remove()).toBe(true);
    await Promise.all(waits);
    expect(await first?.remove()).toBe(false);
  });

  test("a waiter gives up at its limit and by its signal, and leaves no watch", async () => {
    const client = closed(await connect(zk));
    const barrier = new Barrier(client, "/gate");
    await barrier.create();
    expect(await failure(barrier.wait({ timeoutMs: 30 }))).toMatchObject({ code: "TIMEOUT" });
    const controller = new AbortController();
    const waiting = failure(barrier.wait({ signal: controller.signal }));
    controller.abort();
    expect(await waiting).toMatchObject({ code: "ABORTED" });
    await awaitNoWatches(zk);
    await barrier.remove();
    await barrier.wait();
    await awaitNoWatches(zk);
  });

  test("a waiter sees a removal that happened while it was cut off, and one after its session expired", async () => {
    const operator = closed(await connect(zk));
    const { proxy, client } = closed(await connectThroughProxy(zk));
    const gate = new Barrier(operator, "/gate");
    const barrier = new Barrier(client, "/gate");
    await gate.create();
    const waiting = barrier.wait();
    await proxy.down();
    await untilState(client, "suspended");
    await gate.remove();
    await proxy.restore();
    await waiting;

    await gate.create();
    const again = barrier.wait();
    await expire(client);
    await gate.remove();
    await again;
    await awaitNoWatches(zk);
  });
});

describeEachZooKeeper("a double barrier", (zk) => {
  const closed = closing();

  async function team(size: number): Promise<{ clients: ZooKeeperClient[]; barriers: DoubleBarrier[] }> {
    const clients = await Promise.all(Array.from({ length: size }, () => connect(zk)));
    clients.forEach(closed);
    return { clients, barriers: clients.map((client) => new DoubleBarrier(client, "/team", { size })) };
  }

  test("begins when all are in and ends when all are out, round after round", async () => {
    const { clients, barriers } = await team(4);
    const phases: string[] = [];
    await Promise.all(
      barriers.map(async (barrier) => {
        for (let round = 0; round < 8; round++) {
          await barrier.enter({ timeoutMs: 20_000 });
          phases.push(`in ${round}`);
          await barrier.leave({ timeoutMs: 20_000 });
          phases.push(`out ${round}`);
        }
      }),
    );
    // Nobody is out of a round before all are in it; nobody is in the next one before all are in this one.
    for (let round = 0; round < 8; round++) {
      const entered = phases.lastIndexOf(`in ${round}`);
      expect(phases.indexOf(`out ${round}`)).toBeGreaterThan(entered);
      expect(phases.filter((phase) => phase === `in ${round}`)).toHaveLength(4);
    }
    expect(await members(clients[0] as ZooKeeperClient, "/team")).toEqual([]);
    await awaitNoWatches(zk);
  });

  test("one that gives up is out, and those who stay wait for another", async () => {
    const { clients, barriers } = await team(2);
    const [first, second] = barriers as [DoubleBarrier, DoubleBarrier];
    expect(await failure(first.enter({ timeoutMs: 40 }))).toMatchObject({ code: "TIMEOUT" });
    await awaitCondition(async () => (await members(clients[0] as ZooKeeperClient, "/team")).length === 0);
    const entering = second.enter();
    const through = counting([entering]);
    await awaitCondition(async () => (await members(clients[0] as ZooKeeperClient, "/team")).length === 1);
    expect(through()).toBe(0);
    expect(await failure(second.enter())).toMatchObject({ code: "CONFLICT" });
    await Promise.all([first.enter(), entering]);
    await Promise.all([first.leave(), second.leave()]);
    expect(await failure(second.leave())).toMatchObject({ code: "CONFLICT" });
  });

  test("a member that dies does not keep the others from leaving", async () => {
    const { clients, barriers } = await team(3);
    await Promise.all(barriers.map((barrier) => barrier.enter()));
    const [first, second, third] = barriers as [DoubleBarrier, DoubleBarrier, DoubleBarrier];
    const leaving = [first.leave(), second.leave()];
    const through = counting(leaving);
    await clients[0]?.sync();
    expect(through()).toBe(0);
    await expire(clients[2] as ZooKeeperClient);
    await Promise.all(leaving);
    await third.leave();
    await awaitCondition(async () => (await members(clients[0] as ZooKeeperClient, "/team")).length === 0);
  });

  test("who loses the session while entering is in all the same, and a relic of dead members lets nobody in", async () => {
    const { clients, barriers } = await team(2);
    const [first, second] = barriers as [DoubleBarrier, DoubleBarrier];
    const client = clients[0] as ZooKeeperClient;
    await client.ensurePath("/team/ready");
    const entering = first.enter();
    const through = counting([entering]);
    await awaitCondition(async () => (await members(client, "/team")).length === 1);
    await expire(client);
    await awaitCondition(() => client.state === "connected");
    await awaitCondition(async () => (await members(client, "/team")).length === 1);
    expect(through()).toBe(0);
    await Promise.all([entering, second.enter()]);
    await Promise.all([first.leave(), second.leave()]);
  });

  test("never hangs while connections break at any step", async () => {
    const size = 3;
    const peers = await Promise.all(Array.from({ length: size }, () => connectThroughProxy(zk)));
    peers.forEach(closed);
    const barriers = peers.map(({ client }) => new DoubleBarrier(client, "/team", { size }));
    let cut = 0;
    for (let round = 0; round < 10; round++) {
      const rounds = barriers.map(async (barrier) => {
        await barrier.enter({ timeoutMs: 20_000 });
        await barrier.leave({ timeoutMs: 20_000 });
      });
      let done = false;
      const all = Promise.all(rounds).finally(() => {
        done = true;
      });
      while (!done && cut < (round + 1) * 6) {
        for (let turn = 0; turn < 1 + (cut % 7); turn++)
          await new Promise((resolve) => setImmediate(resolve));
        peers[cut % size]?.proxy.cut();
        cut++;
      }
      await all;
    }
    expect(cut).toBeGreaterThan(10);
    const witness = closed(await connect(zk));
    await awaitCondition(async () => (await members(witness, "/team")).length === 0);
  });
});

describe("a double barrier of no size", () => {
  test("is refused", () => {
    expect(() => new DoubleBarrier({} as ZooKeeperClient, "/x", { size: 0 })).toThrow(/size must be/);
  });
});
