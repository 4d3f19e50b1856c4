// SPDX-License-Identifier: Apache-2.0
// What the tests of locks, semaphores and elections share.
import { ZooKeeperClient, type ZooKeeperClientOptions } from "@meerkat/client";
import type { Hold } from "@meerkat/recipes";
import { awaitCondition, expireSession, TestkitError } from "@meerkat/testkit";
import { afterEach, expect } from "vitest";

/** Clients of a test, closed after it. Call once per describe block. */
export function clients(): (
  hosts: string,
  options?: Partial<ZooKeeperClientOptions>,
) => Promise<ZooKeeperClient> {
  const open: ZooKeeperClient[] = [];
  afterEach(async () => {
    for (const client of open.splice(0).reverse()) await client.close({ timeoutMs: 500 });
  });
  return async (hosts, options) => {
    const client = await ZooKeeperClient.connect({
      hosts,
      sessionTimeoutMs: 4_000,
      reconnectDelayMs: { initialMs: 10, maxMs: 100 },
      ...options,
    });
    open.push(client);
    return client;
  };
}

/**
 * Ends a client's session at the server. The client, whose connection breaks on the way, may take the
 * session back before it is closed; then once more.
 */
export async function expire(client: ZooKeeperClient): Promise<void> {
  const { session } = client;
  await awaitCondition(
    async () => {
      if (session.lost.aborted || client.sessionId !== session.id) return true;
      if (client.state !== "connected") return false;
      try {
        await expireSession(client);
        return true;
      } catch (error) {
        if (error instanceof TestkitError) return false;
        throw error;
      }
    },
    { describe: "the session to be closed" },
  );
}

/** Names under a root, sorted; none when there is no root. */
export async function names(client: ZooKeeperClient, root: string): Promise<string[]> {
  await client.sync(root);
  if ((await client.exists(root)) === null) return [];
  return (await client.children(root)).children.sort();
}

/** Waits until nobody is left under a root. */
export async function awaitEmpty(client: ZooKeeperClient, root: string): Promise<void> {
  await awaitCondition(async () => (await names(client, root)).length === 0, {
    describe: `nobody left under ${root}`,
    timeoutMs: 15_000,
  });
}

/** Waits until so many znodes are under a root. */
export async function awaitCount(client: ZooKeeperClient, root: string, count: number): Promise<void> {
  await awaitCondition(async () => (await names(client, root)).length === count, {
    describe: `${count} znodes under ${root}`,
  });
}

/** Resolves with the reason when a signal has aborted. */
export function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    else signal.addEventListener("abort", () => resolve(signal.reason), { once: true });
  });
}

/** What a promise rejects with. */
export function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`it did not fail but gave ${String(value)}`);
    },
    (error: unknown) => error,
  );
}

/**
 * A resource that only `atMost` holders may use at a time. It refuses tokens lower than one it has seen
 * (when exclusive) and keeps count of who is inside: `overGrants` stays empty when exclusion works.
 */
export class FencedResource {
  readonly overGrants: string[] = [];
  readonly tokens: bigint[] = [];
  uses = 0;
  #inside = new Set<bigint>();
  readonly #atMost: number;

  constructor(atMost: number = 1) {
    this.#atMost = atMost;
  }

  /** Goes in, stays for some turns of the event loop, and leaves; `hold` must be sure all the time. */
  async use(hold: Hold): Promise<boolean> {
    hold.assertHeld();
    const highest = this.tokens.at(-1);
    if (this.#atMost === 1 && highest !== undefined && hold.token <= highest) {
      this.overGrants.push(`token ${hold.token} after ${highest}`);
    }
    this.#inside.add(hold.token);
    this.tokens.push(hold.token);
    if (this.#inside.size > this.#atMost) this.overGrants.push([...this.#inside].join(" and "));
    this.uses++;
    let sure = true;
    for (let step = 0; step < 5 && sure; step++) {
      await new Promise((resolve) => setImmediate(resolve));
      sure = hold.isHeld;
    }
    this.#inside.delete(hold.token);
    return sure;
  }

  verify(): void {
    expect(this.overGrants).toEqual([]);
  }
}
