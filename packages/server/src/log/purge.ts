// SPDX-License-Identifier: Apache-2.0
// Removes what no recovery needs any more, by ZooKeeper's rule: the newest snapshots stay, the logs since
// the oldest of them, and the one log before those, which may hold that snapshot's last transactions.
import type { FileStore } from "@meerkat/runtime";
import { listLogs, listSnapshots } from "./file-names.ts";
import { isSnapshotSound } from "./snapshot-source.ts";

/** Fewest snapshots that are kept, as in ZooKeeper. */
export const RETAINED_MIN = 3;

/** Where to purge and how much to keep. */
export interface PurgeTarget {
  readonly files: FileStore;
  readonly snapshotDirectory: string;
  readonly logDirectory: string;
  /** Newest whole snapshots to keep; raised to 3. */
  readonly retainCount: number;
}

/** Purges; resolves with the names of the files that were removed. Does nothing with too few snapshots. */
export async function purge(target: PurgeTarget): Promise<string[]> {
  const { files, snapshotDirectory, logDirectory } = target;
  const retainCount = Math.max(target.retainCount, RETAINED_MIN);
  const snapshots = await listSnapshots(files, snapshotDirectory);
  let kept = 0;
  let oldestKept: number | undefined;
  for (const snapshot of snapshots) {
    // A snapshot that could not be recovered from must not push out one that could.
    if (!(await isSnapshotSound(files, snapshot))) continue;
    kept++;
    oldestKept = snapshot.zxid;
    if (kept === retainCount) break;
  }
  if (kept < retainCount || oldestKept === undefined) return [];
  const bound = oldestKept;
  const older = (await listLogs(files, logDirectory)).filter((log) => log.zxid < bound);
  const removed = [...snapshots.filter((snapshot) => snapshot.zxid < bound), ...older.slice(0, -1)];
  for (const { path } of removed) await files.remove(path);
  return removed.map(({ name }) => name);
}
