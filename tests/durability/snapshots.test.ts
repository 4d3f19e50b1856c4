// SPDX-License-Identifier: Apache-2.0
// Histories through log, snapshot and recovery on a simulated disk, checked against a plain model.
import { seededRandom, systemRuntime } from "@meerkat/runtime";
import {
  type DiskStorage,
  decodingVisitor,
  digestOf,
  openStorage,
  readSnapshot,
  type StorageOptions,
} from "@meerkat/server/log";
import { describe, expect, it } from "vitest";
import { ModelTree } from "./support/model-tree.ts";
import { serverState } from "./support/server-state.ts";
import { SimulatedDisk } from "./support/simulated-disk.ts";
import { copyOf, TxnGenerator } from "./support/txn-generator.ts";

const DIRECTORY = "/data";

function open(disk: SimulatedDisk, options: Partial<StorageOptions> = {}): Promise<DiskStorage> {
  return openStorage({ dataDir: DIRECTORY, files: disk, runtime: systemRuntime, preAllocKb: 4, ...options });
}

/** Recovers what is on the disk. */
async function recovered(disk: SimulatedDisk): Promise<ModelTree> {
  const tree = new ModelTree();
  const storage = await open(disk);
  tree.lastZxid = (await storage.recover(tree)).lastZxid;
  tree.removeOrphans();
  await storage.close();
  return tree;
}

/** Writes `count` random transactions through a storage that stays open. */
async function write(
  disk: SimulatedDisk,
  seed: number,
  count: number,
  options: Partial<StorageOptions> = {},
) {
  const storage = await open(disk, options);
  const tree = new ModelTree();
  const { lastZxid } = await storage.recover(tree);
  const generator = new TxnGenerator(seededRandom(seed), tree, lastZxid);
  for (let index = 0; index < count; index++) {
    const { header, txn } = generator.next();
    storage.append(header, txn);
    // Turns of the event loop, so that there are many batches.
    if (index % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return { storage, tree };
}

describe("a storage", () => {
  it("gives back every transaction after a restart", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const disk = new SimulatedDisk();
      const { storage, tree } = await write(disk, seed, 150);
      await storage.close();
      expect((await recovered(disk)).dump()).toEqual(tree.dump());
      const again = await open(disk);
      expect((await serverState(again)).dump(), "the server's own tree").toEqual(tree.dump());
      await again.close();
    }
  });

  it("makes from files alone the snapshot that the tree itself would give", async () => {
    for (let seed = 100; seed < 140; seed++) {
      const disk = new SimulatedDisk();
      const { storage, tree } = await write(disk, seed, 60);
      await storage.takeSnapshot();
      const middle = copyOf(tree);
      const generator = new TxnGenerator(seededRandom(seed + 1), tree, tree.lastZxid);
      for (let index = 0; index < 60; index++) {
        const { header, txn } = generator.next();
        storage.append(header, txn);
      }
      const info = await storage.takeSnapshot();
      await storage.close();
      expect(info.zxid).toBe(tree.lastZxid);
      for (const expected of [middle, tree]) {
        const path = `${DIRECTORY}/version-2/snapshot.${expected.lastZxid.toString(16)}`;
        const read = new ModelTree();
        const content = {
          session: (id: bigint, timeoutMs: number) => read.restoreSession(id, timeoutMs),
          znode: (node: Parameters<ModelTree["restoreNode"]>[0]) => read.restoreNode(node),
        };
        const file = { path, name: "", zxid: expected.lastZxid, packing: "none" } as const;
        const summary = await readSnapshot(disk, file, decodingVisitor(content));
        expect(read.dump()).toEqual(expected.dump());
        expect(summary.digest).toEqual({
          zxid: expected.lastZxid,
          version: 2,
          digest: digestOf(expected.nodes()),
        });
      }
      expect((await recovered(disk)).dump()).toEqual(tree.dump());
    }
  });
});
