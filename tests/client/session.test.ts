// SPDX-License-Identifier: Apache-2.0
// The life of sessions and requests against servers that do what the test says, under a virtual clock.
import { type ClientState, isZooKeeperError, type WatchEvent, type ZooKeeperError } from "@meerkat/client";
import type { Clock } from "@meerkat/runtime";
import { ErrorCode, EventType, JuteReader, OpCode, SetWatches2, StatRecord } from "@meerkat/wire";
import { describe, expect, test } from "vitest";
import { destroyClientsAfterEach, scriptedWorld } from "./support/scripted-client.ts";
import { answerPlainly, event, reply, stat } from "./support/scripted-server.ts";

destroyClientsAfterEach();

/** The error that a promise rejects with. */
function failure(promise: Promise<unknown>): Promise<ZooKeeperError> {
  return promise.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: ZooKeeperError) => error,
  );
}

describe("keeping a session", () => {
  test("an idle client pings every third of the timeout", async () => {
    const { clock, server, connected } = scriptedWorld();
    await connected();
    await clock.advance(10_100);
    expect(server.last.of(OpCode.ping)).toHaveLength(10);
    expect(server.connections).toHaveLength(1);
  });

  test("requests stand in for pings", async () => {
    const { clock, server, connected } = scriptedWorld();
    const client = await connected();
    for (let round = 0; round < 20; round++) {
      await clock.advance(500);
      await client.exists("/a");
    }
    expect(server.last.of(OpCode.ping)).toHaveLength(0);
    expect(client.session.vouchedMs).toBeGreaterThan(2_500);
  });

  test("a server that falls silent is left after two thirds of the timeout", async () => {
    const { clock, server, connected } = scriptedWorld();
    const client = await connected();
    server.onRequest = () => {};
    const first = server.last;
    await clock.advance(1_950);
    expect([client.state, first.closed]).toEqual(["connected", false]);
    await clock.advance(100);
    expect(first.closed).toBe(true);
    await clock.advance(200);
    expect(server.connections).toHaveLength(2);
    expect(server.last.connectRequest?.sessionId).toBe(client.sessionId);
    expect(client.state).toBe("connected");
  });

  test("the session is lost by the client's own clock before the server may drop it", async () => {
    const { clock, server, connected } = scriptedWorld();
    const client = await connected();
    const states: ClientState[] = [];
    client.onState((state) => states.push(state));
    await clock.advance(500);
    await client.exists("/a");
    const { session } = client;
    const provedMs = clock.nowMs();
    let lostMs = 0;
    session.lost.addEventListener("abort", () => {
      lostMs = clock.nowMs();
    });
    server.onConnect = () => new Error("refused");
    server.last.close();
    await clock.advance(5_000);
    expect(lostMs).toBeGreaterThan(provedMs + 2_800);
    expect(lostMs).toBeLessThan(provedMs + 3_000);
    expect(states).toEqual(["suspended", "expired", "connecting"]);
    expect(session.lost.reason).toMatchObject({ code: "SESSION_EXPIRED" });
    expect(session.vouchedMs).toBe(0);
    // It is never resumed after that, even if the server still has it.
    server.onConnect = () => true;
    await clock.advance(1_000);
    expect(server.last.connectRequest?.sessionId).toBe(0n);
    expect(client.state).toBe("connected");
    expect(client.sessionId).not.toBe(session.id);
  });

  for (const [what, replyWaits] of [
    ["keeps a connection whose replies were waiting in the socket", true],
    ["leaves a connection that has nothing to say", false],
  ] as const) {
    test(`a stalled event loop ${what}`, async () => {
      const { clock, server, connected } = scriptedWorld();
      // Time that passes without a timer firing: the process stood still.
      let stalledMs = 0;
      const stalling: Clock = {
        nowMs: () => clock.nowMs() + stalledMs,
        wallMs: () => clock.wallMs(),
        after: (delayMs, callback) => clock.after(delayMs, callback),
      };
      await connected({ runtime: { clock: stalling, net: server } });
      const first = server.last;
      stalledMs = 1_300;
      await clock.advance(1_050);
      expect(first.closed).toBe(false);
      if (replyWaits) first.notify(EventType.nodeDataChanged, "/a");
      await clock.advance(200);
      expect(first.closed).toBe(!replyWaits);
    });
  }

  test("the server's word ends a session: the next one is new, and unsent writes are not done in it", async () => {
    const { clock, server, connected } = scriptedWorld();
    const client = await connected();
    const old = client.session;
    server.onConnect = () => new Error("refused");
    server.last.close();
    await clock.advance(50);
    const write = failure(client.create("/ephemeral", null, { mode: "ephemeral" }));
    const read = client.exists("/a");
    server.onConnect = () => true;
    server.onConnectRequest = (connection) =>
      connection.accept(connection.connectRequest?.sessionId === 0n ? {} : { timeoutMs: 0, sessionId: 0n });
    await clock.advance(2_000);
    expect(await write).toMatchObject({ code: "SESSION_EXPIRED", effect: "none" });
    expect((await read)?.version).toBe(0);
    expect(old.lost.aborted).toBe(true);
    expect(client.session.lost.aborted).toBe(false);
    expect(server.last.of(OpCode.create2)).toHaveLength(0);
  });

  test("without renewal it stays expired, says so at once, and connect() begins anew", async () => {
    const { clock, server, connected } = scriptedWorld();
    const client = await connected({ renewSession: false });
    server.onConnectRequest = (connection) => connection.accept({ timeoutMs: 0, sessionId: 0n });
    server.last.close();
    await clock.advance(2_000);
    expect(client.state).toBe("expired");
    expect(await failure(client.get("/a"))).toMatchObject({ code: "SESSION_EXPIRED", effect: "none" });
    server.onConnectRequest = (connection) => connection.accept();
    const again = client.connect();
    await clock.advance(1_000);
    await again;
    expect(server.last.connectRequest?.sessionId).toBe(0n);
    expect(client.state).toBe("connected");
  });
});

describe("finding a server", () => {
  test("a server that takes the connection and says nothing is given up in time", async () => {
    const { clock, server, client } = scriptedWorld();
    server.onConnectRequest = (connection) => {
      if (connection.target.host === "b") connection.accept();
    };
    const zk = client({ hosts: "a:1,b:1", shuffleHosts: false });
    const ready = zk.connect();
    await clock.advance(1_400);
    expect(server.connections).toHaveLength(1);
    await clock.advance(200);
    await ready;
    expect(zk.server).toBe("b:1");
  });

  test("connect() that finds nobody says what each host answered, and the client tries on", async () => {
    const { clock, server, client } = scriptedWorld();
    server.onConnect = (target) => new Error(`${target.host} is down`);
    const zk = client({ hosts: "a:1,b:1" });
    const failed = failure(zk.connect({ timeoutMs: 1_000 }));
    await clock.advance(1_000);
    const error = await failed;
    expect(error).toMatchObject({ code: "TIMEOUT", effect: "none" });
    expect(error.message).toContain("a:1: a is down");
    expect(error.message).toContain("b:1: b is down");
    server.onConnect = () => true;
    await clock.advance(500);
    expect(zk.state).toBe("connected");
  });

  test("attempts thin out: no storm while nobody answers", async () => {
    const { clock, server, client } = scriptedWorld();
    server.onConnect = () => new Error("refused");
    const zk = client({ reconnectDelayMs: { initialMs: 50, maxMs: 5_000 } });
    void zk.connect({ timeoutMs: 0 }).catch(() => {});
    await clock.advance(60_000);
    const early = server.connections.length;
    expect(early).toBeLessThan(60);
    await clock.advance(60_000);
    expect(server.connections.length - early).toBeLessThan(50);
    expect(server.connections.length - early).toBeGreaterThan(10);
  });

  test("names are resolved for every attempt, and every address is tried", async () => {
    const { clock, server, client } = scriptedWorld();
    const asked: string[] = [];
    server.resolve = (host) => {
      asked.push(host);
      return asked.length === 1
        ? Promise.reject(new Error("no such name"))
        : Promise.resolve(["10.0.0.1", "10.0.0.2"]);
    };
    server.onConnect = (target) => (target.host === "10.0.0.2" ? true : new Error("refused"));
    const zk = client({ hosts: "name:1" });
    const ready = zk.connect();
    await clock.advance(1_000);
    await ready;
    expect(asked).toEqual(["name", "name"]);
    expect(server.connections.map((connection) => connection.target.host)).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(zk.server).toBe("name:1");
  });

  test("new hosts are used at once, and the session is kept", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    const { sessionId } = zk;
    zk.setHosts("b:1");
    await clock.advance(100);
    expect(zk.server).toBe("b:1");
    expect(zk.sessionId).toBe(sessionId);
    expect(server.last.connectRequest?.sessionId).toBe(sessionId);
    expect(() => zk.setHosts("b:1/other")).toThrow("chroot");
  });

  test("an ensemble whose data went back is accepted again once the session is over", async () => {
    const { clock, server, connected } = scriptedWorld();
    const zk = await connected();
    await zk.exists("/a");
    expect(zk.lastZxid).toBe(10n);
    // As real servers do: no answer to a client that has seen more than they.
    server.onConnectRequest = (connection) => {
      if (connection.connectRequest?.lastZxidSeen === 0n) connection.accept();
      else connection.close();
    };
    server.last.close();
    await clock.advance(2_000);
    expect(zk.explain()).toContain("older than what this client saw");
    await clock.advance(6_000);
    expect(zk.state).toBe("connected");
    expect(zk.lastZxid).toBe(0n);
  });

  test("the made-up session of a read-only server is not shown to others", async () => {
    const { clock, server, connected } = scriptedWorld();
    server.onConnectRequest = (connection) => connection.accept({ readOnly: true });
    const zk = await connected({ readOnly: true });
    expect(zk.state).toBe("readOnly");
    const made = zk.session;
    server.onConnectRequest = (connection) => connection.accept();
    server.last.close();
    await clock.advance(100);
    expect(server.last.connectRequest?.sessionId).toBe(0n);
    expect(zk.state).toBe("connected");
    expect(made.lost.aborted).toBe(true);
    expect(zk.session.lost.aborted).toBe(false);
  });
});

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
