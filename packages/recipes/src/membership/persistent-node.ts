// SPDX-License-Identifier: Apache-2.0
// One znode as a desired state: "it exists, it is mine, and it says this". A single reconciler, one pass at
// a time, compares that with what the server has and acts on the difference. A reconnect, a new session, a
// deletion or new data only ask for a pass. A healthy znode is never deleted and made again.
import { type ClientState, isZooKeeperError, type WatchEvent, type ZooKeeperClient } from "@meerkat/client";
import {
  Backoff,
  type Deferred,
  deferred,
  Emitter,
  errorFrom,
  type Runtime,
  resolveRuntime,
  sleep,
  untilAborted,
} from "@meerkat/runtime";
import { waitForClosing } from "../bounded-wait.ts";
import { RecipeError } from "../recipe-error.ts";
import { deleteSurely } from "../removal.ts";
import { orAbsent } from "../reread.ts";
import { type WaitOptions, WaitScope } from "../wait-scope.ts";

/**
 * - `starting`: not there yet.
 * - `up`: there, as far as this client knows.
 * - `suspended`: it was there, but the connection or the znode is gone; it is being brought back.
 * - `blocked`: another session has an ephemeral of this name; ours follows when that one goes.
 * - `closed`: given up. The last state.
 */
export type PersistentNodeState = "starting" | "up" | "suspended" | "blocked" | "closed";

/** Options of a persistent node. */
export interface PersistentNodeOptions {
  /** Data to begin with; default none. */
  readonly data?: Uint8Array | string | undefined;
  /** `ephemeral` (the default) goes with the process; `persistent` stays when the process dies. */
  readonly mode?: "ephemeral" | "persistent" | undefined;
  readonly runtime?: Partial<Runtime> | undefined;
}

const RETRY_PAUSE = { initialMs: 50, maxMs: 5_000 } as const;
/** Pause before making a znode again that someone deleted: two who fight over it must not spin. */
const RECREATE_PAUSE = { initialMs: 20, maxMs: 5_000 } as const;
/** Time in peace after which the next deletion is taken for the first one again. */
const PEACE_MS = 10_000;

/** Failures that a repetition does not cure. */
const HOPELESS_CODES = new Set([
  "NO_AUTH",
  "INVALID_ACL",
  "AUTH_FAILED",
  "BAD_ARGUMENTS",
  "NO_CHILDREN_FOR_EPHEMERALS",
  "CLOSED",
]);

/**
 * A znode that is kept there: made again after a new session or a deletion by others, its data restored
 * when others overwrite them, until `close` deletes it. The model is Curator's PersistentNode. An ephemeral
 * that another session has under this name is respected: see `blocked`.
 */
export class PersistentNode implements AsyncDisposable {
  readonly path: string;
  readonly #client: ZooKeeperClient;
  readonly #runtime: Runtime;
  readonly #mode: "ephemeral" | "persistent";
  readonly #emitter: Emitter<PersistentNodeState>;
  readonly #closing = new AbortController();
  readonly #retryPause: Backoff;
  readonly #recreatePause: Backoff;
  readonly #unsubscribe: () => void;
  readonly #onWatch = (event: WatchEvent): void => this.#onZnode(event);
  /** Sessions that this object has made the znode in. */
  readonly #sessions = new Set<bigint>();
  readonly #waiting: { readonly revision: number; readonly done: Deferred<void> }[] = [];
  #state: PersistentNodeState = "starting";
  #data: Uint8Array;
  /** Counts what is wanted (`revision`) and says what the server has (`written`). */
  #revision = 1;
  #written = 0;
  #mzxid: bigint | undefined;
  #upSinceMs = 0;
  #wanted = false;
  #passes: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  /** Starts at once; `ready` waits for it. The client stays the caller's. */
  constructor(client: ZooKeeperClient, path: string, options: PersistentNodeOptions = {}) {
    this.#client = client;
    this.path = path;
    this.#runtime = resolveRuntime(options.runtime);
    this.#mode = options.mode ?? "ephemeral";
    this.#data = Buffer.from(options.data ?? "");
    const { logger, random } = this.#runtime;
    this.#emitter = new Emitter((error) => logger.error({ error }, "a listener of a persistent node threw"));
    this.#retryPause = new Backoff(RETRY_PAUSE, random);
    this.#recreatePause = new Backoff(RECREATE_PAUSE, random);
    this.#unsubscribe = client.onState((state) => this.#onClientState(state));
    this.#ask();
  }

  get state(): PersistentNodeState {
    return this.#state;
  }

  /** Adds a listener of states; the returned function removes it. */
  onState(listener: (state: PersistentNodeState) => void): () => void {
    return this.#emitter.on(listener);
  }

  /**
   * Resolves when the server has the znode with the data now wanted. Rejects with `TIMEOUT`, `ABORTED`,
   * `CLOSED`, or with what the server refuses it with for good.
   */
  ready(options: WaitOptions = {}): Promise<void> {
    return this.#untilWritten(this.#revision, options);
  }

  /** Changes the data, in the same znode. Resolves as `ready`; after a timeout it is still brought about. */
  async setData(data: Uint8Array | string, options: WaitOptions = {}): Promise<void> {
    if (this.#closed !== undefined) throw this.#closedError();
    this.#data = Buffer.from(data as Uint8Array);
    this.#revision++;
    this.#ask();
    await this.#untilWritten(this.#revision, options);
  }

  /**
   * Deletes the znode, also when this races a reconnect. Resolves when it is gone, at the latest after 5 s:
   * while the server is away the deletion goes on until the client is closed. Idempotent.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #untilWritten(revision: number, options: WaitOptions): Promise<void> {
    if (this.#closed !== undefined) throw this.#closedError();
    if (this.#state === "up" && this.#written >= revision) return;
    const done = deferred<void>();
    const entry = { revision, done };
    const scope = new WaitScope(
      this.#runtime.clock,
      options,
      `waiting for ${this.path} to be there`,
      this.path,
    );
    this.#waiting.push(entry);
    try {
      await untilAborted(done.promise, scope.signal);
    } finally {
      scope.end();
      const index = this.#waiting.indexOf(entry);
      if (index >= 0) this.#waiting.splice(index, 1);
    }
  }

  #setState(state: PersistentNodeState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#emitter.emit(state);
  }

  #onClientState(state: ClientState): void {
    if (state === "connected") this.#ask();
    else if (this.#state === "up" || this.#state === "blocked") this.#setState("suspended");
  }

  #onZnode(event: WatchEvent): void {
    if (event.type === "deleted" && this.#state === "up") this.#setState("suspended");
    this.#ask();
  }

  #ask(): void {
    if (this.#closing.signal.aborted) return;
    this.#wanted = true;
    this.#passes ??= this.#work().finally(() => {
      this.#passes = undefined;
      // The client may have connected after the last look at its state.
      if (this.#wanted && this.#client.state === "connected") this.#ask();
    });
  }

  /** Runs passes for as long as they are wanted and possible. Never rejects. */
  async #work(): Promise<void> {
    const { signal } = this.#closing;
    while (this.#wanted && !signal.aborted && this.#client.state === "connected") {
      this.#wanted = false;
      try {
        await this.#reconcile(signal);
        this.#retryPause.reset();
      } catch (error) {
        if (signal.aborted) return;
        this.#wanted = true;
        this.#report(error);
        await sleep(this.#runtime.clock, this.#retryPause.nextMs(), signal).catch(() => {});
      }
    }
  }

  #report(error: unknown): void {
    this.#runtime.logger.warn({ error, path: this.path }, "keeping a znode failed; trying again");
    if (!isZooKeeperError(error) || !HOPELESS_CODES.has(error.code)) return;
    for (const { done } of this.#waiting.splice(0)) done.reject(errorFrom(error));
  }

  async #reconcile(signal: AbortSignal): Promise<void> {
    const client = this.#client;
    const stat = await client.exists(this.path, { watch: this.#onWatch, signal });
    if (stat === null) {
      await this.#create(signal);
      return;
    }
    if (this.#mode === "ephemeral" && stat.ephemeralOwner !== client.sessionId) {
      if (!this.#sessions.has(stat.ephemeralOwner)) {
        this.#setState("blocked");
        return;
      }
      // That of an earlier session of ours, which is yet to expire: it would take the name along.
      await orAbsent(client.delete(this.path, { version: stat.version, signal }));
      this.#wanted = true;
      return;
    }
    if (this.#written !== this.#revision || stat.mzxid !== this.#mzxid) await this.#write(signal);
    if (client.state !== "connected") return;
    this.#upSinceMs = this.#runtime.clock.nowMs();
    this.#setState("up");
    for (let index = this.#waiting.length - 1; index >= 0; index--) {
      const entry = this.#waiting[index];
      if (entry !== undefined && entry.revision <= this.#written) {
        this.#waiting.splice(index, 1);
        entry.done.resolve();
      }
    }
  }

  async #create(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#runtime;
    const { sessionId } = this.#client;
    if (this.#mzxid !== undefined && this.#sessions.has(sessionId)) {
      if (clock.nowMs() - this.#upSinceMs > PEACE_MS) this.#recreatePause.reset();
      logger.info({ path: this.path }, "a znode that is to be kept was deleted; making it again");
      await sleep(clock, this.#recreatePause.nextMs(), signal);
    }
    this.#sessions.add(sessionId);
    const revision = this.#revision;
    // The next pass looks whose it is and arms the watch, also when another was quicker.
    this.#wanted = true;
    try {
      const { stat } = await this.#client.create(this.path, this.#data, {
        mode: this.#mode,
        createParents: true,
        signal,
      });
      this.#sessions.add(stat.ephemeralOwner);
      this.#mzxid = stat.mzxid;
      this.#written = revision;
    } catch (error) {
      if (!isZooKeeperError(error, "NODE_EXISTS")) throw error;
    }
  }

  async #write(signal: AbortSignal): Promise<void> {
    const revision = this.#revision;
    const stat = await orAbsent(this.#client.set(this.path, this.#data, { signal }));
    if (stat === undefined) {
      this.#wanted = true;
      return;
    }
    this.#mzxid = stat.mzxid;
    this.#written = revision;
    if (this.#written !== this.#revision) this.#wanted = true;
  }

  async #close(): Promise<void> {
    this.#unsubscribe();
    this.#closing.abort(this.#closedError());
    for (const { done } of this.#waiting.splice(0)) done.reject(this.#closedError());
    await waitForClosing(this.#runtime.clock, this.#remove());
    this.#setState("closed");
    this.#emitter.clear();
  }

  /** Deletes what is ours. Never rejects. */
  async #remove(): Promise<void> {
    const client = this.#client;
    // The pass that runs ends at its next request: only then is it known what there is to delete.
    await this.#passes;
    await client.removeWatches(this.path, "data", this.#onWatch, { timeoutMs: 1_000 }).catch(() => {});
    await deleteSurely(client, this.#runtime, async () => {
      const stat = await client.exists(this.path, { timeoutMs: 0 });
      if (stat === null) return [];
      const ours =
        this.#mode === "persistent"
          ? this.#written > 0
          : this.#sessions.has(stat.ephemeralOwner) && stat.ephemeralOwner !== 0n;
      return ours ? [this.path] : [];
    });
  }

  #closedError(): RecipeError {
    return new RecipeError("CLOSED", `${this.path} is no longer kept`, { context: { path: this.path } });
  }
}
