// SPDX-License-Identifier: Apache-2.0
import { type Acl, isZooKeeperError, joinPath, type ZooKeeperClient } from "@meerkat/client";
import { InvalidArgumentError, type Runtime, resolveRuntime } from "@meerkat/runtime";
import { type ContenderKind, type ContenderName, type LockLayout, lockNames } from "./contender-name.ts";
import { Hold, type LossPolicy, Possession } from "./hold.ts";
import type { ContenderQueue } from "./protected-entry.ts";
import { readContenders } from "./read-contenders.ts";
import { RecipeError } from "./recipe-error.ts";
import { takeTurn } from "./turn.ts";
import { type WaitOptions, WaitScope } from "./wait-scope.ts";

/** How a lock works, the same for all kinds of locks. */
export interface LockOptions {
  /** Whose znode names to use; default `both`, which excludes and is excluded by Curator and Kazoo alike. */
  readonly layout?: LockLayout | undefined;
  /** Who contends, for people; stored in the znodes and shown by `contenders`. Default empty. */
  readonly identity?: string | undefined;
  /** When `signal` of a hold aborts; default `lost`. */
  readonly loseAt?: LossPolicy | undefined;
  /** ACL of the znodes; default: that of the client. */
  readonly acl?: readonly Acl[] | undefined;
  /** Clock, randomness and logger, where they are not the system's. */
  readonly runtime?: Partial<Runtime> | undefined;
}

/** Limits of an acquire, and what it may build on. */
export interface AcquireOptions extends WaitOptions {
  /** A hold of this very lock that the caller has: gives another handle on it at once. */
  readonly reenter?: Hold | undefined;
}

/** Someone in the queue for a lock or a leadership. */
export interface ContenderInfo {
  /** Path of its znode. */
  readonly path: string;
  readonly identity: string;
  readonly kind: ContenderKind;
  /** True for those that have their turn. */
  readonly holds: boolean;
  readonly token: bigint;
  readonly sessionId: bigint;
}

/** Something that can be acquired: every lock, and what a `MultiLock` is made of. */
export interface Lockable {
  readonly path: string;
  acquire(options?: AcquireOptions): Promise<Hold>;
  tryAcquire(options?: WaitOptions): Promise<Hold | undefined>;
}

/** Drops second znodes of a pair. */
function withoutPairs(contenders: readonly ContenderName[]): ContenderName[] {
  const seen = new Set<string>();
  return contenders.filter(({ id }) => !seen.has(id) && seen.add(id).size > 0);
}

/** Everyone in the queue under a root, first come first. */
export async function listContenders(
  client: ZooKeeperClient,
  root: string,
  call: WaitOptions = {},
): Promise<ContenderInfo[]> {
  const contenders = withoutPairs(await readContenders(client, root, call));
  const firstExclusive = contenders.findIndex((each) => each.kind === "exclusive");
  const infos = await Promise.all(
    contenders.map(async ({ name, kind }, at): Promise<ContenderInfo | undefined> => {
      const path = joinPath(root, name);
      try {
        const { data, stat } = await client.get(path, call);
        const holds = at === 0 || (kind === "shared" && (firstExclusive < 0 || at < firstExclusive));
        const { czxid: token, ephemeralOwner: sessionId } = stat;
        return { path, identity: data.toString(), kind, holds, token, sessionId };
      } catch (error) {
        if (isZooKeeperError(error, "NO_NODE")) return undefined;
        throw error;
      }
    }),
  );
  return infos.filter((each) => each !== undefined);
}

/** @internal One way of holding a lock; the public classes say which. */
export class LockSide implements Lockable {
  readonly path: string;
  readonly #kind: ContenderKind;
  readonly #queue: ContenderQueue;
  readonly #loseAt: LossPolicy;

  constructor(client: ZooKeeperClient, path: string, role: "lock" | "write" | "read", options: LockOptions) {
    const { layout = "both", identity = "", loseAt = "lost", acl, runtime } = options;
    if (!["both", "curator", "kazoo"].includes(layout)) {
      throw new InvalidArgumentError(
        "layout",
        `layout must be both, curator or kazoo, not ${String(layout)}`,
      );
    }
    this.path = path;
    this.#kind = role === "read" ? "shared" : "exclusive";
    this.#loseAt = loseAt;
    const names = lockNames(layout, role);
    this.#queue = { client, runtime: resolveRuntime(runtime), root: path, names, data: identity, acl };
  }

  async acquire(options: AcquireOptions = {}): Promise<Hold> {
    if (options.reenter !== undefined) return this.#reenter(options.reenter);
    const hold = await this.#take(options, "wait");
    if (hold === undefined) throw new TypeError("a patient wait gave nothing");
    return hold;
  }

  async tryAcquire(options: WaitOptions = {}): Promise<Hold | undefined> {
    return this.#take(options, "once");
  }

  contenders(call?: WaitOptions): Promise<ContenderInfo[]> {
    return listContenders(this.#queue.client, this.path, call);
  }

  async #take(options: WaitOptions, patience: "wait" | "once"): Promise<Hold | undefined> {
    const { runtime } = this.#queue;
    const scope = new WaitScope(runtime.clock, options, `waiting for ${this.path}`, this.path);
    try {
      // Whoever only tries need not enter, and so wake nobody, when the answer is plain.
      if (patience === "once" && (await this.#isTaken(scope))) return undefined;
      const contender = await takeTurn(this.#queue, this.#kind, scope, patience);
      return contender === undefined ? undefined : new Hold(new Possession(contender, this.#loseAt));
    } catch (error) {
      throw scope.explain(error);
    } finally {
      scope.end();
    }
  }

  async #isTaken(scope: WaitScope): Promise<boolean> {
    const contenders = await readContenders(this.#queue.client, this.path, scope.call);
    return contenders.some((each) => this.#kind === "exclusive" || each.kind === "exclusive");
  }

  #reenter(hold: Hold): Hold {
    if (hold.possession.contender.queue !== this.#queue) {
      const { path } = this;
      throw new RecipeError("CONFLICT", `${hold.path} is no hold of this lock ${path}`, {
        context: { path },
      });
    }
    return hold.reenter();
  }
}

/**
 * A fair exclusive lock: first come, first served; a release wakes one waiter.
 *
 * Znodes: ephemeral sequential children of `path`, named as Curator's InterProcessMutex and Kazoo's Lock
 * name theirs (see `LockLayout`). A process of theirs and ours exclude each other. Other children of
 * `path` are ignored; contenders of a read-write lock on the same path count.
 *
 * Not reentrant by itself: whoever holds it and acquires again waits for himself, unless he shows his hold
 * (`reenter`). On a lost connection a holder keeps it until `hold.signal` says otherwise; a waiter keeps
 * its place while the session lives, and enters anew at the end when it is lost.
 */
export class Lock implements Lockable {
  readonly path: string;
  readonly #side: LockSide;

  /** Throws `InvalidArgumentError`. Nothing is sent before `acquire`. */
  constructor(client: ZooKeeperClient, path: string, options: LockOptions = {}) {
    this.path = path;
    this.#side = new LockSide(client, path, "lock", options);
  }

  /**
   * Waits for the lock. Rejects with `TIMEOUT` or `ABORTED` (the limit spans everything, nothing is left
   * behind), or with the `ZooKeeperError` of a server that refuses.
   */
  acquire(options?: AcquireOptions): Promise<Hold> {
    return this.#side.acquire(options);
  }

  /** The lock, or undefined when someone holds or awaits it. */
  tryAcquire(options?: WaitOptions): Promise<Hold | undefined> {
    return this.#side.tryAcquire(options);
  }

  /** Runs `task` while holding the lock. The hold's signal ends it when the lock is lost. */
  async runExclusive<T>(task: (hold: Hold) => Promise<T>, options?: AcquireOptions): Promise<T> {
    await using hold = await this.acquire(options);
    return await task(hold);
  }

  /** Everyone who holds or awaits it, first come first. */
  contenders(call?: WaitOptions): Promise<ContenderInfo[]> {
    return this.#side.contenders(call);
  }
}
