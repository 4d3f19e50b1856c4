// SPDX-License-Identifier: Apache-2.0
// The life of sessions against servers that do what the test says, under a virtual clock.
import diagnosticsChannel from "node:diagnostics_channel";
import type { ClientState } from "@meerkat/client";
import type { Clock } from "@meerkat/runtime";
import { EventType, OpCode } from "@meerkat/wire";
import { describe, expect, test } from "vitest";
import { failure } from "./support/failure.ts";
import { destroyClientsAfterEach, scriptedWorld } from "./support/scripted-client.ts";

destroyClientsAfterEach();

describe("looking for a server", () => {
  test("one that takes the connection and never answers is tried anew, each time for longer", async () => {
    const { clock, server, client } = scriptedWorld();
    const opened: number[] = [];
    server.onConnectRequest = (connection) => {
      opened.push(clock.nowMs());
      if (opened.length === 4) connection.accept();
    };
    const patient = client({ sessionTimeoutMs: 30_000 });
    const ready = patient.connect({ timeoutMs: 60_000 });
    await clock.advance(20_000);
    await ready;
    const waits = opened.slice(1).map((ms, index) => Math.floor((ms - (opened[index] ?? 0)) / 1_000));
    expect(waits).toEqual([2, 4, 8]);
    expect(server.connections.slice(0, 3).every(({ closed }) => closed)).toBe(true);
  });
});

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

test("diagnostics channels tell of attempts, states, sessions, requests and watches", async () => {
  const names = ["state", "connect", "session", "request", "watch"] as const;
  const heard: [string, Record<string, unknown>][] = [];
  const subscriptions = names.map((name) => {
    const listener = (message: unknown): void => {
      heard.push([name, message as Record<string, unknown>]);
    };
    diagnosticsChannel.subscribe(`meerkat:client:${name}`, listener);
    return () => diagnosticsChannel.unsubscribe(`meerkat:client:${name}`, listener);
  });
  try {
    const { clock, server, client } = scriptedWorld();
    let refused = 0;
    server.onConnect = () => (refused++ === 0 ? new Error("refused") : true);
    const zk = client({ auth: [{ scheme: "digest", auth: "ann:secret" }] });
    const ready = zk.connect();
    await clock.advance(100);
    await ready;
    await zk.set("/a", "confidential");
    await zk.get("/a", { watch: () => {} });
    await failure(zk.whoAmI({ timeoutMs: 10, signal: AbortSignal.abort() }));
    server.last.notify(EventType.nodeDataChanged, "/a");
    await clock.settle();
    await zk.close();
  } finally {
    for (const unsubscribe of subscriptions) unsubscribe();
  }
  const of = (name: string): Record<string, unknown>[] =>
    heard.filter(([each]) => each === name).map(([, message]) => message);
  expect(of("state").map(({ from, to }) => `${from} ${to}`)).toEqual([
    "idle connecting",
    "connecting connected",
    "connected closed",
  ]);
  expect(of("connect").map(({ host, error }) => [host, error !== undefined])).toEqual([
    ["a:1", true],
    ["a:1", false],
  ]);
  expect(of("session").map((message) => message["event"])).toEqual(["established", "closed"]);
  expect(of("request").map(({ operation, path, error }) => [operation, path, error === undefined])).toEqual([
    ["set", "/a", true],
    ["get", "/a", true],
    ["whoAmI", "/", false],
    ["close", "/", true],
  ]);
  expect(of("watch")).toEqual([{ type: "dataChanged", path: "/a", listeners: 1 }]);
  const text = JSON.stringify(heard, (key, value: unknown) =>
    typeof value === "bigint" ? String(value) : key === "client" ? undefined : value,
  );
  expect(text).not.toContain("secret");
  expect(text).not.toContain("confidential");
});
