// SPDX-License-Identifier: Apache-2.0
// Sessions in time: silence, expiry, and what goes with them.
import { awaitCondition } from "@meerkat/testkit";
import { DeleteRequest, ErrorCode, OpCode, PathRecord, ReadRequest, Xid } from "@meerkat/wire";
import { expect, test } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { describeEachZooKeeper } from "../support/zookeepers.ts";

const SHORT_MS = 800;

describeEachZooKeeper("sessions", (zk) => {
  const exists = async (client: RawClient, path: string): Promise<boolean> =>
    (await client.code(OpCode.exists, ReadRequest, { path, watch: false })) === ErrorCode.OK;

  test("a lost connection leaves the session and its ephemerals until the timeout, no longer", async () => {
    await using observer = await RawClient.connect(zk);
    const owner = await RawClient.connect(zk, { timeoutMs: SHORT_MS });
    const path = await owner.create(`${zk.chroot}/e`, null, 1);
    const startMs = performance.now();
    owner.destroy();
    expect(await exists(observer, path)).toBe(true);
    await awaitCondition(async () => !(await exists(observer, path)), { describe: "the session to expire" });
    // Not before the timeout, counted from its last request.
    expect(performance.now() - startMs).toBeGreaterThan(SHORT_MS - 100);
    const late = await RawClient.connect(zk, {
      sessionId: owner.session?.sessionId ?? 0n,
      password: owner.session?.password ?? Buffer.alloc(16),
    });
    expect(late.session?.timeoutMs).toBe(0);
  });

  test("silence on an open connection ends session and connection, persistent znodes stay", async () => {
    await using observer = await RawClient.connect(zk);
    const silent = await RawClient.connect(zk, { timeoutMs: SHORT_MS });
    const ephemeral = await silent.create(`${zk.chroot}/e`, null, 1);
    const persistent = await silent.create(`${zk.chroot}/p`);
    await silent.untilClosed();
    expect(await exists(observer, ephemeral)).toBe(false);
    expect(await exists(observer, persistent)).toBe(true);
  });

  test("a resumed session keeps its ephemerals and lives on", async () => {
    await using observer = await RawClient.connect(zk);
    const first = await RawClient.connect(zk, { timeoutMs: SHORT_MS });
    const path = await first.create(`${zk.chroot}/e`, null, 1);
    first.destroy();
    const session = {
      sessionId: first.session?.sessionId ?? 0n,
      password: first.session?.password ?? Buffer.alloc(16),
    };
    await using second = await RawClient.connect(zk, { ...session, timeoutMs: SHORT_MS });
    const startMs = performance.now();
    await awaitCondition(async () => {
      second.send(OpCode.ping, undefined, Xid.ping);
      expect(await exists(observer, path)).toBe(true);
      return performance.now() - startMs > 2 * SHORT_MS;
    });
    expect(second.closed).toBe(false);
  });

  test("all ephemerals of a session go in one step", async () => {
    await using observer = await RawClient.connect(zk);
    const owner = await RawClient.connect(zk);
    for (let index = 0; index < 20; index++) await owner.create(`${zk.chroot}/e-`, null, 3);
    await observer.code(OpCode.getChildren, ReadRequest, { path: zk.chroot, watch: true });
    await owner.close();
    await awaitCondition(() => observer.events.length === 1);
    const xid = observer.send(OpCode.getChildren, (writer) =>
      ReadRequest.write(writer, { path: zk.chroot, watch: false }),
    );
    expect((await observer.reply(xid)).body.readInt32BE(0)).toBe(0);
  });

  test("a znode made anew as persistent outlives the owner of the ephemeral of that name", async () => {
    await using other = await RawClient.connect(zk);
    const owner = await RawClient.connect(zk);
    const path = await owner.create(`${zk.chroot}/e`, null, 1);
    expect(await other.code(OpCode.delete, DeleteRequest, { path, version: -1 })).toBe(ErrorCode.OK);
    await other.create(path);
    await owner.close();
    await other.code(OpCode.sync, PathRecord, { path: "/" });
    expect(await exists(other, path)).toBe(true);
  });
});

describeEachZooKeeper(
  "a restart of the server",
  (zk) => {
    test("keeps data, sessions and their ephemerals, and counts zxids on", async () => {
      const before = await RawClient.connect(zk, { timeoutMs: 20_000 });
      const ephemeral = await before.create(`${zk.chroot}/e`, Buffer.from("e"), 1);
      const sequential = await before.create(`${zk.chroot}/s-`, Buffer.from("s"), 2);
      const zxid = before.received.at(-1)?.header.zxid ?? 0n;
      await zk.stop();
      await before.untilClosed();
      await zk.start();
      const session = {
        sessionId: before.session?.sessionId ?? 0n,
        password: before.session?.password ?? Buffer.alloc(16),
      };
      await using after = await RawClient.connect(zk, { ...session, lastZxidSeen: zxid });
      expect(after.session?.sessionId).toBe(session.sessionId);
      for (const path of [ephemeral, sequential]) {
        expect(await after.code(OpCode.exists, ReadRequest, { path, watch: false })).toBe(ErrorCode.OK);
      }
      expect(await after.create(`${zk.chroot}/s-`, null, 2)).toBe(`${zk.chroot}/s-0000000002`);
      expect(after.received.at(-1)?.header.zxid).toBeGreaterThan(zxid);
    });

    test("a session that nobody resumes expires after the restart", async () => {
      const owner = await RawClient.connect(zk, { timeoutMs: SHORT_MS });
      const path = await owner.create(`${zk.chroot}/e`, null, 1);
      await zk.stop();
      await zk.start();
      await using observer = await RawClient.connect(zk);
      await awaitCondition(
        async () =>
          (await observer.code(OpCode.exists, ReadRequest, { path, watch: false })) === ErrorCode.NO_NODE,
        { describe: "the session to expire" },
      );
    });
  },
  { durable: true },
);
