// SPDX-License-Identifier: Apache-2.0
// Clients that take too much, and what the server lets them have.
import net from "node:net";
import { deferred, type FileStore, systemFiles } from "@meerkat/runtime";
import { EmbeddedServer } from "@meerkat/server";
import { awaitCondition, scratchDir } from "@meerkat/testkit";
import {
  AddWatchRequest,
  AuthPacket,
  GetDataResponse,
  OpCode,
  ReadRequest,
  SetDataRequest,
  StatResponse,
} from "@meerkat/wire";
import { describe, expect, it } from "vitest";
import { frame, RawClient } from "../support/raw-client.ts";
import { converse } from "./plain-text.ts";

const nothing = Buffer.alloc(0);

/** The disk, whose writes wait for `gate`. */
function gatedFiles(gate: () => Promise<void>): FileStore {
  return {
    ...systemFiles,
    async open(...args) {
      const file = await systemFiles.open(...args);
      return {
        path: file.path,
        write: async (bytes, position) => {
          await gate();
          await file.write(bytes, position);
        },
        read: (into, position) => file.read(into, position),
        dataSync: () => file.dataSync(),
        truncate: (length) => file.truncate(length),
        size: () => file.size(),
        close: () => file.close(),
      };
    },
  };
}

describe("limits", () => {
  it("refuse connections over the number for one address and over the number in all", async () => {
    for (const limits of [{ connectionsPerAddressMax: 2 }, { connectionsMax: 2 }]) {
      await using server = await EmbeddedServer.start({ memory: true, limits });
      await using first = await RawClient.connect(server);
      const second = await RawClient.connect(server);
      const third = await RawClient.open(server);
      await third.untilClosed();
      expect(third.session).toBeUndefined();
      await second.close();
      await awaitCondition(() => server.connectionCount === 1);
      await using fourth = await RawClient.connect(server);
      expect([first.closed, fourth.session !== undefined]).toEqual([false, true]);
    }
  });

  it("cut connections that ask for no session in time, and only those", async () => {
    await using server = await EmbeddedServer.start({ memory: true, limits: { sessionlessMs: 100 } });
    await using client = await RawClient.connect(server);
    const silent = await RawClient.open(server);
    const hesitant = await RawClient.open(server);
    hesitant.sendBytes(Buffer.from([0, 0]));
    await silent.untilClosed();
    await hesitant.untilClosed();
    expect(client.closed).toBe(false);
  });

  it("close a connection whose frame is a byte too long, and take one that is not", async () => {
    await using server = await EmbeddedServer.start({ memory: true, limits: { frameBytesMax: 1000 } });
    await using client = await RawClient.connect(server);
    await client.create("/a");
    // xid, type, length and text of the path, length of the data, version
    const fits = 1000 - 8 - (4 + 2) - 4 - 4;
    const set = { path: "/a", data: Buffer.alloc(fits), version: -1 };
    const { stat } = await client.call(OpCode.setData, [SetDataRequest, set], StatResponse);
    expect(stat.dataLength).toBe(fits);
    client.send(OpCode.setData, (out) => SetDataRequest.write(out, { ...set, data: Buffer.alloc(fits + 1) }));
    await client.untilClosed();
  });

  it("stop reading a client that does not take its replies, and serve it to the end once it does", async () => {
    await using server = await EmbeddedServer.start({
      memory: true,
      limits: { outputPauseBytes: 64 * 1024 },
    });
    await using client = await RawClient.connect(server);
    await client.create("/big", Buffer.alloc(500_000));
    const socket = net.connect({ host: server.host, port: server.port });
    const connect = Buffer.alloc(48);
    connect.writeInt32BE(44, 0);
    connect.writeInt32BE(30_000, 16);
    connect.writeInt32BE(16, 28);
    const get = frame((out) => {
      out.int(1);
      out.int(OpCode.getData);
      ReadRequest.write(out, { path: "/big", watch: false });
    });
    const requests = 400;
    socket.write(Buffer.concat([connect, ...Array<Buffer>(requests).fill(get)]));
    socket.pause();
    await client.call(OpCode.getData, [ReadRequest, { path: "/big", watch: false }], GetDataResponse);
    // 200 MB of replies were asked for; the server holds a few of them, the kernel some more.
    expect(process.memoryUsage().rss).toBeLessThan(900 * 1024 * 1024);
    let bytes = 0;
    socket.on("data", (chunk) => {
      bytes += chunk.length;
    });
    socket.resume();
    const reply = 4 + 16 + 4 + 500_000 + 68;
    await awaitCondition(() => bytes >= requests * reply, { describe: "all replies" });
    expect(bytes).toBe(4 + 36 + requests * reply);
    socket.destroy();
  });

  it("drop a watcher that leaves its events unread, while the others get theirs", async () => {
    await using server = await EmbeddedServer.start({ memory: true, limits: { outputBytesMax: 200_000 } });
    await using writer = await RawClient.connect(server);
    await using reader = await RawClient.connect(server);
    const path = `/${"n".repeat(2000)}`;
    await writer.create(path);
    const slow = net.connect({ host: server.host, port: server.port });
    slow.on("error", () => {});
    const connect = Buffer.alloc(48);
    connect.writeInt32BE(44, 0);
    connect.writeInt32BE(30_000, 16);
    connect.writeInt32BE(16, 28);
    const watch = frame((out) => {
      out.int(1);
      out.int(OpCode.addWatch);
      AddWatchRequest.write(out, { path, mode: 0 });
    });
    slow.write(Buffer.concat([connect, watch]));
    slow.pause();
    await reader.code(OpCode.addWatch, AddWatchRequest, { path, mode: 0 });
    let writes = 0;
    await awaitCondition(
      async () => {
        for (let count = 0; count < 500; count++) {
          writer.send(OpCode.setData, (out) =>
            SetDataRequest.write(out, { path, data: nothing, version: -1 }),
          );
        }
        writes += 500;
        await writer.code(OpCode.sync, { write: (out) => out.ustring("/"), read: () => "" }, "");
        return server.connectionCount === 2;
      },
      { describe: "the slow watcher to be dropped" },
    );
    await awaitCondition(() => reader.events.length === writes, { describe: "the events of the other" });
    slow.destroy();
  });

  it("drop a connection whose large request passes the limit on all of them while others are in process", async () => {
    await using directory = await scratchDir();
    const gate = deferred<void>();
    let gated = false;
    const files = gatedFiles(() => (gated ? gate.promise : Promise.resolve()));
    const limits = { largeRequestBytes: 1000, largeRequestsBytesMax: 5000 };
    await using server = await EmbeddedServer.start({ dataDir: directory.join("data"), files, limits });
    await using first = await RawClient.connect(server);
    const second = await RawClient.connect(server);
    await first.create("/a");
    const set = (bytes: number) => ({ path: "/a", data: Buffer.alloc(bytes), version: -1 });
    // Alone it passes, however often: what was answered counts no more.
    for (let round = 0; round < 3; round++) {
      expect(await second.code(OpCode.setData, SetDataRequest, set(3000))).toBe(0);
    }
    gated = true;
    const held = first.code(OpCode.setData, SetDataRequest, set(3000));
    await awaitCondition(async () => (await converse(server, "srvr")).includes("Outstanding: 1\n"));
    second.send(OpCode.setData, (out) => SetDataRequest.write(out, set(3000)));
    await second.untilClosed();
    gate.resolve();
    expect(await held).toBe(0);
  });

  it("admit handshakes no faster than the bucket of tokens allows", async () => {
    const connectThrottle = {
      tokens: 2,
      fillIntervalMs: 3_600_000,
      fillCount: 1,
      newSessionTokens: 1,
      renewedSessionTokens: 1,
    };
    await using server = await EmbeddedServer.start({ memory: true, limits: { connectThrottle } });
    await using first = await RawClient.connect(server);
    await using second = await RawClient.connect(server);
    const third = await RawClient.open(server);
    third.sendConnect();
    await third.untilClosed();
    expect([first.closed, second.closed, third.session]).toEqual([false, false, undefined]);
  });

  it("leave a half-open connection nothing but its end", async () => {
    await using server = await EmbeddedServer.start({ memory: true });
    await using client = await RawClient.connect(server);
    const socket = net.connect({ host: server.host, port: server.port, allowHalfOpen: true });
    await new Promise<void>((resolve) => socket.once("connect", resolve));
    socket.resume();
    socket.end();
    await new Promise<void>((resolve) => socket.once("end", resolve));
    await awaitCondition(() => server.connectionCount === 1, { describe: "the half-open connection to go" });
    expect(client.closed).toBe(false);
  });
});

describe("required authentication", () => {
  it("refuses everything else before it and ends the connection", async () => {
    await using server = await EmbeddedServer.start({ memory: true, requiredAuthSchemes: ["digest"] });
    const stranger = await RawClient.connect(server);
    expect(await stranger.code(OpCode.exists, ReadRequest, { path: "/", watch: false })).toBe(-124);
    await stranger.untilClosed();
    await using bob = await RawClient.connect(server);
    const auth = { type: 0, scheme: "digest", auth: Buffer.from("bob:secret") };
    bob.send(OpCode.auth, (out) => AuthPacket.write(out, auth), -4);
    expect((await bob.reply(-4)).header.err).toBe(0);
    expect(await bob.code(OpCode.exists, ReadRequest, { path: "/", watch: false })).toBe(0);
  });
});
