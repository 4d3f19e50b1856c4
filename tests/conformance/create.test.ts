// SPDX-License-Identifier: Apache-2.0
// Creating znodes: modes, sequence numbers, and in which order a request's faults are looked for.
import {
  type Acl,
  Create2Response,
  CreateFlag,
  CreateRequest,
  CreateResponse,
  CreateTtlRequest,
  DeleteRequest,
  ErrorCode,
  GetDataResponse,
  OPEN_ACL,
  OpCode,
  ReadRequest,
  type Stat,
} from "@meerkat/wire";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

const DATA = Buffer.from("data");

describeEachZooKeeper("create", (zk) => {
  let client: RawClient;
  beforeEach(async () => {
    client = await RawClient.connect(zk);
  });
  afterEach(async () => {
    await client.close();
  });

  function request(path: string, flags: number, acl: readonly Acl[] | null = OPEN_ACL): CreateRequest {
    return { path: zk.chroot + path, data: DATA, acl, flags };
  }
  function create2(path: string, flags: number): Promise<Create2Response> {
    return client.call(OpCode.create2, [CreateRequest, request(path, flags)], Create2Response);
  }
  async function stat(path: string): Promise<Stat> {
    const read = { path: zk.chroot + path, watch: false };
    return (await client.call(OpCode.getData, [ReadRequest, read], GetDataResponse)).stat;
  }
  function code(path: string, flags = 0, acl: readonly Acl[] | null = OPEN_ACL): Promise<number> {
    return client.code(OpCode.create, CreateRequest, request(path, flags, acl));
  }

  test.each([
    ["persistent", CreateFlag.persistent, false, ""],
    ["ephemeral", CreateFlag.ephemeral, true, ""],
    ["persistent sequential", CreateFlag.persistentSequential, false, "0000000000"],
    ["ephemeral sequential", CreateFlag.ephemeralSequential, true, "0000000000"],
  ])("makes a %s znode by create and by create2", async (_name, flags, ephemeral, suffix) => {
    const made = await client.call(OpCode.create, [CreateRequest, request("/old-", flags)], CreateResponse);
    expect(made.path).toBe(`${zk.chroot}/old-${suffix}`);
    const { path, stat: created } = await create2("/new-", flags);
    expect(path).toBe(`${zk.chroot}/new-${suffix.replace(/0$/, "1")}`);
    expect(created.toObject()).toMatchObject({
      version: 0,
      cversion: 0,
      aversion: 0,
      dataLength: DATA.length,
      numChildren: 0,
      ephemeralOwner: ephemeral ? client.session?.sessionId : 0n,
    });
    expect([created.mzxid, created.pzxid, created.mtimeMs]).toEqual([
      ...[created.czxid, created.czxid, created.ctimeMs],
    ]);
    expect(Math.abs(created.ctimeMs - Date.now())).toBeLessThan(60_000);
  });

  test("makes a container, which shows no owner", async () => {
    const made = await client.call(
      OpCode.createContainer,
      [CreateRequest, request("/container", CreateFlag.container)],
      Create2Response,
    );
    expect(made).toMatchObject({ path: `${zk.chroot}/container` });
    expect(made.stat.ephemeralOwner).toBe(0n);
    expect(await code("/container/child")).toBe(ErrorCode.OK);
  });

  test.each([
    ["persistent", CreateFlag.persistentTtl, ""],
    ["sequential", CreateFlag.persistentSequentialTtl, "0000000000"],
  ])("makes a %s znode with a time to live", async (_name, flags, suffix) => {
    const ttl = { ...request("/ttl-", flags), ttlMs: 60_000n };
    const made = await client.call(OpCode.createTTL, [CreateTtlRequest, ttl], Create2Response);
    expect(made.path).toBe(`${zk.chroot}/ttl-${suffix}`);
    expect(made.stat.ephemeralOwner).toBe(0n);
    expect(await code(`/ttl-${suffix}/child`)).toBe(ErrorCode.OK);
  });

  test.each([0n, -1n, 1n << 40n])("refuses a time to live of %d ms", async (ttlMs) => {
    const ttl = { ...request("/ttl", CreateFlag.persistentTtl), ttlMs };
    expect(await client.code(OpCode.createTTL, CreateTtlRequest, ttl)).toBe(ErrorCode.BAD_ARGUMENTS);
  });

  test("numbers all sequential znodes of a parent with one counter that deletes do not turn back", async () => {
    expect((await create2("/a-", 2)).path).toBe(`${zk.chroot}/a-0000000000`);
    expect(await code("/plain")).toBe(ErrorCode.OK);
    expect((await create2("/b-", 3)).path).toBe(`${zk.chroot}/b-0000000002`);
    const gone = { path: `${zk.chroot}/plain`, version: -1 };
    expect(await client.code(OpCode.delete, DeleteRequest, gone)).toBe(ErrorCode.OK);
    expect((await create2("/", 2)).path).toBe(`${zk.chroot}/0000000003`);
    expect(await code("/a-0000000000")).toBe(ErrorCode.NODE_EXISTS);
    expect((await create2("/a-", 2)).path).toBe(`${zk.chroot}/a-0000000004`);
  });

  test("numbers pipelined creates one after the other", async () => {
    const xids = Array.from({ length: 50 }, () =>
      client.send(OpCode.create, (writer) => CreateRequest.write(writer, request("/p-", 3))),
    );
    await client.reply(xids.at(-1) ?? 0);
    const bodies = client.received.map(({ body }) => body.toString("utf8", 4));
    expect(bodies).toEqual(
      Array.from({ length: 50 }, (_, index) => `${zk.chroot}/p-${String(index).padStart(10, "0")}`),
    );
  });

  test("counts a create in the parent: cversion, pzxid and children, not version", async () => {
    const before = await stat("");
    const { stat: child } = await create2("/child", 0);
    const after = await stat("");
    expect([after.cversion - before.cversion, after.numChildren - before.numChildren]).toEqual([1, 1]);
    expect([after.pzxid, after.version, after.mzxid]).toEqual([child.czxid, before.version, before.mzxid]);
  });

  test("null data and empty data are told apart", async () => {
    await client.create(`${zk.chroot}/null`, null);
    await client.create(`${zk.chroot}/empty`, Buffer.alloc(0));
    const read = async (path: string): Promise<Buffer | null> => {
      const body = { path: zk.chroot + path, watch: false };
      return (await client.call(OpCode.getData, [ReadRequest, body], GetDataResponse)).data;
    };
    expect(await read("/null")).toBeNull();
    expect(await read("/empty")).toEqual(Buffer.alloc(0));
    expect((await stat("/null")).dataLength).toBe(0);
  });

  test("reports the faults of a request one at a time, in the server's order", async () => {
    expect(await code("/ephemeral", 1)).toBe(ErrorCode.OK);
    const cases: readonly [string, number, readonly Acl[] | null, number][] = [
      // Flags come first, then the form of the ACL, then the parent, the name, its existence.
      ["/x", 99, [], ErrorCode.BAD_ARGUMENTS],
      ["/missing/x", 0, [], ErrorCode.INVALID_ACL],
      ["/missing/x", 0, null, ErrorCode.INVALID_ACL],
      ["/missing/x", 0, OPEN_ACL, ErrorCode.NO_NODE],
      ["/missing//x", 0, OPEN_ACL, ErrorCode.NO_NODE],
      ["/", 0, OPEN_ACL, ErrorCode.BAD_ARGUMENTS],
      ["/.", 0, OPEN_ACL, ErrorCode.BAD_ARGUMENTS],
      ["/ephemeral", 0, OPEN_ACL, ErrorCode.NODE_EXISTS],
      ["/ephemeral/x", 0, OPEN_ACL, ErrorCode.NO_CHILDREN_FOR_EPHEMERALS],
    ];
    for (const [path, flags, acl, expected] of cases) {
      expect([path, await code(path, flags, acl)]).toEqual([path, expected]);
    }
    for (const [path, expected] of [
      ["/", ErrorCode.NODE_EXISTS],
      ["relative", ErrorCode.BAD_ARGUMENTS],
      ["", ErrorCode.BAD_ARGUMENTS],
    ] as const) {
      const body = { path, data: DATA, acl: OPEN_ACL, flags: 0 };
      expect([path, await client.code(OpCode.create, CreateRequest, body)]).toEqual([path, expected]);
    }
  });

  test("draws the line between allowed and forbidden characters where the path rules do", async () => {
    const forbidden = "\0 \u0001 \u001f \u007f \u009f \ue000 \uf8ff \ufff0 \ufffd \uffff".split(" ");
    for (const character of [...forbidden, "\u{1F600}", "\u{10000}"]) {
      const shown = `U+${character.codePointAt(0)?.toString(16)}`;
      expect([shown, await code(`/n${character}`)]).toEqual([shown, ErrorCode.BAD_ARGUMENTS]);
    }
    for (const character of [" ", "\u007e", "\u00a0", "\ud7ff", "\uf900", "\uffef", "é", "中", "..."]) {
      const shown = `U+${character.codePointAt(0)?.toString(16)}`;
      expect([shown, await code(`/n${character}`)]).toEqual([shown, ErrorCode.OK]);
    }
  });

  test("takes a maximal request and gives it back", async () => {
    const path = `${zk.chroot}/big`;
    // Everything of the request but the data: header, path, ACL, flags and the data's own length.
    const data = Buffer.alloc(1_048_575 - (8 + 4 + path.length + 4 + 4 + 4 + 4 + 5 + 4 + 6 + 4), 7);
    await client.create(path, data);
    const read = await client.call(OpCode.getData, [ReadRequest, { path, watch: false }], GetDataResponse);
    expect(read.data?.equals(data)).toBe(true);
    client.send(OpCode.create, (writer) =>
      CreateRequest.write(writer, { path: `${path}2`, data, acl: OPEN_ACL, flags: 0 }),
    );
    await client.untilClosed();
  });
});
