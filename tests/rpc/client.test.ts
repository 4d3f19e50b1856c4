// SPDX-License-Identifier: Apache-2.0
// The client against a peer whose every byte is the test's, and against our own server.
import { type EndpointFields, StaticDirectory } from "@meerkat/governance";
import {
  arg,
  createRpcClient,
  defineService,
  f32,
  InvalidOperation,
  i32,
  type RpcClientOptions,
} from "@meerkat/rpc";
import { awaitCondition, FaultProxy, freePorts } from "@meerkat/testkit";
import { describe, expect, expectTypeOf, it } from "vitest";
import { Divide, divideRequest, error, listen, request, result } from "./divide.ts";
import { activeTimers, openSockets } from "./raw-client.ts";
import { RawServer } from "./raw-server.ts";
import { stalledServer } from "./stalled-server.ts";

const Twice = defineService("twice", {
  divide: { args: { num1: arg(1, i32), num2: arg(2, i32, { default: 1 }) }, result: f32 },
});

function client(endpoints: Iterable<EndpointFields>, options: Partial<RpcClientOptions> = {}) {
  return createRpcClient(Divide, { directory: new StaticDirectory(endpoints), ...options });
}

/** The same service, but calling twice is not the same as calling once. */
function carefulClient(endpoints: Iterable<EndpointFields>, options: Partial<RpcClientOptions> = {}) {
  return createRpcClient(Twice, { directory: new StaticDirectory(endpoints), ...options });
}

describe("a call", () => {
  it("has the types of the contract", async () => {
    await using server = await listen();
    await using divider = client([server]);
    expectTypeOf(divider.divide).parameter(0).toEqualTypeOf<{
      readonly num1: number;
      readonly num2?: number | undefined;
    }>();
    expectTypeOf(divider.divide).returns.toEqualTypeOf<Promise<number>>();
    await expect(divider.divide({ num1: 200, num2: 100 })).resolves.toBe(2);
    await expect(divider.divide({ num1: 1, num2: 3 })).resolves.toBe(0.3333333432674408);
    await expect(divider.divide({ num1: -7 })).resolves.toBe(-7);
  });

  it("has the seed's bytes, in one piece", async () => {
    await using server = await RawServer.listen(({ socket }) => socket.write(result(2)));
    await using divider = client([server]);
    await divider.divide({ num1: 200, num2: 100 });
    await divider.divide({ num1: 200 });
    await divider.divide({ num1: 200, num2: 1 });
    const short = request("divide", Buffer.from("01000000c8", "hex"));
    expect(server.requests).toEqual([divideRequest(200, 100), short, short]);
  });

  it("that does not fit the contract rejects before anything is sent", async () => {
    await using server = await RawServer.listen(() => {});
    await using divider = client([server]);
    for (const args of [{}, { num1: 2 ** 31 }, { num1: 1.5 }, { num1: 1, num2: "2" }]) {
      await expect(divider.divide(args as { num1: number })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
        effect: "none",
      });
    }
    expect(server.accepted).toBe(0);
  });

  it("that is refused rejects with the declared error and its message", async () => {
    await using server = await listen(() => {
      throw new InvalidOperation("除数不能为零");
    });
    await using divider = client([server]);
    const refused = divider.divide({ num1: 1, num2: 0 });
    await expect(refused).rejects.toBeInstanceOf(InvalidOperation);
    await expect(refused).rejects.toMatchObject({
      code: "INVALID_OPERATION",
      message: "除数不能为零",
      effect: "applied",
      context: { method: "divide", endpoint: `127.0.0.1:${server.port}` },
    });
  });

  it("that fails in the server rejects without its details", async () => {
    await using server = await listen(() => {
      throw new Error("secret");
    });
    await using divider = client([server]);
    await expect(divider.divide({ num1: 1 })).rejects.toMatchObject({
      code: "INTERNAL",
      effect: "applied",
      message: `127.0.0.1:${server.port} refused divide: internal error`,
    });
  });

  it("of a method that the server does not have says so, and that nothing was done", async () => {
    await using server = await listen();
    const Other = defineService("other", { multiply: { args: {}, result: f32 } });
    await using other = createRpcClient(Other, { directory: new StaticDirectory([server]) });
    await expect(other.multiply()).rejects.toMatchObject({ code: "UNKNOWN_METHOD", effect: "none" });
  });
});

describe("connections", () => {
  it("are kept and used again", async () => {
    await using server = await listen();
    await using divider = client([server]);
    for (let num1 = 0; num1 < 50; num1++) await divider.divide({ num1 });
    expect(server.stats.connectionsAccepted).toBe(1);
    expect(divider.stats()).toMatchObject({ connections: 1, free: 1 });
    await expect(divider.divide({ num1: 1, num2: 0 })).rejects.toThrow("invalid operation");
    await divider.divide({ num1: 1 });
    expect(server.stats.connectionsAccepted).toBe(1);
  });

  it("carry one call at a time, and calls beyond the limit wait their turn", async () => {
    let open: (() => void)[] = [];
    await using server = await RawServer.listen(({ socket }) => {
      open = [...open, () => socket.write(result(1))];
    });
    await using divider = client([server], { connectionsPerEndpointMax: 3 });
    const calls = Array.from({ length: 10 }, () => divider.divide({ num1: 1 }));
    await awaitCondition(() => open.length === 3);
    expect(divider.stats()).toMatchObject({ connections: 3, free: 0, waiting: 7 });
    await awaitCondition(() => {
      for (const answer of open.splice(0)) answer();
      return server.requests.length === 10;
    });
    for (const answer of open.splice(0)) answer();
    await Promise.all(calls);
    expect(server.accepted).toBe(3);
  });

  it("that too many calls wait for refuse further ones", async () => {
    await using server = await RawServer.listen(() => {});
    await using divider = carefulClient([server], {
      connectionsPerEndpointMax: 1,
      waitingPerEndpointMax: 1,
      retriesMax: 0,
    });
    const calls = [1, 2].map((num1) => divider.divide({ num1 }));
    const refused = divider.divide({ num1: 3 });
    await expect(refused).rejects.toMatchObject({ code: "QUEUE_FULL", effect: "none" });
    divider.destroy();
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "CLOSED" } });
    }
  });

  it("that are idle for long are closed", async () => {
    await using server = await listen();
    await using divider = client([server], { idleTimeoutMs: 30 });
    await Promise.all(Array.from({ length: 5 }, () => divider.divide({ num1: 1 })));
    await awaitCondition(() => server.stats.connections === 0);
    expect(divider.stats()).toMatchObject({ connections: 0, free: 0 });
    await divider.divide({ num1: 1 });
  });

  it("are made for each call where that is asked for", async () => {
    await using server = await listen();
    await using divider = client([server], { idleTimeoutMs: 0 });
    for (let call = 0; call < 3; call++) await divider.divide({ num1: 1 });
    expect(server.stats.connectionsAccepted).toBe(3);
    expect(divider.stats().connections).toBe(0);
  });

  it("of an endpoint that left the list are closed, those with a call after it", async () => {
    let answer = (): void => {};
    await using server = await RawServer.listen(({ socket, id }) => {
      if (id === 1) socket.write(result(1));
      else answer = () => socket.write(result(2));
    });
    const directory = new StaticDirectory([server]);
    await using divider = createRpcClient(Divide, { directory });
    const [first, second] = [divider.divide({ num1: 1 }), divider.divide({ num1: 2 })];
    await first;
    await awaitCondition(() => server.requests.length === 2);
    directory.replace([]);
    await awaitCondition(() => server.open === 1);
    expect(divider.stats()).toMatchObject({ connections: 1, free: 0 });
    answer();
    await expect(second).resolves.toBe(2);
    await awaitCondition(() => server.open === 0);
    expect(divider.stats().connections).toBe(0);
  });

  it("that the server ended while they were free are not used", async () => {
    await using server = await RawServer.listen(({ socket }) => socket.write(result(1)));
    await using divider = carefulClient([server]);
    await divider.divide({ num1: 1 });
    server.endAll();
    await awaitCondition(() => divider.stats().connections === 0);
    await divider.divide({ num1: 1 });
    expect(server.accepted).toBe(2);
  });

  it("that say something unasked are dropped", async () => {
    let say = (): void => {};
    await using server = await RawServer.listen(({ socket }) => {
      socket.write(result(1));
      say = () => socket.write(result(9));
    });
    await using divider = client([server]);
    await divider.divide({ num1: 1 });
    say();
    await awaitCondition(() => divider.stats().connections === 0);
    await expect(divider.divide({ num1: 1 })).resolves.toBe(1);
  });
});

describe("a peer with the seed's faults", () => {
  it("that counts an error's length in characters gives the whole text and no wrong reply after it", async () => {
    await using server = await RawServer.listen(({ socket }, bytes) => {
      if (bytes.length > 20) {
        const text = Buffer.from("除数不能为零");
        const head = Buffer.from([2, 0, 0, 0, 6]);
        socket.write(Buffer.concat([head, text]));
      } else {
        socket.write(result(5));
      }
    });
    await using divider = client([server]);
    await expect(divider.divide({ num1: 1, num2: 0 })).rejects.toMatchObject({
      code: "INVALID_OPERATION",
      message: "除数不能为零",
    });
    await expect(divider.divide({ num1: 5 })).resolves.toBe(5);
    expect(server.accepted).toBe(2);
  });

  it("that sends the tail of such a text later gives no wrong reply either", async () => {
    await using server = await RawServer.listen(({ socket, id }) => {
      if (id > 1) {
        socket.write(result(5));
        return;
      }
      const text = Buffer.from("除数不能为零");
      socket.write(Buffer.concat([Buffer.from([2, 0, 0, 0, 6]), text.subarray(0, 6)]));
      setImmediate(() => socket.write(text.subarray(6)));
    });
    await using divider = client([server]);
    await expect(divider.divide({ num1: 1, num2: 0 })).rejects.toThrow("除数");
    await expect(divider.divide({ num1: 5 })).resolves.toBe(5);
  });

  it("that replies an unknown kind is not believed, or only where that is asked for", async () => {
    await using server = await RawServer.listen(({ socket }) =>
      socket.write(Buffer.from("07000000026f6b", "hex")),
    );
    await using strict = carefulClient([server]);
    await expect(strict.divide({ num1: 1 })).rejects.toMatchObject({
      code: "PROTOCOL_ERROR",
      effect: "unknown",
    });
    await using lenient = client([server], { unknownReply: "text" });
    await expect(lenient.divide({ num1: 1 })).rejects.toMatchObject({
      code: "INVALID_OPERATION",
      message: "ok",
    });
  });

  it("that closes instead of replying rejects at once, and says that the effect is unknown", async () => {
    for (const close of ["end", "resetAndDestroy", "destroy"] as const) {
      await using server = await RawServer.listen(({ socket }) => socket[close]());
      await using divider = carefulClient([server]);
      await expect(divider.divide({ num1: 1 })).rejects.toMatchObject({
        code: "CONNECTION_LOST",
        effect: "unknown",
        context: { connection: true, endpoint: `127.0.0.1:${server.port}` },
      });
      expect(divider.stats().connections).toBe(0);
    }
  });

  it("that replies half and closes rejects the same way", async () => {
    await using server = await RawServer.listen(({ socket }) => socket.end(Buffer.from([1, 0x40])));
    await using divider = carefulClient([server]);
    await expect(divider.divide({ num1: 1 })).rejects.toMatchObject({ code: "CONNECTION_LOST" });
  });
});

describe("failing over", () => {
  it("goes on at once when one endpoint refuses connections", async () => {
    const [dead = 0] = await freePorts(1);
    await using server = await listen();
    await using divider = client([{ host: "127.0.0.1", port: dead }, server]);
    const started = performance.now();
    const calls = Array.from({ length: 100 }, (_, num1) => divider.divide({ num1 }));
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 100 }, (_, num1) => num1));
    // The seed's client sleeps a second after each refusal.
    expect(performance.now() - started).toBeLessThan(900);
  });

  it("also goes on when one resets connections, if the method may be called twice", async () => {
    await using broken = await RawServer.listen(({ socket }) => socket.resetAndDestroy());
    await using server = await listen();
    await using divider = client([broken, server]);
    for (let num1 = 0; num1 < 40; num1++) expect(await divider.divide({ num1 })).toBe(num1);
    expect(broken.requests.length).toBeGreaterThan(0);
    await using careful = carefulClient([broken]);
    await expect(careful.divide({ num1: 1 })).rejects.toMatchObject({
      code: "CONNECTION_LOST",
      effect: "unknown",
    });
  });

  it("handles a kept connection that is reset honestly", async () => {
    await using server = await listen();
    await using proxy = await FaultProxy.start({ target: server });
    await using careful = carefulClient([proxy]);
    await careful.divide({ num1: 1 });
    proxy.blackhole();
    const call = careful.divide({ num1: 2 });
    await awaitCondition(() => careful.stats().free === 0);
    proxy.cut();
    await expect(call).rejects.toMatchObject({ code: "CONNECTION_LOST", effect: "unknown" });
    await proxy.restore();
    await using divider = client([proxy]);
    await divider.divide({ num1: 1 });
    proxy.blackhole();
    const again = divider.divide({ num1: 2 });
    await awaitCondition(() => divider.stats().free === 0);
    await proxy.restore();
    proxy.cut();
    await expect(again).resolves.toBe(2);
  });

  it("gives up an endpoint that accepts no connection in time", async () => {
    await using server = await listen();
    await using stalled = await stalledServer();
    await using divider = client([stalled, server], { connectTimeoutMs: 50 });
    for (let num1 = 0; num1 < 20; num1++) expect(await divider.divide({ num1 })).toBe(num1);
  });

  it("waits while the list is empty, and calls as soon as a server is there", async () => {
    const directory = new StaticDirectory();
    await using divider = createRpcClient(Divide, { directory });
    const call = divider.divide({ num1: 200, num2: 100 });
    await using server = await listen();
    directory.replace([server]);
    await expect(call).resolves.toBe(2);
  });

  it("says clearly when no server came in time", async () => {
    await using divider = client([]);
    const started = performance.now();
    await expect(divider.divide({ num1: 1 }, { timeoutMs: 60 })).rejects.toMatchObject({
      code: "NO_ENDPOINT",
      effect: "none",
    });
    expect(performance.now() - started).toBeGreaterThan(55);
  });

  it("never gives up before the deadline when every server is away for a while", async () => {
    const [port = 0] = await freePorts(1);
    await using divider = client([{ host: "127.0.0.1", port }], { health: { probeInitialMs: 20 } });
    const call = divider.divide({ num1: 200, num2: 100 });
    await using server = await listen(undefined, { port });
    await expect(call).resolves.toBe(2);
    expect(server.stats.results).toBe(1);
  });
});

describe("a call that takes too long", () => {
  it("rejects at its timeout, says where the time went, and leaves no connection", async () => {
    await using server = await RawServer.listen(() => {});
    await using divider = client([server]);
    const call = divider.divide({ num1: 1 }, { timeoutMs: 50 });
    await expect(call).rejects.toMatchObject({
      code: "TIMEOUT",
      effect: "unknown",
      message: expect.stringMatching(
        /^divide: no answer within the call's 50 ms .* attempt 1 at 127\.0\.0\.1:\d+ was \d+ ms queued, \d+ ms connecting, \d+ ms in flight$/,
      ),
      context: { method: "divide", timing: { inFlightMs: expect.any(Number) } },
    });
    await awaitCondition(() => server.open === 0);
    expect(divider.stats()).toMatchObject({ connections: 0, waiting: 0 });
  });

  it("in the queue rejects with effect none, since nothing was written", async () => {
    await using server = await RawServer.listen(() => {});
    await using divider = client([server], { connectionsPerEndpointMax: 1 });
    const first = divider.divide({ num1: 1 }, { timeoutMs: 5_000 });
    const second = divider.divide({ num1: 2 }, { timeoutMs: 40 });
    await expect(second).rejects.toMatchObject({ code: "TIMEOUT", effect: "none" });
    expect(divider.stats()).toMatchObject({ connections: 1, waiting: 0 });
    divider.destroy();
    await expect(first).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("while connecting rejects with effect none", async () => {
    await using stalled = await stalledServer();
    await using divider = client([stalled]);
    await expect(divider.divide({ num1: 1 }, { timeoutMs: 40 })).rejects.toMatchObject({
      code: "TIMEOUT",
      effect: "none",
    });
    expect(divider.stats().connections).toBe(0);
  });

  it("may go on elsewhere when it has a time for each attempt", async () => {
    await using silent = await RawServer.listen(() => {});
    await using server = await listen();
    await using divider = client([silent, server], { attemptTimeoutMs: 40 });
    for (let num1 = 0; num1 < 20; num1++) expect(await divider.divide({ num1 })).toBe(num1);
    expect(silent.requests.length).toBeGreaterThan(0);
    await awaitCondition(() => silent.open === 0);
  });

  it("is ended by its signal", async () => {
    await using server = await RawServer.listen(() => {});
    await using divider = client([server]);
    const controller = new AbortController();
    const call = divider.divide({ num1: 1 }, { signal: controller.signal });
    await awaitCondition(() => server.requests.length === 1);
    controller.abort(new Error("not needed any more"));
    await expect(call).rejects.toMatchObject({
      code: "ABORTED",
      effect: "unknown",
      cause: { message: "not needed any more" },
    });
    await awaitCondition(() => server.open === 0);
    await expect(divider.divide({ num1: 1 }, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "ABORTED",
      effect: "none",
    });
  });
});

describe("closing a client", () => {
  it("waits for its calls and closes its connections", async () => {
    let answer = (): void => {};
    await using server = await RawServer.listen(({ socket }) => {
      answer = () => socket.write(result(3));
    });
    const divider = client([server]);
    const call = divider.divide({ num1: 3 });
    await awaitCondition(() => server.requests.length === 1);
    const closing = divider.close();
    await expect(divider.divide({ num1: 1 })).rejects.toMatchObject({ code: "CLOSED", effect: "none" });
    answer();
    await expect(call).resolves.toBe(3);
    await closing;
    await awaitCondition(() => server.open === 0);
    await divider.close();
  });

  it("by destroy ends its calls", async () => {
    await using server = await RawServer.listen(() => {});
    const divider = client([server]);
    const calls = [1, 2, 3].map((num1) => divider.divide({ num1 }));
    await awaitCondition(() => server.requests.length === 3);
    divider.destroy();
    for (const outcome of await Promise.allSettled(calls)) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "CLOSED", effect: "unknown" } });
    }
    await awaitCondition(() => server.open === 0);
  });

  it("leaves no socket and no timer, whatever happened to its calls", async () => {
    const sockets = openSockets();
    const timers = activeTimers();
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", onUnhandled);
    {
      const [dead = 0] = await freePorts(1);
      await using reset = await RawServer.listen(({ socket }) => socket.resetAndDestroy());
      await using silent = await RawServer.listen(() => {});
      await using refusing = await RawServer.listen(({ socket }) => socket.write(error("no")));
      await using good = await listen();
      const endpoints = [{ host: "127.0.0.1", port: dead }, reset, silent, refusing, good];
      const divider = client(endpoints, { connectionsPerEndpointMax: 5, waitingPerEndpointMax: 60 });
      const outcomes = await Promise.allSettled(
        Array.from({ length: 400 }, (_, num1) => {
          const signal = num1 % 7 === 0 ? AbortSignal.timeout(num1 % 300) : undefined;
          return divider.divide({ num1, num2: num1 % 5 }, { timeoutMs: 400 + (num1 % 200), signal });
        }),
      );
      // Whatever the machine's speed lets through: every call settled, and failures have a code.
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") expect(outcome.reason).toHaveProperty("code");
      }
      const inProgress = Array.from({ length: 20 }, () => divider.divide({ num1: 1 }));
      divider.destroy();
      await Promise.allSettled(inProgress);
      expect(divider.stats()).toMatchObject({ connections: 0, waiting: 0 });
    }
    await awaitCondition(() => openSockets() === sockets && activeTimers() <= timers, {
      describe: "sockets and timers to be gone",
    });
    process.off("unhandledRejection", onUnhandled);
    expect(unhandled).toEqual([]);
  });
});

describe("draining servers", () => {
  it("under load lose no call", async () => {
    const servers = await Promise.all([listen(), listen(), listen()]);
    const directory = new StaticDirectory(servers);
    await using divider = createRpcClient(Divide, { directory });
    let running = true;
    let calls = 0;
    const workers = Array.from({ length: 32 }, async (_, worker) => {
      while (running) {
        expect(await divider.divide({ num1: worker, num2: 4 })).toBe(worker / 4);
        calls++;
      }
    });
    const done = Promise.all(workers);
    done.catch(() => {});
    await awaitCondition(() => calls > 500);
    // First without a word to the directory: kept connections end between two calls.
    await servers[0]?.close({ graceMs: 400, quietMs: 20 });
    // Then in good order: the endpoint leaves the list, and connections grow quiet.
    directory.replace(servers.slice(2));
    await servers[1]?.close({ quietMs: 20 });
    const before = calls;
    await awaitCondition(() => calls > before + 500);
    running = false;
    await done;
    await servers[2]?.close({ quietMs: 20 });
  });

  it("in good order lose no call of a method that must not be called twice", async () => {
    const servers = await Promise.all([listen(), listen()]);
    const directory = new StaticDirectory(servers);
    await using careful = createRpcClient(Twice, { directory });
    let running = true;
    let calls = 0;
    const workers = Array.from({ length: 32 }, async (_, num1) => {
      while (running) {
        expect(await careful.divide({ num1 })).toBe(num1);
        calls++;
      }
    });
    const done = Promise.all(workers);
    done.catch(() => {});
    for (let round = 0; round < 5; round++) {
      const goal = calls + 300;
      await awaitCondition(() => calls > goal);
      const old = servers.shift();
      servers.push(await listen());
      directory.replace(servers);
      await old?.close({ quietMs: 20 });
    }
    running = false;
    await done;
    await Promise.all(servers.map((server) => server.close({ quietMs: 20 })));
  });
});
