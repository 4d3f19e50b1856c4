// SPDX-License-Identifier: Apache-2.0
// A data directory on the real disk: what it looks like, who may use it, what is kept and what goes.
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type LogFunction, seededRandom, systemRuntime } from "@meerkat/runtime";
import { type DiskStorage, openStorage, type StorageOptions } from "@meerkat/server/log";
import { awaitCondition, scratchDir } from "@meerkat/testkit";
import { describe, expect, it } from "vitest";
import { workerFile } from "../../packages/server/src/log/background-snapshot.ts";
import { ModelTree } from "./support/model-tree.ts";
import { TxnGenerator } from "./support/txn-generator.ts";

type Options = Partial<StorageOptions> & { readonly dataDir: string };

function open(options: Options): Promise<DiskStorage> {
  return openStorage({ runtime: systemRuntime, preAllocKb: 16, ...options });
}

/** Opens and recovers; gives a way to append random transactions. */
async function start(options: Options) {
  const storage = await open(options);
  const tree = new ModelTree();
  const { lastZxid } = await storage.recover(tree).catch(async (error: unknown) => {
    await storage.close();
    throw error;
  });
  const generator = new TxnGenerator(seededRandom(lastZxid + 1), tree, lastZxid);
  const append = (count: number): void => {
    for (let index = 0; index < count; index++) {
      const { header, txn } = generator.next();
      storage.append(header, txn);
    }
  };
  return { storage, tree, append, lastZxid };
}

async function names(dataDir: string): Promise<string[]> {
  return (await readdir(join(dataDir, "version-2"))).sort();
}

describe("a data directory", () => {
  it("begins with a snapshot of the empty tree and a log that is named after its first transaction", async () => {
    await using scratch = await scratchDir();
    const { storage, append } = await start({ dataDir: scratch.path });
    expect(await names(scratch.path)).toEqual(["snapshot.0"]);
    append(3);
    await awaitCondition(() => storage.durableZxid === 3);
    // Extended ahead in steps while it is in use.
    expect((await readFile(scratch.join("version-2/log.1"))).length).toBe(16 * 1024);
    await storage.close();
    expect(await names(scratch.path)).toEqual(["log.1", "snapshot.0"]);
    const log = await readFile(scratch.join("version-2/log.1"));
    expect(log.subarray(0, 16).toString("latin1")).toBe("ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0");
    expect(log.at(-1)).toBe(0x42);
  });

  it("keeps logs and snapshots apart when told to, and refuses one among the others", async () => {
    await using scratch = await scratchDir();
    const [dataDir, dataLogDir] = [scratch.join("data"), scratch.join("log")];
    const { storage, append } = await start({ dataDir, dataLogDir });
    append(3);
    await storage.close();
    expect(await names(dataDir)).toEqual(["snapshot.0"]);
    expect(await names(dataLogDir)).toEqual(["log.1"]);
    await writeFile(join(dataDir, "version-2", "log.2"), "");
    await expect(open({ dataDir, dataLogDir })).rejects.toMatchObject({ code: "DIRECTORY_LAYOUT" });
  });

  it("is used by one server at a time", async () => {
    await using scratch = await scratchDir();
    const first = await open({ dataDir: scratch.path });
    await expect(open({ dataDir: scratch.path })).rejects.toMatchObject({ code: "DIRECTORY_LOCKED" });
    await first.close();
    const second = await open({ dataDir: scratch.path });
    await second.close();
    expect(existsSync(scratch.join("meerkat.lock"))).toBe(false);
  });

  it("is taken over from a server that was killed, also when its process id lives on in another process", async () => {
    await using scratch = await scratchDir();
    for (const lock of [
      "",
      JSON.stringify({ pid: 2 ** 22 + 1, born: "1" }),
      JSON.stringify({ pid: process.pid, born: "1" }),
    ]) {
      await writeFile(scratch.join("meerkat.lock"), lock);
      const storage = await open({ dataDir: scratch.path });
      await storage.close();
    }
  });

  it("with logs and no snapshot is refused unless it is trusted", async () => {
    await using scratch = await scratchDir();
    const { storage, append, tree } = await start({ dataDir: scratch.path });
    append(20);
    await storage.close();
    await rm(scratch.join("version-2/snapshot.0"));
    await expect(start({ dataDir: scratch.path })).rejects.toMatchObject({ code: "SNAPSHOT_MISSING" });
    const trusting = await start({ dataDir: scratch.path, trustEmptySnapshot: true });
    expect(trusting.tree.dump()).toEqual(tree.dump());
    await trusting.storage.close();
  });

  it("with an empty last log, as ZooKeeper can leave it, starts and loses that log", async () => {
    await using scratch = await scratchDir();
    const { storage, append, tree } = await start({ dataDir: scratch.path });
    append(20);
    await storage.close();
    await writeFile(scratch.join("version-2/log.15"), "");
    const again = await start({ dataDir: scratch.path });
    expect(again.tree.dump()).toEqual(tree.dump());
    expect(await names(scratch.path)).toEqual(["log.1", "snapshot.0"]);
    await again.storage.close();
  });

  it("loses what a crash left unfinished", async () => {
    await using scratch = await scratchDir();
    await mkdir(scratch.join("version-2"), { recursive: true });
    for (const name of ["unfinished-log.5", "unfinished-snapshot.5"]) {
      await writeFile(scratch.join("version-2", name), "part");
    }
    const { storage } = await start({ dataDir: scratch.path });
    expect(await names(scratch.path)).toEqual(["snapshot.0"]);
    await storage.close();
  });
});

describe("snapshots in the background", () => {
  it("come by themselves between half and all of snapCount, in a worker, with a new log each", async () => {
    await using scratch = await scratchDir();
    expect(workerFile(), "packages/server must be built").toBeDefined();
    const written: string[] = [];
    const note: LogFunction = ({ snapshot }, message) => {
      if (message === "snapshot written") written.push(String(snapshot));
    };
    const runtime = { ...systemRuntime, logger: { ...systemRuntime.logger, info: note } };
    const { storage, append, tree } = await start({ dataDir: scratch.path, snapCount: 100, runtime });
    for (let round = 1; round <= 3; round++) {
      append(100);
      await awaitCondition(() => written.length >= round, { describe: `snapshot ${round}` });
    }
    expect(storage.lastSnapshot.zxid).toBeGreaterThan(200);
    await storage.close();
    const found = await names(scratch.path);
    expect(found.filter((name) => name.startsWith("snapshot.")).length).toBe(written.length + 1);
    expect(found.filter((name) => name.startsWith("log.")).length).toBeGreaterThan(written.length - 1);
    const again = await start({ dataDir: scratch.path });
    expect(again.tree.dump()).toEqual(tree.dump());
    await again.storage.close();
  });

  it("are given up when the server closes, and nothing unfinished is missed", async () => {
    await using scratch = await scratchDir();
    const { storage, append, tree } = await start({ dataDir: scratch.path, snapCount: 10 });
    append(200);
    await storage.close();
    const again = await start({ dataDir: scratch.path });
    expect(again.tree.dump()).toEqual(tree.dump());
    await again.storage.close();
  });
});

describe("purging", () => {
  it("keeps the newest three snapshots, the logs since and the one before, and all of the state", async () => {
    await using scratch = await scratchDir();
    const first = await start({ dataDir: scratch.path });
    for (let round = 0; round < 6; round++) {
      first.append(10);
      await first.storage.takeSnapshot();
    }
    first.append(5);
    await first.storage.close();
    const all = await names(scratch.path);
    expect(all.filter((name) => name.startsWith("snapshot."))).toHaveLength(7);
    // One that is not whole counts for nothing.
    await writeFile(scratch.join("version-2/snapshot.35"), "ZKSN");
    const purge = { retainCount: 1, intervalMs: 3_600_000 };
    const second = await start({ dataDir: scratch.path, purge });
    await awaitCondition(async () => (await names(scratch.path)).length < 10, { describe: "the purge" });
    await second.storage.close();
    expect(await names(scratch.path)).toEqual(
      [
        "log.1f",
        "log.29",
        "log.33",
        "log.3d",
        "snapshot.28",
        "snapshot.32",
        "snapshot.35",
        "snapshot.3c",
      ].sort(),
    );
    const third = await start({ dataDir: scratch.path });
    expect(third.tree.dump()).toEqual(first.tree.dump());
    await third.storage.close();
  });
});
