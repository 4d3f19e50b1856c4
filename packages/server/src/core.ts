// SPDX-License-Identifier: Apache-2.0
// The server without its listeners: state, storage, connections and timers, put together and taken apart.
import { errorFrom } from "@meerkat/runtime";
import { type DiskStorage, openStorage, type RecoverySink } from "./log/index.ts";
import { Acceptor } from "./net/acceptor.ts";
import type { AnswerWord } from "./net/connection.ts";
import type { ResolvedServerOptions } from "./options.ts";
import { Authenticator } from "./requests/authenticator.ts";
import { Engine } from "./requests/engine.ts";
import { Processor } from "./requests/processor.ts";
import { Reaper } from "./requests/reaper.ts";
import type { Replica } from "./tree/replica.ts";

function schemesOf(options: ResolvedServerOptions): Set<string> {
  const schemes = new Set(["digest", "ip"]);
  if (options.tls !== undefined && (options.tls.clientAuth ?? "none") !== "none") schemes.add("x509");
  if (options.saslUsers !== undefined) schemes.add("sasl");
  return schemes;
}

function openDisk(options: ResolvedServerOptions, dataDir: string): Promise<DiskStorage> {
  const {
    dataLogDir,
    snapCount,
    snapSizeLimitKb,
    preAllocKb,
    forceSync,
    slowSyncMs,
    purge,
    trustEmptySnapshot,
    files,
    runtime,
  } = options;
  return openStorage({
    dataDir,
    dataLogDir,
    snapCount,
    snapSizeLimitKb,
    preAllocKb,
    forceSync,
    slowSyncMs,
    purge,
    trustEmptySnapshot,
    files,
    runtime,
  });
}

/** See the head of the file. */
export class ServerCore {
  readonly options: ResolvedServerOptions;
  readonly engine: Engine;
  readonly acceptor: Acceptor;
  readonly authenticator: Authenticator;
  /** Undefined in memory mode. */
  readonly storage: DiskStorage | undefined;
  readonly startedMs: number;
  readonly #reaper: Reaper;
  #isRestoring = false;
  #retreat: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    options: ResolvedServerOptions,
    engine: Engine,
    storage: DiskStorage | undefined,
    answerWord: AnswerWord,
  ) {
    const { runtime, limits, minSessionTimeoutMs, maxSessionTimeoutMs } = options;
    this.options = options;
    this.engine = engine;
    this.storage = storage;
    this.startedMs = runtime.clock.nowMs();
    this.authenticator = new Authenticator(options, runtime.random);
    this.acceptor = new Acceptor({
      engine,
      processor: new Processor(engine, this.authenticator),
      limits,
      bounds: { minTimeoutMs: minSessionTimeoutMs, maxTimeoutMs: maxSessionTimeoutMs },
      answerWord,
      after: (delayMs, callback) => runtime.clock.after(delayMs, callback),
      nowMs: this.startedMs,
      x509SuperUser: options.x509SuperUser,
    });
    this.#reaper = new Reaper(engine, runtime.clock, options.reaper);
    storage?.onDurable((zxid) => this.acceptor.release(zxid));
    storage?.onFailure((error) => {
      this.#retreat ??= this.#fail(error);
    });
  }

  /** Opens the directory, recovers its state and starts the timers. Rejects with a `StorageError`. */
  static async open(options: ResolvedServerOptions, answerWord: AnswerWord): Promise<ServerCore> {
    const { runtime, dataDir } = options;
    const seed = runtime.random.bytes(4);
    const engine = new Engine({
      clock: runtime.clock,
      logger: runtime.logger,
      tickMs: options.tickTimeMs,
      hashSeed: new DataView(seed.buffer, seed.byteOffset).getInt32(0),
      policy: { schemes: schemesOf(options), skipAcl: options.skipAcl ?? false },
      extendedTypes: options.extendedTypes ?? true,
      enforceQuota: options.enforceQuota ?? false,
      reconfigEnabled: options.reconfigEnabled ?? false,
      requiredAuthSchemes: options.requiredAuthSchemes,
    });
    engine.beginTurn();
    const storage = dataDir === undefined ? undefined : await openDisk(options, dataDir);
    try {
      if (storage !== undefined) {
        const { lastZxid } = await storage.recover(engine.replica);
        engine.replica.finishRecovery(lastZxid);
        engine.attach(storage);
        for (const [id, timeoutMs] of engine.replica.timeouts) engine.sessions.add(id, timeoutMs);
      }
      return new ServerCore(options, engine, storage, answerWord);
    } catch (error) {
      await storage?.close().catch(() => {});
      throw error;
    }
  }

  /** What the server can do now: serve, serve reads, or nothing at all. */
  get mode(): "standalone" | "read-only" | "not serving" {
    if (this.#closing !== undefined || (this.engine.failure !== undefined && !this.acceptor.isAccepting)) {
      return "not serving";
    }
    return this.engine.failure === undefined ? "standalone" : "read-only";
  }

  /**
   * Closes connections and files. Sessions and their ephemerals live on in the directory until their timeout,
   * counted from the next start.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.engine.sessions.close();
    this.#reaper.close();
    await this.acceptor.close();
    await this.#retreat;
    await this.storage?.close();
  }

  /**
   * Puts the state of a snapshot in place of the present one. All connections go; the sessions that the snapshot
   * knows live on, the others are expired. The new state counts as later than everything that clients have seen,
   * so they come back without trouble. Resolves with its zxid; rejects, with the old state in place, when the
   * snapshot is damaged.
   */
  async restore(chunks: AsyncIterable<Uint8Array>): Promise<number> {
    const { engine, storage, acceptor } = this;
    if (storage === undefined) throw new Error("a server without a data directory cannot be restored");
    if (engine.failure !== undefined) throw engine.failure;
    if (this.#isRestoring) throw new Error("another snapshot is being restored");
    this.#isRestoring = true;
    const replica = engine.newReplica();
    const snapshotZxid = await storage.importSnapshot(chunks, replica).catch((error: unknown) => {
      this.#isRestoring = false;
      throw error;
    });
    engine.isFrozen = true;
    acceptor.suspend();
    try {
      replica.finishRecovery(Math.max(snapshotZxid, engine.lastZxid + 1));
      await storage.replaceState(replica);
      engine.replaceState(replica);
    } catch (error) {
      // Sessions may have ended meanwhile without a record: only the files know the state now.
      this.#retreat ??= this.#fail(errorFrom(error));
      throw error;
    } finally {
      engine.isFrozen = false;
      this.#isRestoring = false;
    }
    if (this.#closing === undefined) acceptor.resume();
    this.options.runtime.logger.warn(
      { zxid: `0x${engine.lastZxid.toString(16)}`, znodes: engine.tree.table.count },
      "the state was replaced by a snapshot",
    );
    return engine.lastZxid;
  }

  /**
   * A write or sync failed: what is in memory may be ahead of the disk for ever. Nobody who waits is answered,
   * all connections go, and reading goes on with what is known to be on the disk.
   */
  async #fail(error: Error): Promise<void> {
    const { engine, acceptor } = this;
    const { logger } = this.options.runtime;
    const durableZxid = engine.durableZxid;
    engine.failure = error;
    logger.error(
      {
        error: error.message,
        durableZxid: `0x${durableZxid.toString(16)}`,
        lastZxid: `0x${engine.lastZxid.toString(16)}`,
      },
      "the transaction log cannot be written: nothing is acknowledged any more; the server turns read-only " +
        "until it is restarted on a disk that works",
    );
    acceptor.suspend();
    try {
      const durable = await this.#readBack(durableZxid);
      engine.retreat(durable);
      if (this.#closing === undefined) acceptor.resume();
    } catch (cause) {
      logger.error(
        { error: errorFrom(cause).message },
        "the state on the disk cannot be read back either: the server serves nothing",
      );
    }
  }

  /** The state on the disk up to a zxid. What lies behind it may be there or not: it was never acknowledged. */
  async #readBack(durableZxid: number): Promise<Replica> {
    const replica = this.engine.newReplica();
    await this.storage?.close();
    const disk = await openDisk(this.options, this.options.dataDir as string);
    const upTo: RecoverySink = {
      restoreSession: (id, timeoutMs) => replica.restoreSession(id, timeoutMs),
      restoreNode: (node) => replica.restoreNode(node),
      applyTxn: (header, txn) => {
        if (header.zxid <= durableZxid) replica.applyTxn(header, txn);
      },
    };
    await disk.recover(upTo);
    await disk.close();
    replica.finishRecovery(durableZxid);
    return replica;
  }
}
