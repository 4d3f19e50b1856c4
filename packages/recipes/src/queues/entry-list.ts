// SPDX-License-Identifier: Apache-2.0
// The entries that can be claimed, as this process knows them. Taking and acknowledging change the lists of
// children themselves, so a watch on them would make every take read everything again. An eager list bears
// that, for strict order; a lazy one reads and watches only when it has run out of entries.
import { type CallOptions, isZooKeeperError, type WatchEvent, type ZooKeeperClient } from "@meerkat/client";
import { compareRanks, type QueueLayout, type QueueRank } from "./queue-layout.ts";

interface Candidate {
  readonly name: string;
  readonly rank: QueueRank;
}

/** See the head of this file. */
export class EntryList {
  readonly #client: ZooKeeperClient;
  readonly #layout: QueueLayout;
  readonly #eager: boolean;
  readonly #wakers = new Set<() => void>();
  readonly #onWatch = (_event: WatchEvent): void => this.invalidate();
  /** Entries in order; those before `#position` are claimed or were lost to others. */
  #candidates: readonly Candidate[] = [];
  #position = 0;
  #stale = true;
  #reading: Promise<void> | undefined;
  /** The list was read with watches, and none has fired. */
  #watched = false;
  /** Watches may be there. */
  #armed = false;

  constructor(client: ZooKeeperClient, layout: QueueLayout, eager: boolean) {
    this.#client = client;
    this.#layout = layout;
    this.#eager = eager;
  }

  /** Calls `wake` whenever the list may have changed; returns what takes it back. */
  onChange(wake: () => void): () => void {
    this.#wakers.add(wake);
    return () => {
      this.#wakers.delete(wake);
    };
  }

  /** The list is not to be trusted any more. */
  invalidate(): void {
    this.#stale = true;
    this.#watched = false;
    for (const wake of [...this.#wakers]) wake();
  }

  /**
   * The name of the next entry, which is then no longer in the list; or, when there is none that is ready, the ms
   * until there may be one, or undefined when only a change brings one.
   */
  async next(nowMs: number, call: CallOptions): Promise<string | number | undefined> {
    for (;;) {
      if (this.#stale) {
        await this.#refresh(this.#eager, call);
        continue;
      }
      const candidate = this.#candidates[this.#position];
      const waitMs = candidate === undefined ? undefined : candidate.rank.readyAtMs - nowMs;
      if (candidate !== undefined && waitMs !== undefined && waitMs <= 0) {
        this.#position++;
        return candidate.name;
      }
      if (this.#watched) return waitMs === undefined ? undefined : Math.ceil(waitMs);
      await this.#refresh(true, call);
    }
  }

  /** Takes the watches back. */
  async close(): Promise<void> {
    this.#wakers.clear();
    if (!this.#armed) return;
    this.#armed = false;
    const { entriesPath, takenPath } = this.#layout;
    const paths = takenPath === undefined ? [entriesPath] : [entriesPath, takenPath];
    // Whatever ended the connection has ended the watches too.
    await Promise.all(
      paths.map((path) =>
        this.#client.removeWatches(path, "children", this.#onWatch, { timeoutMs: 1_000 }).catch(() => {}),
      ),
    );
  }

  /** Several takers at once share one reading; one that fails does so for the one who started it. */
  async #refresh(watch: boolean, call: CallOptions): Promise<void> {
    if (this.#reading !== undefined) {
      await this.#reading.catch(() => {});
      return;
    }
    this.#reading = this.#read(watch, call).finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  async #read(watch: boolean, call: CallOptions): Promise<void> {
    this.#stale = false;
    this.#watched = watch;
    this.#armed ||= watch;
    try {
      const { entriesPath, takenPath } = this.#layout;
      const [names, taken] = await Promise.all([
        this.#children(entriesPath, watch, call),
        takenPath === undefined ? [] : this.#children(takenPath, watch, call),
      ]);
      const claimed = new Set(taken);
      const candidates: Candidate[] = [];
      for (const name of names) {
        const rank = claimed.has(name) ? undefined : this.#layout.rank(name);
        if (rank !== undefined) candidates.push({ name, rank });
      }
      this.#candidates = candidates.sort((a, b) => compareRanks(a.rank, b.rank));
      this.#position = 0;
    } catch (error) {
      this.#stale = true;
      this.#watched = false;
      throw error;
    }
  }

  async #children(path: string, watch: boolean, call: CallOptions): Promise<readonly string[]> {
    for (;;) {
      try {
        const options = watch ? { ...call, watch: this.#onWatch } : call;
        return (await this.#client.children(path, options)).children;
      } catch (error) {
        if (!isZooKeeperError(error, "NO_NODE")) throw error;
        await this.#client.ensurePath(path, call);
      }
    }
  }
}
