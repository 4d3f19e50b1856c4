// SPDX-License-Identifier: Apache-2.0
// The public client: its session. What it does with znodes is in znode-operations.ts.
import {
  AsyncQueue,
  InvalidArgumentError,
  type Runtime,
  resolveRuntime,
  untilAborted,
  withTimeout,
} from "@meerkat/runtime";
import { Chroot } from "./chroot.ts";
import { HostList, parseConnectString } from "./connection/host-list.ts";
import { ZooKeeperError } from "./errors.ts";
import { type ResolvedClientOptions, resolveClientOptions, type ZooKeeperClientOptions } from "./options.ts";
import { type RetryOptions, retry } from "./retry.ts";
import type { CallOptions } from "./session/request.ts";
import { Session } from "./session/session.ts";
import type { SessionHandle } from "./session/session-handle.ts";
import type { SessionCredentials } from "./session/session-identity.ts";
import type { ClientState } from "./session/state.ts";
import { WatchRegistry } from "./watches/watch-registry.ts";
import { Watcher } from "./watches/watcher.ts";
import { ZnodeOperations } from "./znode-operations.ts";

/** States kept for a slow reader of `states()`. */
const STATES_MAX = 64;
/**
 * A ZooKeeper client with one session at a time. Requests are sent in the order of the calls and answered
 * in that order; a watch's event comes before the answer that shows the new state. Requests made while
 * there is no connection wait. After a lost connection reads are sent again; a write whose reply was lost
 * rejects with `CONNECTION_LOSS`, effect unknown.
 *
 * Every call rejects with `ZooKeeperError` (match its `code`) or `InvalidArgumentError`.
 */
export class ZooKeeperClient extends ZnodeOperations implements AsyncDisposable {
  readonly #options: ResolvedClientOptions;
  readonly #runtime: Runtime;
  readonly #chroot: Chroot;
  readonly #session: Session;
  readonly #registry: WatchRegistry;

  /** Throws `InvalidArgumentError` that names every fault of the options. */
  constructor(options: ZooKeeperClientOptions | string) {
    const resolved = resolveClientOptions(options);
    const { hosts, chroot: root } = parseConnectString(resolved.hosts);
    const runtime = resolveRuntime(resolved.runtime);
    const chroot = new Chroot(root);
    const registry = new WatchRegistry({ chroot, logger: runtime.logger });
    const session = new Session({
      ...resolved,
      runtime,
      hosts: new HostList(hosts, { random: runtime.random, shuffle: resolved.shuffleHosts }),
      chroot,
      watches: registry,
    });
    const watcher = new Watcher({
      session,
      registry,
      logger: runtime.logger,
      eventsMax: resolved.watchEventsMax,
    });
    super({ ...resolved, pipeline: session.pipeline, chroot, runtime, watcher });
    this.#options = resolved;
    this.#runtime = runtime;
    this.#chroot = chroot;
    this.#session = session;
    this.#registry = registry;
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
    return { inFlight: this.#session.pipeline.inFlight, waiting: this.#session.pipeline.waiting };
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

  /** Adds an identity to this and all later connections; resolves when the server has taken it. */
  async addAuth(scheme: string, auth: string | Uint8Array, call: CallOptions = {}): Promise<void> {
    await untilAborted(this.#session.addAuth({ scheme, auth }), call.signal);
  }

  /**
   * Uses other servers from now on; leaves the current one if it is not among them, keeping the session. A
   * chroot in `hosts` must be the one that the client has. Throws `InvalidArgumentError`.
   */
  setHosts(hosts: string): void {
    const parsed = parseConnectString(hosts);
    if (parsed.chroot !== "" && parsed.chroot !== this.#chroot.root) {
      throw new InvalidArgumentError(
        "hosts",
        `the chroot cannot change: it is "${this.#chroot.root}", not "${parsed.chroot}"`,
      );
    }
    this.#session.setHosts(parsed.hosts);
  }

  /** Runs `task` until it succeeds or trying again would not help or not be safe; see `RetryOptions`. */
  retry<T>(task: (attempt: number) => Promise<T>, options?: RetryOptions): Promise<T> {
    return retry(this.#runtime, task, options);
  }

  /**
   * Lets the requests made so far be answered and ends the client, but not the session: another client goes
   * on with it (option `session`) when it connects within the session timeout. The credentials are a
   * secret. Undefined when there is no session that another server knows.
   */
  async handOver(call?: CallOptions): Promise<SessionCredentials | undefined> {
    try {
      return await this.#session.handOver(call);
    } finally {
      this.#registry.clear();
    }
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
