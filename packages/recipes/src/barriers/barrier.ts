// SPDX-License-Identifier: Apache-2.0
import { isZooKeeperError, type ZooKeeperClient } from "@meerkat/client";
import { type Runtime, resolveRuntime } from "@meerkat/runtime";
import { orAbsent, rereadUntil, untilDone } from "../reread.ts";
import { type WaitOptions, WaitScope } from "../wait-scope.ts";

/** Options of a barrier. */
export interface BarrierOptions {
  readonly runtime?: Partial<Runtime> | undefined;
}

/**
 * A gate: whoever waits goes on when it is removed. It stands for as long as its znode exists, whoever made
 * it and whatever became of them. The layout is that of Kazoo's Barrier and Curator's DistributedBarrier:
 * one persistent znode at the path.
 *
 * A waiter outlives lost connections and new sessions; it never misses the removal, also when the barrier
 * was set again meanwhile: then it waits for that one's removal.
 */
export class Barrier {
  readonly path: string;
  readonly #client: ZooKeeperClient;
  readonly #runtime: Runtime;

  constructor(client: ZooKeeperClient, path: string, options: BarrierOptions = {}) {
    this.#client = client;
    this.path = path;
    this.#runtime = resolveRuntime(options.runtime);
  }

  /** Sets the barrier, with missing parents; one that stands is fine. */
  async create(options: WaitOptions = {}): Promise<void> {
    const scope = new WaitScope(this.#runtime.clock, options, `setting the barrier ${this.path}`, this.path);
    try {
      await untilDone({ client: this.#client, runtime: this.#runtime, scope }, (call) =>
        this.#client.ensurePath(this.path, call),
      );
    } catch (error) {
      throw scope.explain(error);
    } finally {
      scope.end();
    }
  }

  /** Removes it and lets all waiters go. False when it did not stand. */
  async remove(options: WaitOptions = {}): Promise<boolean> {
    try {
      await this.#client.delete(this.path, { ...options, idempotent: true });
      return true;
    } catch (error) {
      if (isZooKeeperError(error, "NO_NODE")) return false;
      throw error;
    }
  }

  /** Resolves when the barrier does not stand. Rejects with `TIMEOUT`, `ABORTED`, or as the client does. */
  async wait(options: WaitOptions = {}): Promise<void> {
    const scope = new WaitScope(
      this.#runtime.clock,
      options,
      `waiting at the barrier ${this.path}`,
      this.path,
    );
    try {
      await rereadUntil({
        client: this.#client,
        runtime: this.#runtime,
        scope,
        // A get leaves no watch where there is no znode; an exists would.
        look: async (watch, call) =>
          (await orAbsent(this.#client.get(this.path, { ...call, watch }))) === undefined
            ? { found: true }
            : undefined,
        release: (watch, call) => this.#client.removeWatches(this.path, "data", watch, call),
      });
    } catch (error) {
      throw scope.explain(error);
    } finally {
      scope.end();
    }
  }
}
