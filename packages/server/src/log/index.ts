// SPDX-License-Identifier: Apache-2.0
// The data directory on its own, for tools that look at one or mend it while no server runs, and for tests.

export type {
  OpenStorage,
  PurgeOptions,
  RecoverySink,
  SnapshotNode,
  SnapshotSource,
  Storage,
  StorageOptions,
} from "../seam.ts";
export { adler32 } from "./adler32.ts";
export { type LogFile, listLogs, listSnapshots, type SnapshotFile, VERSION_DIRECTORY } from "./file-names.ts";
export { type DirectorySizes, type DiskStorage, openStorage, type SnapshotInfo } from "./file-storage.ts";
export { purge } from "./purge.ts";
export { type RepairOptions, type RepairReport, repairDirectory } from "./repair.ts";
export { mergeSnapshot } from "./snapshot-merge.ts";
export { decodingVisitor, readSnapshot, type SnapshotSummary } from "./snapshot-reader.ts";
export { isSnapshotSound } from "./snapshot-source.ts";
export { writeSnapshot } from "./snapshot-writer.ts";
export { StorageError, type StorageErrorCode } from "./storage-error.ts";
export { digestOf } from "./tree-digest.ts";
export { type LogEnd, readTxnLog } from "./txn-log-reader.ts";
export { encodeRecord } from "./txn-record.ts";
