// SPDX-License-Identifier: Apache-2.0
// Records what Apache ZooKeeper really says, for tests/golden: a codec that is tested only against itself
// can be wrong in both directions. A scripted client, and kazoo as a second opinion on the requests, talk
// to the real server through a proxy that keeps every frame; the server's transaction log is kept, too.
//
//   npm run build && node tools/capture-golden.mjs
import { readdir, readFile, writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { awaitCondition, FaultProxy, runPython, startRealZooKeeper } from "@meerkat/testkit";
import {
  AddWatchMode,
  AddWatchRequest,
  AuthPacket,
  ConnectRequest,
  ConnectResponse,
  CREATOR_ALL_ACL,
  CreateFlag,
  CreateRequest,
  CreateTtlRequest,
  DeleteRequest,
  FrameDecoder,
  GetEphemeralsRequest,
  JuteReader,
  JuteWriter,
  MultiRequest,
  OPEN_ACL,
  OpCode,
  PathRecord,
  ReadRequest,
  ReconfigRequest,
  ReplyHeader,
  RequestHeader,
  SetAclRequest,
  SetDataRequest,
  SetWatches,
  SetWatches2,
  WatcherType,
  WatchesRequest,
  Xid,
} from "@meerkat/wire";

const FRAMES_DIR = new URL("../tests/golden/frames/", import.meta.url);
const KAZOO_SCRIPT = new URL("../tests/python/golden_requests.py", import.meta.url).pathname;
const FRAME_BYTES_MAX = 1 << 24;

/** A client that sends what it is told and waits for the reply to each request. */
class Script {
  constructor(socket) {
    this.socket = socket;
    this.xid = 0;
    this.replies = new Map();
    this.events = 0;
    this.session = undefined;
    this.closed = false;
    const decoder = new FrameDecoder(FRAME_BYTES_MAX, (bytes, start, end) => {
      const reader = new JuteReader(bytes, start, end);
      if (this.session === undefined) {
        const { sessionId, password } = ConnectResponse.read(reader);
        this.session = { sessionId, password: Buffer.from(password ?? []) };
        return true;
      }
      const header = ReplyHeader.read(reader);
      if (header.xid === Xid.notification) this.events++;
      else this.replies.set(header.xid, header);
      return true;
    });
    socket.on("data", (chunk) => decoder.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => {
      this.closed = true;
    });
  }

  static async connect(port, options = {}) {
    const socket = net.connect({ host: "127.0.0.1", port });
    await new Promise((resolve) => socket.once("connect", resolve));
    const script = new Script(socket);
    script.send((writer) =>
      ConnectRequest.write(writer, {
        protocolVersion: 0,
        lastZxidSeen: 0n,
        timeoutMs: 10_000,
        sessionId: 0n,
        password: Buffer.alloc(16),
        readOnly: false,
        ...options,
      }),
    );
    await awaitCondition(() => script.session !== undefined || script.closed);
    return script;
  }

  send(write) {
    const writer = new JuteWriter();
    const frame = writer.beginFrame();
    write(writer);
    writer.endFrame(frame);
    this.socket.write(writer.take());
  }

  async call(type, record, request, xid = ++this.xid) {
    this.replies.delete(xid);
    this.send((writer) => {
      RequestHeader.write(writer, { xid, type });
      record?.write(writer, request);
    });
    await awaitCondition(() => this.replies.has(xid) || this.closed, { describe: `reply to op ${type}` });
    return this.replies.get(xid)?.err;
  }

  create(
    path,
    flags = CreateFlag.persistent,
    data = Buffer.from("data"),
    acl = OPEN_ACL,
    type = OpCode.create,
  ) {
    return this.call(type, CreateRequest, { path, data, acl, flags });
  }

  async close() {
    await this.call(OpCode.closeSession);
    this.socket.destroy();
  }
}

/** Conversations by name; each gets a function that opens connections through the recording proxy. */
const CONVERSATIONS = {
  async connect(open) {
    const first = await open();
    const old = await open({ readOnly: undefined });
    await old.close();
    const resumed = await open({ ...first.session, sessionId: first.session.sessionId });
    await resumed.close();
    await open(first.session);
    await open({ sessionId: 0x1234n, password: Buffer.alloc(16, 1) });
  },
  async create(open) {
    const client = await open();
    await client.create("/create");
    for (const flags of [0, 1, 2, 3]) {
      await client.create(`/create/old-${flags}-`, flags);
      await client.create(`/create/new-${flags}-`, flags, Buffer.from("x"), OPEN_ACL, OpCode.create2);
    }
    await client.create("/create/container", CreateFlag.container, null, OPEN_ACL, OpCode.createContainer);
    for (const flags of [5, 6]) {
      const request = { path: `/create/ttl-${flags}-`, data: null, acl: OPEN_ACL, flags, ttlMs: 60_000n };
      await client.call(OpCode.createTTL, CreateTtlRequest, request);
    }
    await client.create("/create/null", CreateFlag.persistent, null);
    await client.create("/create/empty", CreateFlag.persistent, Buffer.alloc(0));
    await client.create("/create/ünïcödé €", CreateFlag.persistent, Buffer.from("ü"));
    await client.close();
  },
  async readAndWrite(open) {
    const client = await open();
    const path = "/rw";
    await client.create(path);
    await client.create(`${path}/child`, CreateFlag.ephemeral);
    for (const type of [OpCode.exists, OpCode.getData, OpCode.getChildren, OpCode.getChildren2]) {
      await client.call(type, ReadRequest, { path, watch: false });
    }
    await client.call(OpCode.getData, ReadRequest, { path: "/zookeeper/config", watch: false });
    await client.call(OpCode.setData, SetDataRequest, { path, data: Buffer.from("changed"), version: 0 });
    await client.call(OpCode.setData, SetDataRequest, { path, data: null, version: -1 });
    await client.call(OpCode.getData, ReadRequest, { path, watch: false });
    await client.call(OpCode.setACL, SetAclRequest, { path, acl: OPEN_ACL, version: 0 });
    for (const type of [OpCode.getACL, OpCode.sync, OpCode.getAllChildrenNumber]) {
      await client.call(type, PathRecord, { path });
    }
    await client.call(OpCode.getEphemerals, GetEphemeralsRequest, { prefixPath: "/rw" });
    await client.call(OpCode.whoAmI);
    await client.call(OpCode.ping, undefined, undefined, Xid.ping);
    await client.call(OpCode.delete, DeleteRequest, { path: `${path}/child`, version: 0 });
    await client.call(OpCode.delete, DeleteRequest, { path, version: -1 });
    await client.close();
  },
  async errors(open) {
    const client = await open();
    await client.create("/errors");
    await client.create("/errors/ephemeral", CreateFlag.ephemeral);
    await client.create("/errors");
    await client.create("/errors/missing/child");
    await client.create("/errors/ephemeral/child");
    await client.create("/errors/acl", 0, null, []);
    await client.create("relative");
    await client.create("/errors/flags", 99);
    await client.call(OpCode.getData, ReadRequest, { path: "/errors/none", watch: true });
    await client.call(OpCode.exists, ReadRequest, { path: "/errors/none", watch: false });
    await client.call(OpCode.setData, SetDataRequest, { path: "/errors", data: null, version: 7 });
    await client.call(OpCode.delete, DeleteRequest, { path: "/errors", version: -1 });
    await client.call(OpCode.delete, DeleteRequest, { path: "/errors", version: 7 });
    const reconfig = { joiningServers: null, leavingServers: "1", newMembers: null, curConfigId: -1n };
    await client.call(OpCode.reconfig, ReconfigRequest, reconfig);
    await client.close();
  },
  async auth(open) {
    const client = await open();
    const packet = { type: 0, scheme: "digest", auth: Buffer.from("user:password") };
    await client.call(OpCode.auth, AuthPacket, packet, Xid.auth);
    await client.call(OpCode.whoAmI);
    await client.create("/auth", 0, null, CREATOR_ALL_ACL);
    await client.call(OpCode.getACL, PathRecord, { path: "/auth" });
    const stranger = await open();
    await stranger.call(OpCode.getData, ReadRequest, { path: "/auth", watch: false });
    await stranger.call(OpCode.auth, AuthPacket, { type: 0, scheme: "nonsense", auth: null }, Xid.auth);
    await client.close();
  },
  async watches(open) {
    const client = await open();
    const writer = await open();
    const path = "/watches";
    await client.create(path);
    for (const type of [OpCode.exists, OpCode.getData, OpCode.getChildren, OpCode.getChildren2]) {
      await client.call(type, ReadRequest, { path, watch: true });
    }
    await client.call(OpCode.exists, ReadRequest, { path: `${path}/later`, watch: true });
    await writer.create(`${path}/later`);
    await writer.call(OpCode.setData, SetDataRequest, { path, data: null, version: -1 });
    const recursive = { path, mode: AddWatchMode.persistentRecursive };
    await client.call(OpCode.addWatch, AddWatchRequest, recursive);
    await client.call(OpCode.addWatch, AddWatchRequest, {
      path: `${path}/later`,
      mode: AddWatchMode.persistent,
    });
    await writer.create(`${path}/later/still`);
    await writer.call(OpCode.delete, DeleteRequest, { path: `${path}/later/still`, version: -1 });
    const any = { path, watcherType: WatcherType.any };
    await client.call(OpCode.checkWatches, WatchesRequest, any);
    await client.call(OpCode.removeWatches, WatchesRequest, any);
    await client.call(OpCode.removeWatches, WatchesRequest, any);
    const lists = {
      relativeZxid: 1n,
      dataWatches: [path, "/gone"],
      existWatches: [path],
      childWatches: [path],
    };
    await client.call(OpCode.setWatches, SetWatches, lists, Xid.setWatches);
    const persistent = { persistentWatches: [path], persistentRecursiveWatches: [`${path}/later`] };
    await client.call(
      OpCode.setWatches2,
      SetWatches2,
      { ...lists, relativeZxid: 0x7fffn, ...persistent },
      Xid.setWatches,
    );
    await writer.close();
    await client.close();
  },
  async multi(open) {
    const client = await open();
    const acl = OPEN_ACL;
    const data = Buffer.from("m");
    const create = (type, path, flags) => ({ type, path, data, acl, flags });
    await client.create("/multi");
    await client.call(OpCode.multi, MultiRequest, {
      operations: [
        create(OpCode.create, "/multi/a", CreateFlag.persistent),
        create(OpCode.create2, "/multi/b-", CreateFlag.persistentSequential),
        create(OpCode.createContainer, "/multi/c", CreateFlag.container),
        { ...create(OpCode.createTTL, "/multi/t", CreateFlag.persistentTtl), ttlMs: 60_000n },
        { type: OpCode.setData, path: "/multi/a", data, version: 0 },
        { type: OpCode.check, path: "/multi/a", version: 1 },
        { type: OpCode.delete, path: "/multi/a", version: 1 },
      ],
    });
    await client.call(OpCode.multi, MultiRequest, {
      operations: [
        create(OpCode.create, "/multi/x", CreateFlag.persistent),
        { type: OpCode.check, path: "/multi", version: 9 },
        { type: OpCode.delete, path: "/multi/x", version: -1 },
      ],
    });
    await client.call(OpCode.multi, MultiRequest, { operations: [] });
    await client.call(OpCode.multiRead, MultiRequest, {
      operations: [
        { type: OpCode.getData, path: "/multi", watch: false },
        { type: OpCode.getChildren, path: "/multi", watch: false },
        { type: OpCode.getData, path: "/multi/none", watch: false },
      ],
    });
    await client.close();
  },
};

/** Takes the frames of both directions off a proxy, in the order in which they passed it. */
function recorder() {
  const frames = [];
  const decoders = new Map();
  return {
    frames,
    tap(connection, direction, bytes) {
      const key = `${connection.id} ${direction}`;
      let decoder = decoders.get(key);
      if (decoder === undefined) {
        decoder = new FrameDecoder(FRAME_BYTES_MAX, (chunk, start, end) => {
          const to = direction === "toServer" ? "server" : "client";
          frames.push({ connection: connection.id, to, hex: chunk.toString("hex", start, end) });
          return true;
        });
        decoders.set(key, decoder);
      }
      decoder.push(bytes);
    },
  };
}

/** One frame a line keeps the files small and their changes readable. */
async function store(name, head, list) {
  const lines = list.map((item) => `    ${JSON.stringify(item)}`).join(",\n");
  const text = `${JSON.stringify(head).slice(0, -1)},"frames":[\n${lines}\n]}\n`;
  await writeFile(new URL(`${name}.json`, FRAMES_DIR), text);
  process.stdout.write(`${name}: ${list.length} frames\n`);
}

/** Entries of the transaction log: checksum:long length:int bytes 'B', behind a header of 16 bytes. */
async function readTransactions(dataDir) {
  const directory = join(dataDir, "version-2");
  const transactions = [];
  for (const file of (await readdir(directory)).filter((name) => name.startsWith("log.")).sort()) {
    const bytes = await readFile(join(directory, file));
    for (let offset = 16; offset + 12 < bytes.length; ) {
      const length = bytes.readInt32BE(offset + 8);
      if (length <= 0) break;
      transactions.push({ hex: bytes.toString("hex", offset + 12, offset + 12 + length) });
      offset += 13 + length;
    }
  }
  return transactions;
}

const zooKeeper = await startRealZooKeeper({
  systemProperties: { "zookeeper.extendedTypesEnabled": "true" },
});
try {
  const [member] = zooKeeper.members;
  const answer = await member.fourLetterWord("srvr");
  const server = /version: ([\d.]+)/.exec(answer)?.[1];
  const record = async (name, client, run) => {
    const { frames, tap } = recorder();
    const proxy = await FaultProxy.start({ target: member, tap });
    await run(proxy);
    await awaitCondition(() => proxy.connections.length === 0, { describe: `the end of ${name}` }).catch(
      () => {},
    );
    await proxy.close();
    await store(name, { server: `Apache ZooKeeper ${server}`, client }, frames);
  };
  for (const [name, converse] of Object.entries(CONVERSATIONS)) {
    await record(name, "scripted", async (proxy) => {
      const opened = [];
      await converse(async (options) => {
        const script = await Script.connect(proxy.port, options);
        opened.push(script);
        return script;
      });
      for (const script of opened) script.socket.destroy();
    });
  }
  await record("kazoo", "kazoo", async (proxy) => {
    const peer = runPython(KAZOO_SCRIPT, [proxy.connectString]);
    const { code } = await peer.exited;
    if (code !== 0) throw new Error(peer.output);
  });
  await store(
    "transactions",
    { server: `Apache ZooKeeper ${server}` },
    await readTransactions(member.dataDir),
  );
} finally {
  await zooKeeper.stop();
}
