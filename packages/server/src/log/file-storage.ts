// SPDX-License-Identifier: Apache-2.0
// A data directory in use: recovery at start, the transaction log, snapshots in the background, purging.
import { dirname, join } from "node:path";
import { type FileStore, randomInt, systemFiles, type Timer } from "@meerkat/runtime";
import type { Txn, TxnHeader } from "@meerkat/wire";
import type { RecoverySink, SnapshotSource, Storage, StorageOptions } from "../seam.ts";
import { Summary } from "../summary.ts";
import { type RunningSnapshot, startSnapshot } from "./background-snapshot.ts";
import { lockDirectories } from "./directory-lock.ts";
import { listLogs, listSnapshots, VERSION_DIRECTORY } from "./file-names.ts";
import { purge } from "./purge.ts";
import { type Recovered, recoverState } from "./recovery.ts";
import { importSnapshot, readSnapshotBytes, type SnapshotBytes, type SnapshotSink } from "./restore.ts";
import { mergeSnapshot } from "./snapshot-merge.ts";
import { writeSnapshot } from "./snapshot-writer.ts";
import { StorageError } from "./storage-error.ts";
import { TxnLog, type TxnLogMetrics } from "./txn-log.ts";

/** ZooKeeper's defaults. */
const SNAP_COUNT = 100_000;
const SNAP_SIZE_LIMIT_KB = 4_194_304;
const PRE_ALLOC_KB = 65_536;
const SNAP_COUNT_MIN = 2;
const SLOW_SYNC_MS = 1000;

/** When a snapshot was written, and up to where it reaches. */
export interface SnapshotInfo {
  readonly zxid: number;
  readonly wallMs: number;
}

/** Bytes of all files beside the snapshots and beside the logs; the same where they share a directory. */
export interface DirectorySizes {
  readonly snapshotBytes: number;
  readonly logBytes: number;
}

/** For the server's metrics. */
export interface StorageMetrics extends TxnLogMetrics {
  /** How long each snapshot took, ms. */
  readonly snapshotMs: Summary;
}

/** What a storage on the disk offers beyond the seam. */
export interface DiskStorage extends Storage {
  /** The newest snapshot. */
  readonly lastSnapshot: SnapshotInfo;
  /** Undefined before `recover`. */
  readonly metrics: StorageMetrics | undefined;
  /** Writes a snapshot of all that was appended so far, in the background; rejects when it failed. */
  takeSnapshot(): Promise<SnapshotInfo>;
  /** What the files take up, bytes. Room that a log claimed ahead counts, as in ZooKeeper. */
  sizes(): Promise<DirectorySizes>;
  /** The bytes of the snapshot of a zxid. */
  readSnapshot(zxid: number): Promise<SnapshotBytes>;
  /** Reads a snapshot from elsewhere into `sink`; resolves with the highest zxid in it. */
  importSnapshot(chunks: AsyncIterable<Uint8Array>, sink: SnapshotSink): Promise<number>;
  /**
   * Makes `source`, which must be later than all that was appended, the state that the next start finds. Nothing
   * may be appended until this settles; when it rejects, the old state is still in place.
   */
  replaceState(source: SnapshotSource): Promise<void>;
}

/** Opens a directory for exclusive use. Rejects when it is locked or its layout is wrong. */
export async function openStorage(options: StorageOptions): Promise<DiskStorage> {
  const files = options.files ?? systemFiles;
  const snapshotDirectory = join(options.dataDir, VERSION_DIRECTORY);
  const logDirectory = join(options.dataLogDir ?? options.dataDir, VERSION_DIRECTORY);
  const directories = [...new Set([snapshotDirectory, logDirectory])];
  for (const directory of directories) await files.makeDirectory(directory);
  const release = await lockDirectories(
    files,
    directories.map((directory) => dirname(directory)),
  );
  try {
    if (directories.length > 1) await checkLayout(files, snapshotDirectory, logDirectory);
    // Tells a member of an ensemble that it may start empty; with us it has done its work.
    await files.remove(join(dirname(logDirectory), "initialize"));
  } catch (error) {
    await release();
    throw error;
  }
  return new FileStorage(options, files, { snapshotDirectory, logDirectory }, release);
}

/** With two directories each must hold its own kind of file, or the wrong one would be read. */
async function checkLayout(files: FileStore, snapshotDirectory: string, logDirectory: string): Promise<void> {
  const [log] = await listLogs(files, snapshotDirectory);
  const [snapshot] = await listSnapshots(files, logDirectory);
  const stray = log ?? snapshot;
  if (stray === undefined) return;
  throw new StorageError(
    "DIRECTORY_LAYOUT",
    `${stray.path} is in the wrong directory: snapshots belong to dataDir, logs to dataLogDir; move it`,
    { path: stray.path },
  );
}

interface Directories {
  readonly snapshotDirectory: string;
  readonly logDirectory: string;
}

class FileStorage implements DiskStorage {
  readonly #options: StorageOptions;
  readonly #files: FileStore;
  readonly #directories: Directories;
  readonly #release: () => Promise<void>;
  readonly #durableListeners: ((zxid: number) => void)[] = [];
  readonly #failureListeners: ((error: Error) => void)[] = [];
  #log: TxnLog | undefined;
  #lastSnapshot: SnapshotInfo = { zxid: 0, wallMs: 0 };
  readonly #snapshotMs = new Summary();
  /** Since the last snapshot began. */
  #txns = 0;
  #bytes = 0;
  #txnsMax = 0;
  #bytesMax = 0;
  #running: RunningSnapshot | undefined;
  #snapshotWork: Promise<void> | undefined;
  #purgeTimer: Timer | undefined;
  #purging: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    options: StorageOptions,
    files: FileStore,
    directories: Directories,
    release: () => Promise<void>,
  ) {
    this.#options = options;
    this.#files = files;
    this.#directories = directories;
    this.#release = release;
    this.#drawLimits();
  }

  get durableZxid(): number {
    return this.#log?.durableZxid ?? 0;
  }

  get metrics(): StorageMetrics | undefined {
    return this.#log && { ...this.#log.metrics, snapshotMs: this.#snapshotMs };
  }

  get lastSnapshot(): SnapshotInfo {
    return this.#lastSnapshot;
  }

  async recover(sink: RecoverySink): Promise<{ readonly lastZxid: number }> {
    const { forceSync = true, preAllocKb = PRE_ALLOC_KB, runtime } = this.#options;
    const { logger } = runtime;
    const recovered = await recoverState(
      {
        ...this.#directories,
        files: this.#files,
        trustEmptySnapshot: this.#options.trustEmptySnapshot ?? false,
        logger,
      },
      sink,
    );
    await this.#settle(recovered);
    const log = new TxnLog({
      files: this.#files,
      directory: this.#directories.logDirectory,
      preAllocBytes: preAllocKb * 1024,
      forceSync,
      lastZxid: recovered.lastZxid,
      logger,
      slowSyncMs: this.#options.slowSyncMs ?? SLOW_SYNC_MS,
      clock: runtime.clock,
    });
    for (const listener of this.#durableListeners) log.onDurable(listener);
    for (const listener of this.#failureListeners) log.onFailure(listener);
    this.#log = log;
    this.#schedulePurge();
    this.#maybeSnapshot();
    return { lastZxid: recovered.lastZxid };
  }

  append(header: TxnHeader, txn: Txn): void {
    const log = this.#log;
    if (log === undefined || this.#closing !== undefined) return;
    this.#bytes += log.append(header, txn);
    this.#txns++;
    if (this.#txns > this.#txnsMax || this.#bytes > this.#bytesMax) this.#maybeSnapshot();
  }

  onDurable(listener: (zxid: number) => void): void {
    this.#durableListeners.push(listener);
    this.#log?.onDurable(listener);
  }

  onFailure(listener: (error: Error) => void): void {
    this.#failureListeners.push(listener);
    this.#log?.onFailure(listener);
  }

  async sizes(): Promise<DirectorySizes> {
    const { snapshotDirectory, logDirectory } = this.#directories;
    const snapshotBytes = await this.#sizeOf(snapshotDirectory);
    const logBytes = logDirectory === snapshotDirectory ? snapshotBytes : await this.#sizeOf(logDirectory);
    return { snapshotBytes, logBytes };
  }

  readSnapshot(zxid: number): Promise<SnapshotBytes> {
    return readSnapshotBytes(this.#files, this.#directories.snapshotDirectory, zxid);
  }

  importSnapshot(chunks: AsyncIterable<Uint8Array>, sink: SnapshotSink): Promise<number> {
    return importSnapshot(this.#files, this.#directories.snapshotDirectory, chunks, sink);
  }

  async replaceState(source: SnapshotSource): Promise<void> {
    while (this.#snapshotWork !== undefined) await this.#snapshotWork;
    const log = this.#log;
    if (log === undefined || this.#closing !== undefined) throw closed(this.#options.dataDir);
    await log.flush();
    await writeSnapshot(this.#files, this.#directories.snapshotDirectory, source);
    log.skipTo(source.lastZxid);
    this.#txns = 0;
    this.#bytes = 0;
    this.#noteSnapshot(source.lastZxid);
  }

  async #sizeOf(directory: string): Promise<number> {
    let total = 0;
    for (const name of await this.#files.list(directory)) {
      // Purging may take a file away meanwhile.
      total += await this.#files.info(join(directory, name)).then(
        ({ bytes }) => bytes,
        () => 0,
      );
    }
    return total;
  }

  async takeSnapshot(): Promise<SnapshotInfo> {
    while (this.#snapshotWork !== undefined) await this.#snapshotWork;
    const log = this.#log;
    if (log === undefined || this.#closing !== undefined) throw closed(this.#options.dataDir);
    if (log.failure !== undefined) throw log.failure;
    await this.#beginSnapshot(log);
    return this.#lastSnapshot;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** No snapshot is written at the end: the next start reads the log in less time than that would take. */
  async #close(): Promise<void> {
    this.#purgeTimer?.cancel();
    try {
      // A failure was told to its listeners when it happened.
      await this.#log?.close().catch(() => {});
      await this.#running?.stop();
      await this.#snapshotWork;
      await this.#purging;
    } finally {
      await this.#release();
    }
  }

  /** Makes the files agree with the state that the core has after recovery. */
  async #settle(recovered: Recovered): Promise<void> {
    const { snapshot } = recovered;
    const info = await this.#files.info(snapshot.path);
    this.#lastSnapshot = { zxid: snapshot.zxid, wallMs: info.modifiedMs };
    this.#txns = recovered.txns;
    this.#bytes = recovered.logBytes;
    if (!recovered.orphans) return;
    await mergeSnapshot({ ...this.#directories, files: this.#files, throughZxid: recovered.lastZxid });
    this.#noteSnapshot(recovered.lastZxid);
    this.#txns = 0;
    this.#bytes = 0;
  }

  /** Draws when the next snapshot is due: between half and all of the limits, as ZooKeeper does. */
  #drawLimits(): void {
    const { snapCount = SNAP_COUNT, snapSizeLimitKb = SNAP_SIZE_LIMIT_KB, runtime } = this.#options;
    const half = Math.max(Math.floor(Math.max(snapCount, SNAP_COUNT_MIN) / 2), 1);
    this.#txnsMax = half + randomInt(runtime.random, half);
    // A limit of zero or less turns the rule off.
    const halfBytes = snapSizeLimitKb > 0 ? snapSizeLimitKb * 512 : Number.POSITIVE_INFINITY;
    this.#bytesMax = halfBytes * (1 + runtime.random.float());
  }

  #maybeSnapshot(): void {
    const log = this.#log;
    if (log === undefined || log.failure !== undefined || this.#closing !== undefined) return;
    if (this.#snapshotWork !== undefined) return;
    if (this.#txns <= this.#txnsMax && this.#bytes <= this.#bytesMax) return;
    this.#beginSnapshot(log).catch((error: unknown) => {
      if (this.#closing !== undefined) return;
      this.#options.runtime.logger.error({ error }, "a snapshot could not be written; the log is kept");
    });
  }

  /** Rolls the log and has a snapshot made of all that is in it. */
  #beginSnapshot(log: TxnLog): Promise<void> {
    this.#txns = 0;
    this.#bytes = 0;
    this.#drawLimits();
    log.roll();
    const work = this.#snapshot(log).finally(() => {
      this.#running = undefined;
      this.#snapshotWork = undefined;
    });
    // For those who only wait for the end; its outcome goes to whoever began it.
    this.#snapshotWork = work.catch(() => {});
    return work;
  }

  async #snapshot(log: TxnLog): Promise<void> {
    const throughZxid = log.appendedZxid;
    await log.flush();
    if (this.#closing !== undefined) throw closed(this.#options.dataDir);
    const startMs = this.#options.runtime.clock.nowMs();
    const running = startSnapshot({ ...this.#directories, files: this.#files, throughZxid });
    this.#running = running;
    const { snapshot, znodes } = await running.done;
    this.#noteSnapshot(snapshot.zxid);
    this.#snapshotMs.record(this.#options.runtime.clock.nowMs() - startMs);
    this.#options.runtime.logger.info({ snapshot: snapshot.path, znodes }, "snapshot written");
  }

  #noteSnapshot(zxid: number): void {
    this.#lastSnapshot = { zxid, wallMs: this.#options.runtime.clock.wallMs() };
  }

  #schedulePurge(): void {
    const settings = this.#options.purge;
    if (settings === undefined || this.#closing !== undefined) return;
    const { clock, logger } = this.#options.runtime;
    this.#purging = purge({ ...this.#directories, files: this.#files, retainCount: settings.retainCount })
      .then((removed) => {
        if (removed.length > 0) logger.info({ removed }, "old snapshots and logs purged");
      })
      .catch((error: unknown) => logger.warn({ error }, "old snapshots and logs could not be purged"));
    this.#purgeTimer = clock.after(settings.intervalMs, () => this.#schedulePurge());
  }
}

function closed(path: string): StorageError {
  return new StorageError("CLOSED", `the storage in ${path} is closed`, { path });
}
