// SPDX-License-Identifier: Apache-2.0
// Follows docs/guides/embedded-server.md, "From embedded to an ensemble of three", and back.
import { cp, mkdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { EmbeddedServer } from "@meerkat/server";
import {
  awaitCondition,
  type RealZooKeeper,
  type RealZooKeeperMember,
  scratchDir,
  startRealZooKeeper,
  toolsAvailable,
} from "@meerkat/testkit";
import { describe, expect, it } from "vitest";
import { RawClient } from "../support/raw-client.ts";
import { dumpServer, type SeenZnode } from "./support/dump-server.ts";
import { fillTree } from "./support/fill-tree.ts";

const GUIDE = fileURLToPath(new URL("../../docs/guides/embedded-server.md", import.meta.url));
const ZNODES = 2000;
const available = toolsAvailable("from embedded to an ensemble", "java-zookeeper");

/** The guide's zoo.cfg without what depends on the machine. */
async function guideConfig(): Promise<Record<string, string>> {
  const block = /```properties\n([^`]+)```/.exec(await readFile(GUIDE, "utf8"))?.[1] ?? "";
  const entries = block
    .split("\n")
    .map((line) => line.trim().split("=") as [string, string])
    .filter(([key]) => key !== "" && !/^(dataDir|clientPort|server\.\d)$/.test(key));
  return Object.fromEntries(entries);
}

async function zxidOf(member: RealZooKeeperMember): Promise<bigint> {
  return BigInt(/^Zxid: (0x[0-9a-f]+)$/m.exec(await member.fourLetterWord("srvr"))?.[1] ?? "0");
}

/** Every member shows the same tree; followers may be a moment behind. */
async function expectOn(zooKeeper: RealZooKeeper, expected: readonly SeenZnode[]): Promise<void> {
  for (const member of zooKeeper.members) {
    let seen: readonly SeenZnode[] = [];
    await awaitCondition(
      async () => {
        seen = (await dumpServer(member)).filter(({ path }) => !path.startsWith("/zookeeper"));
        return seen.length === expected.length;
      },
      { describe: `${expected.length} znodes on member ${member.id}` },
    );
    expect(seen).toEqual(expected);
  }
}

describe.skipIf(!available)("the guide from embedded to an ensemble of three", { timeout: 180_000 }, () => {
  it("keeps every znode, session and sequence, and so does the way back", async () => {
    await using scratch = await scratchDir();
    const config = await guideConfig();
    expect(config).toMatchObject({ tickTime: "3000", extendedTypesEnabled: "true" });
    const own = scratch.join("embedded");
    const embedded = await EmbeddedServer.start({ dataDir: own, snapCount: 1000 });
    const sessions = await fillTree(embedded, ZNODES);
    // The ensemble writes its members into /zookeeper/config.
    const before = (await dumpServer(embedded)).filter(({ path }) => !path.startsWith("/zookeeper"));
    await embedded.close();

    const dataDirs = ["zk1", "zk2", "zk3"].map((name) => scratch.join(name));
    for (const directory of dataDirs) {
      await mkdir(directory);
      await cp(`${own}/version-2`, `${directory}/version-2`, { recursive: true });
    }
    const zooKeeper = await startRealZooKeeper({ members: 3, dataDirs, config });
    await using _stop = zooKeeper;
    const leader = await zooKeeper.leader();
    const modes = await Promise.all(zooKeeper.members.map((member) => member.mode()));
    expect(modes.sort()).toEqual(["follower", "follower", "leader"]);
    await expectOn(zooKeeper, before);

    // Sessions from before go on at any member, and sequences count on.
    for (const [index, { id, password }] of sessions.entries()) {
      const member = zooKeeper.members[index % 3] as RealZooKeeperMember;
      const client = await RawClient.connect(member, { sessionId: id, password, timeoutMs: 40_000 });
      expect(client.session?.sessionId).toBe(id);
      if (index === 0) {
        const made = before.filter(({ path }) => path.startsWith("/house/room-1/")).length;
        const next = `/house/room-1/thing-${String(made).padStart(10, "0")}`;
        expect(await client.create("/house/room-1/thing-", null, 2)).toBe(next);
        await client.close();
      } else {
        client.destroy();
      }
    }
    expect(await zxidOf(leader)).toBeGreaterThan(0x1_0000_0000n);
    const moved = (await dumpServer(leader)).filter(({ path }) => !path.startsWith("/zookeeper"));
    expect(moved.length).toBe(before.length - 20 + 1);
    await expectOn(zooKeeper, moved);

    const zxid = await zxidOf(leader);
    for (const member of zooKeeper.members) await member.stop();
    const home = scratch.join("home");
    await mkdir(home);
    await cp(`${leader.dataDir}/version-2`, `${home}/version-2`, { recursive: true });
    await using back = await EmbeddedServer.start({ dataDir: home });
    const seen = (await dumpServer(back)).filter(({ path }) => !path.startsWith("/zookeeper"));
    expect(seen).toEqual(moved);
    const client = await RawClient.connect(back, { lastZxidSeen: zxid });
    await client.create("/after");
    const found = (await dumpServer(back)).find(({ path }) => path === "/after");
    expect(BigInt(/czxid=(\d+)/.exec(found?.stat ?? "")?.[1] ?? 0) >> 32n).toBe(1n);
    await client.close();
  });
});
