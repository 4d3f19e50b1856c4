// SPDX-License-Identifier: Apache-2.0
// The znodes of a cache: those that readers see, and what is read but not shown yet.
import { joinPath, nodeName, parentPath } from "@meerkat/client";
import { type CachedNode, type NodeChange, nodeChange } from "./cache-change.ts";

const NO_NAMES: ReadonlySet<string> = new Set();

/** See the head of this file. Pure bookkeeping; all in one step. */
export class NodeTable {
  readonly #root: string;
  readonly #shown = new Map<string, CachedNode>();
  readonly #shownNames = new Map<string, Set<string>>();
  /** What differs from `#shown`; undefined for removed ones. */
  readonly #staged = new Map<string, CachedNode | undefined>();
  readonly #names = new Map<string, Set<string>>();
  #size = 0;

  constructor(root: string) {
    this.#root = root;
  }

  /** Number of znodes, staged ones included. */
  get size(): number {
    return this.#size;
  }

  /** What readers see. */
  get shown(): ReadonlyMap<string, CachedNode> {
    return this.#shown;
  }

  /** Names of the children that readers see. */
  shownNames(path: string): ReadonlySet<string> {
    return this.#shownNames.get(path) ?? NO_NAMES;
  }

  /** The znode as read last. */
  get(path: string): CachedNode | undefined {
    return this.#staged.has(path) ? this.#staged.get(path) : this.#shown.get(path);
  }

  /** Names of the children as known last. */
  names(path: string): ReadonlySet<string> {
    return this.#names.get(path) ?? NO_NAMES;
  }

  /** Takes a znode in. */
  set(node: CachedNode): void {
    const { path } = node;
    if (this.get(path) === undefined) {
      this.#size++;
      if (path !== this.#root) add(this.#names, path);
    }
    this.#staged.set(path, node);
  }

  /** Removes a znode and all below it. */
  remove(path: string): void {
    this.removeBelow(path);
    if (this.get(path) === undefined) return;
    this.#size--;
    if (path !== this.#root) take(this.#names, path);
    if (this.#shown.has(path)) this.#staged.set(path, undefined);
    else this.#staged.delete(path);
  }

  /** Removes all below a znode. */
  removeBelow(path: string): void {
    for (const name of [...this.names(path)]) this.remove(joinPath(path, name));
  }

  /** Shows what was read, all at once, and gives the differences. */
  show(): NodeChange[] {
    const changes: NodeChange[] = [];
    for (const [path, node] of this.#staged) {
      const before = this.#shown.get(path);
      const change = nodeChange(path, before, node);
      if (change !== undefined) changes.push(change);
      if (node === undefined) {
        this.#shown.delete(path);
        if (path !== this.#root) take(this.#shownNames, path);
      } else {
        this.#shown.set(path, node);
        if (before === undefined && path !== this.#root) add(this.#shownNames, path);
      }
    }
    this.#staged.clear();
    return changes;
  }
}

function add(index: Map<string, Set<string>>, path: string): void {
  const parent = parentPath(path);
  const names = index.get(parent);
  if (names === undefined) index.set(parent, new Set([nodeName(path)]));
  else names.add(nodeName(path));
}

function take(index: Map<string, Set<string>>, path: string): void {
  const parent = parentPath(path);
  const names = index.get(parent);
  names?.delete(nodeName(path));
  if (names?.size === 0) index.delete(parent);
}
