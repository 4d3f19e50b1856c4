// SPDX-License-Identifier: Apache-2.0
// Deep pipelines over a server that sends every reply alone, as Apache ZooKeeper does, under a virtual
// clock: what the client saves by leaving the socket unread for a moment, and what it must not cost.
import type { ZooKeeperClient } from "@meerkat/client";
import type { VirtualClock } from "@meerkat/testkit";
import { OpCode } from "@meerkat/wire";
import { describe, expect, test } from "vitest";
import { destroyClientsAfterEach, scriptedWorld } from "./support/scripted-client.ts";
import {
  answerPlainly,
  type ScriptedConnection,
  type ScriptedRequest,
  type ScriptedServer,
} from "./support/scripted-server.ts";

destroyClientsAfterEach();

/** The longest pause in milliseconds, as `ReadPacer` has it. */
const PAUSE_MS = 0.5;
const IN_FLIGHT = 256;
const OPERATIONS = 4_000;
const SERVICE_MS = 0.05;

/** Makes the server answer one request after the other, each after `SERVICE_MS` of work. */
function answerOneByOne(clock: VirtualClock, server: ScriptedServer): { readonly answeredMs: number[] } {
  const answeredMs: number[] = [];
  const queue: (readonly [ScriptedConnection, ScriptedRequest])[] = [];
  const work = (): void => {
    const [connection, request] = queue[0] as (typeof queue)[number];
    answeredMs.push(clock.nowMs());
    answerPlainly(connection, request);
    queue.shift();
    if (queue.length > 0) clock.after(SERVICE_MS, work);
  };
  server.onRequest = (connection, request) => {
    queue.push([connection, request]);
    if (queue.length === 1) clock.after(SERVICE_MS, work);
  };
  return { answeredMs };
}

/** Keeps `IN_FLIGHT` gets in flight; when each was answered, in the order of the answers. */
async function getMany(zk: ZooKeeperClient, clock: VirtualClock): Promise<number[]> {
  const settledMs: number[] = [];
  let started = 0;
  const loop = async (): Promise<void> => {
    while (started < OPERATIONS) {
      const index = started++;
      await zk.get("/a");
      expect(settledMs.length).toBe(index);
      settledMs.push(clock.nowMs());
    }
  };
  const all = Promise.all(Array.from({ length: IN_FLIGHT }, loop));
  await clock.advance(2 * OPERATIONS * SERVICE_MS);
  await all;
  return settledMs;
}

describe("a deep pipeline over a server that answers one by one", () => {
  test("takes a fraction of the writes, keeps the order, and delays no reply by more than a pause", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    const { answeredMs } = answerOneByOne(clock, server);
    const settledMs = await getMany(zk, clock);
    expect(answeredMs.length).toBe(OPERATIONS);
    for (let index = 0; index < OPERATIONS; index++) {
      const delayMs = (settledMs[index] as number) - (answeredMs[index] as number);
      expect(delayMs).toBeLessThanOrEqual(PAUSE_MS + 1e-6);
    }
    expect(server.last.writes).toBeLessThan(OPERATIONS / 5);
    // The server was never without work: the whole took as long as its work takes.
    expect(settledMs.at(-1)).toBeLessThan(OPERATIONS * SERVICE_MS + 2 * PAUSE_MS);
  });

  test("is read at once when pacing is off", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected({ paceReads: false });
    const { answeredMs } = answerOneByOne(clock, server);
    expect(await getMany(zk, clock)).toEqual(answeredMs);
    expect(server.last.writes).toBeGreaterThan(OPERATIONS - IN_FLIGHT);
  });

  test("goes on when the server sends its next reply only for a further request", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    const queue: ScriptedRequest[] = [];
    server.onRequest = (connection, request) => {
      queue.push(request);
      // The last ones have no request behind them.
      if (queue.length < IN_FLIGHT && connection.requests.length < OPERATIONS) return;
      clock.after(SERVICE_MS, () => {
        for (let left = connection.requests.length < OPERATIONS ? 1 : queue.length; left > 0; left--) {
          const next = queue.shift();
          if (next !== undefined) answerPlainly(connection, next);
        }
      });
    };
    const settledMs = await getMany(zk, clock);
    // Pauses that gather nothing become rare: they cost less than a tenth of the time.
    expect(settledMs.at(-1)).toBeLessThan(1.1 * OPERATIONS * SERVICE_MS);
  });

  /** A client in the middle of a pause. */
  async function paused(): Promise<ReturnType<typeof scriptedWorld> & { readonly zk: ZooKeeperClient }> {
    const world = scriptedWorld();
    const zk = await world.connected();
    answerOneByOne(world.clock, world.server);
    const loop = async (): Promise<void> => {
      for (;;) await zk.get("/a");
    };
    for (let index = 0; index < IN_FLIGHT; index++) loop().catch(() => {});
    for (let step = 0; !world.server.last.paused; step++) {
      expect(step).toBeLessThan(2_000);
      await world.clock.advance(SERVICE_MS);
    }
    return { ...world, zk };
  }

  test("writes at once while it does not read", async () => {
    const { clock, server, zk } = await paused();
    const set = zk.set("/b", "x");
    await clock.settle();
    expect(server.last.paused).toBe(true);
    expect(server.last.of(OpCode.setData).length).toBe(1);
    await clock.advance(100);
    await set;
  });

  test("closes its session as ever", async () => {
    const { clock, server, zk } = await paused();
    const closed = zk.close();
    await clock.settle();
    expect(server.last.of(OpCode.closeSession).length).toBe(1);
    await clock.advance(100);
    await closed;
    expect(server.last.closed).toBe(true);
  });

  test("leaves no timer behind when it is destroyed, or when the server closes", async () => {
    const destroyed = await paused();
    destroyed.zk.destroy();
    await destroyed.clock.advance(100);
    expect(destroyed.clock.timers).toBe(0);
    const dropped = await paused();
    const connection = dropped.server.last;
    connection.close();
    await dropped.clock.advance(200);
    expect(dropped.zk.state).toBe("connected");
    expect(dropped.server.last).not.toBe(connection);
  });

  test("keeps its session: pings are sent and answered in time", async () => {
    const { clock, server, zk } = await paused();
    await clock.advance(10_000);
    expect(zk.state).toBe("connected");
    expect(server.connections.length).toBe(1);
    expect(zk.session.lost.aborted).toBe(false);
  });
});
