// SPDX-License-Identifier: Apache-2.0
// The live list of the instances registered under a root znode. It is exact while ZooKeeper answers, and
// keeps the last good list while it does not: a registry that is away says nothing about the services.
import { setMaxListeners } from "node:events";
import type { ClientState, ZooKeeperClient } from "@meerkat/client";
import {
  Backoff,
  errorFrom,
  type Runtime,
  resolveRuntime,
  sleep,
  type Timer,
  untilAborted,
} from "@meerkat/runtime";
import type { Directory, DirectoryListener, DirectoryStatus } from "../directory.ts";
import type { DirectoryChange, Endpoint, EndpointSet } from "../endpoint.ts";
import { GovernanceError } from "../errors.ts";
import type { InstanceDecoder } from "../registry/instance-codec.ts";
import { seedCodec } from "../registry/seed-codec.ts";
import { CacheWriter, cachedEndpoints, cacheText, type DirectoryCache } from "./directory-cache.ts";
import { MemberReader } from "./member-reader.ts";
import { MemberTable } from "./member-table.ts";
import { SetPublisher } from "./set-publisher.ts";

/** Options of `ZooKeeperDirectory.open`. */
export interface ZooKeeperDirectoryOptions {
  /** The znode whose children are the instances; default "/rpc". It need not exist yet. */
  readonly root?: string | undefined;
  /** The layout; default the seed's. */
  readonly codec?: InstanceDecoder | undefined;
  readonly runtime?: Partial<Runtime> | undefined;
  /** Time in which changes are gathered into one, ms; default 20. The half of it is random. */
  readonly coalesceMs?: number | undefined;
  /** Bound of the random delay before everything is read again after a gap, ms; default 100. */
  readonly reconnectJitterMs?: number | undefined;
  /**
   * Protection against a registry that has lost its members, not its services: for `windowMs` after a gap
   * (reconnect, new session, start from the cache; default 15,000), endpoints that vanished stay in the
   * list, marked stale, once they are more than `shareMax` of it (default 0.5; 1 switches this off). Servers whose sessions
   * expired meanwhile register again in this time, and callers leave out what is dead by themselves. What
   * is removed while all is well is obeyed at once, a scale to zero included.
   */
  readonly removalGuard?: { readonly windowMs?: number; readonly shareMax?: number } | undefined;
  /** Where the last good list is kept across restarts. */
  readonly cache?: DirectoryCache | undefined;
  /** How long to wait for ZooKeeper before starting with the cached list, ms; default 1,000. */
  readonly cacheAfterMs?: number | undefined;
  /** False uses child watches even where the server has recursive ones; default true. */
  readonly recursiveWatch?: boolean | undefined;
  /** Ends the waiting of `open`. */
  readonly signal?: AbortSignal | undefined;
  /** Longest `open` waits for the first list, ms; default 10,000. */
  readonly timeoutMs?: number | undefined;
}

/** Pause before reading again after a failure while connected. */
const RETRY_PAUSE = { initialMs: 100, maxMs: 10_000 } as const;

/** See the head of the file. */
export class ZooKeeperDirectory implements Directory {
  readonly root: string;
  readonly #runtime: Runtime;
  readonly #options: ZooKeeperDirectoryOptions;
  readonly #publisher: SetPublisher;
  readonly #table = new MemberTable();
  readonly #reader: MemberReader;
  readonly #cache: CacheWriter | undefined;
  readonly #backoff: Backoff;
  readonly #closing = new AbortController();
  readonly #unsubscribe: () => void;
  #connected: boolean;
  /** True from the end of a full read until the connection is lost. */
  #synced = false;
  #syncedAtMs: number | undefined;
  /** The list before the last gap, and until when its mass removal is not believed. */
  #guard: { readonly endpoints: readonly Endpoint[]; untilMs: number; holding: boolean } | undefined;
  #lastError: Error | undefined;
  #timer: { readonly dueMs: number; readonly timer: Timer } | undefined;
  /** Set while a removal is not believed. */
  #guardTimer: Timer | undefined;
  #running: Promise<void> | undefined;
  #onFirst: (() => void) | undefined;

  private constructor(client: ZooKeeperClient, options: ZooKeeperDirectoryOptions) {
    this.root = options.root ?? "/rpc";
    this.#options = options;
    this.#runtime = resolveRuntime(options.runtime);
    const { clock, logger, random } = this.#runtime;
    this.#publisher = new SetPublisher(logger);
    this.#backoff = new Backoff(RETRY_PAUSE, random);
    this.#cache = options.cache && new CacheWriter(options.cache, clock, logger);
    this.#reader = new MemberReader({
      client,
      root: this.root,
      codec: options.codec ?? seedCodec,
      table: this.#table,
      recursive: options.recursiveWatch,
      onDirty: () => this.#schedule(this.#coalesceMs()),
      onBad: (path, reason) => logger.warn({ path, reason }, "a registered instance is not understood"),
    });
    // Every read in flight listens to it; Node's warning about more than ten listeners is no help here.
    setMaxListeners(0, this.#closing.signal);
    this.#connected = isReadable(client.state);
    this.#unsubscribe = client.onState((state) => this.#onState(state));
  }

  /**
   * Opens the directory of a root. Resolves with the first list read, or with the cached one when
   * ZooKeeper does not answer soon. Rejects with `DIRECTORY_UNAVAILABLE` when there is neither in time,
   * and with the signal's reason when it aborts. The client stays the caller's.
   */
  static async open(
    client: ZooKeeperClient,
    options: ZooKeeperDirectoryOptions = {},
  ): Promise<ZooKeeperDirectory> {
    const directory = new ZooKeeperDirectory(client, options);
    try {
      await directory.#open();
      return directory;
    } catch (error) {
      await directory.close();
      throw error;
    }
  }

  /** Whether `close` was called. */
  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  snapshot(): EndpointSet {
    return this.#publisher.set;
  }

  onChange(listener: DirectoryListener): () => void {
    return this.#publisher.onChange(listener);
  }

  changes(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterable<DirectoryChange> {
    return this.#publisher.changes(options);
  }

  status(): DirectoryStatus {
    const syncedAtMs = this.#syncedAtMs;
    const nowMs = this.#runtime.clock.nowMs();
    return {
      source: this.root,
      // While the watch is in place and nothing is marked, the list is true now.
      ageMs: syncedAtMs === undefined ? undefined : this.#synced ? 0 : nowMs - syncedAtMs,
      skipped: this.#table.bad,
      lastError: this.#lastError,
    };
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new GovernanceError(`the directory of ${this.root} was closed`, { code: "CLOSED" }));
    this.#unsubscribe();
    this.#timer?.timer.cancel();
    this.#guardTimer?.cancel();
    this.#publisher.close();
    await this.#running;
    await this.#cache?.flush();
    try {
      await this.#reader.close();
    } catch (error) {
      // The watch goes with the session at the latest.
      this.#runtime.logger.debug({ error, root: this.root }, "the watch of a directory could not be removed");
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #open(): Promise<void> {
    const { clock } = this.#runtime;
    const { signal, timeoutMs = 10_000, cacheAfterMs = 1_000, cache } = this.#options;
    const first = new Promise<"list">((resolve) => {
      this.#onFirst = () => resolve("list");
    });
    this.#schedule(0);
    const waiting = new AbortController();
    const pause = (ms: number): Promise<"timeout"> =>
      sleep(clock, ms, waiting.signal).then(
        () => "timeout" as const,
        () => "timeout" as const,
      );
    try {
      if (cache !== undefined) {
        const outcome = await untilAborted(
          Promise.race([first, pause(Math.min(cacheAfterMs, timeoutMs))]),
          signal,
        );
        if (outcome === "list" || (await this.#useCache(cache))) return;
      }
      if ((await untilAborted(Promise.race([first, pause(timeoutMs)]), signal)) === "list") return;
    } finally {
      waiting.abort();
    }
    const reason = this.#lastError === undefined ? "ZooKeeper did not answer" : this.#lastError.message;
    throw new GovernanceError(
      `the list of ${this.root} could not be read within ${timeoutMs} ms (${reason}); check the connection, or give a cache`,
      { code: "DIRECTORY_UNAVAILABLE", context: { source: this.root }, cause: this.#lastError },
    );
  }

  async #useCache(cache: DirectoryCache): Promise<boolean> {
    const { logger } = this.#runtime;
    let text: string | undefined;
    try {
      text = await cache.load();
    } catch (error) {
      logger.warn({ error, root: this.root }, "the cache of a directory could not be read");
    }
    const endpoints = text === undefined ? undefined : cachedEndpoints(text, this.root);
    // A list read meanwhile is better than any cache.
    if (this.#syncedAtMs !== undefined) return true;
    if (endpoints === undefined || endpoints.length === 0) return false;
    const previous = this.#publisher.set;
    const set: EndpointSet = Object.freeze({
      version: previous.version + 1,
      endpoints: Object.freeze(endpoints),
      stale: true,
    });
    this.#table.seed(set);
    this.#publisher.publish({ added: endpoints, removed: [], changed: [], set, previous });
    this.#guardFromNow();
    return true;
  }

  #onState(state: ClientState): void {
    const connected = isReadable(state);
    if (connected === this.#connected) return;
    this.#connected = connected;
    if (connected) {
      this.#guardFromNow();
      this.#reader.invalidate();
      this.#schedule(this.#runtime.random.float() * (this.#options.reconnectJitterMs ?? 100));
    } else {
      if (this.#synced) this.#syncedAtMs = this.#runtime.clock.nowMs();
      this.#synced = false;
      this.#publishStale();
    }
  }

  /** A gap has ended: removals that it brought are looked at with suspicion for a while. */
  #guardFromNow(): void {
    const nowMs = this.#runtime.clock.nowMs();
    const untilMs = nowMs + (this.#options.removalGuard?.windowMs ?? 15_000);
    // Several gaps in a row are judged by the list before the first of them.
    if (this.#guard !== undefined && nowMs < this.#guard.untilMs) this.#guard.untilMs = untilMs;
    else this.#guard = { endpoints: this.#publisher.set.endpoints, untilMs, holding: false };
  }

  /** Milliseconds for which removals are to be held; 0 when they are to be obeyed. */
  #holdMs(): number {
    if (this.#guard === undefined) return 0;
    const { endpoints, untilMs } = this.#guard;
    const leftMs = untilMs - this.#runtime.clock.nowMs();
    if (leftMs <= 0) {
      this.#guard = undefined;
      return 0;
    }
    const { shareMax = 0.5 } = this.#options.removalGuard ?? {};
    const missing = this.#table.missing(endpoints);
    // Once most were missing, those who come back late are waited for as well.
    this.#guard.holding = missing > (this.#guard.holding ? 0 : endpoints.length * shareMax);
    return this.#guard.holding ? leftMs : 0;
  }

  #coalesceMs(): number {
    const coalesceMs = this.#options.coalesceMs ?? 20;
    return coalesceMs * (0.5 + 0.5 * this.#runtime.random.float());
  }

  /** Has a refresh run in `delayMs`, or earlier if one is set already. */
  #schedule(delayMs: number): void {
    if (this.#closing.signal.aborted) return;
    const { clock } = this.#runtime;
    const dueMs = clock.nowMs() + delayMs;
    if (this.#timer !== undefined) {
      if (this.#timer.dueMs <= dueMs) return;
      this.#timer.timer.cancel();
    }
    const timer = clock.after(delayMs, () => {
      this.#timer = undefined;
      // One at a time; when it ends it looks whether more was marked.
      if (this.#running !== undefined || !this.#connected) return;
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
        if (this.#reader.dirty && this.#connected) this.#schedule(this.#coalesceMs());
      });
    });
    this.#timer = { dueMs, timer };
  }

  /** One pass of reading and publishing. Never rejects. */
  async #run(): Promise<void> {
    const { clock, logger } = this.#runtime;
    try {
      await this.#reader.refresh(this.#closing.signal);
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      this.#lastError = errorFrom(error);
      logger.warn({ error, root: this.root }, "the list of instances could not be read; trying again");
      // Reading again without a pause would load a server that is in trouble already.
      await sleep(clock, this.#backoff.nextMs(), this.#closing.signal).catch(() => {});
      return;
    }
    this.#lastError = undefined;
    this.#backoff.reset();
    if (!this.#connected) return;
    this.#synced = true;
    this.#syncedAtMs = clock.nowMs();
    this.#publish();
    this.#onFirst?.();
  }

  #publish(): void {
    const { clock, logger } = this.#runtime;
    const previous = this.#publisher.set;
    const holdMs = this.#holdMs();
    if (holdMs > 0 && this.#guardTimer === undefined) {
      logger.warn(
        { root: this.root, listed: previous.endpoints.length, forMs: Math.round(holdMs) },
        "most of the list vanished in a gap; it is kept for now",
      );
      this.#guardTimer = clock.after(holdMs, () => {
        this.#guardTimer = undefined;
        this.#reader.invalidate();
        this.#schedule(0);
      });
    }
    const change = this.#table.take(previous, holdMs > 0, holdMs > 0);
    if (change === undefined) return;
    this.#publisher.publish(change);
    const { set } = change;
    if (!set.stale) this.#cache?.save(() => cacheText(this.root, set, clock.wallMs()));
  }

  /** Says that the list is no longer vouched for; the endpoints stay. */
  #publishStale(): void {
    const previous = this.#publisher.set;
    if (previous.stale || previous.version === 0) return;
    const set: EndpointSet = Object.freeze({ ...previous, version: previous.version + 1, stale: true });
    this.#publisher.publish({ added: [], removed: [], changed: [], set, previous });
  }
}

/** Whether the directory can read in this state. */
function isReadable(state: ClientState): boolean {
  return state === "connected" || state === "readOnly";
}
