// SPDX-License-Identifier: Apache-2.0
// What a cache misses when a session ends in the middle of its reading, it reads afterwards.
import { ZooKeeperClient, ZooKeeperError } from "@meerkat/client";
import { TreeCache } from "@meerkat/recipes";
import { startEmbeddedZooKeeper } from "@meerkat/testkit";
import { expect, test } from "vitest";

/** The client, but for the first call of a method with that path, which fails as with a lost session. */
function failingOnce(client: ZooKeeperClient, method: "children" | "get", path: string): ZooKeeperClient {
  let failed = false;
  return new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name !== method) return value.bind(target);
      return (at: string, ...rest: unknown[]): unknown => {
        if (failed || at !== path) return value.call(target, at, ...rest);
        failed = true;
        return Promise.reject(new ZooKeeperError("SESSION_EXPIRED", "the session is over", { context: {} }));
      };
    },
  });
}

test.each([
  { method: "children", recursiveWatch: true },
  { method: "children", recursiveWatch: false },
  { method: "get", recursiveWatch: true },
  { method: "get", recursiveWatch: false },
] as const)(
  "a cache whose $method failed reads again (recursive watch: $recursiveWatch)",
  async (options) => {
    const { method, recursiveWatch } = options;
    await using server = await startEmbeddedZooKeeper();
    await using client = await ZooKeeperClient.connect(server.connectString);
    await client.create("/t/a/b/c", "deep", { createParents: true });
    const failing = failingOnce(client, method, method === "children" ? "/t/a" : "/t/a/b");
    await using cache = await TreeCache.open(failing, "/t", { recursiveWatch, resyncJitterMs: 0 });
    expect([...cache.snapshot().nodes.keys()].sort()).toEqual(["/t", "/t/a", "/t/a/b", "/t/a/b/c"]);
  },
);
