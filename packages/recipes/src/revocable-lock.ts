// SPDX-License-Identifier: Apache-2.0
import { isZooKeeperError, type ZooKeeperClient } from "@meerkat/client";
import { type Clock, resolveRuntime } from "@meerkat/runtime";
import { Hold } from "./hold.ts";
import {
  type AcquireOptions,
  type ContenderInfo,
  type Lockable,
  type LockOptions,
  LockSide,
} from "./lock.ts";
import { type WaitOptions, WaitScope } from "./wait-scope.ts";

/** What a holder's znode is set to when he is asked to give the lock up (Curator's `Revoker`). */
const REVOKE = "__REVOKE__";

/** A hold whose holder can be asked to give it up. */
export class RevocableHold extends Hold {
  /**
   * Aborts when someone asks for the lock. It is a request: the lock stays held until the holder releases
   * it, which he should do soon. Fires no more after the release.
   */
  readonly revoked: AbortSignal;

  /** @internal */
  constructor(hold: Hold) {
    super(hold.possession);
    const controller = new AbortController();
    this.revoked = controller.signal;
    const { contender } = this.possession;
    const look = (data: Buffer | undefined): void => {
      if (this.signal.aborted || data?.toString() !== REVOKE) return;
      controller.abort(new Error(`${this.path}: another process asks for the lock`));
    };
    contender.dataChanges.on(look);
    // It may have been asked while it waited.
    look(contender.data);
    hold.retire();
  }
}

/**
 * Asks the holder behind a znode (`path` of a `ContenderInfo`) to give it up; resolves with false when
 * nobody holds it any more. Works on holders of Curator's revocable InterProcessMutex too.
 */
export async function requestRevocation(
  client: ZooKeeperClient,
  path: string,
  call?: WaitOptions,
): Promise<boolean> {
  try {
    await client.set(path, REVOKE, call);
    return true;
  } catch (error) {
    if (isZooKeeperError(error, "NO_NODE")) return false;
    throw error;
  }
}

/**
 * A `Lock` whose holder learns that others want it: he is asked by data in his znode (as with Curator's
 * `makeRevocable` and `Revoker`) and decides himself. Nothing is taken by force.
 */
export class RevocableLock implements Lockable {
  readonly path: string;
  readonly #client: ZooKeeperClient;
  readonly #side: LockSide;
  readonly #clock: Clock;

  /** Throws `InvalidArgumentError`. Nothing is sent before `acquire`. */
  constructor(client: ZooKeeperClient, path: string, options: LockOptions = {}) {
    this.path = path;
    this.#client = client;
    this.#clock = resolveRuntime(options.runtime).clock;
    this.#side = new LockSide(client, path, "lock", options);
  }

  /** As `Lock.acquire`; with `revoke` it asks the present holder first. */
  async acquire(
    options: AcquireOptions & { readonly revoke?: boolean | undefined } = {},
  ): Promise<RevocableHold> {
    const { revoke = false, reenter, ...limits } = options;
    const scope = new WaitScope(this.#clock, limits, `waiting for ${this.path}`, this.path);
    try {
      if (revoke) await this.revoke(scope.call);
      return new RevocableHold(await this.#side.acquire({ reenter, ...scope.call }));
    } catch (error) {
      throw scope.explain(error);
    } finally {
      scope.end();
    }
  }

  /** As `Lock.tryAcquire`. */
  async tryAcquire(options?: WaitOptions): Promise<RevocableHold | undefined> {
    const hold = await this.#side.tryAcquire(options);
    return hold === undefined ? undefined : new RevocableHold(hold);
  }

  /** Asks the present holder to give it up; false when there is none. */
  async revoke(call: WaitOptions = {}): Promise<boolean> {
    const { signal, timeoutMs } = call;
    const [holder] = await this.#side.contenders({ signal, timeoutMs });
    return (
      holder !== undefined && (await requestRevocation(this.#client, holder.path, { signal, timeoutMs }))
    );
  }

  /** Everyone who holds or awaits it, first come first. */
  contenders(call?: WaitOptions): Promise<ContenderInfo[]> {
    return this.#side.contenders(call);
  }
}
