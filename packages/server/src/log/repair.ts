// SPDX-License-Identifier: Apache-2.0
// The way out when recovery refuses a damaged log: cut it off at the damage. Transactions from there on
// are lost to the server, so their bytes are set aside first.
import { basename, join } from "node:path";
import { type Clock, type FileStore, systemFiles } from "@meerkat/runtime";
import { lockDirectories } from "./directory-lock.ts";
import { type LogFile, listLogs, listSnapshots, logsAfter, VERSION_DIRECTORY } from "./file-names.ts";
import { isSnapshotSound } from "./snapshot-source.ts";
import { StorageError } from "./storage-error.ts";
import { readTxnLog } from "./txn-log-reader.ts";

/** Bytes copied at a time. */
const COPY_BYTES = 1024 * 1024;

/** Which directory to repair. */
export interface RepairOptions {
  readonly dataDir: string;
  /** Where the logs are when not in `dataDir`. */
  readonly dataLogDir?: string | undefined;
  readonly clock: Clock;
  readonly files?: FileStore | undefined;
}

/** What was done; all paths absent when nothing was wrong. */
export interface RepairReport {
  /** The log that was cut off, and the length it has now. */
  readonly cut?: { readonly path: string; readonly bytes: number; readonly reason: string } | undefined;
  /** Logs that were taken away because what comes before them is missing. */
  readonly setAside: readonly string[];
  /** Folder with a copy of everything that was changed. */
  readonly backupDirectory?: string | undefined;
  /** Last transaction that is left. */
  readonly lastZxid: number;
}

/**
 * Makes a directory whose log is damaged recoverable: the log ends before its first bad record, later logs
 * are moved out of the way. Writes after that record are lost. Rejects with `DIRECTORY_LOCKED` while a
 * server runs on it.
 */
export async function repairDirectory(options: RepairOptions): Promise<RepairReport> {
  const files = options.files ?? systemFiles;
  const directories = [...new Set([options.dataDir, options.dataLogDir ?? options.dataDir])];
  const release = await lockDirectories(files, directories);
  try {
    return await repair(options, files);
  } finally {
    await release();
  }
}

async function repair(options: RepairOptions, files: FileStore): Promise<RepairReport> {
  const snapshotDirectory = join(options.dataDir, VERSION_DIRECTORY);
  const logParent = options.dataLogDir ?? options.dataDir;
  const logDirectory = join(logParent, VERSION_DIRECTORY);
  const snapshotZxid = await newestSoundZxid(files, snapshotDirectory);
  const logs = logsAfter(await listLogs(files, logDirectory), snapshotZxid);
  let lastZxid = snapshotZxid;
  let torn = false;
  for (const [index, log] of logs.entries()) {
    // A log that begins after a gap behind a torn one cannot be applied; see `recoverState`.
    const gap: boolean = torn && log.zxid > lastZxid + 1;
    const damage: Damage = gap
      ? { offset: 0, reason: "transactions before it are missing" }
      : await damageOf(files, log);
    lastZxid = Math.max(lastZxid, damage.lastZxid ?? 0);
    torn = damage.torn ?? false;
    if (damage.offset === undefined) continue;
    const backupDirectory = join(logParent, `damaged-${Math.floor(options.clock.wallMs())}`);
    await files.makeDirectory(backupDirectory);
    const affected = logs.slice(index);
    for (const { path } of affected) await copyFile(files, path, join(backupDirectory, basename(path)));
    await files.syncDirectory(backupDirectory);
    const later = gap ? affected : affected.slice(1);
    for (const { path } of later) await files.remove(path);
    if (!gap) await cutAt(files, log.path, damage.offset);
    await files.syncDirectory(logDirectory);
    const cut = gap ? undefined : { path: log.path, bytes: damage.offset, reason: damage.reason ?? "" };
    return { cut, setAside: later.map(({ name }) => name), backupDirectory, lastZxid };
  }
  return { setAside: [], lastZxid };
}

async function newestSoundZxid(files: FileStore, directory: string): Promise<number> {
  for (const snapshot of await listSnapshots(files, directory)) {
    if (await isSnapshotSound(files, snapshot)) return snapshot.zxid;
  }
  throw new StorageError(
    "SNAPSHOT_MISSING",
    `there is no whole snapshot in ${directory}, and logs alone cannot be repaired; restore one from a backup`,
    { path: directory },
  );
}

interface Damage {
  readonly lastZxid?: number;
  readonly torn?: boolean;
  /** Where the first bad record begins; undefined when the log is in order. */
  readonly offset?: number | undefined;
  readonly reason?: string;
}

async function damageOf(files: FileStore, log: LogFile): Promise<Damage> {
  let lastZxid = 0;
  try {
    const end = await readTxnLog(files, log, 0, (header) => {
      lastZxid = header.zxid;
    });
    return { lastZxid, torn: end.kind === "torn" };
  } catch (error) {
    if (!(error instanceof StorageError) || error.code !== "LOG_DAMAGED") throw error;
    return { lastZxid, offset: error.context.offset, reason: error.message };
  }
}

async function cutAt(files: FileStore, path: string, offset: number): Promise<void> {
  if (offset === 0) {
    // Not even the header stood; ZooKeeper cannot start on what would be left.
    await files.remove(path);
    return;
  }
  const file = await files.open(path, "modify");
  try {
    await file.truncate(offset);
    await file.dataSync();
  } finally {
    await file.close();
  }
}

async function copyFile(files: FileStore, from: string, to: string): Promise<void> {
  const source = await files.open(from, "read");
  const target = await files.open(to, "create");
  try {
    const block = Buffer.allocUnsafe(COPY_BYTES);
    for (let position = 0; ; position += COPY_BYTES) {
      const count = await source.read(block, position);
      if (count > 0) await target.write(block.subarray(0, count), position);
      if (count < COPY_BYTES) break;
    }
    await target.dataSync();
  } finally {
    await source.close();
    await target.close();
  }
}
