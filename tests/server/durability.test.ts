// SPDX-License-Identifier: Apache-2.0
// What the server may say, and when: nothing before it is on the disk, nothing at all when the disk fails.
import type { FileStore, OpenFile } from "@meerkat/runtime";
import { silentLogger } from "@meerkat/runtime";
import { EmbeddedServer } from "@meerkat/server";
import { awaitCondition } from "@meerkat/testkit";
import {
  CreateRequest,
  GetDataResponse,
  OPEN_ACL,
  OpCode,
  ReadRequest,
  SetDataRequest,
  StatResponse,
} from "@meerkat/wire";
import { describe, expect, it } from "vitest";
import { SimulatedDisk } from "../durability/support/simulated-disk.ts";
import { RawClient } from "../support/raw-client.ts";
import { converse } from "./plain-text.ts";

const NO_NODE = -101;
const NOT_READ_ONLY = -119;

/** A disk whose writes and syncs of logs wait at a gate while it is shut. */
class GatedDisk extends SimulatedDisk {
  #gate: Promise<void> = Promise.resolve();
  waiting = 0;

  /** Shuts the gate; the returned function opens it. */
  shut(): () => void {
    let open!: () => void;
    this.#gate = new Promise((resolve) => {
      open = resolve;
    });
    return open;
  }

  override async open(...args: Parameters<FileStore["open"]>): Promise<OpenFile> {
    const file = await super.open(...args);
    if (!args[0].includes("log.")) return file;
    const pass = async (): Promise<void> => {
      this.waiting++;
      await this.#gate;
      this.waiting--;
    };
    return {
      path: file.path,
      write: async (bytes, position) => {
        await pass();
        await file.write(bytes, position);
      },
      dataSync: async () => {
        await pass();
        await file.dataSync();
      },
      read: (into, position) => file.read(into, position),
      truncate: (length) => file.truncate(length),
      size: () => file.size(),
      close: () => file.close(),
    };
  }
}

function start(files: FileStore, errors: string[] = []): Promise<EmbeddedServer> {
  const logger = { ...silentLogger, error: (_fields: unknown, message: string) => errors.push(message) };
  return EmbeddedServer.start({ dataDir: "/data", files, tickTimeMs: 500, runtime: { logger } });
}

describe("a write", () => {
  it("is acknowledged, shown and announced only when it is on the disk; reads behind it wait too", async () => {
    const disk = new GatedDisk();
    await using server = await start(disk);
    await using writer = await RawClient.connect(server);
    await using reader = await RawClient.connect(server);
    await writer.create("/a", Buffer.from("old"));
    await reader.call(OpCode.getData, [ReadRequest, { path: "/a", watch: true }], GetDataResponse);
    const seen = [writer.received.length, reader.received.length];
    const open = disk.shut();
    const write = writer.send(OpCode.setData, (out) =>
      SetDataRequest.write(out, { path: "/a", data: Buffer.from("new"), version: -1 }),
    );
    await awaitCondition(() => disk.waiting > 0, { describe: "the write at the gate" });
    const read = reader.send(OpCode.getData, (out) => ReadRequest.write(out, { path: "/a", watch: false }));
    // A connection without anything to hold is served meanwhile: the server itself does not stand still.
    expect(await converse(server, "srvr")).toContain("Mode: standalone");
    expect([writer.received.length, reader.received.length]).toEqual(seen);
    open();
    const { header } = await writer.reply(write);
    const reply = await reader.reply(read);
    expect(reply.header.zxid).toBe(header.zxid);
    expect(reader.events.map(({ type, path }) => [type, path])).toEqual([[3, "/a"]]);
    const event = reader.received.findIndex(({ header: { xid } }) => xid === -1);
    expect(event).toBeLessThan(reader.received.indexOf(reply));
  });

  it("survives a restart with its Stat, and so do sessions, ephemerals and sequence counters", async () => {
    const disk = new SimulatedDisk();
    const first = await start(disk);
    const client = await RawClient.connect(first, { timeoutMs: 10_000 });
    await client.create("/q");
    expect(await client.create("/q/s-", null, 3)).toBe("/q/s-0000000000");
    const set = { path: "/q", data: Buffer.from("x"), version: 0 };
    const { stat } = await client.call(OpCode.setData, [SetDataRequest, set], StatResponse);
    const session = client.session;
    if (session === undefined || session.password === null) throw new Error("no session");
    client.destroy();
    await first.close();
    await using second = await start(disk);
    await using resumed = await RawClient.connect(second, {
      sessionId: session.sessionId,
      password: session.password,
    });
    expect(resumed.session?.sessionId).toBe(session.sessionId);
    const read = { path: "/q", watch: false };
    const after = await resumed.call(OpCode.getData, [ReadRequest, read], GetDataResponse);
    expect(after.stat.toObject()).toEqual(stat.toObject());
    expect(await resumed.create("/q/s-", null, 3)).toBe("/q/s-0000000001");
  });
});

describe("a failing disk", () => {
  for (const fault of ["ENOSPC", "EIO"] as const) {
    it(`(${fault}) ends acknowledgement: the write is never answered, reads go on without it`, async () => {
      const disk = new SimulatedDisk();
      const errors: string[] = [];
      await using server = await start(disk, errors);
      await using client = await RawClient.connect(server);
      await client.create("/kept", Buffer.from("kept"));
      disk.fault = (operation, path) =>
        path.includes("log.") && (operation === "write" || operation === "sync") ? fault : undefined;
      const create = { path: "/lost", data: null, acl: OPEN_ACL, flags: 0 };
      const xid = client.send(OpCode.create, (out) => CreateRequest.write(out, create));
      await client.untilClosed();
      expect(client.received.some(({ header }) => header.xid === xid)).toBe(false);
      await awaitCondition(() => server.mode === "read-only", { describe: "the server to be read-only" });
      expect(errors.join()).toContain("nothing is acknowledged any more");

      const writer = await RawClient.connect(server);
      expect(writer.session).toBeUndefined();
      await using reader = await RawClient.connect(server, { readOnly: true });
      expect(reader.session?.readOnly).toBe(true);
      const kept = { path: "/kept", watch: false };
      expect((await reader.call(OpCode.getData, [ReadRequest, kept], GetDataResponse)).data?.toString()).toBe(
        "kept",
      );
      expect(await reader.code(OpCode.getData, ReadRequest, { path: "/lost", watch: false })).toBe(NO_NODE);
      expect(await reader.code(OpCode.create, CreateRequest, create)).toBe(NOT_READ_ONLY);
    });
  }

  it("is forgotten after a restart on a disk that works", async () => {
    const disk = new SimulatedDisk();
    const first = await start(disk);
    const client = await RawClient.connect(first);
    await client.create("/kept");
    disk.fault = (operation) => (operation === "write" ? "EIO" : undefined);
    client.send(OpCode.create, (out) =>
      CreateRequest.write(out, { path: "/maybe", data: null, acl: OPEN_ACL, flags: 0 }),
    );
    await client.untilClosed();
    await first.close();
    disk.fault = () => undefined;
    await using second = await start(disk);
    await using again = await RawClient.connect(second);
    expect(await again.code(OpCode.exists, ReadRequest, { path: "/kept", watch: false })).toBe(0);
    expect(await again.create("/new")).toBe("/new");
  });
});
