// SPDX-License-Identifier: Apache-2.0
// Transactions: all or nothing, each operation on the state that the ones before it left.
import {
  CreateFlag,
  ErrorCode,
  GetChildrenResponse,
  GetDataResponse,
  type MultiOperation,
  MultiRequest,
  MultiResponse,
  type MultiResult,
  OPEN_ACL,
  OpCode,
  ReadRequest,
} from "@meerkat/wire";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

describeEachZooKeeper("multi", (zk) => {
  let client: RawClient;
  beforeEach(async () => {
    client = await RawClient.connect(zk);
  });
  afterEach(async () => {
    await client.close();
  });

  const at = (path: string): string => zk.chroot + path;
  const data = Buffer.from("m");
  const create = (path: string, flags: number = CreateFlag.persistent): MultiOperation => ({
    ...{ type: OpCode.create, path: at(path), data, acl: OPEN_ACL, flags },
  });
  const set = (path: string, version = -1): MultiOperation => ({
    type: OpCode.setData,
    path: at(path),
    data,
    version,
  });
  const remove = (path: string, version = -1): MultiOperation => ({
    type: OpCode.delete,
    path: at(path),
    version,
  });
  const check = (path: string, version: number): MultiOperation => ({
    type: OpCode.check,
    path: at(path),
    version,
  });
  async function multi(...operations: MultiOperation[]): Promise<readonly MultiResult[]> {
    return (await client.call(OpCode.multi, [MultiRequest, { operations }], MultiResponse)).results;
  }
  async function codes(...operations: MultiOperation[]): Promise<(number | undefined)[]> {
    return (await multi(...operations)).map((result) =>
      result.type === OpCode.error ? result.err : undefined,
    );
  }
  async function children(path = ""): Promise<readonly string[]> {
    const body = { path: at(path), watch: false };
    return (await client.call(OpCode.getChildren, [ReadRequest, body], GetChildrenResponse)).children;
  }

  test("applies all kinds of operation in one step, and answers each", async () => {
    const results = await multi(
      create("/a"),
      create("/s-", CreateFlag.persistentSequential),
      create("/e-", CreateFlag.ephemeralSequential),
      set("/a", 0),
      check("/a", 1),
      create("/a/b"),
      remove("/a/b", 0),
    );
    expect(results.map((result) => result.type)).toEqual([1, 1, 1, 5, 13, 1, 2]);
    expect(results.slice(0, 3)).toMatchObject([
      ...[{ path: at("/a") }, { path: at("/s-0000000001") }, { path: at("/e-0000000002") }],
    ]);
    const changed = results[3];
    expect(changed?.type === OpCode.setData && changed.stat.version).toBe(1);
    expect([...(await children())].sort()).toEqual(["a", "e-0000000002", "s-0000000001"]);
  });

  test("all operations share one zxid", async () => {
    await multi(create("/a"), create("/b"), set("/a"));
    const zxid = client.received.at(-1)?.header.zxid;
    for (const path of ["/a", "/b"]) {
      const body = { path: at(path), watch: false };
      const { stat } = await client.call(OpCode.getData, [ReadRequest, body], GetDataResponse);
      expect([stat.czxid, stat.mzxid]).toEqual([zxid, zxid]);
    }
  });

  test("applies nothing when one fails: 0 before it, its code, -2 after it, and a header without error", async () => {
    expect(await codes(create("/a"), check("", 99), create("/b"), remove("/none"))).toEqual([
      0, -103, -2, -2,
    ]);
    expect(client.received.at(-1)?.header.err).toBe(0);
    expect(await children()).toEqual([]);
    expect(await codes(remove("/none"), create("/a"))).toEqual([ErrorCode.NO_NODE, -2]);
    expect(await codes(create("/a"), create("/a"))).toEqual([0, ErrorCode.NODE_EXISTS]);
    expect(await children()).toEqual([]);
  });

  test("a failed transaction consumes no sequence numbers", async () => {
    await codes(create("/s-", 2), create("/s-", 2), check("", 99));
    const results = await multi(create("/s-", 2));
    expect(results).toMatchObject([{ path: at("/s-0000000000") }]);
  });

  test("each operation sees the ones before it", async () => {
    expect(await codes(create("/p"), create("/p/c"), remove("/p"))).toEqual([0, 0, ErrorCode.NOT_EMPTY]);
    expect(await codes(create("/p"), set("/p", 0), set("/p", 0))).toEqual([0, 0, ErrorCode.BAD_VERSION]);
    expect(await codes(create("/e", 1), create("/e/c"))).toEqual([0, ErrorCode.NO_CHILDREN_FOR_EPHEMERALS]);
    await multi(create("/p"), create("/p/c"), remove("/p/c"), remove("/p"), create("/p"));
    expect(await children("/p")).toEqual([]);
  });

  test("an empty transaction is answered with no results", async () => {
    expect(await multi()).toEqual([]);
  });

  test("fires the watches of a transaction before its reply, each once", async () => {
    await client.code(OpCode.exists, ReadRequest, { path: at("/a"), watch: true });
    await client.code(OpCode.getChildren, ReadRequest, { path: at(""), watch: true });
    const before = client.received.length;
    await multi(create("/a"), create("/b"), set("/a"));
    expect(client.received.slice(before).map(({ header }) => Math.sign(header.xid))).toEqual([-1, -1, 1]);
    expect(client.events.map(({ type, path }) => [type, path])).toEqual([
      ...[
        [1, at("/a")],
        [4, at("")],
      ],
    ]);
  });

  test("multiRead answers each read on its own", async () => {
    await client.create(at("/a"), data);
    const operations: MultiOperation[] = [
      { type: OpCode.getData, path: at("/a"), watch: false },
      { type: OpCode.getData, path: at("/none"), watch: false },
      { type: OpCode.getChildren, path: at(""), watch: false },
    ];
    const { results } = await client.call(OpCode.multiRead, [MultiRequest, { operations }], MultiResponse);
    expect(results[0]).toMatchObject({ type: OpCode.getData, data });
    expect(results[1]).toEqual({ type: OpCode.error, err: ErrorCode.NO_NODE });
    expect(results[2]).toEqual({ type: OpCode.getChildren, children: ["a"] });
  });

  test("reads and writes do not mix, in neither kind", async () => {
    const read: MultiOperation = { type: OpCode.getData, path: at(""), watch: false };
    for (const type of [OpCode.multi, OpCode.multiRead]) {
      const operations = [create("/a"), read];
      expect(await client.code(type, MultiRequest, { operations })).toBe(ErrorCode.MARSHALLING_ERROR);
    }
    expect(await children()).toEqual([]);
  });
});
