// SPDX-License-Identifier: Apache-2.0
// Opening, resuming and ending sessions, byte by byte.
import { awaitCondition } from "@meerkat/testkit";
import { ErrorCode, OpCode, PathRecord, ReadRequest, Xid } from "@meerkat/wire";
import { expect, test } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

const ZERO_PASSWORD = Buffer.alloc(16);

describeEachZooKeeper("the handshake", (zk) => {
  test("gives a new session an id, a password and the timeout asked for", async () => {
    await using client = await RawClient.connect(zk, { timeoutMs: 6000 });
    expect(client.session).toMatchObject({ protocolVersion: 0, timeoutMs: 6000, readOnly: false });
    expect(client.session?.sessionId).not.toBe(0n);
    expect(client.session?.password?.length).toBe(16);
    expect(Buffer.from(client.session?.password ?? []).equals(ZERO_PASSWORD)).toBe(false);
  });

  test("clamps the timeout to the server's bounds", async () => {
    await using short = await RawClient.connect(zk, { timeoutMs: 1 });
    await using long = await RawClient.connect(zk, { timeoutMs: 1_000_000 });
    expect([short.session?.timeoutMs, long.session?.timeoutMs]).toEqual([500, 40_000]);
  });

  test("leaves the read-only byte out when the request lacks it", async () => {
    await using client = await RawClient.connect(zk, { readOnly: undefined });
    expect(client.session?.readOnly).toBeUndefined();
  });

  test("gives different sessions different ids", async () => {
    await using first = await RawClient.connect(zk);
    await using second = await RawClient.connect(zk);
    expect(first.session?.sessionId).not.toBe(second.session?.sessionId);
  });

  test("resumes a session by id and password, and closes its other connection", async () => {
    const first = await RawClient.connect(zk);
    const path = await first.create(`${zk.chroot}/mine`, null, 1);
    const { sessionId = 0n, password } = first.session ?? {};
    await using second = await RawClient.connect(zk, { sessionId, password: password ?? ZERO_PASSWORD });
    expect(second.session).toMatchObject({ sessionId, timeoutMs: 10_000 });
    await first.untilClosed();
    expect(await second.code(OpCode.exists, ReadRequest, { path, watch: false })).toBe(ErrorCode.OK);
  });

  test("refuses a wrong password with a zero session and closes", async () => {
    const first = await RawClient.connect(zk);
    const { sessionId = 0n } = first.session ?? {};
    const impostor = await RawClient.connect(zk, { sessionId, password: Buffer.alloc(16, 9) });
    expect(impostor.session).toMatchObject({ timeoutMs: 0, sessionId: 0n });
    await impostor.untilClosed();
    first.destroy();
  });

  test("refuses a session that was closed, and one that never was", async () => {
    const first = await RawClient.connect(zk);
    const { sessionId = 0n, password } = first.session ?? {};
    await first.close();
    for (const id of [sessionId, 0x7fff_0000_0000_0001n]) {
      const late = await RawClient.connect(zk, { sessionId: id, password: password ?? ZERO_PASSWORD });
      expect(late.session).toMatchObject({ timeoutMs: 0, sessionId: 0n });
      await late.untilClosed();
    }
  });

  test("closes without a word when the client has seen a newer zxid", async () => {
    const client = await RawClient.connect(zk, { lastZxidSeen: 0x7fff_ffffn });
    await client.untilClosed();
    expect(client.session).toBeUndefined();
  });

  test("closing a session answers, then closes the connection, and its ephemerals are gone", async () => {
    await using observer = await RawClient.connect(zk);
    const client = await RawClient.connect(zk);
    const path = await client.create(`${zk.chroot}/mine`, null, 1);
    const xid = client.send(OpCode.closeSession);
    expect((await client.reply(xid)).header.err).toBe(ErrorCode.OK);
    expect(await observer.code(OpCode.exists, ReadRequest, { path, watch: false })).toBe(ErrorCode.NO_NODE);
    await client.untilClosed();
  });

  test("a ping is answered with its own xid and keeps an idle session", async () => {
    await using client = await RawClient.connect(zk, { timeoutMs: 1000 });
    const path = await client.create(`${zk.chroot}/mine`, null, 1);
    await using observer = await RawClient.connect(zk);
    const startMs = performance.now();
    let pings = 0;
    await awaitCondition(async () => {
      client.send(OpCode.ping, undefined, Xid.ping);
      pings++;
      await awaitCondition(
        () => client.received.filter(({ header }) => header.xid === Xid.ping).length === pings,
      );
      return performance.now() - startMs > 2500;
    });
    expect(client.received.every(({ header }) => header.err === 0)).toBe(true);
    expect(await observer.code(OpCode.exists, ReadRequest, { path, watch: false })).toBe(ErrorCode.OK);
  });

  test("answers pipelined requests in their order, each with its xid", async () => {
    await using client = await RawClient.connect(zk);
    const xids = Array.from({ length: 200 }, (_, index) =>
      client.send(index % 2 === 0 ? OpCode.exists : OpCode.getChildren, (writer) =>
        ReadRequest.write(writer, { path: zk.chroot, watch: false }),
      ),
    );
    await client.reply(xids.at(-1) ?? 0);
    expect(client.received.map(({ header }) => header.xid)).toEqual(xids);
  });

  test("requests sent right behind the connect request are answered", async () => {
    const client = await RawClient.open(zk);
    client.sendConnect();
    const xid = client.send(OpCode.exists, (writer) =>
      ReadRequest.write(writer, { path: "/", watch: false }),
    );
    expect((await client.reply(xid)).header.err).toBe(ErrorCode.OK);
    await client.close();
  });

  test("the zxid of replies grows with writes and never falls", async () => {
    await using client = await RawClient.connect(zk);
    for (let index = 0; index < 5; index++) await client.create(`${zk.chroot}/z-`, null, 2);
    await client.call(OpCode.sync, [PathRecord, { path: zk.chroot }], PathRecord);
    const zxids = client.received.map(({ header }) => header.zxid);
    for (let index = 1; index < 5; index++) expect(zxids[index]).toBeGreaterThan(zxids[index - 1] ?? 0n);
    expect(zxids[5]).toBeGreaterThanOrEqual(zxids[4] ?? 0n);
  });

  test.each<[string, Buffer]>([
    ["a negative length", Buffer.from("ffffffff", "hex")],
    ["a length beyond the limit", Buffer.from("7fffffff", "hex")],
    ["a connect request cut short", Buffer.from("0000000800000000ffffffff", "hex")],
  ])("closes a connection that starts with %s, and serves the others", async (_name, bytes) => {
    const client = await RawClient.open(zk);
    client.sendBytes(bytes);
    await client.untilClosed();
    await using other = await RawClient.connect(zk);
    expect(other.session?.timeoutMs).toBe(10_000);
  });

  test("closes a connection whose request is longer than the limit", async () => {
    await using client = await RawClient.connect(zk);
    client.sendBytes(Buffer.from("00200000", "hex"));
    await client.untilClosed();
  });

  test("answers an unknown operation with UNIMPLEMENTED and closes", async () => {
    const client = await RawClient.connect(zk);
    const xid = client.send(77);
    expect((await client.reply(xid)).header.err).toBe(ErrorCode.UNIMPLEMENTED);
    await client.untilClosed();
  });
});
