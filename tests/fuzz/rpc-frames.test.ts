// SPDX-License-Identifier: Apache-2.0
// Hostile bytes against a live server: it must keep serving, and keep nothing of them.
import type { Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { StaticDirectory } from "@meerkat/governance";
import { arg, createRpcClient, defineService, f32, i32 } from "@meerkat/rpc";
import { type Random, randomInt, seededRandom } from "@meerkat/runtime";
import { awaitCondition } from "@meerkat/testkit";
import { describe, expect, it } from "vitest";
import { divideRequest, error, listen, request, result } from "../rpc/divide.ts";
import { activeTimers, openSockets, RawClient } from "../rpc/raw-client.ts";
import { RawServer } from "../rpc/raw-server.ts";

/** `FUZZ_SEED` replays a run, `FUZZ_FRAMES` makes it longer. */
const { FUZZ_SEED = String(Date.now() % 1_000_000), FUZZ_FRAMES = "10000" } = process.env;
const seed = Number(FUZZ_SEED);
const frames = Number(FUZZ_FRAMES);
// The collector can be called without starting the process with its flag.
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
/** Hostile connections open at a time. */
const CONNECTIONS = 50;

/** One way to spoil a good frame. */
type Mutation = (frame: Buffer, random: Random) => Buffer;

const mutations: readonly Mutation[] = [
  // Random bytes over random places.
  (frame, random) => {
    for (let count = randomInt(random, 4) + 1; count > 0; count--) {
      frame[randomInt(random, frame.length)] = randomInt(random, 256);
    }
    return frame;
  },
  // A wrong length of the name.
  (frame, random) => {
    frame.writeUInt32BE(randomInt(random, 2 ** (1 + randomInt(random, 32))), 0);
    return frame;
  },
  // A wrong length of the arguments.
  (frame, random) => {
    const place = 4 + frame.readUInt32BE(0);
    if (place + 4 <= frame.length)
      frame.writeUInt32BE(randomInt(random, 2 ** (1 + randomInt(random, 17))), place);
    return frame;
  },
  // Cut short.
  (frame, random) => frame.subarray(0, randomInt(random, frame.length)),
  // Too long.
  (frame, random) => Buffer.concat([frame, random.bytes(1 + randomInt(random, 30))]),
  // Nothing but noise.
  (_frame, random) => Buffer.from(random.bytes(1 + randomInt(random, 300))),
  // Noise that starts like the wire.
  (_frame, random) => Buffer.concat([Buffer.alloc(4), random.bytes(1 + randomInt(random, 300))]),
  // Another name, and arguments of noise.
  (_frame, random) =>
    request(randomInt(random, 2) === 0 ? "divide" : "mul", Buffer.from(random.bytes(randomInt(random, 40)))),
  // As it was: good frames between bad ones.
  (frame) => frame,
];

function mutated(random: Random): Buffer {
  const frame = divideRequest(randomInt(random, 1000), randomInt(random, 3));
  const mutation = mutations[randomInt(random, mutations.length)] as Mutation;
  return mutation(frame, random);
}

/** Sends a few frames on a connection of their own and closes in one of the ways there are. */
async function attack(server: { readonly port: number }, random: Random, count: number): Promise<void> {
  const client = await RawClient.connect(server);
  for (let sent = 0; sent < count && !client.closed; sent++) {
    const bytes = mutated(random);
    const cut = randomInt(random, bytes.length + 1);
    client.write(bytes.subarray(0, cut));
    if (randomInt(random, 4) === 0) await new Promise((resolve) => setImmediate(resolve));
    client.write(bytes.subarray(cut));
  }
  const way = randomInt(random, 3);
  if (way === 0) client.socket.resetAndDestroy();
  else if (way === 1) client.socket.end();
  else client.socket.destroy();
  await awaitCondition(() => client.closed, { describe: "the server to close a hostile connection" });
}

describe(`with the seed ${seed}, ${frames} mutated frames`, () => {
  it("stop no other client from being served, and leave no connection, timer or memory", async () => {
    const random = seededRandom(seed);
    const sockets = openSockets();
    const timers = activeTimers();
    let turn = 0;
    const server = await listen(({ num1, num2 }) => {
      // Half of the calls are asynchronous, so that connections also die under a running handler.
      const value = num1 / num2;
      return ++turn % 2 === 0 ? value : new Promise((resolve) => setImmediate(() => resolve(value)));
    });
    await using bystander = await RawClient.connect(server);
    let sent = 0;
    let heapBytes = 0;
    for (let round = 0; sent < frames; round++) {
      await Promise.all(
        Array.from({ length: CONNECTIONS }, () => {
          const count = 1 + randomInt(random, 8);
          sent += count;
          return attack(server, seededRandom(randomInt(random, 2 ** 31)), count);
        }),
      );
      bystander.write(divideRequest(round, 4));
      await bystander.expectBytes(result(round / 4));
      // Everything is warm after some rounds; from then on memory must not grow.
      if (round === 5) heapBytes = collectedHeapBytes();
    }
    await awaitCondition(() => server.stats.connections === 1 && server.stats.inFlight === 0, {
      describe: "only the bystander to be left",
    });
    expect(collectedHeapBytes() - heapBytes).toBeLessThan(8 * 1024 * 1024);
    const { stats } = server;
    expect(stats.internalErrors).toBe(0);
    for (const counter of [
      "results",
      "unknownMethods",
      "badArguments",
      "formatErrors",
      "truncatedRequests",
    ] as const) {
      expect(stats[counter], counter).toBeGreaterThan(0);
    }
    bystander.socket.destroy();
    await server.close({ quietMs: 10 });
    await awaitCondition(() => openSockets() <= sockets && activeTimers() <= timers);
  });
});

/** Sends a reply that is mostly no reply, sometimes in pieces, sometimes followed by the end. */
function answerBadly(socket: Socket, random: Random): void {
  const good = randomInt(random, 2) === 0 ? result(randomInt(random, 100)) : error("invalid operation");
  const changes: readonly Mutation[] = [
    ...mutations.slice(0, 1),
    (reply) => reply.subarray(0, randomInt(random, reply.length + 1)),
    (reply) => Buffer.concat([reply, random.bytes(1 + randomInt(random, 9))]),
    (reply) => {
      if (reply.length > 5) reply.writeUInt32BE(randomInt(random, 2 ** (1 + randomInt(random, 32))), 1);
      return reply;
    },
    () => Buffer.from(random.bytes(1 + randomInt(random, 40))),
    (reply) => reply,
  ];
  const reply = (changes[randomInt(random, changes.length)] as Mutation)(good, random);
  const cut = randomInt(random, reply.length + 1);
  socket.write(reply.subarray(0, cut));
  socket.write(reply.subarray(cut));
  // Silence after half a reply costs a whole timeout, so it is rare.
  const way = randomInt(random, 20);
  if (reply !== good && way > 0) socket[way % 2 === 0 ? "end" : "destroySoon"]();
}

it(`with the seed ${seed}, mutated replies settle every call and leave nothing in the client`, async () => {
  const random = seededRandom(seed);
  const sockets = openSockets();
  const timers = activeTimers();
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", onUnhandled);
  {
    await using server = await RawServer.listen(({ socket }) => answerBadly(socket, random));
    // Not idempotent, so that every failure reaches the caller.
    const Once = defineService("once", {
      divide: { args: { num1: arg(1, i32), num2: arg(2, i32) }, result: f32 },
    });
    await using client = createRpcClient(Once, {
      directory: new StaticDirectory([server]),
      timeoutMs: 500,
      connectionsPerEndpointMax: 32,
    });
    const codes = new Set<string>();
    for (let calls = 0; calls < frames / 5; calls += 200) {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 200 }, (_, num1) => client.divide({ num1, num2: 2 })),
      );
      for (const outcome of outcomes) {
        codes.add(outcome.status === "fulfilled" ? "ok" : (outcome.reason as { readonly code: string }).code);
      }
    }
    expect([...codes]).toEqual(expect.arrayContaining(["ok", "INVALID_OPERATION", "PROTOCOL_ERROR"]));
    expect(codes).not.toContain(undefined);
    expect(client.stats().waiting).toBe(0);
  }
  await awaitCondition(() => openSockets() <= sockets && activeTimers() <= timers);
  process.off("unhandledRejection", onUnhandled);
  expect(unhandled).toEqual([]);
});

/** Bytes in use after a full collection. */
function collectedHeapBytes(): number {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
