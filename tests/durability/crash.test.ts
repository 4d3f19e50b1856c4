// SPDX-License-Identifier: Apache-2.0
// What a crash, a cut or a flipped byte may do to a directory: a clean refusal or an exact prefix of the
// history, with everything that was acknowledged; never another tree.
import { seededRandom, systemRuntime } from "@meerkat/runtime";
import { type DiskStorage, openStorage, repairDirectory, StorageError } from "@meerkat/server/log";
import { describe, expect, it } from "vitest";
import { ModelTree } from "./support/model-tree.ts";
import { SimulatedDisk } from "./support/simulated-disk.ts";
import { copyOf, TxnGenerator } from "./support/txn-generator.ts";

const DIRECTORY = "/data";
const LOG = `${DIRECTORY}/version-2/log.1`;

function open(disk: SimulatedDisk): Promise<DiskStorage> {
  return openStorage({ dataDir: DIRECTORY, files: disk, runtime: systemRuntime, preAllocKb: 4 });
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function textOf(tree: ModelTree): string {
  return JSON.stringify(tree.dump());
}

/** A directory with a history of `count` transactions, and the tree after each of them, by zxid. */
interface History {
  readonly disk: SimulatedDisk;
  readonly trees: Map<number, string>;
  readonly lastZxid: number;
}

async function history(seed: number, count: number, snapshotAt?: number): Promise<History> {
  const disk = new SimulatedDisk();
  const storage = await open(disk);
  const tree = new ModelTree();
  await storage.recover(tree);
  const trees = new Map([[0, textOf(tree)]]);
  const generator = new TxnGenerator(seededRandom(seed), tree, 0);
  for (let index = 1; index <= count; index++) {
    const { header, txn } = generator.next();
    storage.append(header, txn);
    trees.set(header.zxid, textOf(tree));
    if (index % 3 === 0) await turn();
    if (index === snapshotAt) await storage.takeSnapshot();
  }
  await storage.close();
  // As a server leaves its logs that was killed: with the room that they were extended by.
  for (const path of disk.paths().filter((name) => name.includes("/log."))) {
    disk.put(path, Buffer.concat([disk.content(path), Buffer.alloc(2000)]));
  }
  return { disk, trees, lastZxid: count };
}

/** Recovers; resolves with the zxid reached and the tree, or with the refusal. */
async function outcome(disk: SimulatedDisk): Promise<{ zxid: number; tree: string } | StorageError> {
  const storage = await open(disk);
  try {
    const tree = new ModelTree();
    const { lastZxid } = await storage.recover(tree);
    tree.lastZxid = lastZxid;
    tree.removeOrphans();
    return { zxid: lastZxid, tree: textOf(tree) };
  } catch (error) {
    if (error instanceof StorageError) return error;
    throw error;
  } finally {
    await storage.close();
  }
}

/** Offset behind the last byte of the log that is not padding. */
function contentEnd(log: Buffer): number {
  let end = log.length;
  while (end > 0 && log[end - 1] === 0) end--;
  return end;
}

/** Starts of the records in a log. */
function recordStarts(log: Buffer): number[] {
  const starts: number[] = [];
  for (let at = 16; log.readInt32BE(at + 8) > 0; at += 13 + log.readInt32BE(at + 8)) starts.push(at);
  return starts;
}

describe("a log that is cut", () => {
  for (const [name, cut] of [
    ["short", (log: Buffer, at: number) => log.subarray(0, at)],
    [
      "into zeros",
      (log: Buffer, at: number) => Buffer.concat([log.subarray(0, at), Buffer.alloc(log.length - at)]),
    ],
  ] as const) {
    it(`${name} at any byte gives exactly the records before`, async () => {
      const { disk, trees } = await history(7, 12);
      const log = disk.content(LOG);
      const starts = recordStarts(log);
      expect(starts).toHaveLength(12);
      for (let at = 0; at <= contentEnd(log); at++) {
        const copy = disk.copy();
        copy.put(LOG, cut(log, at));
        const whole = starts.filter((start) => start + 13 + log.readInt32BE(start + 8) <= at).length;
        const result = await outcome(copy);
        // Every record ends in 'B', so a record without its last byte is torn.
        expect(result, `cut at ${at}`).toEqual({ zxid: whole, tree: trees.get(whole) });
        // Recovery left nothing behind that the next one could stumble over.
        expect(await outcome(copy)).toEqual(result);
      }
    });
  }
});

describe("a flipped byte", () => {
  it("in a log gives a refusal that names the place, or an exact prefix when it hit the last record", async () => {
    const { disk, trees, lastZxid } = await history(8, 8);
    const log = disk.content(LOG);
    const starts = recordStarts(log);
    const last = starts.at(-1) ?? 0;
    let refusals = 0;
    for (let at = 0; at < contentEnd(log); at++) {
      for (const flip of [0x01, 0x80, log[at] as number]) {
        if (flip === 0) continue;
        const bytes = Buffer.from(log);
        bytes[at] = (bytes[at] as number) ^ flip;
        const copy = disk.copy();
        copy.put(LOG, bytes);
        const result = await outcome(copy);
        if (result instanceof StorageError) {
          refusals++;
          expect(result.code).toBe("LOG_DAMAGED");
          expect(result.message).toContain(LOG);
          expect(result.context.offset).toBe(at < 16 ? 0 : starts.findLast((start) => start <= at));
          continue;
        }
        // The dbid in the header has no meaning; otherwise only the last record can pass for a torn one.
        expect(at >= last || (at >= 8 && at < 16), `flip ${flip} at ${at}`).toBe(true);
        expect(result.tree).toBe(trees.get(result.zxid));
        expect(result.zxid).toBeGreaterThanOrEqual(lastZxid - 1);
      }
    }
    expect(refusals).toBeGreaterThan(1000);
  });

  it("in a snapshot is noticed, and the snapshot before it and the log stand in", async () => {
    const { disk, trees, lastZxid } = await history(9, 20, 12);
    const path = `${DIRECTORY}/version-2/snapshot.c`;
    const snapshot = disk.content(path);
    for (let at = 0; at < snapshot.length; at++) {
      const bytes = Buffer.from(snapshot);
      bytes[at] = (bytes[at] as number) ^ 0x10;
      const copy = disk.copy();
      copy.put(path, bytes);
      expect(await outcome(copy), `flip at ${at}`).toEqual({ zxid: lastZxid, tree: trees.get(lastZxid) });
      // Without the older snapshot, or without the logs that it needs, there is nothing to stand in.
      const alone = copy.copy();
      await alone.remove(`${DIRECTORY}/version-2/snapshot.0`);
      expect(await outcome(alone)).toMatchObject({ code: "SNAPSHOT_MISSING" });
      const purged = copy.copy();
      await purged.remove(LOG);
      expect(await outcome(purged)).toMatchObject({ code: "LOG_MISSING" });
    }
  });

  it("in a closed log before others is not taken for its end", async () => {
    const { disk } = await history(10, 20, 12);
    const log = disk.content(LOG);
    for (const path of disk.paths()) if (path.endsWith("snapshot.c")) await disk.remove(path);
    const last = recordStarts(log).at(-1) ?? 0;
    const bytes = Buffer.from(log);
    bytes[last + 12 + log.readInt32BE(last + 8)] = 0;
    disk.put(LOG, bytes);
    expect(await outcome(disk)).toMatchObject({ code: "LOG_DAMAGED", context: { path: LOG } });
  });
});

describe("repair", () => {
  it("cuts a damaged log before the damage, keeps a copy, and recovery gives the prefix", async () => {
    const { disk, trees } = await history(11, 20, 12);
    await disk.remove(`${DIRECTORY}/version-2/snapshot.c`);
    const log = disk.content(LOG);
    const fifth = recordStarts(log)[4] ?? 0;
    const bytes = Buffer.from(log);
    bytes[fifth + 20] = (bytes[fifth + 20] as number) ^ 0xff;
    disk.put(LOG, bytes);
    const options = { dataDir: DIRECTORY, clock: systemRuntime.clock, files: disk };
    const report = await repairDirectory(options);
    expect(report.cut).toMatchObject({ path: LOG, bytes: fifth });
    expect(report.setAside).toEqual(["log.d"]);
    expect(report.lastZxid).toBe(4);
    expect(disk.content(`${report.backupDirectory}/log.1`)).toEqual(bytes);
    expect(disk.paths()).toContain(`${report.backupDirectory}/log.d`);
    expect(await outcome(disk)).toEqual({ zxid: 4, tree: trees.get(4) });
    expect(await repairDirectory(options)).toEqual({ setAside: [], lastZxid: 4 });
  });
});

describe("a power cut", () => {
  it("at any moment loses nothing that was acknowledged and invents nothing", async () => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = seededRandom(seed);
      const disk = new SimulatedDisk();
      const storage = await open(disk);
      const tree = new ModelTree();
      await storage.recover(tree);
      const generator = new TxnGenerator(random, tree, 0);
      const trees = new Map([[0, textOf(tree)]]);
      let acknowledged = 0;
      storage.onDurable((zxid) => {
        acknowledged = zxid;
      });
      // Cuts the power after a random number of the disk's operations, in the middle of whatever runs then.
      const cutAt = disk.operations + Math.floor(random.float() * 60);
      let left: { disk: SimulatedDisk; acknowledged: number } | undefined;
      disk.fault = () => {
        if (disk.operations > cutAt) left ??= { disk: disk.powerCut(random), acknowledged };
        return undefined;
      };
      for (let index = 0; index < 60; index++) {
        const { header, txn } = generator.next();
        storage.append(header, txn);
        trees.set(header.zxid, textOf(tree));
        if (index % 4 === 0) await turn();
        if (index % 25 === 24) await storage.takeSnapshot();
      }
      await storage.close();
      const found = left ?? { disk: disk.powerCut(random), acknowledged };
      const result = await outcome(found.disk);
      if (result instanceof StorageError) {
        // Sectors of a batch that was never acknowledged may survive behind one that did not: only the
        // operator can tell that from damage. What was acknowledged comes before and survives the repair.
        expect(result.code, result.message).toBe("LOG_DAMAGED");
        await repairDirectory({ dataDir: DIRECTORY, clock: systemRuntime.clock, files: found.disk });
      }
      const final = result instanceof StorageError ? await outcome(found.disk) : result;
      if (final instanceof StorageError) throw final;
      expect(final.zxid, `seed ${seed}`).toBeGreaterThanOrEqual(found.acknowledged);
      expect(final.tree).toBe(trees.get(final.zxid));
    }
  });
});

describe("a failing disk", () => {
  for (const code of ["ENOSPC", "EIO"] as const) {
    for (const operation of ["write", "sync", "rename"] as const) {
      it(`${code} at a ${operation} is told once, and nothing is acknowledged after it`, async () => {
        const disk = new SimulatedDisk();
        const storage = await open(disk);
        const tree = new ModelTree();
        await storage.recover(tree);
        const generator = new TxnGenerator(seededRandom(3), tree, 0);
        const trees = new Map([[0, textOf(copyOf(tree))]]);
        const acknowledged: number[] = [];
        const failures: Error[] = [];
        storage.onDurable((zxid) => acknowledged.push(zxid));
        storage.onFailure((error) => failures.push(error));
        const append = async (): Promise<void> => {
          const { header, txn } = generator.next();
          storage.append(header, txn);
          trees.set(header.zxid, textOf(tree));
          for (let index = 0; index < 20; index++) await turn();
        };
        // A rename happens when a file begins, so that one fails at once.
        const before = operation === "rename" ? 0 : 5;
        for (let index = 0; index < before; index++) await append();
        expect(storage.durableZxid).toBe(before);
        disk.fault = (kind, path) => (kind === operation && path.includes("log.") ? code : undefined);
        await append();
        expect(failures).toHaveLength(1);
        expect(failures[0]).toMatchObject({ code: "WRITE_FAILED", effect: "unknown", cause: { code } });
        // The disk works again, which must not matter.
        disk.fault = () => undefined;
        for (let index = 0; index < 3; index++) await append();
        expect(failures).toHaveLength(1);
        expect(acknowledged).toEqual(Array.from({ length: before }, (_, index) => index + 1));
        await storage.close();
        const result = await outcome(disk.copy());
        if (result instanceof StorageError) throw result;
        expect(result.zxid).toBeGreaterThanOrEqual(before);
        expect(result.zxid).toBeLessThanOrEqual(before + 1);
        expect(result.tree).toBe(trees.get(result.zxid));
      });
    }
  }

  it("does not stop the log when only a snapshot cannot be written", async () => {
    const { disk, trees } = await history(12, 10);
    const storage = await open(disk);
    const tree = new ModelTree();
    await storage.recover(tree);
    disk.fault = (kind, path) => (kind === "write" && path.includes("snapshot.") ? "ENOSPC" : undefined);
    await expect(storage.takeSnapshot()).rejects.toMatchObject({ code: "ENOSPC" });
    const { header, txn } = new TxnGenerator(seededRandom(1), tree, 10).next();
    storage.append(header, txn);
    await storage.close();
    expect(storage.durableZxid).toBe(11);
    disk.fault = () => undefined;
    expect(disk.paths().some((path) => path.includes("unfinished"))).toBe(false);
    expect(await outcome(disk)).toEqual({ zxid: 11, tree: textOf(tree) });
    expect(trees.size).toBe(11);
  });
});
