// SPDX-License-Identifier: Apache-2.0
// One instance as a desired state: "this znode exists, is mine and says this". A single reconciler, one
// pass at a time, compares that with what ZooKeeper has and acts on the difference; everything else (a
// reconnect, a new session, a deletion, an update) only asks for a pass. Ownership is decided by the
// znode's ephemeralOwner against the session, never by its mere existence, and a healthy znode is never
// deleted and made again.
import { type ClientState, isZooKeeperError, joinPath, type Stat, type WatchEvent } from "@meerkat/client";
import { Backoff, type Deferred, deferred, Emitter, sleep, withTimeout } from "@meerkat/runtime";
import { GovernanceError, isGovernanceError } from "../errors.ts";
import { type InstanceFields, instanceIdentity } from "./instance.ts";
import type { EncodeContext, EncodedInstance } from "./instance-codec.ts";
import { makeRoot } from "./member-root.ts";
import type { ScannedMember } from "./member-scan.ts";
import { takeName } from "./named-member.ts";
import type { RegisterOptions, RegistrarShared } from "./registrar.ts";
import { isHopeless, Withdrawal } from "./withdrawal.ts";

/**
 * - `starting`: not registered yet.
 * - `up`: registered, as far as this client knows.
 * - `suspended`: it was up, but the connection is gone or its znode is; it is being brought back.
 * - `draining`: being withdrawn.
 * - `gone`: withdrawn. The last state.
 */
export type RegistrationState = "starting" | "up" | "suspended" | "draining" | "gone";

/** Pause after a failed pass. */
const RETRY_PAUSE = { initialMs: 50, maxMs: 5_000 } as const;
/** Pause before making the znode again that someone deleted: two who fight over it must not spin. */
const RECREATE_PAUSE = { initialMs: 50, maxMs: 5_000 } as const;
/** Time in peace after which the next deletion is taken for the first one again. */
const PEACE_MS = 10_000;

/** A registered instance. Made by `Registrar.register`. */
export class Registration implements AsyncDisposable {
  readonly #shared: RegistrarShared;
  readonly #context: EncodeContext;
  readonly #identity: string;
  readonly #onGone: () => void;
  readonly #emitter: Emitter<RegistrationState>;
  readonly #closing = new AbortController();
  readonly #retryPause: Backoff;
  readonly #recreatePause: Backoff;
  readonly #unsubscribe: () => void;
  readonly #onWatch = (event: WatchEvent): void => this.#onZnode(event);
  /** Paths under earlier sessions of ours that may still be listed. */
  readonly #stale = new Set<string>();
  readonly #waiting: { readonly revision: number; readonly done: Deferred<void> }[] = [];
  #state: RegistrationState = "starting";
  #instance: InstanceFields;
  #encoded: EncodedInstance;
  /** Counts what is wanted (`revision`) and says what ZooKeeper has (`written`). */
  #revision = 1;
  #written = 0;
  #path: string | undefined;
  #owner = 0n;
  #mzxid = 0n;
  #upSinceMs = 0;
  /** A create whose reply was lost may have left a znode that we do not know the name of. */
  #ambiguous = false;
  /** Znodes of an earlier process with this identity are to be looked for, once. */
  #twinsUnknown = true;
  /** It was registered before: whoever has its name now took it, and keeps it. */
  #hadZnode = false;
  /** A pass is wanted. */
  #wanted = false;
  #passes: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  /** @internal Throws `INVALID_INSTANCE`. */
  constructor(shared: RegistrarShared, instance: InstanceFields, onGone: () => void) {
    const { client, codec, runtime } = shared;
    this.#shared = shared;
    this.#instance = instance;
    this.#context = { root: shared.root, registeredAtMs: runtime.clock.wallMs() };
    this.#encoded = codec.encode(instance, this.#context);
    this.#identity = this.#identityOf(instance);
    this.#onGone = onGone;
    this.#emitter = new Emitter((error) =>
      runtime.logger.error({ error }, "a listener of a registration threw"),
    );
    this.#retryPause = new Backoff(RETRY_PAUSE, runtime.random);
    this.#recreatePause = new Backoff(RECREATE_PAUSE, runtime.random);
    this.#unsubscribe = client.onState((state) => this.#onClientState(state));
    this.#ask();
  }

  /** The znode, while one is known to exist. */
  get path(): string | undefined {
    return this.#path;
  }

  get state(): RegistrationState {
    return this.#state;
  }

  /** What is registered (or is to be). */
  get instance(): InstanceFields {
    return this.#instance;
  }

  /** Adds a listener of states; the returned function removes it. */
  onState(listener: (state: RegistrationState) => void): () => void {
    return this.#emitter.on(listener);
  }

  /**
   * Publishes other metadata in the same znode: its data is set, so that no watcher sees the instance
   * leave. Where a layout keeps the information in the znode's name, another znode is made before the old
   * one goes. `changes` are laid over the present fields; a key of value undefined is dropped. Resolves when
   * ZooKeeper has it; after a timeout or an abort it is still brought about. Rejects with
   * `INVALID_INSTANCE` when it would become another instance (another id or, without one, another
   * address), and `CLOSED`.
   */
  async updateInstance(
    changes: Partial<InstanceFields>,
    options: { readonly signal?: AbortSignal | undefined; readonly timeoutMs?: number | undefined } = {},
  ): Promise<void> {
    this.#assertOpen();
    const instance = { ...this.#instance, ...changes } as InstanceFields;
    const encoded = this.#shared.codec.encode(instance, this.#context);
    const identity = this.#identityOf(instance);
    if (identity !== this.#identity) {
      throw new GovernanceError(
        `an update must not make another instance of it (${this.#identity} would become ${identity})`,
        { code: "INVALID_INSTANCE", context: { path: this.#path } },
      );
    }
    this.#instance = instance;
    this.#encoded = encoded;
    this.#revision++;
    this.#ask();
    await this.#untilWritten(this.#revision, options);
  }

  /** Resolves when ZooKeeper has the instance as it is now wanted. @internal */
  untilUp(options: RegisterOptions): Promise<void> {
    return this.#untilWritten(this.#revision, options);
  }

  /**
   * Deregisters: nothing of this registration stays behind, also when it races a reconnect. Resolves when
   * the znode is gone, at the latest after 5 s (1 s without a connection); while ZooKeeper is away the removal goes on in the
   * background until the client is closed. Idempotent.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #identityOf(instance: InstanceFields): string {
    return this.#shared.codec.identity?.(instance) ?? instanceIdentity(instance);
  }

  #assertOpen(): void {
    if (this.#closed === undefined) return;
    throw new GovernanceError("the registration is closed", {
      code: "CLOSED",
      context: { path: this.#path },
    });
  }

  async #untilWritten(revision: number, options: RegisterOptions): Promise<void> {
    const { timeoutMs = 10_000, signal } = options;
    const done = deferred<void>();
    const entry = { revision, done };
    this.#waiting.push(entry);
    const timeoutError = (): Error =>
      new GovernanceError(
        `${this.#identity} could not be registered under ${this.#shared.root} within ${timeoutMs} ms: is ZooKeeper reachable?`,
        { code: "REGISTRATION_FAILED", effect: "unknown", context: { source: this.#shared.root } },
      );
    try {
      const { clock } = this.#shared.runtime;
      await withTimeout(clock, { timeoutMs, signal, timeoutError }, () => done.promise);
    } finally {
      const index = this.#waiting.indexOf(entry);
      if (index >= 0) this.#waiting.splice(index, 1);
    }
  }

  #setState(state: RegistrationState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#emitter.emit(state);
  }

  #onClientState(state: ClientState): void {
    if (state === "connected") this.#ask();
    else if (this.#state === "up") this.#setState("suspended");
  }

  #onZnode(event: WatchEvent): void {
    if (event.path !== this.#path && event.type !== "resync") return;
    if (event.type === "deleted" && this.#state === "up") this.#setState("suspended");
    this.#ask();
  }

  /** Asks for a pass of the reconciler. */
  #ask(): void {
    if (this.#closing.signal.aborted) return;
    this.#wanted = true;
    this.#passes ??= this.#work().finally(() => {
      this.#passes = undefined;
      // The client may have connected after the last look at its state.
      if (this.#wanted && this.#shared.client.state === "connected") this.#ask();
    });
  }

  /** Runs passes for as long as they are wanted and possible. Never rejects. */
  async #work(): Promise<void> {
    const { client, runtime } = this.#shared;
    while (this.#wanted && !this.#closing.signal.aborted && client.state === "connected") {
      this.#wanted = false;
      try {
        await this.#reconcile();
        this.#retryPause.reset();
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        this.#wanted = true;
        this.#report(error);
        await sleep(runtime.clock, this.#retryPause.nextMs(), this.#closing.signal).catch(() => {});
      }
    }
  }

  #report(error: unknown): void {
    const { root, runtime } = this.#shared;
    runtime.logger.warn({ error, root, path: this.#path }, "registering an instance failed; trying again");
    if (!isHopeless(error) && !isGovernanceError(error, "CONFLICT")) return;
    const failure = new GovernanceError(
      `${this.#identity} cannot be registered under ${root}: ${(error as Error).message}`,
      { code: "REGISTRATION_FAILED", context: { source: root }, cause: error },
    );
    for (const { done } of this.#waiting.splice(0)) done.reject(failure);
  }

  async #reconcile(): Promise<void> {
    if (this.#ambiguous) await this.#resolveAmbiguity();
    if (this.#path !== undefined) await this.#verify(this.#path);
    if (this.#path !== undefined && !this.#isNamed(this.#path)) this.#leave(this.#path);
    if (this.#path === undefined) await this.#create();
    if (this.#written !== this.#revision) await this.#write();
    if (this.#path === undefined) return;
    this.#upSinceMs = this.#shared.runtime.clock.nowMs();
    // The connection may have gone while the last reply was on its way here.
    if (this.#shared.client.state === "connected") this.#setState("up");
    for (let index = this.#waiting.length - 1; index >= 0; index--) {
      if (this.#waiting[index]!.revision <= this.#written) this.#waiting.splice(index, 1)[0]!.done.resolve();
    }
    for (const path of [...this.#stale]) {
      await this.#remove(path, this.#shared.sessions);
      this.#stale.delete(path);
    }
    if (this.#twinsUnknown) await this.#removeTwins();
  }

  /** Finds out whether our znode is there and ours, and arms the watch on it. */
  async #verify(path: string): Promise<void> {
    const { client, runtime, sessions } = this.#shared;
    const { signal } = this.#closing;
    const stat = await client.exists(path, { watch: this.#onWatch, signal });
    const sessionId = client.sessionId;
    if (stat !== null && stat.ephemeralOwner === sessionId) {
      // Someone else wrote into it: what is wanted is written again.
      if (stat.mzxid !== this.#mzxid) this.#written = 0;
      return;
    }
    const owner = this.#owner;
    this.#forget();
    if (stat !== null) {
      // Another session's: an earlier one of ours that the server has yet to expire, or a stranger's.
      if (sessions.has(stat.ephemeralOwner)) this.#stale.add(path);
      return;
    }
    if (owner !== sessionId) return;
    runtime.logger.warn(
      { path },
      "the znode of a live instance was deleted by someone else; making it again",
    );
    if (runtime.clock.nowMs() - this.#upSinceMs > PEACE_MS) this.#recreatePause.reset();
    await sleep(runtime.clock, this.#recreatePause.nextMs(), signal);
  }

  async #create(): Promise<void> {
    const { client, root, sessions, acl, codec } = this.#shared;
    const { name, mode, data } = this.#encoded;
    const { signal } = this.#closing;
    const revision = this.#revision;
    sessions.add(client.sessionId);
    const create = (): Promise<{ path: string; stat: Stat }> =>
      client.create(joinPath(root, name), data, { mode, signal, ...(acl && { acl }) });
    let created: { path: string; stat: Stat };
    try {
      created = await create().catch(async (error: unknown) => {
        if (!isZooKeeperError(error, "NO_NODE")) throw error;
        await makeRoot(client, root, { mode: codec.rootMode, acl, signal });
        return create();
      });
    } catch (error) {
      if (mode === "ephemeral" && isZooKeeperError(error, "NODE_EXISTS")) {
        const mayReplace = !this.#hadZnode;
        const stat = await takeName(this.#shared, this.#encoded, { mayReplace, signal });
        if (stat !== undefined) this.#adopt(joinPath(root, name), stat.ephemeralOwner, stat.mzxid);
        else this.#wanted = true;
        return;
      }
      // Anything but a refusal may have made the znode: it is looked for before the next try.
      if (!isZooKeeperError(error) || error.effect !== "none") this.#ambiguous = true;
      throw error;
    }
    this.#adopt(created.path, created.stat.ephemeralOwner, created.stat.mzxid);
    this.#written = revision;
    // The next pass checks the owner and arms the watch.
    this.#wanted = true;
  }

  /** Whether this is the znode that the instance is to have. A sequential name never needs another. */
  #isNamed(path: string): boolean {
    const { mode, name } = this.#encoded;
    return mode !== "ephemeral" || path === joinPath(this.#shared.root, name);
  }

  /** Leaves a znode for another, which is made before this one is removed. */
  #leave(path: string): void {
    this.#shared.claimed.delete(path);
    this.#stale.add(path);
    this.#path = undefined;
    this.#written = 0;
  }

  #adopt(path: string, owner: bigint, mzxid: bigint): void {
    this.#hadZnode = true;
    this.#stale.delete(path);
    this.#path = path;
    this.#owner = owner;
    this.#mzxid = mzxid;
    this.#shared.sessions.add(owner);
    this.#shared.claimed.add(path);
  }

  #forget(): void {
    if (this.#path === undefined) return;
    this.#shared.claimed.delete(this.#path);
    this.#path = undefined;
    this.#written = 0;
    if (this.#state === "up") this.#setState("suspended");
  }

  async #write(): Promise<void> {
    if (this.#path === undefined) return;
    const revision = this.#revision;
    try {
      const stat = await this.#shared.client.set(this.#path, this.#encoded.data, {
        signal: this.#closing.signal,
      });
      this.#mzxid = stat.mzxid;
      this.#written = revision;
    } catch (error) {
      if (!isZooKeeperError(error, "NO_NODE")) throw error;
      this.#forget();
    }
    if (this.#path === undefined || this.#written !== this.#revision) this.#wanted = true;
  }

  /** Looks for the znode of a create whose reply was lost: one is kept, others are removed. */
  async #resolveAmbiguity(): Promise<void> {
    const { client, root } = this.#shared;
    // Without it a follower that lags behind might not know the znode yet.
    await client.sync(root).catch((error: unknown) => {
      if (!isZooKeeperError(error, "NO_NODE")) throw error;
    });
    const found = await this.#ownUnclaimed();
    const sessionId = client.sessionId;
    for (const { path, ephemeralOwner, czxid } of found) {
      if (this.#path === undefined && ephemeralOwner === sessionId) {
        this.#adopt(path, ephemeralOwner, czxid);
      } else {
        this.#stale.add(path);
      }
    }
    this.#ambiguous = false;
  }

  /** Znodes of this identity, made by our sessions, that no registration knows. */
  async #ownUnclaimed(): Promise<ScannedMember[]> {
    const { claimed, scan, sessions } = this.#shared;
    const members = await scan.read().catch((error: unknown) => {
      if (isZooKeeperError(error, "NO_NODE")) return [];
      throw error;
    });
    return members.filter(
      (member) =>
        member.identity === this.#identity &&
        sessions.has(member.ephemeralOwner) &&
        !claimed.has(member.path),
    );
  }

  /**
   * Removes what an earlier process with this identity left behind, once in the life of a registration:
   * whoever registers an address anew has it, so an older claim to it is dead. Not repeated, so that two
   * processes wrongly given one identity do not delete each other's znodes for ever.
   */
  async #removeTwins(): Promise<void> {
    const { client, runtime, scan } = this.#shared;
    const members = await scan.read(this.#shared.scanMembersMax);
    const own = members.find((member) => member.path === this.#path);
    for (const member of members) {
      if (own === undefined || member.identity !== this.#identity || member.czxid >= own.czxid) continue;
      if (member.ephemeralOwner === 0n || member.ephemeralOwner === client.sessionId) continue;
      runtime.logger.info(
        { path: member.path },
        "removing what an earlier life of this instance left behind",
      );
      await this.#remove(member.path, new Set([member.ephemeralOwner]));
    }
    // The scan may have been too early to see our own znode; then the next pass looks again.
    this.#twinsUnknown = own === undefined && members.length > 0;
  }

  /** Deletes a znode if one of `owners` owns it. */
  async #remove(path: string, owners: ReadonlySet<bigint>): Promise<void> {
    const { client } = this.#shared;
    const stat = await client.exists(path);
    if (stat === null || !owners.has(stat.ephemeralOwner)) return;
    await client.delete(path, { version: stat.version }).catch((error: unknown) => {
      if (!isZooKeeperError(error, "NO_NODE")) throw error;
    });
  }

  async #close(): Promise<void> {
    const closed = new GovernanceError("the registration was closed", { code: "CLOSED" });
    this.#setState("draining");
    this.#unsubscribe();
    this.#closing.abort(closed);
    for (const { done } of this.#waiting.splice(0)) done.reject(closed);
    const withdrawal = new Withdrawal(this.#shared, async () => {
      // The pass that runs ends at its next request: only then is it known what there is to remove.
      await this.#passes;
      if (this.#ambiguous) await this.#resolveAmbiguity();
      if (this.#path !== undefined) this.#stale.add(this.#path);
      for (const path of [...this.#stale]) {
        await this.#remove(path, this.#shared.sessions);
        this.#stale.delete(path);
      }
    });
    const finish = (): void => {
      this.#forget();
      this.#setState("gone");
      this.#emitter.clear();
    };
    await withdrawal.run(finish);
    this.#onGone();
  }
}
