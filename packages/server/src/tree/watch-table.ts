// SPDX-License-Identifier: Apache-2.0
// Which connection watches which path. Three kinds live side by side on one (path, watcher), as since
// ZooKeeper 3.9: standard (fires once), persistent, and persistent recursive (the path and all below it).
import { EventType, WatcherType } from "@meerkat/wire";
import type { Identity } from "./access.ts";

/** Whoever gets events: a connection. Compared by identity. */
export interface Watcher {
  /** What it may read; events are withheld for znodes that it may not. */
  readonly identities: readonly Identity[];
}

/** Bits of a registration. */
export const WatchKind = { standard: 1, persistent: 2, recursive: 4 } as const;

/** The registrations of one table. */
export class WatchSet {
  readonly #paths = new Map<string, Map<Watcher, number>>();
  readonly #watchers = new Map<Watcher, Set<string>>();
  #registrations = 0;
  #recursive = 0;

  /** Number of (path, watcher) pairs. */
  get size(): number {
    return this.#registrations;
  }

  get pathCount(): number {
    return this.#paths.size;
  }

  get watcherCount(): number {
    return this.#watchers.size;
  }

  /** Every (path, watcher) pair. */
  *entries(): Iterable<readonly [path: string, watcher: Watcher]> {
    for (const [path, watchers] of this.#paths) for (const watcher of watchers.keys()) yield [path, watcher];
  }

  add(path: string, watcher: Watcher, kind: number): void {
    let watchers = this.#paths.get(path);
    if (watchers === undefined) {
      watchers = new Map();
      this.#paths.set(path, watchers);
    }
    const bits = watchers.get(watcher) ?? 0;
    if ((bits & kind) !== 0) return;
    watchers.set(watcher, bits | kind);
    if (kind === WatchKind.recursive) this.#recursive++;
    if (bits !== 0) return;
    this.#registrations++;
    const paths = this.#watchers.get(watcher);
    if (paths === undefined) this.#watchers.set(watcher, new Set([path]));
    else paths.add(path);
  }

  has(path: string, watcher: Watcher, kinds: number): boolean {
    return ((this.#paths.get(path)?.get(watcher) ?? 0) & kinds) !== 0;
  }

  /** Removes the given kinds; true when one of them was there. */
  remove(path: string, watcher: Watcher, kinds: number): boolean {
    const watchers = this.#paths.get(path);
    const bits = watchers?.get(watcher) ?? 0;
    if (watchers === undefined || (bits & kinds) === 0) return false;
    this.#setBits(path, watchers, watcher, bits, bits & ~kinds);
    return true;
  }

  /** Removes all registrations of a watcher. */
  forget(watcher: Watcher): void {
    for (const path of this.#watchers.get(watcher) ?? []) {
      const watchers = this.#paths.get(path) as Map<Watcher, number>;
      this.#setBits(path, watchers, watcher, watchers.get(watcher) as number, 0);
    }
  }

  /** The watchers that an event at `path` reaches, each once; standard registrations are used up. */
  trigger(path: string, type: number): Set<Watcher> | undefined {
    let reached: Set<Watcher> | undefined;
    const watchers = this.#paths.get(path);
    if (watchers !== undefined) {
      reached = new Set();
      for (const [watcher, bits] of watchers) {
        if (bits === WatchKind.recursive && type === EventType.nodeChildrenChanged) continue;
        reached.add(watcher);
        if ((bits & WatchKind.standard) !== 0) {
          this.#setBits(path, watchers, watcher, bits, bits & ~WatchKind.standard);
        }
      }
    }
    if (this.#recursive === 0 || type === EventType.nodeChildrenChanged || path === "/") return reached;
    let slash = path.lastIndexOf("/");
    for (;;) {
      for (const [watcher, bits] of this.#paths.get(slash <= 0 ? "/" : path.slice(0, slash)) ?? []) {
        if ((bits & WatchKind.recursive) === 0) continue;
        reached ??= new Set();
        reached.add(watcher);
      }
      if (slash <= 0) return reached;
      slash = path.lastIndexOf("/", slash - 1);
    }
  }

  #setBits(path: string, watchers: Map<Watcher, number>, watcher: Watcher, old: number, bits: number): void {
    if ((old & ~bits & WatchKind.recursive) !== 0) this.#recursive--;
    if (bits !== 0) {
      watchers.set(watcher, bits);
      return;
    }
    this.#registrations--;
    watchers.delete(watcher);
    if (watchers.size === 0) this.#paths.delete(path);
    const paths = this.#watchers.get(watcher);
    paths?.delete(path);
    if (paths?.size === 0) this.#watchers.delete(watcher);
  }
}

/** The two tables of ZooKeeper: events of a znode itself, and changes of its list of children. */
export class WatchTable {
  readonly data: WatchSet = new WatchSet();
  readonly child: WatchSet = new WatchSet();

  /** False when no event could reach anybody. */
  get active(): boolean {
    return this.data.size > 0 || this.child.size > 0;
  }

  /** Number of registrations in both tables. */
  get size(): number {
    return this.data.size + this.child.size;
  }

  addPersistent(path: string, watcher: Watcher): void {
    this.data.add(path, watcher, WatchKind.persistent);
    this.child.add(path, watcher, WatchKind.persistent);
  }

  addRecursive(path: string, watcher: Watcher): void {
    this.data.add(path, watcher, WatchKind.recursive);
  }

  /** Whether the watcher has a registration of a `WatcherType` on the path. */
  has(path: string, watcher: Watcher, type: number): boolean {
    const [data, child] = kindsOf(type);
    return this.data.has(path, watcher, data) || this.child.has(path, watcher, child);
  }

  /** Removes the registrations of a `WatcherType`; false when there were none. */
  remove(path: string, watcher: Watcher, type: number): boolean {
    const [data, child] = kindsOf(type);
    const removedData = this.data.remove(path, watcher, data);
    return this.child.remove(path, watcher, child) || removedData;
  }

  /** Removes everything of a watcher: its connection closed. */
  forget(watcher: Watcher): void {
    this.data.forget(watcher);
    this.child.forget(watcher);
  }
}

/** Kinds in the data and the child table that a `WatcherType` speaks of. */
function kindsOf(type: number): readonly [data: number, child: number] {
  switch (type) {
    case WatcherType.children:
      return [0, WatchKind.standard];
    case WatcherType.data:
      return [WatchKind.standard, 0];
    case WatcherType.persistent:
      return [WatchKind.persistent, WatchKind.persistent];
    case WatcherType.persistentRecursive:
      return [WatchKind.recursive, 0];
    default:
      return [7, 7];
  }
}
