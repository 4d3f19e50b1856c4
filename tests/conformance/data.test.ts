// SPDX-License-Identifier: Apache-2.0
// Reading, changing and deleting: stat arithmetic, versions, and the order in which faults are looked for.
import {
  CountResponse,
  DeleteRequest,
  ErrorCode,
  GetChildren2Response,
  GetChildrenResponse,
  GetDataResponse,
  GetEphemeralsRequest,
  OpCode,
  PathRecord,
  ReadRequest,
  SetDataRequest,
  type Stat,
  StatResponse,
} from "@meerkat/wire";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

describeEachZooKeeper("data", (zk) => {
  let client: RawClient;
  beforeEach(async () => {
    client = await RawClient.connect(zk);
  });
  afterEach(async () => {
    await client.close();
  });

  const at = (path: string): string => zk.chroot + path;
  function get(path: string): Promise<GetDataResponse> {
    return client.call(OpCode.getData, [ReadRequest, { path: at(path), watch: false }], GetDataResponse);
  }
  function set(path: string, data: Buffer | null, version = -1): Promise<StatResponse> {
    return client.call(OpCode.setData, [SetDataRequest, { path: at(path), data, version }], StatResponse);
  }
  const stat = async (path: string): Promise<Stat> => (await get(path)).stat;
  const remove = (path: string, version = -1): Promise<number> =>
    client.code(OpCode.delete, DeleteRequest, { path: at(path), version });
  const readCode = (type: number, path: string): Promise<number> =>
    client.code(type, ReadRequest, { path, watch: false });

  test("setData counts the version, moves mzxid and mtime, and nothing else", async () => {
    await client.create(at("/a"), Buffer.from("one"));
    const before = await stat("/a");
    const { stat: changed } = await set("/a", Buffer.from("longer"));
    const { data, stat: after } = await get("/a");
    expect(String(data)).toBe("longer");
    expect(after.toObject()).toEqual(changed.toObject());
    expect(after.toObject()).toEqual({
      ...before.toObject(),
      version: 1,
      dataLength: 6,
      mzxid: after.mzxid,
      mtimeMs: after.mtimeMs,
    });
    expect(after.mzxid).toBeGreaterThan(before.mzxid);
    expect(after.mtimeMs).toBeGreaterThanOrEqual(before.mtimeMs);
  });

  test("setData compares the version; -1 takes any", async () => {
    await client.create(at("/a"));
    expect((await set("/a", null, 0)).stat.version).toBe(1);
    await expect(set("/a", null, 0)).rejects.toMatchObject({ err: ErrorCode.BAD_VERSION });
    await expect(set("/a", null, 2)).rejects.toMatchObject({ err: ErrorCode.BAD_VERSION });
    expect((await set("/a", null, -1)).stat.version).toBe(2);
    expect((await get("/a")).data).toBeNull();
    await expect(set("/none", null, 0)).rejects.toMatchObject({ err: ErrorCode.NO_NODE });
  });

  test("the shown cversion counts creates and deletes of children", async () => {
    await client.create(at("/p"));
    for (const name of ["a", "b", "c"]) await client.create(at(`/p/${name}`));
    const full = await stat("/p");
    expect([full.cversion, full.numChildren, full.version]).toEqual([3, 3, 0]);
    expect(await remove("/p/b")).toBe(ErrorCode.OK);
    const less = await stat("/p");
    expect([less.cversion, less.numChildren]).toEqual([4, 2]);
    expect(less.pzxid).toBe(client.received.at(-2)?.header.zxid);
    await client.create(at("/p/b"));
    expect((await stat("/p")).cversion).toBe(5);
    expect((await stat("/p")).mzxid).toBe(full.mzxid);
  });

  test("delete looks at the version before the children", async () => {
    await client.create(at("/a"));
    await client.create(at("/a/b"));
    expect(await remove("/a", 7)).toBe(ErrorCode.BAD_VERSION);
    expect(await remove("/a", 0)).toBe(ErrorCode.NOT_EMPTY);
    expect(await remove("/a/b", 0)).toBe(ErrorCode.OK);
    expect(await remove("/a", -1)).toBe(ErrorCode.OK);
    expect(await remove("/a", -1)).toBe(ErrorCode.NO_NODE);
    expect(await remove("/none/x", -1)).toBe(ErrorCode.NO_NODE);
  });

  test.each(["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"])(
    "refuses to delete %s",
    async (path) => {
      const code = await client.code(OpCode.delete, DeleteRequest, { path, version: -1 });
      expect(code).toBe(ErrorCode.BAD_ARGUMENTS);
    },
  );

  test("children come by both operations, with the parent's stat by the newer", async () => {
    await client.create(at("/p"), Buffer.from("xyz"));
    for (const name of ["b", "a", "ü"]) await client.create(at(`/p/${name}`));
    const body = { path: at("/p"), watch: false };
    const plain = await client.call(OpCode.getChildren, [ReadRequest, body], GetChildrenResponse);
    const withStat = await client.call(OpCode.getChildren2, [ReadRequest, body], GetChildren2Response);
    expect([...plain.children].sort()).toEqual(["a", "b", "ü"]);
    expect([...withStat.children].sort()).toEqual(["a", "b", "ü"]);
    expect(withStat.stat.toObject()).toEqual((await stat("/p")).toObject());
    expect(withStat.stat.dataLength).toBe(3);
  });

  test("exists gives the stat that getData gives", async () => {
    await client.create(at("/a"), Buffer.from("x"), 1);
    const seen = await client.call(
      OpCode.exists,
      [ReadRequest, { path: at("/a"), watch: false }],
      StatResponse,
    );
    expect(seen.stat.toObject()).toEqual((await stat("/a")).toObject());
    expect(seen.stat.ephemeralOwner).toBe(client.session?.sessionId);
  });

  test("reads of what is not there give NO_NODE, of malformed paths too", async () => {
    for (const path of [at("/none"), at("//"), at("/a/"), "relative"]) {
      for (const type of [OpCode.exists, OpCode.getData, OpCode.getChildren, OpCode.getChildren2]) {
        expect([path, await readCode(type, path)]).toEqual([path, ErrorCode.NO_NODE]);
      }
    }
  });

  test("the empty path reads as the root", async () => {
    expect(await readCode(OpCode.exists, "")).toBe(ErrorCode.OK);
    expect(await readCode(OpCode.getData, "")).toBe(ErrorCode.OK);
  });

  test("sync gives back the path, whatever it is", async () => {
    for (const path of [at(""), at("/none")]) {
      expect(await client.call(OpCode.sync, [PathRecord, { path }], PathRecord)).toEqual({ path });
    }
  });

  test("counts all descendants, and lists the session's own ephemerals by prefix", async () => {
    await client.create(at("/p"));
    for (const path of ["/p/a", "/p/b"]) await client.create(at(path));
    await client.create(at("/p/a/e"), null, 1);
    await client.create(at("/q"), null, 1);
    const count = await client.call(
      OpCode.getAllChildrenNumber,
      [PathRecord, { path: at("") }],
      CountResponse,
    );
    expect(count.count).toBe(5);
    const list = async (prefixPath: string | null): Promise<readonly string[]> => {
      const body = { prefixPath };
      const { children } = await client.call(
        OpCode.getEphemerals,
        [GetEphemeralsRequest, body],
        GetChildrenResponse,
      );
      return [...children].sort();
    };
    expect(await list(at("/p"))).toEqual([at("/p/a/e")]);
    for (const all of [null, "", "/"]) expect(await list(all)).toEqual([at("/p/a/e"), at("/q")]);
    await using other = await RawClient.connect(zk);
    const theirs = await other.call(
      OpCode.getEphemerals,
      [GetEphemeralsRequest, { prefixPath: null }],
      GetChildrenResponse,
    );
    expect(theirs.children).toEqual([]);
  });

  test("an undecodable request is answered with MARSHALLING_ERROR and the connection stays", async () => {
    const xid = client.send(OpCode.getData, (writer) => writer.int(1000));
    expect((await client.reply(xid)).header.err).toBe(ErrorCode.MARSHALLING_ERROR);
    expect(await readCode(OpCode.exists, "/")).toBe(ErrorCode.OK);
  });

  test("the root and the server's own znodes are there", async () => {
    for (const path of ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"]) {
      expect(await readCode(OpCode.exists, path)).toBe(ErrorCode.OK);
    }
    const root = await client.call(
      OpCode.getChildren,
      [ReadRequest, { path: "/", watch: false }],
      GetChildrenResponse,
    );
    expect(root.children).toContain("zookeeper");
  });
});
