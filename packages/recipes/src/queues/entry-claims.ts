// SPDX-License-Identifier: Apache-2.0
// Claims on entries: an ephemeral of the entry's name says who has it. All that changes something goes
// through the witness, so that a claim of a lost session can do no harm to the next holder.
import {
  type CallOptions,
  isRetryable,
  isZooKeeperError,
  joinPath,
  type ZooKeeperClient,
} from "@meerkat/client";
import { Backoff, type Runtime, randomUuid, sleep } from "@meerkat/runtime";
import { waitForClosing } from "../bounded-wait.ts";
import { isRecipeError, RecipeError } from "../recipe-error.ts";
import { orAbsent } from "../reread.ts";
import { type WaitOptions, WaitScope } from "../wait-scope.ts";
import type { Witness } from "../witness.ts";
import type { ClaimedEntry, ItemOwner } from "./queue-item.ts";
import type { QueueLayout } from "./queue-layout.ts";

const RETRY_PAUSE = { initialMs: 20, maxMs: 2_000 } as const;

/** See the head of this file. */
export class EntryClaims implements ItemOwner {
  readonly #client: ZooKeeperClient;
  readonly #runtime: Runtime;
  readonly #layout: QueueLayout;
  readonly #witness: Witness;
  readonly #background = new Set<Promise<void>>();

  constructor(client: ZooKeeperClient, runtime: Runtime, layout: QueueLayout, witness: Witness) {
    this.#client = client;
    this.#runtime = runtime;
    this.#layout = layout;
    this.#witness = witness;
  }

  /** Resolves when what goes on in the background is done. */
  async settled(): Promise<void> {
    await Promise.all(this.#background);
  }

  /** Claims an entry; undefined when another has it or it is gone. */
  async claim(
    name: string,
    call: CallOptions,
  ): Promise<
    | { readonly entry: ClaimedEntry; readonly data: Buffer; readonly lost: AbortSignal | undefined }
    | undefined
  > {
    const { takenPath } = this.#layout;
    return takenPath === undefined
      ? this.#remove(name, call)
      : this.#claim(joinPath(takenPath, name), name, call);
  }

  async acknowledge(entry: ClaimedEntry, options: WaitOptions): Promise<void> {
    const { takenPath, entriesPath } = this.#layout;
    if (takenPath === undefined || entry.owner === undefined) return;
    const path = joinPath(entriesPath, entry.name);
    const scope = new WaitScope(this.#runtime.clock, options, `acknowledging ${path}`, path);
    try {
      await this.#witness.commit(
        [
          { op: "delete", path },
          { op: "delete", path: joinPath(takenPath, entry.name) },
        ],
        { signal: scope.signal, owner: entry.owner },
      );
    } catch (error) {
      if (isZooKeeperError(error, "NO_NODE")) {
        throw new RecipeError("LOST", `${path}: the entry or the claim on it was deleted by others`, {
          context: { path, reason: "deleted" },
          cause: error,
        });
      }
      if (!isZooKeeperError(error) || error.effect !== "unknown") throw scope.explain(error);
      // The session ended with the reply. An entry that is still there was not acknowledged.
      const stat = scope.over ? null : await this.#client.exists(path).catch(() => null);
      if (stat === null || stat.czxid !== entry.czxid) throw error;
      throw new RecipeError(
        "LOST",
        `${path}: the session ended before the acknowledgement; another gets the item`,
        {
          context: { path, reason: "session" },
          cause: error,
        },
      );
    } finally {
      scope.end();
    }
  }

  unclaim(entry: ClaimedEntry): Promise<void> {
    return waitForClosing(this.#runtime.clock, this.#inBackground(this.#unclaim(entry)));
  }

  #inBackground(task: Promise<void>): Promise<void> {
    const work: Promise<void> = task.finally(() => this.#background.delete(work));
    this.#background.add(work);
    return work;
  }

  async #claim(path: string, name: string, call: CallOptions): ReturnType<EntryClaims["claim"]> {
    const mark = randomUuid(this.#runtime.random);
    let owner: bigint;
    try {
      const { stat } = await this.#client.create(path, mark, {
        ...call,
        mode: "ephemeral",
        idempotent: true,
      });
      owner = stat.ephemeralOwner;
    } catch (error) {
      if (isZooKeeperError(error, "NODE_EXISTS")) return undefined;
      // A claim that was in the way has just gone, or the place of claims has: the list is read again in time.
      if (isZooKeeperError(error, "NO_NODE")) return undefined;
      if (isZooKeeperError(error) && error.effect === "unknown") {
        void this.#inBackground(this.#removeMarked(path, name, mark));
      }
      throw error;
    }
    const entry = { name, czxid: 0n, owner };
    const { session } = this.#client;
    try {
      if (session.id !== owner) return undefined;
      const found = await orAbsent(this.#client.get(joinPath(this.#layout.entriesPath, name), call));
      if (found !== undefined) {
        return { entry: { ...entry, czxid: found.stat.czxid }, data: found.data, lost: session.lost };
      }
    } catch (error) {
      void this.unclaim(entry);
      throw error;
    }
    // Consumed by another after the list was read.
    await this.unclaim(entry);
    return undefined;
  }

  /** For layouts without claims: the entry is removed, and the one who removed it has it. */
  async #remove(name: string, call: CallOptions): ReturnType<EntryClaims["claim"]> {
    const path = joinPath(this.#layout.entriesPath, name);
    const found = await orAbsent(this.#client.get(path, call));
    if (found === undefined) return undefined;
    try {
      // Not to be given up half-way: an entry that is removed must reach its consumer.
      await this.#witness.commit([{ op: "delete", path, version: found.stat.version }]);
    } catch (error) {
      if (isZooKeeperError(error, "NO_NODE") || isZooKeeperError(error, "BAD_VERSION")) return undefined;
      throw error;
    }
    return { entry: { name, czxid: found.stat.czxid, owner: undefined }, data: found.data, lost: undefined };
  }

  async #unclaim(entry: ClaimedEntry): Promise<void> {
    const { takenPath } = this.#layout;
    if (takenPath === undefined || entry.owner === undefined) return;
    const backoff = new Backoff(RETRY_PAUSE, this.#runtime.random);
    for (;;) {
      try {
        await this.#witness.commit([{ op: "delete", path: joinPath(takenPath, entry.name) }], {
          owner: entry.owner,
        });
        return;
      } catch (error) {
        // With the session the claim is gone; without the client it goes with the session.
        if (isZooKeeperError(error, "NO_NODE") || isRecipeError(error, "LOST")) return;
        if (!isRetryable(error, { idempotent: true }) || this.#client.state === "closed") {
          this.#runtime.logger.warn(
            { error, entry: entry.name },
            "a claim on an entry could not be given up",
          );
          return;
        }
      }
      await sleep(this.#runtime.clock, backoff.nextMs());
    }
  }

  /** Gives up a claim that may or may not have been made. Never rejects. */
  async #removeMarked(path: string, name: string, mark: string): Promise<void> {
    const backoff = new Backoff(RETRY_PAUSE, this.#runtime.random);
    for (;;) {
      try {
        // Without it a follower that lags behind might not know the claim yet.
        await this.#client.sync(path, { timeoutMs: 0 });
        const found = await orAbsent(this.#client.get(path, { timeoutMs: 0 }));
        if (found === undefined || found.data.toString() !== mark) return;
        // In its own session only, so that it cannot be another's claim that goes.
        await this.#unclaim({ name, czxid: 0n, owner: found.stat.ephemeralOwner });
        return;
      } catch (error) {
        if (!isRetryable(error, { idempotent: true }) || this.#client.state === "closed") return;
      }
      await sleep(this.#runtime.clock, backoff.nextMs());
    }
  }
}
