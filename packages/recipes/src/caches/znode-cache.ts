// SPDX-License-Identifier: Apache-2.0
import type { ZooKeeperClient } from "@meerkat/client";
import {
  AsyncQueue,
  type Deferred,
  deferred,
  Emitter,
  InvalidArgumentError,
  type Runtime,
  resolveRuntime,
  untilAborted,
} from "@meerkat/runtime";
import { RecipeError } from "../recipe-error.ts";
import { type WaitOptions, WaitScope } from "../wait-scope.ts";
import { type CacheChange, type CachedNode, mergeChanges, type NodeChange } from "./cache-change.ts";
import { Mirror } from "./mirror.ts";

/** Options of caches. */
export interface CacheOptions {
  /**
   * Use a persistent recursive watch where the server has them (ZooKeeper 3.6). False for one-shot watches on
   * every znode: for a `ChildrenCache` or `NodeCache` over a busy subtree that need not be seen. Default true.
   */
  readonly recursiveWatch?: boolean | undefined;
  /** More znodes end the cache with `LIMIT`. Default 1,000,000. */
  readonly nodesMax?: number | undefined;
  /** Reads under way at a time. Default 256. */
  readonly readsMax?: number | undefined;
  /** Bound of the random delay before everything is compared after a gap, ms. Default 200. */
  readonly resyncJitterMs?: number | undefined;
  /** Longest a steady stream of changes keeps the cache from showing what it has, ms. Default 500. */
  readonly showAfterMs?: number | undefined;
  readonly runtime?: Partial<Runtime> | undefined;
}

/** A cache at one moment. */
export interface CacheSnapshot {
  readonly version: number;
  readonly synced: boolean;
  /** By path. */
  readonly nodes: ReadonlyMap<string, CachedNode>;
}

/**
 * The base of the caches: a copy of a part of the tree that follows the server. It changes in steps: between
 * two of them readers see one state of it, and a step with `synced` is the server's state at one moment.
 * Over a lost connection it keeps what it had, `synced` false, until everything has been compared.
 */
export abstract class ZnodeCache implements AsyncDisposable {
  /** The path that the cache is of. It need not exist. */
  readonly root: string;
  readonly #runtime: Runtime;
  readonly #mirror: Mirror;
  readonly #emitter: Emitter<CacheChange>;
  readonly #readers = new Set<AsyncQueue<CacheChange>>();
  readonly #first: Deferred<void> = deferred();
  #version = 0;
  #synced = false;
  #snapshot: CacheSnapshot | undefined;
  #failure: { readonly error: unknown } | undefined;
  #closed: Promise<void> | undefined;

  protected constructor(client: ZooKeeperClient, root: string, depthMax: number, options: CacheOptions) {
    this.root = root;
    const runtime = resolveRuntime(options.runtime);
    this.#runtime = runtime;
    const { nodesMax = 1_000_000, readsMax = 256, resyncJitterMs = 200, showAfterMs = 500 } = options;
    for (const [name, value, min] of [
      ["nodesMax", nodesMax, 1],
      ["readsMax", readsMax, 1],
      ["resyncJitterMs", resyncJitterMs, 0],
      ["showAfterMs", showAfterMs, 0],
    ] as const) {
      if (!(value >= min))
        throw new InvalidArgumentError(name, `${name} must be ${min} or more, got ${value}`);
    }
    this.#emitter = new Emitter((error) => runtime.logger.error({ error }, "a listener of a cache threw"));
    this.#first.promise.catch(() => {});
    this.#mirror = new Mirror({
      client,
      runtime,
      root,
      depthMax,
      nodesMax,
      readsMax,
      resyncJitterMs,
      showAfterMs,
      recursiveWatch: options.recursiveWatch ?? true,
      onShow: (synced) => this.#show(synced),
      onGap: () => this.#publish(false, []),
      onFailure: (error) => this.#fail(error),
    });
  }

  /** Whether the cache is the server's state, as far as this client can know. */
  get synced(): boolean {
    return this.#synced;
  }

  /** Counts the steps. */
  get version(): number {
    return this.#version;
  }

  /** Number of znodes. */
  get size(): number {
    return this.#mirror.table.shown.size;
  }

  /** Everything as of now. Costs a copy the first time after a change; use `get` for single znodes. */
  snapshot(): CacheSnapshot {
    this.#snapshot ??= {
      version: this.#version,
      synced: this.#synced,
      nodes: new Map(this.#mirror.table.shown),
    };
    return this.#snapshot;
  }

  /** Calls `listener` after every step; the returned function stops it. */
  onChange(listener: (change: CacheChange) => void): () => void {
    return this.#emitter.on(listener);
  }

  /**
   * First the present state as one step that adds everything, then every later step. A reader that is slow
   * gets several steps as one; none is lost. Ends with the signal, `return` or `close`; rejects when the
   * cache fails for good.
   */
  changes(options: { readonly signal?: AbortSignal | undefined } = {}): AsyncIterableIterator<CacheChange> {
    const { signal } = options;
    const onAbort = (): void => queue.end();
    const queue = new AsyncQueue<CacheChange>({
      capacity: 1,
      merge: mergeChanges,
      onReturn: () => {
        signal?.removeEventListener("abort", onAbort);
        this.#readers.delete(queue);
      },
    });
    const changes: NodeChange[] = [];
    for (const [path, node] of this.#mirror.table.shown) changes.push({ type: "added", path, node });
    queue.push({ version: this.#version, synced: this.#synced, changes });
    if (this.#failure !== undefined) queue.fail(this.#failure.error);
    else if (this.#closed !== undefined || signal?.aborted === true) queue.end();
    else {
      this.#readers.add(queue);
      signal?.addEventListener("abort", onAbort, { once: true });
    }
    return queue;
  }

  /** Resolves when the cache is the server's state. Rejects with `TIMEOUT`, `ABORTED`, `CLOSED`. */
  async untilSynced(options: WaitOptions = {}): Promise<void> {
    const scope = new WaitScope(this.#runtime.clock, options, `reading the tree at ${this.root}`, this.root);
    let stop = (): void => {};
    try {
      await untilAborted(this.#first.promise, scope.signal);
      if (this.#synced) return;
      const synced = new Promise<void>((resolve) => {
        stop = this.onChange((change) => change.synced && resolve());
      });
      await untilAborted(synced, scope.signal);
    } finally {
      stop();
      scope.end();
    }
  }

  /** Gives the watches back and ends all iterations. What was read stays readable. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** One znode, if it exists. */
  protected nodeAt(path: string): CachedNode | undefined {
    return this.#mirror.table.shown.get(path);
  }

  /** Names of the children of a znode, in no particular order. */
  protected namesBelow(path: string): ReadonlySet<string> {
    return this.#mirror.table.shownNames(path);
  }

  /** Waits for the first full state; gives the cache up when it does not come. @internal */
  protected static async opened<C extends ZnodeCache>(cache: C, options: WaitOptions): Promise<C> {
    try {
      await cache.untilSynced(options);
      return cache;
    } catch (error) {
      await cache.close();
      throw error;
    }
  }

  #show(synced: boolean): void {
    const changes = this.#mirror.table.show();
    this.#publish(synced, changes);
    if (synced) this.#first.resolve();
  }

  #publish(synced: boolean, changes: readonly NodeChange[]): void {
    if (changes.length === 0 && synced === this.#synced) return;
    this.#version++;
    this.#synced = synced;
    this.#snapshot = undefined;
    const change: CacheChange = { version: this.#version, synced, changes };
    for (const queue of [...this.#readers]) queue.push(change);
    this.#emitter.emit(change);
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#runtime.logger.error({ error, root: this.root }, "a cache has ended");
    this.#publish(false, []);
    this.#first.reject(error);
    for (const queue of [...this.#readers]) queue.fail(error);
    void this.close();
  }

  async #close(): Promise<void> {
    this.#first.reject(
      new RecipeError("CLOSED", `the cache of ${this.root} is closed`, { context: { path: this.root } }),
    );
    for (const queue of [...this.#readers]) queue.end();
    await this.#mirror.close();
    this.#synced = false;
    this.#snapshot = undefined;
    this.#emitter.clear();
  }
}
