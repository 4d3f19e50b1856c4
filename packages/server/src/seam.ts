// SPDX-License-Identifier: Apache-2.0
// The seam between the server's core (tree, sessions, net) and its storage (log, snapshots, recovery). The
// core calls a `Storage` and feeds it transactions; the storage fills a `RecoverySink` at start and reads a
// `SnapshotSource` whenever it writes a snapshot. Neither side imports more of the other than this file.
import type { FileStore, Runtime } from "@meerkat/runtime";
import type { Acl, Txn, TxnHeader } from "@meerkat/wire";

/** One znode as a snapshot holds it. zxids are exact below 2^53. */
export interface SnapshotNode {
  /** The path; the root is the empty string. */
  readonly path: string;
  /** Null is kept apart from empty. Valid until the next node is asked for, unless copied. */
  readonly data: Uint8Array | null;
  /** Null is ZooKeeper's built-in ACL id -1 (world:anyone, all permissions), kept apart from an equal list. */
  readonly acl: readonly Acl[] | null;
  readonly czxid: number;
  readonly mzxid: number;
  readonly ctimeMs: number;
  readonly mtimeMs: number;
  readonly version: number;
  /** The persisted one, which counts creates only; not the one that clients are shown. */
  readonly cversion: number;
  readonly aversion: number;
  /** As stored, as a signed 64-bit value: a session id, or the marks of containers and TTL znodes. */
  readonly ephemeralOwner: bigint;
  readonly pzxid: number;
}

/** Takes the state found on disk: first the snapshot's sessions and znodes, then the log's transactions. */
export interface RecoverySink {
  restoreSession(id: bigint, timeoutMs: number): void;
  /** Parents come before their children. `data` is copied. */
  restoreNode(node: SnapshotNode): void;
  /**
   * Applies a logged transaction. Idempotent: the snapshot may already hold its effect. The transaction's
   * buffers are valid until this returns; what is kept must be copied.
   */
  applyTxn(header: TxnHeader, txn: Txn): void;
}

/** A state that a snapshot can be written from. It must not change while it is read. */
export interface SnapshotSource {
  readonly lastZxid: number;
  sessions(): Iterable<readonly [id: bigint, timeoutMs: number]>;
  /** All znodes, parents before their children. */
  nodes(): Iterable<SnapshotNode>;
}

/** A directory that transactions are made durable in. */
export interface Storage {
  /** Reads the directory into `sink`. Called once, before the first `append`. */
  recover(sink: RecoverySink): Promise<{ readonly lastZxid: number }>;
  /** Encodes into the current batch at once, so the buffers may be reused afterwards; throws nothing. */
  append(header: TxnHeader, txn: Txn): void;
  /** The listener gets the highest zxid that is on the disk, each time it grows. */
  onDurable(listener: (zxid: number) => void): void;
  /** A write or sync failed: nothing after `durableZxid` will ever become durable. At most once. */
  onFailure(listener: (error: Error) => void): void;
  /** Highest zxid that is on the disk. */
  readonly durableZxid: number;
  /** Makes what was appended durable and closes; a snapshot under way is dropped. Idempotent. */
  close(): Promise<void>;
}

/** How often and how much to keep, see zoo.cfg's `autopurge.*`. */
export interface PurgeOptions {
  /** Newest snapshots to keep; at least 3. */
  readonly retainCount: number;
  readonly intervalMs: number;
}

/** Where and how to store. */
export interface StorageOptions {
  /** Snapshots go to `version-2` below it. */
  readonly dataDir: string;
  /** Logs go to `version-2` below it; `dataDir` when left out. */
  readonly dataLogDir?: string | undefined;
  /** Transactions between snapshots; default 100,000. */
  readonly snapCount?: number | undefined;
  /** Bytes of log between snapshots, in KiB; default 4,194,304. */
  readonly snapSizeLimitKb?: number | undefined;
  /** Step by which log files are extended, in KiB; default 65,536. */
  readonly preAllocKb?: number | undefined;
  /** False skips fdatasync, as `forceSync=no`; default true. */
  readonly forceSync?: boolean | undefined;
  /** Syncs that take longer are named in the log, ms; default 1000. */
  readonly slowSyncMs?: number | undefined;
  /** No purging when left out. */
  readonly purge?: PurgeOptions | undefined;
  /** Accept logs without any snapshot (`snapshot.trust.empty`); default false. */
  readonly trustEmptySnapshot?: boolean | undefined;
  /** The disk; the system's by default. With another one snapshots are made in this thread. */
  readonly files?: FileStore | undefined;
  readonly runtime: Runtime;
}

/** Opens a directory for exclusive use. Rejects when it is locked or its layout is wrong. */
export type OpenStorage = (options: StorageOptions) => Promise<Storage>;
