// SPDX-License-Identifier: Apache-2.0
// Hostile bytes against a live server: mutated handshakes and requests, cut and joined at will. The server must
// go on serving others, drop whom it cannot understand without an internal error, and keep nothing of them.
import net from "node:net";
import { type Random, randomInt, seededRandom, silentLogger } from "@meerkat/runtime";
import { EmbeddedServer } from "@meerkat/server";
import { awaitCondition } from "@meerkat/testkit";
import {
  AddWatchRequest,
  AuthPacket,
  ConnectRequest,
  CreateRequest,
  CreateTtlRequest,
  DeleteRequest,
  GetDataResponse,
  GetEphemeralsRequest,
  type JuteRecord,
  type JuteWriter,
  MultiRequest,
  OPEN_ACL,
  OpCode,
  PathRecord,
  ReadRequest,
  ReconfigRequest,
  RequestHeader,
  SaslToken,
  SetAclRequest,
  SetDataRequest,
  SetWatches2,
  WatchesRequest,
} from "@meerkat/wire";
import { describe, expect, it } from "vitest";
import { converse } from "../server/plain-text.ts";
import { frame, RawClient } from "../support/raw-client.ts";

/** `FUZZ_SEED` replays a run, `FUZZ_FRAMES` makes it longer: `npm run fuzz -- server --frames N --seed S`. */
const { FUZZ_SEED = String(Date.now() % 1_000_000), FUZZ_FRAMES = "8000" } = process.env;
/** Frames that the server must have taken in; what stood behind a frame that ended a connection is not counted. */
const FRAMES = Number(FUZZ_FRAMES);
const TIMEOUT_MS = 120_000 + FRAMES * 3;
const REPORT_INTERVAL_MS = 15_000;
const FRAMES_PER_CONNECTION = 24;
const CONNECTIONS_AT_ONCE = 25;
/** Sessions of hostile connections expire during the run; the healthy one is quiet for a round and must not. */
const HOSTILE_TIMEOUT_MS = 2000;
const HEALTHY_TIMEOUT_MS = 120_000;

function pick<T>(random: Random, items: readonly T[]): T {
  return items[randomInt(random, items.length)] as T;
}

function request<T>(type: number, record: JuteRecord<T>, value: T): (writer: JuteWriter) => void {
  return (writer) => {
    RequestHeader.write(writer, { xid: 1, type });
    record.write(writer, value);
  };
}

const closeSession = { xid: 1, type: OpCode.closeSession };

/** One good request of any operation. */
function goodRequest(random: Random): Buffer {
  const path = pick(random, [
    "/",
    "/a",
    "/a/b",
    "/zookeeper",
    "/zookeeper/quota/a/zookeeper_limits",
    "",
    "/ü/ß",
  ]);
  const data = Buffer.from(random.bytes(randomInt(random, 40)));
  const version = pick(random, [-1, 0, 7]);
  const watch = random.float() < 0.5;
  const create = {
    path: `${path}/n${randomInt(random, 50)}`,
    data,
    acl: OPEN_ACL,
    flags: randomInt(random, 8),
  };
  const lists = { dataWatches: [path], existWatches: [path], childWatches: [path] };
  const write = pick(random, [
    request(pick(random, [1, 15, 19]), CreateRequest, create),
    request(OpCode.createTTL, CreateTtlRequest, { ...create, ttlMs: BigInt(randomInt(random, 9)) }),
    request(OpCode.delete, DeleteRequest, { path: create.path, version }),
    request(pick(random, [3, 4, 8, 12]), ReadRequest, { path, watch }),
    request(OpCode.setData, SetDataRequest, { path, data, version }),
    request(OpCode.setACL, SetAclRequest, { path, acl: OPEN_ACL, version }),
    request(pick(random, [6, 9, 104]), PathRecord, { path }),
    request(OpCode.auth, AuthPacket, { type: 0, scheme: "digest", auth: data }),
    request(OpCode.sasl, SaslToken, { token: data }),
    request(OpCode.addWatch, AddWatchRequest, { path, mode: randomInt(random, 3) }),
    request(pick(random, [17, 18]), WatchesRequest, { path, watcherType: randomInt(random, 7) }),
    request(pick(random, [101, 105]), SetWatches2, {
      relativeZxid: 0n,
      ...lists,
      persistentWatches: [path],
      persistentRecursiveWatches: [path],
    }),
    request(OpCode.getEphemerals, GetEphemeralsRequest, { prefixPath: path }),
    request(OpCode.reconfig, ReconfigRequest, {
      joiningServers: null,
      leavingServers: null,
      newMembers: null,
      curConfigId: -1n,
    }),
    request(pick(random, [14, 22]), MultiRequest, {
      operations: [
        { type: OpCode.create2, ...create },
        { type: OpCode.check, path, version },
        { type: OpCode.setData, path, data, version },
        { type: OpCode.delete, path: create.path, version },
      ],
    }),
  ]);
  return random.float() < 0.01 ? frame((writer) => RequestHeader.write(writer, closeSession)) : frame(write);
}

const mutations: readonly ((bytes: Buffer, random: Random) => Buffer)[] = [
  (bytes) => bytes,
  // Some bytes become others.
  (bytes, random) => {
    for (let count = randomInt(random, 5) + 1; count > 0; count--) {
      // Mostly behind the length, so that the frame itself is still read.
      const start = random.float() < 0.1 ? 0 : 12;
      if (start < bytes.length)
        bytes[start + randomInt(random, bytes.length - start)] = randomInt(random, 256);
    }
    return bytes;
  },
  // An int inside becomes a telling one.
  (bytes, random) => {
    const at = 4 + randomInt(random, Math.max(bytes.length - 8, 1));
    if (at + 4 <= bytes.length) {
      bytes.writeInt32BE(pick(random, [-1, -2, 0, 0x7fffffff, -0x80000000, 1 << 20, 255]), at);
    }
    return bytes;
  },
  // The body is shorter or longer than its record, with a frame length that agrees.
  (bytes, random) => {
    const extra = Buffer.from(random.bytes(randomInt(random, 30)));
    const body = Buffer.concat([bytes.subarray(4, 4 + randomInt(random, bytes.length - 3)), extra]);
    const header = Buffer.alloc(4);
    header.writeInt32BE(body.length);
    return Buffer.concat([header, body]);
  },
  // Another operation's body; an unknown operation ends the connection, so mostly a known one.
  (bytes, random) => {
    const type = random.float() < 0.2 ? randomInt(random, 130) - 15 : pick(random, Object.values(OpCode));
    if (bytes.length >= 12) bytes.writeInt32BE(type, 8);
    return bytes;
  },
  // Rarely no frame at all: nothing behind it is read.
  (bytes, random) => (random.float() < 0.1 ? Buffer.from(random.bytes(randomInt(random, 200) + 1)) : bytes),
];

function connectFrame(random: Random): Buffer {
  return frame((writer) => {
    ConnectRequest.write(writer, {
      protocolVersion: 0,
      lastZxidSeen: 0n,
      timeoutMs: HOSTILE_TIMEOUT_MS,
      sessionId: 0n,
      password: Buffer.alloc(16),
      readOnly: random.float() < 0.5,
    });
  });
}

/** One hostile connection from its opening to its end; resolves when it is closed. */
async function attack(port: number, random: Random): Promise<void> {
  const socket = net.connect({ port, host: "127.0.0.1" });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => {});
  socket.resume();
  const connect = connectFrame(random);
  const parts: Buffer[] = [random.float() < 0.1 ? pick(random, mutations)(connect, random) : connect];
  for (let count = 0; count < FRAMES_PER_CONNECTION; count++) {
    parts.push(pick(random, mutations)(goodRequest(random), random));
  }
  let bytes = Buffer.concat(parts);
  while (bytes.length > 0 && !socket.destroyed) {
    const cut = randomInt(random, 700) + 1;
    await new Promise((resolve) => socket.write(bytes.subarray(0, cut), resolve));
    bytes = bytes.subarray(cut);
  }
  if (random.float() < 0.5) socket.end();
  else socket.destroy();
  await closed;
}

/** Frames that the server took for requests so far. */
async function framesReceived(server: EmbeddedServer): Promise<number> {
  const mntr = await converse(server, "mntr");
  return Number(/^zk_packets_received\t(\d+)$/m.exec(mntr)?.[1]);
}

describe("mutated frames", () => {
  it(`leave a server that works and holds nothing (seed ${FUZZ_SEED})`, { timeout: TIMEOUT_MS }, async () => {
    const random = seededRandom(Number(FUZZ_SEED));
    const errors: unknown[] = [];
    const logger = { ...silentLogger, error: (fields: unknown) => errors.push(fields) };
    await using server = await EmbeddedServer.start({
      memory: true,
      tickTimeMs: 100,
      maxSessionTimeoutMs: HEALTHY_TIMEOUT_MS,
      saslUsers: { bob: "secret" },
      fourLetterWords: "*",
      runtime: { logger },
    });
    const healthy = await RawClient.connect(server, { timeoutMs: HEALTHY_TIMEOUT_MS });
    await healthy.create("/healthy", Buffer.from("still here"));
    let reportMs = performance.now();
    for (let received = 0; received < FRAMES; received = await framesReceived(server)) {
      if (performance.now() - reportMs > REPORT_INTERVAL_MS) {
        reportMs = performance.now();
        console.log(`${received} frames, ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB resident`);
      }
      await Promise.all(Array.from({ length: CONNECTIONS_AT_ONCE }, () => attack(server.port, random)));
      const read = { path: "/healthy", watch: false };
      const reply = await healthy.call(OpCode.getData, [ReadRequest, read], GetDataResponse);
      expect(reply.data?.toString()).toBe("still here");
    }
    expect(errors).toEqual([]);
    await awaitCondition(() => server.connectionCount === 1, {
      describe: "all hostile connections to be gone",
    });
    await healthy.close();
  });
});
