// SPDX-License-Identifier: Apache-2.0
// The write side of the transaction log: group commit. What is appended while one batch is on its way to
// the disk forms the next batch, so under load one sync makes many transactions durable. The event loop
// never waits: writes run in the thread pool.
//
// Invariants: one write at a time; `durableZxid` only grows; after a failed write or sync nothing is
// written again, since the kernel may have dropped pages that a repeated sync would then call durable.
import { join } from "node:path";
import { type Clock, Emitter, errorFrom, type FileStore, type Logger, type OpenFile } from "@meerkat/runtime";
import { JuteWriter, type Txn, type TxnHeader } from "@meerkat/wire";
import { Summary } from "../summary.ts";
import { logFileName, UNFINISHED_PREFIX } from "./file-names.ts";
import { StorageError } from "./storage-error.ts";
import { LOG_HEADER_BYTES, sealRecords, writeLogHeader, writeRecord } from "./txn-record.ts";

/** A batch that reached this size is closed, so that its transactions need not wait for more. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;
/** Memory of a batch to begin with. */
const BATCH_SLAB_BYTES = 256 * 1024;
/** Batches kept for reuse: one forming, one being written, one spare for a roll. */
const SPARE_WRITERS_MAX = 3;
/** The file is extended when less than this is left, as ZooKeeper does. */
const ROOM_BYTES_MIN = 4096;

/** What the log needs to know. */
export interface TxnLogOptions {
  readonly files: FileStore;
  readonly directory: string;
  /** Step by which the file is extended. */
  readonly preAllocBytes: number;
  /** False: nothing is synced (ZooKeeper's `forceSync=no`). */
  readonly forceSync: boolean;
  /** zxid of the last transaction that is durable already. */
  readonly lastZxid: number;
  readonly logger: Logger;
  /** A write and sync that takes longer is named in the log, ms (`fsync.warningthresholdms`). */
  readonly slowSyncMs: number;
  readonly clock: Clock;
}

/** What the log measures about itself. */
export interface TxnLogMetrics {
  /** Duration of each write and sync, ms. */
  readonly syncMs: Summary;
  /** Transactions that shared one. */
  readonly batchTxns: Summary;
  /** Syncs that took longer than `slowSyncMs`. */
  slowSyncs: number;
}

/** Transactions that reach the disk together. */
interface Batch {
  readonly writer: JuteWriter;
  /** The first batch of a file carries the file's header. */
  readonly opensFile: boolean;
  firstZxid: number;
  lastZxid: number;
  txns: number;
}

interface Waiter {
  readonly zxid: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Appends transactions to `log.*` files in one directory. */
export class TxnLog {
  readonly #options: TxnLogOptions;
  readonly #durable: Emitter<number>;
  readonly #failed: Emitter<Error>;
  readonly #spares: JuteWriter[] = [];
  readonly #sealed: Batch[] = [];
  #forming: Batch | undefined;
  #rolls = true;
  /** A pump runs or will run after this turn; whoever appends meanwhile need not start one. */
  #awake = false;
  #pumping: Promise<void> | undefined;
  #waiters: Waiter[] = [];
  #file: OpenFile | undefined;
  #position = 0;
  #allocated = 0;
  #appendedZxid: number;
  #durableZxid: number;
  #failure: Error | undefined;
  #closed = false;
  /** For the server's metrics. */
  readonly metrics: TxnLogMetrics = { syncMs: new Summary(), batchTxns: new Summary(), slowSyncs: 0 };

  constructor(options: TxnLogOptions) {
    this.#options = options;
    this.#appendedZxid = options.lastZxid;
    this.#durableZxid = options.lastZxid;
    const report = (error: unknown): void =>
      options.logger.error({ error }, "a listener of the transaction log threw");
    this.#durable = new Emitter(report);
    this.#failed = new Emitter(report);
  }

  /** Highest zxid that is on the disk. */
  get durableZxid(): number {
    return this.#durableZxid;
  }

  /** zxid appended last. */
  get appendedZxid(): number {
    return this.#appendedZxid;
  }

  /** Why the log stopped; undefined while it works. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Called with each new `durableZxid`. */
  onDurable(listener: (zxid: number) => void): void {
    this.#durable.on(listener);
  }

  /** Called once when a write or sync failed. */
  onFailure(listener: (error: Error) => void): void {
    this.#failed.on(listener);
  }

  /**
   * Encodes the transaction into the current batch. Returns the record's bytes. After a failure or `close`
   * it does nothing: the transaction will never be durable.
   */
  append(header: TxnHeader, txn: Txn): number {
    if (this.#failure !== undefined || this.#closed) return 0;
    let batch = this.#forming;
    if (batch === undefined) {
      batch = this.#newBatch(header.zxid);
      this.#forming = batch;
    }
    const before = batch.writer.length;
    try {
      writeRecord(batch.writer, header, txn);
    } catch (error) {
      batch.writer.truncate(before);
      this.#fail(errorFrom(error));
      return 0;
    }
    batch.lastZxid = header.zxid;
    batch.txns++;
    this.#appendedZxid = header.zxid;
    const after = batch.writer.length;
    if (after >= BATCH_BYTES_MAX) this.#seal();
    this.#wake();
    return after - before;
  }

  /** The next transaction begins a new file. */
  roll(): void {
    this.#seal();
    this.#rolls = true;
  }

  /** A snapshot of `zxid` was put in place of all that was appended; the next transaction begins a new file. */
  skipTo(zxid: number): void {
    this.roll();
    this.#appendedZxid = zxid;
    this.#durableZxid = zxid;
  }

  /** Resolves when all that was appended so far is durable; rejects when it will not be. */
  flush(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const zxid = this.#appendedZxid;
    if (zxid <= this.#durableZxid) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ zxid, resolve, reject }));
  }

  /** Writes what was appended and closes the file; rejects when that failed. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    try {
      await this.flush();
    } finally {
      await this.#pumping;
      await this.#closeFile();
    }
  }

  #newBatch(firstZxid: number): Batch {
    const writer = this.#spares.pop() ?? new JuteWriter(BATCH_SLAB_BYTES);
    const opensFile = this.#rolls;
    this.#rolls = false;
    if (opensFile) writeLogHeader(writer);
    return { writer, opensFile, firstZxid, lastZxid: firstZxid, txns: 0 };
  }

  #seal(): void {
    if (this.#forming === undefined) return;
    this.#sealed.push(this.#forming);
    this.#forming = undefined;
  }

  /** Starts writing after this turn of the event loop, so that all of its transactions share the sync. */
  #wake(): void {
    if (this.#awake) return;
    this.#awake = true;
    setImmediate(() => {
      this.#pumping = this.#pump();
    });
  }

  async #pump(): Promise<void> {
    while (this.#failure === undefined) {
      if (this.#sealed.length === 0) this.#seal();
      const batch = this.#sealed.shift();
      if (batch === undefined) {
        this.#awake = false;
        return;
      }
      const startMs = this.#options.clock.nowMs();
      try {
        await this.#write(batch);
      } catch (error) {
        this.#fail(errorFrom(error));
        return;
      }
      this.#advance(batch.lastZxid);
      this.#release(batch.writer);
      this.#measure(batch, this.#options.clock.nowMs() - startMs);
    }
  }

  #measure(batch: Batch, durationMs: number): void {
    this.metrics.syncMs.record(durationMs);
    this.metrics.batchTxns.record(batch.txns);
    const { slowSyncMs, logger } = this.#options;
    if (durationMs <= slowSyncMs) return;
    this.metrics.slowSyncs++;
    logger.warn(
      { durationMs, txns: batch.txns },
      "the disk was slow to take transactions; writes wait for it",
    );
  }

  async #write(batch: Batch): Promise<void> {
    const bytes = batch.writer.take();
    sealRecords(bytes, batch.opensFile ? LOG_HEADER_BYTES : 0);
    if (batch.opensFile) {
      await this.#openFile(bytes, batch.firstZxid);
      return;
    }
    const file = this.#file as OpenFile;
    await this.#reserve(file, bytes.length);
    await file.write(bytes, this.#position);
    this.#position += bytes.length;
  }

  /**
   * Begins a file. It gets its name only when header and first batch are on the disk: ZooKeeper cannot
   * start on a log that has less.
   */
  async #openFile(bytes: Buffer, firstZxid: number): Promise<void> {
    const { files, directory, forceSync } = this.#options;
    await this.#closeFile();
    const name = logFileName(firstZxid);
    const unfinished = join(directory, `${UNFINISHED_PREFIX}${name}`);
    const file = await files.open(unfinished, "create", { durableWrites: forceSync });
    this.#file = file;
    this.#position = 0;
    this.#allocated = 0;
    await this.#reserve(file, bytes.length);
    await file.write(bytes, 0);
    this.#position = bytes.length;
    await files.rename(unfinished, join(directory, name));
    if (forceSync) await files.syncDirectory(directory);
  }

  /** Cuts off the room that was not used, so that copies and the next start need not go through it. */
  async #closeFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    // All that counts is on the disk; with the padding the file is as good.
    if (this.#failure === undefined) await file.truncate(this.#position).catch(() => {});
    await file.close();
  }

  /** Extends the file ahead, which keeps changes of its size out of most syncs. */
  async #reserve(file: OpenFile, bytes: number): Promise<void> {
    const needed = this.#position + bytes + ROOM_BYTES_MIN;
    if (needed <= this.#allocated) return;
    const step = this.#options.preAllocBytes;
    const length = step > 0 ? Math.ceil(needed / step) * step : 0;
    if (length > 0) await file.truncate(length);
    this.#allocated = length > 0 ? length : needed;
  }

  #release(writer: JuteWriter): void {
    if (this.#spares.length >= SPARE_WRITERS_MAX) return;
    writer.recycle();
    this.#spares.push(writer);
  }

  #advance(zxid: number): void {
    this.#durableZxid = zxid;
    this.#durable.emit(zxid);
    if (this.#waiters.length === 0) return;
    const due = this.#waiters.filter((waiter) => waiter.zxid <= zxid);
    this.#waiters = this.#waiters.filter((waiter) => waiter.zxid > zxid);
    for (const waiter of due) waiter.resolve();
  }

  #fail(cause: Error): void {
    if (this.#failure !== undefined) return;
    const failure = new StorageError(
      "WRITE_FAILED",
      `the transaction log in ${this.#options.directory} cannot be written (${cause.message}); ` +
        `nothing after zxid 0x${this.#durableZxid.toString(16)} is stored: ` +
        "make room or replace the disk, then start again",
      { path: this.#options.directory, zxid: this.#durableZxid },
      { cause, effect: "unknown" },
    );
    this.#failure = failure;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(failure);
    this.#failed.emit(failure);
  }
}
