// SPDX-License-Identifier: Apache-2.0
// Reconnecting and watches against servers that do what the test says, under a virtual clock.
import type { WatchEvent } from "@meerkat/client";
import { ErrorCode, EventType, JuteReader, OpCode, SetWatches2, StatRecord } from "@meerkat/wire";
import { describe, expect, test } from "vitest";
import { failure } from "./support/failure.ts";
import { destroyClientsAfterEach, scriptedWorld } from "./support/scripted-client.ts";
import { answerPlainly, event, reply, stat } from "./support/scripted-server.ts";

destroyClientsAfterEach();

describe("a new connection", () => {
  test("carries identities, then watches, then requests", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected({ auth: [{ scheme: "digest", auth: "u:p" }] });
    await zk.addAuth("digest", "v:q");
    await zk.get("/a", { watch: () => {} });
    server.onConnect = () => new Error("refused");
    server.last.close();
    const waiting = zk.exists("/b");
    server.onConnect = () => true;
    await clock.advance(100);
    await waiting;
    expect(server.last.requests.map((request) => request.type)).toEqual([
      OpCode.auth,
      OpCode.auth,
      OpCode.setWatches,
      OpCode.exists,
    ]);
  });

  test("arms a hundred thousand watches in frames far below the limit", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    const paths = Array.from({ length: 20_000 }, (_, index) => `/some/long/path/to/a/znode/ümläut/${index}`);
    await Promise.all(paths.map((path) => zk.get(path, { watch: () => {} })));
    server.last.close();
    await clock.advance(100);
    const frames = server.last.of(OpCode.setWatches);
    expect(frames.length).toBeGreaterThan(5);
    expect(Math.max(...frames.map((request) => request.frameBytes))).toBeLessThan(128 * 1024);
    const armed = frames.flatMap((request) => {
      const reader = new JuteReader(request.body);
      reader.long();
      return reader.vector(4, (item) => item.text()) ?? [];
    });
    expect(new Set(armed)).toEqual(new Set(paths));
  });

  test("refused credentials end the client", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    server.onRequest = (connection, request) => {
      if (request.type === OpCode.auth) connection.reply(request, { err: ErrorCode.AUTH_FAILED, zxid: 0n });
    };
    const read = failure(zk.get("/a"));
    const auth = failure(zk.addAuth("digest", "u:p"));
    await clock.settle();
    expect(await auth).toMatchObject({ code: "AUTH_FAILED" });
    expect(await read).toMatchObject({ code: "AUTH_FAILED", effect: "none" });
    expect(zk.state).toBe("authFailed");
    expect(await failure(zk.get("/a"))).toMatchObject({ code: "AUTH_FAILED" });
    expect(await failure(zk.connect())).toMatchObject({ code: "AUTH_FAILED" });
  });

  test("a server that demands SASL is an authentication failure that says so", async () => {
    const { server, connected } = scriptedWorld();
    const zk = await connected();
    server.onRequest = (connection, request) =>
      connection.reply(request, { err: ErrorCode.SESSION_CLOSED_REQUIRE_SASL_AUTH });
    await failure(zk.get("/a"));
    expect(zk.state).toBe("authFailed");
    expect((await failure(zk.get("/a"))).message).toContain("option sasl");
  });
});

describe("watches", () => {
  test("an event is seen after the reply that armed it and before the reply that shows the new state", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    server.onRequest = () => {};
    const seen: string[] = [];
    const log = async (name: string, call: Promise<unknown>): Promise<void> => {
      await call;
      seen.push(name);
    };
    const calls = [
      log("armed", zk.exists("/a", { watch: (change) => seen.push(change.type) })),
      log("after", zk.exists("/a")),
    ];
    await clock.settle();
    const body = (writer: Parameters<typeof StatRecord.write>[0]): void => StatRecord.write(writer, stat());
    const [armed, after] = server.last.requests;
    // All in one chunk: the hardest case for a client that settles promises later than it fires events.
    server.last.send(
      Buffer.concat([
        reply(armed?.xid ?? 0, { body }),
        event(EventType.nodeDataChanged, "/a"),
        reply(after?.xid ?? 0, { body }),
      ]),
    );
    await Promise.all(calls);
    expect(seen).toEqual(["armed", "dataChanged", "after"]);
  });

  test("a persistent watch is armed in its own kind and hears of the gap", async () => {
    const { clock, server, connected } = scriptedWorld();
    server.onRequest = (connection, request) => {
      if (request.type === OpCode.addWatch) connection.reply(request, { body: (writer) => writer.int(0) });
      else answerPlainly(connection, request);
    };
    const zk = await connected({ hosts: "a:1/app" });
    const plain = await zk.addWatch("/p");
    const recursive = await zk.addWatch("/r", { recursive: true });
    const events: WatchEvent[] = [];
    plain.onEvent((change) => events.push(change));
    recursive.onEvent((change) => events.push(change));
    server.last.close();
    await clock.advance(100);
    const [request] = server.last.of(OpCode.setWatches2);
    const armed = SetWatches2.read(new JuteReader(request?.body ?? Buffer.alloc(0)));
    expect(armed).toMatchObject({
      persistentWatches: ["/app/p"],
      persistentRecursiveWatches: ["/app/r"],
    });
    expect(events).toEqual([
      { type: "resync", path: "/p" },
      { type: "resync", path: "/r" },
    ]);
    server.last.notify(EventType.nodeCreated, "/app/r/x/y");
    server.last.notify(EventType.nodeChildrenChanged, "/app/r/x");
    await clock.settle();
    expect(events.slice(2)).toEqual([{ type: "created", path: "/r/x/y" }]);
  });

  test("a slow reader of a persistent watch gets a resync instead of an endless backlog", async () => {
    const { clock, server, connected } = scriptedWorld();
    server.onRequest = (connection, request) =>
      connection.reply(request, { body: (writer) => writer.int(0) });
    const zk = await connected({ watchEventsMax: 3 });
    const watch = await zk.addWatch("/p");
    for (let index = 0; index < 10; index++) server.last.notify(EventType.nodeDataChanged, "/p");
    await clock.settle();
    const seen: string[] = [];
    for await (const { type } of watch) {
      seen.push(type);
      if (type === "resync") break;
    }
    expect(seen).toEqual(["dataChanged", "dataChanged", "resync"]);
  });

  test("a listener that throws harms neither the others nor the client", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    const seen: string[] = [];
    await zk.get("/a", {
      watch: () => {
        throw new Error("mine");
      },
    });
    await zk.get("/a", { watch: ({ type }) => seen.push(type) });
    server.last.notify(EventType.nodeDataChanged, "/a");
    await clock.settle();
    expect(seen).toEqual(["dataChanged"]);
    expect(zk.state).toBe("connected");
  });

  test("the server keeps its watch until the last listener has gone", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    const one = (): void => {};
    const two = (): void => {};
    await zk.get("/a", { watch: one });
    await zk.exists("/a", { watch: two });
    await zk.removeWatches("/a", "data", one);
    expect(server.last.of(OpCode.removeWatches)).toHaveLength(0);
    const late = zk.get("/a", { watch: one });
    await zk.removeWatches("/a", "data", two);
    await late;
    expect(server.last.of(OpCode.removeWatches)).toHaveLength(0);
    await zk.removeWatches("/a", "any");
    expect(server.last.of(OpCode.removeWatches)).toHaveLength(1);
    await clock.settle();
  });

  test("the watch of a read that was given up is removed on the server", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    server.onRequest = () => {};
    const controller = new AbortController();
    const read = failure(zk.get("/a", { watch: () => {}, signal: controller.signal }));
    await clock.settle();
    controller.abort();
    await read;
    server.onRequest = answerPlainly;
    for (const request of [...server.last.requests]) answerPlainly(server.last, request);
    await clock.settle();
    expect(server.last.of(OpCode.removeWatches)).toHaveLength(1);
  });
});
