// SPDX-License-Identifier: Apache-2.0
// Keeps a table of znodes equal to the server's.
//
// Where the server has persistent recursive watches, one of them covers everything and one change costs one
// read; elsewhere every znode has its own one-shot watches. Answers and events come in the server's order,
// and each is applied in the step that delivers it: so what a read brings is never older than the events
// before it. After a gap nothing is trusted: every znode is compared by czxid, mzxid and pzxid, since
// versions start again at 0 when a znode is deleted and made anew.
import {
  type ClientState,
  isRetryable,
  isZooKeeperError,
  joinPath,
  type PersistentWatch,
  parentPath,
  type Stat,
  type WatchEvent,
  type ZooKeeperClient,
} from "@meerkat/client";
import { Backoff, type Runtime, sleep } from "@meerkat/runtime";
import { RecipeError } from "../recipe-error.ts";
import { NodeTable } from "./node-table.ts";
import { ReadPool } from "./read-pool.ts";

const RETRY_PAUSE = { initialMs: 50, maxMs: 5_000 } as const;

/** What is mirrored, and who is told. */
export interface MirrorOptions {
  readonly client: ZooKeeperClient;
  readonly runtime: Runtime;
  readonly root: string;
  /** 0 for the root alone, 1 with its children, Infinity for all. */
  readonly depthMax: number;
  readonly recursiveWatch: boolean;
  readonly nodesMax: number;
  readonly readsMax: number;
  readonly resyncJitterMs: number;
  readonly showAfterMs: number;
  /** The table may be shown. `synced`: it is the server's state. */
  readonly onShow: (synced: boolean) => void;
  /** The connection is gone: the table may be old from now on. */
  readonly onGap: () => void;
  readonly onFailure: (error: unknown) => void;
}

/** See the head of this file. */
export class Mirror {
  readonly table: NodeTable;
  readonly #options: MirrorOptions;
  readonly #closing = new AbortController();
  readonly #pool: ReadPool;
  readonly #backoff: Backoff;
  readonly #unsubscribe: () => void;
  readonly #onWatch = (event: WatchEvent): void => this.#onEvent(event);
  readonly #dirtyNodes = new Set<string>();
  readonly #dirtyLists = new Set<string>();
  /**
   * Parents of which a child may be missing: their list, or a znode of it, was to be read and is not known to
   * have been. Their pzxid says nothing then, since the stat of a parent may be newer than its children.
   */
  readonly #unsureLists = new Set<string>();
  /** Everything is to be compared; `first` without delay. */
  #compareAll: "first" | "again" | undefined = "first";
  /** No comparison since the last gap. */
  #gap = true;
  #isConnected: boolean;
  #watch: PersistentWatch | undefined;
  /** Undefined until it is known whether the server has recursive watches. */
  #isRecursive: boolean | undefined;
  #shownAtMs = 0;
  #running: Promise<void> | undefined;

  constructor(options: MirrorOptions) {
    const { client, runtime, root } = options;
    this.#options = options;
    this.table = new NodeTable(root);
    this.#pool = new ReadPool(options.readsMax);
    this.#backoff = new Backoff(RETRY_PAUSE, runtime.random);
    this.#isRecursive = options.recursiveWatch ? undefined : false;
    this.#isConnected = isReadable(client.state);
    this.#unsubscribe = client.onState((state) => this.#onState(state));
    this.#ask();
  }

  /** Gives the watches back. Idempotent. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#unsubscribe();
    await this.#running;
    const { client } = this.#options;
    await this.#watch?.close();
    if (this.#isRecursive === true) return;
    // Whatever ended the connection has ended the watches too.
    const forget = (path: string): Promise<void> =>
      client.removeWatches(path, "any", this.#onWatch, { timeoutMs: 1_000 }).catch(() => {});
    await forget(this.#options.root);
    const paths = new Set([...this.table.shown.keys()]);
    for (const path of paths) this.#pool.add(() => forget(path));
    await this.#pool.drained();
  }

  #onState(state: ClientState): void {
    const isConnected = isReadable(state);
    if (state === "closed" || state === "authFailed") {
      this.#fail(
        new RecipeError("CLOSED", `the client of the cache of ${this.#options.root} has ended: ${state}`),
      );
      return;
    }
    if (isConnected === this.#isConnected) return;
    this.#isConnected = isConnected;
    if (!isConnected) {
      this.#gap = true;
      this.#options.onGap();
      return;
    }
    // A persistent watch says itself when it is armed again; comparing before that would be too early.
    if (this.#watch === undefined) this.#compareAll ??= "again";
    this.#ask();
  }

  #onEvent(event: WatchEvent): void {
    const { path, type } = event;
    const { root, depthMax } = this.#options;
    if (type === "resync") {
      this.#compareAll = "again";
    } else if (this.#depth(path) > depthMax) {
      return;
    } else if (type === "childrenChanged") {
      this.#dirtyLists.add(path);
      this.#unsureLists.add(path);
    } else if (type === "deleted" && !(path === root && this.#isRecursive !== true)) {
      // Needs no read: whatever is read of it from now on is of a later life. The ancestors' events cover it.
      this.table.remove(path);
      this.#dirtyNodes.delete(path);
    } else {
      this.#dirtyNodes.add(path);
      if (type === "created") this.#unsureLists.add(parentPath(path));
    }
    this.#ask();
  }

  #depth(path: string): number {
    const { root } = this.#options;
    if (path === root) return 0;
    const rest = root === "/" ? path : path.slice(root.length);
    return rest.split("/").length - 1;
  }

  #ask(): void {
    if (this.#running !== undefined || this.#closing.signal.aborted || !this.#isConnected) return;
    this.#running = this.#work().finally(() => {
      this.#running = undefined;
      if (this.#isConnected && this.#hasWork) this.#ask();
    });
  }

  get #hasWork(): boolean {
    return this.#compareAll !== undefined || this.#dirtyNodes.size > 0 || this.#dirtyLists.size > 0;
  }

  /** Works until nothing is left to do or possible. Never rejects. */
  async #work(): Promise<void> {
    const { runtime } = this.#options;
    const { signal } = this.#closing;
    // Whatever led here may be one of several events: let them gather.
    await Promise.resolve();
    do {
      try {
        await this.#pass();
        this.#backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        // What was marked is forgotten by now.
        this.#compareAll ??= "again";
        if (!isRetryable(error, { idempotent: true })) {
          this.#fail(error);
          return;
        }
        await sleep(runtime.clock, this.#backoff.nextMs(), signal).catch(() => {});
        continue;
      }
      this.#show();
    } while (this.#hasWork && this.#isConnected && !signal.aborted);
  }

  #show(): void {
    if (this.#closing.signal.aborted) return;
    const { runtime, showAfterMs, onShow } = this.#options;
    const nowMs = runtime.clock.nowMs();
    const isExact = !this.#hasWork && !this.#gap && this.#isConnected;
    if (isExact) this.#unsureLists.clear();
    // With nothing marked the table is the state at the last answer. Under a steady stream of changes that
    // moment may never come; then it is shown as it is after a while.
    if (!isExact && (this.#gap || nowMs - this.#shownAtMs < showAfterMs)) return;
    this.#shownAtMs = nowMs;
    onShow(isExact);
  }

  async #pass(): Promise<void> {
    if (this.#isRecursive === undefined) await this.#arm();
    if (this.#compareAll !== undefined) {
      const { runtime, resyncJitterMs, root } = this.#options;
      if (this.#compareAll === "again") {
        // Many caches see the same gap end at the same moment.
        await sleep(runtime.clock, runtime.random.float() * resyncJitterMs, this.#closing.signal);
      }
      this.#compareAll = undefined;
      this.#dirtyNodes.clear();
      this.#dirtyLists.clear();
      this.#gap = !this.#isConnected;
      this.#compare(root);
    } else {
      const nodes = [...this.#dirtyNodes];
      const lists = [...this.#dirtyLists];
      this.#dirtyNodes.clear();
      this.#dirtyLists.clear();
      for (const path of nodes) this.#readNode(path);
      for (const path of lists) this.#readList(path);
    }
    await this.#pool.drained();
  }

  async #arm(): Promise<void> {
    const { client, root } = this.#options;
    try {
      const watch = await client.addWatch(root, {
        recursive: true,
        signal: this.#closing.signal,
        timeoutMs: 0,
      });
      this.#watch = watch;
      this.#isRecursive = true;
      watch.onEvent(this.#onWatch);
    } catch (error) {
      if (!isZooKeeperError(error, "UNIMPLEMENTED")) throw error;
      this.#isRecursive = false;
    }
  }

  /** Options of a read that leaves a watch where one-shot watches are used. */
  #reading(): {
    readonly signal: AbortSignal;
    readonly timeoutMs: 0;
    readonly watch?: (event: WatchEvent) => void;
  } {
    const call = { signal: this.#closing.signal, timeoutMs: 0 } as const;
    return this.#isRecursive === true ? call : { ...call, watch: this.#onWatch };
  }

  #readNode(path: string): void {
    const { client, root } = this.#options;
    if (this.table.get(path) === undefined) this.#unsureLists.add(parentPath(path));
    this.#pool.add(() =>
      client.get(path, this.#reading()).then(
        ({ data, stat }) => this.#take(path, data, stat),
        (error: unknown) => {
          this.#orGone(path, error);
          if (path === root && this.#isRecursive !== true) return this.#awaitRoot();
          return undefined;
        },
      ),
    );
  }

  /** A missing root is watched by its absence. */
  async #awaitRoot(): Promise<void> {
    const { client, root } = this.#options;
    if ((await client.exists(root, this.#reading())) !== null) this.#readNode(root);
  }

  #readList(path: string): void {
    const { client } = this.#options;
    this.#unsureLists.add(path);
    this.#pool.add(() =>
      client.children(path, this.#reading()).then(
        ({ children }) => this.#takeList(path, children),
        (error: unknown) => this.#orGone(path, error),
      ),
    );
  }

  /** Compares a znode, and what is known below it, with the server. */
  #compare(path: string): void {
    const { client, depthMax } = this.#options;
    const known = this.table.get(path);
    if (known === undefined) {
      this.#readNode(path);
      return;
    }
    this.#pool.add(() =>
      client.exists(path, { signal: this.#closing.signal, timeoutMs: 0 }).then((stat) => {
        if (stat === null) {
          this.table.remove(path);
          // Where each znode has its watches, a missing root needs one of another kind.
          if (path === this.#options.root) this.#readNode(path);
          return;
        }
        const { czxid, mzxid, pzxid } = known.stat;
        if (stat.czxid !== czxid) {
          // Another life: nothing of the old one below it is there any more.
          this.#readNode(path);
          return;
        }
        if (stat.mzxid !== mzxid) this.#readNode(path);
        if (this.#depth(path) >= depthMax) return;
        for (const name of this.table.names(path)) this.#compare(joinPath(path, name));
        if (stat.pzxid === pzxid && !this.#unsureLists.has(path)) return;
        if (stat.mzxid === mzxid) this.table.set({ ...known, stat });
        this.#readList(path);
      }),
    );
  }

  #take(path: string, data: Buffer, stat: Stat): void {
    const { depthMax, nodesMax, root } = this.#options;
    const before = this.table.get(path);
    const isNew = before?.stat.czxid !== stat.czxid;
    if (isNew && before !== undefined) this.table.removeBelow(path);
    this.table.set({ path, data, stat });
    if (this.table.size > nodesMax) {
      throw new RecipeError(
        "LIMIT",
        `the cache of ${root} would hold more than ${nodesMax} znodes; see nodesMax`,
        {
          context: { path: root },
        },
      );
    }
    const mayHaveChildren = stat.numChildren > 0 || this.#isRecursive !== true;
    if (isNew && mayHaveChildren && this.#depth(path) < depthMax) this.#readList(path);
  }

  #takeList(path: string, children: readonly string[]): void {
    const present = new Set(children);
    const known = this.table.names(path);
    for (const name of [...known]) if (!present.has(name)) this.table.remove(joinPath(path, name));
    for (const name of present) if (!known.has(name)) this.#readNode(joinPath(path, name));
  }

  #orGone(path: string, error: unknown): void {
    if (!isZooKeeperError(error, "NO_NODE")) {
      if (!isZooKeeperError(error, "NO_AUTH")) throw error;
      this.#options.runtime.logger.warn({ path }, "a znode may not be read, and is left out of a cache");
    }
    this.table.remove(path);
  }

  #fail(error: unknown): void {
    if (!this.#closing.signal.aborted) this.#options.onFailure(error);
  }
}

function isReadable(state: ClientState): boolean {
  return state === "connected" || state === "readOnly";
}
