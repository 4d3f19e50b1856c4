// SPDX-License-Identifier: Apache-2.0
// What the tests of barriers, numbers, queues, membership and caches share.
import {
  type ClientState,
  fourLetterWord,
  ZooKeeperClient,
  type ZooKeeperClientOptions,
} from "@meerkat/client";
import { awaitCondition, FaultProxy } from "@meerkat/testkit";
import { afterEach } from "vitest";
import type { ZooKeeperUnderTest } from "../support/zookeepers.ts";

/** Things to close after the test, the youngest first. Call once per describe block. */
export function closing(): <T extends { close(): Promise<unknown> }>(thing: T) => T {
  const things: { close(): Promise<unknown> }[] = [];
  afterEach(async () => {
    for (const thing of things.splice(0).reverse()) await thing.close();
  });
  return (thing) => {
    things.push(thing);
    return thing;
  };
}

/** Quick reconnects, so that tests of faults take seconds. */
export function clientOptions(hosts: string, sessionTimeoutMs: number = 20_000): ZooKeeperClientOptions {
  return { hosts, sessionTimeoutMs, reconnectDelayMs: { initialMs: 5, maxMs: 100 } };
}

/** A client of the test's chroot. */
export function connect(zk: ZooKeeperUnderTest, sessionTimeoutMs?: number): Promise<ZooKeeperClient> {
  return ZooKeeperClient.connect(clientOptions(zk.hosts, sessionTimeoutMs));
}

/** A client behind a proxy of its own. */
export async function connectThroughProxy(
  zk: ZooKeeperUnderTest,
): Promise<{ readonly proxy: FaultProxy; readonly client: ZooKeeperClient; close(): Promise<void> }> {
  const proxy = await FaultProxy.start({ target: { host: zk.host, port: zk.port } });
  const client = await ZooKeeperClient.connect(clientOptions(`${proxy.connectString}${zk.chroot}`));
  return {
    proxy,
    client,
    close: async () => {
      await proxy.restore();
      await client.close();
      await proxy.close();
    },
  };
}

/**
 * Cuts the connections of a proxy again and again, each time after another number of bytes of answers, so
 * that the cuts come at all steps of an exchange. `stop` ends it.
 */
export function cutting(proxy: FaultProxy): { stop(): void; readonly cuts: () => number } {
  let cuts = 0;
  let stopped = false;
  let nextBytes = 300;
  const look = (): void => {
    if (stopped) return;
    for (const connection of proxy.connections) {
      if (connection.bytesToClient < nextBytes) continue;
      cuts++;
      nextBytes = 200 + ((cuts * 977) % 7_000);
      connection.cut();
    }
    setImmediate(look);
  };
  look();
  return {
    stop: () => {
      stopped = true;
    },
    cuts: () => cuts,
  };
}

/** Waits until a client has a session other than `before`. */
export async function untilRenewed(client: ZooKeeperClient, before: bigint): Promise<void> {
  await awaitCondition(() => client.state === "connected" && client.sessionId !== before, {
    describe: "a new session",
  });
}

/** Resolves when the client has been in a state. */
export function untilState(client: ZooKeeperClient, state: ClientState): Promise<void> {
  return awaitCondition(() => client.state === state, { describe: `state ${state}` });
}

/** Waits until the server holds no watch of anybody. */
export async function awaitNoWatches(zk: ZooKeeperUnderTest): Promise<void> {
  let summary = "";
  await awaitCondition(
    async () => {
      summary = await fourLetterWord("wchs", { host: zk.host, port: zk.port });
      return /Total watches:0\b/.test(summary);
    },
    { describe: "no watches on the server", timeoutMs: 3_000 },
  ).catch((error: unknown) => {
    throw new Error(`watches are left: ${summary}`, { cause: error });
  });
}
