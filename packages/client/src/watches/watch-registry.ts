// SPDX-License-Identifier: Apache-2.0
// All watches of a client by the server's paths: which listeners an event goes to, what to arm on a new
// connection, what the server may forget. The server holds one watch per session, path and kind, however
// many listeners there are here.
import type { Logger } from "@meerkat/runtime";
import { ErrorCode, EventType } from "@meerkat/wire";
import type { Chroot } from "../chroot.ts";
import { type WatchMessage, watchChannel } from "../diagnostics.ts";
import type { Request, WatchEvent, WatchListener } from "../session/request.ts";
import type { SessionWatches, WatchChunk } from "../session/session-watches.ts";
import { chunkPaths } from "./chunk-paths.ts";
import { OneShotTable } from "./one-shot-table.ts";
import type { PersistentWatch } from "./persistent-watch.ts";

/** Kinds of one-shot watches that can be told apart on the server. */
export type OneShotKind = "data" | "children";

/** The kind of the watch that a read leaves. */
export function kindOf(request: Request): OneShotKind {
  return request.operation.watchKind === "child" ? "children" : "data";
}

/** What is watched persistently on one path. */
export interface PersistentEntry {
  readonly path: string;
  /** Watches that are wanted, counted from the call; the server's mode follows from these. */
  persistentWanted: number;
  recursiveWanted: number;
  /** Watches that get events: those whose arming was answered. */
  readonly watches: Set<PersistentWatch>;
  /** An addWatch, or a SetWatches2 with it, was written on the current connection. */
  sent: boolean;
}

/** Delivery waits one microtask, so that it keeps its place among the replies' promises. */
const RESOLVED: Promise<void> = Promise.resolve();

const eventTypes: Readonly<Record<number, WatchEvent["type"]>> = {
  [EventType.nodeCreated]: "created",
  [EventType.nodeDeleted]: "deleted",
  [EventType.nodeDataChanged]: "dataChanged",
  [EventType.nodeChildrenChanged]: "childrenChanged",
};

/** See the head of this file. */
export class WatchRegistry implements SessionWatches {
  /** Called when the server holds a watch that nobody here needs any more. */
  onOrphan: ((path: string, kind: OneShotKind) => void) | undefined;

  readonly #chroot: Chroot;
  readonly #logger: Logger;
  readonly #data = new OneShotTable();
  readonly #exist = new OneShotTable();
  readonly #child = new OneShotTable();
  readonly #persistent = new Map<string, PersistentEntry>();
  /** Entries with recursive watches: while there are none, ancestors need not be looked up. */
  #recursiveEntries = 0;

  constructor(options: { readonly chroot: Chroot; readonly logger: Logger }) {
    this.#chroot = options.chroot;
    this.#logger = options.logger;
  }

  /** Paths with one-shot watches, and persistent watches, for figures. */
  get size(): number {
    return this.#data.size + this.#exist.size + this.#child.size + this.#persistent.size;
  }

  /**
   * False when a persistent watch on the same path reports the change anyway. More than thrift: before 3.9
   * a plain watch on such a path would turn the persistent one into a one-shot (ZOOKEEPER-4466).
   */
  needsServerWatch(request: Request): boolean {
    const entry = this.#persistent.get(request.path);
    if (entry === undefined || !entry.sent) return true;
    return request.operation.watchKind === "child" && entry.recursiveWanted > 0;
  }

  register(request: Request, err: number): void {
    const listener = request.watch as WatchListener;
    switch (request.operation.watchKind) {
      case "data":
        if (err === ErrorCode.OK) this.#data.add(request.path, listener);
        return;
      case "child":
        if (err === ErrorCode.OK) this.#child.add(request.path, listener);
        return;
      case "exists":
        if (err === ErrorCode.OK) this.#data.add(request.path, listener);
        else if (err === ErrorCode.NO_NODE) this.#exist.add(request.path, listener);
        return;
      case undefined:
    }
  }

  onEvent(type: number, path: string): void {
    const name = eventTypes[type];
    if (name === undefined) {
      this.#logger.warn({ type, path }, "an event of unknown type was ignored");
      return;
    }
    const targets = new Set<WatchListener>();
    if (type === EventType.nodeChildrenChanged) {
      this.#child.take(path, targets);
    } else {
      this.#data.take(path, targets);
      this.#exist.take(path, targets);
      if (type === EventType.nodeDeleted) this.#child.take(path, targets);
    }
    const watches = this.#watchesOf(name, path);
    if (watchChannel.hasSubscribers) {
      watchChannel.publish({
        type: name,
        path,
        listeners: targets.size + watches.length,
      } satisfies WatchMessage);
    }
    if (targets.size > 0 || watches.length > 0) {
      this.#deliver({ type: name, path: this.#chroot.inward(path) }, targets, watches);
    }
    if (name === "created" || name === "deleted") this.#synthesiseChildrenChanged(path);
  }

  chunks(): WatchChunk[] {
    const persistent: string[] = [];
    const recursive: string[] = [];
    for (const entry of this.#persistent.values()) {
      // One whose addWatch was never answered is armed by that request, which is sent again.
      entry.sent = entry.watches.size > 0;
      if (entry.sent) (entry.recursiveWanted > 0 ? recursive : persistent).push(entry.path);
    }
    return chunkPaths({
      data: this.#data.paths(),
      exist: this.#exist.paths(),
      child: this.#child.paths(),
      persistent,
      recursive,
    });
  }

  /** What persistent watches missed while they were not armed is not reported: tell them to read again. */
  onArmed(chunk: WatchChunk): void {
    for (const path of [...chunk.persistent, ...chunk.recursive]) {
      const entry = this.#persistent.get(path);
      if (entry === undefined || entry.watches.size === 0) continue;
      this.#deliver({ type: "resync", path: this.#chroot.inward(path) }, new Set(), [...entry.watches]);
    }
  }

  /** Counts a persistent watch as wanted; the entry's mode may change with it. */
  want(path: string, recursive: boolean): PersistentEntry {
    let entry = this.#persistent.get(path);
    if (entry === undefined) {
      entry = { path, persistentWanted: 0, recursiveWanted: 0, watches: new Set(), sent: false };
      this.#persistent.set(path, entry);
    }
    if (recursive) {
      if (entry.recursiveWanted++ === 0) this.#recursiveEntries++;
    } else {
      entry.persistentWanted++;
    }
    return entry;
  }

  /**
   * Takes a want back and says what the server must do: `remove` its watch, `narrow` it to the path alone,
   * or nothing (`keep`).
   */
  unwant(entry: PersistentEntry, recursive: boolean): "remove" | "narrow" | "keep" {
    if (recursive) {
      if (--entry.recursiveWanted === 0) this.#recursiveEntries--;
    } else {
      entry.persistentWanted--;
    }
    if (entry.persistentWanted === 0 && entry.recursiveWanted === 0) {
      // An entry of the same path may have been made anew meanwhile; only this one goes.
      if (this.#persistent.get(entry.path) === entry) this.#persistent.delete(entry.path);
      return "remove";
    }
    return recursive && entry.recursiveWanted === 0 ? "narrow" : "keep";
  }

  /** One-shot watches on a path, to arm them after the server dropped them with a persistent one. */
  oneShotChunk(path: string): WatchChunk | undefined {
    const chunk = {
      data: this.#data.has(path) ? [path] : [],
      exist: this.#exist.has(path) ? [path] : [],
      child: this.#child.has(path) ? [path] : [],
      persistent: [],
      recursive: [],
    };
    return chunk.data.length + chunk.exist.length + chunk.child.length > 0 ? chunk : undefined;
  }

  /**
   * Forgets a one-shot listener on a path, or all of a kind. True when the server's watch of that kind
   * serves nobody any more.
   */
  removeOneShot(path: string, kind: OneShotKind, listener: WatchListener | undefined): boolean {
    const tables = this.#tables(kind);
    let removed = false;
    for (const table of tables) removed = table.remove(path, listener) || removed;
    // A persistent watch on the path would go with it, and does not need it to be gone.
    return removed && !this.#isNeeded(path, kind);
  }

  orphaned(request: Request, err: number): void {
    const kind = kindOf(request);
    // An exists leaves a watch either way, the others only when they succeed.
    if (err !== ErrorCode.OK && !(err === ErrorCode.NO_NODE && request.operation.watchKind === "exists"))
      return;
    if (!this.#isNeeded(request.path, kind)) this.onOrphan?.(request.path, kind);
  }

  #tables(kind: OneShotKind): readonly OneShotTable[] {
    return kind === "children" ? [this.#child] : [this.#data, this.#exist];
  }

  #isNeeded(path: string, kind: OneShotKind): boolean {
    return this.#persistent.has(path) || this.#tables(kind).some((table) => table.has(path));
  }

  /** Ends everything: the client is closed. */
  clear(): void {
    for (const entry of this.#persistent.values()) for (const watch of [...entry.watches]) watch.end();
    this.#persistent.clear();
    this.#recursiveEntries = 0;
    this.#data.clear();
    this.#exist.clear();
    this.#child.clear();
  }

  /** Persistent watches that an event concerns. */
  #watchesOf(name: WatchEvent["type"], path: string): PersistentWatch[] {
    const found: PersistentWatch[] = [];
    if (this.#persistent.size === 0) return found;
    const own = this.#persistent.get(path);
    if (own !== undefined && !(name === "childrenChanged" && own.recursiveWanted > 0)) {
      for (const watch of own.watches) if (!watch.recursive) found.push(watch);
    }
    // A child watch elsewhere makes the server send these although recursive watches must not see them.
    if (this.#recursiveEntries === 0 || name === "childrenChanged") return found;
    for (let at = path; ; at = at.slice(0, at.lastIndexOf("/")) || "/") {
      const entry = this.#persistent.get(at);
      if (entry !== undefined) for (const watch of entry.watches) if (watch.recursive) found.push(watch);
      if (at === "/") return found;
    }
  }

  /**
   * Where a recursive watch stands on a path, the server has one mode for it and sends no changes of the
   * child list; the plain persistent watches there get them from the children's own events.
   */
  #synthesiseChildrenChanged(path: string): void {
    if (this.#recursiveEntries === 0 || path === "/") return;
    const parent = path.slice(0, path.lastIndexOf("/")) || "/";
    const entry = this.#persistent.get(parent);
    if (entry === undefined || entry.recursiveWanted === 0) return;
    const watches = [...entry.watches].filter((watch) => !watch.recursive);
    if (watches.length === 0) return;
    this.#deliver({ type: "childrenChanged", path: this.#chroot.inward(parent) }, new Set(), watches);
  }

  #deliver(
    event: WatchEvent,
    targets: ReadonlySet<WatchListener>,
    watches: readonly PersistentWatch[],
  ): void {
    void RESOLVED.then(() => {
      for (const watch of watches) watch.deliver(event);
      for (const listener of targets) {
        try {
          listener(event);
        } catch (error) {
          this.#logger.error({ error, path: event.path }, "a watch listener threw");
        }
      }
    });
  }
}
