// SPDX-License-Identifier: Apache-2.0
// Watches as the server fires them: when, how often, and where among the replies.
import { awaitCondition } from "@meerkat/testkit";
import {
  AddWatchMode,
  AddWatchRequest,
  DeleteRequest,
  ErrorCode,
  EventType,
  KeeperState,
  OpCode,
  PathRecord,
  ReadRequest,
  SetDataRequest,
  SetWatches,
  SetWatches2,
  WatcherType,
  WatchesRequest,
  Xid,
} from "@meerkat/wire";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

const names = new Map<number, string>(Object.entries(EventType).map(([name, type]) => [type, name]));

describeEachZooKeeper("watches", (zk) => {
  let watcher: RawClient;
  let writer: RawClient;
  beforeEach(async () => {
    [watcher, writer] = await Promise.all([RawClient.connect(zk), RawClient.connect(zk)]);
  });
  afterEach(async () => {
    await Promise.all([watcher.close(), writer.close()]);
  });

  const at = (path: string): string => zk.chroot + path;
  const watch = (type: number, path: string): Promise<number> =>
    watcher.code(type, ReadRequest, { path: at(path), watch: true });
  const addWatch = (path: string, mode: number): Promise<number> =>
    watcher.code(OpCode.addWatch, AddWatchRequest, { path: at(path), mode });
  const set = (path: string, client: RawClient = writer): Promise<number> =>
    client.code(OpCode.setData, SetDataRequest, { path: at(path), data: null, version: -1 });
  const remove = (path: string, client: RawClient = writer): Promise<number> =>
    client.code(OpCode.delete, DeleteRequest, { path: at(path), version: -1 });
  /** Events so far as "type path" with the chroot cut off, once everything before now must have come. */
  async function events(): Promise<string[]> {
    await watcher.code(OpCode.sync, PathRecord, { path: "/" });
    return watcher.events.map(({ type, path }) => `${names.get(type)} ${path.slice(zk.chroot.length)}`);
  }

  test("an event carries the connected state, and no zxid but that of its change", async () => {
    await watch(OpCode.getData, "");
    await set("");
    await events();
    const [received] = watcher.received.filter(({ header }) => header.xid === Xid.notification);
    // Up to 3.8 the header's zxid is -1, from 3.9 on that of the change (ZOOKEEPER-4655).
    expect([-1n, writer.received.at(-1)?.header.zxid]).toContain(received?.header.zxid);
    expect(received?.header.err).toBe(0);
    expect(watcher.events[0]?.state).toBe(KeeperState.syncConnected);
  });

  test("a data watch fires once, on the first change", async () => {
    await writer.create(at("/a"));
    await watch(OpCode.getData, "/a");
    await set("/a");
    await set("/a");
    expect(await events()).toEqual(["nodeDataChanged /a"]);
    await watch(OpCode.exists, "/a");
    await remove("/a");
    expect(await events()).toEqual(["nodeDataChanged /a", "nodeDeleted /a"]);
  });

  test("exists watches a znode that is not there; getData and getChildren do not", async () => {
    expect(await watch(OpCode.exists, "/a")).toBe(ErrorCode.NO_NODE);
    expect(await watch(OpCode.getData, "/b")).toBe(ErrorCode.NO_NODE);
    expect(await watch(OpCode.getChildren2, "/c")).toBe(ErrorCode.NO_NODE);
    for (const path of ["/a", "/b", "/c"]) await writer.create(at(path));
    expect(await events()).toEqual(["nodeCreated /a"]);
  });

  test("a child watch fires for a child that comes or goes, not for data or grandchildren", async () => {
    await writer.create(at("/p"));
    await writer.create(at("/p/c"));
    await watch(OpCode.getChildren, "/p");
    await set("/p");
    await set("/p/c");
    await writer.create(at("/p/c/g"));
    expect(await events()).toEqual([]);
    await writer.create(at("/p/d"));
    await writer.create(at("/p/e"));
    expect(await events()).toEqual(["nodeChildrenChanged /p"]);
    await watch(OpCode.getChildren2, "/p");
    await remove("/p/d");
    expect(await events()).toEqual(["nodeChildrenChanged /p", "nodeChildrenChanged /p"]);
  });

  test("data and child watches on a deleted znode give one event, then the parent's", async () => {
    await writer.create(at("/p"));
    await writer.create(at("/p/c"));
    await watch(OpCode.getData, "/p/c");
    await watch(OpCode.getChildren, "/p/c");
    await watch(OpCode.getChildren, "/p");
    await remove("/p/c");
    expect(await events()).toEqual(["nodeDeleted /p/c", "nodeChildrenChanged /p"]);
  });

  test("the event comes before the reply to the change itself, on the connection that made it", async () => {
    await watcher.create(at("/a"));
    await watch(OpCode.getData, "/a");
    await watch(OpCode.exists, "/b");
    await watch(OpCode.getChildren, "");
    const before = watcher.received.length;
    await set("/a", watcher);
    await watcher.create(at("/b"));
    expect(watcher.received.slice(before).map(({ header }) => Math.sign(header.xid))).toEqual([
      // setData: its event, its reply; create: NodeCreated, NodeChildrenChanged, its reply.
      ...[-1, 1, -1, -1, 1],
    ]);
    expect((await events()).slice(0, 3)).toEqual([
      "nodeDataChanged /a",
      "nodeCreated /b",
      "nodeChildrenChanged ",
    ]);
  });

  test("the event comes before a read that shows the change, on any connection", async () => {
    await writer.create(at("/a"), null);
    for (let round = 0; round < 20; round++) {
      await watch(OpCode.getData, "/a");
      const before = watcher.received.length;
      const written = set("/a");
      let version = round;
      while (version === round) {
        const xid = watcher.send(OpCode.getData, (writeTo) =>
          ReadRequest.write(writeTo, { path: at("/a"), watch: false }),
        );
        // Null data is a length alone; in the stat the version follows four longs.
        version = (await watcher.reply(xid)).body.readInt32BE(4 + 32);
      }
      await written;
      const xids = watcher.received.slice(before).map(({ header }) => header.xid);
      expect(xids.indexOf(-1)).toBe(xids.length - 2);
    }
  });

  test("setACL, sync and reads fire nothing", async () => {
    await watch(OpCode.getData, "");
    await watch(OpCode.getChildren, "");
    await writer.code(OpCode.sync, PathRecord, { path: at("") });
    await writer.code(OpCode.getData, ReadRequest, { path: at(""), watch: false });
    expect(await events()).toEqual([]);
  });

  test("watches end with their connection, and come to no other session", async () => {
    await watch(OpCode.getData, "");
    const { session } = watcher;
    watcher.destroy();
    watcher = await RawClient.connect(zk, {
      sessionId: session?.sessionId ?? 0n,
      password: session?.password ?? Buffer.alloc(16),
    });
    await set("");
    expect(await events()).toEqual([]);
    expect(writer.events).toEqual([]);
  });

  describe("that persist", () => {
    test("a plain one sees the node's own changes and its children's list, again and again", async () => {
      expect(await addWatch("/p", AddWatchMode.persistent)).toBe(ErrorCode.OK);
      await writer.create(at("/p"));
      await set("/p");
      await writer.create(at("/p/c"));
      await set("/p/c");
      await remove("/p/c");
      await remove("/p");
      await writer.create(at("/p"));
      expect(await events()).toEqual([
        ...["nodeCreated /p", "nodeDataChanged /p", "nodeChildrenChanged /p", "nodeChildrenChanged /p"],
        ...["nodeDeleted /p", "nodeCreated /p"],
      ]);
    });

    test("a recursive one sees every znode below come, change and go, and no lists", async () => {
      expect(await addWatch("/p", AddWatchMode.persistentRecursive)).toBe(ErrorCode.OK);
      await writer.create(at("/p"));
      await writer.create(at("/p/c"));
      await writer.create(at("/p/c/g"));
      await set("/p/c/g");
      await remove("/p/c/g");
      await writer.create(at("/pq"));
      expect(await events()).toEqual([
        ...["nodeCreated /p", "nodeCreated /p/c", "nodeCreated /p/c/g", "nodeDataChanged /p/c/g"],
        "nodeDeleted /p/c/g",
      ]);
    });

    test("one change gives a connection one event, though several watches match", async () => {
      await writer.create(at("/p"));
      await addWatch("", AddWatchMode.persistentRecursive);
      await addWatch("/p", AddWatchMode.persistentRecursive);
      await watch(OpCode.exists, "/p/c");
      await writer.create(at("/p/c"));
      expect(await events()).toEqual(["nodeCreated /p/c"]);
    });

    test("an unknown mode is refused", async () => {
      expect(await addWatch("", 9)).toBe(ErrorCode.MARSHALLING_ERROR);
    });

    test("they end when they are removed, and the second removal finds none", async () => {
      const any = { path: at(""), watcherType: WatcherType.any };
      await addWatch("", AddWatchMode.persistentRecursive);
      expect(await watcher.code(OpCode.checkWatches, WatchesRequest, any)).toBe(ErrorCode.OK);
      expect(await watcher.code(OpCode.removeWatches, WatchesRequest, any)).toBe(ErrorCode.OK);
      expect(await watcher.code(OpCode.removeWatches, WatchesRequest, any)).toBe(ErrorCode.NO_WATCHER);
      await set("");
      expect(await events()).toEqual([]);
    });
  });

  describe("that are armed again after a reconnect", () => {
    async function zxidNow(): Promise<bigint> {
      const xid = watcher.send(OpCode.exists, (writeTo) =>
        ReadRequest.write(writeTo, { path: "/", watch: false }),
      );
      return (await watcher.reply(xid)).header.zxid;
    }
    const none = { dataWatches: [], existWatches: [], childWatches: [] };
    const lists = (paths: readonly string[]): string[] => paths.map(at);

    test("setWatches reports what was missed and arms the rest", async () => {
      for (const path of ["/same", "/changed", "/gone", "/grown"]) await writer.create(at(path));
      const relativeZxid = await zxidNow();
      await set("/changed");
      await remove("/gone");
      await writer.create(at("/grown/child"));
      await writer.create(at("/come"));
      await watcher.code(OpCode.setWatches, SetWatches, {
        relativeZxid,
        dataWatches: lists(["/same", "/changed", "/gone"]),
        existWatches: lists(["/come", "/absent"]),
        childWatches: lists(["/same", "/grown", "/gone"]),
      });
      const missed = await events();
      expect([...missed].sort()).toEqual([
        ...["nodeChildrenChanged /grown", "nodeCreated /come", "nodeDataChanged /changed"],
        ...["nodeDeleted /gone", "nodeDeleted /gone"],
      ]);
      await set("/same");
      await writer.create(at("/same/child"));
      await writer.create(at("/absent"));
      expect((await events()).slice(missed.length)).toEqual([
        ...["nodeDataChanged /same", "nodeChildrenChanged /same", "nodeCreated /absent"],
      ]);
    });

    test("the events of setWatches come before its reply, which has the request's xid", async () => {
      const request = { relativeZxid: 0n, ...none, dataWatches: [at("/none")] };
      const xid = watcher.send(
        OpCode.setWatches,
        (writeTo) => SetWatches.write(writeTo, request),
        Xid.setWatches,
      );
      const reply = await watcher.reply(xid);
      expect(watcher.received.map(({ header }) => header.xid)).toEqual([Xid.notification, Xid.setWatches]);
      expect([reply.header.err, reply.body.length]).toEqual([0, 0]);
    });

    test("setWatches2 arms persistent watches without reporting what was missed", async () => {
      await writer.create(at("/p"));
      const request = {
        relativeZxid: 0n,
        ...none,
        persistentWatches: [at("/p")],
        persistentRecursiveWatches: [at("/r")],
      };
      expect(await watcher.code(OpCode.setWatches2, SetWatches2, request)).toBe(ErrorCode.OK);
      expect(await events()).toEqual([]);
      await writer.create(at("/p/c"));
      await writer.create(at("/r"));
      await writer.create(at("/r/c"));
      expect(await events()).toEqual(["nodeChildrenChanged /p", "nodeCreated /r", "nodeCreated /r/c"]);
    });
  });

  test("a session that ends fires the watches on its ephemerals", async () => {
    const owner = await RawClient.connect(zk);
    await owner.create(at("/e"), null, 1);
    await watch(OpCode.exists, "/e");
    await watch(OpCode.getChildren, "");
    await owner.close();
    await awaitCondition(() => watcher.events.length === 2);
    expect(await events()).toEqual(["nodeDeleted /e", "nodeChildrenChanged "]);
  });
});
