// SPDX-License-Identifier: Apache-2.0
// The next snapshot from the last one and the logs since, without the server's tree: the changes in the
// logs are folded per znode, then the old snapshot streams through and comes out changed. Memory is in
// proportion to what changed, not to the tree, and the event loop that serves clients has no part in it.
import type { FileStore } from "@meerkat/runtime";
import type { Acl } from "@meerkat/wire";
import { listLogs, listSnapshots, logsAfter, type SnapshotFile } from "./file-names.ts";
import { aclIdAt, isSessionOwner, OPEN_ACL_ID, znodeAt } from "./snapshot-format.ts";
import { readSnapshot } from "./snapshot-reader.ts";
import { AclIds, SnapshotWriter } from "./snapshot-writer.ts";
import { StorageError } from "./storage-error.ts";
import { patched, TxnDelta } from "./txn-delta.ts";
import { readTxnLog } from "./txn-log-reader.ts";

/** Where the files are, and how far to go. */
export interface MergeOptions {
  readonly files: FileStore;
  readonly snapshotDirectory: string;
  readonly logDirectory: string;
  /** Logs that begin after it are left out: they may be in use. */
  readonly throughZxid: number;
}

/** The snapshot that was made. */
export interface MergeResult {
  readonly snapshot: SnapshotFile;
  readonly znodes: number;
  /** Transactions since the snapshot before. */
  readonly txns: number;
}

/** Writes the snapshot that holds everything up to `throughZxid`. */
export async function mergeSnapshot(options: MergeOptions): Promise<MergeResult> {
  const { files, snapshotDirectory, logDirectory } = options;
  const { base, survey } = await newestWhole(options);
  const delta = new TxnDelta(survey, base.zxid);
  let txns = 0;
  const logs = (await listLogs(files, logDirectory)).filter((log) => log.zxid <= options.throughZxid);
  for (const log of logsAfter(logs, base.zxid)) {
    await readTxnLog(files, log, base.zxid, (header, txn) => {
      delta.apply(header, txn);
      txns++;
    });
  }
  delta.removeOrphans();
  const writer = await SnapshotWriter.open({ files, directory: snapshotDirectory, zxid: delta.lastZxid });
  try {
    const znodes = await writeMerged(files, base, survey, delta, writer);
    return { snapshot: await writer.finish(), znodes, txns };
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

/** The newest snapshot that fits its seals; looking through it tells. */
async function newestWhole(options: MergeOptions): Promise<{ base: SnapshotFile; survey: Survey }> {
  const { files, snapshotDirectory, throughZxid } = options;
  for (const base of await listSnapshots(files, snapshotDirectory)) {
    if (base.zxid > throughZxid) continue;
    try {
      return { base, survey: await surveyOf(files, base) };
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== "SNAPSHOT_DAMAGED") throw error;
    }
  }
  throw new StorageError(
    "SNAPSHOT_MISSING",
    `there is no whole snapshot in ${snapshotDirectory} to begin with`,
    { path: snapshotDirectory },
  );
}

/** What has to be known of the old snapshot before the new one can begin. */
interface Survey {
  readonly sessions: Map<bigint, number>;
  readonly acls: Map<number, readonly Acl[]>;
  /** ACL ids that some znode names; the others are left out of the new snapshot. */
  readonly usedAclIds: Set<number>;
  readonly ephemerals: Map<bigint, Set<string>>;
}

async function surveyOf(files: FileStore, base: SnapshotFile): Promise<Survey> {
  const survey: Survey = {
    sessions: new Map(),
    acls: new Map(),
    usedAclIds: new Set(),
    ephemerals: new Map(),
  };
  await readSnapshot(files, base, {
    session: (id, timeoutMs) => survey.sessions.set(id, timeoutMs),
    acl: (id, acl) => survey.acls.set(id, acl),
    znode(bytes, start, pathEnd, end) {
      survey.usedAclIds.add(aclIdAt(bytes, end));
      // The owner: most znodes have none, and no bigint is made for those.
      if (bytes.readInt32BE(end - 16) === 0 && bytes.readInt32BE(end - 12) === 0) return;
      const owner = bytes.readBigInt64BE(end - 16);
      if (!isSessionOwner(owner)) return;
      const path = bytes.toString("utf8", start + 4, pathEnd);
      const paths = survey.ephemerals.get(owner);
      if (paths === undefined) survey.ephemerals.set(owner, new Set([path]));
      else paths.add(path);
    },
  });
  return survey;
}

async function writeMerged(
  files: FileStore,
  base: SnapshotFile,
  survey: Survey,
  delta: TxnDelta,
  writer: SnapshotWriter,
): Promise<number> {
  const ids = new AclIds();
  for (const [id, acl] of survey.acls) if (survey.usedAclIds.has(id)) ids.keep(id, acl);
  for (const change of delta.changes.values()) {
    if (change.kind === "whole") ids.idOf(change.node.acl);
    if (change.kind === "patch" && change.acl !== undefined) ids.idOf(change.acl);
  }
  writer.begin([...delta.sessions], ids.lists());
  const { changes } = delta;
  let znodes = 0;
  await readSnapshot(files, base, {
    session: () => {},
    acl: () => {},
    znode(bytes, start, pathEnd, end) {
      const path = bytes.toString("utf8", start + 4, pathEnd);
      const change = changes.get(path);
      if (change === undefined) {
        writer.rawZnode(bytes, start, pathEnd, end);
        znodes++;
      } else if (change.kind === "patch") {
        const changed = patched(znodeAt(bytes, start, pathEnd, end, null), change);
        writer.znode(changed, change.acl === undefined ? aclIdAt(bytes, end) : ids.idOf(change.acl));
        znodes++;
      }
    },
    pause: () => writer.drain(),
  });
  for (const node of delta.created()) {
    writer.znode(node, node.acl === null ? OPEN_ACL_ID : ids.idOf(node.acl));
    znodes++;
    const full = writer.drain();
    if (full !== undefined) await full;
  }
  return znodes;
}
