// SPDX-License-Identifier: Apache-2.0
// The way of requests against servers that do what the test says, under a virtual clock.
import { isZooKeeperError } from "@meerkat/client";
import { ErrorCode, EventType, OpCode, StatRecord } from "@meerkat/wire";
import { describe, expect, test } from "vitest";
import { failure } from "./support/failure.ts";
import { destroyClientsAfterEach, scriptedWorld } from "./support/scripted-client.ts";
import { answerPlainly, reply, stat } from "./support/scripted-server.ts";

destroyClientsAfterEach();

describe("requests", () => {
  test("those of one tick leave in one write", async () => {
    const { server, connected } = scriptedWorld();
    const zk = await connected();
    const { writes } = server.last;
    await Promise.all(Array.from({ length: 100 }, () => zk.exists("/a")));
    expect(server.last.writes - writes).toBe(1);
    expect(server.last.requests.map((request) => request.xid)).toEqual(
      Array.from({ length: 100 }, (_, index) => index + 1),
    );
  });

  test("after a lost connection reads are sent again, sent writes fail with effect unknown", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    server.onRequest = () => {};
    const order: string[] = [];
    const read = zk.get("/a").then(() => order.push("read"));
    const write = failure(zk.set("/a", "x"));
    const later = zk.exists("/b").then(() => order.push("later"));
    await clock.settle();
    server.onRequest = answerPlainly;
    server.last.close();
    const unsent = zk.set("/c", "y").then(() => order.push("unsent"));
    expect(await write).toMatchObject({
      code: "CONNECTION_LOSS",
      effect: "unknown",
      context: { path: "/a" },
    });
    await clock.advance(100);
    await Promise.all([read, later, unsent]);
    expect(order).toEqual(["read", "later", "unsent"]);
    expect(server.last.requests.map((request) => request.type)).toEqual([
      OpCode.getData,
      OpCode.exists,
      OpCode.setData,
    ]);
  });

  test("a read that is in flight whenever the connection breaks is given up", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    server.onRequest = (connection, request) => {
      if (request.type === OpCode.getData) connection.close(new Error("poisoned"));
      else answerPlainly(connection, request);
    };
    const failed = failure(zk.get("/a"));
    await clock.advance(3_000);
    expect(await failed).toMatchObject({ code: "CONNECTION_LOSS", effect: "none" });
    expect(zk.state).toBe("connected");
  });

  test("a time limit tells what was sent from what was not, and why it was not", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected({ sessionTimeoutMs: 30_000 });
    server.onRequest = () => {};
    const sent = failure(zk.set("/a", "x", { timeoutMs: 200 }));
    const sentRead = failure(zk.get("/a", { timeoutMs: 300 }));
    await clock.advance(310);
    expect(await sent).toMatchObject({ code: "TIMEOUT", effect: "unknown" });
    expect(await sentRead).toMatchObject({ code: "TIMEOUT", effect: "none" });
    server.onConnect = () => new Error("refused");
    server.last.close();
    const unsent = failure(zk.set("/a", "x", { timeoutMs: 400 }));
    await clock.advance(410);
    const error = await unsent;
    expect(error).toMatchObject({ code: "TIMEOUT", effect: "none" });
    expect(error.message).toContain("a:1: refused");
  });

  test("a late reply to a request that was given up disturbs nobody", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    server.onRequest = () => {};
    const gaveUp = failure(zk.get("/a", { timeoutMs: 50 }));
    const next = zk.get("/b");
    await clock.advance(100);
    expect(await gaveUp).toMatchObject({ code: "TIMEOUT" });
    for (const request of server.last.requests) answerPlainly(server.last, request);
    expect((await next).data.toString()).toBe("data");
  });

  test("a signal gives a request up, sent or not, and leaves no listener behind", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    const controller = new AbortController();
    const { signal } = controller;
    let listeners = 0;
    const counted = new Proxy(signal, {
      get(target, key) {
        if (key === "addEventListener") listeners++;
        if (key === "removeEventListener") listeners--;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await zk.get("/a", { signal: counted });
    expect(listeners).toBe(0);
    server.onRequest = () => {};
    const sent = failure(zk.set("/a", "x", { signal: counted }));
    await clock.settle();
    controller.abort(new Error("enough"));
    expect(await sent).toMatchObject({ code: "ABORTED", effect: "unknown", cause: new Error("enough") });
    expect(listeners).toBe(0);
    expect(await failure(zk.set("/a", "x", { signal }))).toMatchObject({ code: "ABORTED", effect: "none" });
    expect(server.last.of(OpCode.setData)).toHaveLength(1);
  });

  test("no more than inFlightMax are out at a time, and more than waitingMax are refused", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected({ inFlightMax: 4, waitingMax: 3 });
    server.onRequest = () => {};
    const calls = Array.from({ length: 7 }, () => zk.exists("/a"));
    expect(zk.pending).toEqual({ inFlight: 4, waiting: 3 });
    const error = await failure(zk.exists("/a"));
    expect(error).toMatchObject({ code: "QUEUE_FULL", effect: "none" });
    await clock.settle();
    expect(server.last.requests).toHaveLength(4);
    server.onRequest = answerPlainly;
    for (const request of [...server.last.requests]) answerPlainly(server.last, request);
    await Promise.all(calls);
    expect(server.last.requests).toHaveLength(7);
  });

  test("a reply out of order ends the connection, not the client", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    server.onRequest = () => {};
    const write = failure(zk.set("/a", "x"));
    await clock.settle();
    server.onRequest = answerPlainly;
    server.last.send(reply(77));
    expect(await write).toMatchObject({ code: "CONNECTION_LOSS", effect: "unknown" });
    expect((await write).cause).toMatchObject({ code: "PROTOCOL_ERROR" });
    await clock.advance(100);
    expect(zk.state).toBe("connected");
  });

  test("a malformed reply rejects its request and ends the connection", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    server.onRequest = (connection, request) =>
      connection.reply(request, { body: (writer) => writer.int(-7) });
    const first = server.last;
    expect(await failure(zk.get("/a"))).toMatchObject({ code: "PROTOCOL_ERROR" });
    expect(first.closed).toBe(true);
    server.onRequest = answerPlainly;
    await clock.advance(100);
    expect(zk.state).toBe("connected");
  });

  test("a frame over the limit ends the connection and names the limit", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected({ replyBytesMax: 1_000 });
    server.onRequest = () => {};
    const write = failure(zk.set("/a", "x"));
    await clock.settle();
    server.last.send(Buffer.from([0, 0, 4, 0]));
    expect(String((await write).cause)).toContain("1000");
  });

  test("an operation that the server does not know rejects alone with UNIMPLEMENTED", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    server.onRequest = () => {};
    const before = zk.get("/a");
    const unknown = failure(zk.whoAmI());
    await clock.settle();
    // Old servers answer out of order, then close.
    const [, request] = server.last.requests;
    server.last.reply(request ?? { xid: 0, type: 0, body: Buffer.alloc(0), frameBytes: 0 }, {
      err: ErrorCode.UNIMPLEMENTED,
    });
    expect(await unknown).toMatchObject({ code: "UNIMPLEMENTED" });
    server.onRequest = answerPlainly;
    server.last.close();
    await clock.advance(100);
    expect((await before).data.toString()).toBe("data");
  });

  test("replies cut into single bytes are put together again", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    server.onRequest = () => {};
    const calls = [zk.exists("/a"), zk.exists("/b")];
    await clock.settle();
    const bytes = Buffer.concat(
      server.last.requests.map((request) =>
        reply(request.xid, { body: (writer) => StatRecord.write(writer, stat({ version: request.xid })) }),
      ),
    );
    for (const byte of bytes) server.last.send(Buffer.from([byte]));
    expect((await Promise.all(calls)).map((each) => each?.version)).toEqual([1, 2]);
  });

  test("only replies move the last zxid", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    await zk.exists("/a");
    server.last.notify(EventType.nodeDeleted, "/a");
    await clock.advance(1_500);
    expect(server.last.of(OpCode.ping)).toHaveLength(1);
    expect(zk.lastZxid).toBe(10n);
    server.last.close();
    await clock.advance(100);
    expect(server.last.connectRequest?.lastZxidSeen).toBe(10n);
  });

  test("requests before connect() and after close() are refused with what to do", async () => {
    const { clock, client } = scriptedWorld();
    const zk = client();
    expect((await failure(zk.get("/a"))).message).toContain("connect()");
    const ready = zk.connect();
    await clock.settle();
    await ready;
    await zk.close();
    expect(zk.state).toBe("closed");
    expect(await failure(zk.get("/a"))).toMatchObject({ code: "CLOSED", effect: "none" });
    expect(clock.timers).toBe(0);
  });

  test("close answers what was asked before, and ends the session for those who hold something of it", async () => {
    const { server, connected } = scriptedWorld();
    const zk = await connected();
    const read = zk.get("/a");
    const { lost } = zk.session;
    await zk.close();
    expect((await read).data.toString()).toBe("data");
    expect(lost.reason).toMatchObject({ code: "CLOSED" });
    expect(server.last.requests.map((request) => request.type)).toEqual([
      OpCode.getData,
      OpCode.closeSession,
    ]);
  });

  test("hand-over keeps the session for the next client", async () => {
    const { clock, server, connected } = scriptedWorld();
    const first = await connected();
    const read = first.get("/a");
    const credentials = await first.handOver();
    expect((await read).data.toString()).toBe("data");
    expect(first.state).toBe("closed");
    expect(first.session.lost.aborted).toBe(true);
    expect(server.last.of(OpCode.closeSession)).toHaveLength(0);
    const second = await connected({ session: credentials });
    expect(server.last.connectRequest?.sessionId).toBe(credentials?.id);
    expect(second.sessionId).toBe(credentials?.id);
    await clock.settle();
  });
});

test("guards tell a ZooKeeperError and its code", async () => {
  const { client } = scriptedWorld();
  const error = await failure(client().get("/a"));
  expect([
    isZooKeeperError(error),
    isZooKeeperError(error, "CLOSED"),
    isZooKeeperError(error, "NO_NODE"),
  ]).toEqual([true, true, false]);
  expect(isZooKeeperError(new Error("other"))).toBe(false);
});
