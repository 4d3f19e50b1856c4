// SPDX-License-Identifier: Apache-2.0
// One directory, two servers: files of Apache ZooKeeper are read exactly, and ours are read by it.
import { execFile } from "node:child_process";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { seededRandom, systemFiles, systemRuntime } from "@meerkat/runtime";
import { listLogs, listSnapshots, openStorage } from "@meerkat/server/log";
import { type RealZooKeeperMember, scratchDir, startRealZooKeeper, toolsAvailable } from "@meerkat/testkit";
import { describe, expect, it } from "vitest";
import { dumpServer, seenOf } from "./support/dump-server.ts";
import { ModelTree } from "./support/model-tree.ts";
import { playRequests } from "./support/request-mix.ts";
import { serverState } from "./support/server-state.ts";
import { copyOf, TxnGenerator } from "./support/txn-generator.ts";

const run = promisify(execFile);
const CLASSPATH = "/usr/share/java/zookeeper.jar:/usr/share/java/slf4j-simple.jar";
const available = toolsAvailable("files of Apache ZooKeeper", "java-zookeeper");
/** Everything may be read by the comparing client, and TTL znodes stay. */
const PROPERTIES = { "zookeeper.skipACL": "yes", "zookeeper.extendedTypesEnabled": "true" };

async function recoverModel(dataDir: string): Promise<ModelTree> {
  const tree = new ModelTree();
  await using storage = await openDisposable(dataDir);
  tree.lastZxid = (await storage.recover(tree)).lastZxid;
  tree.removeOrphans();
  return tree;
}

async function openDisposable(dataDir: string) {
  const storage = await openStorage({ dataDir, runtime: systemRuntime, preAllocKb: 64 });
  return Object.assign(storage, { [Symbol.asyncDispose]: () => storage.close() });
}

function only(members: readonly RealZooKeeperMember[]): RealZooKeeperMember {
  return members[0] as RealZooKeeperMember;
}

/** Ids that the server lists under a heading of the word `dump`. */
async function sessionIds(member: RealZooKeeperMember): Promise<string[]> {
  const text = await member.fourLetterWord("dump");
  const sets = text.slice(0, text.indexOf("ephemeral nodes dump"));
  return [...sets.matchAll(/^\t0x([0-9a-f]+)$/gm)].map((match) => String(match[1])).sort();
}

describe.skipIf(!available)("files of Apache ZooKeeper", () => {
  for (const compression of ["", "gz", "snappy"]) {
    it(`are read exactly, with ${compression || "plain"} snapshots`, async () => {
      await using scratch = await scratchDir();
      await using zooKeeper = await startRealZooKeeper({
        systemProperties: {
          "zookeeper.extendedTypesEnabled": "true",
          // Snapshots while requests come in: fuzzy ones.
          "zookeeper.snapCount": "40",
          "zookeeper.snapshot.compression.method": compression,
        },
        config: { maxSessionTimeout: "60000" },
      });
      const member = only(zooKeeper.members);
      const clients = await playRequests(member, seededRandom(compression.length + 1), 400);
      const seen = await dumpServer(member);
      const ids = await sessionIds(member);
      await member.kill();
      for (const client of clients) client.destroy();
      const dataDir = scratch.join("data");
      await cp(member.dataDir, dataDir, { recursive: true });
      const snapshots = await listSnapshots(systemFiles, join(dataDir, "version-2"));
      expect(snapshots.length).toBeGreaterThan(2);
      const tree = await recoverModel(dataDir);
      expect(seenOf(tree)).toEqual(seen);
      const again = await openDisposable(dataDir);
      expect((await serverState(again)).dump(), "the server's own tree").toEqual(tree.dump());
      await again.close();
      expect(seen.length).toBeGreaterThan(20);
      expect(seen.some((znode) => !znode.stat.includes("ephemeralOwner=0"))).toBe(true);
      expect([...tree.timeouts.keys()].map((id) => id.toString(16)).sort()).toEqual(ids);
      // The oldest snapshot and all logs lead to the same state, and so does the merge of them.
      for (const { path } of snapshots.slice(0, -1)) await systemFiles.remove(path);
      expect(seenOf(await recoverModel(dataDir))).toEqual(seen);
      const storage = await openDisposable(dataDir);
      await storage.recover(new ModelTree());
      await storage.takeSnapshot();
      await storage.close();
      for (const log of await listLogs(systemFiles, join(dataDir, "version-2")))
        await systemFiles.remove(log.path);
      expect(seenOf(await recoverModel(dataDir))).toEqual(seen);
    });
  }
});

describe.skipIf(!available)("our files", () => {
  it("are loaded by Apache ZooKeeper with every znode, Stat, ACL and session", async () => {
    for (const seed of [1, 2, 3]) {
      await using scratch = await scratchDir();
      const dataDir = scratch.join("data");
      const tree = await writeHistory(dataDir, seed, [150, 100]);
      await using zooKeeper = await startRealZooKeeper({ dataDirs: [dataDir], systemProperties: PROPERTIES });
      const member = only(zooKeeper.members);
      expect(await sessionIds(member)).toEqual([...tree.timeouts.keys()].map((id) => id.toString(16)).sort());
      expect(await dumpServer(member)).toEqual(seenOf(tree));
      expect(await member.fourLetterWord("mntr")).toMatch(/^zk_digest_mismatches_count\t0$/m);
      // And back again, with what happened there.
      const clients = await playRequests(member, seededRandom(seed), 100);
      const seen = await dumpServer(member);
      await member.kill();
      for (const client of clients) client.destroy();
      expect(seenOf(await recoverModel(dataDir))).toEqual(seen);
    }
  });

  it("pass Apache ZooKeeper's own checks of logs and snapshots", async () => {
    await using scratch = await scratchDir();
    const dataDir = scratch.join("data");
    const tree = await writeHistory(dataDir, 9, [120, 60]);
    const directory = join(dataDir, "version-2");
    const [snapshot] = await listSnapshots(systemFiles, directory);
    expect(snapshot?.zxid).toBe(120);
    const formatted = await java("org.apache.zookeeper.server.SnapshotFormatter", snapshot?.path ?? "");
    expect(formatted).toContain("Last zxid: 0x78");
    const logs = await listLogs(systemFiles, directory);
    let records = 0;
    for (const { path } of logs) {
      const dumped = await java("org.apache.zookeeper.server.persistence.TxnLogToolkit", path);
      expect(dumped).not.toContain("CRC ERROR");
      records += [...dumped.matchAll(/ session 0x/g)].length;
    }
    expect(logs).toHaveLength(2);
    expect(records).toBe(tree.lastZxid);
  });
});

/** Random transactions, with a snapshot after each part but the last. */
async function writeHistory(dataDir: string, seed: number, parts: readonly number[]): Promise<ModelTree> {
  await using storage = await openDisposable(dataDir);
  const tree = new ModelTree();
  const { lastZxid } = await storage.recover(tree);
  const generator = new TxnGenerator(seededRandom(seed), tree, lastZxid, 60_000);
  for (const [index, count] of parts.entries()) {
    for (let made = 0; made < count; made++) {
      const { header, txn } = generator.next();
      storage.append(header, txn);
      if (made % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    if (index < parts.length - 1) await storage.takeSnapshot();
  }
  return copyOf(tree);
}

async function java(mainClass: string, path: string): Promise<string> {
  const { stdout } = await run("java", ["-cp", CLASSPATH, mainClass, path], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}
