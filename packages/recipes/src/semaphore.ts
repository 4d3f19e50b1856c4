// SPDX-License-Identifier: Apache-2.0
import {
  isZooKeeperError,
  joinPath,
  parentPath,
  type WatchListener,
  type ZooKeeperClient,
} from "@meerkat/client";
import { deferred, InvalidArgumentError, type Runtime, resolveRuntime } from "@meerkat/runtime";
import { Contender } from "./contender.ts";
import { lockNames } from "./contender-name.ts";
import { Hold, type LossPolicy, Possession } from "./hold.ts";
import type { LockOptions } from "./lock.ts";
import { onAbort } from "./on-abort.ts";
import type { ContenderQueue } from "./protected-entry.ts";
import { isRecipeError, RecipeError } from "./recipe-error.ts";
import { type Patience, takeTurn } from "./turn.ts";
import { type WaitOptions, WaitScope } from "./wait-scope.ts";

/** A number of permits that may change: a shared counter, or a configuration. */
export interface PermitSource {
  /** How many there are now. */
  readonly permits: number;
  /** Calls back after every change; returns what takes the listener back. */
  onChange(listener: () => void): () => void;
}

/** How a semaphore works. */
export interface SemaphoreOptions extends Omit<LockOptions, "layout"> {
  /** How many leases there are at a time. All who share the semaphore must say the same. */
  readonly permits: number | PermitSource;
  /**
   * `curator` (default): InterProcessSemaphoreV2, with `locks` and `leases` under the path. `kazoo`:
   * Semaphore, with leases under the path and the queue in `<path>-__lock__`. They do not see each other:
   * all who share a semaphore need the same layout.
   */
  readonly layout?: "curator" | "kazoo" | undefined;
}

/** Limits of an acquire, and how much it wants. */
export interface SemaphoreAcquireOptions extends WaitOptions {
  /** Leases to take, all or none; default 1. */
  readonly permits?: number | undefined;
}

/** A lease in use. */
export interface LeaseInfo {
  readonly path: string;
  readonly identity: string;
  readonly token: bigint;
  readonly sessionId: bigint;
}

/**
 * A fair counting semaphore. Whoever wants leases queues for a gate (a lock); only the one at the gate
 * watches the leases, so a return wakes one process. Leases are created in one step with a check that the
 * gate is still ours, so not even a holder of the gate who lost it meanwhile takes one too many.
 *
 * A lease is a `Hold`: given back by `release`, lost with the session. Tokens of leases rise in the order
 * of grants, but several hold at a time: a resource can refuse tokens that it knows to be over, not low
 * ones. Foreign children beside the leases count as leases, as they do for Curator and Kazoo.
 */
export class Semaphore {
  readonly path: string;
  readonly #client: ZooKeeperClient;
  readonly #runtime: Runtime;
  readonly #options: SemaphoreOptions;
  readonly #leasesRoot: string;
  readonly #gate: ContenderQueue;
  readonly #loseAt: LossPolicy;
  #rootReady = false;

  /** Throws `InvalidArgumentError`. Nothing is sent before `acquire`. */
  constructor(client: ZooKeeperClient, path: string, options: SemaphoreOptions) {
    const { layout = "curator", acl, identity = "", loseAt = "lost", permits } = options;
    if (typeof permits === "number" && !(Number.isInteger(permits) && permits >= 1)) {
      throw new InvalidArgumentError("permits", `permits must be a whole number above 0, got ${permits}`);
    }
    const runtime = resolveRuntime(options.runtime);
    this.path = path;
    this.#client = client;
    this.#runtime = runtime;
    this.#options = options;
    this.#loseAt = loseAt;
    this.#leasesRoot = layout === "curator" ? joinPath(path, "leases") : path;
    this.#gate = {
      client,
      runtime,
      root: layout === "curator" ? joinPath(path, "locks") : `${path}-__lock__`,
      names: lockNames(layout, "lock"),
      data: identity,
      acl,
    };
  }

  /** How many leases there are. */
  get permits(): number {
    const { permits } = this.#options;
    return typeof permits === "number" ? permits : permits.permits;
  }

  /**
   * Waits for leases. Rejects with `TIMEOUT`, `ABORTED` (nothing is left behind), with `CONFLICT` when
   * the Kazoo layout stores another number of permits, or with the `ZooKeeperError` of a server that
   * refuses.
   */
  async acquire(options: SemaphoreAcquireOptions = {}): Promise<Hold> {
    const hold = await this.#take(options, "wait");
    if (hold === undefined) throw new TypeError("a patient wait gave nothing");
    return hold;
  }

  /** Leases, or undefined when there are not enough or someone is being served at this moment. */
  tryAcquire(options: SemaphoreAcquireOptions = {}): Promise<Hold | undefined> {
    return this.#take(options, "once");
  }

  /** Runs `task` with a lease. */
  async runWithLease<T>(task: (hold: Hold) => Promise<T>, options?: SemaphoreAcquireOptions): Promise<T> {
    await using hold = await this.acquire(options);
    return await task(hold);
  }

  /** The leases in use, in no particular order. */
  async leases(call: WaitOptions = {}): Promise<LeaseInfo[]> {
    const children = await this.#leaseNames(call);
    const infos = await Promise.all(
      children.map(async (name): Promise<LeaseInfo | undefined> => {
        const path = joinPath(this.#leasesRoot, name);
        try {
          const { data, stat } = await this.#client.get(path, call);
          return { path, identity: data.toString(), token: stat.czxid, sessionId: stat.ephemeralOwner };
        } catch (error) {
          if (isZooKeeperError(error, "NO_NODE")) return undefined;
          throw error;
        }
      }),
    );
    return infos.filter((each) => each !== undefined);
  }

  async #take(options: SemaphoreAcquireOptions, patience: Patience): Promise<Hold | undefined> {
    const wanted = options.permits ?? 1;
    const { permits } = this.#options;
    if (!Number.isInteger(wanted) || wanted < 1 || (typeof permits === "number" && wanted > permits)) {
      throw new InvalidArgumentError(
        "permits",
        `permits to acquire must be a whole number from 1 to ${this.permits}, got ${wanted}`,
      );
    }
    const scope = new WaitScope(
      this.#runtime.clock,
      options,
      `waiting for a lease of ${this.path}`,
      this.path,
    );
    try {
      await this.#prepareRoot(scope);
      for (;;) {
        const gate = await takeTurn(this.#gate, "exclusive", scope, patience);
        if (gate === undefined) return undefined;
        const lease = await this.#takeLease(gate, wanted, scope, patience);
        if (lease === "none") return undefined;
        if (lease !== "gateLost") return new Hold(new Possession(lease, this.#loseAt));
      }
    } catch (error) {
      throw scope.explain(error);
    } finally {
      scope.end();
    }
  }

  /** At the gate: waits for enough leases and takes them. Leaves the gate whatever comes. */
  async #takeLease(
    gate: Contender,
    wanted: number,
    scope: WaitScope,
    patience: Patience,
  ): Promise<Contender | "none" | "gateLost"> {
    try {
      const isFree = await this.#untilFree(gate, wanted, scope, patience);
      if (!isFree) return gate.alive ? "none" : "gateLost";
      return await Contender.enter(this.#leaseQueue(gate, wanted), scope);
    } catch (error) {
      if (!scope.over && (gate.lost.aborted || isRecipeError(error, "LOST"))) return "gateLost";
      throw error;
    } finally {
      void gate.leave();
    }
  }

  /** False when the gate is lost, or at once when there are too few and no patience. */
  async #untilFree(gate: Contender, wanted: number, scope: WaitScope, patience: Patience): Promise<boolean> {
    const { permits } = this.#options;
    for (;;) {
      scope.check();
      if (gate.lost.aborted) return false;
      const woken = deferred<void>();
      const wake = (): void => woken.resolve();
      const stops = [onAbort(gate.lost, wake), onAbort(scope.signal, wake)];
      if (typeof permits !== "number") stops.push(permits.onChange(wake));
      try {
        const inUse = (await this.#leaseNames(scope.call, wake)).length;
        if (inUse + wanted <= this.permits) return true;
        if (patience === "once") return false;
        await woken.promise;
      } finally {
        for (const stop of stops) stop();
        void this.#client.removeWatches(this.#leasesRoot, "children", wake).catch(() => {});
      }
    }
  }

  #leaseQueue(gate: Contender, wanted: number): ContenderQueue {
    const isCurator = this.#options.layout !== "kazoo";
    const places = Array.from({ length: wanted }, (_, at) => at);
    return {
      ...this.#gate,
      root: this.#leasesRoot,
      mode: isCurator ? "ephemeralSequential" : "ephemeral",
      names: (id) =>
        places.map((at) =>
          isCurator ? `_c_${id}-lease-` : `${id.replaceAll("-", "")}${at === 0 ? "" : `-${at}`}`,
        ),
      guards: () => [gate.path],
    };
  }

  async #leaseNames(call: WaitOptions, watch?: WatchListener): Promise<readonly string[]> {
    try {
      return (await this.#client.children(this.#leasesRoot, { ...call, watch })).children;
    } catch (error) {
      if (isZooKeeperError(error, "NO_NODE")) return [];
      throw error;
    }
  }

  /** Kazoo keeps the number of permits in the root, and refuses to work with another. */
  async #prepareRoot(scope: WaitScope): Promise<void> {
    const { layout, permits, acl } = this.#options;
    if (this.#rootReady || layout !== "kazoo" || typeof permits !== "number") return;
    const { path } = this;
    const persistently = {
      idempotent: true,
      attemptsMax: Number.POSITIVE_INFINITY,
      signal: scope.signal,
    } as const;
    await this.#client.retry(
      () => this.#client.ensurePath(parentPath(path), { acl, ...scope.call }),
      persistently,
    );
    try {
      await this.#client.retry(
        () => this.#client.create(path, String(permits), { acl, idempotent: true, ...scope.call }),
        persistently,
      );
    } catch (error) {
      if (!isZooKeeperError(error, "NODE_EXISTS")) throw error;
      const { data } = await this.#client.retry(() => this.#client.get(path, scope.call), persistently);
      const stored = data.toString();
      // Other data is not about permits.
      if (/^\s*[+-]?\d+\s*$/.test(stored) && Number(stored) !== permits) {
        const message = `${path} has ${stored} permits, not ${permits}; delete it to change the number`;
        throw new RecipeError("CONFLICT", message, { context: { path } });
      }
    }
    this.#rootReady = true;
  }
}
