// SPDX-License-Identifier: Apache-2.0
// The public client: checks arguments, adds the chroot, and hands requests to the session.
import {
  AsyncQueue,
  type InvalidArgumentError,
  type Runtime,
  resolveRuntime,
  untilAborted,
  withTimeout,
} from "@meerkat/runtime";
import { type Acl, parentPath, type Stat } from "@meerkat/wire";
import { Chroot } from "./chroot.ts";
import { HostList, parseConnectString } from "./connection/host-list.ts";
import { isZooKeeperError, ZooKeeperError } from "./errors.ts";
import { type AclResult, getAclRequest, setAclRequest } from "./operations/acl.ts";
import { type Data, pathFault, toBytes } from "./operations/arguments.ts";
import { type ChildrenResult, childrenRequest } from "./operations/children.ts";
import {
  type CreateMode,
  type CreateResult,
  checkedTtlMs,
  createRequest,
  isSequential,
} from "./operations/create.ts";
import { deleteRequest } from "./operations/delete.ts";
import { existsRequest, type GetResult, getRequest } from "./operations/get.ts";
import { multiRequest, type TransactionOperation, type TransactionResults } from "./operations/multi.ts";
import { setRequest } from "./operations/set.ts";
import { syncRequest } from "./operations/sync.ts";
import { deleteRecursive, ensurePath, type TreeClient } from "./operations/tree.ts";
import { type ResolvedClientOptions, resolveClientOptions, type ZooKeeperClientOptions } from "./options.ts";
import type { AuthInfo } from "./session/auth-list.ts";
import type { CallOptions, WatchListener } from "./session/request.ts";
import type { RequestPipeline } from "./session/request-pipeline.ts";
import { Session } from "./session/session.ts";
import type { SessionHandle } from "./session/session-handle.ts";
import type { ClientState } from "./session/state.ts";
import { Transaction } from "./transaction.ts";
import type { PersistentWatch } from "./watches/persistent-watch.ts";
import { WatchRegistry } from "./watches/watch-registry.ts";
import { Watcher } from "./watches/watcher.ts";

/** States kept for a slow reader of `states()`. */
const STATES_MAX = 64;
/** So often `createParents` makes parents that others delete again. */
const CREATE_PARENTS_ROUNDS_MAX = 5;

/** Options of calls that may leave a one-shot watch. */
export interface WatchableCallOptions extends CallOptions {
  /**
   * Called once, at the next change of what the call looked at; it stays armed over reconnects and new
   * sessions. The same function given twice for one path is called once.
   */
  readonly watch?: WatchListener | undefined;
}

/** Options of `create`. */
export interface CreateOptions extends CallOptions {
  /** Default persistent. */
  readonly mode?: CreateMode | undefined;
  /** Default: `defaultAcl` of the client. */
  readonly acl?: readonly Acl[] | undefined;
  /** Life of a TTL znode without changes, in milliseconds. */
  readonly ttlMs?: number | undefined;
  /** Create missing ancestors as persistent znodes. Default false. */
  readonly createParents?: boolean | undefined;
}

/** Options of calls that compare a version. */
export interface VersionedCallOptions extends CallOptions {
  /** Do it only at this version; left out or -1 for any. */
  readonly version?: number | undefined;
}

/**
 * A ZooKeeper client with one session at a time. Requests are sent in the order of the calls and answered
 * in that order; a watch's event comes before the answer that shows the new state. Requests made while
 * there is no connection wait. After a lost connection reads are sent again; a write whose reply was lost
 * rejects with `CONNECTION_LOSS`, effect unknown.
 *
 * Every call rejects with `ZooKeeperError` (match its `code`) or `InvalidArgumentError`.
 */
export class ZooKeeperClient implements AsyncDisposable {
  readonly #options: ResolvedClientOptions;
  readonly #runtime: Runtime;
  readonly #chroot: Chroot;
  readonly #session: Session;
  readonly #pipeline: RequestPipeline;
  readonly #registry: WatchRegistry;
  readonly #watcher: Watcher;
  /** Operations on the server's own paths, for what must look above the chroot. */
  readonly #tree: TreeClient;

  /** Throws `InvalidArgumentError` that names every fault of the options. */
  constructor(options: ZooKeeperClientOptions | string) {
    const resolved = resolveClientOptions(options);
    const { hosts, chroot } = parseConnectString(resolved.hosts);
    const runtime = resolveRuntime(resolved.runtime);
    this.#options = resolved;
    this.#runtime = runtime;
    this.#chroot = new Chroot(chroot);
    this.#registry = new WatchRegistry({ chroot: this.#chroot, logger: runtime.logger });
    this.#session = new Session({
      ...resolved,
      runtime,
      hosts: new HostList(hosts, { random: runtime.random, shuffle: resolved.shuffleHosts }),
      chroot: this.#chroot,
      watches: this.#registry,
      credentials: resolved.session,
    });
    const pipeline = this.#session.pipeline;
    this.#pipeline = pipeline;
    this.#watcher = new Watcher({
      session: this.#session,
      registry: this.#registry,
      logger: runtime.logger,
      eventsMax: resolved.watchEventsMax,
    });
    this.#tree = {
      exists: (path, call) => pipeline.submit(existsRequest(path, undefined), call),
      create: (path, data, call) =>
        pipeline.submit(createRequest(path, data, call.acl, "persistent", 0), call),
      children: (path, call) => pipeline.submit(childrenRequest(path, undefined), call),
      delete: (path, call) => pipeline.submit(deleteRequest(path, -1), call),
    };
  }

  /** Makes a client and waits for its session; see `connect`. A client that fails to connect is destroyed. */
  static async connect(
    options: ZooKeeperClientOptions | string,
    call?: CallOptions,
  ): Promise<ZooKeeperClient> {
    const client = new ZooKeeperClient(options);
    try {
      await client.connect(call);
    } catch (error) {
      client.destroy();
      throw error;
    }
    return client;
  }

  /**
   * Starts connecting and resolves with the first session; from `expired` it asks for a new one. Rejects
   * with `TIMEOUT` (default: the request timeout), which says what each server answered; the client then
   * goes on trying until it is closed.
   */
  async connect(call: CallOptions = {}): Promise<void> {
    this.#session.start();
    const ready = this.#session.ready();
    const timeoutMs = call.timeoutMs ?? this.#options.requestTimeoutMs;
    const aborted = (): ZooKeeperError =>
      new ZooKeeperError("ABORTED", "connect was aborted (ABORTED)", { cause: call.signal?.reason });
    if (call.signal?.aborted) throw aborted();
    try {
      if (timeoutMs <= 0) return await untilAborted(ready, call.signal);
      return await withTimeout(
        this.#runtime.clock,
        {
          timeoutMs,
          signal: call.signal,
          timeoutError: () =>
            new ZooKeeperError("TIMEOUT", `no session within ${timeoutMs} ms: ${this.explain()} (TIMEOUT)`),
        },
        () => ready,
      );
    } catch (error) {
      if (call.signal?.aborted && error === call.signal.reason) throw aborted();
      throw error;
    }
  }

  /** Where the client stands; see `ClientState`. */
  get state(): ClientState {
    return this.#session.state;
  }

  /** Id of the current (or last) session; 0n before the first. */
  get sessionId(): bigint {
    return this.#session.handle.id;
  }

  /** The session timeout that the server granted; before that, the one to be asked for. */
  get sessionTimeoutMs(): number {
    return this.#session.timeoutMs;
  }

  /** The current session; while there is none, the last one, which is lost. */
  get session(): SessionHandle {
    return this.#session.handle;
  }

  /** The server in use as `host:port`, or undefined. */
  get server(): string | undefined {
    return this.#session.server;
  }

  /** The last transaction seen: no server that is behind it will be used. */
  get lastZxid(): bigint {
    return this.#session.lastZxid;
  }

  /** Requests sent and not answered, and requests waiting. */
  get pending(): { readonly inFlight: number; readonly waiting: number } {
    return { inFlight: this.#pipeline.inFlight, waiting: this.#pipeline.waiting };
  }

  /** In words: what the client is connected to, or what each server answered last. */
  explain(): string {
    return this.#session.state === "connected" || this.#session.state === "readOnly"
      ? `connected to ${this.server}`
      : `${this.#session.state}: ${this.#session.explain()}`;
  }

  /** Calls `listener` at every change of state; the returned function stops it. */
  onState(listener: (state: ClientState) => void): () => void {
    return this.#session.states.on(listener);
  }

  /** The present state and then every change, to the end of the client. A slow reader misses the oldest. */
  states(call: { readonly signal?: AbortSignal | undefined } = {}): AsyncIterableIterator<ClientState> {
    const queue = new AsyncQueue<ClientState>({
      capacity: STATES_MAX,
      merge: (_waiting, pushed) => pushed,
      onReturn: () => {
        stop();
        call.signal?.removeEventListener("abort", onAbort);
      },
    });
    const onAbort = (): void => queue.end();
    const stop = this.onState((state) => {
      queue.push(state);
      if (state === "closed") queue.end();
    });
    call.signal?.addEventListener("abort", onAbort, { once: true });
    queue.push(this.state);
    if (this.state === "closed" || call.signal?.aborted) queue.end();
    return queue;
  }

  /**
   * Creates a znode. Rejects with `NODE_EXISTS`, `NO_NODE` (no parent), `NO_CHILDREN_FOR_EPHEMERALS`,
   * `INVALID_ACL`, `NO_AUTH`; `CONNECTION_LOSS` leaves open whether it was made.
   */
  create(path: string, data?: Data, options: CreateOptions = {}): Promise<CreateResult> {
    const mode = options.mode ?? "persistent";
    const fault = pathFault("create", path, isSequential(mode));
    if (fault !== undefined) return Promise.reject(fault);
    try {
      const ttlMs = checkedTtlMs(mode, options.ttlMs);
      const request = createRequest(
        this.#chroot.outward(path),
        toBytes(data),
        options.acl ?? this.#options.defaultAcl,
        mode,
        ttlMs,
      );
      const created = this.#pipeline.submit(request, options);
      if (options.createParents !== true) return created;
      return created.catch((error: unknown) => {
        if (!isZooKeeperError(error, "NO_NODE")) throw error;
        return this.#createWithParents(path, data, options);
      });
    } catch (error) {
      return Promise.reject(error as InvalidArgumentError);
    }
  }

  /** Makes the parents, then the znode; again when a parent vanishes in between (an empty container may). */
  async #createWithParents(
    path: string,
    data: Data | undefined,
    options: CreateOptions,
  ): Promise<CreateResult> {
    const { signal, timeoutMs } = options;
    for (let round = 1; ; round++) {
      await this.ensurePath(parentPath(path), { signal, timeoutMs });
      try {
        return await this.create(path, data, { ...options, createParents: false });
      } catch (error) {
        if (!isZooKeeperError(error, "NO_NODE") || round === CREATE_PARENTS_ROUNDS_MAX) throw error;
      }
    }
  }

  /** Reads a znode. The data is a copy owned by the caller. Rejects with `NO_NODE`, `NO_AUTH`. */
  get(path: string, options?: WatchableCallOptions): Promise<GetResult> {
    const fault = pathFault("get", path);
    if (fault !== undefined) return Promise.reject(fault);
    return this.#pipeline.submit(getRequest(this.#chroot.outward(path), options?.watch), options);
  }

  /**
   * Replaces the data of a znode. The bytes are not copied before they are sent: leave them alone until
   * the promise settles. Rejects with `NO_NODE`, `BAD_VERSION`, `NO_AUTH`.
   */
  set(path: string, data: Data, options?: VersionedCallOptions): Promise<Stat> {
    const fault = pathFault("set", path);
    if (fault !== undefined) return Promise.reject(fault);
    try {
      const request = setRequest(this.#chroot.outward(path), toBytes(data), options?.version ?? -1);
      return this.#pipeline.submit(request, options);
    } catch (error) {
      return Promise.reject(error as InvalidArgumentError);
    }
  }

  /** The state of a znode, or null when there is none. A watch also sees the znode come. */
  exists(path: string, options?: WatchableCallOptions): Promise<Stat | null> {
    const fault = pathFault("exists", path);
    if (fault !== undefined) return Promise.reject(fault);
    return this.#pipeline.submit(existsRequest(this.#chroot.outward(path), options?.watch), options);
  }

  /** The names of a znode's children, in no particular order, and its state. Rejects with `NO_NODE`. */
  children(path: string, options?: WatchableCallOptions): Promise<ChildrenResult> {
    const fault = pathFault("children", path);
    if (fault !== undefined) return Promise.reject(fault);
    return this.#pipeline.submit(childrenRequest(this.#chroot.outward(path), options?.watch), options);
  }

  /** Deletes a znode. Rejects with `NO_NODE`, `NOT_EMPTY`, `BAD_VERSION`, `NO_AUTH`. */
  delete(path: string, options?: VersionedCallOptions): Promise<void> {
    const fault = pathFault("delete", path);
    if (fault !== undefined) return Promise.reject(fault);
    return this.#pipeline.submit(deleteRequest(this.#chroot.outward(path), options?.version ?? -1), options);
  }

  /** Deletes a znode and all below it; see `deleteRecursive` in operations/tree. Not atomic. */
  async deleteRecursive(path: string, options: CallOptions = {}): Promise<void> {
    const fault = pathFault("deleteRecursive", path);
    if (fault !== undefined) throw fault;
    await deleteRecursive(this.#tree, this.#chroot.outward(path), options);
  }

  /** Creates a path with all its missing ancestors (the chroot's too) as persistent znodes. Not atomic. */
  async ensurePath(
    path: string,
    options: { readonly acl?: readonly Acl[] | undefined } & CallOptions = {},
  ): Promise<void> {
    const fault = pathFault("ensurePath", path);
    if (fault !== undefined) throw fault;
    const { acl = this.#options.defaultAcl, ...call } = options;
    await ensurePath(this.#tree, this.#chroot.outward(path), acl, call);
  }

  /**
   * Waits until the server in use has caught up with the leader: a read sent after this call sees every
   * change that was acknowledged before it.
   */
  sync(path = "/", options?: CallOptions): Promise<void> {
    const fault = pathFault("sync", path);
    if (fault !== undefined) return Promise.reject(fault);
    return this.#pipeline.submit(syncRequest(this.#chroot.outward(path)), options);
  }

  /** The ACL of a znode, and its state. */
  getAcl(path: string, options?: CallOptions): Promise<AclResult> {
    const fault = pathFault("getAcl", path);
    if (fault !== undefined) return Promise.reject(fault);
    return this.#pipeline.submit(getAclRequest(this.#chroot.outward(path)), options);
  }

  /** Replaces the ACL of a znode; `version` is compared with the state's `aversion`. */
  setAcl(path: string, acl: readonly Acl[], options?: VersionedCallOptions): Promise<Stat> {
    const fault = pathFault("setAcl", path);
    if (fault !== undefined) return Promise.reject(fault);
    const request = setAclRequest(this.#chroot.outward(path), acl, options?.version ?? -1);
    return this.#pipeline.submit(request, options);
  }

  /**
   * Applies all operations or none, as one step. Results come in the same order. Rejects with the error of
   * the operation that failed; its `context` has `index` and `results`.
   */
  multi<const T extends readonly TransactionOperation[]>(
    operations: T,
    options?: CallOptions,
  ): Promise<TransactionResults<T>> {
    try {
      const request = multiRequest(operations, this.#chroot, this.#options.defaultAcl);
      return this.#pipeline.submit(request, options) as Promise<TransactionResults<T>>;
    } catch (error) {
      return Promise.reject(error as InvalidArgumentError);
    }
  }

  /** A transaction put together step by step; nothing is sent before `commit`. */
  transaction(): Transaction {
    return new Transaction((operations, call) => this.multi(operations, call) as Promise<unknown[]>);
  }

  /**
   * Arms a watch that stays: on a path (`created`, `deleted`, `dataChanged`, `childrenChanged`), or with
   * `recursive` on it and all below (without `childrenChanged`). It costs the server one entry whatever the
   * size of the subtree. Needs ZooKeeper 3.6 (else `UNIMPLEMENTED`). The signal ends call and watch.
   */
  addWatch(
    path: string,
    options: { readonly recursive?: boolean | undefined } & CallOptions = {},
  ): Promise<PersistentWatch> {
    const fault = pathFault("addWatch", path);
    if (fault !== undefined) return Promise.reject(fault);
    return this.#watcher.add(path, this.#chroot.outward(path), options);
  }

  /**
   * Gives up one-shot watches on a path: one listener, or all of the kind. The server forgets its watch
   * once no listener needs it; resolves when it has, at once when it need not.
   */
  async removeWatch(
    path: string,
    kind: "data" | "children",
    listener?: WatchListener,
    options?: CallOptions,
  ): Promise<void> {
    const fault = pathFault("removeWatch", path);
    if (fault !== undefined) throw fault;
    await this.#watcher.remove(
      this.#chroot.outward(path),
      kind === "data" ? "data" : "child",
      listener,
      options,
    );
  }

  /** Adds an identity to this and all later connections; resolves when the server has taken it. */
  async addAuth(scheme: string, auth: string | Uint8Array, call: CallOptions = {}): Promise<void> {
    const info: AuthInfo = { scheme, auth };
    await untilAborted(this.#session.addAuth(info), call.signal);
  }

  /**
   * Lets the requests made so far be answered, closes the session (its ephemeral znodes go) and ends the
   * client. Later calls reject with `CLOSED`. Never rejects: a session that cannot be closed expires.
   */
  async close(call?: CallOptions): Promise<void> {
    await this.#session.close(call);
    this.#registry.clear();
  }

  /** Drops the connection and ends the client; the session and its ephemeral znodes stay until they expire. */
  destroy(): void {
    this.#session.destroy();
    this.#registry.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
