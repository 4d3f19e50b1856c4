// SPDX-License-Identifier: Apache-2.0
// Deletes containers that became empty and TTL znodes whose time is up (ZooKeeper's ContainerManager). Looks
// at all of them now and then and deletes a few at a time, so that a flood of them does not fill the log.
import type { Clock, Timer } from "@meerkat/runtime";
import { prepareDeleteContainer } from "../tree/prepare.ts";
import type { Engine } from "./engine.ts";

/** When and how fast. */
export interface ReaperOptions {
  /** Time between looks, ms (`znode.container.checkIntervalMs`). Default 60,000. */
  readonly checkIntervalMs: number;
  /** Most deletes in a minute (`znode.container.maxPerMinute`). Default 10,000. */
  readonly perMinuteMax: number;
  /** Delete containers that never had a child this long after their last change, ms; 0 keeps them. Default 0. */
  readonly neverUsedMs: number;
}

export const defaultReaperOptions: ReaperOptions = {
  checkIntervalMs: 60_000,
  perMinuteMax: 10_000,
  neverUsedMs: 0,
};

const MINUTE_MS = 60_000;
/** Deletes come in small groups this far apart. */
const GROUP_INTERVAL_MS = 100;

/** Runs until closed. */
export class Reaper {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #options: ReaperOptions;
  #timer: Timer | undefined;
  #closed = false;

  constructor(engine: Engine, clock: Clock, options: ReaperOptions) {
    this.#engine = engine;
    this.#clock = clock;
    this.#options = options;
    this.#wait(options.checkIntervalMs, () => this.#reap([]));
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #wait(delayMs: number, then: () => void): void {
    if (!this.#closed) this.#timer = this.#clock.after(delayMs, then);
  }

  /** Deletes a group of what is left of the last look, or looks again. */
  #reap(left: string[]): void {
    const engine = this.#engine;
    if (engine.failure !== undefined) return;
    if (engine.isFrozen) {
      this.#wait(this.#options.checkIntervalMs, () => this.#reap([]));
      return;
    }
    engine.beginTurn();
    const paths = left.length > 0 ? left : this.#candidates();
    const group = Math.max(Math.floor((this.#options.perMinuteMax * GROUP_INTERVAL_MS) / MINUTE_MS), 1);
    for (const path of paths.splice(0, group)) {
      const prepared = prepareDeleteContainer(engine.tree, path);
      if (typeof prepared !== "number") engine.commit(0n, 0, prepared);
    }
    engine.endTurn();
    this.#wait(paths.length > 0 ? GROUP_INTERVAL_MS : this.#options.checkIntervalMs, () => this.#reap(paths));
  }

  #candidates(): string[] {
    const { tree, wallMs } = this.#engine;
    const { table } = tree;
    const { neverUsedMs } = this.#options;
    const paths: string[] = [];
    for (const row of tree.containers) {
      if (table.numChildren(row) > 0) continue;
      const wasUsed = table.cversion(row) > 0;
      const isStale = neverUsedMs > 0 && wallMs - table.mtimeMs(row) > neverUsedMs;
      if (wasUsed || isStale) paths.push(table.path(row));
    }
    for (const [row, ttlMs] of tree.ttls) {
      if (table.numChildren(row) === 0 && wallMs - table.mtimeMs(row) > ttlMs) paths.push(table.path(row));
    }
    return paths;
  }
}
