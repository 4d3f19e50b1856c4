// SPDX-License-Identifier: Apache-2.0
// Memory, by heap figures: what a watch costs, and that nothing stays behind of what was given up.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ZooKeeperClient } from "@meerkat/client";
import { EmbeddedServer } from "@meerkat/server";
import { awaitCondition } from "@meerkat/testkit";
import { EventType } from "@meerkat/wire";
import { afterAll, beforeAll, expect, test } from "vitest";
import { answerPlainly, ScriptedServer } from "./support/scripted-server.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Live heap in bytes. */
async function heapBytes(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
}

const CHUNK = 500;

let server: EmbeddedServer;
let client: ZooKeeperClient;

beforeAll(async () => {
  server = await EmbeddedServer.start({ memory: true });
  client = await ZooKeeperClient.connect(server.connectString);
});

afterAll(async () => {
  await client.close();
  await server.close();
});

/** Runs `rounds` tasks, some at a time. */
async function rounds(count: number, task: (index: number) => Promise<unknown>): Promise<void> {
  for (let start = 0; start < count; start += CHUNK) {
    await Promise.all(Array.from({ length: CHUNK }, (_, index) => task(start + index)));
  }
}

test("a hundred thousand watches that come and go leave nothing behind", async () => {
  await client.create("/leak", "x");
  const watchAndCancel = async (index: number): Promise<void> => {
    const listener = (): void => {};
    const path = index % 2 === 0 ? "/leak" : `/leak-${index}`;
    await client.exists(path, { watch: listener });
    await client.removeWatches(path, "data", listener);
  };
  await rounds(10_000, watchAndCancel);
  const before = await heapBytes();
  await rounds(100_000, watchAndCancel);
  expect((await heapBytes()) - before).toBeLessThan(2_000_000);
  expect(await client.checkWatches("/leak", "data")).toBe(false);
}, 120_000);

test("calls that are aborted, time out, or carry a long-lived signal leave nothing behind", async () => {
  const { signal } = new AbortController();
  const call = async (index: number): Promise<void> => {
    if (index % 4 === 0) {
      const controller = new AbortController();
      const aborted = client.exists("/leak", { signal: controller.signal, watch: () => {} }).catch(() => {});
      controller.abort();
      await aborted;
    } else {
      await client.exists("/leak", { signal, timeoutMs: 60_000 });
    }
  };
  await rounds(5_000, call);
  const before = await heapBytes();
  await rounds(40_000, call);
  expect((await heapBytes()) - before).toBeLessThan(2_000_000);
}, 120_000);

test("state iterations that end leave nothing behind", async () => {
  const iterate = async (): Promise<void> => {
    const states = client.watchNode("/leak");
    await states.next();
    await states.return?.();
  };
  await rounds(2_000, iterate);
  const before = await heapBytes();
  await rounds(20_000, iterate);
  expect((await heapBytes()) - before).toBeLessThan(2_000_000);
}, 120_000);

test("a one-shot watch costs no more than 200 bytes of heap, its listener and path included", async () => {
  // A server that keeps nothing, so that all of the growth is the client's.
  const scripted = new ScriptedServer();
  scripted.onRequest = (connection, request) => {
    answerPlainly(connection, request);
    connection.requests.length = 0;
  };
  const watcher = await ZooKeeperClient.connect({ hosts: "a:1", runtime: { net: scripted } });
  const fired: number[] = [];
  const watch = (index: number): Promise<unknown> =>
    watcher.exists(`/watched/znode-${index}`, { watch: () => fired.push(index) });
  await rounds(2_000, watch);
  const before = await heapBytes();
  const count = 50_000;
  await rounds(count, (index) => watch(10_000 + index));
  const perWatch = ((await heapBytes()) - before) / count;
  expect(perWatch).toBeLessThan(200);
  expect(perWatch).toBeGreaterThan(0);
  scripted.last.notify(EventType.nodeDataChanged, "/watched/znode-10001");
  await awaitCondition(() => fired.length === 1);
  watcher.destroy();
}, 120_000);
