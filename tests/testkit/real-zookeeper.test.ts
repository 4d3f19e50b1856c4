// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync } from "node:fs";
import { awaitCondition, scratchDir, startRealZooKeeper, toolsAvailable } from "@meerkat/testkit";
import { describe, expect, test } from "vitest";
import { RawClient } from "../support/raw-client.ts";

describe.runIf(toolsAvailable("startRealZooKeeper", "java-zookeeper"))("startRealZooKeeper", () => {
  test("starts one server that serves, and removes everything afterwards", async () => {
    const zooKeeper = await startRealZooKeeper({ tickTimeMs: 300, config: { maxSessionTimeout: "7000" } });
    const [member] = zooKeeper.members;
    if (member === undefined) throw new Error("no member");
    expect(zooKeeper.connectString).toBe(`127.0.0.1:${member.port}`);
    expect(await member.fourLetterWord("ruok")).toBe("imok");
    expect(await member.fourLetterWord("conf")).toContain("tickTime=300");
    await using client = await RawClient.connect(member, { timeoutMs: 60_000 });
    expect(client.session?.timeoutMs).toBe(7000);
    const { pid, dataDir } = member;
    await zooKeeper.stop();
    expect([member.running, existsSync(`/proc/${pid}`), existsSync(dataDir)]).toEqual([false, false, false]);
    await zooKeeper.stop();
  });

  test("data outlive SIGKILL and a restart on the same port", async () => {
    await using zooKeeper = await startRealZooKeeper();
    const [member] = zooKeeper.members;
    if (member === undefined) throw new Error("no member");
    const { port, pid } = member;
    const before = await RawClient.connect(member);
    await before.create("/kept", Buffer.from("x"));
    await member.kill();
    expect(member.running).toBe(false);
    expect(() => member.pid).toThrow("does not run");
    await member.start();
    await member.start();
    expect(member.port).toBe(port);
    expect(member.pid).not.toBe(pid);
    await using after = await RawClient.connect(member);
    await expect(after.create("/kept")).rejects.toMatchObject({ err: -110 });
    before.destroy();
  });

  test("a paused server answers nothing and goes on after resume", async () => {
    await using zooKeeper = await startRealZooKeeper();
    const [member] = zooKeeper.members;
    if (member === undefined) throw new Error("no member");
    member.pause();
    await awaitCondition(() => /\) T/.test(readFileSync(`/proc/${member.pid}/stat`, "utf8")));
    await expect(member.fourLetterWord("ruok")).rejects.toMatchObject({ code: "TIMEOUT" });
    member.resume();
    expect(await member.mode()).toBe("standalone");
    member.pause();
    await member.stop();
    expect(member.running).toBe(false);
  });

  test("three members elect a leader, and another one when it is killed", async () => {
    await using zooKeeper = await startRealZooKeeper({ members: 3 });
    expect(zooKeeper.connectString.split(",").length).toBe(3);
    const leader = await zooKeeper.leader();
    await leader.kill();
    await awaitCondition(async () => (await zooKeeper.leader().catch(() => leader)) !== leader, {
      timeoutMs: 30_000,
      describe: "another leader",
    });
    await leader.start();
    expect(await leader.mode()).toBe("follower");
  });

  test("takes an existing data directory and leaves it", async () => {
    await using directory = await scratchDir();
    for (const expected of [undefined, -110]) {
      await using zooKeeper = await startRealZooKeeper({ dataDirs: [directory.join("data")] });
      const [member] = zooKeeper.members;
      if (member === undefined) throw new Error("no member");
      await using client = await RawClient.connect(member);
      const created = client.create("/kept");
      if (expected === undefined) await created;
      else await expect(created).rejects.toMatchObject({ err: expected });
    }
    expect(existsSync(directory.join("data", "version-2"))).toBe(true);
  });

  test("a server that cannot start is NOT_STARTED and shows its log", async () => {
    const failed = startRealZooKeeper({ config: { tickTime: "no number" } });
    await expect(failed).rejects.toMatchObject({ code: "NOT_STARTED" });
    await expect(failed).rejects.toThrow("no number");
  });
});
