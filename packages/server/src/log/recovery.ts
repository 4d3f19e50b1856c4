// SPDX-License-Identifier: Apache-2.0
// From files to state: the newest whole snapshot, then the transactions after it. What a crash leaves
// behind is cleaned up; what no crash explains is refused.
import { dirname } from "node:path";
import type { FileStore, Logger } from "@meerkat/runtime";
import { OpCode, type Txn, type TxnHeader } from "@meerkat/wire";
import type { RecoverySink } from "../seam.ts";
import {
  type LogFile,
  listLogs,
  listSnapshots,
  logsAfter,
  type SnapshotFile,
  UNFINISHED_PREFIX,
} from "./file-names.ts";
import { freshTree } from "./fresh-tree.ts";
import { isSessionOwner } from "./snapshot-format.ts";
import { decodingVisitor, readSnapshot } from "./snapshot-reader.ts";
import { isSnapshotSound } from "./snapshot-source.ts";
import { writeSnapshot } from "./snapshot-writer.ts";
import { REPAIR_ADVICE, StorageError } from "./storage-error.ts";
import { type LogEnd, readTxnLog } from "./txn-log-reader.ts";

/** Damaged snapshots that are passed over before giving up, as in ZooKeeper. */
const SNAPSHOTS_TRIED_MAX = 100;

/** Where to recover from. */
export interface RecoveryOptions {
  readonly files: FileStore;
  readonly snapshotDirectory: string;
  readonly logDirectory: string;
  /** Accept logs without a snapshot (ZooKeeper's `snapshot.trust.empty`). */
  readonly trustEmptySnapshot: boolean;
  readonly logger: Logger;
}

/** What was found. */
export interface Recovered {
  readonly lastZxid: number;
  readonly snapshot: SnapshotFile;
  /** Transactions read from the logs, and their files' bytes up to the last one. */
  readonly txns: number;
  readonly logBytes: number;
  /**
   * Some ephemerals belong to sessions that do not exist any more. The server drops them without a
   * transaction, so a snapshot without them must be written before the next one.
   */
  readonly orphans: boolean;
}

/** Loads the state into `sink`. */
export async function recoverState(options: RecoveryOptions, sink: RecoverySink): Promise<Recovered> {
  const { files, snapshotDirectory, logDirectory, logger } = options;
  await removeUnfinished(files, snapshotDirectory);
  await removeUnfinished(files, logDirectory);
  const logs = await listLogs(files, logDirectory);
  const { snapshot, damagedZxid } = await chooseSnapshot(options, logs);
  const owners = new OwnerTracker(sink);
  const content = {
    session: (id: bigint, timeoutMs: number) => owners.restoreSession(id, timeoutMs),
    znode: (node: Parameters<RecoverySink["restoreNode"]>[0]) => owners.restoreNode(node),
  };
  await readSnapshot(files, snapshot, decodingVisitor(content));
  const replay = new Replay(options, snapshot.zxid, damagedZxid > 0, owners);
  const needed = logsAfter(logs, snapshot.zxid);
  for (const [index, log] of needed.entries()) await replay.read(log, index === needed.length - 1);
  if (replay.lastZxid < damagedZxid) {
    throw missing(
      `the snapshot of zxid 0x${damagedZxid.toString(16)} is damaged and the logs end at ` +
        `0x${replay.lastZxid.toString(16)}`,
      snapshotDirectory,
      damagedZxid,
    );
  }
  const { lastZxid, txns, logBytes } = replay;
  logger.info({ snapshot: snapshot.path, txns, lastZxid }, "state recovered");
  return { lastZxid, snapshot, txns, logBytes, orphans: owners.hasOrphans() };
}

async function removeUnfinished(files: FileStore, directory: string): Promise<void> {
  for (const name of await files.list(directory)) {
    if (name.startsWith(UNFINISHED_PREFIX)) await files.remove(`${directory}/${name}`);
  }
}

/** The newest sound snapshot, and the zxid of the newest damaged one that was passed over (0: none was). */
async function chooseSnapshot(
  options: RecoveryOptions,
  logs: readonly LogFile[],
): Promise<{ snapshot: SnapshotFile; damagedZxid: number }> {
  const { files, snapshotDirectory, logger } = options;
  const snapshots = await listSnapshots(files, snapshotDirectory);
  let damagedZxid = 0;
  for (const snapshot of snapshots.slice(0, SNAPSHOTS_TRIED_MAX)) {
    if (await isSnapshotSound(files, snapshot)) return { snapshot, damagedZxid };
    logger.warn({ snapshot: snapshot.path }, "a snapshot is not whole and is passed over");
    damagedZxid = Math.max(damagedZxid, snapshot.zxid);
  }
  if (snapshots.length > 0) {
    throw new StorageError(
      "SNAPSHOT_MISSING",
      `none of the snapshots in ${snapshotDirectory} is whole; restore one from a backup`,
      { path: snapshotDirectory },
    );
  }
  if (logs.length > 0 && !options.trustEmptySnapshot) {
    const [first] = logs as [LogFile];
    throw new StorageError(
      "SNAPSHOT_MISSING",
      `there are logs from ${first.path} on, but no snapshot in ${snapshotDirectory}; restore one, or set ` +
        "snapshot.trust.empty=true once if the logs are complete from the first transaction on",
      { path: snapshotDirectory },
    );
  }
  return { snapshot: await writeSnapshot(files, snapshotDirectory, freshTree), damagedZxid };
}

/** Reads logs in order into the sink. */
class Replay {
  lastZxid: number;
  txns = 0;
  logBytes = 0;
  readonly #options: RecoveryOptions;
  readonly #snapshotZxid: number;
  /** A newer snapshot was damaged, and the logs that this one needs may have been purged. */
  readonly #fellBack: boolean;
  readonly #sink: OwnerTracker;
  /** The log before this one ended in a torn record, or held none. */
  #torn: LogFile | undefined;

  constructor(options: RecoveryOptions, snapshotZxid: number, fellBack: boolean, sink: OwnerTracker) {
    this.#options = options;
    this.#snapshotZxid = snapshotZxid;
    this.#fellBack = fellBack;
    this.#sink = sink;
    this.lastZxid = snapshotZxid;
  }

  async read(log: LogFile, isLast: boolean): Promise<void> {
    this.#checkGap(log);
    const { files, logger } = this.#options;
    const end = await readTxnLog(files, log, this.#snapshotZxid, (header, txn) => {
      if (header.zxid <= this.lastZxid) {
        logger.warn({ log: log.path, zxid: header.zxid }, "the log repeats a zxid");
      } else {
        this.lastZxid = header.zxid;
      }
      this.txns++;
      this.#sink.applyTxn(header, txn);
    });
    this.logBytes += end.offset;
    this.#torn = end.kind === "clean" ? undefined : log;
    await this.#cleanEnd(log, end, isLast);
  }

  /**
   * Transactions are numbered without gaps in one epoch (the high half of the zxid). A gap behind a torn
   * record means that acknowledged ones were lost there; one where an older snapshot stands in for a damaged
   * one, that logs were purged. ZooKeeper accepts any other gap, and so it is only warned about.
   */
  #checkGap(log: LogFile): void {
    const expected = this.lastZxid + 1;
    if (log.zxid <= expected || epochOf(log.zxid) !== epochOf(this.lastZxid)) return;
    if (this.#torn !== undefined) {
      throw new StorageError(
        "LOG_DAMAGED",
        `the transaction log ${this.#torn.path} ends before zxid 0x${log.zxid.toString(16)}, with which ` +
          `${log.path} begins; ${REPAIR_ADVICE}`,
        { path: this.#torn.path, zxid: expected },
      );
    }
    const what = `there is nothing between zxid 0x${this.lastZxid.toString(16)} and ${log.path}`;
    if (this.#fellBack) throw missing(what, log.path, expected);
    this.#options.logger.warn({ log: log.path, expected }, what);
  }

  /** Leaves no garbage behind the last record, on which ZooKeeper could not start. */
  async #cleanEnd(log: LogFile, end: LogEnd, isLast: boolean): Promise<void> {
    const { files, logger } = this.#options;
    if (end.kind === "headless" && isLast) {
      logger.warn({ log: log.path }, "the last log is empty and is removed");
      await files.remove(log.path);
      await files.syncDirectory(dirname(log.path));
    }
    if (end.kind !== "torn") return;
    logger.warn({ log: log.path, offset: end.offset }, "the log ends in a torn record, which is cut off");
    const file = await files.open(log.path, "modify");
    try {
      await file.truncate(end.offset);
      await file.dataSync();
    } finally {
      await file.close();
    }
  }
}

function epochOf(zxid: number): number {
  return Math.floor(zxid / 0x1_0000_0000);
}

function missing(what: string, path: string, zxid: number): StorageError {
  return new StorageError(
    "LOG_MISSING",
    `transactions are missing: ${what}; restore the missing files from a backup`,
    { path, zxid },
  );
}

/** Passes everything on and notes who owns ephemerals, to find owners whose sessions are gone. */
class OwnerTracker implements RecoverySink {
  readonly #sink: RecoverySink;
  readonly #sessions = new Set<bigint>();
  readonly #owners = new Set<bigint>();

  constructor(sink: RecoverySink) {
    this.#sink = sink;
  }

  restoreSession(id: bigint, timeoutMs: number): void {
    this.#sessions.add(id);
    this.#sink.restoreSession(id, timeoutMs);
  }

  restoreNode(node: Parameters<RecoverySink["restoreNode"]>[0]): void {
    if (node.ephemeralOwner !== 0n && isSessionOwner(node.ephemeralOwner))
      this.#owners.add(node.ephemeralOwner);
    this.#sink.restoreNode(node);
  }

  applyTxn(header: TxnHeader, txn: Txn): void {
    const { clientId } = header;
    if (txn.type === OpCode.createSession) {
      this.#sessions.add(clientId);
    } else if (txn.type === OpCode.closeSession) {
      this.#sessions.delete(clientId);
      this.#owners.delete(clientId);
    } else if ("ephemeral" in txn ? txn.ephemeral : txn.type === OpCode.multi) {
      // What a multi makes belongs to the session of its header; noting an owner too many does no harm.
      this.#owners.add(clientId);
    }
    this.#sink.applyTxn(header, txn);
  }

  hasOrphans(): boolean {
    for (const owner of this.#owners) if (!this.#sessions.has(owner)) return true;
    return false;
  }
}
