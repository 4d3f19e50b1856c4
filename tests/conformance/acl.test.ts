// SPDX-License-Identifier: Apache-2.0
// Who may do what: permissions one by one, identities, and the forms of an ACL.
import {
  type Acl,
  AuthPacket,
  CREATOR_ALL_ACL,
  CreateRequest,
  DeleteRequest,
  digestId,
  ErrorCode,
  GetAclResponse,
  OPEN_ACL,
  OpCode,
  PathRecord,
  Permission,
  READ_ONLY_ACL,
  ReadRequest,
  SetAclRequest,
  SetDataRequest,
  StatResponse,
  WhoAmIResponse,
  Xid,
} from "@meerkat/wire";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

const ALICE = digestId("alice", "secret");

describeEachZooKeeper("ACLs", (zk) => {
  let client: RawClient;
  beforeEach(async () => {
    client = await RawClient.connect(zk);
  });
  afterEach(async () => {
    await client.close();
  });

  const at = (path: string): string => zk.chroot + path;
  const world = (permissions: number): Acl[] => [{ permissions, scheme: "world", id: "anyone" }];
  const digest = (id: string, permissions: number = Permission.ALL): Acl => ({
    permissions,
    scheme: "digest",
    id,
  });
  const make = (path: string, acl: readonly Acl[] | null, by: RawClient = client): Promise<number> =>
    by.code(OpCode.create, CreateRequest, { path: at(path), data: null, acl, flags: 0 });
  const setAcl = (path: string, acl: readonly Acl[], version = -1, by: RawClient = client): Promise<number> =>
    by.code(OpCode.setACL, SetAclRequest, { path: at(path), acl, version });
  const getAcl = (path: string, by: RawClient = client): Promise<GetAclResponse> =>
    by.call(OpCode.getACL, [PathRecord, { path: at(path) }], GetAclResponse);
  const read = (path: string, by: RawClient = client): Promise<number> =>
    by.code(OpCode.getData, ReadRequest, { path: at(path), watch: false });
  async function authenticate(by: RawClient, auth: string): Promise<number> {
    const packet = { type: 0, scheme: "digest", auth: Buffer.from(auth) };
    const before = by.received.length;
    by.send(OpCode.auth, (writer) => AuthPacket.write(writer, packet), Xid.auth);
    await by.reply(Xid.auth);
    return by.received[before]?.header.err ?? Number.NaN;
  }

  test.each([
    ["READ", Permission.READ, ["read", "list"]],
    ["WRITE", Permission.WRITE, ["write"]],
    ["CREATE", Permission.CREATE, ["create"]],
    ["DELETE", Permission.DELETE, ["delete"]],
    ["ADMIN", Permission.ADMIN, ["setAcl"]],
  ])("%s allows exactly what it is for", async (_name, permission, allowed) => {
    expect(await make("/p", OPEN_ACL)).toBe(ErrorCode.OK);
    expect(await make("/p/victim", OPEN_ACL)).toBe(ErrorCode.OK);
    expect(await setAcl("/p", world(permission))).toBe(ErrorCode.OK);
    const path = at("/p");
    const attempts: Record<string, () => Promise<number>> = {
      read: () => read("/p"),
      list: () => client.code(OpCode.getChildren2, ReadRequest, { path, watch: false }),
      write: () => client.code(OpCode.setData, SetDataRequest, { path, data: null, version: -1 }),
      create: () => make("/p/new", OPEN_ACL),
      delete: () => client.code(OpCode.delete, DeleteRequest, { path: `${path}/victim`, version: -1 }),
      setAcl: () => setAcl("/p", world(permission)),
    };
    const possible: string[] = [];
    for (const [name, attempt] of Object.entries(attempts)) {
      const code = await attempt();
      if (code === ErrorCode.OK) possible.push(name);
      else expect([name, code]).toEqual([name, ErrorCode.NO_AUTH]);
    }
    expect(possible).toEqual(allowed);
  });

  test("an authenticated creator owns what it makes, and others are refused", async () => {
    expect(await authenticate(client, "alice:secret")).toBe(ErrorCode.OK);
    expect(await make("/mine", CREATOR_ALL_ACL)).toBe(ErrorCode.OK);
    expect((await getAcl("/mine")).acl).toEqual([digest(ALICE)]);
    await using stranger = await RawClient.connect(zk);
    expect(await read("/mine", stranger)).toBe(ErrorCode.NO_AUTH);
    expect(await make("/mine/x", OPEN_ACL, stranger)).toBe(ErrorCode.NO_AUTH);
    await authenticate(stranger, "alice:guess");
    expect(await read("/mine", stranger)).toBe(ErrorCode.NO_AUTH);
    await authenticate(stranger, "alice:secret");
    expect(await read("/mine", stranger)).toBe(ErrorCode.OK);
    await using other = await RawClient.connect(zk);
    expect(await read("/mine", other)).toBe(ErrorCode.NO_AUTH);
  });

  test("several identities add up, and whoAmI shows them", async () => {
    await authenticate(client, "alice:secret");
    await authenticate(client, "bob:word");
    const { clients } = await client.call(OpCode.whoAmI, undefined, WhoAmIResponse);
    expect(clients).toContainEqual({ scheme: "ip", user: "127.0.0.1" });
    expect(clients).toContainEqual({ scheme: "digest", user: "alice" });
    expect(clients).toContainEqual({ scheme: "digest", user: "bob" });
    expect(await make("/a", [digest(ALICE)])).toBe(ErrorCode.OK);
    expect(await make("/b", [digest(digestId("bob", "word"))])).toBe(ErrorCode.OK);
    expect([await read("/a"), await read("/b")]).toEqual([ErrorCode.OK, ErrorCode.OK]);
  });

  test("an ACL of an address lets that address in", async () => {
    const ip = (id: string): Acl[] => [{ permissions: Permission.ALL, scheme: "ip", id }];
    for (const [path, id, code] of [
      ["/exact", "127.0.0.1", ErrorCode.OK],
      ["/net", "127.0.0.0/8", ErrorCode.OK],
      ["/else", "10.0.0.0/8", ErrorCode.NO_AUTH],
    ] as const) {
      expect(await make(path, ip(id))).toBe(ErrorCode.OK);
      expect([path, await read(path)]).toEqual([path, code]);
    }
  });

  test("setACL compares aversion, counts it, and leaves mzxid and version alone", async () => {
    await make("/a", OPEN_ACL);
    const before = (await getAcl("/a")).stat;
    expect(await setAcl("/a", OPEN_ACL, 1)).toBe(ErrorCode.BAD_VERSION);
    const request = { path: at("/a"), acl: READ_ONLY_ACL, version: 0 };
    const { stat } = await client.call(OpCode.setACL, [SetAclRequest, request], StatResponse);
    expect(stat.toObject()).toEqual({ ...before.toObject(), aversion: 1 });
    expect((await getAcl("/a")).acl).toEqual(READ_ONLY_ACL);
    expect(await setAcl("/a", OPEN_ACL)).toBe(ErrorCode.NO_AUTH);
  });

  test("without ADMIN the secrets of digest ids are not shown", async () => {
    await make("/a", [...world(Permission.READ), digest(ALICE)]);
    expect((await getAcl("/a")).acl).toEqual([...world(Permission.READ), digest("alice:x")]);
    await authenticate(client, "alice:secret");
    expect((await getAcl("/a")).acl).toContainEqual(digest(ALICE));
  });

  test.each<[string, readonly Acl[] | null]>([
    ["null", null],
    ["empty", []],
    ["of an unknown scheme", [{ permissions: 31, scheme: "nonsense", id: "x" }]],
    ["for world with another id than anyone", [{ permissions: 31, scheme: "world", id: "someone" }]],
    ["for the creator on a connection without identity", CREATOR_ALL_ACL],
    ["with a digest without a colon", [{ permissions: 31, scheme: "digest", id: "alice" }]],
    ["with a malformed address", [{ permissions: 31, scheme: "ip", id: "300.1.1.1" }]],
  ])("a list that is %s is refused", async (_name, acl) => {
    expect(await make("/a", acl)).toBe(ErrorCode.INVALID_ACL);
    expect(await setAcl("", acl ?? [])).toBe(ErrorCode.INVALID_ACL);
  });

  test("permission on the parent is looked at before the child's existence", async () => {
    await make("/p", OPEN_ACL);
    await make("/p/c", OPEN_ACL);
    await setAcl("/p", world(Permission.READ | Permission.ADMIN));
    expect(await make("/p/c", OPEN_ACL)).toBe(ErrorCode.NO_AUTH);
    const gone = { path: at("/p/none"), version: -1 };
    expect(await client.code(OpCode.delete, DeleteRequest, gone)).toBe(ErrorCode.NO_AUTH);
  });

  test("an unknown scheme ends the connection with AUTH_FAILED", async () => {
    const packet = { type: 0, scheme: "nonsense", auth: Buffer.from("x") };
    client.send(OpCode.auth, (writer) => AuthPacket.write(writer, packet), Xid.auth);
    expect((await client.reply(Xid.auth)).header.err).toBe(ErrorCode.AUTH_FAILED);
    await client.untilClosed();
  });
});
