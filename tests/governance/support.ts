// SPDX-License-Identifier: Apache-2.0
// What the governance tests share.

import { isZooKeeperError, ZooKeeperClient, type ZooKeeperClientOptions } from "@meerkat/client";
import { type Directory, endpointKey } from "@meerkat/governance";
import { awaitCondition, type FaultProxy } from "@meerkat/testkit";
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

/** Short sessions and quick reconnects, so that tests of outages take seconds. */
export function clientOptions(hosts: string, sessionTimeoutMs: number = 4_000): ZooKeeperClientOptions {
  return { hosts, sessionTimeoutMs, reconnectDelayMs: { initialMs: 20, maxMs: 200 } };
}

/** A connected client of the test's chroot. */
export function connect(zk: ZooKeeperUnderTest, sessionTimeoutMs?: number): Promise<ZooKeeperClient> {
  return ZooKeeperClient.connect(clientOptions(zk.hosts, sessionTimeoutMs));
}

/** `host:port` of all endpoints of the present set, sorted. */
export function addresses(directory: Directory): string[] {
  return directory.snapshot().endpoints.map(endpointKey).sort();
}

/** Data and owners of all children of a root, by name. */
export async function members(
  client: ZooKeeperClient,
  root: string = "/rpc",
): Promise<
  { readonly name: string; readonly data: string; readonly owner: bigint; readonly czxid: bigint }[]
> {
  const { children } = await client.children(root);
  const found = await Promise.all(
    children.sort().map(async (name) => {
      try {
        const { data, stat } = await client.get(`${root}/${name}`);
        return [{ name, data: data.toString(), owner: stat.ephemeralOwner, czxid: stat.czxid }];
      } catch (error) {
        if (isZooKeeperError(error, "NO_NODE")) return [];
        throw error;
      }
    }),
  );
  return found.flat();
}

/**
 * Lets a client's session expire: the proxy in front of it refuses and breaks its connections until the
 * server has dropped `victim`'s session, as `witness` sees by an ephemeral znode of it.
 */
export async function expireSession(
  proxy: FaultProxy,
  victim: ZooKeeperClient,
  witness: ZooKeeperClient,
): Promise<void> {
  const before = victim.sessionId;
  const { path } = await victim.create("/ephemeral-of-", null, { mode: "ephemeralSequential" });
  await proxy.down();
  await awaitCondition(async () => (await witness.exists(path)) === null, {
    timeoutMs: 20_000,
    describe: "the session to expire",
  });
  await proxy.restore();
  await awaitCondition(() => victim.state === "connected" && victim.sessionId !== before, {
    describe: "a new session",
  });
}
