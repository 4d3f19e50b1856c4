// SPDX-License-Identifier: Apache-2.0
import {
  type AttemptEvent,
  type Endpoint,
  type GovernanceError,
  isGovernanceError,
  randomBalancer,
  ServiceCaller,
  type ServiceCallerOptions,
  StaticDirectory,
} from "@meerkat/governance";
import { CodedError, type Effect, InvalidArgumentError, seededRandom } from "@meerkat/runtime";
import { VirtualClock } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";

const A = { host: "a", port: 1 };
const B = { host: "b", port: 2 };
const C = { host: "c", port: 3 };

/** A failure as a transport would report it. */
function failure(effect: Effect, connection?: boolean): CodedError {
  const context = connection === undefined ? {} : { connection };
  return new CodedError(`failed with effect ${effect}`, { code: "TEST_FAILURE", effect, context });
}

function setUp(
  endpoints: readonly { host: string; port: number; weight?: number }[],
  options: Partial<ServiceCallerOptions> = {},
): { clock: VirtualClock; directory: StaticDirectory; caller: ServiceCaller; events: AttemptEvent[] } {
  const clock = new VirtualClock();
  const directory = new StaticDirectory(endpoints);
  const random = seededRandom(7);
  const caller = new ServiceCaller({
    directory,
    balancer: randomBalancer(random),
    runtime: { clock, random },
    ...options,
  });
  const events: AttemptEvent[] = [];
  caller.onAttempt((event) => events.push(event));
  return { clock, directory, caller, events };
}

/** Lets time run until the promise settles. */
async function settled<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  let done = false;
  const watched = promise.finally(() => {
    done = true;
  });
  watched.catch(() => {});
  await clock.settle();
  for (let steps = 0; !done && steps < 10_000; steps++) await clock.advanceToNext();
  if (!done) throw new Error("nothing left to wait for, yet the promise is pending");
  return watched;
}

async function rejection(clock: VirtualClock, promise: Promise<unknown>): Promise<unknown> {
  try {
    await settled(clock, promise);
  } catch (error) {
    return error;
  }
  throw new Error("expected a rejection");
}

describe("failing over", () => {
  test("tries the next endpoint after a failure without effect, and each endpoint once", async () => {
    const { clock, caller, events } = setUp([A, B, C]);
    let left = 2;
    const host = await settled(
      clock,
      caller.call(async (endpoint) => {
        if (left-- > 0) throw failure("none");
        return endpoint.host;
      }),
    );
    expect(events.map((event) => event.outcome)).toEqual(["connectionFailed", "connectionFailed", "ok"]);
    expect(new Set(events.map((event) => event.endpoint.host)).size).toBe(3);
    expect(events.map((event) => event.attempt)).toEqual([1, 2, 3]);
    expect(events[2]?.endpoint.host).toBe(host);
  });

  test("passes a failure of unknown effect on when the call is not idempotent", async () => {
    const { clock, caller, events } = setUp([A, B]);
    const thrown = failure("unknown");
    expect(
      await rejection(
        clock,
        caller.call(() => Promise.reject(thrown)),
      ),
    ).toBe(thrown);
    expect(events).toHaveLength(1);
  });

  test("tries elsewhere after a failure of unknown effect when the call is idempotent", async () => {
    const { clock, caller, events } = setUp([A, B]);
    let left = 1;
    const value = caller.call(
      () => (left-- > 0 ? Promise.reject(failure("unknown")) : Promise.resolve("x")),
      {
        idempotent: true,
      },
    );
    expect(await settled(clock, value)).toBe("x");
    expect(new Set(events.map((event) => event.endpoint.host)).size).toBe(2);
  });

  test("never retries what the server answered, and does not blame the endpoint for it", async () => {
    const { clock, caller, events } = setUp([A]);
    const thrown = failure("applied");
    const call = caller.call(() => Promise.reject(thrown), { idempotent: true });
    expect(await rejection(clock, call)).toBe(thrown);
    expect(events.map((event) => event.outcome)).toEqual(["rejected"]);
    expect(caller.endpoints()[0]?.down).toBe(false);
  });

  test("never retries a mistake of the caller, though it had no effect", async () => {
    const { clock, caller } = setUp([A, B]);
    const thrown = new InvalidArgumentError("num1", "num1 must be an integer");
    expect(
      await rejection(
        clock,
        caller.call(() => Promise.reject(thrown), { idempotent: true }),
      ),
    ).toBe(thrown);
    expect(caller.endpoints().some((report) => report.down)).toBe(false);
  });

  test("an attempt that throws at once is handled like one that rejects", async () => {
    const { clock, caller } = setUp([A]);
    const thrown = failure("unknown");
    const call = caller.call(() => {
      throw thrown;
    });
    expect(await rejection(clock, call)).toBe(thrown);
    expect(caller.endpoints()[0]?.inFlight).toBe(0);
  });

  test("a refused connection of a plain socket counts as never sent", async () => {
    const { clock, caller } = setUp([A, B]);
    let left = 1;
    const call = caller.call(() => {
      if (left-- <= 0) return Promise.resolve("x");
      return Promise.reject(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }));
    });
    expect(await settled(clock, call)).toBe("x");
  });

  test("retries that may have reached a server are bounded", async () => {
    const { clock, caller, events } = setUp([A, B, C, { host: "d", port: 4 }, { host: "e", port: 5 }], {
      retriesMax: 2,
    });
    const call = caller.call(() => Promise.reject(failure("unknown")), { idempotent: true });
    expect(await rejection(clock, call)).toMatchObject({ code: "TEST_FAILURE" });
    expect(events).toHaveLength(3);
  });

  test("all calls together retry no more than the budget allows", async () => {
    const { clock, caller, events } = setUp([A, B], { retryBudget: { ratio: 0.2, perSecondMin: 1 } });
    for (let calls = 0; calls < 500; calls++) {
      await rejection(
        clock,
        caller.call(() => Promise.reject(failure("unknown")), { idempotent: true }),
      );
    }
    // 20 % of 500 calls, and 1 a second for the window of 10 s.
    expect(events.length - 500).toBe(110);
  });

  test("calls that lose one connection together all move on, whatever the budget", async () => {
    const { clock, caller, events } = setUp([A, B], { retryBudget: { ratio: 0, perSecondMin: 0 } });
    const calls = Array.from({ length: 300 }, () =>
      caller.call(
        async (endpoint) => {
          if (endpoint.host === "a") throw failure("unknown", true);
          return endpoint.host;
        },
        { idempotent: true },
      ),
    );
    expect(await settled(clock, Promise.all(calls))).toEqual(calls.map(() => "b"));
    expect(events.some((event) => event.outcome === "connectionFailed")).toBe(true);
  });
});

test("a call that loses one connection after another needs the budget for it", async () => {
  const { clock, caller, events } = setUp([A, B, C], { retryBudget: { ratio: 0, perSecondMin: 0 } });
  const call = caller.call(() => Promise.reject(failure("unknown", true)), { idempotent: true });
  expect(await rejection(clock, call)).toMatchObject({ code: "TEST_FAILURE", effect: "unknown" });
  expect(events).toHaveLength(2);
});

describe("endpoints that are down", () => {
  test("are avoided at once and tried again by one call when their time has come", async () => {
    const { clock, caller, events } = setUp([A, B, C]);
    let alive = false;
    const attempt = async (endpoint: Endpoint): Promise<string> => {
      if (endpoint.host === "a" && !alive) throw failure("none");
      return endpoint.host;
    };
    // Until the first one meets the dead endpoint.
    while (!caller.endpoints().some((report) => report.down)) await settled(clock, caller.call(attempt));
    events.length = 0;
    for (let calls = 0; calls < 100; calls++) await settled(clock, caller.call(attempt));
    expect(events.some((event) => event.endpoint.host === "a")).toBe(false);

    alive = true;
    await clock.advance(1_000);
    await settled(clock, caller.call(attempt));
    expect(events.at(-1)?.endpoint.host).toBe("a");
    expect(caller.endpoints().some((report) => report.down)).toBe(false);
  });

  test("get calls less and less often while they stay down", async () => {
    const { clock, caller, events } = setUp([A, B]);
    const attempt = async (endpoint: Endpoint): Promise<void> => {
      if (endpoint.host === "a") throw failure("none");
    };
    const triesWithin = async (ms: number): Promise<number> => {
      events.length = 0;
      for (let elapsed = 0; elapsed < ms; elapsed += 50) {
        await settled(clock, caller.call(attempt));
        await clock.advance(50);
      }
      return events.filter((event) => event.endpoint.host === "a").length;
    };
    const atFirst = await triesWithin(10_000);
    expect(atFirst).toBeGreaterThanOrEqual(3);
    expect(atFirst).toBeLessThanOrEqual(6);
    const later = await triesWithin(60_000);
    expect(later).toBeGreaterThanOrEqual(2);
    expect(later).toBeLessThanOrEqual(6);
  });

  test("are never met by a call when a background probe is given", async () => {
    let alive = false;
    const probed: number[] = [];
    const { clock, caller, events } = setUp([A, B], {
      health: {
        probe: () => {
          probed.push(clock.nowMs());
          return alive ? Promise.resolve() : Promise.reject(new Error("refused"));
        },
      },
    });
    const attempt = async (endpoint: Endpoint): Promise<string> => {
      if (endpoint.host === "a" && !alive) throw failure("none");
      return endpoint.host;
    };
    while (!caller.endpoints().some((report) => report.down)) await settled(clock, caller.call(attempt));
    events.length = 0;
    for (let seconds = 0; seconds < 30; seconds++) {
      await clock.advance(1_000);
      await settled(clock, caller.call(attempt));
    }
    expect(events.some((event) => event.endpoint.host === "a")).toBe(false);
    expect(probed.length).toBeGreaterThanOrEqual(3);
    alive = true;
    await clock.advance(31_000);
    expect(caller.endpoints().some((report) => report.down)).toBe(false);
    await caller.close();
    expect(clock.timers).toBe(0);
  });

  test("a probe that hangs is given up and tried again", async () => {
    let probes = 0;
    const { clock, caller } = setUp([A, B], {
      health: {
        probe: () => {
          probes++;
          return probes < 3 ? new Promise(() => {}) : Promise.resolve();
        },
      },
    });
    const attempt = async (endpoint: Endpoint): Promise<void> => {
      if (endpoint.host === "a") throw failure("none");
    };
    while (!caller.endpoints().some((report) => report.down)) await settled(clock, caller.call(attempt));
    await clock.advance(30_000);
    expect(probes).toBe(3);
    expect(caller.endpoints().some((report) => report.down)).toBe(false);
  });

  test("a server that hangs is down after some timeouts, and one repeatable call tries it now and then", async () => {
    let hangs = true;
    const { clock, caller, events } = setUp([A, B, C], {
      attemptTimeoutMs: 100,
      // It still accepts connections, so connecting proves nothing here.
      health: { probe: () => Promise.resolve() },
    });
    const attempt = (endpoint: Endpoint): Promise<string> =>
      endpoint.host === "a" && hangs ? new Promise(() => {}) : Promise.resolve(endpoint.host);
    const call = (): Promise<string> => settled(clock, caller.call(attempt, { idempotent: true }));
    while (!caller.endpoints().some((report) => report.down)) await call();
    expect(events.filter((event) => event.outcome === "timedOut")).toHaveLength(5);

    events.length = 0;
    for (let calls = 0; calls < 100; calls++) {
      await call();
      await clock.advance(100);
    }
    const timeouts = events.filter((event) => event.outcome === "timedOut").length;
    expect(timeouts).toBeGreaterThanOrEqual(2);
    expect(timeouts).toBeLessThanOrEqual(5);

    // Calls that may not be repeated are not sent there, for half a minute at least.
    await clock.advance(20_000);
    for (let calls = 0; calls < 20; calls++) await settled(clock, caller.call(attempt));

    hangs = false;
    await clock.advance(30_000);
    await call();
    expect(caller.endpoints().some((report) => report.down)).toBe(false);
    await caller.close();
    expect(clock.timers).toBe(0);
  });

  test("failures take out no more than half of the endpoints, and any answer starts the count again", async () => {
    const { clock, caller } = setUp([A, B, C, { host: "d", port: 4 }]);
    for (let calls = 0; calls < 200; calls++) {
      await rejection(
        clock,
        caller.call(() => Promise.reject(failure("unknown"))),
      );
    }
    expect(caller.endpoints().filter((report) => report.down)).toHaveLength(2);

    // B takes no calls, so A gets them all.
    const other = setUp([A, { ...B, weight: 0 }]);
    const call = (fails: boolean): Promise<unknown> => {
      const attempt = () => (fails ? Promise.reject(failure("unknown")) : Promise.resolve());
      return settled(
        other.clock,
        other.caller.call(attempt).catch(() => {}),
      );
    };
    for (let round = 0; round < 20; round++)
      for (const fails of [true, true, true, true, false]) await call(fails);
    expect(other.caller.endpoints()[0]?.down).toBe(false);
    for (let failures = 0; failures < 5; failures++) await call(true);
    expect(other.caller.endpoints()[0]?.down).toBe(true);
  });

  test("are tried nevertheless when nothing else is left, until one answers", async () => {
    const { clock, caller } = setUp([A, B], { timeoutMs: 5_000 });
    const call = caller.call(async (endpoint) => {
      if (clock.nowMs() < 2_000) throw failure("none");
      return endpoint.host;
    });
    expect(["a", "b"]).toContain(await settled(clock, call));
    expect(clock.nowMs()).toBeGreaterThanOrEqual(2_000);
    expect(clock.nowMs()).toBeLessThan(3_500);
  });

  test("a new registration of the address counts as a restart", async () => {
    const { clock, caller, directory } = setUp([{ ...A, path: "/rpc/server0000000001" } as never, B]);
    const attempt = async (endpoint: Endpoint): Promise<void> => {
      if (endpoint.host === "a") throw failure("none");
    };
    while (!caller.endpoints().some((report) => report.down)) await settled(clock, caller.call(attempt));
    directory.replace([{ ...A, path: "/rpc/server0000000007" }, B]);
    expect(caller.endpoints().some((report) => report.down)).toBe(false);
  });

  test("an endpoint of weight 0 gets no call while another one is up", async () => {
    const { clock, caller, events } = setUp([{ ...A, weight: 0 }, B]);
    for (let calls = 0; calls < 50; calls++)
      await settled(
        clock,
        caller.call(() => Promise.resolve()),
      );
    expect(events.every((event) => event.endpoint.host === "b")).toBe(true);
  });
});

describe("waiting", () => {
  test("a call without any endpoint waits for one to appear", async () => {
    const { clock, caller, directory } = setUp([]);
    const call = caller.call((endpoint) => Promise.resolve(endpoint.host));
    await clock.advance(3_000);
    directory.replace([B]);
    expect(await settled(clock, call)).toBe("b");
    expect(clock.nowMs()).toBe(3_000);
  });

  test("at the deadline it says that there was none, and where it looked", async () => {
    const { clock, caller } = setUp([], { timeoutMs: 2_000 });
    const error = await rejection(
      clock,
      caller.call(() => Promise.resolve()),
    );
    expect(clock.nowMs()).toBe(2_000);
    expect(isGovernanceError(error, "NO_ENDPOINT")).toBe(true);
    expect(error).toMatchObject({ effect: "none", context: { source: "static", known: 0, down: 0 } });
    expect((error as Error).message).toContain("no endpoint is known under static");
  });

  test("with endpoints that all refuse it says how many, how often and why", async () => {
    const { clock, caller } = setUp([A, B], { timeoutMs: 1_000 });
    const error = await rejection(
      clock,
      caller.call(() => Promise.reject(failure("none"))),
    );
    expect(error).toMatchObject({ code: "NO_ENDPOINT", effect: "none", context: { known: 2, down: 2 } });
    expect((error as Error).message).toMatch(
      /2 known, 2 down.*attempts; last error: failed with effect none/,
    );
    // Pauses grow, so a second of refusals is no storm.
    expect((error as GovernanceError).context.attempts).toBeLessThan(30);
  });

  test("an attempt that never answers ends at the deadline with unknown effect and an aborted signal", async () => {
    const { clock, caller, events } = setUp([A], { timeoutMs: 500 });
    let signal: AbortSignal | undefined;
    const call = caller.call((_endpoint, context) => {
      signal = context.signal;
      return new Promise<never>(() => {});
    });
    expect(await rejection(clock, call)).toMatchObject({ code: "DEADLINE_EXCEEDED", effect: "unknown" });
    expect(signal?.aborted).toBe(true);
    expect(events.map((event) => [event.outcome, event.latencyMs])).toEqual([["timedOut", 500]]);
    expect(clock.timers).toBe(0);
  });

  test("an attempt timeout lets an idempotent call go on elsewhere within its deadline", async () => {
    const { clock, caller, events } = setUp([A, B], { attemptTimeoutMs: 100 });
    const call = caller.call(
      (endpoint, context) =>
        context.attempt === 1 ? new Promise<never>(() => {}) : Promise.resolve(endpoint.host),
      { idempotent: true },
    );
    await settled(clock, call);
    expect(events.map((event) => event.outcome)).toEqual(["timedOut", "ok"]);
    expect(clock.nowMs()).toBe(100);
  });

  test("remaining time shrinks from attempt to attempt", async () => {
    const { clock, caller } = setUp([A, B], { timeoutMs: 1_000 });
    const remaining: number[] = [];
    const call = caller.call(async (_endpoint, context) => {
      remaining.push(context.remainingMs);
      if (context.attempt === 1) {
        await new Promise<void>((resolve) => clock.after(300, resolve));
        throw failure("none");
      }
    });
    await settled(clock, call);
    expect(remaining).toEqual([1_000, 700]);
  });

  test("the caller's signal ends waiting and attempts alike", async () => {
    const { clock, caller, directory } = setUp([]);
    const waiting = new AbortController();
    const call = caller.call(() => Promise.resolve(), { signal: waiting.signal });
    await clock.advance(10);
    waiting.abort(new Error("not needed"));
    expect(await rejection(clock, call)).toMatchObject({ code: "ABORTED", effect: "none" });

    directory.replace([A]);
    const running = new AbortController();
    const second = caller.call(() => new Promise<never>(() => {}), { signal: running.signal });
    await clock.settle();
    running.abort(new Error("not needed"));
    expect(await rejection(clock, second)).toMatchObject({ code: "ABORTED", effect: "unknown" });
    expect(
      await rejection(
        clock,
        caller.call(() => Promise.resolve(), { signal: running.signal }),
      ),
    ).toMatchObject({
      code: "ABORTED",
      effect: "none",
    });
    expect(clock.timers).toBe(0);
  });

  test("more waiting calls than allowed are refused at once", async () => {
    const { clock, caller } = setUp([], { waitingMax: 2 });
    const waiting = [caller.call(() => Promise.resolve()), caller.call(() => Promise.resolve())];
    for (const call of waiting) call.catch(() => {});
    await clock.settle();
    expect(
      await rejection(
        clock,
        caller.call(() => Promise.resolve()),
      ),
    ).toMatchObject({ code: "OVERLOADED" });
    caller.destroy();
  });
});

describe("closing", () => {
  test("close ends waiting calls, lets running ones finish and leaves no timer", async () => {
    const { clock, caller, directory } = setUp([]);
    const waiting = caller.call(() => Promise.resolve());
    waiting.catch(() => {});
    await clock.settle();
    directory.replace([A]);
    let finish!: (value: string) => void;
    const running = caller.call(() => new Promise<string>((resolve) => (finish = resolve)));
    await clock.settle();
    await waiting;
    let closed = false;
    const closing = caller.close().then(() => (closed = true));
    await clock.settle();
    expect(closed).toBe(false);
    finish("done");
    expect(await running).toBe("done");
    await closing;
    expect(clock.timers).toBe(0);
    expect(
      await rejection(
        clock,
        caller.call(() => Promise.resolve()),
      ),
    ).toMatchObject({ code: "CLOSED" });
  });

  test("a call that waits for an endpoint ends with CLOSED when the caller closes", async () => {
    const { clock, caller } = setUp([]);
    const waiting = caller.call(() => Promise.resolve());
    const error = rejection(clock, waiting);
    await clock.settle();
    await caller.close();
    expect(await error).toMatchObject({ code: "CLOSED", effect: "none" });
  });

  test("destroy aborts running attempts", async () => {
    const { clock, caller } = setUp([A]);
    const running = caller.call(() => new Promise<never>(() => {}));
    const error = rejection(clock, running);
    await clock.settle();
    caller.destroy();
    expect(await error).toMatchObject({ code: "CLOSED", effect: "unknown" });
    expect(clock.timers).toBe(0);
  });
});

test("a listener of attempts that throws harms nobody", async () => {
  const { clock, caller } = setUp([A]);
  caller.onAttempt(() => {
    throw new Error("listener");
  });
  expect(
    await settled(
      clock,
      caller.call(() => Promise.resolve(1)),
    ),
  ).toBe(1);
});

test("the outcome of an endpoint that left meanwhile is not booked on its successor", async () => {
  const { clock, caller, directory } = setUp([A]);
  let finish!: () => void;
  const running = caller.call(() => new Promise<void>((resolve) => (finish = resolve)));
  await clock.settle();
  directory.replace([B]);
  finish();
  await running;
  expect(caller.endpoints().map((report) => [report.endpoint.host, report.inFlight])).toEqual([["b", 0]]);
});
