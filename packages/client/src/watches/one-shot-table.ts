// SPDX-License-Identifier: Apache-2.0
import type { WatchListener } from "../session/request.ts";

/**
 * Listeners by path, each called once. Nearly every path has one listener, so that one is held as it is
 * and only the second brings a set: some 100 bytes a watch (`bench client`). The same function counts once
 * per path.
 */
export class OneShotTable {
  readonly #listeners = new Map<string, WatchListener | Set<WatchListener>>();

  /** Number of paths watched. */
  get size(): number {
    return this.#listeners.size;
  }

  /** The paths watched. */
  paths(): IterableIterator<string> {
    return this.#listeners.keys();
  }

  has(path: string): boolean {
    return this.#listeners.has(path);
  }

  add(path: string, listener: WatchListener): void {
    const present = this.#listeners.get(path);
    if (present === undefined) this.#listeners.set(path, listener);
    else if (typeof present !== "function") present.add(listener);
    else if (present !== listener) this.#listeners.set(path, new Set([present, listener]));
  }

  /** Takes the listeners of a path out and puts them into `into`. */
  take(path: string, into: Set<WatchListener>): void {
    const present = this.#listeners.get(path);
    if (present === undefined) return;
    this.#listeners.delete(path);
    if (typeof present === "function") into.add(present);
    else for (const listener of present) into.add(listener);
  }

  /** Removes one listener of a path, or all; true when one was there. */
  remove(path: string, listener: WatchListener | undefined): boolean {
    const present = this.#listeners.get(path);
    if (present === undefined) return false;
    if (listener === undefined || present === listener) return this.#listeners.delete(path);
    if (typeof present === "function" || !present.delete(listener)) return false;
    if (present.size === 0) this.#listeners.delete(path);
    return true;
  }

  clear(): void {
    this.#listeners.clear();
  }
}
