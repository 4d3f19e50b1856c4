// SPDX-License-Identifier: Apache-2.0
import { type WatchEvent, type ZooKeeperClient, ZooKeeperError } from "@meerkat/client";
import { type Deferred, deferred } from "@meerkat/runtime";
import { expect, test } from "vitest";
import { emptyEndpointSet } from "../endpoint.ts";
import { seedCodec } from "../registry/seed-codec.ts";
import { MemberReader } from "./member-reader.ts";
import { MemberTable } from "./member-table.ts";

/** A client whose replies come when, and as, the test says. */
function setUp(): {
  reader: MemberReader;
  ports: () => number[];
  event: (type: WatchEvent["type"], path: string) => void;
  replies: Map<string, Deferred<{ data: Buffer; stat: { czxid: bigint; mzxid: bigint } }>>;
  children: { now: string[] };
} {
  let listener: (event: WatchEvent) => void = () => {};
  const replies = new Map<string, Deferred<{ data: Buffer; stat: { czxid: bigint; mzxid: bigint } }>>();
  const children = { now: [] as string[] };
  const client = {
    addWatch: () =>
      Promise.resolve({
        onEvent: (added: typeof listener) => {
          listener = added;
        },
        close: () => Promise.resolve(),
      }),
    children: () => Promise.resolve({ children: children.now }),
    get: (path: string) => {
      const reply = deferred<{ data: Buffer; stat: { czxid: bigint; mzxid: bigint } }>();
      replies.set(path, reply);
      return reply.promise;
    },
  } as unknown as ZooKeeperClient;
  const table = new MemberTable();
  const reader = new MemberReader({
    client,
    root: "/rpc",
    codec: seedCodec,
    table,
    onDirty: () => {},
    onBad: () => {},
  });
  return {
    reader,
    ports: () => table.take(emptyEndpointSet, false)?.set.endpoints.map(({ port }) => port) ?? [],
    event: (type, path) => listener({ type, path }),
    replies,
    children,
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const reply = (port: number, zxid: number) => ({
  data: Buffer.from(JSON.stringify({ host: "h", port })),
  stat: { czxid: BigInt(zxid), mzxid: BigInt(zxid) },
});
const never = new AbortController().signal;

test("a reply that was overtaken by a deletion brings nothing back", async () => {
  const { reader, ports, event, replies, children } = setUp();
  children.now = ["a"];
  const refreshing = reader.refresh(never);
  await turn();
  // Both are in one packet: the event is handled before the code that awaits the reply runs.
  replies.get("/rpc/a")?.resolve(reply(1, 1));
  event("deleted", "/rpc/a");
  await refreshing;
  expect(ports()).toEqual([]);
  expect(reader.dirty).toBe(false);
});

test("a reply that was overtaken by a change is read again", async () => {
  const { reader, ports, event, replies, children } = setUp();
  children.now = ["a"];
  const refreshing = reader.refresh(never);
  await turn();
  replies.get("/rpc/a")?.resolve(reply(1, 1));
  event("dataChanged", "/rpc/a");
  await refreshing;
  expect(reader.dirty).toBe(true);
  const again = reader.refresh(never);
  await turn();
  replies.get("/rpc/a")?.resolve(reply(2, 2));
  await again;
  expect(ports()).toEqual([2]);
  expect(reader.dirty).toBe(false);
});

test("one change costs one read, a deletion none", async () => {
  const { reader, ports, event, replies, children } = setUp();
  children.now = ["a", "b"];
  const first = reader.refresh(never);
  await turn();
  replies.get("/rpc/a")?.resolve(reply(1, 1));
  replies.get("/rpc/b")?.resolve(reply(2, 2));
  await first;
  replies.clear();
  children.now = ["nothing must be listed"];
  event("created", "/rpc/c");
  event("deleted", "/rpc/a");
  event("created", "/rpc/c/below");
  const second = reader.refresh(never);
  await turn();
  expect([...replies.keys()]).toEqual(["/rpc/c"]);
  replies.get("/rpc/c")?.resolve(reply(3, 3));
  await second;
  expect(ports()).toEqual([2, 3]);
});

test("a failed pass keeps everything marked, and nothing of it is lost", async () => {
  const { reader, ports, event, replies, children } = setUp();
  children.now = ["a", "b"];
  const first = reader.refresh(never);
  await turn();
  replies.get("/rpc/a")?.resolve(reply(1, 1));
  replies.get("/rpc/b")?.reject(new ZooKeeperError("CONNECTION_LOSS", "lost"));
  await expect(first).rejects.toMatchObject({ code: "CONNECTION_LOSS" });
  expect(reader.dirty).toBe(true);
  event("created", "/rpc/c");
  children.now = ["a", "b", "c"];
  const second = reader.refresh(never);
  await turn();
  for (const [name, port] of [
    ["a", 1],
    ["b", 2],
    ["c", 3],
  ] as const) {
    replies.get(`/rpc/${name}`)?.resolve(reply(port, port));
  }
  await second;
  expect(ports()).toEqual([1, 2, 3]);
});
