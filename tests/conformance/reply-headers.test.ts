// SPDX-License-Identifier: Apache-2.0
// What stands in a reply's header, and which requests take a transaction id, where that is not obvious.
import {
  AuthPacket,
  CreateFlag,
  ErrorCode,
  JuteReader,
  MultiRequest,
  MultiResponse,
  OPEN_ACL,
  OpCode,
  ReconfigRequest,
  Xid,
} from "@meerkat/wire";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

describeEachZooKeeper("reply headers", (zk) => {
  let client: RawClient;
  beforeEach(async () => {
    client = await RawClient.connect(zk);
  });
  afterEach(async () => {
    await client.close();
  });

  /** The last transaction id, as a read shows it. */
  async function lastZxid(): Promise<bigint> {
    return (await client.reply(client.send(OpCode.whoAmI))).header.zxid;
  }

  test("a ping is answered with the xid of pings, whatever its own", async () => {
    client.send(OpCode.ping, undefined, 77);
    expect((await client.reply(Xid.ping)).header.err).toBe(ErrorCode.OK);
  });

  test("an auth packet is answered with its own xid and no zxid, when it is refused too", async () => {
    const packet = { type: 0, scheme: "digest", auth: Buffer.from("u:p") };
    client.send(OpCode.auth, (writer) => AuthPacket.write(writer, packet), 78);
    expect((await client.reply(78)).header).toMatchObject({ zxid: 0n, err: ErrorCode.OK });
    client.send(OpCode.auth, (writer) => AuthPacket.write(writer, { ...packet, scheme: "nope" }), 79);
    expect((await client.reply(79)).header).toMatchObject({ zxid: 0n, err: ErrorCode.AUTH_FAILED });
  });

  test("an unknown operation is answered with zxid -1", async () => {
    const { header } = await client.reply(client.send(200));
    expect(header).toMatchObject({ zxid: -1n, err: ErrorCode.UNIMPLEMENTED });
  });

  test("a sync without a path is answered without one", async () => {
    const { header, body } = await client.reply(client.send(OpCode.sync, (writer) => writer.ustring(null)));
    expect(header.err).toBe(ErrorCode.OK);
    expect(new JuteReader(body).ustring()).toBeNull();
  });

  test("a write that cannot be read takes a zxid, a reconfig that cannot be read does not", async () => {
    const before = await lastZxid();
    const refused = await client.reply(client.send(OpCode.reconfig));
    expect(refused.header).toMatchObject({ zxid: before, err: ErrorCode.MARSHALLING_ERROR });
    const create = await client.reply(client.send(OpCode.create));
    expect(create.header).toMatchObject({ zxid: before + 1n, err: ErrorCode.MARSHALLING_ERROR });
    const request = { joiningServers: null, leavingServers: null, newMembers: null, curConfigId: -1n };
    const xid = client.send(OpCode.reconfig, (writer) => ReconfigRequest.write(writer, request));
    const reconfig = await client.reply(xid);
    expect(reconfig.header).toMatchObject({ zxid: before + 2n, err: ErrorCode.RECONFIG_DISABLED });
  });

  test("in a multi the flags tell what is created, whatever the operation", async () => {
    const fields = { data: null, acl: OPEN_ACL, path: `${zk.chroot}/n` };
    const operations = [
      { ...fields, type: OpCode.create, path: `${zk.chroot}/container`, flags: CreateFlag.container },
      { ...fields, type: OpCode.createContainer, flags: CreateFlag.persistentSequential },
      { ...fields, type: OpCode.createTTL, flags: CreateFlag.persistentSequential, ttlMs: -1n },
    ] as const;
    const { results } = await client.call(OpCode.multi, [MultiRequest, { operations }], MultiResponse);
    expect(results.map((result) => ("path" in result ? result.path.slice(zk.chroot.length) : ""))).toEqual([
      "/container",
      "/n0000000001",
      "/n0000000002",
    ]);
    // A container is answered with its stat, the others as plain creates.
    expect(results.map(({ type }) => type)).toEqual([OpCode.create2, OpCode.create, OpCode.create]);
  });
});
