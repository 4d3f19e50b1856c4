// SPDX-License-Identifier: Apache-2.0
// How connections begin and end, and what bounds them.
import { awaitCondition } from "@meerkat/testkit";
import { describe, expect, it } from "vitest";
import { divide, divideRequest, listen, request, result } from "./divide.ts";
import { activeTimers, openSockets, RawClient } from "./raw-client.ts";

/** A handler whose calls end when the test says so. */
function gate(): { open: () => void; readonly waiting: () => number; handler: () => Promise<number> } {
  let release: (() => void)[] = [];
  return {
    open: () => {
      for (const resolve of release.splice(0)) resolve();
    },
    waiting: () => release.length,
    handler: async () => {
      await new Promise<void>((resolve) => {
        release = [...release, resolve];
      });
      return 1;
    },
  };
}

describe("a connection", () => {
  it("that is half-closed still gets the replies to what it sent", async () => {
    const calls = gate();
    await using server = await listen(calls.handler);
    await using client = await RawClient.connect(server, { allowHalfOpen: true });
    client.socket.end(Buffer.concat([divideRequest(1, 1), divideRequest(2, 1)]));
    await awaitCondition(() => calls.waiting() === 1);
    expect(client.ended).toBe(false);
    calls.open();
    await awaitCondition(() => calls.waiting() === 1 && server.stats.results === 1);
    calls.open();
    await client.expectBytes(result(1), result(1));
    await awaitCondition(() => client.ended);
    expect(server.stats.truncatedRequests).toBe(0);
  });

  it("that ends inside a request is counted, one that ends after a request is not", async () => {
    await using server = await listen();
    const bytes = divideRequest(1, 1);
    for (const length of [1, 5, 11, 20, bytes.length]) {
      await using client = await RawClient.connect(server);
      client.socket.end(bytes.subarray(0, length));
      await client.expectClosed();
    }
    expect(server.stats.truncatedRequests).toBe(4);
  });

  it("that does not speak the wire is dropped, and others are served on", async () => {
    await using server = await listen();
    await using bystander = await RawClient.connect(server);
    for (const bytes of [
      "GET / HTTP/1.1\r\n\r\n",
      "\x16\x03\x01",
      "\x00\x00\x01\x00",
      "\x00\x00\x00\x02\xc3\x28",
    ]) {
      await using client = await RawClient.connect(server);
      client.write(Buffer.from(bytes, "latin1"));
      await client.expectClosed();
    }
    expect(server.stats.formatErrors).toBe(4);
    bystander.write(divideRequest(4, 2));
    await bystander.expectBytes(result(2));
  });

  it("that goes away fires the signal of the call it waited for", async () => {
    const reasons: string[] = [];
    let started = 0;
    await using server = await listen(async (_args, { signal }) => {
      started++;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      reasons.push((signal.reason as Error).message);
      return 1;
    });
    const client = await RawClient.connect(server);
    client.write(divideRequest(1, 1));
    await awaitCondition(() => started === 1);
    client.socket.resetAndDestroy();
    await awaitCondition(() => reasons.length === 1);
    expect(reasons).toEqual(["the client is gone"]);
    await awaitCondition(() => server.stats.inFlight === 0);
    expect(server.stats).toMatchObject({ abandoned: 1, connections: 0 });
  });

  it("shows a signal that has fired to a handler that looks at it late", async () => {
    const calls = gate();
    let seen: boolean | undefined;
    await using server = await listen(async (_args, context) => {
      await calls.handler();
      seen = context.signal.aborted;
      return 1;
    });
    const client = await RawClient.connect(server);
    client.write(divideRequest(1, 1));
    await awaitCondition(() => calls.waiting() === 1);
    client.socket.resetAndDestroy();
    await awaitCondition(() => server.stats.connections === 0);
    calls.open();
    await awaitCondition(() => seen !== undefined);
    expect(seen).toBe(true);
  });

  it("is no longer read when too many requests wait, and all are answered in the end", async () => {
    const calls = gate();
    let open = false;
    await using server = await listen((_args) => (open ? 1 : calls.handler()), { highWaterBytes: 4096 });
    await using client = await RawClient.connect(server);
    const count = 400_000;
    client.write(Buffer.concat(Array.from({ length: count }, () => divideRequest(1, 1))));
    await awaitCondition(() => calls.waiting() === 1);
    // The kernel takes a few megabytes, then bytes pile up on our side of the connection.
    await new Promise((resolve) => setImmediate(resolve));
    expect(client.socket.writableLength).toBeGreaterThan(0);
    open = true;
    calls.open();
    await awaitCondition(() => client.received.length === count * 5, { timeoutMs: 30_000 });
    expect(server.stats.results).toBe(count);
  });

  it("whose client does not read its replies is no longer served until it does", async () => {
    await using server = await listen();
    await using client = await RawClient.connect(server);
    client.socket.pause();
    const count = 2_000_000;
    const block = Buffer.concat(
      Array.from({ length: 1000 }, () => request("x".repeat(200), Buffer.alloc(0))),
    );
    for (let written = 0; written < count / 1000; written += 1) {
      if (!client.socket.write(block) && client.socket.writableLength > 8_000_000) break;
    }
    let before = -1;
    await awaitCondition(() => {
      const { requests } = server.stats;
      const still = requests === before;
      before = requests;
      return still && requests > 0;
    });
    expect(client.socket.writableLength).toBeGreaterThan(0);
    client.socket.resume();
    await awaitCondition(() => server.stats.requests > before);
  });
});

describe("limits", () => {
  it("on connections turn away those beyond it", async () => {
    await using server = await listen(divide, { connectionsMax: 2 });
    await using first = await RawClient.connect(server);
    await using second = await RawClient.connect(server);
    await awaitCondition(() => server.stats.connections === 2);
    await using third = await RawClient.connect(server);
    await third.expectClosed();
    expect(server.stats.connectionsRejected).toBe(1);
    first.socket.destroy();
    await awaitCondition(() => server.stats.connections === 1);
    await using fourth = await RawClient.connect(server);
    for (const client of [second, fourth]) {
      client.write(divideRequest(4, 2));
      await client.expectBytes(result(2));
    }
  });

  it("on running handlers let further calls wait their turn", async () => {
    const calls = gate();
    let peak = 0;
    await using server = await listen(
      () => {
        peak = Math.max(peak, server.stats.inFlight);
        return calls.handler();
      },
      { inFlightMax: 2 },
    );
    const clients = await Promise.all(Array.from({ length: 7 }, () => RawClient.connect(server)));
    for (const client of clients) client.write(divideRequest(1, 1));
    // One of those waiting gives up; its turn goes to the next.
    await awaitCondition(() => calls.waiting() === 2);
    clients.pop()?.socket.destroy();
    await awaitCondition(() => {
      calls.open();
      return clients.every((client) => client.received.length === 5) && server.stats.inFlight === 0;
    });
    expect(peak).toBe(2);
    for (const client of clients) client.socket.destroy();
  });

  it("on idle time close connections without a call, and only those", async () => {
    const calls = gate();
    await using server = await listen(({ num1 }) => (num1 === 0 ? calls.handler() : num1), {
      idleTimeoutMs: 60,
    });
    await using silent = await RawClient.connect(server);
    await using answered = await RawClient.connect(server);
    answered.write(divideRequest(1, 1));
    await answered.expectBytes(result(1));
    await using torn = await RawClient.connect(server);
    torn.write(divideRequest(1, 1).subarray(0, 7));
    await using busy = await RawClient.connect(server);
    busy.write(divideRequest(0, 1));
    await silent.expectClosed();
    await answered.expectClosed();
    await torn.expectClosed();
    await awaitCondition(() => server.stats.connections === 1);
    expect(server.stats.connectionsIdleClosed).toBe(3);
    calls.open();
    await busy.expectBytes(result(1));
  });
});

describe("close", () => {
  it("finishes the call in progress, ends connections and frees the port", async () => {
    const calls = gate();
    const server = await listen(calls.handler);
    await using busy = await RawClient.connect(server);
    await using idle = await RawClient.connect(server);
    busy.write(divideRequest(1, 1));
    await awaitCondition(() => calls.waiting() === 1);
    let closed = false;
    const closing = server.close({ quietMs: 20 }).then(() => {
      closed = true;
    });
    await idle.expectClosed();
    await awaitCondition(async () => {
      const refused = await RawClient.connect(server).then((client) => client.socket.destroy(), String);
      return refused === `Error: connect ECONNREFUSED 127.0.0.1:${server.port}`;
    });
    expect(closed).toBe(false);
    calls.open();
    await busy.expectBytes(result(1));
    await busy.expectClosed();
    await closing;
    expect(server.close()).toBe(server.close());
    await using again = await listen(divide, { port: server.port });
    expect(again.port).toBe(server.port);
  });

  it("serves on while clients keep calling, until they stop", async () => {
    const server = await listen();
    await using client = await RawClient.connect(server);
    const closing = server.close({ quietMs: 1_000, graceMs: 120_000 });
    for (let call = 1; call <= 200; call++) {
      client.write(divideRequest(call, 1));
      await client.expectBytes(result(call));
    }
    await client.expectClosed();
    await closing;
    expect(server.stats.results).toBe(200);
  });

  it("ends clients that never stop after a reply, when half of the grace is over", async () => {
    const server = await listen();
    await using client = await RawClient.connect(server, { allowHalfOpen: true });
    const closing = server.close({ quietMs: 1_000, graceMs: 200 });
    let answered = 0;
    while (!client.ended) {
      client.write(divideRequest(7, 1));
      await awaitCondition(() => client.received.length > answered * 5 || client.ended);
      answered = client.received.length / 5;
    }
    // Whole replies only: the connection ended between two of them.
    expect(Number.isInteger(answered)).toBe(true);
    expect(answered).toBeGreaterThan(0);
    client.socket.end();
    await closing;
  });

  it("destroys what is left when the grace is over", async () => {
    let aborted = false;
    const server = await listen(async (_args, { signal }) => {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      aborted = true;
      return 1;
    });
    await using client = await RawClient.connect(server);
    client.write(divideRequest(1, 1));
    await awaitCondition(() => server.stats.inFlight === 1);
    await server.close({ graceMs: 60, quietMs: 10 });
    await client.expectClosed();
    await awaitCondition(() => aborted);
  });

  it("does not wait for a client that never closes its side", async () => {
    const server = await listen();
    await using client = await RawClient.connect(server, { allowHalfOpen: true });
    client.write(divideRequest(4, 2));
    await client.expectBytes(result(2));
    await server.close({ graceMs: 60_000, quietMs: 20 });
  });

  it("after destroy resolves as well", async () => {
    const server = await listen();
    await using client = await RawClient.connect(server);
    server.destroy();
    server.destroy();
    await client.expectClosed();
    await server.close();
    expect(server.stats.connections).toBe(0);
  });
});

it("hundreds of clients at a time are served, and nothing of them stays", async () => {
  const sockets = openSockets();
  const timers = activeTimers();
  const server = await listen(async ({ num1, num2 }) => {
    await new Promise((resolve) => setImmediate(resolve));
    return num1 / num2;
  });
  const clients = await Promise.all(Array.from({ length: 500 }, () => RawClient.connect(server)));
  await awaitCondition(() => server.stats.connections === 500);
  for (let round = 1; round <= 3; round++) {
    for (const [index, client] of clients.entries()) client.write(divideRequest(index, round));
    await Promise.all(clients.map((client, index) => client.expectBytes(result(index / round))));
  }
  expect(server.stats).toMatchObject({ results: 1500, inFlight: 0 });
  for (const [index, client] of clients.entries()) {
    if (index % 3 === 0) client.socket.resetAndDestroy();
    else if (index % 3 === 1) client.socket.end();
    else client.write(divideRequest(1, 0));
  }
  await awaitCondition(() => server.stats.declaredErrors + server.stats.results >= 1500);
  await server.close({ quietMs: 20 });
  for (const client of clients) client.socket.destroy();
  await awaitCondition(() => openSockets() === sockets && activeTimers() <= timers, {
    describe: "sockets and timers to be gone",
  });
});
