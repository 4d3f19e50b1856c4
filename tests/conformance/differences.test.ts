// SPDX-License-Identifier: Apache-2.0
// Where the embedded server differs on purpose from Apache ZooKeeper 3.8.0, the version that the other
// tests compare with: each with the reason, and with proof on both servers that the difference is as said.
import { awaitCondition } from "@meerkat/testkit";
import {
  type Acl,
  AddWatchMode,
  AddWatchRequest,
  CheckVersionRequest,
  CreateRequest,
  CreateTtlRequest,
  ErrorCode,
  MultiRequest,
  MultiResponse,
  OPEN_ACL,
  OpCode,
  PathRecord,
  Permission,
  ReadRequest,
  SetDataRequest,
  Xid,
} from "@meerkat/wire";
import { afterEach, beforeEach, expect, test } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

describeEachZooKeeper("deliberate differences", (zk) => {
  let client: RawClient;
  beforeEach(async () => {
    client = await RawClient.connect(zk);
  });
  afterEach(async () => {
    await client.close();
  });

  const at = (path: string): string => zk.chroot + path;
  /** What each server does. */
  const either = <T>(embedded: T, real: T): T => (zk.kind === "embedded" ? embedded : real);

  test("events carry the zxid of their change, as from 3.9 on, so that a client can order them", async () => {
    await client.code(OpCode.getData, ReadRequest, { path: at(""), watch: true });
    await client.code(OpCode.setData, SetDataRequest, { path: at(""), data: null, version: -1 });
    const event = client.received.find(({ header }) => header.xid === Xid.notification);
    expect(event?.header.zxid).toBe(either(client.received.at(-1)?.header.zxid, -1n));
  });

  test("exists needs READ, as from 3.8.4 on: the old way shows stats to those who may not read", async () => {
    const acl: Acl[] = [{ permissions: Permission.ADMIN, scheme: "world", id: "anyone" }];
    await client.code(OpCode.create, CreateRequest, { path: at("/a"), data: null, acl, flags: 0 });
    const code = await client.code(OpCode.exists, ReadRequest, { path: at("/a"), watch: false });
    expect(code).toBe(either<number>(ErrorCode.NO_AUTH, ErrorCode.OK));
  });

  test("a one-shot watch leaves a persistent one on its path alone, as from 3.9 on", async () => {
    const path = at("");
    await client.code(OpCode.addWatch, AddWatchRequest, { path, mode: AddWatchMode.persistent });
    await client.code(OpCode.getData, ReadRequest, { path, watch: true });
    for (let round = 0; round < 2; round++) {
      await client.code(OpCode.setData, SetDataRequest, { path, data: null, version: -1 });
    }
    await client.code(OpCode.sync, PathRecord, { path });
    expect(client.events.length).toBe(either(2, 1));
  });

  test("create2 in a transaction is answered as create2, with the stat, as from 3.9 on", async () => {
    const operations = [
      { type: OpCode.create2, path: at("/a"), data: null, acl: OPEN_ACL, flags: 0 },
    ] as const;
    const { results } = await client.call(OpCode.multi, [MultiRequest, { operations }], MultiResponse);
    expect(results.map(({ type }) => type)).toEqual([either<number>(OpCode.create2, OpCode.create)]);
  });

  test("a container is made by its own operation alone: by create it would be stored as another kind", async () => {
    const request = { path: at("/a"), data: null, acl: OPEN_ACL, flags: 4 };
    const code = await client.code(OpCode.create, CreateRequest, request);
    expect(code).toBe(either<number>(ErrorCode.BAD_ARGUMENTS, ErrorCode.OK));
  });
});

describeEachZooKeeper(
  "requests that harm Apache ZooKeeper 3.8.0",
  (zk) => {
    test("a check outside a transaction is refused; 3.8.0 logs what it cannot recover from", async () => {
      await using client = await RawClient.connect(zk);
      const xid = client.send(OpCode.check, (writer) =>
        CheckVersionRequest.write(writer, { path: zk.chroot, version: 0 }),
      );
      expect((await client.reply(xid)).header.err).toBe(ErrorCode.UNIMPLEMENTED);
      await client.untilClosed();
    });

    test("createTTL without a TTL mode is refused; 3.8.0 exits and never starts again", async () => {
      await using client = await RawClient.connect(zk);
      const request = { path: `${zk.chroot}/a`, data: null, acl: OPEN_ACL, flags: 0, ttlMs: -1n };
      expect(await client.code(OpCode.createTTL, CreateTtlRequest, request)).toBe(ErrorCode.BAD_ARGUMENTS);
    });

    test("deleteContainer from a client is refused", async () => {
      await using client = await RawClient.connect(zk);
      const path = await client.create(`${zk.chroot}/a`);
      const xid = client.send(OpCode.deleteContainer, (writer) => PathRecord.write(writer, { path }));
      await awaitCondition(() => client.closed || client.received.some(({ header }) => header.xid === xid));
      await using other = await RawClient.connect(zk);
      expect(await other.code(OpCode.exists, ReadRequest, { path, watch: false })).toBe(ErrorCode.OK);
    });
  },
  { only: "embedded" },
);
