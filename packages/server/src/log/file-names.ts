// SPDX-License-Identifier: Apache-2.0
// Names of the files in a data directory, as ZooKeeper gives them: hexadecimal zxids, lower case, no
// padding. Anything else in the directory is not ours and is left alone.
import { join } from "node:path";
import type { FileStore } from "@meerkat/runtime";

/** Folder below dataDir and dataLogDir that holds the files. */
export const VERSION_DIRECTORY = "version-2";

/** Prefix of files that are being written; they are renamed when complete and removed at start. */
export const UNFINISHED_PREFIX = "unfinished-";

/** How a snapshot's bytes are packed. */
export type SnapshotPacking = "none" | "gzip" | "snappy";

/** A log file; `zxid` is that of its first transaction. */
export interface LogFile {
  readonly path: string;
  readonly name: string;
  readonly zxid: number;
}

/** A snapshot file; `zxid` is the last transaction that it surely holds. */
export interface SnapshotFile {
  readonly path: string;
  readonly name: string;
  readonly zxid: number;
  readonly packing: SnapshotPacking;
}

const LOG_NAME = /^log\.([0-9a-f]{1,16})$/;
const SNAPSHOT_NAME = /^snapshot\.([0-9a-f]{1,16})(\.gz|\.snappy)?$/;

/** Name of the log whose first transaction is `zxid`. */
export function logFileName(zxid: number): string {
  return `log.${zxid.toString(16)}`;
}

/** Name of the (unpacked) snapshot that holds all transactions up to `zxid`. */
export function snapshotFileName(zxid: number): string {
  return `snapshot.${zxid.toString(16)}`;
}

/** The logs in a directory, oldest first. */
export async function listLogs(files: FileStore, directory: string): Promise<LogFile[]> {
  const found: LogFile[] = [];
  for (const name of await files.list(directory)) {
    const zxid = LOG_NAME.exec(name)?.[1];
    if (zxid !== undefined) found.push({ path: join(directory, name), name, zxid: Number(`0x${zxid}`) });
  }
  return found.sort((a, b) => a.zxid - b.zxid);
}

/** The snapshots in a directory, newest first. */
export async function listSnapshots(files: FileStore, directory: string): Promise<SnapshotFile[]> {
  const found: SnapshotFile[] = [];
  for (const name of await files.list(directory)) {
    const [, zxid, suffix] = SNAPSHOT_NAME.exec(name) ?? [];
    if (zxid === undefined) continue;
    const packing = suffix === ".gz" ? "gzip" : suffix === ".snappy" ? "snappy" : "none";
    found.push({ path: join(directory, name), name, zxid: Number(`0x${zxid}`), packing });
  }
  return found.sort((a, b) => b.zxid - a.zxid);
}

/**
 * The logs that hold transactions above `zxid`: the newest one that begins at or below `zxid + 1`, and all
 * after it. `logs` is ordered, oldest first.
 */
export function logsAfter(logs: readonly LogFile[], zxid: number): LogFile[] {
  let first = 0;
  for (const [index, log] of logs.entries()) {
    if (log.zxid <= zxid + 1) first = index;
  }
  return logs.slice(first);
}
