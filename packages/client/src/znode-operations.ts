// SPDX-License-Identifier: Apache-2.0
// Everything a client does with znodes: checks arguments, adds the chroot, and hands requests to the
// pipeline. What concerns the session itself is in client.ts.
import { type InvalidArgumentError, type Runtime, randomUuid } from "@meerkat/runtime";
import { type Acl, type ClientInfo, parentPath, type Stat, WatcherType } from "@meerkat/wire";
import type { Chroot } from "./chroot.ts";
import type { Codec } from "./codec.ts";
import { Deadline } from "./deadline.ts";
import { isZooKeeperError } from "./errors.ts";
import { type AclResult, getAclRequest, setAclRequest, whoAmIRequest } from "./operations/acl.ts";
import { type Data, pathFault, toBytes } from "./operations/arguments.ts";
import type {
  CreateOptions,
  SetOptions,
  VersionedCallOptions,
  WatchableCallOptions,
} from "./operations/call-options.ts";
import {
  type ChildrenResult,
  childrenRequest,
  countDescendantsRequest,
  ephemeralsRequest,
} from "./operations/children.ts";
import {
  type CreateMode,
  type CreateResult,
  checkedTtlMs,
  createRequest,
  isEphemeral,
  isSequential,
} from "./operations/create.ts";
import { deleteRequest } from "./operations/delete.ts";
import { existsRequest, type GetResult, getRequest } from "./operations/get.ts";
import { multiRequest, type TransactionOperation, type TransactionResults } from "./operations/multi.ts";
import { multiReadRequest, type ReadOperation, type ReadResults } from "./operations/multi-read.ts";
import { CONFIG_PATH, type ReconfigChange, reconfigRequest } from "./operations/reconfig.ts";
import { setRequest } from "./operations/set.ts";
import { syncRequest } from "./operations/sync.ts";
import { deleteRecursive, ensurePath, type TreeClient } from "./operations/tree.ts";
import { checkWatchesRequest } from "./operations/watches.ts";
import { createIdempotently, createProtected, deleteIdempotently, setIdempotently } from "./resolve-loss.ts";
import { retry } from "./retry.ts";
import type { CallOptions, WatchListener } from "./session/request.ts";
import type { RequestPipeline } from "./session/request-pipeline.ts";
import { Transaction } from "./transaction.ts";
import { type Change, update } from "./update.ts";
import type { PersistentWatch } from "./watches/persistent-watch.ts";
import { watchStates } from "./watches/state-watch.ts";
import type { WatchedKind, Watcher } from "./watches/watcher.ts";
import { Znode } from "./znode.ts";

/** So often `createParents` makes parents that others delete again. */
const CREATE_PARENTS_ROUNDS_MAX = 5;
/** Tries to delete what an abandoned protected create left. */
const CLEAN_UP_ATTEMPTS_MAX = 20;

/** What znode operations need of their client. */
export interface ZnodeWiring {
  readonly pipeline: RequestPipeline;
  readonly chroot: Chroot;
  readonly runtime: Runtime;
  readonly watcher: Watcher;
  readonly defaultAcl: readonly Acl[];
  readonly requestTimeoutMs: number;
}

/** See the head of this file. All calls reject with `ZooKeeperError` or `InvalidArgumentError`. */
export abstract class ZnodeOperations {
  /** Id of the current session. */
  abstract readonly sessionId: bigint;

  readonly #wiring: ZnodeWiring;
  readonly #pipeline: RequestPipeline;
  readonly #chroot: Chroot;
  /** Operations on the server's own paths, for what must look above the chroot. */
  readonly #tree: TreeClient;

  /** @internal */
  constructor(wiring: ZnodeWiring) {
    this.#wiring = wiring;
    this.#chroot = wiring.chroot;
    const { pipeline } = wiring;
    this.#pipeline = pipeline;
    this.#tree = {
      exists: (path, call) => pipeline.submit(existsRequest(path, undefined), call),
      create: (path, data, call) =>
        pipeline.submit(createRequest(path, data, call.acl, "persistent", 0), call),
      children: (path, call) => pipeline.submit(childrenRequest(path, undefined), call),
      delete: (path, call) => pipeline.submit(deleteRequest(path, -1), call),
    };
  }

  /**
   * Creates a znode. Rejects with `NODE_EXISTS`, `NO_NODE` (no parent), `NO_CHILDREN_FOR_EPHEMERALS`,
   * `INVALID_ACL`, `NO_AUTH`; `CONNECTION_LOSS` leaves open whether it was made, unless `protected` or
   * `idempotent`.
   */
  create(path: string, data?: Data, options: CreateOptions = {}): Promise<CreateResult> {
    const mode = options.mode ?? "persistent";
    const fault = pathFault("create", path, isSequential(mode));
    if (fault !== undefined) return Promise.reject(fault);
    try {
      const ttlMs = checkedTtlMs(mode, options.ttlMs);
      const acl = options.acl ?? this.#wiring.defaultAcl;
      const bytes = toBytes(data);
      if (options.protected || options.idempotent || options.createParents) {
        return this.#createCarefully(path, bytes, { ...options, mode });
      }
      return this.#pipeline.submit(
        createRequest(this.#chroot.outward(path), bytes, acl, mode, ttlMs),
        options,
      );
    } catch (error) {
      return Promise.reject(error as InvalidArgumentError);
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
  set(path: string, data: Data, options?: SetOptions): Promise<Stat> {
    const fault = pathFault("set", path);
    if (fault !== undefined) return Promise.reject(fault);
    try {
      const version = options?.version ?? -1;
      const bytes = toBytes(data);
      const serverPath = this.#chroot.outward(path);
      if (options?.idempotent !== true) {
        return this.#pipeline.submit(setRequest(serverPath, bytes, version), options);
      }
      const set = (call: CallOptions): Promise<Stat> =>
        this.#pipeline.submit(setRequest(serverPath, bytes, version), call);
      return setIdempotently(this, set, { path, data: bytes, version }, this.#deadline(options));
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
  delete(path: string, options?: SetOptions): Promise<void> {
    const fault = pathFault("delete", path);
    if (fault !== undefined) return Promise.reject(fault);
    const remove = (call: CallOptions | undefined): Promise<void> =>
      this.#pipeline.submit(deleteRequest(this.#chroot.outward(path), options?.version ?? -1), call);
    return options?.idempotent === true
      ? deleteIdempotently(remove, this.#deadline(options))
      : remove(options);
  }

  /**
   * Deletes a znode and all below it; done when it is gone, also when it never was. Not atomic. Rejects
   * with `NOT_EMPTY` when others keep adding children.
   */
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
    const { acl = this.#wiring.defaultAcl, ...call } = options;
    await ensurePath(this.#tree, this.#chroot.outward(path), acl, call);
  }

  /**
   * Reads, lets `change` make the new data, and writes it if the znode is still the same; else again.
   * With `create` a missing znode is created (`change` gets null). Resolves with the state written, or the
   * present one when `change` returned undefined. The time limit spans all of it.
   */
  async update(
    path: string,
    change: Change,
    options: { readonly create?: boolean | undefined } & CallOptions = {},
  ): Promise<Stat | null> {
    const deadline = this.#deadline(options);
    return update(this, path, change, {
      create: options.create ?? false,
      runtime: this.#wiring.runtime,
      deadline,
    });
  }

  /** Rejects unless a znode exists (`NO_NODE`) and has the version, if one is given (`BAD_VERSION`). */
  async check(path: string, options: VersionedCallOptions = {}): Promise<void> {
    const { version, ...call } = options;
    await this.multi([{ op: "check", path, version }], call);
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
      const request = multiRequest(operations, this.#chroot, this.#wiring.defaultAcl);
      return this.#pipeline.submit(request, options) as Promise<TransactionResults<T>>;
    } catch (error) {
      return Promise.reject(error as InvalidArgumentError);
    }
  }

  /** A transaction put together step by step; nothing is sent before `commit`. */
  transaction(): Transaction {
    return new Transaction((operations, call) => this.multi(operations, call) as Promise<unknown[]>);
  }

  /** Several reads in one request (ZooKeeper 3.6); each result says whether it succeeded. */
  multiRead<const T extends readonly ReadOperation[]>(
    reads: T,
    options?: CallOptions,
  ): Promise<ReadResults<T>> {
    try {
      return this.#pipeline.submit(multiReadRequest(reads, this.#chroot), options) as Promise<ReadResults<T>>;
    } catch (error) {
      return Promise.reject(error as InvalidArgumentError);
    }
  }

  /** Paths of this session's ephemeral znodes that start with `prefix` (ZooKeeper 3.6). */
  getEphemerals(prefix = "/", options?: CallOptions): Promise<string[]> {
    const fault = pathFault("getEphemerals", prefix);
    if (fault !== undefined) return Promise.reject(fault);
    return this.#pipeline.submit(ephemeralsRequest(this.#chroot.outward(prefix)), options);
  }

  /** Number of all znodes below a path (ZooKeeper 3.6). */
  getAllChildrenNumber(path: string, options?: CallOptions): Promise<number> {
    const fault = pathFault("getAllChildrenNumber", path);
    if (fault !== undefined) return Promise.reject(fault);
    return this.#pipeline.submit(countDescendantsRequest(this.#chroot.outward(path)), options);
  }

  /** The identities that the server holds for this connection (ZooKeeper 3.7). */
  whoAmI(options?: CallOptions): Promise<readonly ClientInfo[]> {
    return this.#pipeline.submit(whoAmIRequest(), options);
  }

  /** The ensemble's configuration: the lines of `/zookeeper/config`, whatever the chroot. */
  getConfig(options?: WatchableCallOptions): Promise<GetResult> {
    return this.#pipeline.submit(getRequest(CONFIG_PATH, options?.watch), options);
  }

  /** Changes the ensemble; resolves with the new configuration. Needs `reconfigEnabled` and its ACL. */
  reconfig(change: ReconfigChange, options?: CallOptions): Promise<GetResult> {
    try {
      return this.#pipeline.submit(reconfigRequest(change), options);
    } catch (error) {
      return Promise.reject(error as InvalidArgumentError);
    }
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
    return this.#wiring.watcher.add(path, this.#chroot.outward(path), options);
  }

  /**
   * Gives up one-shot watches on a path: one listener, or all of the kind. The server forgets its watch
   * once no listener needs it; resolves when it has, at once when it need not. (A persistent watch ends
   * with its own `close`.)
   */
  async removeWatches(
    path: string,
    kind: WatchedKind,
    listener?: WatchListener,
    options?: CallOptions,
  ): Promise<void> {
    const fault = pathFault("removeWatches", path);
    if (fault !== undefined) throw fault;
    await this.#wiring.watcher.remove(this.#chroot.outward(path), kind, listener, options);
  }

  /** Whether the server holds a watch of this session on a path. */
  checkWatches(path: string, kind: WatchedKind, options?: CallOptions): Promise<boolean> {
    const fault = pathFault("checkWatches", path);
    if (fault !== undefined) return Promise.reject(fault);
    return this.#pipeline.submit(checkWatchesRequest(this.#chroot.outward(path), WatcherType[kind]), options);
  }

  /**
   * The present state of a znode and all later ones; null while there is none. A slow reader gets the
   * latest. Goes on over reconnects and new sessions until `return`, the signal, or an error for good.
   */
  watchNode(
    path: string,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncIterableIterator<GetResult | null> {
    return watchStates<GetResult | null>({
      runtime: this.#wiring.runtime,
      signal: options.signal,
      read: (watch, call) => this.#readOrAbsent(path, watch, call, () => this.get(path, { ...call, watch })),
      release: (watch) => this.removeWatches(path, "data", watch),
    });
  }

  /** The children of a znode, now and after every change; null while there is no znode. See `watchNode`. */
  watchChildren(
    path: string,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncIterableIterator<ChildrenResult | null> {
    return watchStates<ChildrenResult | null>({
      runtime: this.#wiring.runtime,
      signal: options.signal,
      read: (watch, call) =>
        this.#readOrAbsent(path, watch, call, () => this.children(path, { ...call, watch })),
      release: async (watch) => {
        await this.removeWatches(path, "children", watch);
        await this.removeWatches(path, "data", watch);
      },
    });
  }

  /** A znode whose data is a value: `client.znode("/config", json<Config>())`. */
  znode<T>(path: string, codec: Codec<T>): Znode<T> {
    const fault = pathFault("znode", path);
    if (fault !== undefined) throw fault;
    return new Znode(this, path, codec);
  }

  /** Reads with a watch; where there is no znode, leaves one that sees it come, and gives null. */
  async #readOrAbsent<T>(
    path: string,
    watch: WatchListener,
    call: CallOptions,
    read: () => Promise<T>,
  ): Promise<T | null> {
    for (;;) {
      try {
        return await read();
      } catch (error) {
        if (!isZooKeeperError(error, "NO_NODE")) throw error;
      }
      // It may have come in between; then its watch is a data watch, and the next read finds it.
      if ((await this.exists(path, { ...call, watch })) === null) return null;
    }
  }

  #deadline(call: CallOptions): Deadline {
    const { runtime, requestTimeoutMs } = this.#wiring;
    return new Deadline(runtime.clock, call.timeoutMs ?? requestTimeoutMs, call.signal);
  }

  /** Creates with parents, protection or resolution of lost replies; one time limit over all. */
  async #createCarefully(
    path: string,
    data: Uint8Array | null,
    options: CreateOptions & { readonly mode: CreateMode },
  ): Promise<CreateResult> {
    const { mode } = options;
    const { runtime, defaultAcl } = this.#wiring;
    const deadline = this.#deadline(options);
    const acl = options.acl ?? defaultAcl;
    const plain = (at: string, call: CallOptions): Promise<CreateResult> =>
      this.#pipeline.submit(
        createRequest(this.#chroot.outward(at), data, acl, mode, options.ttlMs ?? 0),
        call,
      );
    const create = options.createParents
      ? (at: string, call: CallOptions) => this.#createWithParents(at, () => plain(at, call), deadline)
      : plain;
    const ephemeral = isEphemeral(mode);
    if (options.protected) {
      const request = { path, id: randomUuid(runtime.random), ephemeral, create };
      return createProtected(this, request, deadline, (task) => this.#cleanUp(path, task));
    }
    // The name of a sequential znode is not known before the reply, so without an id there is no looking.
    if (!options.idempotent || isSequential(mode)) return create(path, deadline.call());
    return createIdempotently(this, (call) => create(path, call), { path, data, ephemeral }, deadline);
  }

  /** Makes the parents when they are missing; again when one vanishes in between (an empty container may). */
  async #createWithParents(
    path: string,
    create: () => Promise<CreateResult>,
    deadline: Deadline,
  ): Promise<CreateResult> {
    for (let round = 1; ; round++) {
      try {
        return await create();
      } catch (error) {
        if (!isZooKeeperError(error, "NO_NODE") || round > CREATE_PARENTS_ROUNDS_MAX) throw error;
        await this.ensurePath(parentPath(path), deadline.call());
      }
    }
  }

  /** Deletes in the background what a create that was given up may have left; ends with the client. */
  #cleanUp(path: string, task: () => Promise<void>): void {
    const { runtime } = this.#wiring;
    void retry(runtime, task, { attemptsMax: CLEAN_UP_ATTEMPTS_MAX, idempotent: true }).catch(
      (error: unknown) => {
        runtime.logger.warn(
          { error, path },
          "what an abandoned protected create may have left was not deleted",
        );
      },
    );
  }
}
