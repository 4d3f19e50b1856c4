// SPDX-License-Identifier: Apache-2.0
import { setMaxListeners } from "node:events";
import { joinPath, type ZooKeeperClient } from "@meerkat/client";
import { type Runtime, resolveRuntime, sleep } from "@meerkat/runtime";
import { ChildrenCache } from "../caches/caches.ts";
import type { Hold } from "../hold.ts";
import { Lock } from "../lock.ts";
import { onAbort } from "../on-abort.ts";
import { RecipeError } from "../recipe-error.ts";
import { compareText, Party } from "./party.ts";

/** Says which of the items a member gets; all members must use the same one. */
export type PartitionFunction = (
  identifier: string,
  members: readonly string[],
  items: readonly string[],
) => readonly string[];

/** Options of a partitioner. */
export interface SetPartitionerOptions {
  /** What is divided; the same set for all members. An item is part of a znode's name. */
  readonly items: readonly string[];
  /** What others know this member by; unique. Default a random UUID. */
  readonly identifier?: string | undefined;
  /** Default: as Kazoo's, every n-th item to the n-th member, both in order. */
  readonly partition?: PartitionFunction | undefined;
  /** Members must be the same for so long before the set is divided, ms. Default 1,000 (Kazoo: 30 s). */
  readonly settleMs?: number | undefined;
  readonly runtime?: Partial<Runtime> | undefined;
}

/** The share of one member, until the set is divided anew. */
export interface Allocation {
  /** The items that this member alone works on. May be empty. */
  readonly items: readonly string[];
  /** Identifiers of all members, in order. */
  readonly members: readonly string[];
  /**
   * Aborts when the work must end: the members have changed (finish what is under way, then ask for the next
   * allocation), or the locks are lost (`LOST`: others may work on the items already).
   */
  readonly signal: AbortSignal;
}

function everyNth(identifier: string, members: readonly string[], items: readonly string[]): string[] {
  const place = members.indexOf(identifier);
  return [...items].sort(compareText).filter((_item, index) => index % members.length === place);
}

/**
 * Divides a set of items among the members of a party, so that each item is worked on by one member at a
 * time: a member has a lock on each of its items. The layout is that of Kazoo's SetPartitioner: a shallow
 * party under `<path>/party`, a lock of Kazoo's for each item under `<path>/locks`.
 *
 * ```ts
 * for await (const { items, signal } of partitioner.allocations()) await work(items, signal);
 * ```
 */
export class SetPartitioner {
  readonly path: string;
  readonly #client: ZooKeeperClient;
  readonly #runtime: Runtime;
  readonly #options: SetPartitionerOptions;
  readonly #party: Party;

  constructor(client: ZooKeeperClient, path: string, options: SetPartitionerOptions) {
    this.#client = client;
    this.path = path;
    this.#options = options;
    this.#runtime = resolveRuntime(options.runtime);
    this.#party = new Party(client, joinPath(path, "party"), {
      identifier: options.identifier,
      layout: "shallow",
      runtime: this.#runtime,
    });
  }

  /** What others know this member by. */
  get identifier(): string {
    return this.#party.identifier;
  }

  /**
   * Joins, and gives one allocation after the other. Asking for the next one releases the last: so work on
   * it until its signal aborts. Leaving the loop, or the signal, gives everything up. One reader at a time.
   */
  async *allocations(
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<Allocation> {
    const { signal } = options;
    const leaving = new AbortController();
    setMaxListeners(0, leaving.signal);
    const unlink = signal === undefined ? () => {} : onAbort(signal, () => leaving.abort(signal.reason));
    let cache: ChildrenCache | undefined;
    try {
      await this.#party.join({ signal: leaving.signal });
      cache = await ChildrenCache.open(this.#client, this.#party.path, {
        runtime: this.#runtime,
        signal: leaving.signal,
      });
      for (;;) {
        const members = await this.#settled(cache, leaving.signal);
        yield* this.#allocate(cache, members, leaving.signal);
      }
    } catch (error) {
      if (!leaving.signal.aborted) throw error;
    } finally {
      unlink();
      await cache?.close();
      await this.#party.leave();
    }
  }

  /** Waits until the same members have been there for a while, this one among them. */
  async #settled(cache: ChildrenCache, signal: AbortSignal): Promise<readonly string[]> {
    const { clock } = this.#runtime;
    const { settleMs = 1_000 } = this.#options;
    for (;;) {
      await cache.untilSynced({ signal });
      const before = this.#members(cache);
      const changed = this.#changeOf(cache, before, signal);
      try {
        await sleep(clock, settleMs, changed.signal);
        if (cache.synced && before.includes(this.identifier)) return before;
      } catch (error) {
        if (signal.aborted) throw error;
      } finally {
        changed.end();
      }
    }
  }

  /** At most one allocation, held until the reader asks on. */
  async *#allocate(
    cache: ChildrenCache,
    members: readonly string[],
    leaving: AbortSignal,
  ): AsyncGenerator<Allocation> {
    const { items, partition = everyNth } = this.#options;
    const changed = this.#changeOf(cache, members, leaving);
    const holds: Hold[] = [];
    const stops: (() => void)[] = [];
    try {
      const share = partition(this.identifier, members, items);
      for (const item of share) {
        const mutex = new Lock(this.#client, joinPath(joinPath(this.path, "locks"), item), {
          layout: "kazoo",
          identity: this.identifier,
          runtime: this.#runtime,
        });
        try {
          holds.push(await mutex.acquire({ signal: changed.signal }));
        } catch (error) {
          // The members have changed while this one waited for another to let go.
          if (changed.signal.aborted && !leaving.aborted) return;
          throw error;
        }
      }
      for (const hold of holds) stops.push(onAbort(hold.signal, () => changed.abort(hold.signal.reason)));
      if (!changed.signal.aborted) yield { items: share, members, signal: changed.signal };
    } finally {
      for (const stop of stops) stop();
      changed.end();
      await Promise.all(holds.map((hold) => hold.release()));
    }
  }

  #members(cache: ChildrenCache): readonly string[] {
    return this.#party.membersIn(cache).map(({ identifier }) => identifier);
  }

  /** A signal that aborts when the members are others, or with `signal`. */
  #changeOf(
    cache: ChildrenCache,
    members: readonly string[],
    signal: AbortSignal,
  ): { readonly signal: AbortSignal; abort(reason: unknown): void; end(): void } {
    const controller = new AbortController();
    setMaxListeners(0, controller.signal);
    const before = members.join("\n");
    const look = (): void => {
      if (this.#members(cache).join("\n") === before) return;
      controller.abort(
        new RecipeError("RELEASED", `the members of ${this.path} have changed; the set is divided anew`, {
          context: { path: this.path },
        }),
      );
    };
    const stops = [cache.onChange(look), onAbort(signal, () => controller.abort(signal.reason))];
    look();
    return {
      signal: controller.signal,
      abort: (reason) => controller.abort(reason),
      end: () => {
        for (const stop of stops) stop();
      },
    };
  }
}
