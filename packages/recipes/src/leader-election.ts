// SPDX-License-Identifier: Apache-2.0
import { isRetryable, isZooKeeperError, joinPath, type ZooKeeperClient } from "@meerkat/client";
import { AsyncQueue, Backoff, deferred, InvalidArgumentError, resolveRuntime, sleep } from "@meerkat/runtime";
import { type ElectionLayout, electionNames } from "./contender-name.ts";
import { Hold, type LossPolicy, Possession } from "./hold.ts";
import { type ContenderInfo, type LockOptions, listContenders } from "./lock.ts";
import { onAbort } from "./on-abort.ts";
import type { ContenderQueue } from "./protected-entry.ts";
import { readContenders } from "./read-contenders.ts";
import { isRecipeError } from "./recipe-error.ts";
import { takeTurn } from "./turn.ts";
import { type WaitOptions, WaitScope } from "./wait-scope.ts";

/** How an election works. */
export interface ElectionOptions extends Omit<LockOptions, "layout"> {
  /**
   * Whose names to use. `both` (default) is right with Curator's LeaderLatch and Kazoo's Election at once;
   * `latch` and `kazoo` save the second znode; `selector` is Curator's LeaderSelector.
   */
  readonly layout?: ElectionLayout | undefined;
}

/** Leadership, while it lasts: a `Hold`. */
export class Leadership extends Hold {
  /** Steps down; the next participant leads. The same as `release`. */
  resign(call?: WaitOptions): Promise<void> {
    return this.release(call);
  }
}

/**
 * When `runWhileLeading` stands again. `never`: one leadership, whatever comes of it. `lost`: when the
 * leadership was lost before the task ended. `always`: also after the task ended, until the signal.
 */
export type Reelection = "never" | "lost" | "always";

/** Options of `runWhileLeading`. */
export interface RunWhileLeadingOptions {
  /** Ends waiting (`ABORTED`) and, through the leadership's own signal, the task. */
  readonly signal?: AbortSignal | undefined;
  /** Default `lost`. */
  readonly reelect?: Reelection | undefined;
}

const INITIAL_MS = 50;
const MAX_MS = 2_000;

/**
 * Election of one leader among those who stand, in order of arrival. At any time one at most may act as
 * leader, to the limits that `Hold` describes; the token rises with every leader.
 *
 * Znodes: ephemeral sequential children of `path`; see `ElectionOptions.layout`.
 */
export class LeaderElection {
  readonly path: string;
  readonly #queue: ContenderQueue;
  readonly #loseAt: LossPolicy;

  /** Throws `InvalidArgumentError`. Nothing is sent before `campaign`. */
  constructor(client: ZooKeeperClient, path: string, options: ElectionOptions = {}) {
    const { layout = "both", identity = "", loseAt = "lost", acl } = options;
    if (!["both", "latch", "selector", "kazoo"].includes(layout)) {
      const message = `layout must be both, latch, selector or kazoo, not ${String(layout)}`;
      throw new InvalidArgumentError("layout", message);
    }
    const runtime = resolveRuntime(options.runtime);
    this.path = path;
    this.#loseAt = loseAt;
    this.#queue = { client, runtime, root: path, names: electionNames(layout), data: identity, acl };
  }

  /** Stands for election and waits to be the leader. Rejects as `Lock.acquire`. */
  async campaign(options: WaitOptions = {}): Promise<Leadership> {
    const { clock } = this.#queue.runtime;
    const scope = new WaitScope(clock, options, `standing for ${this.path}`, this.path);
    try {
      const contender = await takeTurn(this.#queue, "exclusive", scope);
      if (contender === undefined) throw new TypeError("a patient wait gave nothing");
      return new Leadership(new Possession(contender, this.#loseAt));
    } catch (error) {
      throw scope.explain(error);
    } finally {
      scope.end();
    }
  }

  /**
   * Runs `task` only while leading: stands, calls it as leader, and steps down when it has ended. The task
   * must end when `leadership.signal` aborts (leadership lost, or the caller's signal); nothing else begins
   * before it has. Resolves with its result; rejects with what it threw, unless it was for a lost
   * leadership that is stood for again. With `always` it runs until the signal, and rejects with `ABORTED`.
   */
  async runWhileLeading<T>(
    task: (leadership: Leadership) => Promise<T>,
    options: RunWhileLeadingOptions = {},
  ): Promise<T> {
    const { signal, reelect = "lost" } = options;
    for (;;) {
      const leadership = await this.campaign({ signal });
      const unlink = signal === undefined ? () => {} : onAbort(signal, () => void leadership.resign());
      let wasLost: boolean;
      try {
        const result = await task(leadership);
        wasLost = isRecipeError(leadership.signal.reason, "LOST");
        if (reelect === "never" || (reelect === "lost" && !wasLost)) return result;
      } catch (error) {
        wasLost = isRecipeError(leadership.signal.reason, "LOST");
        if (reelect === "never" || !wasLost) throw error;
      } finally {
        unlink();
        await leadership.resign();
      }
    }
  }

  /** Everyone who stands, the leader first. */
  participants(call?: WaitOptions): Promise<ContenderInfo[]> {
    return listContenders(this.#queue.client, this.path, call);
  }

  /** The leader by the server's word at this moment, or undefined when nobody stands. */
  async leader(call?: WaitOptions): Promise<ContenderInfo | undefined> {
    return (await this.participants(call))[0];
  }

  /**
   * The present leader (null while there is none) and every later one, over reconnects and new sessions
   * until `return` or the signal. A slow reader gets the latest. Watches the leader's znode alone, so any
   * number of observers costs nothing while others stand and leave.
   */
  leaders(
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncIterableIterator<ContenderInfo | null> {
    const stop = new AbortController();
    const unlink = options.signal === undefined ? () => {} : onAbort(options.signal, () => stop.abort());
    const queue = new AsyncQueue<ContenderInfo | null>({
      capacity: 1,
      merge: (_waiting, pushed) => pushed,
      onReturn: () => {
        unlink();
        stop.abort();
      },
    });
    void this.#observe(queue, stop.signal).then(
      () => queue.end(),
      (error: unknown) => queue.fail(error),
    );
    return queue;
  }

  async #observe(queue: AsyncQueue<ContenderInfo | null>, signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#queue.runtime;
    const backoff = new Backoff({ initialMs: INITIAL_MS, maxMs: MAX_MS }, random);
    let shown: string | null | undefined;
    const show = (leader: ContenderInfo | null): void => {
      const path = leader?.path ?? null;
      if (path !== shown) queue.push(leader);
      shown = path;
    };
    while (!signal.aborted) {
      try {
        await this.#observeOne(show, signal);
        backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        const { state } = this.#queue.client;
        if (state === "closed" || state === "authFailed") return;
        if (!isRetryable(error, { idempotent: true })) throw error;
        await sleep(clock, backoff.nextMs(), signal).catch(() => {});
      }
    }
  }

  /** Shows the present leader and waits until it may be another. */
  async #observeOne(show: (leader: ContenderInfo | null) => void, signal: AbortSignal): Promise<void> {
    const { client } = this.#queue;
    const call = { signal, timeoutMs: 0 };
    const woken = deferred<void>();
    const watch = (): void => woken.resolve();
    const unlink = onAbort(signal, watch);
    const watched: [string, "data" | "children"][] = [];
    try {
      const [first] = await readContenders(client, this.path, call);
      if (first !== undefined) {
        const path = joinPath(this.path, first.name);
        watched.push([path, "data"]);
        const { data, stat } = await client.get(path, { watch, ...call });
        const { czxid: token, ephemeralOwner: sessionId } = stat;
        show({ path, identity: data.toString(), kind: first.kind, holds: true, token, sessionId });
        return await woken.promise;
      }
      watched.push([this.path, "data"]);
      if ((await client.exists(this.path, { watch, ...call })) !== null) {
        watched.push([this.path, "children"]);
        const { children } = await client.children(this.path, { watch, ...call });
        if (children.length > 0 && (await readContenders(client, this.path, call)).length > 0) return;
      }
      show(null);
      return await woken.promise;
    } catch (error) {
      // The leader, or the root, went in between: look again.
      if (!isZooKeeperError(error, "NO_NODE")) throw error;
    } finally {
      unlink();
      for (const [path, kind] of watched) void client.removeWatches(path, kind, watch).catch(() => {});
    }
  }
}
